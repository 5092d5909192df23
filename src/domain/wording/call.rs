//! What alerts and summaries say (`contract.md` section 6, `rules.md` 3.10).
#![expect(missing_docs, reason = "the sentence names its arguments")]

use super::{Phrase, Spans, TimeStyle, reply::counted, subscribing::duration_words};
use crate::domain::{Delivery, KEPT_DAYS, Kind, Level, Line, Mover, Near, Outcome, Since, Stance, SummaryCause, Timestamp, Way, Zone};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A sentence about calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallPhrase {
    /// `SOL turned bullish`, `SOL upgraded to Buy`.
    Turned { symbol: String, from: Option<Stance>, to: Stance },
    /// `SOL turned bullish and is unstable`.
    Unstable { symbol: String, to: Stance },
    /// What follows from that.
    QuietUntilSettled { kind: Kind },
    /// `SOL has settled, still bullish`.
    Settled { symbol: String, to: Stance, turned: bool },
    /// For how long at least.
    HasStood { kind: Kind },
    /// `SOL correction: bearish`.
    Corrected { symbol: String, to: Stance },
    /// `SOL flipped and back, still bullish`.
    FlippedBack { symbol: String, to: Stance },
    /// Which call it is and when it was seen.
    When { kind: Kind, data_time: Timestamp, seen_at: Timestamp },
    /// The data was old already when it was seen.
    AsOf { kind: Kind, data_time: Timestamp, age: Duration },
    /// What it was before, and since when.
    Before { from: Option<Stance>, since: Option<Since>, kind: Kind },
    /// The times on its way, by one clock.
    Provenance { kind: Kind, data_time: Timestamp, polled_at: Timestamp, sent_at: Timestamp, clock: Zone },
    /// It turned in between.
    FlipsBetween { count: u32 },
    /// Rows are missing.
    AfterGap,
    /// The trader grade of the same row.
    TraderGrade { grade: f64 },
    /// The number beside the label of a grade.
    TmGrade { grade: f64 },
    /// The number beside the class.
    FundamentalGrade { grade: f64 },
    /// The part of a fundamental grade that moved most.
    MovedMost { mover: Mover },
    /// The price that says so, in place of when it was.
    ByPrice { price: f64, at: Timestamp },
    /// The levels that it crossed, the furthest first.
    Crossed { way: Way, levels: Vec<Level> },
    /// Where the price meets levels next.
    NextLevels { near: Near },
    /// One line of a summary.
    Line { title: Box<Phrase>, kind: Kind, data_time: Timestamp, flips: u32 },
    /// The head of a summary.
    SummaryTitle { cause: SummaryCause, total: usize },
    /// What is not told any more after a chat could not be reached for long.
    Older { count: usize },
    /// Symbols that share a direction.
    Symbols { to: Stance, way: Option<Way>, outcome: Outcome, symbols: Vec<(String, Kind)> },
    /// The head of a digest.
    DigestTitle { delivery: Delivery, total: usize },
    /// The heading of calls that share direction and kind, with their symbols where they have no lines of their own.
    DigestGroup { to: Stance, way: Option<Way>, outcome: Outcome, kind: Kind, count: usize, symbols: Vec<(String, Option<String>)> },
    /// One line of a digest, under its heading.
    DigestLine { title: Box<Phrase>, link: Option<String>, kind: Kind, data_time: Timestamp, flips: u32 },
}

impl CallPhrase {
    /// The grade that the row of such a call carries.
    pub const fn grade(kind: Kind, grade: f64) -> Self {
        match kind {
            Kind::Grade => Self::TmGrade { grade },
            Kind::Fundamental => Self::FundamentalGrade { grade },
            _ => Self::TraderGrade { grade },
        }
    }

    pub(super) fn english(&self, out: &mut Spans) {
        match self {
            Self::Turned { symbol, from, to } => {
                out.text(format!("{symbol} {}", change_words(*from, *to)));
            }
            Self::Unstable { symbol, to } => {
                out.text(format!("{symbol} {} and is unstable", turned_words(*to, None)));
            }
            Self::QuietUntilSettled { kind } => {
                let long = settling_words(*kind);
                out.text(format!("Three turns within {long}: I am quiet about it now, and tell you once it has stood for {long}."));
            }
            Self::Settled { symbol, to, turned: true } => {
                out.text(format!("{symbol} {} and has settled", turned_words(*to, None)));
            }
            Self::Settled { symbol, to, turned: false } => {
                out.text(format!("{symbol} has settled, still {to}"));
            }
            Self::HasStood { kind } => {
                out.text(format!("It has not turned for {}.", settling_words(*kind)));
            }
            Self::Corrected { symbol, to } => {
                out.text(format!("{symbol} correction: the call is {to}"));
            }
            Self::FlippedBack { symbol, to } => {
                out.text(format!("{symbol} {}", back_words(*to)));
            }
            Self::When { kind: kind @ (Kind::Grade | Kind::Fundamental), data_time, .. } => {
                out.text(format!("{} as of ", capital(noun(*kind)))).time(*data_time, TimeStyle::DateTime);
            }
            Self::When { kind, data_time, seen_at } => {
                out.text(format!("{} call of ", capital(kind.as_str())));
                data_time_words(out, *kind, *data_time);
                out.text(", seen ").time(*seen_at, TimeStyle::Relative);
            }
            Self::AsOf { kind, data_time, age } => {
                out.text("As of ");
                data_time_words(out, *kind, *data_time);
                out.text(format!(": the data was {} old when I saw it.", age_words(*age)));
            }
            Self::Provenance { kind, data_time, polled_at, sent_at, clock } => {
                out.text(provenance_words(*kind, *data_time, (*polled_at, *sent_at), *clock));
            }
            Self::Before { from: None, .. } => {
                out.text("No call before");
            }
            Self::Before { from: Some(from), since, kind } => {
                out.text(format!("Before: {from}"));
                if let Some(since) = since {
                    out.text(if since.exact { " since " } else { " since before " });
                    data_time_words(out, *kind, since.at);
                }
            }
            Self::FlipsBetween { count: 1 } => {
                out.text("1 flip in between");
            }
            Self::FlipsBetween { count } => {
                out.text(format!("{count} flips in between"));
            }
            Self::AfterGap => {
                out.text("After a gap in the data");
            }
            Self::TraderGrade { grade } => {
                out.text(format!("Trader grade {}", short_number(*grade)));
            }
            Self::TmGrade { grade } => {
                out.text(format!("TM grade {}", short_number(*grade)));
            }
            Self::FundamentalGrade { grade } => {
                out.text(format!("Fundamental grade {}", short_number(*grade)));
            }
            Self::MovedMost { mover: Mover { component, from, to } } => {
                out.text(format!("Moved most: {component}, {} → {}", short_number(*from), short_number(*to)));
            }
            Self::ByPrice { price, at } => {
                out.text("By the ").time(*at, TimeStyle::DateTime).text(format!(" price, {}", price_words(*price)));
            }
            Self::Crossed { way, levels } => {
                let (was, is) = if *way == Way::Up { ("resistance", "support") } else { ("support", "resistance") };
                if let Some(level) = levels.first() {
                    out.text(format!("The level of {} was {was} and is {is} now", level.date.day().in_words()));
                }
                let others = u64::try_from(levels.len().saturating_sub(1)).unwrap_or_default();
                out.text(if others == 0 { String::new() } else { format!("; {} crossed on the way", counted(others, "more level")) });
            }
            Self::NextLevels { near } => {
                let next = |side: &str, where_to: &str, at: Option<f64>| {
                    at.map_or_else(|| format!("no {side} known {where_to}"), |at| format!("next {side} {}", price_words(at)))
                };
                let words = [next("support", "below", near.support), next("resistance", "above", near.resistance)];
                out.text(capital(&words.join(", ")));
            }
            Self::Line { title, kind, data_time, flips } => {
                out.strong(title.plain()).text(format!(" ({kind}, "));
                data_time_words(out, *kind, *data_time);
                out.text(format!("{})", flips_words(*flips)));
            }
            Self::DigestTitle { delivery, total } => {
                let often = match delivery {
                    Delivery::Instant => "",
                    Delivery::DigestHourly => "Hourly digest: ",
                    Delivery::DigestDaily => "Daily digest: ",
                    Delivery::DigestWeekly => "Weekly digest: ",
                };
                out.text(format!("{often}{}", calls_words(*total)));
            }
            Self::DigestGroup { to, way, outcome, kind, count, symbols } => {
                let badge = match (outcome, way) {
                    (Outcome::FlippedBack, _) => "↔",
                    (_, Some(Way::Up)) => "▲",
                    (_, Some(Way::Down)) => "▼",
                    (_, None) => "•",
                };
                out.strong(match outcome {
                    Outcome::Turned => format!("{badge} {}, {kind} ({count})", capital(&turned_words(*to, *way))),
                    Outcome::Unstable => format!("{badge} Unstable, now {to}, {kind} ({count})"),
                    Outcome::Settled => format!("{badge} Settled, {to}, {kind} ({count})"),
                    Outcome::Corrected => format!("{badge} Correction, the call is {to}, {kind} ({count})"),
                    Outcome::FlippedBack => format!("{badge} {}, {kind} ({count})", capital(&back_words(*to))),
                });
                for (index, (symbol, link)) in symbols.iter().enumerate() {
                    out.text(if index == 0 { ": " } else { ", " });
                    match link {
                        Some(link) => out.link(symbol, link),
                        None => out.text(symbol),
                    };
                }
            }
            Self::DigestLine { title, link, kind, data_time, flips } => {
                match link {
                    Some(link) => out.link(title.plain(), link),
                    None => out.text(title.plain()),
                };
                out.text(" (");
                data_time_words(out, *kind, *data_time);
                out.text(format!("{})", flips_words(*flips)));
            }
            Self::SummaryTitle { cause, total } => {
                let calls = calls_words(*total);
                out.text(match cause {
                    SummaryCause::AtOnce => format!("{calls} changed"),
                    SummaryCause::Held => format!("Held back: {calls}"),
                    SummaryCause::QuietHours => format!("In your quiet hours: {calls}"),
                    SummaryCause::WhileAway => format!("While I was away: {calls}"),
                    SummaryCause::OutOfReach => "I can reach you again".to_owned(),
                });
            }
            Self::Older { count } => {
                let (changes, are) = if *count == 1 { ("change", "is") } else { ("changes", "are") };
                out.text(format!("{count} {changes} from over {KEPT_DAYS} days ago, while I could not reach you, {are} in "))
                    .code("/history")
                    .text(".");
            }
            Self::Symbols { to, way, outcome, symbols } => {
                out.strong(match outcome {
                    Outcome::Turned => format!("{} ({}):", capital(&turned_words(*to, *way)), symbols.len()),
                    Outcome::Unstable => format!("Unstable, now {to} ({}):", symbols.len()),
                    Outcome::Settled => format!("Settled, {to} ({}):", symbols.len()),
                    Outcome::Corrected => format!("Correction, the call is {to} ({}):", symbols.len()),
                    Outcome::FlippedBack => format!("{} ({}):", capital(&back_words(*to)), symbols.len()),
                });
                out.text(format!(" {}", symbol_list(symbols)));
            }
        }
    }
}

/// What rows of this kind are called together.
pub(super) const fn signals(kind: Kind) -> &'static str {
    match kind {
        Kind::Daily => "daily calls",
        Kind::Hourly => "hourly calls",
        Kind::Grade => "grades",
        Kind::Fundamental => "fundamental classes",
        Kind::Levels => "price levels",
    }
}

/// What a row of this kind is.
pub(super) const fn noun(kind: Kind) -> &'static str {
    match kind {
        Kind::Daily | Kind::Hourly => "call",
        Kind::Grade => "grade",
        Kind::Fundamental => "class",
        Kind::Levels => "crossing",
    }
}

/// What a change from one stance to another is called.
pub(super) fn change_words(from: Option<Stance>, to: Stance) -> String {
    match (from, to) {
        (Some(from), Stance::Class(_)) => format!("class changed from {from} to {to}"),
        _ => turned_words(to, to.way_from(from)),
    }
}

/// What changes to a stance are called: `turned bullish`, `upgraded to Buy`.
pub(super) fn turned_words(to: Stance, way: Option<Way>) -> String {
    match (to, way) {
        (Stance::Bullish | Stance::Bearish, _) => format!("turned {to}"),
        (Stance::Grade(_), Some(Way::Up)) => format!("upgraded to {to}"),
        (Stance::Grade(_), Some(Way::Down)) => format!("downgraded to {to}"),
        (Stance::Grade(_), None) => format!("graded {to}"),
        (Stance::Class(_), _) => format!("class changed to {to}"),
        (Stance::Beyond(line), _) => format!("crossed {}", line_words(line)),
    }
}

/// What is said of a turn that was taken back before it was told.
fn back_words(to: Stance) -> String {
    match to {
        Stance::Beyond(line) => format!("crossed {} and came back", price_words(line.at())),
        _ => format!("flipped and back, still {to}"),
    }
}

/// `above 150.25`.
pub(super) fn line_words(line: Line) -> String {
    format!("{} {}", line.side(), price_words(line.at()))
}

/// `support 141, resistance 162.5`.
pub(super) fn near_words(near: Near) -> String {
    let side = |side: &str, at: Option<f64>| at.map_or_else(|| format!("no {side} known"), |at| format!("{side} {}", price_words(at)));
    format!("{}, {}", side("support", near.support), side("resistance", near.resistance))
}

fn calls_words(total: usize) -> String {
    if total == 1 { "1 call".to_owned() } else { format!("{total} calls") }
}

fn flips_words(flips: u32) -> String {
    match flips {
        0 => String::new(),
        1 => ", 1 flip in between".to_owned(),
        n => format!(", {n} flips in between"),
    }
}

fn symbol_list(symbols: &[(String, Kind)]) -> String {
    let one_kind = symbols.windows(2).all(|pair| pair[0].1 == pair[1].1);
    let words: Vec<_> = symbols.iter().map(|(symbol, kind)| if one_kind { symbol.clone() } else { format!("{symbol} ({kind})") }).collect();
    words.join(", ")
}

/// Daily calls name the day in words, because a midnight timestamp shows yesterday in America; hourly ones the hour (3.10), and what has no
/// time of its own when it was asked for.
pub(super) fn data_time_words(out: &mut Spans, kind: Kind, at: Timestamp) {
    match kind {
        Kind::Daily => out.text(at.day().in_words()),
        Kind::Hourly | Kind::Grade | Kind::Fundamental | Kind::Levels => out.time(at, TimeStyle::DateTime),
    };
}

/// `Data 21 Nov 2026 · polled 22 Nov 01:16 · sent 01:16 UTC`: a day is said again where it is another one.
fn provenance_words(kind: Kind, data_time: Timestamp, (polled_at, sent_at): (Timestamp, Timestamp), clock: Zone) -> String {
    let data = match kind {
        Kind::Daily => data_time.day().in_words(),
        Kind::Hourly | Kind::Grade | Kind::Fundamental | Kind::Levels => clock.shown(data_time).format("%-d %b %Y %H:%M").to_string(),
    };
    let (polled, sent) = (clock.shown(polled_at), clock.shown(sent_at));
    let sent = sent.format(if sent.date() == polled.date() { "%H:%M" } else { "%-d %b %H:%M" });
    format!("Data {data} · polled {} · sent {sent} {}", polled.format("%-d %b %H:%M"), clock.hours(sent_at))
}

/// A number of at most two decimals without needless zeros.
pub(super) fn short_number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A price: six digits that count, and cents at least where it is large; without needless zeros.
pub(super) fn price_words(price: f64) -> String {
    let whole_digits = price.log10().floor() as i32 + 1;
    let decimals = usize::try_from((6 - whole_digits).clamp(2, 20)).unwrap_or(2);
    let text = format!("{price:.decimals$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

pub(super) fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

/// How long a call has to stand until it has settled.
fn settling_words(kind: Kind) -> String {
    duration_words(kind.settles_after().unwrap_or_default().as_secs())
}

/// An age in whole days, or in whole hours below two of them.
fn age_words(age: Duration) -> String {
    const HOUR: u64 = 3600;
    let unit = if age.as_secs() < 48 * HOUR { HOUR } else { 24 * HOUR };
    duration_words(age.as_secs() / unit * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(short_number(71.5), "71.5");
        assert_eq!(short_number(100.0), "100");
        assert_eq!(short_number(26.484), "26.48");
        for (price, words) in [
            (151.25, "151.25"),
            (91_234.567_89, "91234.57"),
            (1.0, "1"),
            (100.0, "100"),
            (0.123_456_78, "0.123457"),
            (0.000_000_000_012_345_67, "0.0000000000123457"),
        ] {
            assert_eq!(price_words(price), words);
        }
    }

    #[test]
    fn since_is_honest_about_what_was_not_seen() {
        let at = Timestamp::parse("2026-11-14").unwrap();
        let before = |exact| {
            Phrase::Call(CallPhrase::Before { from: Some(Stance::Bearish), since: Some(Since { at, exact }), kind: Kind::Daily }).plain()
        };
        assert_eq!(before(true), "Before: bearish since 14 Nov 2026");
        assert_eq!(before(false), "Before: bearish since before 14 Nov 2026");
    }
}
