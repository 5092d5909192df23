//! What stands behind the buttons under an alert or an answer: one row for all buttons of a message.

use super::{
    NewDestination, Store, StoreError, StoreResult,
    destinations::{ENSURE_FOR_ANSWER, address_of, ensure},
    dialect::{in_transaction, on_db, over_rows},
};
use crate::domain::{ButtonSubject, Buttons, ButtonsId, Place, SubscriptionSubject, Timestamp};
use serde::de::DeserializeOwned;

/// The verb of the rows behind the buttons of an alert: what each does is in what it sends.
pub(super) const OF_ALERT: &str = "alert";
/// That of the rows behind the buttons of an answer about a subscription.
const OF_SUBSCRIPTION: &str = "subscription";
/// Rows of id, destination and arguments.
pub(super) const INSERT: (&str, &str) = over_rows!(
    "INSERT INTO buttons (id, destination_id, verb, arguments, expires_at)
     SELECT r.value ->> 0, CAST(r.value ->> 1 AS BIGINT), CAST($2 AS TEXT), r.value ->> 2, CAST($3 AS BIGINT) FROM",
    "WHERE TRUE"
);
const FIND: &str =
    "SELECT d.platform, d.chat, d.topic, d.place, b.verb, b.arguments FROM buttons b JOIN destinations d ON d.id = b.destination_id
    WHERE b.id = $1 AND b.expires_at > $2";

pub(super) const STATEMENTS: &[&str] = &[FIND];
pub(super) const PAIRS: &[(&str, &str)] = &[INSERT];

#[derive(sqlx::FromRow)]
struct Row {
    platform: String,
    chat: String,
    topic: String,
    place: String,
    verb: String,
    arguments: String,
}

impl Store {
    /// What these buttons are about; nothing where they do nothing any more.
    ///
    /// # Errors
    /// Where the database fails, or holds what cannot be read.
    pub async fn buttons(&self, id: &ButtonsId, now: Timestamp) -> StoreResult<Option<Buttons>> {
        let row: Option<Row> =
            on_db!(self.db, pool => sqlx::query_as(FIND).bind(id.as_str()).bind(now.as_millis()).fetch_optional(pool).await)?;
        let Some(Row { platform, chat, topic, place, verb, arguments }) = row else { return Ok(None) };
        let subject = match verb.as_str() {
            OF_ALERT => ButtonSubject::Alert(read(&arguments)?),
            OF_SUBSCRIPTION => ButtonSubject::Subscription(read(&arguments)?),
            other => return Err(StoreError::corrupt("the verb of buttons", other)),
        };
        let place = Place::parse(&place).ok_or_else(|| StoreError::corrupt("a place", &place))?;
        Ok(Some(Buttons { address: address_of(&platform, chat, topic)?, place, subject }))
    }

    /// Makes buttons for an answer about a subscription that goes to this place.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn offer(&self, to: &NewDestination, id: &ButtonsId, subject: &SubscriptionSubject, now: Timestamp) -> StoreResult<()> {
        let (sql, arguments) = (self.words(INSERT), serde_json::to_string(subject).unwrap_or_default());
        in_transaction!(self.db, tx => {
            let destination = ensure!(ENSURE_FOR_ANSWER, tx, to, now);
            let rows = serde_json::to_string(&[(id.as_str(), destination, &arguments)]).unwrap_or_default();
            sqlx::query(sql).bind(rows).bind(OF_SUBSCRIPTION).bind(ButtonsId::expires_at(now).as_millis()).execute(&mut *tx).await?;
        })
    }
}

fn read<T: DeserializeOwned>(arguments: &str) -> StoreResult<T> {
    serde_json::from_str(arguments).map_err(|error| StoreError::corrupt("a button's arguments", &error.to_string()))
}
