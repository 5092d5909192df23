//! The only place that prints: results on stdout, the reason of a failure on stderr. A closed pipe (`| head`) is nobody's mistake.

use std::io::{self, Write};

/// A result.
pub(super) fn result(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}

/// Why a command ended without success.
pub(super) fn error(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// A result as JSON.
pub(super) fn json(value: &serde_json::Value) {
    // A value made of strings and numbers always has a text.
    result(&serde_json::to_string_pretty(value).unwrap_or_default());
}

/// Rows under their headings, in columns as wide as they need; the last one is left ragged.
pub(super) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let width = |text: &str| text.chars().count();
    let widths: Vec<usize> = headings
        .iter()
        .enumerate()
        .map(|(column, heading)| rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).fold(width(heading), usize::max))
        .collect();
    let line = |cells: &[&str]| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(headings)];
    lines.extend(rows.iter().map(|row| line(&row.iter().map(String::as_str).collect::<Vec<_>>())));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_need() {
        let rows = [vec!["größer".to_owned(), "ok".to_owned(), String::new()], vec!["x".to_owned(), "fail".to_owned(), "mend".to_owned()]];
        assert_eq!(table(&["item", "", "how to fix"], &rows), "item          how to fix\ngrößer  ok\nx       fail  mend");
    }
}
