//! How large the binary is.

use crate::{process::megabytes, table::Table};
use std::path::Path;

pub(crate) fn measure(table: &mut Table) {
    let release = Path::new(env!("CARGO_BIN_EXE_bellwether"));
    let dist = release.with_file_name("").join("../dist/bellwether");
    for (what, path, limit) in [("the binary, release", release, 40_u64), ("the binary, dist", &dist, 30)] {
        let reach = format!("under {limit} MB");
        match std::fs::metadata(path) {
            Ok(file) => table.reach(what, &reach, megabytes(file.len()), file.len() < limit * 1_000_000),
            Err(_) => table.not_measured(what, &reach, "build it first: cargo build --profile dist"),
        }
    }
}
