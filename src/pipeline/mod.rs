//! The shell around the engine: four short, durable, repeatable stages (ingest, fan-out, compose, send), each reading what the one
//! before it committed. What is decided is `engine`'s business, what is stored is `store`'s.

pub mod calls;
pub mod compose;
pub mod deliver;
mod directory;
pub mod fanout;
pub mod flow;
pub mod housekeeping;
pub mod ingest;
mod insight;
pub mod lookup;
pub mod operators;
mod out_of_reach;
mod outage;
pub mod poll;
pub mod pruning;
mod refusals;
pub mod schedule;
pub mod token_news;
