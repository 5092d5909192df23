//! Recalling: what was composed and certainly did not leave goes back to the alerts that wait, to be told in other words.
//!
//! Messages first, and then the alerts of exactly those that were dropped. A claim may come at the same moment: whichever of the two has the
//! message's row first wins, and the other sees that the row is another by now.

use super::{
    destinations::{is_owners, told_of},
    dialect::over_rows,
};

/// Drops messages of the destination `$1` that wait or were tried in vain, where the condition `$which` on `m` holds as well; gives their ids. An
/// attempt that may have arrived keeps its message, and so does one that is under way.
///
/// What a claim changes is asked of the row itself once more: PostgreSQL looks at that again where it had to wait for the claim.
macro_rules! drop_messages {
    ($which:expr) => {
        drop_messages!("m.lane IN (1, 2, 3)", $which)
    };
    ($lanes:literal, $which:expr) => {
        concat!(
            "UPDATE messages SET state = 'dropped', finished_at = $2, counted = FALSE
             WHERE state = 'queued' AND unknown_ends = 0 AND (lease_until IS NULL OR lease_until <= $2) AND id IN (SELECT m.id FROM messages m
                WHERE m.destination_id = $1 AND m.state = 'queued' AND ",
            $lanes,
            " AND (m.lease_until IS NULL OR m.lease_until <= $2)
                AND NOT EXISTS (SELECT 1 FROM attempts t WHERE t.message_id = m.id AND (t.outcome IS NULL OR t.outcome = 'unknown'))
                AND ",
            $which,
            ") RETURNING id"
        )
    };
}
/// What tells of the token `$3`, or of any call at all.
pub(super) const OF_TOKEN: &str = drop_messages!(
    "EXISTS (SELECT 1 FROM message_alerts x JOIN alerts xa ON xa.id = x.alert_id JOIN changes xc ON xc.id = xa.change_id
        WHERE x.message_id = m.id AND (CAST($3 AS BIGINT) IS NULL OR xc.token_id = CAST($3 AS BIGINT)))"
);
macro_rules! of_changes_elsewhere {
    ($states:literal) => {
        drop_messages!(concat!(
            "EXISTS (SELECT 1 FROM message_alerts x JOIN alerts a ON a.id = x.alert_id JOIN alerts o ON o.change_id = a.change_id
                WHERE x.message_id = m.id AND o.id <> a.id AND o.destination_id = $3 AND (o.told_at IS NOT NULL OR o.state IN (",
            $states,
            ")))"
        ))
    };
}
/// What tells of a change that the destination `$3` is to be told of as well, or was.
pub(super) const WANTED_ELSEWHERE: &str = of_changes_elsewhere!("'pending', 'composed', 'told'");
/// What tells of a change that the destination `$3` is being told of as well, or was.
pub(super) const TOLD_ELSEWHERE: &str = of_changes_elsewhere!("'composed', 'told'");

/// What the message `m` tells an owner of: the notices `n` that were written with it.
macro_rules! tells_owner {
    () => {
        concat!(
            "notices n CROSS JOIN destinations d CROSS JOIN destinations o WHERE n.told_at = m.created_at AND d.id = ",
            told_of!(),
            " AND o.id = m.destination_id AND ",
            is_owners!()
        )
    };
}
/// What tells an owner, in the lane `$3`, of places that cannot be reached.
pub(super) const TO_OWNER: &str = drop_messages!("m.lane = $3", concat!("EXISTS (SELECT 1 FROM ", tells_owner!(), ")"));

/// Drops a message that the same transaction has claimed.
pub(super) const DROP_CLAIMED: &str =
    "UPDATE messages SET state = 'dropped', finished_at = $2, counted = FALSE, lease_holder = NULL, lease_until = NULL
    WHERE id = $1";

macro_rules! of_messages {
    ($how:literal) => {
        over_rows!(
            concat!("UPDATE alerts SET state = 'pending', ", $how, " WHERE state = 'composed' AND id IN (SELECT ma.alert_id FROM"),
            "CROSS JOIN message_alerts ma WHERE ma.message_id = CAST(CAST(r.value AS TEXT) AS BIGINT))"
        )
    };
}
/// Composing looks at them at once.
pub(super) const LOOK_AGAIN: (&str, &str) = of_messages!("release_at = 0");
/// They are due since `$2`, and wait because of `$3`.
pub(super) const HOLD: (&str, &str) = of_messages!("decision = 'hold', reason = $3, release_at = $2");

/// Nobody was told of those places.
pub(super) const UNTELL: (&str, &str) = over_rows!(
    "DELETE FROM notices WHERE name IN (SELECT n.name FROM",
    concat!("CROSS JOIN messages m CROSS JOIN ", tells_owner!(), " AND m.id = CAST(CAST(r.value AS TEXT) AS BIGINT))")
);

pub(super) const STATEMENTS: &[&str] = &[OF_TOKEN, WANTED_ELSEWHERE, TOLD_ELSEWHERE, TO_OWNER, DROP_CLAIMED];
pub(super) const PAIRS: &[(&str, &str)] = &[LOOK_AGAIN, HOLD, UNTELL];

/// Drops the messages of a destination that a statement finds, and does with their alerts what another says:
/// `recall!(self, tx, now, OF_TOKEN(destination, token), LOOK_AGAIN())`.
macro_rules! recall {
    ($store:expr, $tx:ident, $now:expr, $messages:ident($destination:expr, $of:expr), $alerts:ident($($argument:expr),*)) => {{
        let dropped: Vec<i64> = sqlx::query_scalar($crate::store::recalling::$messages)
            .bind($destination).bind($now.as_millis()).bind($of).fetch_all(&mut *$tx).await?;
        if !dropped.is_empty() {
            let dropped = serde_json::to_string(&dropped).unwrap_or_default();
            sqlx::query($store.words($crate::store::recalling::$alerts)).bind(dropped)$(.bind($argument))*.execute(&mut *$tx).await?;
        }
    }};
}
/// Drops the message that was just claimed; composing looks at its alerts at once: `recall_one!(self, tx, now, message)`.
macro_rules! recall_one {
    ($store:expr, $tx:ident, $now:expr, $message:expr) => {{
        sqlx::query($crate::store::recalling::DROP_CLAIMED).bind($message).bind($now.as_millis()).execute(&mut *$tx).await?;
        let alerts = $store.words($crate::store::recalling::LOOK_AGAIN);
        sqlx::query(alerts).bind(format!("[{}]", $message)).execute(&mut *$tx).await?;
    }};
}
/// Everything that waits for a destination is told later, as its net result by then: `hold_back!(self, tx, now, destination, reason)`.
macro_rules! hold_back {
    ($store:expr, $tx:ident, $now:expr, $destination:expr, $reason:expr) => {
        $crate::store::recalling::recall!($store, $tx, $now, OF_TOKEN($destination, None::<i64>), HOLD($now.as_millis(), $reason.as_str()))
    };
}
/// Puts a destination into quarantine: `set_aside!(self, tx, now, destination, reason, next_probe_at)`. What waits for it is told later; what was to tell
/// whoever is there of a place of theirs is told to operators, who are the next to be asked for (K4). That comes first, because whoever tells locks
/// the notice before the destination.
macro_rules! set_aside {
    ($store:expr, $tx:ident, $now:expr, $destination:expr, $reason:expr, $next_probe_at:expr) => {
        let lane = $crate::domain::Lane::Notice.as_i64();
        $crate::store::recalling::recall!($store, $tx, $now, TO_OWNER($destination, lane), UNTELL());
        sqlx::query($crate::store::destinations::QUARANTINE)
            .bind($destination)
            .bind($reason.as_str())
            .bind($now.as_millis())
            .bind($next_probe_at.as_millis())
            .execute(&mut *$tx)
            .await?;
        $crate::store::recalling::hold_back!($store, $tx, $now, $destination, $crate::domain::Reason::Quarantined);
    };
}
pub(super) use {hold_back, recall, recall_one, set_aside};
