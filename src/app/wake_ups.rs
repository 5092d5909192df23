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
    let listen = async {
        loop {
            match store.wake_ups().await {
                Ok(None) => return,
                Ok(Some(mut wake_ups)) => {
                    // What was said before is not heard any more.
                    changes.notify_one();
                    messages.iter().for_each(|deliverer| deliverer.notify_one());
                    updates.iter().for_each(|wake| wake());
                    loop {
                        match wake_ups.next().await {
                            Ok(WakeUp::Changes) => changes.notify_one(),
                            Ok(WakeUp::Messages) => messages.iter().for_each(|deliverer| deliverer.notify_one()),
                            Ok(WakeUp::Updates) => updates.iter().for_each(|wake| wake()),
                            Err(error) => {
                                tracing::debug!(%error, "wake-ups from other processes stopped; listening again");
                                break;
                            }
                        }
                    }
                }
                Err(error) => tracing::debug!(%error, "wake-ups from other processes cannot be heard; trying again"),
            }
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
