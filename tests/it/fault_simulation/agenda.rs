//! What happens in a life, and when: drawn from the seed before it begins.

use super::places::{self, TOKENS};
use bellwether::domain::{Platform, Timestamp};
use fastrand::Rng;
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};

/// How long a life lasts before everything is calm again.
pub(super) const DAYS: u64 = 3;
const MINUTE: u64 = 60;
const HOUR: u64 = 3600;

/// One thing that happens.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Turns(Vec<i64>),
    Restates(i64),
    Withholds(i64, bool),
    /// So many requests in a thousand to a platform go wrong from now on.
    Storm(&'static str, u64),
    Dies(Death),
    /// The database fails after so many writes; whether it ends transactions by itself, as on a full disk.
    Blackout {
        writes: u32,
        full: bool,
    },
    Misfortune(Misfortune, bool),
    Says {
        person: i64,
        chat: i64,
        topic: Option<i64>,
        words: String,
        again: bool,
    },
    Types {
        command: Typed,
        again: bool,
    },
    /// A button below an alert is pressed, so many alerts ago: by this person in this chat on Telegram, by the member on Discord where there is none.
    Presses {
        by: Option<(i64, i64)>,
        label: &'static str,
        back: usize,
        again: bool,
    },
    /// An interaction comes, perhaps once more.
    Comes {
        id: u64,
        interaction: Box<Value>,
    },
    /// The clock is put forward by so many minutes, during which the product is paused.
    Jump(i64),
    Housekeeping,
}

/// When the process dies.
#[derive(Clone, Copy, Debug)]
pub(super) enum Death {
    /// At the request after so many.
    AtRequest { after: u32, carried_out: bool },
    /// At the write after so many.
    AtWrite { after: u32 },
    /// Between two steps.
    Now,
}

/// What happens to a place; each has an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Misfortune {
    /// A person on Telegram blocks the bot; comes back with or without a word.
    Blocked(i64),
    /// The bot is removed from a group or channel.
    Kicked(i64),
    TopicClosed,
    TopicDeleted,
    /// The bot may not post in the channel.
    Silenced,
    /// Discord answers 403 with this code.
    Refused(&'static str, u64),
    /// The bot may no longer embed links in this channel: Discord takes its messages, and leaves their words out.
    WithoutEmbeds(&'static str),
    /// Nobody may write there again.
    Deleted(&'static str),
    ClosedMessages(&'static str),
    /// The bot's token is replaced on this platform, and the product has the old one until the end.
    Revoked(Platform),
    /// A thread was archived, which the next message undoes. It has no end.
    Archived(&'static str),
    /// A group becomes a supergroup. It has no end.
    Moved,
}

/// A command on Discord.
#[derive(Clone, Debug)]
pub(super) enum Typed {
    Channel { subcommand: &'static str, options: Vec<(&'static str, String)> },
    Direct { name: &'static str, options: Vec<(&'static str, String)> },
}

/// Everything in order; no two at the same time.
pub(super) type Agenda = BTreeMap<(Timestamp, u32), Event>;

pub(super) fn draw(rng: &mut Rng) -> Agenda {
    let mut agenda = Draft { rng, events: Vec::new() };
    agenda.market();
    agenda.storms();
    agenda.misfortunes();
    agenda.deaths();
    agenda.commands();
    for hour in (0..DAYS * 24).step_by(6) {
        agenda.events.push((hour * HOUR + 11 * MINUTE, Event::Housekeeping));
    }
    let begin = places::begin();
    let mut events = agenda.events;
    events.sort_by_key(|(at, _)| *at);
    (0..).zip(events).map(|(number, (at, event))| ((begin + Duration::from_secs(at), number), event)).collect()
}

struct Draft<'a> {
    rng: &'a mut Rng,
    events: Vec<(u64, Event)>,
}

impl Draft<'_> {
    fn time(&mut self) -> u64 {
        self.rng.u64(10 * MINUTE..DAYS * 24 * HOUR)
    }

    fn some<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.rng.usize(0..of.len())].clone()
    }

    fn token(&mut self) -> i64 {
        self.some(TOKENS).0
    }

    fn market(&mut self) {
        for _ in 0..self.rng.u32(6..14) {
            let (at, many) = (self.time(), self.some(&[1, 1, 1, 2, 5]));
            let tokens = (0..many).map(|_| self.token()).collect::<std::collections::BTreeSet<_>>();
            self.events.push((at, Event::Turns(tokens.into_iter().collect())));
        }
        for _ in 0..self.rng.u32(0..3) {
            let (at, token) = (self.time(), self.token());
            self.events.push((at, Event::Restates(token)));
            let (at, token, long) = (self.time(), self.token(), self.rng.u64(HOUR..9 * HOUR));
            self.events.push((at, Event::Withholds(token, true)));
            self.events.push((at + long, Event::Withholds(token, false)));
        }
    }

    fn storms(&mut self) {
        // Answers to commands on Discord are few, and have a weather of their own.
        for (platform, usual) in [("discord", [0, 20, 60]), ("telegram", [0, 20, 60]), ("source", [0, 20, 60]), ("answers", [0, 300, 900])]
        {
            let always = self.some(&usual);
            self.events.push((0, Event::Storm(platform, always)));
            for _ in 0..self.rng.u32(0..3) {
                let (at, long) = (self.time(), self.rng.u64(5 * MINUTE..8 * HOUR));
                let strength = self.some(&[200, 500, 900, 1000]);
                self.events.push((at, Event::Storm(platform, strength)));
                self.events.push((at + long, Event::Storm(platform, always)));
            }
        }
    }

    fn misfortunes(&mut self) {
        use crate::support::fake_discord::{HERE, interaction::MEMBER};
        use places::{CHANNEL, ELSEWHERE, FORUM, GROUP, OPTIMIST, OTHER_MEMBER, SLEEPER, THERE};
        let all = [
            Misfortune::Blocked(SLEEPER),
            Misfortune::Blocked(OPTIMIST),
            Misfortune::Kicked(FORUM),
            Misfortune::Kicked(GROUP),
            Misfortune::Kicked(CHANNEL),
            Misfortune::TopicClosed,
            Misfortune::TopicDeleted,
            Misfortune::Silenced,
            Misfortune::Refused(HERE, 50_013),
            Misfortune::Refused(THERE, 50_001),
            Misfortune::WithoutEmbeds(HERE),
            Misfortune::Deleted(ELSEWHERE),
            Misfortune::Archived(THERE),
            Misfortune::Revoked(Platform::Discord),
            Misfortune::Revoked(Platform::Telegram),
            Misfortune::ClosedMessages(MEMBER),
            Misfortune::ClosedMessages(OTHER_MEMBER),
        ];
        let mut chosen: Vec<_> = (0..self.rng.u32(1..6)).map(|_| self.some(&all)).collect();
        chosen.sort();
        chosen.dedup();
        for misfortune in chosen {
            let (at, long) = (self.time(), self.rng.u64(20 * MINUTE..30 * HOUR));
            self.events.push((at, Event::Misfortune(misfortune, true)));
            self.events.push((at + long, Event::Misfortune(misfortune, false)));
        }
        if self.rng.bool() {
            let at = self.time();
            self.events.push((at, Event::Misfortune(Misfortune::Moved, true)));
        }
    }

    fn deaths(&mut self) {
        for _ in 0..self.rng.u32(1..7) {
            let (at, after) = (self.time(), self.some(&[0, 0, 1, 2, 3, 5, 9]));
            let death = match self.rng.u32(0..5) {
                0 | 1 => Death::AtRequest { after, carried_out: self.rng.bool() },
                2 | 3 => Death::AtWrite { after: self.rng.u32(0..60) },
                _ => Death::Now,
            };
            self.events.push((at, Event::Dies(death)));
        }
        for _ in 0..self.rng.u32(0..3) {
            let (at, writes, full) = (self.time(), self.rng.u32(0..50), self.rng.bool());
            self.events.push((at, Event::Blackout { writes, full }));
        }
        if self.rng.u32(0..4) == 0 {
            let (at, minutes) = (self.time(), self.some(&[5, 70, 600, -3, -65]));
            self.events.push((at, Event::Jump(minutes)));
        }
    }

    fn commands(&mut self) {
        for _ in 0..self.rng.u32(2..9) {
            let (at, again) = (self.time(), self.rng.u32(0..3) == 0);
            let event = if self.rng.bool() { self.on_telegram(again) } else { self.on_discord(again) };
            self.events.push((at, event));
        }
        for _ in 0..self.rng.u32(0..8) {
            let (at, back, again) = (self.time(), self.rng.usize(0..6), self.rng.u32(0..3) == 0);
            let private = [places::SLEEPER, places::OPTIMIST].map(|person| Some((person, person)));
            let admin = [places::FORUM, places::GROUP].map(|group| Some((places::ADMIN, group)));
            let reader = [places::FORUM, places::GROUP].map(|group| Some((places::READER, group)));
            let by = self.some(&[&private[..], &admin, &reader, &[None, None]].concat());
            let label = self.some(&["Mute 24 h", "History", "Unsubscribe", "Why"]);
            self.events.push((at, Event::Presses { by, label, back, again }));
        }
    }

    fn on_telegram(&mut self, again: bool) -> Event {
        use places::{ADMIN, ANCHOR, FORUM, GROUP, OPTIMIST, SLEEPER, TOPIC};
        let (chat, topic) = self.some(&[(SLEEPER, None), (OPTIMIST, None), (ANCHOR, None), (FORUM, Some(TOPIC)), (GROUP, None)]);
        let person = if chat > 0 { chat } else { ADMIN };
        let symbol = places::symbol(self.token());
        let daily = self.some(&["BTC", "ETH", "SOL", "XRP", "ADA"]);
        let mut words = vec![
            format!("/subscribe {daily}"),
            format!("/subscribe {daily} digest-hourly"),
            "/subscriptions".to_owned(),
            "/mute 1h".to_owned(),
            "/mute 8h".to_owned(),
            "/mute off".to_owned(),
            "/settings cooldown=30".to_owned(),
            "/settings max_per_hour=3".to_owned(),
            "/start".to_owned(),
            "/status".to_owned(),
        ];
        if chat != ANCHOR {
            words.push(format!("/unsubscribe {symbol}"));
            words.push(format!("/unsubscribe {symbol}"));
        }
        Event::Says { person, chat, topic, words: self.some(&words), again }
    }

    fn on_discord(&mut self, again: bool) -> Event {
        let daily = self.some(&["BTC", "ETH", "SOL", "XRP", "ADA"]);
        let tokens = ("tokens", daily.to_owned());
        let command = match self.rng.u32(0..13) {
            // Their answers come with a file, after "thinking…".
            8..10 => Typed::Direct { name: "history", options: vec![("token", daily.to_owned())] },
            10..12 => Typed::Direct { name: "privacy", options: vec![("action", "export".to_owned())] },
            0 => Typed::Channel { subcommand: "subscribe", options: vec![tokens] },
            1 => Typed::Channel { subcommand: "unsubscribe", options: vec![tokens] },
            2 => Typed::Channel { subcommand: "mute", options: vec![("for", self.some(&["1h", "8h", "off"]).to_owned())] },
            3 => Typed::Channel { subcommand: "list", options: Vec::new() },
            4 => Typed::Direct { name: "subscribe", options: vec![tokens] },
            5 => Typed::Direct { name: "unsubscribe", options: vec![tokens] },
            6 => Typed::Direct { name: "mute", options: vec![("for", self.some(&["1h", "8h", "off"]).to_owned())] },
            _ => Typed::Direct { name: "subscriptions", options: Vec::new() },
        };
        Event::Types { command, again }
    }
}
