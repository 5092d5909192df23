//! The simulated API: the simulated market over HTTP in the shape of the Token Metrics data API v2, with its quirks.
//!
//! Where the real API's behaviour is not known it is strict about what makes no sense (400) and lenient about what its own SDKs send:
//! they ask for `limit=1000&page=0`, which becomes 100 rows of the first page.

use super::{
    Listing,
    grades::{FundamentalGrade, TmGrade},
    insight::{PricePrediction, Quantmetrics},
    levels::{Price, ResistanceSupport},
    market::{Hiccup, Market},
    ohlcv::Ohlcv,
    rows::{HourlySignal, ListedToken, TradingSignal},
};
use crate::{
    clock::SharedClock,
    domain::{Day, Timestamp, TokenId},
};
use axum::{
    Json, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;
use std::{
    cmp::Reverse,
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 100;
/// Both official SDKs split their requests at "the API's 29-day limit".
const MAX_DAYS: i64 = 29;

/// Serves `market` on a free port of the loopback interface until `stop`, as a task of `tracker`. The base URL is `http://ADDRESS/v2`.
///
/// Each request first lets the market come to what `clock` shows. Any key is accepted, none is not.
///
/// # Errors
/// Where no port can be bound.
pub async fn start(
    market: Arc<Mutex<Market>>,
    clock: SharedClock,
    tracker: &TaskTracker,
    stop: CancellationToken,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let router = router(Api { market, clock });
    tracker.spawn(async move {
        if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await {
            tracing::error!(%error, "the simulated API stopped");
        }
    });
    Ok(address)
}

fn router(api: Api) -> Router {
    Router::new()
        .route("/v2/trading-signals", get(trading_signals))
        .route("/v2/hourly-trading-signals", get(hourly_trading_signals))
        .route("/v2/tm-grade", get(tm_grade))
        .route("/v2/fundamental-grade", get(fundamental_grade))
        .route("/v2/price", get(price))
        .route("/v2/resistance-support", get(resistance_support))
        .route("/v2/quantmetrics", get(quantmetrics))
        .route("/v2/price-prediction", get(price_prediction))
        .route("/v2/daily-ohlcv", get(daily_ohlcv))
        .route("/v2/hourly-ohlcv", get(hourly_ohlcv))
        .route("/v2/tokens", get(tokens))
        .route("/v2/top-market-cap-tokens", get(top_market_cap_tokens))
        .fallback(|| async { refusal(StatusCode::NOT_FOUND, "Not found") })
        .with_state(api)
}

#[derive(Clone)]
struct Api {
    market: Arc<Mutex<Market>>,
    clock: SharedClock,
}

impl Api {
    /// The market of now, for a request that carries a key. Answers with the hiccup that is due, if one is.
    fn open(&self, headers: &HeaderMap) -> Result<MutexGuard<'_, Market>, Refusal> {
        let has_key = ["x-api-key", "api_key"].iter().any(|name| headers.get(*name).is_some_and(|key| !key.is_empty()));
        if !has_key {
            return Err(Refusal::NoKey);
        }
        let now = self.clock.now();
        let mut market = self.market.lock().unwrap_or_else(PoisonError::into_inner);
        market.advance_to(now);
        match market.take_hiccup(now) {
            Some(hiccup) => Err(Refusal::Hiccup(hiccup)),
            None => Ok(market),
        }
    }
}

/// What is answered instead of rows.
enum Refusal {
    NoKey,
    BadParameter,
    Hiccup(Hiccup),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::NoKey => refusal(StatusCode::UNAUTHORIZED, "Invalid API key"),
            Self::BadParameter => refusal(StatusCode::BAD_REQUEST, "Invalid parameters"),
            Self::Hiccup(Hiccup::TooManyRequests) => refusal(StatusCode::TOO_MANY_REQUESTS, "Rate limit exceeded"),
            Self::Hiccup(Hiccup::ServerError) => refusal(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error"),
        }
    }
}

fn refusal(status: StatusCode, message: &'static str) -> Response {
    #[derive(Serialize)]
    struct Body {
        success: bool,
        message: &'static str,
    }
    (status, Json(Body { success: false, message })).into_response()
}

#[derive(Serialize)]
struct Envelope<T> {
    success: bool,
    message: &'static str,
    /// The rows of this answer, not of all pages.
    length: usize,
    data: Vec<T>,
}

/// One page of rows; 404 where it has none.
fn page<T: Serialize>(rows: impl Iterator<Item = T>, paging: Paging) -> Response {
    let data: Vec<_> = rows.skip(paging.skip).take(paging.limit).collect();
    let found = !data.is_empty();
    let (status, message) = if found { (StatusCode::OK, "Data fetched successfully") } else { (StatusCode::NOT_FOUND, "Data not found") };
    (status, Json(Envelope { success: found, message, length: data.len(), data })).into_response()
}

type Answer = Result<Response, Refusal>;

async fn trading_signals(State(api): State<Api>, headers: HeaderMap, Query(query): Query<Parameters>) -> Answer {
    let market = api.open(&headers)?;
    let query = Asked(query);
    let tokens = query.tokens()?;
    let (first, last) = query.days(market.days())?;
    let signal = query.signal()?;
    let paging = query.paging("limit")?;
    let mut rows: Vec<_> =
        market.listings().filter(|listing| tokens.wants(listing)).flat_map(|l| market.daily(l.id, first, last)).collect();
    // Stable: within a day the order by rank stays.
    rows.sort_by_key(|row| Reverse(row.day));
    let rows = rows.iter().map(TradingSignal::from).filter(|row| signal.is_none_or(|wanted| row.trading_signal == wanted));
    Ok(page(rows, paging))
}

async fn hourly_trading_signals(State(api): State<Api>, headers: HeaderMap, Query(query): Query<Parameters>) -> Answer {
    let market = api.open(&headers)?;
    let query = Asked(query);
    let tokens = query.tokens()?;
    if tokens.ids.is_none() {
        return Err(Refusal::BadParameter);
    }
    let paging = query.paging("limit")?;
    let asked = market.listings().filter(|listing| tokens.wants(listing));
    let mut rows: Vec<_> = asked.flat_map(|listing| market.hourly(listing.id).take(paging.skip + paging.limit)).collect();
    rows.sort_by_key(|row| Reverse(row.hour));
    Ok(page(rows.iter().map(HourlySignal::from), paging))
}

async fn tm_grade(State(api): State<Api>, headers: HeaderMap, Query(query): Query<Parameters>) -> Answer {
    latest(&api, &headers, query, TmGrade::of)
}

async fn fundamental_grade(State(api): State<Api>, headers: HeaderMap, Query(query): Query<Parameters>) -> Answer {
    latest(&api, &headers, query, FundamentalGrade::of)
}

async fn price(State(api): State<Api>, headers: HeaderMap, Query(query): Query<Parameters>) -> Answer {
    latest(&api, &headers, query, Price::of)
}

async fn resistance_support(State(api): State<Api>, headers: HeaderMap, Query(query): Query<Parameters>) -> Answer {
    latest(&api, &headers, query, ResistanceSupport::of)
}

async fn quantmetrics(State(api): State<Api>, headers: HeaderMap, Query(query): Query<Parameters>) -> Answer {
    latest(&api, &headers, query, Quantmetrics::of)
}

async fn price_prediction(State(api): State<Api>, headers: HeaderMap, Query(query): Query<Parameters>) -> Answer {
    latest(&api, &headers, query, PricePrediction::of)
}

async fn daily_ohlcv(State(api): State<Api>, headers: HeaderMap, Query(query): Query<Parameters>) -> Answer {
    past_prices(&api, &headers, query, Ohlcv::days)
}

async fn hourly_ohlcv(State(api): State<Api>, headers: HeaderMap, Query(query): Query<Parameters>) -> Answer {
    past_prices(&api, &headers, query, Ohlcv::hours)
}

/// The prices of the asked tokens, one after the other, of each the newest first.
fn past_prices(
    api: &Api,
    headers: &HeaderMap,
    query: Parameters,
    rows: fn(&Market, TokenId, &RangeInclusive<Day>) -> Vec<Ohlcv>,
) -> Answer {
    let market = api.open(headers)?;
    let query = Asked(query);
    let (tokens, paging) = (query.tokens()?, query.paging("limit")?);
    let (first, last) = query.days(market.days())?;
    let asked = market.listings().filter(|listing| tokens.wants(listing));
    Ok(page(asked.flat_map(|listing| rows(&market, listing.id, &(first..=last))), paging))
}

/// How the asked tokens are at the moment, a row each.
fn latest<T: Serialize>(api: &Api, headers: &HeaderMap, query: Parameters, row: fn(&Market, &'static Listing) -> Option<T>) -> Answer {
    let market = api.open(headers)?;
    let query = Asked(query);
    let (tokens, paging) = (query.tokens()?, query.paging("limit")?);
    Ok(page(market.listings().filter(|listing| tokens.wants(listing)).filter_map(|listing| row(&market, listing)), paging))
}

async fn tokens(State(api): State<Api>, headers: HeaderMap, Query(query): Query<Parameters>) -> Answer {
    let market = api.open(&headers)?;
    let query = Asked(query);
    let tokens = query.tokens()?;
    let paging = query.paging("limit")?;
    Ok(page(market.listings().filter(|listing| tokens.wants(listing)).map(ListedToken::from), paging))
}

async fn top_market_cap_tokens(State(api): State<Api>, headers: HeaderMap, Query(query): Query<Parameters>) -> Answer {
    let market = api.open(&headers)?;
    let paging = Asked(query).paging("top_k")?;
    Ok(page(market.listings().filter(|listing| listing.rank.is_some()).map(ListedToken::from), paging))
}

type Parameters = HashMap<String, String>;

/// The query of a request. Parameters that are not known are ignored, as the real API seems to do.
struct Asked(Parameters);

/// Which tokens are asked for: all lists that are given must contain the token.
struct Wanted {
    ids: Option<Vec<TokenId>>,
    symbols: Option<Vec<String>>,
    names: Option<Vec<String>>,
}

impl Wanted {
    fn wants(&self, listing: &Listing) -> bool {
        let among =
            |list: &Option<Vec<String>>, text: &str| list.as_ref().is_none_or(|l| l.iter().any(|item| item.eq_ignore_ascii_case(text)));
        self.ids.as_ref().is_none_or(|ids| ids.contains(&listing.id))
            && among(&self.symbols, listing.symbol)
            && among(&self.names, listing.name)
    }
}

#[derive(Clone, Copy)]
struct Paging {
    skip: usize,
    limit: usize,
}

impl Asked {
    /// A parameter that is there and not empty.
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    fn list(&self, name: &str) -> Option<Vec<String>> {
        let items = self.get(name)?.split(',').map(str::trim);
        Some(items.filter(|item| !item.is_empty()).map(str::to_owned).collect())
    }

    fn integer(&self, name: &str) -> Result<Option<i64>, Refusal> {
        self.get(name).map(|value| value.parse().map_err(|_| Refusal::BadParameter)).transpose()
    }

    fn tokens(&self) -> Result<Wanted, Refusal> {
        let ids = self.list("token_id").map(|ids| ids.iter().map(|id| id.parse().map(TokenId)).collect::<Result<Vec<_>, _>>()).transpose();
        Ok(Wanted { ids: ids.map_err(|_| Refusal::BadParameter)?, symbols: self.list("symbol"), names: self.list("token_name") })
    }

    fn signal(&self) -> Result<Option<i8>, Refusal> {
        match self.integer("signal")? {
            None => Ok(None),
            Some(signal @ -1..=1) => Ok(i8::try_from(signal).ok()),
            Some(_) => Err(Refusal::BadParameter),
        }
    }

    /// Both ends included; without one as far as there are rows.
    fn days(&self, (oldest, today): (Day, Day)) -> Result<(Day, Day), Refusal> {
        let first = self.day("startDate")?;
        let last = self.day("endDate")?;
        match (first, last) {
            (Some(first), Some(last)) if !(0..=MAX_DAYS).contains(&last.days_since(first)) => Err(Refusal::BadParameter),
            _ => Ok((first.unwrap_or(oldest), last.unwrap_or(today))),
        }
    }

    fn day(&self, name: &str) -> Result<Option<Day>, Refusal> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let day = Timestamp::parse(text).map(Timestamp::day).filter(|day| day.to_string() == text);
        day.map(Some).ok_or(Refusal::BadParameter)
    }

    /// `size` is `limit`, or `top_k` where the endpoint calls it so.
    fn paging(&self, size: &str) -> Result<Paging, Refusal> {
        let clamped = |number: Option<i64>, most: usize| number.map(|n| usize::try_from(n).unwrap_or(0).clamp(1, most));
        let limit = clamped(self.integer(size)?, MAX_LIMIT).unwrap_or(DEFAULT_LIMIT);
        let page = clamped(self.integer("page")?, 1_000_000).unwrap_or(1);
        Ok(Paging { skip: (page - 1) * limit, limit })
    }
}
