//! A schedule as a person gives it. Here alone a cron expression is read and its mistakes are explained.

use super::reader::not_a;
use crate::http::quoted;
use std::str::FromStr;

/// When a kind is polled, where a person says it.
#[derive(Clone, Debug, PartialEq)]
pub enum GivenSchedule {
    /// The kind is not polled.
    Off,
    /// At these times: six fields, seconds first, in UTC. It fires some day.
    Cron(Box<cron::Schedule>),
}

/// Why a schedule cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}; write {instead}")]
pub struct ScheduleProblem {
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub instead: String,
}

impl GivenSchedule {
    /// Reads `off` or a cron expression.
    ///
    /// # Errors
    /// What is wrong and what to write instead.
    pub fn parse(text: &str) -> Result<Self, ScheduleProblem> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("off") {
            return Ok(Self::Off);
        }
        let problem = |what: String| ScheduleProblem {
            what,
            instead: "six fields (second minute hour day month weekday, in UTC) such as `0 5 */2 * * *`, or off".to_owned(),
        };
        let fields: Vec<_> = text.split_whitespace().collect();
        if fields.len() == 5 {
            let (what, instead) = ("it has five fields, and the seconds are missing".to_owned(), format!("`0 {text}`: seconds come first"));
            return Err(ScheduleProblem { what, instead });
        }
        if fields.len() != 6 {
            return Err(problem(not_a("a cron expression of six fields", text)));
        }
        let Ok(schedule) = cron::Schedule::from_str(&fields.join(" ")) else {
            return Err(problem(not_a("a cron expression", text)));
        };
        // From a fixed day, so that the answer is the same every day; the crate looks as far as the year 2100.
        if schedule.after(&chrono::DateTime::UNIX_EPOCH).next().is_none() {
            return Err(problem(format!("{} never comes", quoted(text))));
        }
        Ok(Self::Cron(Box::new(schedule)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_is_read_or_explained() {
        assert_eq!(GivenSchedule::parse(" OFF "), Ok(GivenSchedule::Off));
        let Ok(GivenSchedule::Cron(schedule)) = GivenSchedule::parse("0  5 * * * *") else { panic!("it is one") };
        assert_eq!(schedule.source(), "0 5 * * * *");
        assert_eq!(GivenSchedule::parse("5 * * * *").unwrap_err().instead, "`0 5 * * * *`: seconds come first");
        for odd in ["", "0 61 * * * *", "0 0 0 1 1 * 2001", "0 0 0 30 2 *", "daily"] {
            assert!(GivenSchedule::parse(odd).is_err(), "{odd}");
        }
    }
}
