//! What happens to places, and how it ends.

use super::{
    agenda::Misfortune,
    life::Life,
    places::{self, ADMIN, CHANNEL, CHANNELS, FORUM, GROUP, OPERATOR, SUPERGROUP, TOPIC},
    process::{Fakes, RENEWED_DISCORD, RENEWED_TELEGRAM, config},
};
use crate::support::{
    fake_discord::{direct_channel, interaction::MEMBER},
    fake_telegram::BOT_ID,
};
use bellwether::{config::Mistakes, domain::Platform};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The chats that there are from the beginning.
pub(super) fn furnish(fakes: &Fakes) {
    for (channel, guild) in CHANNELS {
        fakes.discord.channel(channel, json!({"guild_id": guild, "name": "alerts"}));
    }
    for user in [MEMBER, places::OTHER_MEMBER] {
        let id = direct_channel(user);
        fakes.discord.channel(&id, json!({"id": id, "type": 1, "guild_id": null, "recipient": user}));
    }
    fakes.telegram.with(|world| {
        for person in [places::ANCHOR, places::SLEEPER, places::OPTIMIST, OPERATOR, ADMIN] {
            world.person(person);
        }
        world.group(FORUM, "Forum", ADMIN).topics = BTreeMap::from([(TOPIC, true)]);
        world.group(GROUP, "Group", ADMIN).kind = "group";
        world.channel(CHANNEL, "signals", ADMIN);
    });
}

impl Life {
    /// It begins, or ends.
    pub(super) fn befall(&mut self, misfortune: Misfortune, begins: bool) {
        let told = self.chance(2);
        let moved = self.moved;
        let now_called = |chat: i64| if chat == GROUP && moved { SUPERGROUP } else { chat };
        let discord = &self.fakes.discord;
        let opened = self.fakes.telegram.with(|world| match misfortune {
            Misfortune::Blocked(person) => {
                world.chats.get_mut(&person).unwrap().without_bot = begins;
                let update = (told && !begins).then(|| world.say(person, person, "/start"));
                self.commands.extend(update.map(|update| (person, update, "/start".to_owned())));
                update.map(|_| person)
            }
            Misfortune::Kicked(chat) => {
                let chat = now_called(chat);
                world.chats.get_mut(&chat).unwrap().without_bot = begins;
                let back = if chat == CHANNEL { "administrator" } else { "member" };
                told.then(|| world.place(chat, if begins { "kicked" } else { back })).map(|_| chat)
            }
            Misfortune::TopicClosed => {
                world.chats.get_mut(&FORUM).unwrap().topics.insert(TOPIC, !begins);
                None
            }
            Misfortune::TopicDeleted => {
                let topics = &mut world.chats.get_mut(&FORUM).unwrap().topics;
                if begins {
                    topics.remove(&TOPIC)
                } else {
                    topics.insert(TOPIC, true)
                };
                None
            }
            Misfortune::Silenced => {
                world.chats.get_mut(&CHANNEL).unwrap().may_not_post = begins;
                told.then(|| world.promote(CHANNEL, ADMIN, !begins)).map(|_| CHANNEL)
            }
            Misfortune::Moved => {
                let members = BTreeMap::from([(ADMIN, "administrator"), (BOT_ID, "member")]);
                world.migrate(GROUP, SUPERGROUP);
                world.chats.get_mut(&SUPERGROUP).unwrap().members = members;
                // Without the service messages it is found out by the next error.
                if !told {
                    world.updates.retain(|update| {
                        update["message"]["migrate_to_chat_id"].is_null() && update["message"]["migrate_from_chat_id"].is_null()
                    });
                }
                told.then_some(SUPERGROUP)
            }
            Misfortune::Refused(channel, code) => {
                let refuses = if begins { json!(code) } else { Value::Null };
                discord.channel(channel, json!({"guild_id": guild_of(channel), "name": "alerts", "refuses": refuses}));
                None
            }
            Misfortune::WithoutEmbeds(channel) => {
                discord.may_embed(channel, !begins);
                None
            }
            Misfortune::Archived(thread) => {
                if begins {
                    let archived =
                        json!({"guild_id": guild_of(thread), "type": 11, "name": "alerts", "thread_metadata": {"archived": true}});
                    discord.channel(thread, archived);
                }
                None
            }
            Misfortune::Revoked(platform) => {
                if begins && platform == Platform::Discord {
                    discord.reset_token(RENEWED_DISCORD);
                } else if begins {
                    world.token = Some(RENEWED_TELEGRAM.to_owned());
                }
                None
            }
            Misfortune::Deleted(channel) => {
                if begins {
                    discord.delete_channel(channel);
                }
                None
            }
            Misfortune::ClosedMessages(user) => {
                if begins {
                    discord.close_direct_messages(user);
                } else {
                    discord.allow_direct_messages(user);
                }
                None
            }
        });
        match misfortune {
            Misfortune::Moved => self.moved = true,
            Misfortune::Deleted(channel) => drop(self.gone.insert(format!("discord:{channel}"))),
            Misfortune::Revoked(platform) if !begins => self.renew(platform, told),
            _ => {}
        }
        if let Some(chat) = opened {
            self.opens(chat);
        }
    }
}

impl Life {
    /// The product is given the new token of a platform: while it runs, or by a restart.
    fn renew(&mut self, platform: Platform, restarts: bool) {
        self.terms.renewed.insert(platform);
        if restarts {
            self.die();
        } else {
            let config = config(&self.fakes, &self.terms);
            self.drive("renewal", async |works| {
                works.parts.renewal.renew(&config, &Mistakes::default());
                Ok(())
            });
        }
    }
}

fn guild_of(channel: &str) -> &'static str {
    CHANNELS.iter().find(|(id, _)| *id == channel).unwrap().1
}
