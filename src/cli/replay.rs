//! `bellwether replay`: recorded bodies of the data API through the same diff engine, in order; each change is one JSON line.
//!
//! The clock is the data's own: a body is read as if it had been asked for just after its newest row began. What was recorded is
//! taken as asked for without a break, so that no token gets a new baseline (`rules.md` 2.6) for the time between two bodies.

mod subscriber;

use self::subscriber::Subscriber;
use super::{CommandResult, Failure, recorded};
use crate::{
    commands::ImaginedSubscriber,
    domain::{Change, Kind, Observation, SetAside, Snapshot, SourceId, Stance, Timestamp, TokenId, TokenState},
    engine::diff::{Diff, diff},
    sources::token_metrics::{Value, Version, guess_kind, read_rows, read_token},
};
use clap::Args;
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

/// `replay FILE…`.
#[derive(Clone, Debug, Args)]
pub(super) struct ReplayArguments {
    /// Files that hold one JSON body, or one JSON body a line
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The kind of all rows; guessed from their keys where it is not given
    #[arg(long, value_parser = parse_kind)]
    kind: Option<Kind>,
    /// Print rows that changed nothing too, each with its reason
    #[arg(long)]
    all: bool,
    /// Also print what such a subscriber would have been told, and when: 'tokens=SOL,ETH kind=hourly delivery=instant max_per_hour=3 cooldown=30
    /// direction=any'
    #[arg(long = "as", value_name = "WORDS", value_parser = ImaginedSubscriber::parse)]
    subscriber: Option<ImaginedSubscriber>,
}

/// The kinds whose rows say of when they are: the others are what they are when they are asked for.
const DATED: [Kind; 2] = [Kind::Daily, Kind::Hourly];

fn parse_kind(word: &str) -> Result<Kind, String> {
    let known = || DATED.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(" or ");
    Kind::parse(word).filter(|kind| DATED.contains(kind)).ok_or_else(|| format!("write {}", known()))
}

/// Replays to stdout.
pub(super) fn run(arguments: &ReplayArguments) -> CommandResult {
    let options = ReplayOptions { kind: arguments.kind, all: arguments.all, subscriber: arguments.subscriber.clone() };
    let mut out = io::BufWriter::new(io::stdout().lock());
    let replayed = replay(&arguments.files, options, &mut out).and_then(|()| Ok(out.flush()?));
    match replayed {
        // Whoever reads has seen enough (`| head`).
        Err(ReplayError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        replayed => replayed.map(|()| ExitCode::SUCCESS).map_err(Failure::other),
    }
}

/// What is replayed, and how much of it is printed.
#[derive(Clone, Debug, Default)]
pub struct ReplayOptions {
    /// The kind of all rows; guessed from their keys where it is not given.
    pub kind: Option<Kind>,
    /// Whether rows that changed nothing are printed too, with the reason.
    pub all: bool,
    /// Whose decisions are printed too.
    pub subscriber: Option<ImaginedSubscriber>,
}

/// Why a replay ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A file cannot be opened or read.
    #[error("{path}: {error}")]
    File {
        /// As it was given.
        path: PathBuf,
        /// The system's words.
        error: io::Error,
    },
    /// A body is not an answer of the API.
    #[error("{path}:{line}: {problem}")]
    Body {
        /// As it was given.
        path: PathBuf,
        /// Counted from 1: where the body breaks off, or where it begins.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// Nobody reads what is printed.
    #[error("the result cannot be written: {0}")]
    Output(#[from] io::Error),
}

/// Replays files in order; each holds one JSON body, or one JSON body a line. What was printed before an error stays true.
///
/// # Errors
/// At the first file or body that cannot be read, with its place: [`ReplayError`].
pub fn replay(paths: &[PathBuf], options: ReplayOptions, out: &mut dyn Write) -> Result<(), ReplayError> {
    let subscriber = options.subscriber.clone().map(Subscriber::new);
    let mut replay = Replay { options, states: BTreeMap::new(), symbols: BTreeMap::new(), subscriber };
    for path in paths {
        let text = std::fs::read_to_string(path).map_err(|error| ReplayError::File { path: path.clone(), error })?;
        for (line, body) in Bodies::of(path, &text) {
            replay.body(path, line, &body?, out)?;
        }
    }
    replay.end(out)
}

/// The JSON values of a file, one after the other, each with the line on which it begins.
struct Bodies<'a> {
    path: &'a Path,
    text: &'a str,
    values: serde_json::StreamDeserializer<'a, serde_json::de::StrRead<'a>, Value<'a>>,
}

impl<'a> Bodies<'a> {
    fn of(path: &'a Path, text: &'a str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self { path, text, values: serde_json::Deserializer::from_str(text).into_iter() }
    }
}

impl<'a> Iterator for Bodies<'a> {
    type Item = (usize, Result<Value<'a>, ReplayError>);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.text.get(self.values.byte_offset()..).unwrap_or_default();
        let begins = self.text.len() - rest.trim_start().len();
        let line = 1 + self.text[..begins].bytes().filter(|byte| *byte == b'\n').count();
        let body = self.values.next()?.map_err(|error| ReplayError::Body {
            path: self.path.to_owned(),
            line: error.line().max(1),
            problem: format!("it is not JSON: {error}"),
        });
        Some((line, body))
    }
}

struct Replay {
    options: ReplayOptions,
    states: BTreeMap<Kind, BTreeMap<TokenId, TokenState>>,
    symbols: BTreeMap<TokenId, String>,
    subscriber: Option<Subscriber>,
}

/// One printed line; its field names are those of the contract.
#[derive(Serialize)]
struct Line<'a> {
    change: &'a str,
    kind: Kind,
    token_id: Option<TokenId>,
    symbol: Option<String>,
    from: Option<String>,
    to: Option<Stance>,
    at: Option<String>,
    reason: &'a str,
}

impl Replay {
    fn body(&mut self, path: &Path, line: usize, body: &Value<'_>, out: &mut dyn Write) -> Result<(), ReplayError> {
        let broken = |problem: &str| ReplayError::Body { path: path.to_owned(), line, problem: problem.to_owned() };
        let rows = recorded::rows_of(body).map_err(broken)?;
        let version = Version::of_rows(rows);
        let tokens = rows.iter().filter_map(|row| read_token(version, row));
        self.symbols.extend(tokens.map(|token| (token.id, token.symbol)));
        let Some(kind) = self.options.kind.or_else(|| rows.iter().find_map(guess_kind)) else {
            tracing::warn!(file = %path.display(), line, rows = rows.len(), "this body holds no signals: nothing to compare");
            return Ok(());
        };
        let (observations, set_aside) = read_rows(version, kind, rows);
        let newest = observations.iter().map(|row| row.data_time).max().unwrap_or_default();
        let now = newest + Duration::from_secs(1);
        let held = self.subscriber.as_mut().map(|subscriber| subscriber.release_before(now));
        print_all(held.iter().flatten(), out)?;
        let diff = self.compare(kind, observations, set_aside, now);
        print_all(diff.changes.iter().map(|change| self.change_line(change)), out)?;
        if self.options.all {
            print_all(diff.set_aside.iter().map(|row| self.ignored_line(kind, row)), out)?;
        }
        let symbols = &self.symbols;
        let heard = self.subscriber.as_mut().map(|subscriber| subscriber.hear(kind, &diff.changes, |token| symbol_of(symbols, token), now));
        print_all(heard.iter().flatten(), out)
    }

    /// What is still held comes out at its time, and what was asked for in vain is said.
    fn end(mut self, out: &mut dyn Write) -> Result<(), ReplayError> {
        let Some(subscriber) = &mut self.subscriber else { return Ok(()) };
        print_all(subscriber.release_before(Timestamp::NEVER), out)?;
        let known = self.symbols.values().map(|symbol| symbol.to_uppercase()).collect();
        let unknown = subscriber.unknown_symbols(&known);
        if !unknown.is_empty() {
            tracing::warn!(?unknown, "no recording holds these tokens: nothing is decided about them");
        }
        Ok(())
    }

    fn compare(&mut self, kind: Kind, observations: Vec<Observation>, set_aside: Vec<SetAside>, now: Timestamp) -> Diff {
        let asked: BTreeSet<TokenId> = observations.iter().map(|row| row.token).collect();
        let states = self.states.entry(kind).or_default();
        for state in states.values_mut() {
            (state.asked_at, state.seen_at) = (now, now);
        }
        let source = SourceId::TokenMetrics;
        let snapshot = Snapshot { source, kind, started_at: now, asked, observations, set_aside, complete: true, gaps: BTreeSet::new() };
        let diff = diff(states, &snapshot, now);
        states.extend(diff.states.iter().map(|state| (state.token, state.clone())));
        diff
    }

    fn change_line<'a>(&self, change: &'a Change) -> Line<'a> {
        Line {
            change: change.nature.as_str(),
            kind: change.kind,
            token_id: Some(change.token),
            symbol: Some(self.symbol(change.token)),
            from: Some(change.from.map_or_else(|| "unknown".to_owned(), |from| from.to_string())),
            to: Some(change.to),
            at: Some(change.data_time.to_string()),
            reason: change.timing.as_str(),
        }
    }

    fn ignored_line<'a>(&self, kind: Kind, row: &SetAside) -> Line<'a> {
        Line {
            change: "ignored",
            kind,
            token_id: row.token,
            symbol: row.token.map(|token| self.symbol(token)),
            from: None,
            to: None,
            at: row.data_time.map(|at| at.to_string()),
            reason: row.reason.as_str(),
        }
    }

    fn symbol(&self, token: TokenId) -> String {
        symbol_of(&self.symbols, token)
    }
}

/// As the rows call it; `#3375`, as people type it, where they do not.
fn symbol_of(symbols: &BTreeMap<TokenId, String>, token: TokenId) -> String {
    symbols.get(&token).cloned().unwrap_or_else(|| format!("#{token}"))
}

fn print_all(lines: impl IntoIterator<Item = impl Serialize>, out: &mut dyn Write) -> Result<(), ReplayError> {
    for line in lines {
        serde_json::to_writer(&mut *out, &line).map_err(io::Error::from)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}
