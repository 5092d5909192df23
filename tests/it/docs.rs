//! Documents that must not fall behind the program.

use bellwether::{config::VARIABLES, domain::wording::Trouble};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
};

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn every_variable_stands_in_the_example_and_in_the_readme() {
    let (example, readme) = (read(".env.example"), read("README.md"));
    for variable in VARIABLES {
        let name = variable.name;
        let line = |line: &&str| line.trim_start_matches(['#', ' ']).starts_with(&format!("{name}="));
        let line = example.lines().find(line).unwrap_or_else(|| panic!(".env.example lacks {name}"));
        assert!(readme.contains(&format!("`{name}`")), "the README lacks {name}");
        if let Some(default) = variable.default {
            assert!(line.contains(default), ".env.example shows another default for {name} than {default}");
            assert!(readme.contains(default), "the README lacks the default of {name}: {default}");
        }
    }
}

#[test]
fn the_example_holds_nothing_that_is_not_a_setting() {
    for line in read(".env.example").lines() {
        let Some((name, _)) = line.trim_start_matches(['#', ' ']).split_once('=') else { continue };
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') {
            continue;
        }
        assert!(VARIABLES.iter().any(|variable| variable.name == name), "{name} is not a setting");
    }
}

#[test]
fn every_command_stands_in_the_readme() {
    let help = Command::new(env!("CARGO_BIN_EXE_bellwether")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let commands = help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1).take_while(|line| !line.is_empty());
    let names: Vec<_> = commands.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").collect();
    assert!(names.contains(&"check"), "{help}");
    let readme = read("README.md");
    for name in names {
        assert!(readme.contains(&format!("`bellwether {name}")), "the README lacks `bellwether {name}`");
    }
}

/// Whether this is a setting, given by itself or as a file.
fn is_setting(name: &str) -> bool {
    VARIABLES.iter().any(|variable| variable.name == name || (variable.secret && name == format!("{}_FILE", variable.name)))
}

#[test]
fn what_ships_sets_nothing_that_is_not_a_setting() {
    let names = |text: &str, before: &str| -> Vec<String> {
        let lines = text.lines().map(|line| line.trim_start_matches(['#', ' '])).filter_map(|line| line.strip_prefix(before));
        let name = |line: &str| line.trim_start().chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect::<String>();
        lines.map(name).filter(|name| name.len() > 3).collect()
    };
    let dockerfile = read("Dockerfile");
    let unit = names(&read("ops/bellwether.service"), "Environment=");
    let image = names(dockerfile.split("\nENV ").nth(1).unwrap(), "").into_iter().filter(|name| name.contains('_'));
    let compose = names(&read("compose.yaml"), "").into_iter().filter(|name| name.contains('_') && !name.starts_with("POSTGRES_"));
    let all: Vec<_> = unit.into_iter().chain(image).chain(compose).collect();
    assert!(all.iter().filter(|name| *name == "DATABASE_URL").count() >= 3, "{all:?}");
    for name in all {
        assert!(is_setting(&name), "{name} is not a setting");
    }
}

#[test]
fn the_image_is_built_of_everything_that_the_binary_needs() {
    let context = tempfile::tempdir().unwrap();
    let dockerfile = read("Dockerfile");
    let copied: Vec<_> = dockerfile.lines().filter_map(|line| line.strip_prefix("COPY ")).filter(|line| !line.starts_with("--")).collect();
    let names: BTreeSet<_> = copied.iter().flat_map(|line| line.split(' ')).filter(|name| *name != "./").collect();
    for name in &names {
        assert!(read(".dockerignore").lines().any(|line| line == format!("!{name}")), "{name} is not sent to the builder");
        let path = Path::new(name);
        let copy = Command::new("cp").arg("-r").args([path, context.path()]).status().unwrap();
        assert!(copy.success(), "{name}");
    }
    // What is compiled in from elsewhere would be missing there.
    let embeds = Command::new("grep").args(["-rnE", r"include_(str|bytes)!\(", "src"]).output().unwrap();
    let embeds = String::from_utf8_lossy(&embeds.stdout);
    let elsewhere: Vec<_> = embeds.lines().filter(|line| !line.starts_with("src/chart/font.rs:") || line.contains("../")).collect();
    assert_eq!(elsewhere, [""; 0], "see that the image has these files, and name them here");
    let said = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--locked", "--format-version", "1"])
        .current_dir(context.path())
        .output()
        .unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
}

/// The value of a line of Cargo.lock.
fn quoted<'a>(line: &'a str, before: &str) -> Option<&'a str> {
    line.strip_prefix(before)?.trim().strip_prefix('"')?.strip_suffix('"')
}

#[test]
fn every_duplicate_has_its_reason_and_no_reason_is_left_over() {
    let lock = read("Cargo.lock");
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut lines = lock.lines();
    while let Some(line) = lines.next() {
        let (Some(name), Some(version)) = (quoted(line, "name = "), lines.clone().next().and_then(|line| quoted(line, "version = ")))
        else {
            continue;
        };
        versions.entry(name).or_default().push(version);
    }
    // Cargo.lock lists the versions of a crate in order; the last one is the newest.
    let duplicates: BTreeSet<String> =
        versions.iter().flat_map(|(name, all)| all[..all.len() - 1].iter().map(move |version| format!("{name}@{version}"))).collect();
    let deny = read("deny.toml");
    let skip = deny.split("skip = [").nth(1).and_then(|rest| rest.split("\n]").next()).unwrap();
    let named: BTreeSet<String> =
        skip.lines().filter_map(|line| line.split("crate = \"").nth(1)?.split('"').next()).map(str::to_owned).collect();
    assert_eq!(named, duplicates);
    for line in skip.lines().filter(|line| line.contains("crate = ")) {
        assert!(line.contains("reason = \"") && !line.contains("reason = \"\""), "{line}");
    }
}

#[test]
fn every_trouble_stands_in_the_documentation_as_it_is() {
    let document = read("docs/errors.md");
    let shown: Vec<&str> = document.lines().filter(|line| line.starts_with("| `")).collect();
    let row = |trouble: &Trouble| format!("| `{trouble}` | {} | {} | {} |", trouble.seen(), trouble.cause(), trouble.fix());
    assert_eq!(shown, Trouble::ALL.iter().map(row).collect::<Vec<_>>());
}

#[test]
fn a_trouble_names_settings_and_commands_that_exist() {
    for trouble in Trouble::ALL {
        let text = [trouble.seen(), trouble.cause(), trouble.fix()].join(" ");
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| word.contains('_'));
        let is_ours = |word: &&str| ["TOKEN_METRICS_", "DISCORD_", "TELEGRAM_", "BELLWETHER_"].iter().any(|start| word.starts_with(start));
        for name in words.filter(is_ours) {
            assert!(is_setting(name), "{trouble} names {name}");
        }
    }
}
