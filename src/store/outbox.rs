//! The outbox: messages that wait, are under way, or could not be delivered.

use super::{
    NewDestination, Store, StoreResult,
    destinations::ensure,
    dialect::{in_transaction, on_db, over_rows},
    fair_queue::virtual_time,
    interactions::claim,
};
use crate::domain::{Lane, MessageBody, MessageId, Timestamp};

pub(super) const ENQUEUE: &str = concat!(
    "INSERT INTO messages
        (destination_id, platform, lane, body, mention, counted, state, next_attempt_at, attempts, unknown_ends, lease_fence, created_at,
         start_tag)
     SELECT d.id, d.platform, $2, $3, '[]', FALSE, 'queued', CAST($4 AS BIGINT), 0, 0, 0, CAST($4 AS BIGINT), ",
    virtual_time!("$2"),
    " FROM destinations d WHERE d.id = $1 RETURNING id"
);
const NOTICE_ONCE: &str = "INSERT INTO notices (name, told_at) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
const NOTICE_CLEAR: &str = "DELETE FROM notices WHERE name = $1 AND told_at <= $2";

const NOTICE_AGAIN: &str =
    "INSERT INTO notices (name, told_at) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET told_at = excluded.told_at";
const NOTICES_ONCE: (&str, &str) = over_rows!(
    "INSERT INTO notices (name, told_at) SELECT r.value ->> 0, CAST($2 AS BIGINT) FROM",
    "WHERE TRUE ON CONFLICT (name) DO NOTHING"
);
const NOTICES_CLEAR: (&str, &str) = over_rows!("DELETE FROM notices WHERE name IN (SELECT r.value ->> 0 FROM", ")");
const NOTICE_AT: &str = "SELECT told_at FROM notices WHERE name = $1";

pub(super) const STATEMENTS: &[&str] = &[ENQUEUE, NOTICE_ONCE, NOTICE_CLEAR, NOTICE_AGAIN, NOTICE_AT];
pub(super) const PAIRS: &[(&str, &str)] = &[NOTICES_ONCE, NOTICES_CLEAR];

/// What operators are told, and where.
#[derive(Clone, Copy, Debug)]
pub struct NewNotice<'a> {
    /// To these.
    pub to: &'a [NewDestination],
    /// This.
    pub body: &'a MessageBody,
}

/// Puts a notice into the outbox, in the transaction of whatever says that it was told: `tell!(tx, notice, now)` with an `Option`; to operators, unless
/// another lane is named.
macro_rules! tell {
    ($tx:ident, $notice:expr, $now:expr) => {
        tell!($tx, $notice, $now, Lane::Urgent)
    };
    ($tx:ident, $notice:expr, $now:expr, $lane:expr) => {
        if let Some(NewNotice { to, body }) = $notice {
            let body = serde_json::to_string(body).unwrap_or_default();
            for to in to {
                let destination = ensure!($tx, to, $now);
                let _message: i64 = sqlx::query_scalar(ENQUEUE)
                    .bind(destination)
                    .bind($lane.as_i64())
                    .bind(&body)
                    .bind($now.as_millis())
                    .fetch_one(&mut *$tx)
                    .await?;
            }
        }
    };
}

impl Store {
    /// Puts a notice into the outbox, to all of its destinations or to none; they are made where they are new.
    ///
    /// # Errors
    /// Where the database fails: nobody is told.
    pub async fn tell(&self, notice: NewNotice<'_>, now: Timestamp) -> StoreResult<()> {
        in_transaction!(self.db, tx => {
            tell!(tx, Some(notice), now);
        })
    }

    /// Puts what somebody asked to be posted into the outbox; the destination is made if it is new.
    ///
    /// # Errors
    /// Where the database fails or the request was carried out already: nothing was changed.
    pub async fn post(&self, to: &NewDestination, body: &MessageBody, request: Option<&str>, now: Timestamp) -> StoreResult<MessageId> {
        let body = serde_json::to_string(body).unwrap_or_default();
        in_transaction!(self.db, tx => {
            claim!(tx, request, now);
            let destination = ensure!(tx, to, now);
            let id: i64 = sqlx::query_scalar(ENQUEUE)
                .bind(destination).bind(Lane::Reply.as_i64()).bind(&body).bind(now.as_millis()).fetch_one(&mut *tx).await?;
            MessageId(id)
        })
    }

    /// Whether this notice is told for the first time since it was last cleared; if so, it is put into the outbox by the same transaction.
    ///
    /// # Errors
    /// Where the database fails: nothing was told and nothing remembered.
    pub async fn notice_is_new(&self, name: &str, notice: Option<NewNotice<'_>>, now: Timestamp) -> StoreResult<bool> {
        in_transaction!(self.db, tx => {
            let new = sqlx::query(NOTICE_ONCE).bind(name).bind(now.as_millis()).execute(&mut *tx).await?.rows_affected() > 0;
            tell!(tx, notice.filter(|_| new), now);
            new
        })
    }

    /// The same for what others may tell as well: that it holds is remembered each time.
    ///
    /// # Errors
    /// Where the database fails: nothing was told and nothing remembered.
    pub async fn notice_holds(&self, name: &str, notice: NewNotice<'_>, now: Timestamp) -> StoreResult<bool> {
        in_transaction!(self.db, tx => {
            let new = sqlx::query(NOTICE_ONCE).bind(name).bind(now.as_millis()).execute(&mut *tx).await?.rows_affected() > 0;
            if !new {
                sqlx::query(NOTICE_AGAIN).bind(name).bind(now.as_millis()).execute(&mut *tx).await?;
            }
            tell!(tx, Some(notice).filter(|_| new), now);
            new
        })
    }

    /// Forgets that a notice was told; says whether it had been. If so, that of its end is put into the outbox by the same transaction.
    ///
    /// # Errors
    /// Where the database fails: nothing was told and nothing forgotten.
    pub async fn clear_notice(&self, name: &str, end: Option<NewNotice<'_>>, now: Timestamp) -> StoreResult<bool> {
        self.clear_notice_of(name, Timestamp::NEVER, end, now).await
    }

    /// The same, unless it held later than at `until`.
    ///
    /// # Errors
    /// Where the database fails: nothing was told and nothing forgotten.
    pub async fn clear_notice_of(&self, name: &str, until: Timestamp, end: Option<NewNotice<'_>>, now: Timestamp) -> StoreResult<bool> {
        in_transaction!(self.db, tx => {
            let known = sqlx::query(NOTICE_CLEAR).bind(name).bind(until.as_millis()).execute(&mut *tx).await?.rows_affected() > 0;
            tell!(tx, end.filter(|_| known), now);
            known
        })
    }

    /// Tells a notice about several things at once, unless all of them were told of already and not cleared since. Says whether it was told.
    ///
    /// # Errors
    /// Where the database fails: nothing was told and nothing remembered.
    pub async fn notices_are_new(&self, names: &[String], notice: NewNotice<'_>, lane: Lane, now: Timestamp) -> StoreResult<bool> {
        let (sql, rows) = (self.words(NOTICES_ONCE), name_rows(names));
        in_transaction!(self.db, tx => {
            let new = sqlx::query(sql).bind(&rows).bind(now.as_millis()).execute(&mut *tx).await?.rows_affected() > 0;
            tell!(tx, Some(notice).filter(|_| new), now, lane);
            new
        })
    }

    /// Forgets that these were told, and tells of their end by the same transaction. Says whether any of them was known.
    ///
    /// # Errors
    /// Where the database fails: nothing was told and nothing forgotten.
    pub async fn clear_notices(&self, names: &[String], end: NewNotice<'_>, lane: Lane, now: Timestamp) -> StoreResult<bool> {
        let (sql, rows) = (self.words(NOTICES_CLEAR), name_rows(names));
        in_transaction!(self.db, tx => {
            let known = sqlx::query(sql).bind(&rows).execute(&mut *tx).await?.rows_affected() > 0;
            tell!(tx, Some(end).filter(|_| known), now, lane);
            known
        })
    }

    /// Tells a notice that sums up what happened until `until`, and remembers how far it reached.
    ///
    /// # Errors
    /// Where the database fails: nothing was told and nothing remembered.
    pub async fn sum_up(&self, name: &str, notice: NewNotice<'_>, until: Timestamp, now: Timestamp) -> StoreResult<()> {
        in_transaction!(self.db, tx => {
            sqlx::query(NOTICE_AGAIN).bind(name).bind(until.as_millis()).execute(&mut *tx).await?;
            tell!(tx, Some(notice), now);
        })
    }

    /// When this notice was told, or how far it reached.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn notice_told_at(&self, name: &str) -> StoreResult<Option<Timestamp>> {
        let at: Option<i64> = on_db!(self.db, pool => sqlx::query_scalar(NOTICE_AT).bind(name).fetch_optional(pool).await)?;
        Ok(at.map(Timestamp::from_millis))
    }
}

fn name_rows(names: &[String]) -> String {
    serde_json::to_string(&names.iter().map(|name| [name]).collect::<Vec<_>>()).unwrap_or_default()
}
