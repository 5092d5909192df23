//! Settling: what came of an attempt, committed by whoever still holds the claim.

use super::{
    Store, StoreResult,
    delivering::{ALERTS_DEAD, Claimed, DEAD, END_ATTEMPT, LONGEST_WAIT, REST, ends},
    destinations,
    dialect::{in_transaction, over_rows},
    recalling::{hold_back, set_aside},
};
use crate::domain::{Call, MessageBody, Outcome, QuarantineReason, Reason, SourceId, Timestamp};

const SENT: &str = ends!("state = 'sent', finished_at = $3, platform_id = $4, problem = NULL");
const CHAT: &str = "SELECT chat FROM destinations WHERE id = $1";
/// A chat that moved numbers its messages anew.
const WITHOUT_NUMBER: &str = "UPDATE messages SET platform_id = NULL WHERE id = $1";
/// A file is the person's own once it arrived, and nobody else's.
const WITHOUT_FILE: &str = "UPDATE messages SET body = $2 WHERE id = $1";
const ALERTS_TOLD: &str = "UPDATE alerts SET state = 'told', told_at = $2
    WHERE state = 'composed' AND id IN (SELECT alert_id FROM message_alerts WHERE message_id = $1)";
/// The newest of what told of an unstable call is told once more, when the call has settled.
const AWAIT_SETTLING: &str = "UPDATE alerts SET state = 'pending', decision = 'hold', reason = 'flapping', release_at = $4
    WHERE state = 'told' AND id = (SELECT MAX(a.id) FROM message_alerts ma JOIN alerts a ON a.id = ma.alert_id JOIN changes c ON c.id = a.change_id
        WHERE ma.message_id = $1 AND c.kind = $2 AND c.token_id = $3)";
const TOLD: (&str, &str) = over_rows!(
    "INSERT INTO told (destination_id, source, kind, token_id, stance, data_time, known_at, told_at, unstable)
     SELECT CAST($2 AS BIGINT), r.value ->> 0, r.value ->> 1, CAST(r.value ->> 2 AS BIGINT), r.value ->> 3,
        CAST(r.value ->> 4 AS BIGINT), CAST($3 AS BIGINT), CAST($3 AS BIGINT), CAST(r.value ->> 5 AS BOOLEAN) FROM",
    "WHERE TRUE ON CONFLICT (destination_id, source, kind, token_id) DO UPDATE
     SET stance = excluded.stance, data_time = excluded.data_time, known_at = excluded.known_at, told_at = excluded.told_at,
        unstable = excluded.unstable"
);
/// What waited for a digest that did not get through, or for its own, is looked at together with what that told (H2).
const LOOK_AGAIN: &str =
    "UPDATE alerts SET release_at = $2 WHERE destination_id = $1 AND state = 'pending' AND reason = 'digest' AND release_at > $2";
const REACHED: &str = "UPDATE destinations SET route = COALESCE($2, route), quarantine_reason = NULL, quarantined_at = NULL,
    next_probe_at = NULL, probes = 0 WHERE id = $1";
const MENTIONED: &str = "UPDATE destinations SET mentioned_at = $2 WHERE id = $1";
const RETRY: &str = ends!("next_attempt_at = $3, unknown_ends = unknown_ends + $4, problem = $5");
/// The words are the same; whether earlier tries of the edit arrived matters no more, now that the platform refused one.
const REPLY_INSTEAD: &str = ends!("edits = FALSE, next_attempt_at = $3, unknown_ends = 0, problem = $4");

pub(super) const STATEMENTS: &[&str] =
    &[SENT, CHAT, WITHOUT_NUMBER, WITHOUT_FILE, ALERTS_TOLD, AWAIT_SETTLING, LOOK_AGAIN, REACHED, MENTIONED, RETRY, REPLY_INSTEAD];
pub(super) const PAIRS: &[(&str, &str)] = &[TOLD];

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The platform took it.
    Sent {
        /// What the platform calls it.
        platform_id: String,
        /// The pace of the chat.
        rest_until: Option<Timestamp>,
        /// The concrete channel, where it was found out.
        route: Option<String>,
    },
    /// Again later.
    Retry {
        /// Then.
        at: Timestamp,
        /// Whether it may have arrived.
        unknown: bool,
        /// Whether everything else for this destination waits as well.
        rest: bool,
        /// In words.
        problem: String,
    },
    /// What it says is old: it and whatever else the destination waits for go back to the alerts that wait, to be told as their net result.
    Recalled {
        /// Should that not be possible, it is tried again then.
        at: Timestamp,
        /// In words.
        problem: String,
        /// Why they wait.
        reason: Reason,
    },
    /// The platform refuses to edit the message that was wrong: it is a reply from now on, at once.
    ReplyInstead {
        /// In words.
        problem: String,
    },
    /// A dead letter.
    Dead {
        /// Whether it may have arrived.
        unknown: bool,
        /// In words.
        problem: String,
    },
    /// The destination cannot be reached. An answer or a notice stays for when it can be; alerts go back to those that wait, to be told
    /// as their net result by then.
    Gone {
        /// Why.
        reason: QuarantineReason,
        /// When it is tried again.
        next_probe_at: Timestamp,
        /// In words.
        problem: String,
    },
}

impl Store {
    /// Commits what came of an attempt, in one transaction. Says whether the claim still held; if not, only the attempt is recorded.
    ///
    /// # Errors
    /// Where the database fails: the lease runs out and the attempt counts as unknown.
    pub async fn settle(&self, claimed: &Claimed, settlement: &Settlement, now: Timestamp) -> StoreResult<bool> {
        let (told_sql, rest_sql, siblings_sql) = (self.words(TOLD), self.words(REST), self.words(destinations::PROBE_SIBLINGS));
        // Where nobody knows whether it was read, nothing is awaited either.
        let told = told_rows(&claimed.body, matches!(settlement, Settlement::Sent { .. }));
        let without_file = claimed.body.without_file().and_then(|body| serde_json::to_string(&body).ok());
        let (id, fence, destination) = (claimed.id.0, claimed.fence, claimed.destination.id.0);
        let millis = now.as_millis();
        let (outcome, platform_id, detail) = attempt_words(settlement);
        in_transaction!(self.db, tx => {
            let present: Option<i64> = match settlement {
                Settlement::Sent { platform_id, .. } => sqlx::query_scalar(SENT).bind(id).bind(fence).bind(millis).bind(platform_id).fetch_optional(&mut *tx).await,
                Settlement::Retry { at, unknown, problem, .. } => {
                    let unknown = i64::from(*unknown);
                    sqlx::query_scalar(RETRY).bind(id).bind(fence).bind(at.as_millis()).bind(unknown).bind(problem).fetch_optional(&mut *tx).await
                }
                Settlement::Recalled { at, problem, .. } => {
                    sqlx::query_scalar(RETRY).bind(id).bind(fence).bind(at.as_millis()).bind(0_i64).bind(problem).fetch_optional(&mut *tx).await
                }
                Settlement::ReplyInstead { problem } => {
                    sqlx::query_scalar(REPLY_INSTEAD).bind(id).bind(fence).bind(millis).bind(problem).fetch_optional(&mut *tx).await
                }
                Settlement::Dead { problem, unknown } => {
                    let unknown = i64::from(*unknown);
                    sqlx::query_scalar(DEAD).bind(id).bind(fence).bind(millis).bind(problem).bind(unknown).fetch_optional(&mut *tx).await
                }
                Settlement::Gone { problem, .. } => {
                    sqlx::query_scalar(RETRY).bind(id).bind(fence).bind(millis).bind(0_i64).bind(problem).fetch_optional(&mut *tx).await
                }
            }?;
            let (held, readers) = (present.is_some(), present.unwrap_or(destination));
            // Asked by itself: what the statement before may have waited for is seen by the next one alone.
            let chat: Option<String> = sqlx::query_scalar(CHAT).bind(readers).fetch_optional(&mut *tx).await?;
            let has_moved = held && chat.is_some_and(|chat| chat != claimed.destination.address.chat);
            // After its message, as a claim locks them: the end of a claim that ran out may come while the next one is made.
            sqlx::query(END_ATTEMPT).bind(claimed.attempt).bind(millis).bind(outcome).bind(platform_id).bind(detail).execute(&mut *tx).await?;
            match settlement {
                Settlement::Sent { rest_until, route, .. } => {
                    // First, before the own row alone, so that two topics of a chat lock its rows in one order.
                    if let Some(until) = rest_until {
                        let longest = (now + LONGEST_WAIT).as_millis();
                        sqlx::query(rest_sql).bind(destination).bind(until.as_millis()).bind(longest).execute(&mut *tx).await?;
                    }
                    sqlx::query(REACHED).bind(destination).bind(route).execute(&mut *tx).await?;
                    if let (Some(_), Some(tenant)) = (&claimed.destination.quarantine, &claimed.destination.tenant) {
                        let platform = claimed.destination.address.platform.as_str();
                        sqlx::query(siblings_sql).bind(platform).bind(tenant).bind(millis).execute(&mut *tx).await?;
                    }
                    if held {
                        if let Some(body) = &without_file {
                            sqlx::query(WITHOUT_FILE).bind(id).bind(body).execute(&mut *tx).await?;
                        }
                        if has_moved {
                            sqlx::query(WITHOUT_NUMBER).bind(id).execute(&mut *tx).await?;
                        }
                        sqlx::query(ALERTS_TOLD).bind(id).bind(millis).execute(&mut *tx).await?;
                        for (kind, token, at) in unstable(&claimed.body) {
                            sqlx::query(AWAIT_SETTLING).bind(id).bind(kind).bind(token).bind(at.as_millis()).execute(&mut *tx).await?;
                        }
                        if let Some(rows) = &told {
                            sqlx::query(told_sql).bind(rows).bind(readers).bind(millis).execute(&mut *tx).await?;
                        }
                        if !claimed.mention.0.is_empty() {
                            sqlx::query(MENTIONED).bind(readers).bind(millis).execute(&mut *tx).await?;
                        }
                    }
                }
                // It goes to where that place's readers are now: what the old address answered says nothing of that one.
                Settlement::Retry { .. } | Settlement::Gone { .. } if has_moved => {}
                Settlement::Retry { at, rest: true, .. } => {
                    let longest = (now + LONGEST_WAIT).as_millis();
                    sqlx::query(rest_sql).bind(destination).bind(at.as_millis()).bind(longest).execute(&mut *tx).await?;
                }
                Settlement::Retry { .. } | Settlement::ReplyInstead { .. } => {}
                Settlement::Recalled { reason, .. } => {
                    hold_back!(self, tx, now, readers, reason);
                    if *reason == Reason::Stale {
                        sqlx::query(LOOK_AGAIN).bind(readers).bind(millis).execute(&mut *tx).await?;
                    }
                }
                Settlement::Dead { unknown, .. } => {
                    if held {
                        if let Some(body) = &without_file {
                            sqlx::query(WITHOUT_FILE).bind(id).bind(body).execute(&mut *tx).await?;
                        }
                        sqlx::query(ALERTS_DEAD).bind(id).execute(&mut *tx).await?;
                    }
                    // It was probably read: what turns back later is news there.
                    if let (true, true, Some(rows)) = (held, claimed.unknown_ends > 0 || *unknown, &told) {
                        sqlx::query(told_sql).bind(rows).bind(readers).bind(millis).execute(&mut *tx).await?;
                    }
                }
                Settlement::Gone { reason, next_probe_at, .. } => {
                    set_aside!(self, tx, now, destination, reason, next_probe_at);
                }
            }
            held
        })
    }
}

/// What the attempt's row says of its end.
fn attempt_words(settlement: &Settlement) -> (&'static str, Option<&str>, Option<&str>) {
    match settlement {
        Settlement::Sent { platform_id, .. } => ("sent", Some(platform_id), None),
        Settlement::Retry { unknown: true, problem, .. } | Settlement::Dead { unknown: true, problem } => ("unknown", None, Some(problem)),
        Settlement::Retry { problem, .. } | Settlement::Recalled { problem, .. } | Settlement::ReplyInstead { problem } => {
            ("retry", None, Some(problem))
        }
        Settlement::Dead { problem, .. } => ("rejected", None, Some(problem)),
        Settlement::Gone { problem, .. } => ("gone", None, Some(problem)),
    }
}

/// The stances that a message tells, as JSON rows for `told`.
fn told_rows(body: &MessageBody, arrived: bool) -> Option<String> {
    let row = |call: &Call| {
        let unstable = arrived && call.outcome == Outcome::Unstable;
        (SourceId::TokenMetrics.as_str(), call.kind.as_str(), call.token.0, call.to, call.data_time.as_millis(), unstable)
    };
    let rows: Vec<_> = body.stances().map(row).collect();
    if rows.is_empty() { None } else { serde_json::to_string(&rows).ok() }
}

/// The unstable calls that a message tells, and when each has settled unless it turns again.
fn unstable(body: &MessageBody) -> impl Iterator<Item = (&'static str, i64, Timestamp)> {
    let calls = body.stances().filter(|call| call.outcome == Outcome::Unstable);
    calls.filter_map(|call| Some((call.kind.as_str(), call.token.0, call.seen_at + call.kind.settles_after()?)))
}
