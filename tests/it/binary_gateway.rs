//! The built binary as someone without a public address runs it: Discord's commands over the Gateway.

use crate::support::{
    fake_discord::{FaultKind, interaction},
    process::{Fakes, Installation, Process, get, until, wait_for_polls},
};
use interaction::{ADMIN, PLAIN, for_channel, in_server, slash};
use serde_json::json;
use std::time::Duration;

async fn installation(fakes: &Fakes) -> Installation {
    let installation = Installation::new(fakes, "sqlite://bellwether.db");
    installation.fill("DISCORD_PUBLIC_KEY", "");
    installation
}

/// What `/readyz` says of Discord, once it says this.
async fn discord_is(address: &str, state: &str) {
    let said = until(|| async { get(address, "/readyz").await.1.contains(&format!("\"discord\":\"{state}\"")).then_some(()) }).await;
    assert!(said.is_some(), "{}", get(address, "/readyz").await.1);
}

#[tokio::test]
async fn commands_work_without_an_address_and_a_stop_finishes_what_was_asked() {
    let fakes = Fakes::start().await;
    let installation = installation(&fakes).await;
    let (process, address) = installation.serve().await;
    let gateway = &fakes.discord.gateway;
    gateway.connected().await;
    discord_is(&address, "up").await;
    wait_for_polls(&address, "ranks", 1).await;
    let subscribe = in_server(31, PLAIN, slash("subscribe", &[("tokens", "SOL")]));
    gateway.asks(&subscribe);
    assert!(gateway.answer(&subscribe).await.to_string().contains("Subscribed"));
    gateway.hang_up();
    let missed = in_server(32, PLAIN, slash("subscriptions", &[]));
    gateway.asks(&missed);
    assert!(gateway.answer(&missed).await.to_string().contains("SOL"));

    fakes.discord.channel("4242", json!({}));
    fakes.discord.fault("GET /channels/4242", 1, FaultKind::Delay(Duration::from_millis(800)));
    let slow = in_server(33, ADMIN, for_channel("test", "4242", &[]));
    gateway.asks(&slow);
    until(|| async { fakes.discord.requests().contains(&"GET /channels/4242".to_owned()).then_some(()) }).await.unwrap();
    let ended = process.stop("TERM").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    gateway.answer(&slow).await;
    gateway.with(|state| {
        assert_eq!((state.identified.len(), state.resumed.len(), state.closed.as_slice()), (1, 1, &[4000][..]));
    });
    fakes.discord.unread();
}

#[tokio::test]
async fn an_endpoint_that_takes_the_commands_away_is_told() {
    let fakes = Fakes::start().await;
    fakes.discord.set_endpoint(Some("https://old.example.org/discord/interactions"));
    let (process, address) = installation(&fakes).await.serve().await;
    discord_is(&address, "down").await;
    let line = process.wait_for("clear the Interactions Endpoint URL").await;
    assert!(line.contains("old.example.org") && line.contains(&interaction::public_key()), "{line}");
    assert_eq!(process.stop("TERM").await.code, Some(0));
}

#[tokio::test]
async fn a_refused_token_ends_the_gateway_and_the_rest_goes_on() {
    let fakes = Fakes::start().await;
    fakes.discord.gateway.with(|state| state.refusals.push_back(4004));
    let (process, address) = installation(&fakes).await.serve().await;
    process.wait_for("Discord refuses the bot's token (4004)").await;
    discord_is(&address, "down").await;
    assert_eq!(get(&address, "/healthz").await.0, 200);
    assert_eq!(get(&address, "/readyz").await.0, 200, "Telegram works");
    assert_eq!(process.stop("TERM").await.code, Some(0));
    fakes.discord.gateway.with(|state| assert_eq!(state.paths.len(), 1, "it is not tried again"));
}

#[tokio::test]
async fn where_discord_does_not_say_nothing_else_is_dialled() {
    let fakes = Fakes::start().await;
    fakes.discord.refuse("GET /gateway", 3, 500, 0);
    let installation = installation(&fakes).await;
    let (process, address) = installation.serve().await;
    let seen = until(|| async {
        let elsewhere = dialled(&process).into_iter().find(|remote| !is_loopback(remote));
        assert_eq!(elsewhere, None, "{}", process.log());
        fakes.discord.gateway.with(|state| state.live_count() == 1).then_some(())
    });
    assert!(seen.await.is_some(), "{}", process.log());
    assert!(dialled(&process).iter().any(|remote| is_loopback(remote)), "what is dialled is seen");
    assert_eq!(
        process.log().matches("Discord does not say where the Gateway is").count(),
        3,
        "each failure; nobody is told of a few seconds"
    );
    discord_is(&address, "up").await;
    assert_eq!(process.stop("TERM").await.code, Some(0));
    assert!(!installation.everything_written().contains("discord.gg"));
}

/// The other ends of the process's TCP connections, as the kernel writes them.
fn dialled(process: &Process) -> Vec<String> {
    let proc = format!("/proc/{}", process.id());
    let sockets: Vec<String> = std::fs::read_dir(format!("{proc}/fd"))
        .unwrap()
        .filter_map(|entry| {
            std::fs::read_link(entry.ok()?.path()).ok()?.to_str()?.strip_prefix("socket:[")?.strip_suffix(']').map(str::to_owned)
        })
        .collect();
    let tables = ["tcp", "tcp6"].map(|table| std::fs::read_to_string(format!("{proc}/net/{table}")).unwrap_or_default());
    let rows = tables.iter().flat_map(|table| table.lines().skip(1)).map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| sockets.iter().any(|socket| socket == row[9])).map(|row| row[2].to_owned()).collect()
}

/// 127.0.0.1, also as part of IPv6, or nobody (a listener).
fn is_loopback(remote: &str) -> bool {
    let address = remote.split(':').next().unwrap();
    address.ends_with("0100007F") || address.bytes().all(|digit| digit == b'0')
}
