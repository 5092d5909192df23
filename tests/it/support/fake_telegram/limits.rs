//! The limits that Telegram enforces: 30 a second overall, one a second per chat with a small burst, 20 a minute per group.

use super::Refusal;
use bellwether::domain::Timestamp;
use serde_json::json;
use std::{collections::HashMap, time::Duration};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// Short bursts to one chat are tolerated.
const BURST: usize = 3;

#[derive(Default)]
pub(crate) struct Limits {
    overall: Vec<Timestamp>,
    chats: HashMap<i64, Vec<Timestamp>>,
    pub(crate) refused: usize,
}

impl Limits {
    pub(crate) fn take(&mut self, chat: i64, now: Timestamp) -> Result<(), Refusal> {
        self.overall.retain(|at| *at + SECOND > now);
        let of_chat = self.chats.entry(chat).or_default();
        of_chat.retain(|at| *at + MINUTE > now);
        let in_second = of_chat.iter().filter(|at| **at + SECOND > now).count();
        let wait = if chat < 0 && of_chat.len() >= 20 {
            Some((of_chat[0] + MINUTE).since(now).as_secs() + 1)
        } else if self.overall.len() >= 30 || in_second >= BURST {
            Some(1)
        } else {
            None
        };
        if let Some(seconds) = wait {
            self.refused += 1;
            let parameters = json!({ "retry_after": seconds });
            return Err(Refusal::with(429, format!("Too Many Requests: retry after {seconds}"), parameters));
        }
        self.overall.push(now);
        of_chat.push(now);
        Ok(())
    }
}
