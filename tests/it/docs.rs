//! Documents that must not fall behind the program.

use bellwether::config::VARIABLES;
use std::process::Command;

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
