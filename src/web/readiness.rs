//! Whether the process can do its work, as `/readyz` tells it (`rules.md` 6.4). Carries no address.

use crate::domain::Platform;
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Where the process stands in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Not everything is there yet.
    #[default]
    Starting,
    /// At work.
    Ready,
    /// Takes no more work.
    Stopping,
}

/// Shared by whoever knows a part of the answer. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    phase: Phase,
    database_down: bool,
    platforms: BTreeMap<Platform, bool>,
    without_commands: BTreeSet<Platform>,
}

impl State {
    fn works(&self, platform: Platform) -> bool {
        self.platforms.get(&platform).copied().unwrap_or(true) && !self.without_commands.contains(&platform)
    }
}

/// The body of `/readyz`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether the answer is 200.
    pub ready: bool,
    /// Why it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// Where in its life.
    pub state: Phase,
    /// `up` or `down` for each configured platform.
    pub platforms: BTreeMap<&'static str, &'static str>,
}

impl Readiness {
    /// The process enters another phase of its life.
    pub fn enter(&self, phase: Phase) {
        self.state().phase = phase;
    }

    /// Whether the migrated database answers.
    pub fn database(&self, works: bool) {
        self.state().database_down = !works;
    }

    /// Whether a configured platform takes messages.
    pub fn platform(&self, platform: Platform, works: bool) {
        self.state().platforms.insert(platform, works);
    }

    /// Whether a configured platform brings commands.
    pub fn commands(&self, platform: Platform, work: bool) {
        let mut state = self.state();
        if work {
            state.without_commands.remove(&platform);
        } else {
            state.without_commands.insert(platform);
        }
    }

    /// Whether a platform works in both directions, as far as is known.
    pub fn works(&self, platform: Platform) -> bool {
        self.state().works(platform)
    }

    /// The answer of `/readyz`.
    pub fn report(&self) -> Report {
        let state = self.state();
        let reason = match state.phase {
            Phase::Starting => Some("it is starting"),
            Phase::Stopping => Some("it is stopping"),
            Phase::Ready if state.database_down => Some("the database does not work"),
            Phase::Ready if !state.platforms.keys().any(|platform| state.works(*platform)) => Some("no configured platform works"),
            Phase::Ready => None,
        };
        let word = |works: bool| if works { "up" } else { "down" };
        let platforms = state.platforms.keys().map(|platform| (platform.as_str(), word(state.works(*platform)))).collect();
        Report { ready: reason.is_none(), reason, state: state.phase, platforms }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves plain values behind: they are still right.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_platform_of_two_is_enough() {
        let readiness = Readiness::default();
        assert_eq!(readiness.report().reason, Some("it is starting"));
        readiness.enter(Phase::Ready);
        assert_eq!(readiness.report().reason, Some("no configured platform works"));
        readiness.platform(Platform::Discord, false);
        readiness.platform(Platform::Telegram, true);
        assert_eq!(
            serde_json::to_value(readiness.report()).unwrap(),
            serde_json::json!({"ready": true, "state": "ready", "platforms": {"discord": "down", "telegram": "up"}})
        );
        readiness.platform(Platform::Telegram, false);
        assert!(!readiness.report().ready);
        readiness.platform(Platform::Telegram, true);
        readiness.commands(Platform::Telegram, false);
        assert_eq!(readiness.report().platforms["telegram"], "down");
        readiness.commands(Platform::Telegram, true);
        readiness.database(false);
        assert_eq!(readiness.report().reason, Some("the database does not work"));
        readiness.database(true);
        readiness.enter(Phase::Stopping);
        assert_eq!(readiness.report().reason, Some("it is stopping"));
    }
}
