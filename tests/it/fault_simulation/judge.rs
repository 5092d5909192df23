//! What must hold when everything is calm again, whatever happened: looked at from outside, by what the platforms saw and what the source says.

use super::{
    life::Life,
    places::{self, GROUP, TOKENS},
    sky::Arrival,
    words::{self, Says},
};
use crate::support::weather::How;
use bellwether::domain::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// The longest that a call that was permitted is believed to be on its way, by the simulated time.
const LONG_UNDER_WAY: Duration = Duration::from_secs(6 * 3600);
const MINUTE: Duration = Duration::from_secs(60);
/// Discord knows a message by its nonce for so long.
const NONCES_ARE_KNOWN: Duration = Duration::from_secs(120);

/// A message of ours, as the database has it in the end.
pub(super) struct Message {
    pub(super) place: String,
    pub(super) lane: i64,
    state: String,
    created_at: Timestamp,
    unknown_attempts: usize,
    /// When its chat was found to have moved, where that was as it was sent; else long before.
    moved_at: Timestamp,
    body: String,
}

/// What a place was told last of a token.
struct Told {
    bullish: bool,
    /// By the product's clock.
    at: Timestamp,
    message: i64,
}

/// Everything that is wrong.
pub(super) fn judge(life: &Life) -> Vec<String> {
    let messages = messages(life);
    let arrivals = life.sky.arrivals();
    let mut judge = Judge { life, messages, arrivals, wrong: Vec::new() };
    judge.nothing_is_left();
    judge.the_source_was_understood();
    judge.every_change_was_told();
    judge.nothing_came_twice();
    judge.everything_came_in_order();
    judge.everybody_knows();
    judge.limits_were_kept();
    judge.commands_were_answered_once();
    judge.wrong
}

pub(super) struct Judge<'a> {
    pub(super) life: &'a Life,
    pub(super) messages: BTreeMap<i64, Message>,
    arrivals: Vec<Arrival>,
    wrong: Vec<String>,
}

fn messages(life: &Life) -> BTreeMap<i64, Message> {
    let sql = "SELECT m.id || '|' || d.platform || '|' || d.chat || '|' || d.topic || '|' || m.lane || '|' || m.state || '|' || m.created_at || '|' ||
        (SELECT COUNT(*) FROM attempts a WHERE a.message_id = m.id AND a.outcome = 'unknown') || '|' ||
        (SELECT COALESCE(MAX(a.ended_at), 0) FROM attempts a WHERE a.message_id = m.id AND a.detail LIKE 'the chat moved to %') || '|' || m.body
        FROM messages m JOIN destinations d ON d.id = m.destination_id ORDER BY m.id";
    let read = |row: String| {
        let mut cells = row.splitn(10, '|').map(str::to_owned);
        let mut next = || cells.next().unwrap();
        let (id, platform, chat, topic) = (next().parse().unwrap(), next(), next(), next());
        let message = Message {
            place: places::place(&platform, &chat, Some(&topic)),
            lane: next().parse().unwrap(),
            state: next(),
            created_at: Timestamp::from_millis(next().parse().unwrap()),
            unknown_attempts: next().parse().unwrap(),
            moved_at: Timestamp::from_millis(next().parse().unwrap()),
            body: next(),
        };
        (id, message)
    };
    life.disk.texts(sql).into_iter().map(read).collect()
}

impl Judge<'_> {
    pub(super) fn hold(&mut self, holds: bool, wrong: impl FnOnce() -> String) {
        if !holds {
            self.wrong.push(wrong());
        }
    }

    /// A statement that counts what must not be there.
    pub(super) fn none(&mut self, what: &str, sql: &str) {
        let found = self.life.disk.texts(sql);
        self.hold(found.is_empty(), || format!("{what}: {found:?}"));
    }

    fn nothing_is_left(&mut self) {
        let gone = |chat: &str| {
            let list: Vec<_> = self.life.gone.iter().map(|place| format!("'{}'", place.trim_start_matches("discord:"))).collect();
            format!("{chat} NOT IN ({})", list.join(","))
        };
        let place = "d.platform || ':' || d.chat || '/' || d.topic";
        let soon = self.life.clock_now() + 30 * 24 * 60 * MINUTE;
        let (of_living, soon) = (gone("d.chat"), soon.as_millis());
        self.none("the database is whole", "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'");
        self.none("every reference leads somewhere", "SELECT \"table\" || ' ' || rowid FROM pragma_foreign_key_check");
        self.none("a change is not fanned out", "SELECT 'change ' || change_id FROM fanout_jobs");
        self.none(
            "a claim is left",
            "SELECT 'message ' || id FROM messages WHERE state = 'queued' AND lease_until > 0 AND lease_holder IS NOT NULL",
        );
        let waits = format!(
            "SELECT 'message ' || m.id || ' for ' || {place} || ': ' || COALESCE(m.problem, '') FROM messages m
            JOIN destinations d ON d.id = m.destination_id WHERE m.state = 'queued' AND {of_living}"
        );
        self.none("a message waits still", &waits);
        let held = format!(
            "SELECT 'alert ' || a.id || ' for ' || {place} || ': ' || a.reason FROM alerts a JOIN destinations d
            ON d.id = a.destination_id WHERE a.state = 'pending' AND a.release_at < {soon} AND {of_living}"
        );
        self.none("an alert waits still", &held);
        let lost = "SELECT 'alert ' || a.id FROM alerts a WHERE a.state = 'composed' AND NOT EXISTS (SELECT 1 FROM message_alerts ma
            JOIN messages m ON m.id = ma.message_id WHERE ma.alert_id = a.id AND m.state = 'queued')";
        self.none("an alert is composed, and its message is gone", lost);
        let open = "SELECT 'attempt ' || a.id FROM attempts a WHERE a.outcome IS NULL";
        self.none("an attempt never ended", open);
        self.none("an update was not carried out", "SELECT update_id || ' ' || state FROM updates_seen WHERE state <> 'done'");
        let errors = self.life.log.take_errors();
        self.hold(errors.is_empty(), || format!("ERROR lines: {errors:#?}"));
        let complaints = self.life.fakes.discord.take_complaints();
        self.hold(complaints.is_empty(), || format!("Discord would refuse: {complaints:#?}"));
        let problems = self.life.fakes.telegram.take_problems();
        self.hold(problems.is_empty(), || format!("Telegram would refuse: {problems:#?}"));
    }

    fn the_source_was_understood(&mut self) {
        let known: BTreeMap<i64, String> = self
            .life
            .disk
            .texts("SELECT token_id || '|' || stance FROM token_states")
            .iter()
            .map(|row| row.split_once('|').unwrap())
            .map(|(token, stance)| (token.parse().unwrap(), stance.to_owned()))
            .collect();
        for (token, symbol, _) in TOKENS {
            let truth = if self.life.market.truth(*token) { "bullish" } else { "bearish" };
            let known = known.get(token).map(String::as_str);
            self.hold(known == Some(truth), || format!("{symbol} is {truth}, and {known:?} is known of it"));
        }
    }

    /// Each change has become an alert of everybody who wanted it (a correction, of everybody who did when the wrong value was stored), and each
    /// alert that was told has arrived.
    fn every_change_was_told(&mut self) {
        let missed = "SELECT 'change ' || c.id || ' for ' || d.platform || ':' || d.chat || '/' || d.topic FROM changes c
            JOIN subscriptions s ON s.kind = c.kind AND s.target = CAST(c.token_id AS TEXT) AND s.created_at <= COALESCE(c.stored_at, c.detected_at)
            JOIN destinations d ON d.id = s.destination_id
            WHERE c.timing <> 'history' AND NOT EXISTS (SELECT 1 FROM alerts a WHERE a.change_id = c.id AND a.destination_id = d.id)";
        self.none("a change became no alert", missed);
        let untold = "SELECT 'alert ' || a.id FROM alerts a WHERE a.state = 'told' AND NOT EXISTS (SELECT 1 FROM message_alerts ma
            JOIN messages m ON m.id = ma.message_id WHERE ma.alert_id = a.id AND m.state = 'sent')";
        self.none("an alert is told by no message", untold);
        // Where two places became one, what both would tell is told once.
        let dropped = format!(
            "SELECT 'alert ' || a.id || ': ' || a.reason FROM alerts a JOIN destinations d ON d.id = a.destination_id WHERE a.state = 'skipped'
               AND a.reason IN ('cooldown', 'hourly_cap', 'muted', 'quiet_hours', 'quarantined', 'digest', 'flapping')
               AND d.chat NOT IN ('{GROUP}', '{}')",
            places::SUPERGROUP
        );
        self.none("a limit dropped an alert that it was to hold", &dropped);
        let is_read = |arrival: &&Arrival| !matches!(arrival.how, How::TooFast | How::Blank);
        let arrived: BTreeSet<i64> = self.arrivals.iter().filter(is_read).map(|arrival| arrival.message).collect();
        let claimed: Vec<i64> =
            self.messages.iter().filter(|(id, it)| it.state == "sent" && !arrived.contains(id)).map(|(id, _)| *id).collect();
        self.hold(claimed.is_empty(), || format!("messages are sent and never arrived: {claimed:?}"));
    }

    fn nothing_came_twice(&mut self) {
        let mut came: BTreeMap<i64, Vec<&Arrival>> = BTreeMap::new();
        let mut wrong = Vec::new();
        for arrival in self.arrivals.iter().filter(|arrival| arrival.how == How::New) {
            came.entry(arrival.message).or_default().push(arrival);
        }
        for (id, copies) in came {
            let Some(message) = self.messages.get(&id) else {
                wrong.push(format!("{} came, and is no message of ours: {}", copies[0].place, copies[0].text));
                continue;
            };
            let unknown = message.unknown_attempts;
            if copies[0].place.starts_with("discord") {
                let close = copies.windows(2).find(|pair| pair[1].at.since(pair[0].at) < NONCES_ARE_KNOWN);
                if let Some(pair) = close {
                    wrong.push(format!("message {id} came twice on Discord, at {} and {}", pair[0].at, pair[1].at));
                }
            }
            if copies.len() > (1 + unknown).min(2) {
                wrong.push(format!("message {id} came {} times to {}, and {unknown} ends were unknown", copies.len(), copies[0].place));
            }
        }
        self.wrong.extend(wrong);
    }

    /// Within a place and a lane what is older comes first; answers in a group may wait for their share, and what was made for the address of before
    /// comes once it is known that both are one place.
    fn everything_came_in_order(&mut self) {
        let (mut last, mut seen, mut wrong, mut moved) = (BTreeMap::new(), BTreeSet::new(), Vec::new(), BTreeMap::new());
        for message in self.messages.values() {
            let at = moved.entry(message.place.as_str()).or_insert(message.moved_at);
            *at = message.moved_at.max(*at);
        }
        for arrival in self.arrivals.iter().filter(|arrival| arrival.how == How::New) {
            let Some(message) = self.messages.get(&arrival.message) else { continue };
            let is_of_before = moved.get(message.place.as_str()).is_some_and(|at| message.created_at <= *at);
            if message.lane == 0 || is_of_before || !seen.insert(arrival.message) {
                continue;
            }
            let before = last.insert((arrival.place.clone(), message.lane), arrival.message);
            if let Some(before) = before.filter(|before| *before > arrival.message) {
                wrong.push(format!("{}: message {} came after {before}", arrival.place, arrival.message));
            }
        }
        self.wrong.extend(wrong);
    }

    /// Nobody is told what they did not ask for, nobody the same twice, and in the end everybody knows how it is.
    fn everybody_knows(&mut self) {
        let mut told: BTreeMap<(String, i64), Told> = BTreeMap::new();
        let (mut seen, mut wrong) = (BTreeSet::new(), Vec::new());
        for arrival in self.arrivals.iter().filter(|arrival| matches!(arrival.how, How::New | How::Edited)) {
            let Some(message) = self.messages.get(&arrival.message) else { continue };
            let is_first = seen.insert(arrival.message);
            if message.lane == 0 || message.lane == 4 {
                continue;
            }
            for line in words::read(&arrival.text) {
                let symbol = places::symbol(line.token);
                let wish = self.life.wish(&arrival.place, line.token, message.created_at);
                let Some(since) = wish else {
                    wrong.push(format!("{} did not ask for {symbol}, and is told at {}", arrival.place, arrival.at));
                    continue;
                };
                let before = told.get(&(arrival.place.clone(), line.token)).filter(|told| told.at >= since && told.bullish == line.bullish);
                let is_open = |before: &Told| self.is_open(&arrival.place, symbol, before.message, arrival.message);
                if line.says == Says::Turned && is_first && before.is_some_and(|before| !is_open(before)) {
                    wrong.push(format!("{} is told twice that {symbol} turned, the second time at {}", arrival.place, arrival.at));
                }
                let now = Told { bullish: line.bullish, at: arrival.clock, message: arrival.message };
                told.insert((arrival.place.clone(), line.token), now);
            }
        }
        for (place, token, since, base) in self.life.wishes_now() {
            let (truth, symbol) = (self.life.market.truth(token), places::symbol(token));
            let base = self.corrected_for_others(token, since).unwrap_or(base);
            let last = told.get(&(place.clone(), token)).filter(|told| told.at >= since);
            let knows = last.map_or(base, |told| told.bullish);
            if knows != truth && !self.life.gone.contains(&place) && !self.is_accounted_for(&place, symbol, last) {
                wrong.push(format!("{place} never heard that {symbol} is bullish: {truth}"));
            }
        }
        self.wrong.extend(wrong);
    }

    /// What a correction says of a token of which only those are told who followed it when the wrong value was stored, as this one did not
    /// (`rules.md` 2.9).
    fn corrected_for_others(&self, token: i64, since: Timestamp) -> Option<bool> {
        let since = since.as_millis();
        let sql = format!(
            "SELECT to_stance FROM changes WHERE token_id = {token} AND nature = 'correction' AND stored_at < {since}
               AND {since} <= detected_at ORDER BY id DESC LIMIT 1"
        );
        self.life.disk.texts(&sql).first().map(|stance| stance == "bullish")
    }

    /// A dead letter of these tells of the token: nobody knows whether it was read, operators have it, and can send it.
    fn is_open(&self, place: &str, symbol: &str, from: i64, to: i64) -> bool {
        let name = format!("\"symbol\":\"{symbol}\"");
        let tells = |message: &Message| message.place == place && message.state == "dead" && message.body.contains(&name);
        self.messages.range(from..to).any(|(_, message)| tells(message))
    }

    /// What was read last is a dead letter, or a later dead letter tells of this token.
    fn is_accounted_for(&self, place: &str, symbol: &str, last: Option<&Told>) -> bool {
        self.is_open(place, symbol, last.map_or(0, |told| told.message), i64::MAX)
    }

    fn limits_were_kept(&mut self) {
        let mut wrong = Vec::new();
        let deaths = &self.life.deaths;
        for fast in self.arrivals.iter().filter(|arrival| arrival.how == How::TooFast) {
            let after_death = deaths.iter().any(|death| *death <= fast.at && fast.at <= *death + MINUTE);
            if !after_death && !self.life.jumped {
                wrong.push(format!("{} was asked too fast at {}", fast.place, fast.at));
            }
        }
        let (mut windows, mut digests) = (BTreeSet::new(), BTreeSet::new());
        for (id, digest) in self.messages.iter().filter(|(_, message)| message.lane == 3 && message.state != "dropped") {
            let is_another = digests.insert((digest.place.clone(), digest.created_at));
            if is_another && !windows.insert((digest.place.clone(), digest.created_at.as_secs() / 3600)) && !self.life.jumped {
                wrong.push(format!("{}: a second digest in one window, message {id}", digest.place));
            }
        }
        wrong.extend(self.calls_beyond_their_limits());
        self.wrong.extend(wrong);
    }

    /// Each call was noted before it was made, and what was noted keeps the limits: when a call arrives says less, as one that was permitted may be on
    /// its way while the simulated time goes on.
    fn calls_beyond_their_limits(&self) -> Vec<String> {
        let (calls, budget) = (self.life.sky.source_calls(), self.life.terms.budget as usize);
        let mut wrong = Vec::new();
        if budget == 0 {
            return wrong;
        }
        if calls.len() > budget {
            wrong.push(format!("{} calls of {budget}", calls.len()));
        }
        let noted = self.life.disk.numbers("SELECT called_at FROM call_ledger ORDER BY id");
        let noted: Vec<_> = noted.into_iter().map(Timestamp::from_millis).collect();
        if calls.len() > noted.len() {
            wrong.push(format!("{} calls, and {} in the ledger", calls.len(), noted.len()));
        }
        if self.life.jumped {
            return wrong;
        }
        let mut open = noted.clone();
        for call in &calls {
            let lately = |noted: &Timestamp| noted <= call && call.since(*noted) < LONG_UNDER_WAY;
            match open.iter().rposition(lately) {
                Some(place) => _ = open.remove(place),
                None => wrong.push(format!("the call at {call} is not in the ledger")),
            }
        }
        let pair = noted.windows(2).find(|pair| pair[1].since(pair[0]) < MINUTE);
        wrong.extend(pair.map(|pair| format!("calls at {} and {}, and one a minute is allowed", pair[0], pair[1])));
        wrong
    }
}
