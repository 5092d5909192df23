//! Mutes: what a destination holds back, and what becomes of the alerts that one concerns (`rules.md` 3.6).

use super::{
    AuditEntry, NewDestination, Store, StoreResult,
    audit::record,
    changed::CHANGED,
    destinations::ensure,
    dialect::{in_transaction, on_db, over_rows},
    interactions::claim,
    recalling::recall,
    token_news,
};
use crate::domain::{DestinationId, Mutes, SourceId, Timestamp, TokenId};

const ALL: &str = "SELECT muted_until FROM destinations WHERE id = $1";
const TOKENS: &str = "SELECT token_id, muted_until FROM token_mutes WHERE destination_id = $1 AND source = $2";
const MUTE_ALL: &str = "UPDATE destinations SET muted_until = $2 WHERE id = $1";
const MUTE_TOKEN: &str = "INSERT INTO token_mutes (destination_id, source, token_id, muted_until) VALUES ($1, $2, $3, $4)
    ON CONFLICT (destination_id, source, token_id) DO UPDATE SET muted_until = excluded.muted_until";
const UNMUTE_TOKEN: &str = "DELETE FROM token_mutes WHERE destination_id = $1 AND source = $2 AND token_id = $3";
const UNMUTE_TOKENS: &str = "DELETE FROM token_mutes WHERE destination_id = $1 AND source = $2";
/// Those of several destinations, for composing.
pub(super) const TOKENS_OF_MANY: (&str, &str) = over_rows!(
    "SELECT m.destination_id, m.token_id, m.muted_until FROM token_mutes m
     WHERE m.destination_id IN (SELECT CAST(CAST(r.value AS TEXT) AS BIGINT) FROM",
    ")"
);

macro_rules! held_of_token {
    () => {
        "destination_id = $1 AND state = 'pending' AND (CAST($2 AS BIGINT) IS NULL
            OR EXISTS (SELECT 1 FROM changes c WHERE c.id = change_id AND c.token_id = CAST($2 AS BIGINT)))"
    };
}
// An earlier end, or none: what the mute held is composed then, which holds on what another mute or limit still holds.
const RELEASE: &str = concat!("UPDATE alerts SET release_at = $3 WHERE reason = 'muted' AND release_at > $3 AND ", held_of_token!());
const WAITING: &str = concat!("SELECT COUNT(*) FROM alerts WHERE reason <> 'net_zero' AND told_at IS NULL AND ", held_of_token!());

pub(super) const STATEMENTS: &[&str] = &[ALL, TOKENS, MUTE_ALL, MUTE_TOKEN, UNMUTE_TOKEN, UNMUTE_TOKENS, RELEASE, WAITING];
pub(super) const PAIRS: &[(&str, &str)] = &[TOKENS_OF_MANY];

/// What `/mute` wants.
#[derive(Clone, Debug)]
pub struct MuteOrder {
    /// Who is to be left in peace; made if it is new.
    pub destination: NewDestination,
    /// Which source.
    pub source: SourceId,
    /// This token alone; without one everything, and an end of it ends the mutes of tokens as well.
    pub token: Option<TokenId>,
    /// Until then; nothing ends the mute.
    pub until: Option<Timestamp>,
    /// For channels and groups.
    pub audit: Option<AuditEntry>,
    /// The platform's id of the request, where it has one: the same one is carried out once.
    pub request: Option<String>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Muted {
    /// What was muted before.
    pub before: Mutes,
    /// What is muted now.
    pub after: Mutes,
    /// How many alerts wait that this concerns.
    pub waiting: u64,
}

/// The mutes of a destination within a transaction, without those that have ended.
macro_rules! mutes {
    ($tx:ident, $destination:expr, $source:expr, $now:expr) => {{
        let all: Option<i64> = sqlx::query_scalar(ALL).bind($destination).fetch_one(&mut *$tx).await?;
        let tokens: Vec<(i64, i64)> = sqlx::query_as(TOKENS).bind($destination).bind($source.as_str()).fetch_all(&mut *$tx).await?;
        mutes(all, tokens).still_on($now)
    }};
}

fn mutes(all: Option<i64>, tokens: Vec<(i64, i64)>) -> Mutes {
    let token = |(token, until)| (TokenId(token), Timestamp::from_millis(until));
    Mutes { all: all.map(Timestamp::from_millis), tokens: tokens.into_iter().map(token).collect() }
}

impl Store {
    /// Mutes a destination or one of its tokens, replaces the end of such a mute, or ends it. What waits, what is already composed and what
    /// comes are held alike; what an earlier end lets go is due then.
    ///
    /// # Errors
    /// Where the database fails or the request was carried out already: nothing was changed.
    pub async fn mute(&self, order: &MuteOrder, now: Timestamp) -> StoreResult<Muted> {
        let (token, until) = (order.token.map(|token| token.0), order.until.map(Timestamp::as_millis));
        in_transaction!(self.db, tx => {
            claim!(tx, &order.request, now);
            let destination = ensure!(tx, order.destination, now);
            let before = mutes!(tx, destination, order.source, now);
            match (token, until) {
                (Some(token), Some(until)) => {
                    sqlx::query(MUTE_TOKEN).bind(destination).bind(order.source.as_str()).bind(token).bind(until).execute(&mut *tx).await?;
                }
                (Some(token), None) => {
                    sqlx::query(UNMUTE_TOKEN).bind(destination).bind(order.source.as_str()).bind(token).execute(&mut *tx).await?;
                }
                (None, until) => {
                    sqlx::query(MUTE_ALL).bind(destination).bind(until).execute(&mut *tx).await?;
                    if until.is_none() {
                        sqlx::query(UNMUTE_TOKENS).bind(destination).bind(order.source.as_str()).execute(&mut *tx).await?;
                    }
                }
            }
            if until.is_some() {
                // Composed anew at once, which holds what is muted and tells the rest.
                recall!(self, tx, now, OF_TOKEN(destination, token), LOOK_AGAIN());
            }
            // Without an end it is due whatever the clock does next (`rules.md` 6.7).
            let release_at = until.unwrap_or(Timestamp::EPOCH.as_millis());
            sqlx::query(CHANGED).bind(destination).bind(now.as_millis()).execute(&mut *tx).await?;
            sqlx::query(RELEASE).bind(destination).bind(token).bind(release_at).execute(&mut *tx).await?;
            sqlx::query(token_news::LOOK_AGAIN).bind(destination).bind(token).execute(&mut *tx).await?;
            let waiting: i64 = sqlx::query_scalar(WAITING).bind(destination).bind(token).fetch_one(&mut *tx).await?;
            let after = mutes!(tx, destination, order.source, now);
            if before != after {
                record!(tx, &order.audit, destination, shown(&before), shown(&after), now);
            }
            Muted { before, after, waiting: u64::try_from(waiting).unwrap_or_default() }
        })
    }

    /// What a destination has muted at present.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn mutes_of(&self, destination: DestinationId, source: SourceId, now: Timestamp) -> StoreResult<Mutes> {
        let all: Option<Option<i64>> = on_db!(self.db, pool => sqlx::query_scalar(ALL).bind(destination.0).fetch_optional(pool).await)?;
        let tokens: Vec<(i64, i64)> = on_db!(self.db, pool => sqlx::query_as(TOKENS)
            .bind(destination.0).bind(source.as_str()).fetch_all(pool).await)?;
        Ok(mutes(all.flatten(), tokens).still_on(now))
    }
}

/// The mutes as the audit shows them.
fn shown(mutes: &Mutes) -> Option<String> {
    let tokens: std::collections::BTreeMap<_, _> =
        mutes.tokens.iter().map(|(token, until)| (token.to_string(), until.to_string())).collect();
    (!mutes.is_empty()).then(|| serde_json::json!({"all": mutes.all.map(|until| until.to_string()), "tokens": tokens}).to_string())
}
