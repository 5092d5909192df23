//! What `bellwether demo` stands on: a market that nobody trades in, and an HTTP server in front of it in the shape of the real API.
//!
//! The server exists so that the demonstration goes through the real client, parser, diff and store; nothing here knows that they exist.
//! Everything is a function of a seed and of the clock that is handed in: the same two show the same market.

pub mod api;
mod grades;
mod insight;
mod levels;
mod listing;
pub mod market;
mod ohlcv;
mod rows;
mod walk;

pub use listing::Listing;
pub use market::Market;
