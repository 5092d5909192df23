//! The document: JSON, a row a line, in an order that depends on nothing but the rows.

use crate::store::transfer::{
    Alert, Attempt, AuditRecord, Button, Call, Change, Configuration, Destination, Exclusion, FanOut, FeedState, Lookup, Message,
    MessageAlert, Mute, Notice, Observation, Poll, Reach, Rows, SeenRequest, Stance, State, Subscription, Token, Told, UntoldNews, Update,
    for_configuration, for_state,
};
use serde::Deserialize;
use serde_json::Value;
use std::io::{self, Write};

const FORMAT: &str = "bellwether-export";
/// Raised whenever a reader of the one before would misread it.
const VERSION: u64 = 1;
/// The largest file that is taken (`rules.md` 6.6).
pub const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// An export as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Who is told of what.
    pub configuration: Configuration,
    /// What is known and under way, where the file has it.
    pub state: Option<DocumentState>,
}

/// The state of a document.
#[derive(Clone, Debug, PartialEq)]
pub struct DocumentState {
    /// The calls that were made.
    pub calls: Vec<Call>,
    /// Everything else.
    pub rest: State,
}

/// Why a file is not taken, in words for whoever made it.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It has no end, or none that is near enough.
    #[error("it is larger than 64 MiB; export again with --history-since DATE, or without --with-state")]
    TooLarge,
    /// It is something else.
    #[error("it is not an export of Bellwether: it must begin with {{\"format\": \"bellwether-export\", \"version\": 1, …")]
    Foreign,
    /// A newer version wrote it.
    #[error("its version is {0}, and this Bellwether reads versions up to 1; import it with the version that exported it, or a newer one")]
    Newer(u64),
    /// It breaks off or is not JSON.
    #[error("it is not whole: {0}; copy or export it again")]
    NotJson(serde_json::Error),
    /// Something in it cannot be taken.
    #[error("{path}: {problem}")]
    Value {
        /// Where, as a path into the document.
        path: String,
        /// What, and what to write instead.
        problem: String,
    },
}

#[derive(Deserialize)]
struct Head {
    format: Option<Value>,
    version: Option<Value>,
}

macro_rules! wire_state {
    ([$($field:ident: $row:ident),*]) => {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, default)]
        #[derive(Default)]
        struct WireState {
            calls: Vec<Call>,
            $($field: Vec<$row>),*
        }

        impl From<WireState> for DocumentState {
            fn from(wire: WireState) -> Self {
                Self { calls: wire.calls, rest: State { $($field: wire.$field),* } }
            }
        }
    };
}
macro_rules! wire {
    ([$($field:ident: $row:ident),*]) => {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Wire {
            #[serde(rename = "format")]
            _format: String,
            #[serde(rename = "version")]
            _version: u64,
            $(#[serde(default)] $field: Vec<$row>,)*
            state: Option<WireState>,
        }

        impl From<Wire> for Document {
            fn from(wire: Wire) -> Self {
                Self { configuration: Configuration { $($field: wire.$field),* }, state: wire.state.map(Into::into) }
            }
        }

        /// The sections outside of the state.
        const CONFIGURATION: &[&str] = &[$(stringify!($field)),*];
    };
}
for_state!(wire_state,);
for_configuration!(wire,);

impl Document {
    /// Reads a file.
    ///
    /// # Errors
    /// Where it is not an export that this version understands: [`DocumentError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        if bytes.len() as u64 > MOST_BYTES {
            return Err(DocumentError::TooLarge);
        }
        let head: Head = serde_json::from_slice(bytes).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => DocumentError::Foreign,
            _ => DocumentError::NotJson(error),
        })?;
        match (head.format.as_ref().and_then(Value::as_str), head.version.as_ref().and_then(Value::as_u64)) {
            (Some(FORMAT), Some(1..=VERSION)) => {}
            (Some(FORMAT), Some(newer)) if newer > VERSION => return Err(DocumentError::Newer(newer)),
            _ => return Err(DocumentError::Foreign),
        }
        let mut json = serde_json::Deserializer::from_slice(bytes);
        let wire: Wire = serde_path_to_error::deserialize(&mut json)
            .map_err(|error| DocumentError::Value { path: shown(&error.path().to_string()), problem: shown(&error.inner().to_string()) })?;
        Ok(wire.into())
    }
}

/// What a terminal shows of words that may come from the file.
fn shown(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(300).collect()
}

/// How large a document is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// In all, in bytes.
    pub bytes: u64,
    /// Its sections, each with its own.
    pub sections: Vec<(&'static str, u64)>,
}

/// Writes a document as its rows come.
pub struct DocumentWriter<W> {
    out: W,
    written: Written,
    in_state: bool,
    rows: Option<u64>,
}

impl<W: Write> DocumentWriter<W> {
    /// Begins a document.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn new(out: W) -> io::Result<Self> {
        let mut writer = Self { out, written: Written::default(), in_state: false, rows: None };
        writer.write(&format!("{{\n\"format\": \"{FORMAT}\",\n\"version\": {VERSION}"))?;
        Ok(writer)
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        let bytes = text.len() as u64;
        self.written.bytes += bytes;
        if let Some((_, of_section)) = self.written.sections.last_mut() {
            *of_section += bytes;
        }
        self.out.write_all(text.as_bytes())
    }

    fn end_section(&mut self) -> io::Result<()> {
        match self.rows.take() {
            Some(0) => self.write("]"),
            Some(_) => self.write("\n]"),
            None => Ok(()),
        }
    }

    /// Ends the document; says how large it is.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn finish(mut self) -> io::Result<Written> {
        self.end_section()?;
        if self.in_state {
            self.write("\n}")?;
        }
        self.write("\n}\n")?;
        self.out.flush()?;
        Ok(self.written)
    }
}

impl<W: Write> Rows for DocumentWriter<W> {
    fn section(&mut self, name: &'static str) -> io::Result<()> {
        self.end_section()?;
        let begins_state = !self.in_state && !CONFIGURATION.contains(&name);
        self.write(if begins_state { ",\n\"state\": {\n" } else { ",\n" })?;
        self.in_state |= begins_state;
        self.written.sections.push((name, 0));
        self.rows = Some(0);
        self.write(&format!("\"{name}\": ["))
    }

    fn row(&mut self, row: &str) -> io::Result<()> {
        let separator = if self.rows == Some(0) { "\n" } else { ",\n" };
        self.rows = self.rows.map(|rows| rows + 1);
        self.write(separator)?;
        self.write(row)
    }
}
