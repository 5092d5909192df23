//! A chat that has another address now: what it had goes along, and onto an existing destination it is merged (`rules.md` 4.3).

use super::{
    Store, StoreResult,
    destinations::{self, DestinationRow, columns, settings_json, topic_of},
    dialect::in_transaction,
    recalling::recall,
};
use crate::domain::{Address, Destination, Timestamp};

// Both chats say that one has become the other, and the next request is told so as well: whoever comes second waits for the first, and
// finds nothing left to move. On SQLite writers take turns anyway.
const MOVING: (&str, &str) =
    (destinations::BY_CHAT, concat!("SELECT ", columns!(), " FROM destinations WHERE platform = $1 AND chat = $2 ORDER BY id FOR UPDATE"));
const ONTO: (&str, &str) = (
    destinations::BY_ADDRESS,
    concat!("SELECT ", columns!(), " FROM destinations WHERE platform = $1 AND chat = $2 AND topic = $3 FOR UPDATE"),
);
const READDRESS: &str = "UPDATE destinations SET platform = $2, chat = $3, topic = $4, route = NULL,
    tenant = CASE WHEN tenant = chat THEN $3 ELSE tenant END,
    quarantine_reason = NULL, quarantined_at = NULL, next_probe_at = NULL, probes = 0 WHERE id = $1";
/// The union of the wishes: where both had the token, both directions unless they agree, and the threshold of that
/// which stays if it has one; told since the earlier of the two.
const JOIN_SUBSCRIPTIONS: &str = "UPDATE subscriptions SET
    direction = CASE WHEN direction = (SELECT o.direction FROM subscriptions o WHERE o.destination_id = $1 AND o.target = subscriptions.target
        AND o.kind = subscriptions.kind) THEN direction ELSE 'any' END,
    mention = COALESCE(mention, (SELECT o.mention FROM subscriptions o WHERE o.destination_id = $1 AND o.target = subscriptions.target
        AND o.kind = subscriptions.kind)),
    threshold = COALESCE(threshold, (SELECT o.threshold FROM subscriptions o WHERE o.destination_id = $1 AND o.target = subscriptions.target
        AND o.kind = subscriptions.kind)),
    threshold_at = (SELECT MIN(o.threshold_at) FROM subscriptions o WHERE o.destination_id IN ($1, $2) AND o.target = subscriptions.target
        AND o.kind = subscriptions.kind AND o.threshold = COALESCE(subscriptions.threshold, o.threshold)),
    created_at = (SELECT MIN(o.created_at) FROM subscriptions o WHERE o.destination_id IN ($1, $2) AND o.target = subscriptions.target
        AND o.kind = subscriptions.kind)
    WHERE destination_id = $2 AND EXISTS (SELECT 1 FROM subscriptions o WHERE o.destination_id = $1 AND o.target = subscriptions.target
        AND o.kind = subscriptions.kind)";
const DROP_JOINED: &str = "DELETE FROM subscriptions WHERE destination_id = $1 AND EXISTS (SELECT 1 FROM subscriptions o
    WHERE o.destination_id = $2 AND o.target = subscriptions.target AND o.kind = subscriptions.kind)";
const MOVE_SUBSCRIPTIONS: &str = "UPDATE subscriptions SET destination_id = $2 WHERE destination_id = $1";
/// What $1 leaves out of its `all` stays out only if $2 has no `all` of that kind, or leaves it out too.
const WANTED_BY_OTHER: &str = "DELETE FROM exclusions WHERE destination_id = $1
    AND EXISTS (SELECT 1 FROM subscriptions s WHERE s.destination_id = $2 AND s.target = 'all' AND s.kind = exclusions.kind)
    AND NOT EXISTS (SELECT 1 FROM exclusions o WHERE o.destination_id = $2 AND o.source = exclusions.source AND o.kind = exclusions.kind
        AND o.token_id = exclusions.token_id)";
const MOVE_EXCLUSIONS: &str = "INSERT INTO exclusions (destination_id, source, kind, token_id, created_at)
    SELECT CAST($2 AS BIGINT), source, kind, token_id, created_at FROM exclusions WHERE destination_id = $1
    ON CONFLICT (destination_id, source, kind, token_id) DO NOTHING";
const DROP_EXCLUSIONS: &str = "DELETE FROM exclusions WHERE destination_id = $1 AND CAST($2 AS BIGINT) <> destination_id";
/// What waits at $2 although $1 is being told it or was, and what $2 did not want although $1 has it in any way: the merged wish decides. What $2 was
/// told of is not among that.
macro_rules! makes_room {
    () => {
        "SELECT a.id FROM alerts a JOIN alerts o ON o.destination_id = $1 AND o.change_id = a.change_id
         WHERE a.destination_id = $2 AND a.told_at IS NULL AND (a.state IN ('pending', 'skipped', 'superseded') AND o.state IN ('composed', 'told')
            OR a.state IN ('skipped', 'superseded') AND o.state = 'pending')"
    };
}
/// Messages that were to tell it were dropped.
const FORGET_DROPPED: &str = concat!("DELETE FROM message_alerts WHERE alert_id IN (", makes_room!(), ")");
const MAKE_ROOM: &str = concat!("DELETE FROM alerts WHERE id IN (", makes_room!(), ")");
/// Where $1 waits to say what an unstable call has settled to, and $2 told of the same turn, $2 says it: its readers are now those of both.
const AWAIT_SETTLING: &str = "UPDATE alerts SET state = 'pending', decision = 'hold', reason = 'flapping', release_at = (SELECT o.release_at FROM alerts o
        WHERE o.destination_id = $1 AND o.change_id = alerts.change_id)
    WHERE destination_id = $2 AND state = 'told' AND EXISTS (SELECT 1 FROM alerts o WHERE o.destination_id = $1 AND o.change_id = alerts.change_id
        AND o.state = 'pending' AND o.told_at IS NOT NULL)";
/// A change that both would tell is told once.
const SKIP_DOUBLE_ALERTS: &str = "UPDATE alerts SET state = 'skipped' WHERE destination_id = $1 AND state = 'pending'
    AND EXISTS (SELECT 1 FROM alerts o WHERE o.destination_id = $2 AND o.change_id = alerts.change_id)";
/// A fan-out that has passed the place which stays looks at everybody again; whoever has the alert keeps it. One that has passed nobody is moved
/// as well, to before the first: what it has read already may be of the place that goes.
const FAN_OUT_AGAIN: &str = "UPDATE fanout_jobs
    SET after_destination = CASE WHEN after_destination > 0 THEN 0 ELSE after_destination - 1 END";
const END_QUARANTINE: &str = "UPDATE destinations SET quarantine_reason = NULL, quarantined_at = NULL, next_probe_at = NULL, probes = 0
    WHERE id = $1";
const MOVE_ALERTS: &str = "UPDATE alerts SET destination_id = $2 WHERE destination_id = $1
    AND NOT EXISTS (SELECT 1 FROM alerts o WHERE o.destination_id = $2 AND o.change_id = alerts.change_id)";
/// What had turned back before it was told at $2 may be news after what $1 was told.
const LOOK_AGAIN: &str = "UPDATE alerts SET release_at = 0 WHERE destination_id = $2 AND CAST($1 AS BIGINT) <> destination_id
    AND state = 'pending' AND reason = 'net_zero'";
const MOVE_MESSAGES: &str = "UPDATE messages SET destination_id = $2 WHERE destination_id = $1";
/// What became known later counts.
const DROP_OLDER_TOLD: &str = "DELETE FROM told WHERE destination_id = $1 AND EXISTS (SELECT 1 FROM told o WHERE o.destination_id = $2
    AND o.source = told.source AND o.kind = told.kind AND o.token_id = told.token_id AND o.known_at > told.known_at)";
const DROP_OTHER_TOLD: &str = "DELETE FROM told WHERE destination_id = $1 AND EXISTS (SELECT 1 FROM told o WHERE o.destination_id = $2
    AND o.source = told.source AND o.kind = told.kind AND o.token_id = told.token_id)";
const MOVE_TOLD: &str = "UPDATE told SET destination_id = $2 WHERE destination_id = $1";
/// What waits to say that a call has settled was told to be unstable, whatever the other place was told of it.
const STAY_UNSTABLE: &str = "UPDATE told SET unstable = TRUE WHERE destination_id = $2 AND CAST($1 AS BIGINT) <> destination_id
    AND EXISTS (SELECT 1 FROM alerts a JOIN changes c ON c.id = a.change_id WHERE a.destination_id = told.destination_id AND a.state = 'pending'
        AND a.told_at IS NOT NULL AND c.source = told.source AND c.kind = told.kind AND c.token_id = told.token_id)";
/// Where both had muted a token, the later end.
const MOVE_TOKEN_MUTES: &str = "INSERT INTO token_mutes (destination_id, source, token_id, muted_until)
    SELECT CAST($2 AS BIGINT), source, token_id, muted_until FROM token_mutes WHERE destination_id = $1
    ON CONFLICT (destination_id, source, token_id) DO UPDATE SET muted_until =
        CASE WHEN excluded.muted_until > token_mutes.muted_until THEN excluded.muted_until ELSE token_mutes.muted_until END";
const DROP_TOKEN_MUTES: &str = "DELETE FROM token_mutes WHERE destination_id = $1 AND CAST($2 AS BIGINT) <> destination_id";
/// Where both wait for news of a token, it is the same.
const MOVE_TOKEN_NEWS: &str = "INSERT INTO token_news (destination_id, source, token_id, news, release_at)
    SELECT CAST($2 AS BIGINT), source, token_id, news, release_at FROM token_news WHERE destination_id = $1
    ON CONFLICT (destination_id, source, token_id) DO NOTHING";
const DROP_TOKEN_NEWS: &str = "DELETE FROM token_news WHERE destination_id = $1 AND CAST($2 AS BIGINT) <> destination_id";
/// Where a chat moves, its messages are numbered anew: an old number may be another message's there.
const FORGET_NUMBERS: &str = "UPDATE messages SET platform_id = NULL, follows = NULL, edits = FALSE
    WHERE destination_id = $1 AND CAST($2 AS BIGINT) <> destination_id";
const MOVE_BUTTONS: &str = "UPDATE buttons SET destination_id = $2 WHERE destination_id = $1";
const JOIN_DESTINATION: &str = "UPDATE destinations SET settings = $2, muted_until = $3, mentioned_at = $4, changed_at = $5,
    creator = COALESCE(NULLIF(creator, 'operator'), (SELECT o.creator FROM destinations o WHERE o.id = $6), creator),
    quarantine_reason = NULL, quarantined_at = NULL, next_probe_at = NULL, probes = 0 WHERE id = $1";

/// What merges one destination into another, in this order. Its two arguments are the old destination and the one that stays, or the
/// other way round where `true` stands.
const MERGE: &[(&str, bool)] = &[
    (WANTED_BY_OTHER, true),
    (WANTED_BY_OTHER, false),
    (JOIN_SUBSCRIPTIONS, false),
    (DROP_JOINED, false),
    (MOVE_SUBSCRIPTIONS, false),
    (MOVE_EXCLUSIONS, false),
    (DROP_EXCLUSIONS, false),
    (FORGET_DROPPED, false),
    (MAKE_ROOM, false),
    (AWAIT_SETTLING, false),
    (SKIP_DOUBLE_ALERTS, false),
    (MOVE_ALERTS, false),
    (LOOK_AGAIN, false),
    (FORGET_NUMBERS, false),
    (MOVE_MESSAGES, false),
    (DROP_OLDER_TOLD, true),
    (DROP_OTHER_TOLD, false),
    (MOVE_TOLD, false),
    (STAY_UNSTABLE, false),
    (MOVE_TOKEN_MUTES, false),
    (DROP_TOKEN_MUTES, false),
    (MOVE_TOKEN_NEWS, false),
    (DROP_TOKEN_NEWS, false),
    (MOVE_BUTTONS, false),
];

/// Each takes PostgreSQL a second to see.
const MOST_TRIES: usize = 4;

pub(super) const PAIRS: &[(&str, &str)] = &[MOVING, ONTO];

pub(super) const STATEMENTS: &[&str] = &[
    READDRESS,
    JOIN_SUBSCRIPTIONS,
    DROP_JOINED,
    MOVE_SUBSCRIPTIONS,
    WANTED_BY_OTHER,
    MOVE_EXCLUSIONS,
    DROP_EXCLUSIONS,
    FORGET_DROPPED,
    MAKE_ROOM,
    AWAIT_SETTLING,
    SKIP_DOUBLE_ALERTS,
    FAN_OUT_AGAIN,
    END_QUARANTINE,
    MOVE_ALERTS,
    LOOK_AGAIN,
    FORGET_NUMBERS,
    MOVE_MESSAGES,
    DROP_OLDER_TOLD,
    DROP_OTHER_TOLD,
    MOVE_TOLD,
    STAY_UNSTABLE,
    MOVE_TOKEN_MUTES,
    DROP_TOKEN_MUTES,
    MOVE_TOKEN_NEWS,
    DROP_TOKEN_NEWS,
    MOVE_BUTTONS,
    JOIN_DESTINATION,
];

impl Store {
    /// Gives every destination of the chat `from` (or, where it names a topic, that one) its place in `to`. Quarantine ends: the platform
    /// has just named the new address. The rows of a destination that was merged stay as an empty shell, for its history.
    ///
    /// # Errors
    /// Where the database fails: nothing was changed.
    pub async fn move_destination(&self, from: &Address, to: &Address, now: Timestamp) -> StoreResult<()> {
        // The end of an attempt locks its message before its place, and this the other way round.
        for _ in 1..MOST_TRIES {
            match self.move_once(from, to, now).await {
                Err(error) if error.is_deadlock() => {}
                done => return done,
            }
        }
        self.move_once(from, to, now).await
    }

    async fn move_once(&self, from: &Address, to: &Address, now: Timestamp) -> StoreResult<()> {
        let (moving, onto) = (self.words(MOVING), self.words(ONTO));
        in_transaction!(self.db, tx => {
            let rows: Vec<DestinationRow> = sqlx::query_as(moving)
                .bind(from.platform.as_str()).bind(&from.chat).fetch_all(&mut *tx).await?;
            for row in rows {
                let old = Destination::try_from(row)?;
                if from.topic.is_some() && from.topic != old.address.topic {
                    continue;
                }
                let topic = if from.topic.is_some() { to.topic.clone() } else { old.address.topic.clone() };
                let new = Address { platform: to.platform, chat: to.chat.clone(), topic };
                if new == old.address {
                    continue;
                }
                let there: Option<DestinationRow> = sqlx::query_as(onto)
                    .bind(new.platform.as_str()).bind(&new.chat).bind(topic_of(&new)).fetch_optional(&mut *tx).await?;
                let Some(there) = there else {
                    sqlx::query(FORGET_NUMBERS).bind(old.id.0).bind(0_i64).execute(&mut *tx).await?;
                    sqlx::query(READDRESS)
                        .bind(old.id.0).bind(new.platform.as_str()).bind(&new.chat).bind(topic_of(&new)).execute(&mut *tx).await?;
                    continue;
                };
                let stays = Destination::try_from(there)?;
                // Composed anew at once, without what the other place is told of: first what the old one was to be told, then what is on its way to it
                // or was told there.
                recall!(self, tx, now, WANTED_ELSEWHERE(old.id.0, stays.id.0), LOOK_AGAIN());
                recall!(self, tx, now, TOLD_ELSEWHERE(stays.id.0, old.id.0), LOOK_AGAIN());
                for (sql, flipped) in MERGE {
                    let (first, second) = if *flipped { (stays.id, old.id) } else { (old.id, stays.id) };
                    sqlx::query(*sql).bind(first.0).bind(second.0).execute(&mut *tx).await?;
                }
                sqlx::query(FAN_OUT_AGAIN).execute(&mut *tx).await?;
                sqlx::query(END_QUARANTINE).bind(old.id.0).execute(&mut *tx).await?;
                let millis = |at: Option<Timestamp>| at.map(Timestamp::as_millis);
                sqlx::query(JOIN_DESTINATION)
                    .bind(stays.id.0)
                    .bind(settings_json(&stays.settings.stricter(old.settings)))
                    .bind(millis(stays.muted_until.max(old.muted_until)))
                    .bind(millis(stays.mentioned_at.max(old.mentioned_at)))
                    .bind(now.as_millis())
                    .bind(old.id.0)
                    .execute(&mut *tx)
                    .await?;
            }
        })
    }
}
