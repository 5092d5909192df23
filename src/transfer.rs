//! What leaves a database as one document and enters another: its format, what a file may hold, and how it differs from what is there. Pure:
//! `store::transfer` reads and writes the rows, `cli` the file.

mod check;
mod difference;
mod document;

pub use check::Refusal;
pub use difference::{describe, plan};
pub use document::{Document, DocumentError, DocumentWriter, MOST_BYTES, Written};
