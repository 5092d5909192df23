//! Passes on what other processes wrote: what waits here for work need not wait for its next look (PostgreSQL).

use crate::store::{Store, WakeUp};
use std::{sync::Arc, time::Duration};
use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;

/// Everybody looks by themselves meanwhile.
const LISTEN_AGAIN: Duration = Duration::from_secs(5);

/// Wakes whoever waits, until told to stop. On SQLite there is nobody else who writes.
pub(super) async fn pass_on(
    store: Store,
    changes: Arc<Notify>,
    messages: Vec<Arc<Notify>>,
    updates: Option<impl Fn() + Send>,
    stop: CancellationToken,
) {
    let wake = |what| match what {
        WakeUp::Changes => changes.notify_one(),
        WakeUp::Messages => messages.iter().for_each(|deliverer| deliverer.notify_one()),
        WakeUp::Updates => updates.iter().for_each(|wake| wake()),
    };
    let listen = async {
        loop {
            let error = match store.wake_ups().await {
                Ok(None) => return,
                Ok(Some(mut wake_ups)) => {
                    // What was said before is not heard any more.
                    [WakeUp::Changes, WakeUp::Messages, WakeUp::Updates].into_iter().for_each(&wake);
                    loop {
                        match wake_ups.next().await {
                            Ok(what) => wake(what),
                            Err(error) => break error,
                        }
                    }
                }
                Err(error) => error,
            };
            tracing::debug!(%error, "word of what other processes write does not come; listening again");
            sleep(LISTEN_AGAIN).await;
        }
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => return,
        () = listen => {}
    }
    stop.cancelled().await;
}
