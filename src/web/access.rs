//! Who may see operators' pages (`rules.md` 6.3).

use super::Peer;
use crate::http::{Credential, incoming::is_same};
use axum::{
    extract::{ConnectInfo, Request},
    http::{HeaderMap, StatusCode, header, uri::Authority},
    response::{IntoResponse, Response},
};
use secrecy::ExposeSecret;
use std::net::{IpAddr, SocketAddr};

/// Decides about every request for an operators' page.
#[derive(Debug)]
pub struct OperatorAccess {
    admin_token: Option<Credential>,
    listener: SocketAddr,
    has_public_url: bool,
}

/// Why a page is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing says that there is such a page.
    Hidden,
    /// The token is missing or wrong.
    Unauthorized,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Hidden => StatusCode::NOT_FOUND.into_response(),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")]).into_response(),
        }
    }
}

impl OperatorAccess {
    /// With a token: whoever shows it. Without: a direct loopback request to a loopback `listener` that nobody else reaches.
    pub fn new(admin_token: Option<Credential>, listener: SocketAddr, has_public_url: bool) -> Self {
        Self { admin_token, listener, has_public_url }
    }

    /// Whether this request may see an operators' page.
    ///
    /// # Errors
    /// How to refuse it.
    pub fn check(&self, request: &Request) -> Result<(), Refusal> {
        match &self.admin_token {
            Some(token) if bearer(request.headers()).is_some_and(|shown| is_same(shown, token.current().expose_secret())) => Ok(()),
            Some(_) => Err(Refusal::Unauthorized),
            None if self.is_direct(request) => Ok(()),
            None => Err(Refusal::Hidden),
        }
    }

    fn is_direct(&self, request: &Request) -> bool {
        let peer = request.extensions().get::<ConnectInfo<Peer>>().map(|info| info.0.0.ip());
        !self.has_public_url
            && is_loopback(self.listener.ip())
            && peer.is_some_and(is_loopback)
            && is_host_loopback(request)
            && !request.headers().keys().any(|name| is_forwarding(name.as_str()))
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// A web page of another origin can make a browser ask this machine, but not under this machine's own name.
fn is_host_loopback(request: &Request) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    // Two of them are a trick: whoever stands between may have believed the other one.
    let host = hosts.next().filter(|_| hosts.next().is_none()).and_then(|host| host.to_str().ok());
    let Some(authority) = host.and_then(|host| host.parse::<Authority>().ok()) else { return false };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(is_loopback)
}

fn is_forwarding(name: &str) -> bool {
    name.starts_with("x-forwarded") || matches!(name, "forwarded" | "via" | "x-real-ip" | "cf-connecting-ip" | "true-client-ip")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    const LOOPBACK: &str = "127.0.0.1:8080";

    fn request(peer: &str, headers: &[(&str, &str)]) -> Request {
        let mut request = Request::builder().uri("/metrics");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.extension(ConnectInfo(Peer(peer.parse().unwrap()))).body(Body::empty()).unwrap()
    }

    fn without_token(listener: &str, has_public_url: bool, peer: &str, headers: &[(&str, &str)]) -> Result<(), Refusal> {
        OperatorAccess::new(None, listener.parse().unwrap(), has_public_url).check(&request(peer, headers))
    }

    #[test]
    fn without_a_token_only_a_direct_loopback_request_is_answered() {
        let local = [("host", "localhost:8080")];
        for host in ["localhost:8080", "127.0.0.1", "[::1]:8080"] {
            assert_eq!(without_token(LOOPBACK, false, "127.0.0.1:5", &[("host", host)]), Ok(()), "{host}");
        }
        assert_eq!(without_token("[::1]:1", false, "[::ffff:127.0.0.1]:5", &local), Ok(()));
        for refused in [
            without_token(LOOPBACK, true, "127.0.0.1:5", &local),
            without_token("0.0.0.0:8080", false, "127.0.0.1:5", &local),
            without_token(LOOPBACK, false, "10.0.0.9:5", &local),
            without_token(LOOPBACK, false, "127.0.0.1:5", &[]),
            without_token(LOOPBACK, false, "127.0.0.1:5", &[("host", "rebound.example.org")]),
            without_token(LOOPBACK, false, "127.0.0.1:5", &[local[0], ("host", "rebound.example.org")]),
            without_token(LOOPBACK, false, "127.0.0.1:5", &[local[0], ("x-forwarded-for", "10.0.0.9")]),
            without_token(LOOPBACK, false, "127.0.0.1:5", &[local[0], ("forwarded", "for=10.0.0.9")]),
        ] {
            assert_eq!(refused, Err(Refusal::Hidden));
        }
    }

    #[test]
    fn with_a_token_whoever_shows_it_is_answered() {
        let access = OperatorAccess::new(Some("0123456789abcdef".into()), "0.0.0.0:8080".parse().unwrap(), true);
        let shown = |value: &str| access.check(&request("10.0.0.9:5", &[("authorization", value)]));
        assert_eq!(shown("Bearer 0123456789abcdef"), Ok(()));
        for wrong in ["Bearer 0123456789abcdee", "Bearer ", "Basic 0123456789abcdef", "0123456789abcdef"] {
            assert_eq!(shown(wrong), Err(Refusal::Unauthorized), "{wrong}");
        }
        let local = request("127.0.0.1:5", &[("host", "localhost")]);
        assert_eq!(access.check(&local), Err(Refusal::Unauthorized), "loopback is no token");
    }
}
