//! What an operator sees from outside: metrics and log lines. Names of metrics stand in one place.

pub mod logging;
mod metrics;

pub use metrics::{Metrics, PollOutcome, Stage, UpdateOutcome};
