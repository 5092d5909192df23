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
        transfer::{ExportError, Scope},
    },
    transfer::{DocumentWriter, MOST_BYTES},
};
use clap::Args;
use std::{
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
        Some(path) => put_in_place(path, async |_, file| export(&store, scope, file).await.map_err(Failure::other)).await,
        None => to_stdout(&store, scope).await,
    };
    store.close().await;
    let bytes = written?;
    if bytes > MOST_BYTES {
        output::error(&format!(
            "the export has {} MiB, and `bellwether import` takes 64: use --history-since DATE to leave older history out",
            bytes / (1024 * 1024)
        ));
    }
    Ok(ExitCode::SUCCESS)
}

async fn export(store: &Store, scope: Scope, out: impl Write + Send) -> Result<u64, ExportError> {
    let mut writer = DocumentWriter::new(BufWriter::new(out))?;
    store.export(scope, &mut writer).await?;
    Ok(writer.finish()?)
}

async fn to_stdout(store: &Store, scope: Scope) -> Result<u64, Failure> {
    export(store, scope, io::stdout()).await.map_err(Failure::other)
}
