//! Which addresses a connection may go to. Pure.
//!
//! The token goes where these lead. The first is what `GET /gateway/bot` of the configured API names and never a constant of ours, so
//! that a bot that was pointed at another API (a test's, a proxy's) cannot end up at the real one.

use reqwest::Url;

/// The domain of Discord's own Gateway, whose hosts stand for each other.
const DISCORDS: &str = "discord.gg";

/// Where the Gateway is, as the API names it. Unencrypted only where the API is asked unencrypted too, which the configuration allows on
/// loopback or when it is told to.
///
/// # Errors
/// In words for the operator.
pub(super) fn gateway(named: &str, api: &str) -> Result<Url, String> {
    let url = Url::parse(named).map_err(|_| "the Gateway's address cannot be read".to_owned())?;
    let is_fit = match url.scheme() {
        "wss" => true,
        "ws" => api.starts_with("http://"),
        _ => false,
    };
    if is_fit && url.has_host() { Ok(url) } else { Err("the Gateway's address is not encrypted (wss)".to_owned()) }
}

/// Where a session is resumed, if what READY named is an address to trust: as well encrypted as the Gateway, and the same host or
/// another of Discord's own.
pub(super) fn resume(named: &str, gateway: &Url) -> Option<Url> {
    let url = Url::parse(named).ok()?;
    let (from, to) = (gateway.host_str()?, url.host_str()?);
    let is_discords = |host: &str| host == DISCORDS || host.strip_suffix(DISCORDS).is_some_and(|rest| rest.ends_with('.'));
    let is_near = from == to || (is_discords(from) && is_discords(to));
    let is_encrypted = url.scheme() == "wss" || url.scheme() == gateway.scheme();
    (is_near && is_encrypted).then_some(url)
}

/// The address with what is spoken there: the version, and JSON.
pub(super) fn with_protocol(mut url: Url) -> Url {
    url.set_query(Some(&format!("v={}&encoding=json", serenity::constants::GATEWAY_VERSION)));
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateway_is_encrypted_unless_the_api_is_not() {
        let (discord, fake) = ("https://discord.com", "http://127.0.0.1:5");
        assert!(gateway("wss://gateway.discord.gg", discord).is_ok());
        assert!(gateway("ws://127.0.0.1:7/x", fake).is_ok());
        for (named, api) in [("ws://gateway.discord.gg", discord), ("http://127.0.0.1:7", fake), ("nonsense", fake), ("wss://", discord)] {
            assert!(gateway(named, api).is_err(), "{named}");
        }
    }

    #[test]
    fn a_session_is_resumed_where_it_may_be() {
        let discord = Url::parse("wss://gateway.discord.gg").unwrap();
        let fake = Url::parse("ws://127.0.0.1:7").unwrap();
        let host = |named: &str, gateway: &Url| resume(named, gateway).map(|url| url.to_string());
        assert_eq!(host("wss://gateway-us-east1-b.discord.gg", &discord).unwrap(), "wss://gateway-us-east1-b.discord.gg/");
        assert_eq!(host("ws://127.0.0.1:8/again", &fake).unwrap(), "ws://127.0.0.1:8/again");
        for (named, gateway) in [
            ("ws://gateway-us-east1-b.discord.gg", &discord),
            ("wss://evil.example", &discord),
            ("wss://notdiscord.gg", &discord),
            ("wss://gateway.discord.gg.evil.example", &discord),
            ("wss://gateway-us-east1-b.discord.gg", &fake),
            ("http://127.0.0.1:8", &Url::parse("wss://127.0.0.1").unwrap()),
            ("", &fake),
        ] {
            assert_eq!(host(named, gateway), None, "{named}");
        }
    }

    #[test]
    fn version_and_encoding_are_named() {
        let url = with_protocol(Url::parse("wss://gateway.discord.gg?compress=zlib-stream").unwrap());
        assert_eq!(url.as_str(), "wss://gateway.discord.gg/?v=10&encoding=json");
    }
}
