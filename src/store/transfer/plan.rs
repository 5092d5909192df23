//! What is there, what is to become of it, and why not.

use super::{
    Alert, Attempt, AuditRecord, Button, Call, Change, Configuration, FanOut, FeedState, Lookup, Message, MessageAlert, Notice,
    Observation, Poll, Reach, Section, SeenRequest, Stance, State, Token, Told, UntoldNews, Update, for_state,
    read::{Rows, as_json},
};
use crate::store::StoreError;
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeSet, io};

/// What a database holds.
#[derive(Clone, Debug)]
pub struct Present {
    /// Who is told of what.
    pub configuration: Configuration,
    /// The calls that were made.
    pub calls: Vec<Call>,
    /// The other sections of the state.
    pub state: Vec<SectionDigest>,
}

/// What a section holds, in short: equal digests mean equal rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectionDigest {
    /// Which.
    pub name: &'static str,
    /// How many rows.
    pub rows: usize,
    /// Of all of them in order.
    pub digest: [u8; 32],
}

/// What an import does.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Rows to be written, new or changed.
    pub put: Configuration,
    /// Rows to be removed.
    pub remove: Configuration,
    /// Calls that were made elsewhere.
    pub calls: Vec<Call>,
    /// What becomes of the rest of the state.
    pub state: StatePlan,
    /// Places of which rows of the file are left out, because they are being forgotten.
    pub left: BTreeSet<String>,
}

/// What becomes of the state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StatePlan {
    /// It stays as it is.
    #[default]
    Keep,
    /// There is none yet: the file's is written.
    Write,
    /// It goes, and the file's is written.
    Replace,
}

/// Why an import changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum ImportError<Refusal> {
    /// The database failed.
    #[error("the database failed: {0}")]
    Store(#[from] StoreError),
    /// Another process serves it.
    #[error("`bellwether serve` is using this database")]
    InUse,
    /// What is there and the file do not go together.
    #[error("it is refused")]
    Refused(Refusal),
}

impl<Refusal> From<sqlx::Error> for ImportError<Refusal> {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl<Refusal> From<io::Error> for ImportError<Refusal> {
    fn from(error: io::Error) -> Self {
        sqlx::Error::Io(error).into()
    }
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        let none = Configuration::default();
        self.put == none && self.remove == none && self.calls.is_empty() && self.state == StatePlan::Keep
    }
}

/// Sums sections up.
#[derive(Default)]
pub(super) struct Digester {
    sections: Vec<(SectionDigest, Sha256)>,
}

impl Digester {
    pub(super) fn sections(self) -> Vec<SectionDigest> {
        self.sections.into_iter().map(|(section, sum)| SectionDigest { digest: sum.finalize().into(), ..section }).collect()
    }
}

impl Rows for Digester {
    fn section(&mut self, name: &'static str) -> io::Result<()> {
        self.sections.push((SectionDigest { name, rows: 0, digest: [0; 32] }, Sha256::new()));
        Ok(())
    }

    fn row(&mut self, row: &str) -> io::Result<()> {
        if let Some((section, sum)) = self.sections.last_mut() {
            section.rows += 1;
            sum.update(row);
            sum.update("\n");
        }
        Ok(())
    }
}

macro_rules! digest_sections {
    ($state:ident, $digester:ident [$($field:ident: $row:ident),*]) => {$(
        let _ = $digester.section(<$row as Section>::NAME);
        for row in &$state.$field {
            let _ = $digester.row(&as_json(row).unwrap_or_default());
        }
    )*};
}

impl State {
    /// Its sections in short.
    pub fn digests(&self) -> Vec<SectionDigest> {
        let mut digester = Digester::default();
        let state = self;
        for_state!(digest_sections, state, digester);
        digester.sections()
    }
}
