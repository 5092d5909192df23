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
    let said: Vec<_> = mistakes.0.iter().map(|mistake| mistake.name.clone()).collect();
    mistakes.0.extend(missing.into_iter().filter(|mistake| !said.contains(&mistake.name)));
    mistakes.none_or_fail()?;
    let clock: SharedClock = Arc::new(SystemClock);
    let app = App::start(&settings.config, &clock).await.map_err(Failure::other)?;
    app.run(stop_signal()).await.map_err(Failure::other)?;
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
