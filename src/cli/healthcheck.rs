//! `bellwether healthcheck`: asks the instance that runs beside it.

use super::{CommandResult, Failure};
use crate::config::Config;
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    process::ExitCode,
    time::Duration,
};

const TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn run(config: Config) -> CommandResult {
    let address = reachable(config.listen);
    if address.port() == 0 {
        return Err(Failure::Other(
            "BELLWETHER_LISTEN: port 0 was chosen by the system and is not known here; write a fixed port".to_owned(),
        ));
    }
    let answer = crate::http::client(TIMEOUT).get(format!("http://{address}/healthz")).send().await;
    match answer {
        Ok(answer) if answer.status().is_success() => Ok(ExitCode::SUCCESS),
        Ok(answer) => Err(Failure::Other(format!("{address} answers {}", answer.status()))),
        Err(error) => Err(Failure::Other(format!("{address} does not answer: {}", error.without_url()))),
    }
}

/// A listener on every address is asked on this machine's own.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_every_address_is_asked_on_this_machine() {
        for (listen, asked) in [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80"), ("10.0.0.1:80", "10.0.0.1:80")] {
            assert_eq!(reachable(listen.parse().unwrap()).to_string(), asked);
        }
    }
}
