//! What Discord sends to the door, as far as it is read. Own shapes, since serenity's refuse a body in which any field of theirs is
//! missing: here only what is needed is required, and what is unknown is ignored.

use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::BTreeMap;

/// A command or a half-typed option (types 2 and 4); with [`PressData`] a button that was pressed (3).
#[derive(Deserialize)]
pub(super) struct Interaction<D = CommandData> {
    pub(super) id: String,
    #[serde(deserialize_with = "secret")]
    pub(super) token: SecretString,
    pub(super) data: D,
    #[serde(default)]
    pub(super) guild_id: Option<String>,
    #[serde(default)]
    pub(super) channel_id: Option<String>,
    #[serde(default)]
    pub(super) channel: Option<PartialChannel>,
    #[serde(default)]
    pub(super) member: Option<Member>,
    #[serde(default)]
    pub(super) user: Option<User>,
    /// What the bot may do in the channel where it was typed.
    #[serde(default)]
    pub(super) app_permissions: Option<String>,
    /// Who installed it: `"0"` the server (`"0"` in the bot's own DM), `"1"` the user.
    #[serde(default)]
    pub(super) authorizing_integration_owners: BTreeMap<String, Value>,
    /// 0 server, 1 the bot's DM, 2 another private channel.
    #[serde(default)]
    pub(super) context: Option<u8>,
}

/// The command that was typed.
#[derive(Default, Deserialize)]
pub(super) struct CommandData {
    pub(super) name: String,
    /// 1 for a slash command.
    #[serde(rename = "type", default = "slash")]
    pub(super) kind: u8,
    #[serde(default)]
    pub(super) options: Vec<CommandOption>,
    #[serde(default)]
    pub(super) resolved: Resolved,
}

/// The button that was pressed.
#[derive(Deserialize)]
pub(super) struct PressData {
    pub(super) custom_id: String,
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<SecretString, D::Error> {
    String::deserialize(from).map(SecretString::from)
}

fn slash() -> u8 {
    1
}

/// An option or a subcommand.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct CommandOption {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: u8,
    #[serde(default)]
    pub(super) value: Option<Value>,
    #[serde(default)]
    pub(super) options: Vec<Self>,
    #[serde(default)]
    pub(super) focused: bool,
}

/// The channels and roles that options name.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Resolved {
    pub(super) channels: BTreeMap<String, PartialChannel>,
    pub(super) roles: BTreeMap<String, PartialRole>,
}

/// A channel as an interaction describes it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct PartialChannel {
    #[serde(rename = "type")]
    pub(super) kind: u8,
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) guild_id: Option<String>,
    /// What the invoker may do there.
    #[serde(default)]
    pub(super) permissions: Option<String>,
}

/// A role as an interaction describes it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct PartialRole {
    #[serde(default)]
    pub(super) mentionable: bool,
}

/// Who typed it in a server.
#[derive(Deserialize)]
pub(super) struct Member {
    pub(super) user: User,
    /// What they may do in the channel where they typed.
    #[serde(default)]
    pub(super) permissions: Option<String>,
}

/// An account.
#[derive(Clone, Deserialize)]
pub(super) struct User {
    pub(super) id: String,
}

impl Interaction<PressData> {
    /// What was pressed, and the rest as if a command without options had been typed there.
    pub(super) fn pressed(self) -> (String, Interaction) {
        let Self { id, token, data, guild_id, channel_id, channel, member, user, app_permissions, authorizing_integration_owners, context } =
            self;
        let rest = Interaction {
            id,
            token,
            data: CommandData::default(),
            guild_id,
            channel_id,
            channel,
            member,
            user,
            app_permissions,
            authorizing_integration_owners,
            context,
        };
        (data.custom_id, rest)
    }
}

impl Interaction {
    /// Who typed it.
    pub(super) fn invoker(&self) -> Option<&User> {
        self.member.as_ref().map(|member| &member.user).or(self.user.as_ref())
    }

    /// What the invoker may do in the channel where they typed.
    pub(super) fn invoker_permissions(&self) -> Option<&str> {
        self.member.as_ref()?.permissions.as_deref()
    }
}
