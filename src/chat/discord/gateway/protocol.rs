//! What is said over the Gateway, as text and as values
//! ([Discord, Gateway events](https://discord.com/developers/docs/events/gateway-events)). Pure: no socket, no time, no log.

use crate::domain::wording::Trouble;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use serenity::{
    constants::{Opcode, close_codes},
    model::gateway::GatewayIntents,
};
use std::{collections::BTreeSet, time::Duration};

/// Servers and their channels: that the bot came or was removed, that a channel is gone. Commands need no intent.
const INTENTS: GatewayIntents = GatewayIntents::GUILDS;
/// The API version is not one that Discord serves; serenity has no name for it.
const INVALID_VERSION: u16 = 4012;
/// Discord's older word for a session that is over.
const SESSION_INVALID: u16 = 4006;

/// One of the connections that share the servers among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardId {
    /// Which, from 0.
    pub index: u32,
    /// How many there are; never 0.
    pub of: u32,
}

impl ShardId {
    /// Whether this shard is told of a server. A server without a readable id is nobody's.
    pub(super) fn serves(self, guild: &str) -> bool {
        guild.parse::<u64>().is_ok_and(|id| (id >> 22) % u64::from(self.of) == u64::from(self.index))
    }
}

/// What Discord said.
#[derive(Debug, PartialEq)]
pub(super) enum Heard {
    /// The first word: how often a heartbeat is expected.
    Hello { interval: Duration },
    /// A heartbeat is wanted at once.
    Heartbeat,
    /// Our heartbeat arrived.
    Acknowledged,
    /// Connect anew and resume.
    Reconnect,
    /// The session is over, or may be resumed.
    InvalidSession { resumable: bool },
    /// Something happened; events are numbered.
    Event { sequence: u64, event: Event },
    /// Nothing that concerns us.
    Other,
}

/// What happened.
#[derive(Debug, PartialEq)]
pub(super) enum Event {
    Ready(Ready),
    Resumed,
    /// Someone typed; the interaction as Discord sent it.
    Interaction(Value),
    /// The bot is in this server.
    GuildHere(String),
    /// The bot was removed from this server, or it was deleted.
    GuildGone(String),
    /// A channel or thread was deleted.
    ChannelGone(String),
    /// A channel or thread is not what it was: its rights, its lock or its kind, for one.
    ChannelChanged(String),
    /// Roles of this server, or those of the bot in it, are not what they were.
    RightsChanged(String),
    /// Nothing that concerns us.
    Other,
    /// It concerns us, but cannot be read; its name, and why.
    Unreadable(&'static str, String),
}

/// A session began.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ready {
    pub(super) session: String,
    /// Where to resume it.
    pub(super) resume_url: String,
    /// The servers of this shard, those in an outage included.
    pub(super) guilds: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Frame<'text> {
    op: Opcode,
    s: Option<u64>,
    #[serde(borrow, default)]
    t: Option<std::borrow::Cow<'text, str>>,
}

#[derive(Deserialize)]
struct With<D> {
    d: D,
}

#[derive(Deserialize)]
struct Interval {
    heartbeat_interval: u64,
}

#[derive(Deserialize)]
struct ReadyData {
    session_id: String,
    resume_gateway_url: String,
    #[serde(default)]
    guilds: Vec<Guild>,
}

#[derive(Deserialize)]
struct Guild {
    id: String,
    /// An outage: nobody was removed from anything.
    #[serde(default)]
    unavailable: Option<bool>,
}

#[derive(Deserialize)]
struct Channel {
    id: String,
}

/// Something of a server.
#[derive(Deserialize)]
struct Of {
    guild_id: String,
}

fn data<D: DeserializeOwned>(text: &str) -> Result<D, String> {
    serde_json::from_str::<With<D>>(text).map(|with| with.d).map_err(|error| why(&error))
}

/// Why it cannot be read: the parser's own words would quote what it found, tokens included.
fn why(error: &serde_json::Error) -> String {
    format!("{:?} error at byte {}", error.classify(), error.column())
}

/// Reads one message.
///
/// # Errors
/// Where it is none; in words for the log, which quote nothing of it.
pub(super) fn read(text: &str) -> Result<Heard, String> {
    let frame: Frame<'_> = serde_json::from_str(text).map_err(|error| why(&error))?;
    Ok(match frame.op {
        Opcode::Hello => Heard::Hello { interval: Duration::from_millis(data::<Interval>(text)?.heartbeat_interval) },
        Opcode::Heartbeat => Heard::Heartbeat,
        Opcode::HeartbeatAck => Heard::Acknowledged,
        Opcode::Reconnect => Heard::Reconnect,
        Opcode::InvalidSession => Heard::InvalidSession { resumable: data(text).unwrap_or_default() },
        Opcode::Dispatch => {
            let sequence = frame.s.ok_or("an event without a number")?;
            Heard::Event { sequence, event: event(frame.t.as_deref().unwrap_or_default(), text) }
        }
        _ => Heard::Other,
    })
}

fn event(name: &str, text: &str) -> Event {
    match name {
        "READY" => read_event("READY", text, |ready: ReadyData| {
            let guilds = ready.guilds.into_iter().map(|guild| guild.id).collect();
            Event::Ready(Ready { session: ready.session_id, resume_url: ready.resume_gateway_url, guilds })
        }),
        "RESUMED" => Event::Resumed,
        "INTERACTION_CREATE" => read_event("INTERACTION_CREATE", text, Event::Interaction),
        "GUILD_CREATE" => read_event("GUILD_CREATE", text, |guild: Guild| match guild.unavailable {
            Some(true) => Event::Other,
            _ => Event::GuildHere(guild.id),
        }),
        "GUILD_DELETE" => read_event("GUILD_DELETE", text, |guild: Guild| match guild.unavailable {
            Some(true) => Event::Other,
            _ => Event::GuildGone(guild.id),
        }),
        "CHANNEL_DELETE" => read_event("CHANNEL_DELETE", text, |channel: Channel| Event::ChannelGone(channel.id)),
        "THREAD_DELETE" => read_event("THREAD_DELETE", text, |thread: Channel| Event::ChannelGone(thread.id)),
        "CHANNEL_UPDATE" => read_event("CHANNEL_UPDATE", text, |channel: Channel| Event::ChannelChanged(channel.id)),
        "THREAD_UPDATE" => read_event("THREAD_UPDATE", text, |thread: Channel| Event::ChannelChanged(thread.id)),
        "GUILD_UPDATE" => read_event("GUILD_UPDATE", text, |guild: Guild| Event::RightsChanged(guild.id)),
        "GUILD_ROLE_CREATE" => read_event("GUILD_ROLE_CREATE", text, |role: Of| Event::RightsChanged(role.guild_id)),
        "GUILD_ROLE_UPDATE" => read_event("GUILD_ROLE_UPDATE", text, |role: Of| Event::RightsChanged(role.guild_id)),
        "GUILD_ROLE_DELETE" => read_event("GUILD_ROLE_DELETE", text, |role: Of| Event::RightsChanged(role.guild_id)),
        // Without the intent for members this is the bot itself.
        "GUILD_MEMBER_UPDATE" => read_event("GUILD_MEMBER_UPDATE", text, |member: Of| Event::RightsChanged(member.guild_id)),
        _ => Event::Other,
    }
}

fn read_event<D: DeserializeOwned>(name: &'static str, text: &str, event: impl FnOnce(D) -> Event) -> Event {
    data(text).map_or_else(|why| Event::Unreadable(name, why), event)
}

/// Begins a session.
pub(super) fn identify(token: &SecretString, shard: ShardId) -> SecretString {
    let properties = json!({ "os": std::env::consts::OS, "browser": "bellwether", "device": "bellwether" });
    let shard = [shard.index, shard.of];
    let data = json!({ "token": token.expose_secret(), "intents": INTENTS.bits(), "properties": properties, "shard": shard });
    said(Opcode::Identify, &data)
}

/// Goes on with a session after its last event.
pub(super) fn resume(token: &SecretString, session: &str, sequence: u64) -> SecretString {
    said(Opcode::Resume, &json!({ "token": token.expose_secret(), "session_id": session, "seq": sequence }))
}

/// A sign of life, with the number of the last event.
pub(super) fn heartbeat(sequence: Option<u64>) -> SecretString {
    said(Opcode::Heartbeat, &json!(sequence))
}

fn said(op: Opcode, data: &Value) -> SecretString {
    json!({ "op": op, "d": data }).to_string().into()
}

/// What to do after Discord closed a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The session goes on.
    Resume,
    /// The session is over: a new one.
    Identify,
    /// It would be closed again: an operator is needed.
    Stop(Fatal),
}

/// Why no commands can come over the Gateway until somebody does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fatal {
    #[error("Discord refuses the bot's token (4004)")]
    Token,
    /// With the close code.
    #[error("Discord shuts the Gateway to this bot ({0})")]
    Shut(u16),
}

impl Fatal {
    /// In words for the operator, with what to do.
    pub(super) fn explain(self) -> String {
        let trouble = match self {
            Self::Token => Trouble::DiscordToken,
            Self::Shut(_) => Trouble::DiscordShut,
        };
        trouble.explain(self)
    }
}

/// What a close code means
/// ([Discord, close event codes](https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway-gateway-close-event-codes)).
pub(super) fn after_close(code: Option<u16>) -> Next {
    match code {
        Some(close_codes::AUTHENTICATION_FAILED) => Next::Stop(Fatal::Token),
        Some(
            shut @ (close_codes::INVALID_SHARD
            | close_codes::SHARDING_REQUIRED
            | INVALID_VERSION
            | close_codes::INVALID_GATEWAY_INTENTS
            | close_codes::DISALLOWED_GATEWAY_INTENTS),
        ) => Next::Stop(Fatal::Shut(shut)),
        Some(close_codes::NOT_AUTHENTICATED | SESSION_INVALID | close_codes::INVALID_SEQUENCE | close_codes::SESSION_TIMEOUT) => {
            Next::Identify
        }
        _ => Next::Resume,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event_of(name: &str, data: &Value) -> Event {
        let Ok(Heard::Event { sequence: 7, event }) = read(&json!({"op": 0, "s": 7, "t": name, "d": data}).to_string()) else {
            panic!("{name} is an event")
        };
        event
    }

    #[test]
    fn everything_that_concerns_us_is_understood() {
        let heard = |frame: Value| read(&frame.to_string()).unwrap();
        let hello = json!({"op": 10, "s": null, "t": null, "d": {"heartbeat_interval": 41_250, "_trace": ["x"]}});
        assert_eq!(heard(hello), Heard::Hello { interval: Duration::from_millis(41_250) });
        assert_eq!(heard(json!({"op": 1, "d": null})), Heard::Heartbeat);
        assert_eq!(heard(json!({"op": 11})), Heard::Acknowledged);
        assert_eq!(heard(json!({"op": 7, "d": null})), Heard::Reconnect);
        assert_eq!(heard(json!({"op": 9, "d": true})), Heard::InvalidSession { resumable: true });
        assert_eq!(heard(json!({"op": 9, "d": null})), Heard::InvalidSession { resumable: false });
        assert_eq!(heard(json!({"op": 99, "d": {}})), Heard::Other);
        let guilds = json!([{"id": "1", "unavailable": true}, {"id": "2"}]);
        let ready = json!({"v": 10, "session_id": "s", "resume_gateway_url": "wss://x", "guilds": guilds, "user": {}});
        let expected = Ready { session: "s".into(), resume_url: "wss://x".into(), guilds: ["1".into(), "2".into()].into() };
        assert_eq!(event_of("READY", &ready), Event::Ready(expected));
        assert_eq!(event_of("TYPING_START", &json!({})), Event::Other);
    }

    #[test]
    fn an_outage_is_no_removal() {
        for (name, unavailable, expected) in [
            ("GUILD_DELETE", json!(true), Event::Other),
            ("GUILD_DELETE", json!(false), Event::GuildGone("1".into())),
            ("GUILD_DELETE", json!(null), Event::GuildGone("1".into())),
            ("GUILD_CREATE", json!(true), Event::Other),
            ("GUILD_CREATE", json!(false), Event::GuildHere("1".into())),
        ] {
            assert_eq!(event_of(name, &json!({"id": "1", "unavailable": unavailable})), expected, "{name} {unavailable}");
        }
        assert_eq!(event_of("GUILD_DELETE", &json!({"id": "1"})), Event::GuildGone("1".into()));
        for name in ["CHANNEL_DELETE", "THREAD_DELETE"] {
            assert_eq!(event_of(name, &json!({"id": "5", "guild_id": "1", "type": 0})), Event::ChannelGone("5".into()));
        }
        for name in ["CHANNEL_UPDATE", "THREAD_UPDATE"] {
            assert_eq!(event_of(name, &json!({"id": "5", "guild_id": "1", "type": 0})), Event::ChannelChanged("5".into()));
        }
        for name in ["GUILD_ROLE_CREATE", "GUILD_ROLE_UPDATE", "GUILD_ROLE_DELETE", "GUILD_MEMBER_UPDATE"] {
            assert_eq!(event_of(name, &json!({"guild_id": "1", "role": {"id": "9"}})), Event::RightsChanged("1".into()));
        }
        assert_eq!(event_of("GUILD_UPDATE", &json!({"id": "1"})), Event::RightsChanged("1".into()));
    }

    #[test]
    fn what_cannot_be_read_breaks_nothing_and_is_not_repeated() {
        for bad in ["", "[]", "{}", "{\"op\":\"0\"}", "{\"op\":0,\"t\":\"READY\",\"d\":{}}", "{\"op\":10,\"d\":{}}", "{\"op\":-1}"] {
            assert!(read(bad).is_err(), "{bad}");
        }
        for bad in [json!({"session_id": "s3cret"}), json!({"guilds": "s3cret"}), json!("s3cret")] {
            assert!(matches!(event_of("READY", &bad), Event::Unreadable("READY", why) if !why.contains("s3cret")), "{bad}");
        }
        let deep = format!("{{\"op\":0,\"s\":1,\"t\":\"INTERACTION_CREATE\",\"d\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000));
        assert!(matches!(read(&deep), Ok(Heard::Event { sequence: 1, event: Event::Unreadable("INTERACTION_CREATE", _) })));
        let deep = deep.replace("INTERACTION_CREATE", "PRESENCE_UPDATE");
        assert!(matches!(read(&deep), Ok(Heard::Event { event: Event::Other, .. })));
    }

    #[test]
    fn one_unprivileged_intent_is_asked_for_and_tokens_are_never_shown() {
        let token = SecretString::from("s3cret");
        let shard = ShardId { index: 1, of: 2 };
        let identify = identify(&token, shard);
        let sent: Value = serde_json::from_str(identify.expose_secret()).unwrap();
        assert_eq!((&sent["op"], &sent["d"]["intents"], &sent["d"]["shard"]), (&json!(2), &json!(1), &json!([1, 2])));
        assert!(!format!("{identify:?}{:?}", resume(&token, "s", 3)).contains("s3cret"));
        assert_eq!(serde_json::from_str::<Value>(heartbeat(None).expose_secret()).unwrap(), json!({"op": 1, "d": null}));
    }

    #[test]
    fn every_close_code_has_its_consequence() {
        for code in [4004, 4010, 4011, 4012, 4013, 4014] {
            let Next::Stop(fatal) = after_close(Some(code)) else { panic!("{code} is final") };
            assert!(fatal.explain().contains(&code.to_string()), "{fatal}");
        }
        for code in [4003, 4006, 4007, 4009] {
            assert_eq!(after_close(Some(code)), Next::Identify, "{code}");
        }
        for code in [None, Some(1000), Some(1001), Some(1006), Some(4000), Some(4001), Some(4002), Some(4005), Some(4008), Some(4999)] {
            assert_eq!(after_close(code), Next::Resume, "{code:?}");
        }
    }

    #[test]
    fn every_server_has_one_shard() {
        let shards = [0, 1, 2].map(|index| ShardId { index, of: 3 });
        for guild in ["1180243561948524565", "4194304", "1"] {
            assert_eq!(shards.iter().filter(|shard| shard.serves(guild)).count(), 1, "{guild}");
        }
        assert!(ShardId { index: 1, of: 2 }.serves("4194304"));
        assert!(!shards.iter().any(|shard| shard.serves("x")));
    }
}
