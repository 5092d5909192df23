//! `bellwether export`: one JSON document, on stdout or into a file that only its owner reads.

use super::{
    CommandResult, Failure, open_existing, output,
    private_file::{must_not_be_database, put_in_place},
    serving::{Serving, serving},
};
use crate::{
    config::Config,
    domain::Timestamp,
    store::{
        Store,
        transfer::{ExportError, Observation, Scope, Section as _},
    },
    transfer::{DocumentWriter, MOST_BYTES, Written},
};
use clap::Args;
use std::{
    cmp::Reverse,
    io::{self, BufWriter, Write},
    path::PathBuf,
    process::ExitCode,
};

/// `export`.
#[derive(Clone, Debug, Args)]
pub(super) struct ExportOptions {
    /// Add what is known and under way: stances, undelivered alerts, quarantine, calls. Needed for a move; stop `serve` first
    #[arg(long)]
    with_state: bool,
    /// With --with-state: do not refuse while `serve` runs. Fit for a look, not for a move: alerts that go out meanwhile would be told again
    #[arg(long, requires = "with_state")]
    while_running: bool,
    /// With --with-state: leave out the history of rows from before this day, such as 2026-06-01
    #[arg(long, requires = "with_state", value_name = "DATE", value_parser = parse_day)]
    history_since: Option<Timestamp>,
    /// Write into this file, readable for you alone, whole or not at all
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

fn parse_day(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| "write a day such as 2026-06-01".to_owned())
}

pub(super) async fn run(config: Config, options: ExportOptions) -> CommandResult {
    let store = open_existing(&config).await?;
    options.output.as_deref().map_or(Ok(()), |path| must_not_be_database(path, &config))?;
    let scope = if options.with_state {
        Scope::WithState { history_since: options.history_since.unwrap_or_default() }
    } else {
        Scope::Configuration
    };
    // What is exported for a move must not be told meanwhile. The lock of SQLite is held until the end; on PostgreSQL `serve` must stay stopped.
    let serving = if options.with_state { Some(serving(&config, &store).await?) } else { None };
    if let Some(Serving::Elsewhere) = serving {
        if !options.while_running {
            return Err(Failure::Other(
                "`bellwether serve` is running on this database: what it tells from now on would be told again after a move. Stop it and export \
                 again; --while-running exports all the same"
                    .to_owned(),
            ));
        }
        output::error(
            "`bellwether serve` is running: do not use this export for a move, alerts that go out from now on would be told again",
        );
    }
    let written = match &options.output {
        Some(path) => put_in_place(path, async |_, file| export(&store, scope, file).await).await,
        None => export(&store, scope, io::stdout()).await,
    };
    store.close().await;
    written.map(|()| ExitCode::SUCCESS)
}

/// Fails where nobody could import what comes out: a file that was there before is worth more.
async fn export(store: &Store, scope: Scope, out: impl Write + Send) -> Result<(), Failure> {
    let written = write(store, scope, out).await.map_err(Failure::other)?;
    if written.bytes > MOST_BYTES { Err(Failure::Other(too_large(&written))) } else { Ok(()) }
}

async fn write(store: &Store, scope: Scope, out: impl Write + Send) -> Result<Written, ExportError> {
    let mut writer = DocumentWriter::new(BufWriter::new(out))?;
    store.export(scope, &mut writer).await?;
    Ok(writer.finish()?)
}

/// What makes it so, and what helps.
fn too_large(written: &Written) -> String {
    const MIB: u64 = 1024 * 1024;
    let mut sections = written.sections.clone();
    sections.sort_by_key(|(_, bytes)| Reverse(*bytes));
    let largest: Vec<_> = sections.iter().take(3).map(|(name, bytes)| format!("{name} {} MiB", bytes / MIB)).collect();
    let history: u64 = sections.iter().filter(|(name, _)| *name == Observation::NAME).map(|(_, bytes)| bytes).sum();
    let help = if written.bytes - history <= MOST_BYTES {
        "leave older observations out with --history-since DATE"
    } else {
        "set BELLWETHER_KEEP_HISTORY_DAYS lower, let `serve` run for a day, and export again"
    };
    format!(
        "the export has {} MiB, and `bellwether import` takes {}: {help}. The largest parts: {}",
        written.bytes.div_ceil(MIB),
        MOST_BYTES / MIB,
        largest.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_helps_depends_on_what_is_large() {
        let of = |observations: u64, audit: u64| {
            let sections = vec![("destinations", 100), ("observations", observations << 20), ("audit", audit << 20)];
            too_large(&Written { bytes: (observations + audit) << 20, sections })
        };
        assert_eq!(
            of(60, 10),
            "the export has 70 MiB, and `bellwether import` takes 64: leave older observations out with --history-since DATE. The largest parts: \
             observations 60 MiB, audit 10 MiB, destinations 0 MiB"
        );
        assert!(of(10, 70).contains("BELLWETHER_KEEP_HISTORY_DAYS"));
    }
}
