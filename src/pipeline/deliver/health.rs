//! Whether the platform takes messages at all: it may refuse the bot's token, or answer nobody. Who must know of it is told here.

use super::{LEASE, LONGEST_SLEEP, Shared, Wait};
use crate::{
    chat::{EditError, End, Receipt, SendError},
    domain::{Timestamp, wording::NoticePhrase},
    engine::silence::Turn,
    store::{Store, refused_notice},
};

impl Shared {
    /// Says whether the platform takes messages at present, as far as this process knows (`rules.md` 6.4).
    pub(super) fn show_health(&self) {
        self.with_condition(|condition| {
            let works = condition.refused.is_none() && !condition.silence.is_total();
            self.health.send_if_modified(|shown| std::mem::replace(shown, works) != works)
        });
    }

    /// Whoever delivers from now on will hear for itself.
    pub(super) fn forget_health(&self) {
        self.with_condition(|condition| {
            condition.refused = None;
            (condition.silence, condition.hush) = Default::default();
        });
        self.show_health();
    }

    /// Takes note of whether the platform answers messages.
    pub(super) fn listen(&self, result: &Result<Receipt, EditError>, began: Timestamp, now: Timestamp) {
        let answered = match result {
            Err(EditError::Failed(SendError::Retry { end: End::NotTried, .. })) => return,
            Err(EditError::Failed(error)) => !error.is_no_answer(),
            _ => true,
        };
        let turn = self.with_condition(|condition| {
            let turn = condition.silence.note(answered, began, now);
            condition.wait_for_answer(now);
            turn
        });
        self.turned(turn);
    }

    /// Asks a question that does no harm, as long as nobody is answered. Tells of what it finds under the term of `claims`.
    pub(super) async fn ask(&self, claims: &Store) {
        let answered = tokio::time::timeout(LEASE, self.messenger.answers()).await.unwrap_or(Some(false));
        let now = self.parts.clock.now();
        let (turn, was_total, long) = self.with_condition(|condition| {
            let was_total = condition.silence.is_total();
            let turn = condition.silence.asked(answered, now);
            match answered {
                Some(true) => {}
                Some(false) => condition.wait_for_answer(now),
                None => condition.hush.lengthen(now + LONGEST_SLEEP, now),
            }
            condition.may_be_told_down |= condition.silence.is_total();
            (turn, was_total, condition.silence.is_long(now))
        });
        tracing::debug!(platform = %self.platform, answered, "a question was asked, because no message was answered");
        self.turned(turn);
        let operators = self.parts.operators.writing_to(claims.clone());
        if let Some(since) = long {
            operators.tell_once(&self.silent_notice(), NoticePhrase::PlatformSilent { platform: self.platform, since }).await;
        } else if was_total && answered == Some(true) {
            operators.clear(&self.silent_notice(), Some(NoticePhrase::PlatformBack { platform: self.platform })).await;
        }
    }

    fn turned(&self, turn: Option<Turn>) {
        self.show_health();
        match turn {
            Some(Turn::Begins) => {
                tracing::warn!(platform = %self.platform, "no message gets a usable answer: the others wait, and one at a time is tried where a question is answered");
            }
            Some(Turn::Ends) => tracing::info!(platform = %self.platform, "the platform answers again"),
            None => {}
        }
    }

    /// What is refused until there is another token goes on with it.
    pub(super) fn resume_with_another_token(&self) {
        if self.with_condition(super::Condition::resumes) {
            self.show_health();
            tracing::info!(platform = %self.platform, "sending goes on, because the bot's token was renewed");
        }
    }

    /// Nothing is sent until there is another token; unless there is one already, and the one that was shown was that of before.
    pub(super) async fn stop(&self, problem: String, generation: u64, now: Timestamp) {
        let first = self.with_condition(|condition| {
            let first = condition.generation() == generation && condition.refused.replace(generation).is_none();
            condition.may_be_told_down |= first;
            first
        });
        if !first {
            return;
        }
        self.show_health();
        let (operators, name) = (&self.parts.operators, refused_notice(self.platform));
        if generation > 0 {
            // Whoever gave it another token has to hear that this one is refused as well.
            operators.clear(&name, None).await;
        }
        operators.tell_once(&name, NoticePhrase::PlatformUnauthorized { platform: self.platform, problem, at: Some(now) }).await;
    }

    /// Ends what operators were told, unless the bot is refused again by now.
    pub(super) async fn takes_messages(&self) {
        let ends = self.with_condition(|condition| condition.refused.is_none() && std::mem::take(&mut condition.may_be_told_down));
        if ends {
            let names = [refused_notice(self.platform), self.silent_notice()];
            self.parts.operators.clear_for_owner(None, &names, NoticePhrase::PlatformBack { platform: self.platform }).await;
        }
    }

    fn silent_notice(&self) -> String {
        format!("platform-silent:{}", self.platform)
    }
}

impl super::Condition {
    fn wait_for_answer(&mut self, now: Timestamp) {
        match self.silence.pause(now) {
            Some(pause) => self.hush.lengthen(now + pause, now),
            None => self.hush = Wait::default(),
        }
    }
}
