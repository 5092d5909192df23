//! Whether whoever typed or pressed something was answered, once.

use super::{
    judge::Judge,
    places::{self, GROUP},
};
use crate::support::fake_discord::interaction::token_of;
use serde_json::Value;
use std::collections::BTreeMap;

impl Judge<'_> {
    /// On both platforms, presses of buttons among them.
    pub(super) fn commands_were_answered_once(&mut self) {
        let mut asked: BTreeMap<i64, usize> = BTreeMap::new();
        for (chat, _, _) in &self.life.commands {
            let chat = if *chat == places::SUPERGROUP { GROUP } else { *chat };
            *asked.entry(chat).or_default() += 1;
        }
        // The answer to a press in private is a message, unless it was shown over the chat; where that could not be, nobody knows which.
        let pressed = self.life.fakes.telegram.with(|world| world.presses.clone());
        let mut perhaps: BTreeMap<i64, usize> = BTreeMap::new();
        for (chat, press) in &self.life.presses {
            match &pressed[*press].answer {
                Some(answer) if answer["text"].is_string() => {}
                Some(_) => *asked.entry(*chat).or_default() += 1,
                None => *perhaps.entry(*chat).or_default() += 1,
            }
        }
        for (chat, asked) in asked {
            let most = asked + perhaps.get(&chat).copied().unwrap_or_default();
            let place = format!("telegram:{chat}");
            let answers =
                self.messages.values().filter(|message| message.lane == 0 && message.place.split('/').next() == Some(&place)).count();
            self.hold((asked..=most).contains(&answers), || format!("{place} asked {asked} to {most} times and has {answers} answers"));
        }
        self.thinking_ended();
    }

    /// On Discord the first answer is the answer, or "thinking…", which is replaced once for each time that it was shown.
    fn thinking_ended(&mut self) {
        let replaced = self.life.fakes.discord.answers();
        let count = |answers: &[Option<Value>], kind: u32| answers.iter().flatten().filter(|answer| answer["type"] == kind).count();
        for (interaction, answers) in &self.life.typed {
            let (inline, deferred) = (count(answers, 4), count(answers, 5));
            // A process that died may have come so far.
            let died = answers.iter().filter(|answer| answer.is_none()).count();
            let edits = replaced.iter().filter(|(token, _)| *token == token_of(*interaction)).count();
            let is_right = inline + deferred + died == answers.len() && (deferred..=deferred + died).contains(&edits);
            self.hold(is_right, || format!("interaction {interaction}: {answers:?}, then {edits} answers"));
        }
    }
}
