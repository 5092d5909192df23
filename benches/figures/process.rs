//! What the system knows of a process: its CPU time and its memory. Linux only, as the product's container.

use std::time::Duration;

/// Ticks a second in `/proc`: 100 on every Linux that is not built otherwise.
const TICK: Duration = Duration::from_millis(10);

/// The CPU time that a process has used, all its threads and both modes.
pub(crate) fn cpu(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The name in parentheses may hold anything; after it the fields are plain.
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks = |index: usize| fields[index].parse::<u32>().unwrap();
    TICK * (ticks(11) + ticks(12))
}

/// The memory of a process that is in the machine's memory now, its part of the binary included, in bytes.
pub(crate) fn resident(pid: u32) -> u64 {
    kibibytes(pid, "VmRSS:") * 1024
}

/// The most that it ever had there.
pub(crate) fn most_resident(pid: u32) -> u64 {
    kibibytes(pid, "VmHWM:") * 1024
}

fn kibibytes(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// Megabytes with one decimal.
pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
