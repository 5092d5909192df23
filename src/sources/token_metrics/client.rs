//! One HTTP call: the key in its header, the answer classified by what to do next.

use super::{
    collect::{Daily, Hourly, Latest, Levels, ids, paging},
    endpoint,
    insight::read_insights,
    keys::Keys,
    shape,
    version::Version,
    wire,
};
use crate::{
    domain::{Facet, Kind, Nameless, SourceId, Timestamp, Token, TokenId, wording::Trouble},
    http::{self, BodyError, Renewals},
    sources::{Ask, Call, Collector, PAGE_ROWS, Page, Source, SourceError, Wanted, value::Value},
};
use async_trait::async_trait;
use chrono::DateTime;
use reqwest::{
    StatusCode,
    header::{ACCEPT, DATE, HeaderMap, HeaderValue, RETRY_AFTER},
};
use secrecy::{ExposeSecret, SecretString};
use std::{fmt, time::Duration};

/// How long one call may take in all (`rules.md` 4.6).
const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest wait that the API can ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// The Token Metrics data API.
pub struct TokenMetrics {
    client: reqwest::Client,
    base_url: String,
    version: Version,
    keys: Keys,
}

impl TokenMetrics {
    /// A client for the API at `base_url` (`https://api.tokenmetrics.com/v2`), which also says the version. Whether that may be plain http is the configuration's business.
    pub fn new(base_url: &str, api_key: SecretString) -> Self {
        let (base_url, version) = (base_url.trim_end_matches('/').to_owned(), Version::of_url(base_url));
        Self { client: http::client(TIMEOUT), base_url, version, keys: Keys::new(api_key, None) }
    }

    /// The same with a key that is tried once the first one is refused.
    #[must_use]
    pub fn with_next_key(self, next: Option<SecretString>) -> Self {
        self.renew_keys(self.keys.current(), next);
        self
    }

    /// Other keys from now on. Says whether the first of them is another one than was used.
    pub fn renew_keys(&self, first: SecretString, next: Option<SecretString>) -> bool {
        self.keys.renew(first, next)
    }
}

impl fmt::Debug for TokenMetrics {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("TokenMetrics").finish_non_exhaustive()
    }
}

#[async_trait]
impl Source for TokenMetrics {
    fn id(&self) -> SourceId {
        SourceId::TokenMetrics
    }

    fn collect(&self, ask: Ask) -> Box<dyn Collector> {
        match ask.kind {
            Kind::Hourly => Box::new(Hourly::new(&ask)),
            Kind::Grade => Box::new(Latest::new(endpoint::GRADES, &ask)),
            Kind::Fundamental => Box::new(Latest::new(endpoint::FUNDAMENTALS, &ask)),
            Kind::Levels => Box::new(Levels::new(&ask)),
            Kind::Daily => Box::new(Daily::new(&ask)),
        }
    }

    async fn call(&self, call: &Call) -> Result<Page, SourceError> {
        let api_key = self.keys.current();
        let mut key = HeaderValue::from_str(api_key.expose_secret()).map_err(|_| SourceError::Rejected {
            status: 0,
            message: "the API key holds characters that no header can carry".to_owned(),
        })?;
        key.set_sensitive(true);
        let request = self.client.get(format!("{}/{}", self.base_url, call.endpoint)).query(&call.query);
        let response = request.header("x-api-key", key).header(ACCEPT, "application/json").send().await.map_err(no_answer)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = http::read_body(response).await;
        match classify(status, &headers, &body, api_key.expose_secret()) {
            Ok(body) => Ok(finish(self.version, call, &body, &headers)),
            Err(error) => Err(self.keys.after(&api_key, error)),
        }
    }

    fn ranks(&self, page: u32) -> Call {
        Call { endpoint: endpoint::RANKS, query: vec![("top_k", PAGE_ROWS.to_string()), ("page", page.to_string())] }
    }

    fn directory(&self, page: u32) -> Call {
        Call { endpoint: endpoint::TOKENS, query: vec![("limit", PAGE_ROWS.to_string()), ("page", page.to_string())] }
    }

    fn insight(&self, facet: Facet, tokens: &[TokenId]) -> Call {
        let mut query = vec![("token_id", ids(tokens))];
        // The endpoint of prices knows no pages.
        if facet != Facet::Price {
            query.extend(paging(1));
        }
        Call { endpoint: endpoint::of(facet), query }
    }

    fn renewals(&self) -> Option<Renewals> {
        Some(self.keys.renewals())
    }

    fn uses_next_key(&self) -> bool {
        self.keys.uses_next()
    }

    fn lookup(&self, wanted: &Wanted) -> Call {
        let wanted = match wanted {
            Wanted::Symbol(symbol) => ("symbol", symbol.clone()),
            Wanted::Id(id) => ("token_id", id.to_string()),
        };
        Call { endpoint: endpoint::TOKENS, query: vec![wanted, ("limit", PAGE_ROWS.to_string()), ("page", "1".to_owned())] }
    }
}

/// No status came: the words of the error without its URL.
fn no_answer(error: reqwest::Error) -> SourceError {
    let (trouble, what) = if error.is_timeout() {
        (Trouble::SourceTimeout, "the API did not answer in time")
    } else if error.is_connect() {
        (Trouble::SourceUnreachable, "the API cannot be reached")
    } else {
        (Trouble::SourceBroken, "the call broke off")
    };
    let error = error.without_url();
    let cause = std::iter::successors(std::error::Error::source(&error), |error| error.source()).last().map(ToString::to_string);
    let what = cause.map_or_else(|| what.to_owned(), |cause| format!("{what}: {}", http::quoted(&cause)));
    SourceError::Transient { trouble, what }
}

/// What an answer means. Some APIs repeat the key in their refusal: it goes no further than here.
fn classify<'a>(
    status: StatusCode,
    headers: &HeaderMap,
    body: &'a Result<Vec<u8>, BodyError>,
    key: &str,
) -> Result<wire::Body<'a>, SourceError> {
    let code = status.as_u16();
    let unread = if matches!(body, Err(BodyError::Broken(_))) { Trouble::SourceBroken } else { Trouble::SourceUnreadable };
    let answer = body.as_ref().map_err(ToString::to_string).and_then(|bytes| wire::read_json(bytes));
    let words = answer.as_ref().ok().and_then(wire::words);
    let read = answer.and_then(wire::unpack);
    let is_the_apis = words.is_some() || read.is_ok();
    let message = match (words, &read) {
        (Some(words), _) if key.is_empty() => http::quoted(&words),
        (Some(words), _) => http::quoted(&words.replace(key, "[key]")),
        (None, Ok(_)) => "without a word".to_owned(),
        (None, Err(why)) => format!("the answer cannot be read: {}", http::quoted(why)),
    };
    match (code, read) {
        (200..=299, Ok(body)) if body.success || body.is_not_found() => Ok(body),
        (200..=299, Ok(_)) => Err(SourceError::Rejected { status: code, message }),
        (200..=299, Err(_)) => Err(SourceError::Transient { trouble: unread, what: message }),
        (404, Ok(body)) if body.is_not_found() => Ok(body),
        (402, _) => Err(SourceError::Refused { status: code, message }),
        (401 | 403, _) if is_the_apis => Err(SourceError::Refused { status: code, message }),
        // The page of a proxy or a firewall on the way says nothing about the key.
        (401 | 403 | 407, _) => Err(SourceError::Unavailable { status: code, message }),
        (429, _) => Err(SourceError::RateLimited { after: wait_asked(headers) }),
        (408 | 425, _) => Err(SourceError::Unavailable { status: code, message }),
        // Never followed: the key would go along.
        (300..=399, _) => Err(SourceError::Unavailable { status: code, message: "it redirects elsewhere".to_owned() }),
        (400..=499, _) => Err(SourceError::Rejected { status: code, message }),
        _ => Err(SourceError::Unavailable { status: code, message }),
    }
}

/// As long as a 429 asks to wait: `Retry-After` in seconds or as a date, else `X-RateLimit-Reset`. Points in time are compared with the
/// answer's own `Date`, so that a wrong clock here does no harm.
fn wait_asked(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let their_now = || text(DATE.as_str()).and_then(http_date);
    let until = |at: Timestamp| their_now().map(|now| at.since(now));
    let retry_after = text(RETRY_AFTER.as_str()).and_then(|value| match value.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => until(http_date(value)?),
    });
    let reset = || match text("x-ratelimit-reset")?.parse::<i64>().ok()? {
        seconds @ 0..1_000_000_000 => Some(Duration::from_secs(seconds.unsigned_abs())),
        millis @ 100_000_000_000.. => until(Timestamp::from_millis(millis)),
        at @ 1_000_000_000.. => until(Timestamp::from_secs(at)),
        _ => None,
    };
    retry_after.or_else(reset).map(|wait| wait.min(LONGEST_WAIT))
}

fn http_date(text: &str) -> Option<Timestamp> {
    DateTime::parse_from_rfc2822(text).ok().map(|at| Timestamp::from_millis(at.timestamp_millis()))
}

/// The page as the rest of the house knows it.
fn finish(version: Version, call: &Call, body: &wire::Body<'_>, headers: &HeaderMap) -> Page {
    let (tokens, nameless) = named(version, call, &body.rows);
    let request_id = ["x-request-id", "x-amzn-requestid", "cf-ray"].iter().find_map(|name| headers.get(*name)?.to_str().ok());
    let (observations, set_aside) =
        endpoint::kind_of(call.endpoint).map(|kind| wire::read_rows(version, kind, &body.rows)).unwrap_or_default();
    let is_list = call.endpoint == endpoint::TOKENS;
    let categories = body.rows.iter().filter(|_| is_list).filter_map(|row| wire::read_category(version, row)).collect();
    Page {
        rows: body.rows.len(),
        observations,
        set_aside,
        fields: shape::count(version, call.endpoint, &body.rows),
        tokens,
        nameless,
        insights: read_insights(version, call.endpoint, &body.rows),
        categories,
        not_found: body.is_not_found(),
        request_id: request_id.map(|id| id.chars().take(64).collect()),
    }
}

/// The tokens that rows are about, each once; those of which a list says nothing but the number by themselves.
fn named(version: Version, call: &Call, rows: &[Value<'_>]) -> (Vec<Token>, Vec<Nameless>) {
    let (is_ranks, is_list) = (call.endpoint == endpoint::RANKS, [endpoint::RANKS, endpoint::TOKENS].contains(&call.endpoint));
    let page: u32 = call.query.iter().find(|(name, _)| *name == "page").and_then(|(_, page)| page.parse().ok()).unwrap_or(1);
    let before = page.saturating_sub(1).saturating_mul(PAGE_ROWS as u32);
    let (mut tokens, mut nameless) = (Vec::new(), Vec::new());
    // The place is that in the answer, also behind a row that cannot be read.
    for (row, place) in rows.iter().zip(1_u32..) {
        let rank = is_ranks.then(|| before.saturating_add(place));
        match wire::read_token(version, row) {
            Some(token) => tokens.push(Token { rank, ..token }),
            None if is_list => nameless.extend(wire::token_id(version.keys(), row).map(|id| Nameless { id, rank })),
            None => {}
        }
    }
    tokens.sort_by_key(|token| (token.id, token.rank));
    tokens.dedup_by_key(|token| token.id);
    (tokens, nameless)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs = &'static [(&'static str, &'static str)];

    fn headers(pairs: Pairs) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_429_says_how_long_in_many_ways() {
        const DATE: (&str, &str) = ("date", "Sun, 22 Nov 2026 08:00:00 GMT");
        let table: &[(Pairs, Option<u64>)] = &[
            (&[("retry-after", "30")], Some(30)),
            (&[DATE, ("retry-after", "Sun, 22 Nov 2026 08:01:30 GMT")], Some(90)),
            (&[DATE, ("retry-after", "Sun, 22 Nov 2026 07:00:00 GMT")], Some(0)),
            (&[("retry-after", "Sun, 22 Nov 2026 08:01:30 GMT")], None),
            (&[DATE, ("x-ratelimit-reset", "1795334460")], Some(60)),
            (&[DATE, ("x-ratelimit-reset", "1795334460000")], Some(60)),
            (&[("x-ratelimit-reset", "45")], Some(45)),
            (&[("retry-after", "soon"), ("x-ratelimit-reset", "45")], Some(45)),
            (&[("retry-after", "-1")], None),
            (&[("retry-after", "9999999999")], Some(24 * 3600)),
            (&[], None),
        ];
        for (given, expected) in table {
            assert_eq!(wait_asked(&headers(given)), expected.map(Duration::from_secs), "{given:?}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let source = TokenMetrics::new("https://example.org/v2/", SecretString::from("tm-secret"));
        assert!(!format!("{source:?}").contains("tm-secret"));
        assert_eq!(source.base_url, "https://example.org/v2");
    }
}
