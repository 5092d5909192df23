//! `bellwether serve`: the whole bot.

use super::{CommandResult, Failure, Settings};
use crate::{
    app::App,
    clock::{SharedClock, SystemClock},
};
use std::{process::ExitCode, sync::Arc};
use tokio::signal::unix::{SignalKind, signal};

/// Runs until SIGTERM or SIGINT.
pub(super) async fn run(settings: Settings) -> CommandResult {
    let mut mistakes = settings.mistakes;
    let missing = settings.config.requirements_of_serve().0;
    // A secret whose file cannot be read is said to be so, not to be missing as well.
    let said: Vec<_> = mistakes.0.iter().map(|mistake| mistake.name.trim_end_matches("_FILE").to_owned()).collect();
    mistakes.0.extend(missing.into_iter().filter(|mistake| !said.contains(&mistake.name)));
    mistakes.none_or_fail()?;
    let clock: SharedClock = Arc::new(SystemClock);
    let stop = stop_signal();
    tokio::pin!(stop);
    let app = tokio::select! {
        biased;
        // A start may wait for its database, and the first process of a container dies of no signal that it does not listen for.
        () = &mut stop => return Ok(ExitCode::SUCCESS),
        app = App::start(&settings.config, &clock) => app.map_err(Failure::other)?,
    };
    app.run(stop).await.map_err(Failure::other)?;
    Ok(ExitCode::SUCCESS)
}

/// Ends when the system or a person asks to stop.
pub(super) async fn stop_signal() {
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
        tracing::error!("signals cannot be received; stop the process with SIGKILL");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
