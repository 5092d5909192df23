//! Whether whoever typed or pressed something was answered, once.

use super::{
    judge::Judge,
    places::{self, GROUP},
};
use crate::support::{app::embed_text, fake_discord::interaction::token_of};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

impl Judge<'_> {
    /// On both platforms, presses of buttons among them.
    pub(super) fn commands_were_answered_once(&mut self) {
        let mut asked: BTreeMap<i64, usize> = BTreeMap::new();
        let first_called = |chat: i64| if chat == places::SUPERGROUP { GROUP } else { chat };
        let mut perhaps: BTreeMap<i64, usize> = BTreeMap::new();
        // What expired had been carried out before, or was not.
        let expired = self.life.fakes.telegram.with(|world| world.expired.clone());
        for (chat, update, _) in &self.life.commands {
            let count = if expired.contains(update) { &mut perhaps } else { &mut asked };
            *count.entry(first_called(*chat)).or_default() += 1;
        }
        // The answer to a press is a message, unless it was shown over the chat; where that could not be, nobody knows which.
        let pressed = self.life.fakes.telegram.with(|world| world.presses.clone());
        for press in &self.life.presses {
            let chat = first_called(press.chat);
            match &pressed[press.number].answer {
                Some(answer) if answer["text"].is_string() => {}
                Some(_) => {
                    let changes = matches!(press.label, "Mute 24 h" | "Unsubscribe");
                    self.hold(press.person != places::READER || !changes, || format!("{press:?} was carried out"));
                    *asked.entry(chat).or_default() += 1;
                }
                None => *perhaps.entry(chat).or_default() += 1,
            }
        }
        self.none("a member changed a group", &format!("SELECT action FROM audit WHERE actor = 'telegram:{}'", places::READER));
        let chats: BTreeSet<i64> = asked.keys().chain(perhaps.keys()).copied().collect();
        for chat in chats {
            let asked = asked.get(&chat).copied().unwrap_or_default();
            let most = asked + perhaps.get(&chat).copied().unwrap_or_default();
            let place = format!("telegram:{chat}");
            let answers =
                self.messages.values().filter(|message| message.lane == 0 && message.place.split('/').next() == Some(&place)).count();
            self.hold((asked..=most).contains(&answers), || format!("{place} asked {asked} to {most} times and has {answers} answers"));
        }
        self.thinking_ended();
    }

    /// On Discord the first answer is the answer, or "thinking…", which is replaced once for each time that it was shown. Where that did not go through the
    /// log says so; and a process that died may have come so far, or not.
    fn thinking_ended(&mut self) {
        let replaced = self.life.fakes.discord.answers();
        let count = |answers: &[Option<Value>], kind: u32| answers.iter().flatten().filter(|answer| answer["type"] == kind).count();
        for (interaction, answers) in &self.life.typed {
            let (inline, deferred) = (count(answers, 4), count(answers, 5));
            let died = answers.iter().filter(|answer| answer.is_none()).count();
            let cut_off = self.life.cut_off.iter().filter(|cut_off| *cut_off == interaction).count();
            let lost = self.life.log.gave_up(*interaction) + cut_off;
            let edits = replaced.iter().filter(|(token, _)| *token == token_of(*interaction));
            let mut shown: Vec<_> = edits.map(|(_, card)| embed_text(card)).collect();
            let edits = shown.len();
            // What is tried again says the same.
            shown.dedup();
            let is_right = inline + deferred + died == answers.len() && shown.len() <= deferred + died && edits + lost >= deferred;
            self.hold(is_right, || format!("interaction {interaction}: {answers:?}, then {edits} answers, and {lost} lost: {shown:#?}"));
        }
    }
}
