//! What stands behind the buttons under an alert: one row for all buttons of a message.

use super::{
    Store, StoreError, StoreResult,
    destinations::address_of,
    dialect::{on_db, over_rows},
};
use crate::domain::{ButtonSubject, Buttons, ButtonsId, Place, Timestamp};

/// The verb of the rows behind the buttons of an alert: what each does is in what it sends.
pub(super) const OF_ALERT: &str = "alert";
/// Rows of id, destination and arguments.
pub(super) const INSERT: (&str, &str) = over_rows!(
    "INSERT INTO buttons (id, destination_id, verb, arguments, expires_at)
     SELECT r.value ->> 0, CAST(r.value ->> 1 AS BIGINT), CAST($2 AS TEXT), r.value ->> 2, CAST($3 AS BIGINT) FROM",
    "WHERE TRUE"
);
const FIND: &str = "SELECT d.platform, d.chat, d.topic, d.place, b.arguments FROM buttons b JOIN destinations d ON d.id = b.destination_id
    WHERE b.id = $1 AND b.verb = $2 AND b.expires_at > $3";

pub(super) const STATEMENTS: &[&str] = &[FIND];
pub(super) const PAIRS: &[(&str, &str)] = &[INSERT];

#[derive(sqlx::FromRow)]
struct Row {
    platform: String,
    chat: String,
    topic: String,
    place: String,
    arguments: String,
}

impl Store {
    /// What these buttons are about; nothing where they do nothing any more.
    ///
    /// # Errors
    /// Where the database fails, or holds what cannot be read.
    pub async fn buttons(&self, id: &ButtonsId, now: Timestamp) -> StoreResult<Option<Buttons>> {
        let row: Option<Row> = on_db!(self.db, pool => sqlx::query_as(FIND)
            .bind(id.as_str()).bind(OF_ALERT).bind(now.as_millis()).fetch_optional(pool).await)?;
        let Some(Row { platform, chat, topic, place, arguments }) = row else { return Ok(None) };
        let subject: ButtonSubject =
            serde_json::from_str(&arguments).map_err(|error| StoreError::corrupt("a button's arguments", &error.to_string()))?;
        let place = Place::parse(&place).ok_or_else(|| StoreError::corrupt("a place", &place))?;
        Ok(Some(Buttons { address: address_of(&platform, chat, topic)?, place, subject }))
    }
}
