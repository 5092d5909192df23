//! `/privacy`: everything that is stored about a person, handed out to them alone or forgotten. Only what concerns the person: a channel's
//! or a group's subscriptions are the community's, and keep nobody's name.

use super::{
    Action, Reply, Request,
    desk::{Desk, Outcome},
    options::{self, PrivacyAction},
    place,
};
use crate::{
    domain::{
        MessageBody, Platform, Timestamp,
        wording::{Card, CardFile, Phrase, PrivacyPhrase, Tone},
    },
    store::PersonalSection,
};
use serde_json::{Map, Value};

/// The most rows of one part: some years of an ordinary person, and far below what the platforms take as a file.
const MOST_ROWS: usize = 1_000;
const FILE_NAME: &str = "bellwether-export.json";

impl Desk {
    pub(super) async fn privacy(&self, request: &Request) -> Outcome {
        self.require(request, Action::OwnData)?;
        match options::privacy_action(request)? {
            Some(PrivacyAction::Export) => self.export_person(request).await,
            Some(PrivacyAction::Forget) => self.forget_person(request).await,
            None => Ok(explanation(request.platform())),
        }
    }

    async fn export_person(&self, request: &Request) -> Outcome {
        let limit = i64::try_from(MOST_ROWS + 1).unwrap_or(i64::MAX);
        let sections = self.store.personal_data(request.platform(), &request.actor.user, limit).await?;
        let left_out: Vec<&'static str> = sections.iter().filter(|part| part.rows.len() > MOST_ROWS).map(|part| part.name).collect();
        let mut card = Card::new(Tone::Success, PrivacyPhrase::Exported.into());
        card.lines.push(PrivacyPhrase::InFile { name: FILE_NAME.to_owned() }.into());
        if !left_out.is_empty() {
            let parts = left_out.iter().map(|name| name.replace('_', " ")).collect();
            card.lines.push(PrivacyPhrase::LeftOut { parts, most: MOST_ROWS }.into());
        }
        card.file = Some(CardFile::Text { name: FILE_NAME.to_owned(), content: document(request, &sections, &left_out, self.now()) });
        Ok(card.into())
    }

    async fn forget_person(&self, request: &Request) -> Outcome {
        let own = place::own(request, "privacy").destination;
        let forgotten = self.store.forget_person(&own, &request.actor.user, request.id().as_deref(), self.now()).await?;
        if forgotten.is_nothing() {
            return Ok(Card::new(Tone::Neutral, PrivacyPhrase::NothingKept.into()).into());
        }
        let mut card = Card::new(Tone::Success, PrivacyPhrase::Forgotten.into());
        let (subscriptions, messages, lookups) = (forgotten.subscriptions, forgotten.messages, forgotten.lookups);
        card.lines.push(PrivacyPhrase::Removed { subscriptions, messages, lookups }.into());
        if forgotten.places + forgotten.records > 0 {
            card.lines.push(PrivacyPhrase::StaysWithoutName { places: forgotten.places, records: forgotten.records }.into());
        }
        card.lines.push(PrivacyPhrase::WhatStays { platform: request.platform() }.into());
        card.lines.push(PrivacyPhrase::BeginAnew { example: "/subscribe SOL".to_owned() }.into());
        Ok(card.into())
    }
}

fn explanation(platform: Platform) -> Reply {
    let [export, forget] = [PrivacyAction::Export, PrivacyAction::Forget].map(|action| options::privacy_example(platform, action));
    let mut card = Card::new(Tone::Neutral, PrivacyPhrase::Title.into());
    card.lines.push(PrivacyPhrase::HowToExport { example: export }.into());
    card.lines.push(PrivacyPhrase::HowToForget { example: forget }.into());
    card.into()
}

/// The file: a list a part, with times as people and programs read them.
fn document(request: &Request, sections: &[PersonalSection], left_out: &[&'static str], now: Timestamp) -> String {
    let mut document = Map::new();
    document.insert("about".to_owned(), Phrase::from(PrivacyPhrase::About).plain().into());
    document.insert("person".to_owned(), request.person().into());
    document.insert("exported_at".to_owned(), now.to_string().into());
    let why = Phrase::from(PrivacyPhrase::OnlyNewest { most: MOST_ROWS }).plain();
    document.insert(
        "left_out".to_owned(),
        left_out.iter().map(|name| ((*name).to_owned(), Value::from(why.as_str()))).collect::<Map<_, _>>().into(),
    );
    for section in sections {
        let rows: Vec<Value> = section.rows.iter().take(MOST_ROWS).map(|row| readable(row)).collect();
        document.insert(section.name.to_owned(), rows.into());
    }
    serde_json::to_string_pretty(&document).unwrap_or_default()
}

/// A row with its times in RFC 3339, and what is stored as JSON in its own shape; a message as its reader saw it.
fn readable(row: &str) -> Value {
    let Ok(Value::Object(fields)) = serde_json::from_str(row) else { return Value::from(row) };
    let one = |(name, value): (String, Value)| {
        let is_time = name == "at" || ["_at", "_until", "_time"].iter().any(|end| name.ends_with(end));
        let value = match (name.as_str(), &value) {
            (_, Value::Number(millis)) if is_time => readable_time(millis.as_i64()),
            ("settings" | "before" | "after", Value::String(json)) => serde_json::from_str(json).unwrap_or(value),
            ("message", Value::String(json)) => {
                serde_json::from_str::<MessageBody>(json).map_or_else(|_| value.clone(), |body| body.to_card().plain().into())
            }
            _ => value,
        };
        (name, value)
    };
    fields.into_iter().map(one).collect::<Map<_, _>>().into()
}

/// What waits for something else than a time has none.
fn readable_time(millis: Option<i64>) -> Value {
    let at = millis.map(Timestamp::from_millis).filter(|at| *at != Timestamp::NEVER);
    at.map_or(Value::Null, |at| at.to_string().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_are_dates_and_stored_json_is_json() {
        let row = json!({"kind": "daily", "created_at": 1_795_240_800_000_i64, "held_until": i64::MAX, "attempts": 3, "told_at": null,
            "settings": "{\"max_per_hour\":5}", "before": null, "message": "{\"type\":\"alert\"}"});
        assert_eq!(
            readable(&row.to_string()),
            json!({"kind": "daily", "created_at": "2026-11-21T06:00:00Z", "held_until": null, "attempts": 3, "told_at": null,
                "settings": {"max_per_hour": 5}, "before": null, "message": "{\"type\":\"alert\"}"})
        );
    }
}
