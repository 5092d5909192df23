//! Every variable by its name: the one list that documentation, `.env.example` and the search for misspelt names are held against.

/// One variable of the environment (`contract.md` section 2).
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What is taken where it is unset, as it would be written.
    pub default: Option<&'static str>,
    /// Whether it is never printed, and can also be given as `NAME_FILE`.
    pub secret: bool,
}

const fn plain(name: &'static str, default: Option<&'static str>) -> Variable {
    Variable { name, default, secret: false }
}

const fn secret(name: &'static str, default: Option<&'static str>) -> Variable {
    Variable { name, default, secret: true }
}

/// Every variable that Bellwether reads, in the order of the documentation.
///
/// The database's URL counts as a secret because that of PostgreSQL holds a password.
pub const VARIABLES: &[Variable] = &[
    secret("DATABASE_URL", Some("sqlite://bellwether.db")),
    plain("BELLWETHER_LISTEN", Some("127.0.0.1:8080")),
    plain("BELLWETHER_PUBLIC_URL", None),
    secret("TOKEN_METRICS_API_KEY", None),
    secret("TOKEN_METRICS_API_KEY_NEXT", None),
    plain("TOKEN_METRICS_API_URL", Some("https://api.tokenmetrics.com/v2")),
    plain("TOKEN_METRICS_CALLS_PER_MONTH", Some("500")),
    plain("TOKEN_METRICS_CALLS_PER_MINUTE", Some("1")),
    plain("BELLWETHER_ALL_TOKENS", Some("100")),
    plain("BELLWETHER_SCHEDULE_DAILY", None),
    plain("BELLWETHER_SCHEDULE_HOURLY", None),
    plain("BELLWETHER_SCHEDULE_GRADE", None),
    plain("BELLWETHER_SCHEDULE_FUNDAMENTAL", None),
    plain("BELLWETHER_SCHEDULE_LEVELS", None),
    secret("DISCORD_BOT_TOKEN", None),
    plain("DISCORD_APPLICATION_ID", None),
    plain("DISCORD_PUBLIC_KEY", None),
    plain("DISCORD_API_URL", Some("https://discord.com")),
    secret("TELEGRAM_BOT_TOKEN", None),
    plain("TELEGRAM_API_URL", Some("https://api.telegram.org")),
    secret("TELEGRAM_WEBHOOK_SECRET", None),
    plain("BELLWETHER_OPERATORS", None),
    secret("BELLWETHER_ADMIN_TOKEN", None),
    plain("BELLWETHER_KEEP_HISTORY_DAYS", Some("400")),
    plain("BELLWETHER_KEEP_MESSAGES_DAYS", Some("30")),
    plain("BELLWETHER_PUBLIC_PAGES", Some("false")),
    plain("BELLWETHER_ALLOW_HTTP", Some("false")),
    plain("RUST_LOG", Some("info,serenity=warn,sqlx=warn,hyper=warn,reqwest=warn")),
    plain("BELLWETHER_LOG_FORMAT", Some("text")),
];

/// What is taken where the variable is unset.
pub(super) fn default_of(name: &str) -> Option<&'static str> {
    VARIABLES.iter().find(|variable| variable.name == name).and_then(|variable| variable.default)
}

/// For a name that looks like one of ours but is none: a warning with the nearest right name.
pub(super) fn misspelt(name: &str) -> Option<String> {
    let plain = name.strip_suffix("_FILE").unwrap_or(name);
    let known = VARIABLES.iter().any(|variable| variable.name == name || (variable.secret && variable.name == plain));
    let ours = name.starts_with("BELLWETHER_") && !name.starts_with("BELLWETHER_TEST_");
    let near_ours = ["TOKEN_METRICS_", "DISCORD_", "TELEGRAM_"].iter().any(|prefix| name.starts_with(prefix));
    if known || !(ours || near_ours) {
        return None;
    }
    if let Some(variable) = VARIABLES.iter().find(|variable| variable.name == plain) {
        return Some(format!("{name} has no effect: only secrets are read from files; write {}", variable.name));
    }
    let (distance, nearest) = VARIABLES.iter().map(|variable| (edits(plain, variable.name), variable.name)).min()?;
    if distance <= 4 {
        Some(format!("{name} is not a setting of Bellwether; did you mean {nearest}?"))
    } else if ours {
        Some(format!("{name} is not a setting of Bellwether; the README lists them all"))
    } else {
        None
    }
}

/// How many letters must be inserted, removed or replaced to turn one name into the other.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_is_told_the_nearest_right_one() {
        for (wrong, right) in [
            ("BELLWETHER_LISTN", "did you mean BELLWETHER_LISTEN?"),
            ("DISCORD_TOKEN", "did you mean DISCORD_BOT_TOKEN?"),
            ("TELEGRAM_TOKEN_FILE", "did you mean TELEGRAM_BOT_TOKEN?"),
            ("BELLWETHER_SOMETHING_ELSE_ENTIRELY", "the README lists them all"),
            ("BELLWETHER_LISTEN_FILE", "write BELLWETHER_LISTEN"),
        ] {
            assert!(misspelt(wrong).is_some_and(|warning| warning.ends_with(right)), "{wrong}: {:?}", misspelt(wrong));
        }
    }

    #[test]
    fn right_names_and_those_of_others_are_left_alone() {
        for name in ["BELLWETHER_LISTEN", "DISCORD_BOT_TOKEN_FILE", "DISCORD_WEBHOOK_OF_ANOTHER_PROGRAM", "PATH", "BELLWETHER_TEST_X"] {
            assert_eq!(misspelt(name), None, "{name}");
        }
    }
}
