//! News of tokens (gone, back, renamed) on their way to those who subscribed to them by name. A row goes in the transaction that puts its
//! message into the outbox.

use super::{
    Store, StoreError, StoreResult,
    candidates::settings,
    changed::{soon_and_lately, waits_until},
    dialect::{in_transaction, on_db, over_rows, per_db},
    fair_queue::virtual_time,
};
use crate::domain::{DestinationId, Lane, MessageBody, Mutes, Settings, SourceId, Timestamp, TokenId, TokenNews};
use std::collections::BTreeMap;

/// Whatever still waited to be said of the token is old. A wish for several kinds is one wish to hear of the token. The source is made no key:
/// SQLite would walk all subscriptions by it instead of those of the token.
pub(super) const INSERT: (&str, &str) = over_rows!(
    "INSERT INTO token_news (destination_id, source, token_id, news, release_at)
     SELECT DISTINCT s.destination_id, s.source, CAST(r.value ->> 0 AS BIGINT), r.value ->> 1, 0 FROM",
    "CROSS JOIN subscriptions s WHERE s.target = CAST(r.value ->> 0 AS TEXT) AND s.source || '' = $2
     ON CONFLICT (destination_id, source, token_id) DO UPDATE SET news = excluded.news, release_at = 0"
);
/// News of a destination, or of one of its tokens alone, is looked at again: what held it may have ended early.
pub(super) const LOOK_AGAIN: &str = "UPDATE token_news SET release_at = 0
    WHERE destination_id = $1 AND (CAST($2 AS BIGINT) IS NULL OR token_id = CAST($2 AS BIGINT))";
const DUE: &str =
    "SELECT n.destination_id, n.token_id, n.news, COALESCE(t.symbol, '#' || CAST(n.token_id AS TEXT)), d.settings, d.muted_until,
        m.muted_until, d.quarantine_reason IS NOT NULL,
        EXISTS (SELECT 1 FROM subscriptions s
            WHERE s.destination_id = n.destination_id AND s.target = CAST(n.token_id AS TEXT) AND s.source = n.source)
    FROM token_news n JOIN destinations d ON d.id = n.destination_id LEFT JOIN tokens t ON t.source = n.source AND t.token_id = n.token_id
    LEFT JOIN token_mutes m ON m.destination_id = n.destination_id AND m.source = n.source AND m.token_id = n.token_id
    WHERE n.source = $1 AND n.release_at <= $2
    ORDER BY n.release_at, n.destination_id, n.token_id LIMIT $3";
/// Keyed by all of the primary key, so that each row is found by it.
const TAKE: (&str, &str) = over_rows!(
    "DELETE FROM token_news WHERE source = $2 AND (destination_id, token_id, news) IN
        (SELECT CAST(r.value ->> 0 AS BIGINT), CAST(r.value ->> 1 AS BIGINT), r.value ->> 2 FROM",
    ")"
);
const HOLD: (&str, &str) = over_rows!(
    concat!(
        "UPDATE token_news SET release_at = ",
        waits_until!("h.release_at", "h.destination_id", "$3", "$4"),
        " FROM (SELECT CAST(r.value ->> 0 AS BIGINT) AS destination_id, CAST(r.value ->> 1 AS BIGINT) AS token_id,
            CAST(r.value ->> 2 AS BIGINT) AS release_at FROM"
    ),
    ") AS h WHERE token_news.source = $2 AND token_news.destination_id = h.destination_id AND token_news.token_id = h.token_id"
);
const ENQUEUE: (&str, &str) = over_rows!(
    concat!(
        "INSERT INTO messages
            (destination_id, platform, lane, body, mention, counted, state, next_attempt_at, attempts, unknown_ends, lease_fence, created_at,
             start_tag)
         SELECT d.id, d.platform, CAST($2 AS BIGINT), r.value ->> 1, '[]', FALSE, 'queued', CAST($3 AS BIGINT), 0, 0, 0, CAST($3 AS BIGINT), ",
        virtual_time!("$2"),
        " FROM"
    ),
    "JOIN destinations d ON d.id = CAST(r.value ->> 0 AS BIGINT)"
);
const DELISTED_AMONG: (&str, &str) = over_rows!(
    "SELECT token_id FROM tokens WHERE source = $2 AND delisted_at IS NOT NULL
     AND token_id IN (SELECT CAST(CAST(r.value AS TEXT) AS BIGINT) FROM",
    ") ORDER BY token_id"
);

pub(super) const STATEMENTS: &[&str] = &[LOOK_AGAIN, DUE];
pub(super) const PAIRS: &[(&str, &str)] = &[INSERT, TAKE, HOLD, ENQUEUE, DELISTED_AMONG];

/// What a destination is to hear of tokens, as far as it is due.
#[derive(Clone, Debug)]
pub struct DueNews {
    /// Who.
    pub destination: DestinationId,
    /// Its settings.
    pub settings: Settings,
    /// What it is quiet about.
    pub mutes: Mutes,
    /// It cannot be reached at present.
    pub is_quarantined: bool,
    /// Each token with its symbol and its news.
    pub news: Vec<(TokenId, String, TokenNews)>,
    /// News of tokens that it has no subscription to by name any more.
    pub unwanted: Vec<(TokenId, TokenNews)>,
}

/// What becomes of it.
#[derive(Clone, Debug)]
pub struct NewsDecision {
    /// Who.
    pub destination: DestinationId,
    /// What is held, and until when.
    pub held: Vec<(TokenId, Timestamp)>,
    /// What is told.
    pub told: Vec<(TokenId, TokenNews)>,
    /// What is deleted, told to nobody.
    pub dropped: Vec<(TokenId, TokenNews)>,
    /// The message that tells it, if it tells anything.
    pub body: Option<MessageBody>,
}

pub(super) fn news_json(news: &[(TokenId, TokenNews)]) -> String {
    serde_json::to_string(&news.iter().map(|(token, news)| (token, word(news))).collect::<Vec<_>>()).unwrap_or_default()
}

fn word(news: &TokenNews) -> String {
    serde_json::to_string(news).unwrap_or_default()
}

type DueRow = (i64, i64, String, String, String, Option<i64>, Option<i64>, bool, bool);

impl Store {
    /// What is due, about `limit` lines of it; nothing where nothing is.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn due_token_news(&self, source: SourceId, now: Timestamp, limit: u32) -> StoreResult<Vec<DueNews>> {
        let rows: Vec<DueRow> = on_db!(self.db, pool => sqlx::query_as(DUE)
            .bind(source.as_str()).bind(now.as_millis()).bind(i64::from(limit)).fetch_all(pool).await)?;
        let mut due: BTreeMap<i64, DueNews> = BTreeMap::new();
        for (destination, token, news, symbol, settings_json, muted_until, token_muted_until, is_quarantined, is_wanted) in rows {
            let at = |at: Option<i64>| at.map(Timestamp::from_millis);
            let news = serde_json::from_str(&news).map_err(|_| StoreError::corrupt("news of a token", &news))?;
            let token = TokenId(token);
            let of_destination = match due.entry(destination) {
                std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::btree_map::Entry::Vacant(entry) => entry.insert(DueNews {
                    destination: DestinationId(destination),
                    settings: settings(&settings_json)?,
                    mutes: Mutes { all: at(muted_until), ..Mutes::default() },
                    is_quarantined,
                    news: Vec::new(),
                    unwanted: Vec::new(),
                }),
            };
            of_destination.mutes.tokens.extend(at(token_muted_until).map(|until| (token, until)));
            if is_wanted {
                of_destination.news.push((token, symbol, news));
            } else {
                of_destination.unwanted.push((token, news));
            }
        }
        Ok(due.into_values().collect())
    }

    /// Commits what was decided about what is due.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where some of it is no longer what it was, or where the database fails: nothing was written.
    pub async fn settle_token_news(&self, source: SourceId, decisions: &[NewsDecision], now: Timestamp) -> StoreResult<()> {
        let words = [TAKE, HOLD, ENQUEUE].map(|pair| self.words(pair));
        let gone = |one: &NewsDecision| {
            let rows = one.told.iter().chain(&one.dropped).map(|(token, news)| (one.destination, *token, word(news)));
            rows.collect::<Vec<_>>()
        };
        let gone: Vec<_> = decisions.iter().flat_map(gone).collect();
        let held: Vec<_> =
            decisions.iter().flat_map(|one| one.held.iter().map(|(token, until)| (one.destination, *token, until.as_millis()))).collect();
        let body = |one: &NewsDecision| Some((one.destination, serde_json::to_string(one.body.as_ref()?).unwrap_or_default()));
        let messages: Vec<_> = decisions.iter().filter_map(body).collect();
        let json =
            [serde_json::to_string(&gone), serde_json::to_string(&held), serde_json::to_string(&messages)].map(Result::unwrap_or_default);
        let (soon, lately) = soon_and_lately(now);
        in_transaction!(self.db, tx => {
            let taken = sqlx::query(words[0]).bind(&json[0]).bind(source.as_str()).execute(&mut *tx).await?.rows_affected();
            if taken != gone.len() as u64 {
                return Err(StoreError::Conflict);
            }
            let hold = sqlx::query(words[1]).bind(&json[1]).bind(source.as_str()).bind(soon).bind(lately);
            hold.execute(&mut *tx).await?;
            let enqueue = sqlx::query(words[2]).bind(&json[2]).bind(Lane::Notice.as_i64()).bind(now.as_millis());
            enqueue.execute(&mut *tx).await?;
        })
    }

    /// Those of these tokens that are not listed any more.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn delisted_among(&self, source: SourceId, tokens: &[TokenId]) -> StoreResult<Vec<TokenId>> {
        let sql = per_db!(self.db, sqlite: DELISTED_AMONG.0, postgres: DELISTED_AMONG.1);
        let tokens = super::token_search::ids_json(tokens);
        let rows: Vec<i64> = on_db!(self.db, pool => sqlx::query_scalar(sql).bind(&tokens).bind(source.as_str()).fetch_all(pool).await)?;
        Ok(rows.into_iter().map(TokenId).collect())
    }
}
