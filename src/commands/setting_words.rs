//! Reading what is to be changed of the settings: named options as Discord sends them, or `name=value …` as Telegram does.

use super::{
    Request,
    catalog::{self, CHART_CHOICES, ON_OFF},
    desk::{Stop, not_available},
    options::{self, CHANNEL, FREE_WORDS, bad_word, short},
};
use crate::domain::{
    Confirmation, DigestTime, Kind, MAX_CONFIRMATION_MINUTES, MAX_COOLDOWN_MINUTES, MAX_PER_HOUR, Platform, PollShare, QuietHours,
    SettingsChange, Theme, Zone, wording::RefusalPhrase,
};
use std::collections::BTreeSet;

/// Settings of later versions.
const LATER: &[&str] = &["language"];
/// What says that there is none of something.
const NONE: [&str; 2] = ["off", "none"];
/// The most zones that a refusal names.
const MOST_NEAR: usize = 3;

/// Reads settings, named or as `name=value`.
pub(super) fn settings(request: &Request) -> Result<SettingsChange, Stop> {
    read(request, |name, value| example(request, name, value))
}

/// The same with one example for everything.
pub(super) fn settings_with(request: &Request, example: &str) -> Result<SettingsChange, Stop> {
    read(request, |_, _| example.to_owned())
}

/// A right way to set this where it was typed.
pub(super) fn example(request: &Request, name: &str, value: &str) -> String {
    let sign = if request.platform() == Platform::Discord { ':' } else { '=' };
    options::example(request, &format!("{name}{sign}{value}"))
}

fn read(request: &Request, example: impl Fn(&str, &str) -> String) -> Result<SettingsChange, Stop> {
    let mut change = SettingsChange::default();
    for (name, value) in pairs(request) {
        let refused = |phrase, right| Err(Stop::with_example(phrase, &example(&name, right)));
        let value = value.trim();
        match name.as_str() {
            "max_per_hour" => match number(value, MAX_PER_HOUR) {
                Some(number) => change.max_per_hour = Some(number),
                None => return refused(bad_number(&name, value, MAX_PER_HOUR), "5"),
            },
            "cooldown" => match minutes(value, MAX_COOLDOWN_MINUTES) {
                Some(minutes) => change.cooldown_minutes = Some(minutes),
                None => return refused(bad_minutes(&name, value, MAX_COOLDOWN_MINUTES), "30"),
            },
            "confirmation" => match confirmation(value) {
                Some(confirmation) => change.confirmation = Some(confirmation),
                None => return refused(RefusalPhrase::BadConfirmation { word: short(value) }, "30"),
            },
            "timezone" => match Zone::parse(value) {
                Some(zone) => change.timezone = Some(zone),
                None => {
                    return refused(RefusalPhrase::BadTimezone { word: short(value), near: near_zones(value) }, "Europe/Berlin");
                }
            },
            "quiet_hours" if is_none(value) => change.quiet_hours = Some(None),
            "quiet_hours" => match QuietHours::parse(value) {
                Some(hours) => change.quiet_hours = Some(Some(hours)),
                None => return refused(RefusalPhrase::BadQuietHours { word: short(value) }, "22:00-07:00"),
            },
            "quiet_bypass" => match kinds(value) {
                Ok(kinds) => change.quiet_bypass = Some(kinds),
                Err(word) => return refused(bad_word("kind", word, Kind::ALL, Kind::as_str), "hourly"),
            },
            "digest_time" => match DigestTime::parse(value) {
                Some(time) => change.digest_time = Some(time),
                None => return refused(RefusalPhrase::BadDigestTime { word: short(value) }, "09:00"),
            },
            "charts" => match charts(value) {
                Some(theme) => change.charts = Some(theme),
                None => return refused(bad_word("choice for charts", value, CHART_CHOICES, |word| word), "dark"),
            },
            "provenance" => match switch(value) {
                Some(is_on) => change.provenance = Some(is_on),
                None => return refused(bad_word("choice for provenance", value, ON_OFF, |word| word), "on"),
            },
            later if LATER.contains(&later) => return Err(not_available(later)),
            _ => return refused_name(&name, &example("quiet_hours", "22:00-07:00")),
        }
    }
    Ok(change)
}

fn refused_name(name: &str, example: &str) -> Result<SettingsChange, Stop> {
    Err(Stop::with_example(
        RefusalPhrase::UnknownOption { word: short(name), known: catalog::setting_names().map(str::to_owned).collect() },
        example,
    ))
}

/// Every name with its value, in the order in which they were given; of a free word the name alone.
fn pairs(request: &Request) -> Vec<(String, String)> {
    let named = request.invocation.options.iter().filter(|(name, _)| !matches!(name.as_str(), FREE_WORDS | CHANNEL));
    let mut pairs: Vec<(String, String)> = named.map(|(name, value)| (name.clone(), value.clone())).collect();
    let free = request.invocation.options.get(FREE_WORDS).map(String::as_str).unwrap_or_default();
    for word in free.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty()) {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        pairs.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    pairs
}

fn number(value: &str, most: u32) -> Option<u32> {
    value.parse().ok().filter(|number| *number <= most)
}

/// A number of minutes, or with a letter behind it of `m`, `h` or `d`; `off` is none.
fn minutes(value: &str, most: u32) -> Option<u32> {
    if is_none(value) {
        return Some(0);
    }
    let (count, unit) = value.split_at(value.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(value.len()));
    let each = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "m" | "min" => 1,
        "h" => 60,
        "d" => 24 * 60,
        _ => return None,
    };
    number(count, most)?.checked_mul(each).filter(|minutes| *minutes <= most)
}

/// Minutes, or so many of the last polls.
fn confirmation(value: &str) -> Option<Confirmation> {
    let polls = || PollShare::parse(&value.to_ascii_lowercase()).map(Confirmation::Polls);
    minutes(value, MAX_CONFIRMATION_MINUTES).and_then(Confirmation::minutes).or_else(polls)
}

fn bad_minutes(name: &str, value: &str, most: u32) -> RefusalPhrase {
    RefusalPhrase::BadMinutes { option: name.to_owned(), word: short(value), most }
}

fn bad_number(name: &str, value: &str, most: u32) -> RefusalPhrase {
    RefusalPhrase::BadNumber { option: name.to_owned(), word: short(value), least: 0, most }
}

/// On or off.
fn switch(value: &str) -> Option<bool> {
    ON_OFF.iter().position(|word| word.eq_ignore_ascii_case(value)).map(|place| place == 0)
}

/// None, or in which colours; `on` is what it was called before there was a choice.
fn charts(value: &str) -> Option<Option<Theme>> {
    match value.to_ascii_lowercase().as_str() {
        "off" => Some(None),
        "on" => Some(Some(Theme::default())),
        word => Theme::ALL.into_iter().find(|theme| theme.as_str() == word).map(Some),
    }
}

fn is_none(value: &str) -> bool {
    NONE.iter().any(|word| word.eq_ignore_ascii_case(value))
}

/// A list of kinds, or none of them; the word that is no kind.
fn kinds(value: &str) -> Result<BTreeSet<Kind>, &str> {
    if is_none(value) {
        return Ok(BTreeSet::new());
    }
    let words: Vec<&str> = value.split([',', ' ']).filter(|word| !word.is_empty()).collect();
    let read = |word: &&'_ str| Kind::parse(word);
    match words.iter().find(|word| read(word).is_none()) {
        Some(word) => Err(word),
        None if words.is_empty() => Err(value),
        None => Ok(words.iter().filter_map(read).collect()),
    }
}

/// Zones in whose name the word stands.
fn near_zones(word: &str) -> Vec<String> {
    // The sign of `Etc/GMT+2` means the other direction: nobody means it who writes `GMT+2`.
    zones_like(word).map(Zone::name).filter(|name| !name.starts_with("Etc/")).take(MOST_NEAR).map(str::to_owned).collect()
}

/// Zones that are written like this, the likeliest first: those whose city begins so, those whose name does, those that hold it.
pub(super) fn zones_like(typed: &str) -> impl Iterator<Item = Zone> {
    let typed = typed.trim().to_lowercase().replace(' ', "_");
    let likeness = |zone: Zone| {
        let (name, city) = (zone.name().to_lowercase(), zone.city().to_lowercase());
        let place = [city.starts_with(&typed), name.starts_with(&typed), name.contains(&typed)].into_iter().position(|is_so| is_so)?;
        Some((place, zone))
    };
    let mut found: Vec<_> = Zone::all().filter(|_| !typed.is_empty()).filter_map(likeness).collect();
    found.sort_by_key(|(place, zone)| (*place, zone.name()));
    found.into_iter().map(|(_, zone)| zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_offered_by_their_city_first() {
        let names = |typed| zones_like(typed).take(3).map(Zone::name).collect::<Vec<_>>();
        assert_eq!(names("berl"), ["Europe/Berlin"]);
        assert_eq!(names("new y"), ["America/New_York"]);
        assert_eq!(names("asia/ko"), ["Asia/Kolkata"]);
        assert_eq!(names(""), [""; 0]);
    }

    #[test]
    fn minutes_may_have_a_unit() {
        let read = |value| minutes(value, 1440);
        for (value, expected) in [("0", 0), ("45", 45), ("45m", 45), ("45 min", 45), ("2H", 120), ("1d", 1440), ("off", 0), ("None", 0)] {
            assert_eq!(read(value), Some(expected), "{value}");
        }
        for bad in ["", "m", "-5", "1.5h", "2d", "25h", "1441", "4294967297", "999999999h", "5s", "5 m m"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn kinds_are_a_list_or_none() {
        assert_eq!(kinds("Hourly, daily"), Ok([Kind::Daily, Kind::Hourly].into()));
        assert_eq!(kinds("none"), Ok(BTreeSet::new()));
        assert_eq!((kinds("hourly,weekly"), kinds("levels"), kinds("")), (Err("weekly"), Ok([Kind::Levels].into()), Err("")));
    }
}
