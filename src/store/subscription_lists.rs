//! Subscriptions as people see them listed: of one destination, or of every channel of a server.

use super::{Store, StoreError, StoreResult, changes::kind, dialect::on_db};
use crate::domain::{Address, Delivery, DestinationId, Direction, Kind, Platform, SourceId, Target, Threshold, Token, TokenId};

const OF_DESTINATION: &str =
    "SELECT s.destination_id, s.target, s.kind, s.direction, s.delivery, s.mention, s.threshold, t.symbol, t.name, t.market_rank
    FROM subscriptions s LEFT JOIN tokens t ON t.source = s.source AND t.token_id = CAST(NULLIF(s.target, 'all') AS BIGINT)
    WHERE s.destination_id = $1 ORDER BY s.kind, s.direction, s.id LIMIT $2";
const OF_TENANT: &str =
    "SELECT s.destination_id, s.target, s.kind, s.direction, s.delivery, s.mention, s.threshold, t.symbol, t.name, t.market_rank
    FROM subscriptions s JOIN destinations d ON d.id = s.destination_id
    LEFT JOIN tokens t ON t.source = s.source AND t.token_id = CAST(NULLIF(s.target, 'all') AS BIGINT)
    WHERE d.platform = $1 AND d.tenant = $2 ORDER BY s.destination_id, s.kind, s.direction, s.id LIMIT $3";
const COUNT_OF_TENANT: &str = "SELECT COUNT(*) FROM subscriptions s JOIN destinations d ON d.id = s.destination_id
    WHERE d.platform = $1 AND d.tenant = $2";
const PLACES_OF_TENANT: &str = "SELECT id, chat, topic, label FROM destinations WHERE platform = $1 AND tenant = $2 ORDER BY id LIMIT $3";
const EXCLUDED: &str = "SELECT e.kind, e.token_id, t.symbol, t.name, t.market_rank FROM exclusions e
    LEFT JOIN tokens t ON t.source = e.source AND t.token_id = e.token_id
    WHERE e.destination_id = $1 AND e.source = $2 ORDER BY e.kind, e.token_id LIMIT $3";

pub(super) const STATEMENTS: &[&str] = &[OF_DESTINATION, OF_TENANT, COUNT_OF_TENANT, PLACES_OF_TENANT, EXCLUDED];

/// The most rows that one list reads.
const MOST_ROWS: i64 = 2000;

/// One subscription of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedSubscription {
    /// Whose.
    pub destination: DestinationId,
    /// `all`, or a token; where the directory lacks it, its symbol is its id.
    pub token: Option<Token>,
    /// Which signal.
    pub kind: Kind,
    /// Which turns.
    pub direction: Direction,
    /// When.
    pub delivery: Delivery,
    /// The line whose crossing is told too.
    pub threshold: Option<Threshold>,
    /// Whether a role is mentioned.
    pub mentions: bool,
}

/// A channel of a server, for a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPlace {
    /// Its row.
    pub destination: DestinationId,
    /// What people call it, or its address.
    pub label: String,
}

#[derive(sqlx::FromRow)]
struct ListedRow {
    destination_id: i64,
    target: String,
    kind: String,
    direction: String,
    delivery: String,
    mention: Option<String>,
    threshold: Option<String>,
    symbol: Option<String>,
    name: Option<String>,
    market_rank: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct ExcludedRow {
    kind: String,
    token_id: i64,
    symbol: Option<String>,
    name: Option<String>,
    market_rank: Option<i64>,
}

fn token(id: TokenId, symbol: Option<String>, name: Option<String>, rank: Option<i64>) -> Token {
    Token {
        id,
        symbol: symbol.unwrap_or_else(|| format!("#{id}")),
        name: name.unwrap_or_default(),
        rank: rank.and_then(|rank| u32::try_from(rank).ok()),
        link: None,
    }
}

impl TryFrom<ListedRow> for ListedSubscription {
    type Error = StoreError;

    fn try_from(row: ListedRow) -> Result<Self, StoreError> {
        let target = Target::parse(&row.target).ok_or_else(|| StoreError::corrupt("a target", &row.target))?;
        let threshold = row.threshold.map(|text| Threshold::parse(&text).ok_or_else(|| StoreError::corrupt("a threshold", &text)));
        Ok(Self {
            destination: DestinationId(row.destination_id),
            token: match target {
                Target::All => None,
                Target::Token(id) => Some(token(id, row.symbol, row.name, row.market_rank)),
            },
            kind: kind(&row.kind)?,
            direction: Direction::parse(&row.direction).ok_or_else(|| StoreError::corrupt("a direction", &row.direction))?,
            delivery: Delivery::parse(&row.delivery).ok_or_else(|| StoreError::corrupt("a delivery", &row.delivery))?,
            threshold: threshold.transpose()?,
            mentions: row.mention.is_some(),
        })
    }
}

impl Store {
    /// The subscriptions of a destination.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn subscriptions_of(&self, destination: DestinationId) -> StoreResult<Vec<ListedSubscription>> {
        let rows: Vec<ListedRow> =
            on_db!(self.db, pool => sqlx::query_as(OF_DESTINATION).bind(destination.0).bind(MOST_ROWS).fetch_all(pool).await)?;
        rows.into_iter().map(ListedSubscription::try_from).collect()
    }

    /// What a destination left out of `all`, by kind.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn exclusions_of(&self, destination: DestinationId, source: SourceId) -> StoreResult<Vec<(Kind, Token)>> {
        let rows: Vec<ExcludedRow> = on_db!(self.db, pool => sqlx::query_as(EXCLUDED)
            .bind(destination.0).bind(source.as_str()).bind(MOST_ROWS).fetch_all(pool).await)?;
        rows.into_iter().map(|row| Ok((kind(&row.kind)?, token(TokenId(row.token_id), row.symbol, row.name, row.market_rank)))).collect()
    }

    /// The subscriptions of every channel of a server, and how many there are in all.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn subscriptions_of_tenant(&self, platform: Platform, tenant: &str) -> StoreResult<(Vec<ListedSubscription>, u64)> {
        let rows: Vec<ListedRow> = on_db!(self.db, pool => sqlx::query_as(OF_TENANT)
            .bind(platform.as_str()).bind(tenant).bind(MOST_ROWS).fetch_all(pool).await)?;
        let count: i64 =
            on_db!(self.db, pool => sqlx::query_scalar(COUNT_OF_TENANT).bind(platform.as_str()).bind(tenant).fetch_one(pool).await)?;
        let list = rows.into_iter().map(ListedSubscription::try_from).collect::<StoreResult<Vec<_>>>()?;
        Ok((list, u64::try_from(count).unwrap_or_default()))
    }

    /// The channels of a server that were ever set up.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn places_of_tenant(&self, platform: Platform, tenant: &str) -> StoreResult<Vec<ListedPlace>> {
        let rows: Vec<(i64, String, String, Option<String>)> = on_db!(self.db, pool => sqlx::query_as(PLACES_OF_TENANT)
            .bind(platform.as_str()).bind(tenant).bind(MOST_ROWS).fetch_all(pool).await)?;
        let place = |(id, chat, topic, label): (i64, String, String, Option<String>)| {
            let address = Address { platform, chat, topic: (!topic.is_empty()).then_some(topic) };
            ListedPlace { destination: DestinationId(id), label: label.unwrap_or_else(|| address.to_string()) }
        };
        Ok(rows.into_iter().map(place).collect())
    }
}
