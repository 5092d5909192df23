//! Everything that is stored about one person: handed out, and forgotten (`/privacy`). A person is their private destination, and their name
//! in what they set up or changed elsewhere.

use super::{
    NewDestination, Store, StoreResult,
    destinations::{ensure, settings_json},
    dialect::{in_transaction, on_db},
    interactions::claim,
};
use crate::domain::{Platform, Settings, Timestamp, UserId};
use std::time::Duration;

/// The person's own destination; a person's own chat is their id, on Discord behind `user:`.
macro_rules! own {
    () => {
        "d.platform = $1 AND d.chat IN ($2, 'user:' || CAST($2 AS TEXT)) AND d.place = 'person'"
    };
}
macro_rules! person {
    () => {
        "CAST($1 AS TEXT) || ':' || CAST($2 AS TEXT)"
    };
}
/// A statement that gives a JSON object a row: its fields as `'name', value, …`, and where they come from.
macro_rules! objects {
    ($fields:expr, $from:expr) => {
        (
            concat!("SELECT json_object(", $fields, ") ", $from, " LIMIT $3"),
            concat!("SELECT CAST(json_build_object(", $fields, ") AS TEXT) ", $from, " LIMIT $3"),
        )
    };
}
/// Rows of one's own that are each about a token: where from, and in which order.
macro_rules! of_tokens {
    ($table:literal, $order:literal) => {
        concat!(
            "FROM ",
            $table,
            " e JOIN destinations d ON d.id = e.destination_id LEFT JOIN tokens t ON t.source = e.source AND t.token_id = e.token_id WHERE ",
            own!(),
            " ORDER BY ",
            $order
        )
    };
}

const DESTINATION: (&str, &str) = objects!(
    "'platform', d.platform, 'chat', d.chat, 'direct_message_channel', d.route, 'settings', d.settings, 'muted_until', d.muted_until,
     'language', d.locale, 'first_seen_at', d.created_at, 'mentioned_at', d.mentioned_at,
     'out_of_reach_because', d.quarantine_reason, 'out_of_reach_since_at', d.quarantined_at, 'tried_again_at', d.next_probe_at",
    concat!("FROM destinations d WHERE ", own!())
);
const SUBSCRIPTIONS: (&str, &str) = objects!(
    "'tokens', CASE s.target WHEN 'all' THEN 'all' ELSE '#' || s.target END, 'symbol', t.symbol, 'kind', s.kind, 'direction', s.direction,
     'delivery', s.delivery, 'threshold', s.threshold, 'threshold_since_at', s.threshold_at, 'created_at', s.created_at, 'updated_at', s.updated_at",
    concat!(
        "FROM subscriptions s JOIN destinations d ON d.id = s.destination_id
         LEFT JOIN tokens t ON t.source = s.source AND t.token_id = CAST(NULLIF(s.target, 'all') AS BIGINT) WHERE ",
        own!(),
        " ORDER BY s.id DESC"
    )
);
const EXCLUSIONS: (&str, &str) = objects!(
    "'token', '#' || CAST(e.token_id AS TEXT), 'symbol', t.symbol, 'kind', e.kind, 'created_at', e.created_at",
    of_tokens!("exclusions", "e.created_at DESC, e.token_id")
);
const TOKEN_MUTES: (&str, &str) = objects!(
    "'token', '#' || CAST(e.token_id AS TEXT), 'symbol', t.symbol, 'muted_until', e.muted_until",
    of_tokens!("token_mutes", "e.token_id")
);
const TOKEN_NEWS: (&str, &str) = objects!(
    "'token', '#' || CAST(e.token_id AS TEXT), 'symbol', t.symbol, 'news', e.news, 'held_until', e.release_at",
    of_tokens!("token_news", "e.token_id")
);
const TOLD: (&str, &str) = objects!(
    "'token', '#' || CAST(e.token_id AS TEXT), 'symbol', t.symbol, 'kind', e.kind, 'call', e.stance, 'data_time', e.data_time,
     'known_at', e.known_at, 'told_at', e.told_at, 'unstable', e.unstable",
    of_tokens!("told", "e.known_at DESC, e.token_id")
);
const ALERTS: (&str, &str) = objects!(
    "'token', '#' || CAST(c.token_id AS TEXT), 'symbol', t.symbol, 'kind', c.kind, 'call', c.to_stance, 'data_time', c.data_time,
     'decision', a.decision, 'reason', a.reason, 'state', a.state, 'created_at', a.created_at, 'held_until', a.release_at, 'told_at', a.told_at",
    concat!(
        "FROM alerts a JOIN destinations d ON d.id = a.destination_id JOIN changes c ON c.id = a.change_id
         LEFT JOIN tokens t ON t.source = c.source AND t.token_id = c.token_id WHERE ",
        own!(),
        " ORDER BY a.id DESC"
    )
);
const MESSAGES: (&str, &str) = objects!(
    "'state', m.state, 'message', m.body, 'created_at', m.created_at, 'finished_at', m.finished_at, 'attempts', m.attempts,
     'last_problem', m.problem, 'platform_id', m.platform_id",
    concat!("FROM messages m JOIN destinations d ON d.id = m.destination_id WHERE ", own!(), " ORDER BY m.id DESC")
);
const LOOKUPS: (&str, &str) = objects!(
    "'query', l.query, 'found', CASE WHEN l.found THEN 'yes' ELSE 'no' END, 'asked_at', l.asked_at",
    concat!("FROM lookups l WHERE l.person = ", person!(), " ORDER BY l.id DESC")
);
const DEEP_LINKS: (&str, &str) = objects!(
    "'command', l.command, 'words', l.words, 'created_at', l.created_at, 'valid_until', l.expires_at",
    concat!("FROM deep_links l WHERE l.person = ", person!(), " ORDER BY l.created_at DESC, l.code")
);
const RECORDS: (&str, &str) = objects!(
    "'action', a.action, 'at', a.at, 'server_or_group', a.tenant, 'place', d.label, 'chat', d.chat, 'before', a.before, 'after', a.after",
    "FROM audit a LEFT JOIN destinations d ON d.id = a.destination_id WHERE a.platform = $1 AND a.actor = $2 ORDER BY a.id DESC"
);
const PLACES: (&str, &str) = objects!(
    "'place', d.label, 'chat', d.chat, 'topic', d.topic, 'created_at', d.created_at",
    concat!("FROM destinations d WHERE d.creator = ", person!(), " AND d.place <> 'person' ORDER BY d.id DESC")
);
const PLACES_SUBSCRIPTIONS: (&str, &str) = objects!(
    "'place', d.label, 'chat', d.chat, 'tokens', CASE s.target WHEN 'all' THEN 'all' ELSE '#' || s.target END, 'kind', s.kind,
     'threshold', s.threshold, 'created_at', s.created_at",
    concat!(
        "FROM subscriptions s JOIN destinations d ON d.id = s.destination_id WHERE s.creator = ",
        person!(),
        " AND d.place <> 'person' ORDER BY s.id DESC"
    )
);

/// What is handed out, by its name there.
const SECTIONS: &[(&str, (&str, &str))] = &[
    ("own_chat", DESTINATION),
    ("subscriptions", SUBSCRIPTIONS),
    ("left_out_of_all", EXCLUSIONS),
    ("muted_tokens", TOKEN_MUTES),
    ("news_of_tokens_to_come", TOKEN_NEWS),
    ("last_told", TOLD),
    ("alerts", ALERTS),
    ("messages", MESSAGES),
    ("lookups", LOOKUPS),
    ("links_to_take_up", DEEP_LINKS),
    ("changes_of_channels_and_groups", RECORDS),
    ("channels_and_groups_set_up", PLACES),
    ("subscriptions_made_there", PLACES_SUBSCRIPTIONS),
];

/// Not the row that only carries an answer to somebody who was forgotten.
const KNOWN: &str = "SELECT COUNT(*) FROM destinations WHERE platform = $1 AND chat = $2 AND forgotten_at IS NULL";
const COUNT_SUBSCRIPTIONS: &str = "SELECT COUNT(*) FROM subscriptions WHERE destination_id = $1";
const COUNT_MESSAGES: &str = "SELECT COUNT(*) FROM messages WHERE destination_id = $1";
const LOCK: &str = "UPDATE destinations SET rest_until = rest_until WHERE id = $1 AND forgotten_at IS NOT NULL AND (forgotten_at < $2
    OR NOT EXISTS (SELECT 1 FROM messages m WHERE m.destination_id = $1 AND m.state = 'queued'))";
/// Everything that hangs on a destination, in an order that its references allow.
pub(super) const WIPE: &[&str] = &[
    "DELETE FROM message_alerts WHERE message_id IN (SELECT id FROM messages WHERE destination_id = $1)",
    "DELETE FROM message_alerts WHERE alert_id IN (SELECT id FROM alerts WHERE destination_id = $1)",
    "DELETE FROM attempts WHERE message_id IN (SELECT id FROM messages WHERE destination_id = $1)",
    "DELETE FROM messages WHERE destination_id = $1",
    "DELETE FROM alerts WHERE destination_id = $1",
    "DELETE FROM told WHERE destination_id = $1",
    "DELETE FROM buttons WHERE destination_id = $1",
    "DELETE FROM token_mutes WHERE destination_id = $1",
    "DELETE FROM token_news WHERE destination_id = $1",
    "DELETE FROM exclusions WHERE destination_id = $1",
    "DELETE FROM subscriptions WHERE destination_id = $1",
];
const REMOVE: &str = "DELETE FROM destinations WHERE id = $1 AND forgotten_at IS NOT NULL";
/// The row stays only until nothing is under way to it any more: whoever decides about it at this moment finds nothing wanted.
const BLANK: &str = "UPDATE destinations SET forgotten_at = $2, settings = $3, label = NULL, route = NULL, locale = NULL,
    creator = NULL, muted_until = NULL, mentioned_at = NULL, changed_at = NULL, quarantine_reason = NULL, quarantined_at = NULL, next_probe_at = NULL, probes = 0
    WHERE id = $1";
const FORGET_LOOKUPS: &str = concat!("UPDATE lookups SET person = '' WHERE person = ", person!());
const FORGET_DEEP_LINKS: &str = concat!("DELETE FROM deep_links WHERE person = ", person!());
const FORGET_RECORDS: &str = "UPDATE audit SET actor = '' WHERE platform = $1 AND actor = $2";
const FORGET_PLACES: &str = concat!("UPDATE destinations SET creator = NULL WHERE creator = ", person!());
const FORGET_PLACES_SUBSCRIPTIONS: &str = concat!("UPDATE subscriptions SET creator = '' WHERE creator = ", person!());
/// What could not be read is kept for a look; whatever of it may be theirs is not. Their id stands in it as a number.
const FORGET_REJECTED: &str = "UPDATE updates_seen SET body = NULL WHERE state = 'rejected' AND body LIKE '%' || CAST($1 AS TEXT) || '%'";
/// Operators were told of a message to them that could not be delivered.
const FORGET_NOTICES: &str = "UPDATE messages SET body = REPLACE(body, $1, $2) WHERE body LIKE '%' || CAST($1 AS TEXT) || '%'";

const FORGOTTEN: &str = "SELECT d.id FROM destinations d WHERE d.forgotten_at < $2 AND (d.forgotten_at < $1
    OR NOT EXISTS (SELECT 1 FROM messages m WHERE m.destination_id = d.id AND m.state = 'queued')) ORDER BY d.forgotten_at LIMIT 100";

pub(super) const STATEMENTS: &[&str] = &[
    KNOWN,
    COUNT_SUBSCRIPTIONS,
    COUNT_MESSAGES,
    LOCK,
    REMOVE,
    BLANK,
    FORGET_LOOKUPS,
    FORGET_DEEP_LINKS,
    FORGET_RECORDS,
    FORGET_PLACES,
    FORGET_PLACES_SUBSCRIPTIONS,
    FORGET_REJECTED,
    FORGET_NOTICES,
    FORGOTTEN,
];
pub(super) const PAIRS: &[(&str, &str)] = &[
    DESTINATION,
    SUBSCRIPTIONS,
    EXCLUSIONS,
    TOKEN_MUTES,
    TOKEN_NEWS,
    TOLD,
    ALERTS,
    MESSAGES,
    LOOKUPS,
    DEEP_LINKS,
    RECORDS,
    PLACES,
    PLACES_SUBSCRIPTIONS,
];

/// How long the answer to somebody who was forgotten may try to arrive: then it goes with the rest.
const LONGEST_GOODBYE: Duration = Duration::from_secs(24 * 3600);
/// By then the answer is queued: on Telegram it comes in a transaction after the one that forgets.
const ANSWER_TIME: Duration = Duration::from_secs(60);

/// One part of what is stored about a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonalSection {
    /// What it is.
    pub name: &'static str,
    /// Its rows, each a JSON object, the newest first. Times are Unix milliseconds, under names that end in `_at`, `_until` or `_time`.
    pub rows: Vec<String>,
}

/// What was forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Their private chat was known.
    pub own_chat: bool,
    /// Their own subscriptions.
    pub subscriptions: u64,
    /// Messages to them.
    pub messages: u64,
    /// Look-ups that no longer are theirs.
    pub lookups: u64,
    /// Records of changes without their name now.
    pub records: u64,
    /// Channels and groups that they set up, and subscriptions there, without their name now.
    pub places: u64,
}

impl Store {
    /// Everything that is stored about a person, at most `limit` rows a part.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn personal_data(&self, platform: Platform, user: &UserId, limit: i64) -> StoreResult<Vec<PersonalSection>> {
        let mut sections = Vec::with_capacity(SECTIONS.len());
        for (name, pair) in SECTIONS {
            let sql = self.words(*pair);
            let rows: Vec<String> = on_db!(self.db, pool => sqlx::query_scalar(sql)
                .bind(platform.as_str()).bind(&user.0).bind(limit).fetch_all(pool).await)?;
            sections.push(PersonalSection { name, rows });
        }
        Ok(sections)
    }

    /// Forgets a person: what is theirs goes, and their name goes from what stays because it is a community's. A row without anything in it
    /// carries the answer, until nothing is under way to them any more.
    ///
    /// # Errors
    /// Where the database fails or the request was carried out already: nothing was changed.
    pub async fn forget_person(
        &self,
        own: &NewDestination,
        user: &UserId,
        request: Option<&str>,
        now: Timestamp,
    ) -> StoreResult<Forgotten> {
        let (platform, user) = (own.address.platform.as_str(), user.0.as_str());
        let (quoted, nobody) = (format!("\"{}\"", own.address), "\"somebody who was forgotten\"");
        in_transaction!(self.db, tx => {
            claim!(tx, request, now);
            let mut forgotten = Forgotten::default();
            let known: i64 = sqlx::query_scalar(KNOWN).bind(platform).bind(&own.address.chat).fetch_one(&mut *tx).await?;
            let id = ensure!(tx, own, now);
            if known > 0 {
                let subscriptions: i64 = sqlx::query_scalar(COUNT_SUBSCRIPTIONS).bind(id).fetch_one(&mut *tx).await?;
                let messages: i64 = sqlx::query_scalar(COUNT_MESSAGES).bind(id).fetch_one(&mut *tx).await?;
                forgotten.own_chat = true;
                forgotten.subscriptions = u64::try_from(subscriptions).unwrap_or_default();
                forgotten.messages = u64::try_from(messages).unwrap_or_default();
            }
            sqlx::query(BLANK).bind(id).bind(now.as_millis()).bind(settings_json(&Settings::default())).execute(&mut *tx).await?;
            for sql in WIPE {
                sqlx::query(*sql).bind(id).execute(&mut *tx).await?;
            }
            forgotten.lookups = sqlx::query(FORGET_LOOKUPS).bind(platform).bind(user).execute(&mut *tx).await?.rows_affected();
            forgotten.records = sqlx::query(FORGET_RECORDS).bind(platform).bind(user).execute(&mut *tx).await?.rows_affected();
            for sql in [FORGET_PLACES, FORGET_PLACES_SUBSCRIPTIONS] {
                forgotten.places += sqlx::query(sql).bind(platform).bind(user).execute(&mut *tx).await?.rows_affected();
            }
            sqlx::query(FORGET_DEEP_LINKS).bind(platform).bind(user).execute(&mut *tx).await?;
            sqlx::query(FORGET_REJECTED).bind(user).execute(&mut *tx).await?;
            sqlx::query(FORGET_NOTICES).bind(&quoted).bind(nobody).execute(&mut *tx).await?;
            forgotten
        })
    }

    /// Removes the empty rows of people who were forgotten, once nothing is under way to them; after a day whatever is.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn remove_forgotten(&self, now: Timestamp) -> StoreResult<()> {
        let oldest = (now - LONGEST_GOODBYE).as_millis();
        let ids: Vec<i64> = on_db!(self.db, pool => sqlx::query_scalar(FORGOTTEN).bind(oldest).bind((now - ANSWER_TIME).as_millis()).fetch_all(pool).await)?;
        for id in ids {
            in_transaction!(self.db, tx => {
                // Whoever came back meanwhile is not forgotten, and what was queued meanwhile is sent.
                if sqlx::query(LOCK).bind(id).bind(oldest).execute(&mut *tx).await?.rows_affected() > 0 {
                    for sql in WIPE {
                        sqlx::query(*sql).bind(id).execute(&mut *tx).await?;
                    }
                    sqlx::query(REMOVE).bind(id).execute(&mut *tx).await?;
                }
            })?;
        }
        Ok(())
    }
}

impl Forgotten {
    /// Whether there was anything.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}
