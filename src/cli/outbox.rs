//! `bellwether outbox`: what could not be delivered.

use super::{CommandResult, Failure, open_existing, output};
use crate::{
    clock::{Clock, SystemClock},
    config::Config,
    domain::Timestamp,
    store::{Retried, Store, Undelivered, UndeliveredId},
};
use clap::Subcommand;
use serde_json::json;
use std::{collections::BTreeSet, process::ExitCode};

/// What to do with it.
#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// List dead letters, and what waits for destinations in quarantine
    List {
        /// Print a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Try entries again; the running instance sends them
    Retry {
        /// Ids as the list shows them
        #[arg(required = true)]
        ids: Vec<UndeliveredId>,
    },
    /// Give entries up for good
    Drop {
        /// Ids as the list shows them
        #[arg(required = true)]
        ids: Vec<UndeliveredId>,
    },
}

pub(super) async fn run(config: Config, action: Action) -> CommandResult {
    let store = open_existing(&config).await?;
    let done = match action {
        Action::List { json } => list(&store, json).await,
        Action::Retry { ids } => change(&store, &ids, true).await,
        Action::Drop { ids } => change(&store, &ids, false).await,
    };
    store.close().await;
    done
}

async fn list(store: &Store, as_json: bool) -> CommandResult {
    let entries = store.undelivered().await.map_err(Failure::other)?;
    if as_json {
        output::json(&entries.iter().map(to_json).collect());
    } else if entries.is_empty() {
        output::result(
            "Nothing: there is no dead letter, and nothing waits for a destination in quarantine. `bellwether status` shows what is queued.",
        );
    } else {
        output::result(&output::table(&["id", "state", "destination", "since", "reason"], &entries.iter().map(to_row).collect::<Vec<_>>()));
    }
    Ok(ExitCode::SUCCESS)
}

/// Retries or drops every id, and fails where one of them is not in the list. The newest comes first: what is told of a call that has changed twice is what
/// both come to.
async fn change(store: &Store, ids: &[UndeliveredId], retry: bool) -> CommandResult {
    let now = SystemClock.now();
    let mut code = ExitCode::SUCCESS;
    let ids: BTreeSet<_> = ids.iter().collect();
    for id in ids.into_iter().rev() {
        let done = if retry {
            store.retry_undelivered(*id, now).await.map(retried)
        } else {
            store.drop_undelivered(*id, now).await.map(|dropped| dropped.then(|| "dropped".to_owned()))
        };
        if let Some(done) = done.map_err(Failure::other)? {
            output::result(&format!("{id}: {done}"));
        } else {
            output::error(&format!("{id}: no such entry; `bellwether outbox list` shows those that there are"));
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

/// What was held when its destination was lost is still held: that somebody is out of reach ends no mute of theirs.
fn retried(retried: Retried) -> Option<String> {
    match retried {
        Retried::Now => Some("is tried again".to_owned()),
        Retried::Anew => Some("is told anew, as what changed by now and with what else waits there".to_owned()),
        Retried::Overtaken => Some("is done with: what it tells has changed once more since".to_owned()),
        Retried::Later { until: Timestamp::NEVER, reason } => Some(format!("is held ({reason}) and goes with what is told there next")),
        Retried::Later { until, reason } => Some(format!("is held ({reason}) until {until} and is tried then")),
        Retried::Unknown => None,
    }
}

fn to_json(entry: &Undelivered) -> serde_json::Value {
    json!({
        "id": entry.id.to_string(),
        "state": entry.state.as_str(),
        "destination": entry.destination.to_string(),
        "since": entry.created_at.to_string(),
        "reason": entry.reason,
    })
}

fn to_row(entry: &Undelivered) -> Vec<String> {
    vec![
        entry.id.to_string(),
        entry.state.as_str().to_owned(),
        entry.destination.to_string(),
        entry.created_at.to_string(),
        entry.reason.clone(),
    ]
}
