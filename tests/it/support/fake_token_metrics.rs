//! A Token Metrics API that lives in memory and speaks real HTTP, as strict as its reference says, with faults on request.

mod rows;

use super::weather::Weather;
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use bellwether::{
    clock::{Clock, SystemClock},
    domain::Timestamp,
};
use rows::{daily, fundamental, graded, hourly, in_v3, leveled, listed, measured, predicted, priced, token_of, traded};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::sync::Notify;

/// The one key that it takes.
pub const API_KEY: &str = "tm-00000000-aaaa-bbbb-cccc-key-of-the-tests";

/// What goes wrong with the next call of an endpoint.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This status with this body.
    Status(u16, String),
    /// This status with headers and the body of the samples.
    WithHeaders(u16, Vec<(&'static str, String)>),
    /// The rows of the real answer replaced by these.
    Rows(Vec<Value>),
    /// The real answer, cut in the middle.
    Truncated,
    /// A page for people.
    Html(u16),
    /// The real answer, so much later.
    Delay(Duration),
    /// The real answer, once the test lets it go.
    Held(Arc<Notify>),
    /// The connection breaks before the promised length.
    BrokenOff,
    /// An answer that is larger than anybody reads.
    Endless,
    /// Nobody ever answers.
    Silence,
    /// The connection closes without a word.
    HangUp,
}

/// One call as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub endpoint: String,
    pub query: BTreeMap<String, String>,
    /// What it was answered with.
    pub status: u16,
}

impl Seen {
    /// The ids that were asked for.
    pub fn ids(&self) -> Vec<i64> {
        self.query.get("token_id").map(|ids| ids.split(',').map(|id| id.parse().unwrap()).collect()).unwrap_or_default()
    }
}

#[derive(Clone, Debug)]
struct TokenRow {
    id: i64,
    symbol: String,
    name: String,
}

#[derive(Default)]
struct Inner {
    daily: BTreeMap<(Timestamp, i64), (i64, i64)>,
    hourly: BTreeMap<(Timestamp, i64), (i64, i64)>,
    grades: BTreeMap<i64, (String, String)>,
    fundamentals: BTreeMap<i64, (String, String, [Option<f64>; 5])>,
    prices: BTreeMap<i64, f64>,
    levels: BTreeMap<i64, Vec<(String, f64)>>,
    risks: BTreeMap<i64, [Option<f64>; 3]>,
    scenarios: BTreeMap<i64, (f64, Vec<[f64; 4]>)>,
    past_prices: BTreeMap<(&'static str, i64), BTreeMap<Timestamp, f64>>,
    tokens: Vec<TokenRow>,
    unranked: Vec<TokenRow>,
    faults: BTreeMap<String, VecDeque<Fault>>,
    down: Option<Fault>,
    weather: Option<Weather<Fault>>,
    down_at: BTreeMap<String, Fault>,
    /// Fields of an endpoint's rows that are gone, or something else.
    reshaped: BTreeMap<(String, String), Option<Value>>,
    seen: Vec<Seen>,
    /// Every call as it came: of which endpoint, and when.
    arrived: Vec<(String, Timestamp)>,
    /// What is taken instead of the usual key.
    key: Option<String>,
}

/// The fake. Cheap to clone; ends with the test.
#[derive(Clone)]
pub struct FakeTokenMetrics {
    inner: Arc<Mutex<Inner>>,
    /// The API's base URL: where it listens, and the version.
    pub url: String,
}

impl FakeTokenMetrics {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v2", listener.local_addr().unwrap());
        let inner = Arc::new(Mutex::new(Inner::default()));
        let app = Router::new().fallback(answer).with_state(inner.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { inner, url }
    }

    /// The base URL is that of version 3 from now on; both versions are served all the time.
    pub fn speak_v3(&mut self) {
        self.url = self.url.replace("/v2", "/v3");
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// From now on this key is taken, and no other.
    pub fn take_key(&self, key: &str) {
        self.inner().key = Some(key.to_owned());
    }

    /// The daily row of a token: signal and trend.
    pub fn set_daily(&self, token: i64, date: &str, signal: i64, trend: i64) {
        self.inner().daily.insert((Timestamp::parse(date).unwrap(), token), (signal, trend));
    }

    /// The hourly row of a token: signal and position.
    pub fn set_hourly(&self, token: i64, hour: &str, signal: i64, position: i64) {
        self.inner().hourly.insert((Timestamp::parse(hour).unwrap(), token), (signal, position));
    }

    /// What a token's price was at the end of each day from this one on.
    pub fn set_daily_prices(&self, token: i64, begin: &str, prices: &[f64]) {
        self.set_past_prices("daily-ohlcv", Duration::from_secs(24 * 3600), token, begin, prices);
    }

    /// The same of each hour.
    pub fn set_hourly_prices(&self, token: i64, begin: &str, prices: &[f64]) {
        self.set_past_prices("hourly-ohlcv", Duration::from_secs(3600), token, begin, prices);
    }

    fn set_past_prices(&self, endpoint: &'static str, period: Duration, token: i64, begin: &str, prices: &[f64]) {
        let begin = Timestamp::parse(begin).unwrap();
        let prices = (0_u32..).zip(prices).map(|(place, price)| (begin + period * place, *price)).collect();
        self.inner().past_prices.insert((endpoint, token), prices);
    }

    /// How a token is graded: label and number.
    pub fn set_grade(&self, token: i64, label: &str, grade: f64) {
        self.inner().grades.insert(token, (label.to_owned(), grade.to_string()));
    }

    /// The fundamental grade of a token: class, number (which a thin row lacks), and the scores of community, tokenomics, exchanges, investors and DeFi.
    pub fn set_fundamental(&self, token: i64, class: &str, grade: impl Into<Option<f64>>, scores: [Option<f64>; 5]) {
        let grade = grade.into().map_or_else(String::new, |grade| grade.to_string());
        self.inner().fundamentals.insert(token, (class.to_owned(), grade, scores));
    }

    /// The price of a token in US dollars.
    pub fn set_price(&self, token: i64, price: f64) {
        self.inner().prices.insert(token, price);
    }

    /// The levels of a token's price, each with its date.
    pub fn set_levels(&self, token: i64, levels: &[(&str, f64)]) {
        let levels = levels.iter().map(|(date, at)| ((*date).to_owned(), *at)).collect();
        self.inner().levels.insert(token, levels);
    }

    /// How a token's price fared: volatility, Sharpe ratio and drawdown.
    pub fn set_risk(&self, token: i64, measures: [Option<f64>; 3]) {
        self.inner().risks.insert(token, measures);
    }

    /// What a token's price could be: the market of now, and for each market then the prices of bear, base and moon.
    pub fn set_scenarios(&self, token: i64, market: f64, cases: &[[f64; 4]]) {
        self.inner().scenarios.insert(token, (market, cases.to_vec()));
    }

    /// The tokens by market cap, the largest first.
    pub fn set_tokens<'a>(&self, tokens: impl IntoIterator<Item = (i64, &'a str, &'a str)>) {
        let row = |(id, symbol, name): (i64, &str, &str)| TokenRow { id, symbol: symbol.to_owned(), name: name.to_owned() };
        self.inner().tokens = tokens.into_iter().map(row).collect();
    }

    /// A token that is in the full list alone.
    pub fn add_unranked(&self, id: i64, symbol: &str, name: &str) {
        self.inner().unranked.push(TokenRow { id, symbol: symbol.to_owned(), name: name.to_owned() });
    }

    /// From now on a field of every row of this endpoint is gone (nothing), or this.
    pub fn reshape(&self, endpoint: &str, field: &str, value: Option<Value>) {
        self.inner().reshaped.insert((endpoint.to_owned(), field.to_owned()), value);
    }

    /// All fields are as they should be again.
    pub fn reshape_none(&self) {
        self.inner().reshaped.clear();
    }

    /// From now on each call is held against this weather.
    pub fn observe(&self, weather: Weather<Fault>) {
        self.inner().weather = Some(weather);
    }

    /// The next call of this endpoint goes wrong like this; faults queue up.
    pub fn fault(&self, endpoint: &str, fault: Fault) {
        self.inner().faults.entry(endpoint.to_owned()).or_default().push_back(fault);
    }

    /// Every call goes wrong like this, until `None`.
    pub fn set_down(&self, fault: Option<Fault>) {
        self.inner().down = fault;
    }

    /// Every call of this endpoint goes wrong like this, until `None`.
    pub fn set_down_at(&self, endpoint: &str, fault: Option<Fault>) {
        let mut inner = self.inner();
        match fault {
            Some(fault) => inner.down_at.insert(endpoint.to_owned(), fault),
            None => inner.down_at.remove(endpoint),
        };
    }

    /// Takes back every daily row of a token, as if it were listed no more.
    pub fn remove_daily(&self, token: i64) {
        self.inner().daily.retain(|(_, id), _| *id != token);
    }

    /// Takes back every hourly row of a token.
    pub fn remove_hourly(&self, token: i64) {
        self.inner().hourly.retain(|(_, id), _| *id != token);
    }

    /// Every call since the last time this was asked.
    pub fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.inner().seen)
    }

    /// When each call came, by the system's clock, with its endpoint.
    pub fn arrivals(&self) -> Vec<(String, Timestamp)> {
        self.inner().arrived.clone()
    }
}

type Query = BTreeMap<String, String>;
/// A refusal: the status and the API's words.
type Refusal = (u16, &'static str);

async fn answer(State(inner): State<Arc<Mutex<Inner>>>, request: Request) -> Response {
    let path = request.uri().path();
    let is_v3 = path.starts_with("/v3/");
    let is_known = is_v3 || path.starts_with("/v2/");
    let endpoint = path.trim_start_matches("/v2/").trim_start_matches("/v3/").to_owned();
    let query: Query = axum::extract::Query::try_from_uri(request.uri()).map(|query| query.0).unwrap_or_default();
    let (fault, result) = {
        let mut inner = inner.lock().unwrap();
        inner.arrived.push((endpoint.clone(), SystemClock.now()));
        let queued = inner.faults.get_mut(&endpoint).and_then(VecDeque::pop_front);
        let queued = queued.or_else(|| inner.weather.as_ref().and_then(|weather| weather(&endpoint, "")));
        let fault = queued.or_else(|| inner.down_at.get(&endpoint).cloned()).or_else(|| inner.down.clone());
        let result = if is_known {
            let key = inner.key.as_deref().unwrap_or(API_KEY);
            check(request.headers(), key, &query).and_then(|paging| rows(&inner, &endpoint, &query, paging))
        } else {
            Err((404, "Not found"))
        };
        (fault, result)
    };
    let (status, body) = match result {
        Ok(rows) if rows.is_empty() => (404, json!({"success": false, "message": "Data not found", "length": 0, "data": []})),
        Ok(rows) => {
            let rows: Vec<_> = rows.into_iter().map(|row| if is_v3 { in_v3(row) } else { row }).collect();
            (200, json!({"success": true, "message": "Data fetched successfully", "length": rows.len(), "data": rows}))
        }
        Err((status, message)) => (status, json!({"success": false, "message": message})),
    };
    let response = match fault {
        None => reply(status, body.to_string()),
        Some(fault) => faulty(fault, status, &body).await,
    };
    inner.lock().unwrap().seen.push(Seen { endpoint, query, status: response.status().as_u16() });
    response
}

async fn faulty(fault: Fault, status: u16, body: &Value) -> Response {
    let text = body.to_string();
    match fault {
        Fault::Status(status, body) => reply(status, body),
        Fault::WithHeaders(status, headers) => {
            let mut response = reply(status, json!({"success": false, "message": "Rate limit exceeded"}).to_string());
            for (name, value) in headers {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            response
        }
        Fault::Rows(rows) => reply(200, json!({"success": true, "message": "", "length": rows.len(), "data": rows}).to_string()),
        Fault::Truncated => reply(200, text[..text.len() / 2].to_owned()),
        Fault::Html(status) => reply(status, "<!DOCTYPE html><html><body>Bad gateway</body></html>".to_owned()),
        Fault::Delay(time) => {
            tokio::time::sleep(time).await;
            reply(status, text)
        }
        Fault::Held(until) => {
            until.notified().await;
            reply(status, text)
        }
        Fault::BrokenOff => {
            let chunks = [Ok(Bytes::from("{\"success\": true, \"data\": [")), Err(std::io::Error::other("gone"))];
            Body::from_stream(futures_util::stream::iter(chunks)).into_response()
        }
        Fault::Silence => std::future::pending().await,
        Fault::HangUp => std::panic::resume_unwind(Box::new("hung up on purpose")),
        Fault::Endless => {
            let chunks = std::iter::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 65_536]))).take(200);
            Body::from_stream(futures_util::stream::iter(chunks)).into_response()
        }
    }
}

fn reply(status: u16, body: String) -> Response {
    (StatusCode::from_u16(status).unwrap(), [("content-type", "application/json"), ("x-request-id", "fake-1")], body).into_response()
}

/// What is the same for every endpoint: the key, and paging with `limit` up to 100 and `page` from 1.
fn check(headers: &HeaderMap, key: &str, query: &Query) -> Result<(usize, usize), Refusal> {
    if headers.get("x-api-key").and_then(|shown| shown.to_str().ok()) != Some(key) {
        return Err((401, "Invalid API key"));
    }
    let number = |names: [&str; 2], default: usize| match names.iter().find_map(|name| query.get(*name)) {
        None => Ok(default),
        Some(text) => text.parse().map_err(|_| (400, "Invalid parameters")),
    };
    let (limit, page) = (number(["limit", "top_k"], 50)?, number(["page", "page"], 1)?);
    if !(1..=100).contains(&limit) || page < 1 { Err((400, "Invalid parameters")) } else { Ok((limit, page)) }
}

fn rows(inner: &Inner, endpoint: &str, query: &Query, (limit, page): (usize, usize)) -> Result<Vec<Value>, Refusal> {
    let ids: Option<Vec<i64>> = match query.get("token_id") {
        None => None,
        Some(text) => Some(text.split(',').map(|id| id.parse().map_err(|_| (400, "Invalid parameters"))).collect::<Result<_, _>>()?),
    };
    let asked = |id: i64| ids.as_ref().is_none_or(|ids| ids.contains(&id));
    let all: Vec<Value> = match endpoint {
        "trading-signals" => {
            let (start, end) = dates(query)?;
            let rows = inner.daily.iter().rev().filter(|((date, id), _)| asked(*id) && (start..=end).contains(date));
            rows.map(|((date, id), (signal, trend))| daily(inner, *id, *date, *signal, *trend)).collect()
        }
        "hourly-trading-signals" => {
            if ids.is_none() {
                return Err((400, "token_id is required"));
            }
            let rows = inner.hourly.iter().rev().filter(|((_, id), _)| asked(*id));
            rows.map(|((hour, id), (signal, position))| hourly(inner, *id, *hour, *signal, *position)).collect()
        }
        "tm-grade" => {
            inner.grades.iter().filter(|(id, _)| asked(**id)).map(|(id, (label, grade))| graded(inner, *id, label, grade)).collect()
        }
        "fundamental-grade" => {
            let rows = inner.fundamentals.iter().filter(|(id, _)| asked(**id));
            rows.map(|(id, (class, grade, scores))| fundamental(inner, *id, class, grade, *scores)).collect()
        }
        // These two are about tokens that are named: without ids there is nothing to answer.
        "price" | "resistance-support" if ids.is_none() => return Err((400, "token_id is required")),
        "price" => inner.prices.iter().filter(|(id, _)| asked(**id)).map(|(id, price)| priced(inner, *id, *price)).collect(),
        "resistance-support" => inner.levels.iter().filter(|(id, _)| asked(**id)).map(|(id, levels)| leveled(inner, *id, levels)).collect(),
        "quantmetrics" => inner.risks.iter().filter(|(id, _)| asked(**id)).map(|(id, measures)| measured(inner, *id, *measures)).collect(),
        "price-prediction" => {
            let rows = inner.scenarios.iter().filter(|(id, _)| asked(**id));
            rows.map(|(id, (market, cases))| predicted(inner, *id, *market, cases)).collect()
        }
        "daily-ohlcv" | "hourly-ohlcv" => {
            let symbols: Option<Vec<&str>> = query.get("symbol").map(|text| text.split(',').collect());
            if ids.is_none() && symbols.is_none() {
                return Err((400, "token_id or symbol is required"));
            }
            let range = if query.contains_key("startDate") || query.contains_key("endDate") { Some(dates(query)?) } else { None };
            let is_named = |id: i64| symbols.as_ref().is_none_or(|symbols| symbols.contains(&token_of(inner, id).symbol.as_str()));
            let is_within = |at: Timestamp| range.is_none_or(|(start, end)| (start.day()..=end.day()).contains(&at.day()));
            let tokens = inner.past_prices.iter().filter(|((of, id), _)| *of == endpoint && asked(*id) && is_named(*id));
            let all = tokens.flat_map(|((_, id), prices)| prices.iter().rev().map(|(at, price)| (*id, *at, *price)));
            all.filter(|(_, at, _)| is_within(*at)).map(|(id, at, price)| traded(inner, endpoint, id, at, price)).collect()
        }
        "top-market-cap-tokens" => inner.tokens.iter().map(listed).collect(),
        "tokens" => {
            let symbols: Option<Vec<&str>> = query.get("symbol").map(|text| text.split(',').collect());
            let matches = |row: &&TokenRow| asked(row.id) && symbols.as_ref().is_none_or(|symbols| symbols.contains(&row.symbol.as_str()));
            inner.tokens.iter().chain(&inner.unranked).filter(matches).map(listed).collect()
        }
        _ => return Err((404, "Not found")),
    };
    Ok(all.into_iter().skip((page - 1) * limit).take(limit).map(|row| reshaped(inner, endpoint, row)).collect())
}

fn reshaped(inner: &Inner, endpoint: &str, mut row: Value) -> Value {
    let fields = row.as_object_mut().unwrap();
    for ((_, field), value) in inner.reshaped.iter().filter(|((at, _), _)| at == endpoint) {
        fields.remove(field);
        fields.extend(value.clone().map(|value| (field.clone(), value)));
    }
    row
}

/// Both dates as `YYYY-MM-DD`, at most 29 days apart.
fn dates(query: &Query) -> Result<(Timestamp, Timestamp), Refusal> {
    let date = |name: &str| query.get(name).filter(|text| text.len() == 10).and_then(|text| Timestamp::parse(text));
    match (date("startDate"), date("endDate")) {
        (Some(start), Some(end)) if start <= end && end.day().days_since(start.day()) <= 29 => Ok((start, end)),
        _ => Err((400, "Invalid parameters")),
    }
}
