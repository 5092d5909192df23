//! The shell commands (`contract.md` section 1), one file each. Results go to stdout, logs to stderr, the end is an exit code.

mod backup;
mod check;
mod demo;
mod export;
mod healthcheck;
mod import;
mod invite;
mod outbox;
mod output;
mod private_file;
mod recorded;
mod register;
pub mod replay;
mod serve;
mod serving;
mod status;

pub use check::{CheckItem, CheckStatus};

use crate::{
    config::{Config, Environment, Mistakes},
    store::Store,
    telemetry::logging,
};
use clap::{Parser, Subcommand};
use secrecy::ExposeSecret;
use std::{future::Future, path::Path, process::ExitCode};

/// The settings that commands need which only read the database.
const DATABASE: &[&str] = &["DATABASE_URL"];

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "bellwether", version, about, after_help = "Settings come from the environment and from a .env file; see .env.example.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the whole bot
    Serve,
    /// Show alerts from a simulated market: no token, no network, nothing to set up
    Demo(demo::DemoOptions),
    /// Try every setting for real and say what to mend
    Check {
        /// Leave out what needs the network
        #[arg(long)]
        offline: bool,
    },
    /// Register the slash commands on Discord and the command lists on Telegram, where they differ
    Register,
    /// Print the links that install the bot, with the fewest permissions that work
    Invite,
    /// Print the changes in recorded API bodies, one JSON line each
    Replay(replay::ReplayArguments),
    /// Write all configuration and subscriptions as one JSON document
    Export(export::ExportOptions),
    /// Copy the SQLite database as of one moment, also while `serve` runs
    Backup(backup::BackupOptions),
    /// Read such a document back: what it holds is added or changed, and nothing else
    Import(import::ImportOptions),
    /// Show what could not be delivered, try it again, or give it up
    Outbox {
        #[command(subcommand)]
        action: outbox::Action,
    },
    /// Show how feeds and delivery are doing
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Ask the running instance whether it works (for a container's HEALTHCHECK)
    Healthcheck,
}

/// Why a command ends without success.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// Wrong settings, one line each.
    #[error("{0}")]
    Settings(#[from] Mistakes),
    /// Anything else, for the operator.
    #[error("{0}")]
    Other(String),
}

impl Failure {
    fn other(error: impl std::fmt::Display) -> Self {
        Self::Other(error.to_string())
    }

    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Settings(_) => ExitCode::from(2),
            Self::Other(_) => ExitCode::FAILURE,
        }
    }
}

type CommandResult = Result<ExitCode, Failure>;

/// Everything a command starts from.
struct Settings {
    config: Config,
    mistakes: Mistakes,
}

impl Settings {
    /// The settings, where these ones are right: a command need not care about those that it does not use.
    fn with(self, names: &[&str]) -> Result<Config, Mistakes> {
        self.mistakes.about(names).none_or_fail().map(|()| self.config)
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to stdout and are a success. A closed pipe is nobody's mistake.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    // Refused only where one is installed already, and then it is the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let environment = Environment::of_process(Path::new("."));
    let (mut config, mistakes) = Config::read(&environment, |path| std::fs::read_to_string(path));
    if matches!(cli.command, Command::Demo(_)) && !environment.names().any(|name| name == "RUST_LOG") {
        // Its alerts are the result; the log would stand between them.
        "warn".clone_into(&mut config.log.filter);
    }
    logging::start(&config.log);
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    run(cli.command, Settings { config, mistakes }).unwrap_or_else(|failure| {
        output::error(&failure.to_string());
        failure.exit_code()
    })
}

fn run(command: Command, settings: Settings) -> CommandResult {
    match command {
        Command::Serve => block_on(serve::run(settings)),
        Command::Demo(options) => block_on(demo::run(options)),
        Command::Register => block_on(register::run(settings)),
        Command::Invite => block_on(invite::run(settings)),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Export(options) => block_on(export::run(settings.with(DATABASE)?, options)),
        Command::Backup(options) => block_on(backup::run(settings.with(DATABASE)?, options)),
        Command::Import(options) => block_on(import::run(settings.with(DATABASE)?, options)),
        Command::Check { offline } => block_on(check::run(&settings, offline)),
        Command::Outbox { action } => block_on(outbox::run(settings.with(DATABASE)?, action)),
        Command::Status { json } => block_on(status::run(settings.with(DATABASE)?, json)),
        Command::Healthcheck => block_on(healthcheck::run(settings.with(&["BELLWETHER_LISTEN"])?)),
    }
}

fn block_on(command: impl Future<Output = CommandResult>) -> CommandResult {
    tokio::runtime::Runtime::new().map_err(Failure::other)?.block_on(command)
}

/// The same as it is: not migrated, whichever version wrote it.
async fn connect_existing(config: &Config) -> Result<Store, Failure> {
    let url = config.database_url.expose_secret();
    must_exist(url)?;
    Store::connect(url).await.map_err(|error| Failure::Other(format!("DATABASE_URL: {error}")))
}

/// The database of a command that reads what `serve` wrote: a file that is missing is a mistake, not a new database.
async fn open_existing(config: &Config) -> Result<Store, Failure> {
    must_exist(config.database_url.expose_secret())?;
    Ok(serving::open(config).await?)
}

fn must_exist(url: &str) -> Result<(), Failure> {
    match Store::file_of(url).filter(|path| !path.exists()) {
        Some(path) => Err(Failure::Other(format!(
            "DATABASE_URL: there is no database at {}; start `bellwether serve` once, or name another file",
            path.display()
        ))),
        None => Ok(()),
    }
}
