//! Where settings come from: the real environment before a `.env` file. The only place that asks the system for either.

use super::Mistake;
use std::{collections::BTreeMap, io, path::Path};

/// Variables in layers: what stands in an earlier layer hides a later one.
///
/// The process's own environment is never changed: what `.env` holds stays here.
#[derive(Clone, Default)]
pub struct Environment {
    layers: Vec<BTreeMap<String, String>>,
    mistakes: Vec<Mistake>,
}

/// The two ways in which a secret is given, from the first layer that knows either.
#[derive(Default)]
pub(super) struct Given<'a> {
    pub(super) value: Option<&'a str>,
    pub(super) file: Option<&'a str>,
}

impl Environment {
    /// One layer of given variables: for tests and for programs that embed the library.
    pub fn of<N: Into<String>, V: Into<String>>(variables: impl IntoIterator<Item = (N, V)>) -> Self {
        let layer = variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { layers: vec![layer], mistakes: Vec::new() }
    }

    /// The process's environment, then the `.env` file of this folder where there is one.
    #[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
    pub fn of_process(folder: &Path) -> Self {
        let mut environment = Self::default();
        let mut layer = BTreeMap::new();
        for (name, value) in std::env::vars_os() {
            let Ok(name) = name.into_string() else { continue };
            match value.into_string() {
                Ok(value) => drop(layer.insert(name, value)),
                Err(_) if super::VARIABLES.iter().any(|variable| variable.name == name) => {
                    environment.mistakes.push(Mistake::new(&name, "it is not UTF-8 text", "it in plain letters"));
                }
                Err(_) => {}
            }
        }
        environment.layers.push(layer);
        environment.with_file(&folder.join(".env"))
    }

    /// Adds what a `.env` file holds behind what is there already.
    #[must_use]
    pub fn with_file(mut self, path: &Path) -> Self {
        match std::fs::read_to_string(path) {
            Ok(text) => self.add_text(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                let what = format!("the file cannot be read ({error})");
                self.mistakes.push(Mistake::new(".env", &what, "a file that this user can read, or remove it"));
            }
        }
        self
    }

    fn add_text(&mut self, text: &str) {
        let mut layer = BTreeMap::new();
        let text = text.trim_start_matches('\u{feff}');
        for entry in dotenvy::from_read_iter(text.as_bytes()) {
            match entry {
                Ok((name, value)) => drop(layer.insert(name, value)),
                Err(error) => self.mistakes.push(unreadable(&error, text)),
            }
        }
        self.layers.push(layer);
    }

    /// A variable's value; without anything but spaces it counts as unset.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let value = self.layers.iter().find_map(|layer| layer.get(name))?.trim();
        (!value.is_empty()).then_some(value)
    }

    /// A secret's value and the path of its file, both from the first layer that knows either.
    pub(super) fn secret(&self, name: &str) -> Given<'_> {
        let in_file = format!("{name}_FILE");
        let Some(layer) = self.layers.iter().find(|layer| layer.contains_key(name) || layer.contains_key(&in_file)) else {
            return Given::default();
        };
        let read = |name: &str| layer.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
        Given { value: read(name), file: read(&in_file) }
    }

    /// Whether a secret is given, in whichever way.
    pub(super) fn gives_secret(&self, name: &str) -> bool {
        let given = self.secret(name);
        given.value.is_some() || given.file.is_some()
    }

    /// Every name that is set in any layer.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.layers.iter().flat_map(BTreeMap::keys).map(String::as_str)
    }

    /// What could not even be read.
    pub(super) fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }
}

/// Says which line it is, never what it holds: a secret may stand there.
fn unreadable(error: &dotenvy::Error, text: &str) -> Mistake {
    let instead = "NAME=value, with 'single quotes' around a value that holds spaces, quotes or #";
    let line = match error {
        dotenvy::Error::LineParse(line, _) => {
            // The parser names the whole line or what follows its `=`.
            let rest = line.lines().next().unwrap_or_default().trim();
            text.lines().position(|candidate| !rest.is_empty() && candidate.trim().ends_with(rest))
        }
        _ => None,
    };
    match line {
        Some(line) => Mistake::new(".env", &format!("line {} cannot be read", line + 1), instead),
        None => Mistake::new(".env", "a line cannot be read", instead),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_layer_wins_whichever_way_a_secret_is_given() {
        let mut environment = Environment::of([("A", "real"), ("S_FILE", "/run/s"), ("EMPTY", " ")]);
        environment.add_text("A=file\nB=file\nS=in the file\nEMPTY=x\n");
        assert_eq!(environment.get("A"), Some("real"));
        assert_eq!(environment.get("B"), Some("file"));
        assert_eq!(environment.get("EMPTY"), None, "set to nothing hides the file's value");
        let given = environment.secret("S");
        assert_eq!((given.value, given.file), (None, Some("/run/s")));
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named_but_not_shown() {
        let mut environment = Environment::default();
        environment.add_text("A=1\nDISCORD_BOT_TOKEN=s3cret unquoted\nB=2\n");
        let [mistake] = environment.mistakes() else { panic!("{:?}", environment.mistakes()) };
        assert_eq!(mistake.to_string().find("s3cret"), None);
        assert!(mistake.to_string().starts_with(".env: line 2 cannot be read"), "{mistake}");
        assert_eq!(environment.get("B"), Some("2"));

        let mut open_quote = Environment::default();
        open_quote.add_text("A=1\nDISCORD_BOT_TOKEN='s3cret\nB=2\n");
        let [mistake] = open_quote.mistakes() else { panic!("{:?}", open_quote.mistakes()) };
        assert!(mistake.to_string().starts_with(".env: ") && !mistake.to_string().contains("s3cret"), "{mistake}");
    }
}
