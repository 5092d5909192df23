//! What the fakes ask before they carry a request out, and tell once they have: so that a simulation decides what goes wrong, and hears what arrived.

use std::sync::Arc;

/// What goes wrong with a request, by what is asked and of which chat; nothing most of the time. Asked once for each request, in the order in which they come.
pub(crate) type Weather<Fault> = Arc<dyn Fn(&str, &str) -> Option<Fault> + Send + Sync>;

/// Hears of everything that reached a chat.
pub(crate) type Witness = Arc<dyn Fn(Heard) + Send + Sync>;

/// What a platform did with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// It stands there.
    New,
    /// It stands there already, and was known by its nonce.
    Known,
    /// It took the place of an earlier one.
    Edited,
    /// It stands there, or took another's place, and its words were left out.
    Blank,
    /// It was refused for coming too fast.
    TooFast,
    /// Whoever asked is never answered. What was to be done of it is done by now.
    Unanswered,
}

/// A message as it reached a chat, or did not.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) chat: String,
    pub(crate) topic: Option<i64>,
    /// What the platform calls it; empty where it was refused.
    pub(crate) id: String,
    /// As its readers see it.
    pub(crate) text: String,
    pub(crate) how: How,
}

impl Heard {
    /// Nothing is answered.
    pub(crate) const SILENCE: Self =
        Self { chat: String::new(), topic: None, id: String::new(), text: String::new(), how: How::Unanswered };
}
