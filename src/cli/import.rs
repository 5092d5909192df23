//! `bellwether import`: a document back into a database, whole or not at all.

use super::{
    CommandResult, Failure, output,
    serving::{self, NotUsed, Serving},
};
use crate::{
    clock::{Clock, SystemClock},
    config::Config,
    store::{
        Store,
        transfer::{ImportError, Plan, Present, StatePlan},
    },
    transfer::{Document, DocumentError, MOST_BYTES, Refusal, describe, plan},
};
use clap::Args;
use secrecy::ExposeSecret;
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// `import FILE`.
#[derive(Clone, Debug, Args)]
pub(super) struct ImportOptions {
    /// What `bellwether export` wrote; - reads stdin
    file: PathBuf,
    /// Print what would change, and take nothing over (an older database is brought to this version's tables all the same)
    #[arg(long)]
    dry_run: bool,
    /// Also remove what the file lacks; with state in the file, the state of this database as well
    #[arg(long)]
    replace: bool,
}

const IN_USE: &str =
    "`bellwether serve` is running on this database and would go on with what it remembers: stop it, import, start it again";

pub(super) async fn run(config: Config, options: ImportOptions) -> CommandResult {
    let in_file = |problem: String| Failure::Other(format!("{}: {problem}; nothing was changed", options.file.display()));
    let document = read(&options.file).map_err(in_file)?;
    let (store, _lock) = if options.dry_run { (open_for_a_look(&config).await?, None) } else { open_alone(&config).await? };
    let state = document.state.as_ref().map(|state| &state.rest);
    let judge = |present: &Present| plan(&document, present, options.replace);
    let imported = store.import(state, judge, options.dry_run, SystemClock.now()).await;
    store.close().await;
    let (present, plan) = imported.map_err(|error| match error {
        ImportError::Refused(Refusal { at, what }) => in_file(format!("{at}: {what}")),
        ImportError::InUse => Failure::Other(IN_USE.to_owned()),
        ImportError::Store(error) => in_file(error.to_string()),
    })?;
    report(&document, &present, &plan, options.dry_run);
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> Result<Document, String> {
    let unreadable = |error: io::Error| format!("it cannot be read: {error}");
    let from: Box<dyn Read> = if path == Path::new("-") { Box::new(io::stdin()) } else { Box::new(File::open(path).map_err(unreadable)?) };
    let mut bytes = Vec::new();
    from.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    Document::parse(&bytes).map_err(|error: DocumentError| error.to_string())
}

/// Where there is none yet, one in memory stands in for it.
async fn open_for_a_look(config: &Config) -> Result<Store, Failure> {
    let missing = Store::file_of(config.database_url.expose_secret()).is_some_and(|path| !path.exists());
    let opened = if missing { Store::open("sqlite::memory:").await.map_err(NotUsed::from) } else { serving::open(config).await };
    Ok(opened?)
}

/// A new database is made where there is none. Its tables are left alone until it is certain that nobody serves it, and on SQLite nobody can as long as
/// the second is held.
async fn open_alone(config: &Config) -> Result<(Store, Option<Serving>), Failure> {
    let store = Store::connect(config.database_url.expose_secret()).await.map_err(NotUsed::from)?;
    let nobody = serving::serving(config, &store).await?;
    if matches!(nobody, Serving::Elsewhere) {
        return Err(Failure::Other(IN_USE.to_owned()));
    }
    store.migrate().await.map_err(NotUsed::from)?;
    Ok((store, Some(nobody)))
}

fn report(document: &Document, present: &Present, plan: &Plan, dry_run: bool) {
    for address in &plan.left {
        output::result(&format!("{address} asked to be forgotten and is left as it is here; with --replace it would be as in the file."));
    }
    if plan.is_empty() {
        let holds = if plan.left.is_empty() { "Nothing to change: the database holds all of it." } else { "Nothing else to change." };
        return output::result(holds);
    }
    let lines = describe(document, present, plan);
    if dry_run {
        lines.iter().for_each(|line| output::result(line));
    }
    let count = |sign: char| lines.iter().filter(|line| line.starts_with(sign) && !line.starts_with("~ state")).count();
    let state = match plan.state {
        StatePlan::Keep => "",
        StatePlan::Write => "; the state is taken from the file",
        StatePlan::Replace => "; the state is replaced by that of the file",
    };
    let verb = if dry_run { "This would be" } else { "Imported" };
    output::result(&format!("{verb}: {} added, {} changed, {} removed{state}.", count('+'), count('~'), count('-')));
}
