//! The rules, as pure functions of values and `now`: what is a change, who is told, when, and in how many messages.
//!
//! This room knows `domain` alone: no async, no SQL, no HTTP, no clock, no randomness, no logging. It returns reasons instead.

pub mod breaker;
pub mod budget;
pub mod compose;
pub mod confirm;
pub mod decide;
pub mod diff;
pub mod digest;
pub mod drift;
pub mod fairness;
pub mod flap;
pub mod follower;
pub mod horizon;
pub mod insight;
pub mod listing;
pub mod quiet;
pub mod retry;
pub mod scorecard;
pub mod silence;
pub mod threshold;
pub mod week;
