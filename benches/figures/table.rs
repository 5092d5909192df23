//! The one table, as Markdown, and its rows on stderr as they come.

use std::{fmt, time::Duration};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Met,
    Missed,
    /// A figure without a reach: it explains another.
    Told,
    NotMeasured,
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Met => "yes",
            Self::Missed => "**no**",
            Self::Told => "",
            Self::NotMeasured => "**not measured**",
        })
    }
}

struct Row {
    what: String,
    reach: String,
    measured: String,
    verdict: Verdict,
}

/// Rows in the order in which they were measured.
#[derive(Default)]
pub(crate) struct Table(Vec<Row>);

impl Table {
    /// A figure that has to reach something.
    pub(crate) fn reach(&mut self, what: &str, reach: &str, measured: String, met: bool) {
        self.add(what, reach, measured, if met { Verdict::Met } else { Verdict::Missed });
    }

    /// A figure that explains another.
    pub(crate) fn tell(&mut self, what: &str, measured: String) {
        self.add(what, "", measured, Verdict::Told);
    }

    /// What this machine cannot measure, and why.
    pub(crate) fn not_measured(&mut self, what: &str, reach: &str, why: &str) {
        self.add(what, reach, why.to_owned(), Verdict::NotMeasured);
    }

    fn add(&mut self, what: &str, reach: &str, measured: String, verdict: Verdict) {
        eprintln!("{what}: {measured} {verdict}");
        self.0.push(Row { what: what.to_owned(), reach: reach.to_owned(), measured, verdict });
    }

    /// Prints all of it.
    pub(crate) fn print(&self) {
        let width = |of: fn(&Row) -> &str| self.0.iter().map(|row| of(row).chars().count()).max().unwrap_or(0).max(8);
        let (what, reach, measured) = (width(|row| &row.what), width(|row| &row.reach), width(|row| &row.measured));
        println!("| {:<what$} | {:<reach$} | {:<measured$} | reached |", "figure", "reach", "measured");
        println!("|{:-<w$}|{:-<r$}|{:-<m$}|---------|", "", "", "", w = what + 2, r = reach + 2, m = measured + 2);
        for row in &self.0 {
            println!("| {:<what$} | {:<reach$} | {:<measured$} | {:<7} |", row.what, row.reach, row.measured, row.verdict);
        }
    }
}

/// The middle one.
pub(crate) fn median<T: Copy + PartialOrd>(values: &[T]) -> T {
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| a.partial_cmp(b).unwrap());
    sorted[sorted.len() / 2]
}

/// Milliseconds with one decimal.
pub(crate) fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}
