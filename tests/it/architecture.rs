//! The rooms of ARCHITECTURE.md, held against what the code in them names. A room that is empty or missing fails too, so that a rename
//! cannot silently disable a rule.

use std::path::{Path, PathBuf};

/// A room (a folder, or a file) and what no line in it may name.
struct Room {
    path: &'static str,
    never: &'static [&'static str],
}

const PLATFORMS: [&str; 3] = ["serenity", "teloxide", "axum"];

/// What rooms without any IO never name.
const PURE: &[&str] = &[
    "crate::commands",
    "crate::sources",
    "crate::store",
    "crate::chat",
    "crate::pipeline",
    "crate::web",
    "crate::cli",
    "crate::config",
    "crate::clock",
    "crate::http",
    "crate::telemetry",
    "async",
    "tokio",
    "sqlx",
    "reqwest",
    "axum",
    "serenity",
    "teloxide",
    "tracing",
    "fastrand",
    "Utc::now",
    "SystemTime",
    "time::Instant",
];

const ROOMS: &[Room] = &[
    Room {
        path: "src/domain",
        never: &[
            "crate::engine",
            "crate::commands",
            "crate::sources",
            "crate::store",
            "crate::chat",
            "crate::pipeline",
            "crate::web",
            "crate::cli",
            "crate::config",
            "crate::clock",
            "crate::http",
            "crate::telemetry",
            "tokio",
            "sqlx",
            "reqwest",
            "axum",
            "serenity",
            "teloxide",
            "tracing",
            "fastrand",
            "Utc::now",
        ],
    },
    Room { path: "src/engine", never: PURE },
    Room { path: "src/chart", never: PURE },
    Room { path: "src/chart", never: &["crate::engine", "std::fs"] },
    Room {
        path: "src/commands",
        never: &[
            "crate::chat",
            "crate::sources",
            "crate::pipeline",
            "crate::web",
            "crate::cli",
            "serenity",
            "teloxide",
            "axum",
            "reqwest",
            "sqlx",
        ],
    },
    Room {
        path: "src/cache",
        never: &[
            "crate::commands",
            "crate::sources",
            "crate::chat",
            "crate::pipeline",
            "crate::web",
            "crate::cli",
            "crate::config",
            "crate::clock",
            "serenity",
            "teloxide",
            "axum",
            "reqwest",
            "sqlx",
        ],
    },
    Room {
        path: "src/store",
        never: &[
            "crate::engine",
            "crate::commands",
            "crate::sources",
            "crate::chat",
            "crate::pipeline",
            "crate::web",
            "crate::cli",
            "crate::config",
            "crate::clock",
            "serenity",
            "teloxide",
            "axum",
            "reqwest",
            "Utc::now",
            "SystemTime",
        ],
    },
    Room {
        path: "src/sources",
        never: &[
            "crate::store",
            "crate::chat",
            "crate::commands",
            "crate::engine",
            "crate::pipeline",
            "crate::web",
            "crate::cli",
            "sqlx",
            "serenity",
            "teloxide",
            "axum",
        ],
    },
    Room {
        path: "src/chat",
        never: &["crate::engine", "crate::sources", "crate::pipeline", "crate::web", "crate::cli", "sqlx", "crate::store"],
    },
    Room { path: "src/chat/discord", never: &["chat::telegram", "teloxide"] },
    Room { path: "src/chat/telegram", never: &["chat::discord", "serenity"] },
    Room { path: "src/chat/console", never: &["chat::discord", "chat::telegram", "serenity", "teloxide", "axum", "reqwest"] },
    Room {
        path: "src/pipeline",
        never: &[
            "crate::web",
            "crate::cli",
            "chat::discord",
            "chat::telegram",
            "sources::token_metrics",
            "sqlx",
            "serenity",
            "teloxide",
            "axum",
            "reqwest",
        ],
    },
    Room { path: "src/web", never: &["sqlx", "serenity", "teloxide", "crate::engine", "crate::pipeline", "crate::cli"] },
    Room { path: "src/cli", never: &["sqlx", "serenity", "teloxide"] },
    Room { path: "src/app", never: &["sqlx", "serenity", "teloxide", "axum", "crate::engine", "crate::cli"] },
    Room { path: "src/app.rs", never: &["sqlx", "serenity", "teloxide", "crate::engine", "crate::cli"] },
    Room {
        path: "src/transfer",
        never: &[
            "crate::commands",
            "crate::chat",
            "crate::sources",
            "crate::engine",
            "crate::pipeline",
            "crate::web",
            "crate::cli",
            "crate::config",
            "crate::clock",
            "sqlx",
            "tokio",
            "async",
            "reqwest",
            "serenity",
            "teloxide",
            "axum",
        ],
    },
    Room {
        path: "src/demo",
        never: &[
            "sqlx",
            "serenity",
            "teloxide",
            "reqwest",
            "crate::store",
            "crate::chat",
            "crate::engine",
            "crate::pipeline",
            "crate::sources",
        ],
    },
    Room {
        path: "src/config",
        never: &["sqlx", "serenity", "teloxide", "axum", "crate::store", "crate::chat", "crate::engine", "crate::pipeline"],
    },
    Room {
        path: "src/telemetry",
        never: &["sqlx", "serenity::", "teloxide::", "axum", "crate::store", "crate::engine", "crate::pipeline"],
    },
];

#[test]
fn every_room_knows_only_what_it_may_know() {
    let mut broken = Vec::new();
    for room in ROOMS {
        let files = rust_files(Path::new(room.path));
        assert!(!files.is_empty(), "{} is empty or missing: move its rule with it", room.path);
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            broken.extend(
                violations(&text, room.never).map(|(line, word)| format!("{}:{line}: {} must not use {word}", file.display(), room.path)),
            );
        }
    }
    assert!(broken.is_empty(), "see ARCHITECTURE.md, \"The rooms\":\n{}", broken.join("\n"));
}

#[test]
fn sql_stands_in_the_store_alone() {
    let outside: Vec<_> = rust_files(Path::new("src")).into_iter().filter(|file| !file.starts_with("src/store")).collect();
    assert!(!outside.is_empty());
    for file in outside {
        let text = std::fs::read_to_string(&file).unwrap();
        let found: Vec<_> = violations(&text, &["sqlx"]).map(|(line, _)| line).collect();
        assert!(found.is_empty(), "{}: sqlx in lines {found:?}", file.display());
    }
}

#[test]
fn one_platform_more_is_one_folder_more() {
    let shared: Vec<_> =
        rust_files(Path::new("src/chat")).into_iter().filter(|file| file.parent() == Some(Path::new("src/chat"))).collect();
    assert!(!shared.is_empty());
    for file in shared {
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(violations(&text, &PLATFORMS).next(), None, "{} is shared by all platforms", file.display());
    }
}

#[test]
fn files_stay_short() {
    for file in rust_files(Path::new("src")) {
        let lines = std::fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= 450, "{} has {lines} lines; 450 is the limit: it holds more than one thing", file.display());
    }
}

#[test]
fn the_check_itself_sees_what_it_must_see() {
    let text = "use crate::store::Store;\n// sqlx in a comment\nlet x = \"http://axum\"; // axum\n/// serenity\nuse crate::{\n    domain::Kind,\n    store::{Store, X},\n};\nasync_trait!();\n";
    let found: Vec<_> = violations(text, &["crate::store", "sqlx", "serenity", "async"]).collect();
    assert_eq!(found, [(1, "crate::store"), (7, "crate::store")]);
    assert_eq!(violations("a();\nuse axum as web;", &["axum"]).collect::<Vec<_>>(), [(2, "axum")]);
    let test = "fn a() {}\n#[cfg(test)]\nmod tests { use crate::store::Store; }\n";
    assert_eq!(violations(test, &["crate::store"]).next(), None, "a test may look further");
}

/// Each line that names a forbidden thing, as a path: comments, strings and the tests at the bottom are left out.
fn violations<'a>(text: &'a str, never: &'a [&'a str]) -> impl Iterator<Item = (usize, &'a str)> {
    let mut in_use_of_crate = false;
    text.lines().take_while(|line| line.trim() != "#[cfg(test)]").enumerate().flat_map(move |(index, line)| {
        let code = code_of(line);
        if code.trim_start().starts_with("use crate::{") || code.trim_start().starts_with("pub use crate::{") {
            in_use_of_crate = true;
        }
        let within = in_use_of_crate;
        if code.contains(';') {
            in_use_of_crate = false;
        }
        never
            .iter()
            .copied()
            .filter(move |word| {
                let bare = word.strip_prefix("crate::").filter(|_| within);
                names(&code, word) || bare.is_some_and(|bare| names(&code, bare))
            })
            .map(move |word| (index + 1, word))
    })
}

/// Whether the code names this word as a whole.
fn names(code: &str, word: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(is_part) && (word.ends_with(':') || !after.is_some_and(is_part))
    })
}

/// The line without comments and without what stands in quotes.
fn code_of(line: &str) -> String {
    let mut code = String::new();
    let mut in_quotes = false;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if in_quotes => drop(letters.next()),
            '"' => in_quotes = !in_quotes,
            '/' if !in_quotes && letters.peek() == Some(&'/') => break,
            _ if in_quotes => {}
            other => code.push(other),
        }
    }
    code
}

/// The code of a folder; tests that have a file of their own may look further.
fn rust_files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let Ok(entries) = std::fs::read_dir(path) else { return Vec::new() };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") && path.file_name().is_none_or(|name| name != "tests.rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}
