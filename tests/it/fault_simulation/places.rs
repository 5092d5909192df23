//! Who lives in the simulated world: tokens, chats, and what each wants to hear from the beginning.

use crate::support::fake_discord::{GUILD, HERE, direct_channel, interaction::MEMBER};
use bellwether::domain::{Address, Kind, Place, Timestamp};

/// By market cap, the largest first. The last two are followed by the hour.
pub(super) const TOKENS: &[(i64, &str, &str)] = &[
    (3375, "BTC", "Bitcoin"),
    (3306, "ETH", "Ethereum"),
    (3988, "SOL", "Solana"),
    (3369, "XRP", "XRP"),
    (3445, "ADA", "Cardano"),
    (3315, "DOGE", "Dogecoin"),
    (4101, "AVAX", "Avalanche"),
    (4102, "LINK", "Chainlink"),
];
/// Those that are followed by the hour.
pub(super) const HOURLY: &[i64] = &[4101, 4102];

pub(super) const OTHER_GUILD: &str = "1180243561948524777";
pub(super) const THERE: &str = "1180243562783182991";
pub(super) const ELSEWHERE: &str = "1180243562783182777";
pub(super) const OTHER_MEMBER: &str = "284102345987231999";
pub(super) const ANCHOR: i64 = 501;
pub(super) const SLEEPER: i64 = 502;
pub(super) const OPTIMIST: i64 = 503;
pub(super) const OPERATOR: i64 = 900;
/// A supergroup with topics, and the topic that is told.
pub(super) const FORUM: i64 = -100_111;
pub(super) const TOPIC: i64 = 5;
/// A group that becomes a supergroup, and what it becomes.
pub(super) const GROUP: i64 = -77;
pub(super) const SUPERGROUP: i64 = -100_777;
pub(super) const CHANNEL: i64 = -100_900;
/// Whoever administers all of it.
pub(super) const ADMIN: i64 = 7;
/// A member of the groups who administers nothing.
pub(super) const READER: i64 = 44;

/// What a place wants from the beginning.
pub(super) struct Wanted {
    /// As operators write it.
    pub(super) at: &'static str,
    pub(super) place: Place,
    pub(super) tenant: Option<&'static str>,
    pub(super) tokens: &'static [i64],
    pub(super) delivery: &'static str,
    pub(super) settings: &'static str,
}

const USUAL: &str = r#"{"max_per_hour":10,"cooldown_minutes":0}"#;

/// Everybody.
pub(super) const WANTED: &[Wanted] = &[
    Wanted {
        at: "telegram:501",
        place: Place::Person,
        tenant: None,
        tokens: &[3375, 3306, 3988, 3369, 3445, 3315, 4101, 4102],
        delivery: "instant",
        settings: USUAL,
    },
    Wanted {
        at: "discord:1180243562783182920",
        place: Place::Channel,
        tenant: Some(GUILD),
        tokens: &[3375, 3306, 3988, 4101],
        delivery: "instant",
        settings: USUAL,
    },
    Wanted {
        at: "discord:1180243562783182991",
        place: Place::Channel,
        tenant: Some(GUILD),
        tokens: &[3375, 3306, 3988, 3369, 3445],
        delivery: "instant",
        settings: r#"{"max_per_hour":2,"cooldown_minutes":0}"#,
    },
    Wanted {
        at: "discord:1180243562783182777",
        place: Place::Channel,
        tenant: Some(OTHER_GUILD),
        tokens: &[3375, 3315, 4102],
        delivery: "digest-hourly",
        settings: USUAL,
    },
    Wanted {
        at: "discord:user:284102345987231744",
        place: Place::Person,
        tenant: None,
        tokens: &[3988, 3369],
        delivery: "instant",
        settings: r#"{"max_per_hour":10,"cooldown_minutes":600}"#,
    },
    Wanted {
        at: "discord:user:284102345987231999",
        place: Place::Person,
        tenant: None,
        tokens: &[3375, 3445],
        delivery: "digest-daily",
        settings: USUAL,
    },
    Wanted {
        at: "telegram:502",
        place: Place::Person,
        tenant: None,
        tokens: &[3375, 3306, 3988],
        delivery: "instant",
        settings: r#"{"max_per_hour":10,"cooldown_minutes":0,"timezone":"Europe/Berlin","quiet_hours":"22:00-07:00"}"#,
    },
    Wanted {
        at: "telegram:503",
        place: Place::Person,
        tenant: None,
        tokens: &[3375, 3369, 4101],
        delivery: "instant",
        settings: r#"{"max_per_hour":10,"cooldown_minutes":600}"#,
    },
    Wanted {
        at: "telegram:-100111/5",
        place: Place::Group,
        tenant: Some("-100111"),
        tokens: &[3375, 3988, 3315],
        delivery: "instant",
        settings: USUAL,
    },
    Wanted {
        at: "telegram:-77",
        place: Place::Group,
        tenant: Some("-77"),
        tokens: &[3306, 3988, 4101, 4102],
        delivery: "instant",
        settings: USUAL,
    },
    Wanted {
        at: "telegram:-100900",
        place: Place::Channel,
        tenant: Some("-100900"),
        tokens: &[3375, 3306],
        delivery: "instant",
        settings: USUAL,
    },
];

impl Wanted {
    pub(super) fn address(&self) -> Address {
        Address::parse(self.at).unwrap()
    }
}

/// When every life begins.
pub(super) fn begin() -> Timestamp {
    Timestamp::parse("2026-11-21T06:10:00Z").unwrap()
}

pub(super) fn kind_of(token: i64) -> Kind {
    if HOURLY.contains(&token) { Kind::Hourly } else { Kind::Daily }
}

pub(super) fn symbol(token: i64) -> &'static str {
    TOKENS.iter().find(|(id, ..)| *id == token).unwrap().1
}

/// A place by one name, however it is addressed: direct messages by whose they are, and a group that moved as what it became.
pub(super) fn place(platform: &str, chat: &str, topic: Option<&str>) -> String {
    let person = [MEMBER, OTHER_MEMBER].into_iter().find(|user| platform == "discord" && direct_channel(user) == chat);
    let chat = match person {
        Some(user) => format!("user:{user}"),
        None if chat == SUPERGROUP.to_string() => GROUP.to_string(),
        None => chat.to_owned(),
    };
    match topic.filter(|topic| !topic.is_empty()) {
        Some(topic) => format!("{platform}:{chat}/{topic}"),
        None => format!("{platform}:{chat}"),
    }
}

/// The Discord channels, with the server that each is in.
pub(super) const CHANNELS: &[(&str, &str)] = &[(HERE, GUILD), (THERE, GUILD), (ELSEWHERE, OTHER_GUILD)];
