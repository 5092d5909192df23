//! Whoever set a place up is told once that it cannot be reached and what to do, and when it can again; operators are told where the bot has no
//! private chat with them (ARCHITECTURE.md, rule K4). Places of one owner that fail for one reason are one notice: a server may have many channels.

use crate::{
    domain::{
        Address, Platform, QuarantineReason, Timestamp,
        wording::{NoticePhrase, Trouble},
    },
    pipeline::operators::Operators,
    store::{Store, StoreResult, UntoldQuarantine},
};
use std::collections::BTreeMap;

/// So many places are named in one notice.
const MOST_NAMED: usize = 5;

/// Tells of what is in quarantine since `before` or longer, and of what is out of it; however that ended: by a probe, a command from there, or
/// the platform's word.
///
/// # Errors
/// Where the database fails.
pub(super) async fn tell_of_quarantines(store: &Store, operators: &Operators, before: Timestamp) -> StoreResult<()> {
    for ((platform, owner, word), places) in grouped(store.untold_quarantines(before).await?) {
        let destination = named(&places, owner.is_some());
        let owner = owner_of(&platform, owner);
        let trouble = trouble_of(&platform, &word);
        let (notice, advice) = match (&owner, trouble) {
            (Some(_), Some(trouble)) => {
                let notice = NoticePhrase::OutOfReach { places: destination, cause: trouble.cause().to_owned() };
                (notice, Some(NoticePhrase::WhatToDo { fix: trouble.fix().to_owned() }))
            }
            _ => {
                let reason = trouble.map_or_else(|| word.clone(), |trouble| trouble.explain(&word));
                (NoticePhrase::Quarantined { destination, reason }, None)
            }
        };
        operators.tell_owner_once(owner, &names(&places), notice, advice).await;
    }
    for ((platform, owner, _), places) in grouped(store.restored_quarantines().await?) {
        let destination = named(&places, owner.is_some());
        let owner = owner_of(&platform, owner);
        let has_news = places.iter().any(|place| place.has_news);
        let notice = match places.len() {
            _ if !has_news => NoticePhrase::RestoredWithoutNews { places: destination, count: places.len() },
            1 => NoticePhrase::Restored { destination },
            _ => NoticePhrase::AllRestored { places: destination },
        };
        operators.clear_for_owner(owner, &names(&places), notice).await;
    }
    Ok(())
}

type Group = (String, Option<String>, String);

/// By platform, owner and reason.
fn grouped(quarantines: Vec<UntoldQuarantine>) -> BTreeMap<Group, Vec<UntoldQuarantine>> {
    let mut groups: BTreeMap<Group, Vec<UntoldQuarantine>> = BTreeMap::new();
    for one in quarantines {
        groups.entry((one.platform.clone(), one.owner.clone(), one.quarantine_reason.clone())).or_default().push(one);
    }
    groups
}

fn owner_of(platform: &str, chat: Option<String>) -> Option<Address> {
    Some(Address::new(Platform::parse(platform)?, chat?))
}

fn trouble_of(platform: &str, word: &str) -> Option<Trouble> {
    Trouble::of_quarantine(Platform::parse(platform)?, QuarantineReason::parse(word)?)
}

fn names(places: &[UntoldQuarantine]) -> Vec<String> {
    places.iter().map(|place| format!("quarantine:{}", place.id)).collect()
}

/// The first of them, and how many more: as an owner knows them, or with their addresses as an operator does.
fn named(places: &[UntoldQuarantine], for_owner: bool) -> String {
    let first = places.iter().take(MOST_NAMED).map(|place| name_of(place, for_owner)).collect::<Vec<_>>().join(", ");
    match places.len().saturating_sub(MOST_NAMED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

fn name_of(place: &UntoldQuarantine, for_owner: bool) -> String {
    let topic = (!place.topic.is_empty()).then(|| place.topic.clone());
    let written = Platform::parse(&place.platform)
        .map(|platform| Address { platform, chat: place.chat.clone(), topic }.to_string())
        .unwrap_or_default();
    match &place.label {
        Some(label) if for_owner => label.clone(),
        Some(label) => format!("{label} ({written})"),
        None => written,
    }
}
