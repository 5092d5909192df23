//! `bellwether serve`: the whole bot.

use super::{CommandResult, Failure, Settings};
use crate::{
    app::{App, Renewal},
    clock::{SharedClock, SystemClock},
    config::{Config, Environment},
};
use std::{path::Path, process::ExitCode, sync::Arc};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Runs until SIGTERM or SIGINT; SIGHUP reads the secrets again.
pub(super) async fn run(settings: Settings) -> CommandResult {
    let mut mistakes = settings.mistakes;
    let missing = settings.config.requirements_of_serve().0;
    // A secret whose file cannot be read is said to be so, not to be missing as well.
    let said: Vec<_> = mistakes.0.iter().map(|mistake| mistake.name.trim_end_matches("_FILE").to_owned()).collect();
    mistakes.0.extend(missing.into_iter().filter(|mistake| !said.contains(&mistake.name)));
    mistakes.none_or_fail()?;
    let clock: SharedClock = Arc::new(SystemClock);
    // From the first moment on: whoever does not listen for it dies of it.
    let hang_up = signal(SignalKind::hangup()).map_err(Failure::other)?;
    let stop = stop_signal();
    tokio::pin!(stop);
    let app = tokio::select! {
        biased;
        // A start may wait for its database, and the first process of a container dies of no signal that it does not listen for.
        () = &mut stop => return Ok(ExitCode::SUCCESS),
        app = App::start(&settings.config, &clock) => app.map_err(Failure::other)?,
    };
    let renewal = app.renewal();
    tokio::select! {
        ended = app.run(stop) => ended.map_err(Failure::other)?,
        () = renew_secrets(hang_up, renewal) => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads the secrets again with every signal. The environment of a process is that of its start: only files hold another one.
async fn renew_secrets(mut hang_up: Signal, renewal: Renewal) {
    loop {
        if hang_up.recv().await.is_none() {
            return std::future::pending().await;
        }
        let read =
            tokio::task::spawn_blocking(|| Config::read(&Environment::of_process(Path::new(".")), |path| std::fs::read_to_string(path)));
        match read.await {
            Ok((config, mistakes)) => renewal.renew(&config, &mistakes),
            Err(error) => tracing::error!(%error, "the secrets could not be read again; the old ones are kept"),
        }
    }
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
