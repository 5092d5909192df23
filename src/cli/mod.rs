//! The subcommands, one file each: wiring, and words for the terminal.

mod recorded;
pub mod replay;
