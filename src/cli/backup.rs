//! `bellwether backup`: a copy of the SQLite file as of one moment, whole or not at all, while `serve` runs.

use super::{CommandResult, Failure, connect_existing, output, private_file};
use crate::config::Config;
use clap::Args;
use std::{path::PathBuf, process::ExitCode};

/// `backup`.
#[derive(Clone, Debug, Args)]
pub(super) struct BackupOptions {
    /// The copy, readable for you alone. Where it is already, it is replaced once the new one is whole
    file: PathBuf,
}

pub(super) async fn run(config: Config, options: BackupOptions) -> CommandResult {
    let store = connect_existing(&config).await?;
    if !store.is_sqlite() {
        return Err(Failure::Other(
            "DATABASE_URL: this is a PostgreSQL, which has its own tool: `pg_dump --format=custom --file=bellwether.dump DATABASE_URL`"
                .to_owned(),
        ));
    }
    private_file::must_not_be_database(&options.file, &config)?;
    let written = private_file::put_in_place(&options.file, async |part, _| store.copy_to(part).await.map_err(Failure::other)).await;
    store.close().await;
    written?;
    output::result(&format!(
        "the backup is in {}; to go back to it, stop `bellwether serve`, put it in the place of the database, and remove the files \
         -wal and -shm beside that",
        options.file.display()
    ));
    Ok(ExitCode::SUCCESS)
}
