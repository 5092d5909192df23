//! Registers the slash commands, only when they differ from what Discord has: both sides are brought to one normal form first.

use super::client::{ApiError, Discord};
use crate::commands::{CommandSpec, OptionKind, OptionSpec, Scope};
use serde::{Deserialize, Deserializer, Serialize};
use serenity::http::Route;

/// Whether anything was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registered {
    /// Discord had something else; it has the commands now.
    Changed,
    /// Discord had them already.
    Unchanged,
}

/// A command in normal form. What Discord adds (ids, versions) and what is not used (localisations) is left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Normal {
    name: String,
    /// 1 for a slash command; other kinds are not ours and make a difference.
    #[serde(rename = "type", default = "slash")]
    kind: u8,
    #[serde(default, deserialize_with = "null_is_default")]
    description: String,
    #[serde(default, deserialize_with = "null_is_default")]
    options: Vec<NormalOption>,
    /// 0 by servers, 1 by users.
    #[serde(default, deserialize_with = "null_is_default")]
    integration_types: Vec<u8>,
    /// 0 servers, 1 the bot's DM, 2 other private channels.
    #[serde(default, deserialize_with = "null_is_default")]
    contexts: Vec<u8>,
    /// A bit set in decimal, as text.
    #[serde(default)]
    default_member_permissions: Option<String>,
}

/// An option or subcommand in normal form.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct NormalOption {
    #[serde(rename = "type")]
    kind: u8,
    name: String,
    description: String,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "is_false")]
    required: bool,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "is_false")]
    autocomplete: bool,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    choices: Vec<NormalChoice>,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    options: Vec<NormalOption>,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    channel_types: Vec<u8>,
    #[serde(deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    min_value: Option<i64>,
    #[serde(deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    max_value: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct NormalChoice {
    name: String,
    value: String,
}

/// Manage Server, as `default_member_permissions` wants it.
const MANAGE_SERVER: &str = "32";
/// Text, announcement and threads: where alerts can be sent.
const CHANNEL_TYPES: [u8; 5] = [0, 5, 10, 11, 12];

impl Discord {
    /// Registers these commands for all servers and users, where they differ from what is registered.
    ///
    /// # Errors
    /// Where Discord does not answer or refuses.
    pub async fn register(&self, catalog: &[CommandSpec]) -> Result<Registered, ApiError> {
        let wanted = normal(catalog);
        if self.registered().await? == Some(wanted.clone()) {
            return Ok(Registered::Unchanged);
        }
        let body = serde_json::to_value(&wanted).expect("commands are plain data");
        let _: serde_json::Value = self.put(self.commands_route(), &body).await?;
        Ok(Registered::Changed)
    }

    /// Whether Discord has exactly these commands: for `check`, which changes nothing.
    ///
    /// # Errors
    /// Where Discord does not answer.
    pub async fn is_registered(&self, catalog: &[CommandSpec]) -> Result<bool, ApiError> {
        Ok(self.registered().await? == Some(normal(catalog)))
    }

    /// What is registered, in normal form; `None` where it holds something that has none.
    async fn registered(&self) -> Result<Option<Vec<Normal>>, ApiError> {
        let found: Vec<serde_json::Value> = self.get(self.commands_route()).await?;
        let commands: Result<Vec<Normal>, _> = found.into_iter().map(serde_json::from_value).collect();
        Ok(commands.ok().map(sorted))
    }

    fn commands_route(&self) -> Route<'static> {
        Route::Commands { application_id: self.0.application }
    }
}

fn normal(catalog: &[CommandSpec]) -> Vec<Normal> {
    sorted(catalog.iter().map(command).collect())
}

fn sorted(mut commands: Vec<Normal>) -> Vec<Normal> {
    for command in &mut commands {
        command.integration_types.sort_unstable();
        command.contexts.sort_unstable();
        command.options.iter_mut().for_each(NormalOption::sort);
    }
    commands.sort_by(|one, other| one.name.cmp(&other.name));
    commands
}

impl NormalOption {
    fn sort(&mut self) {
        self.channel_types.sort_unstable();
        self.options.iter_mut().for_each(Self::sort);
    }
}

fn command(spec: &CommandSpec) -> Normal {
    let (integration_types, contexts, permissions) = match spec.scope {
        Scope::Everywhere => (vec![0, 1], vec![0, 1, 2], None),
        Scope::ChannelAdmins => (vec![0], vec![0], Some(MANAGE_SERVER.to_owned())),
    };
    Normal {
        name: spec.name.to_owned(),
        kind: slash(),
        description: spec.description.to_owned(),
        options: spec.subcommands.iter().map(subcommand).chain(spec.options.iter().map(option)).collect(),
        integration_types,
        contexts,
        default_member_permissions: permissions,
    }
}

fn subcommand(spec: &CommandSpec) -> NormalOption {
    NormalOption {
        kind: 1,
        name: spec.name.to_owned(),
        description: spec.description.to_owned(),
        options: spec.options.iter().map(option).collect(),
        ..NormalOption::default()
    }
}

fn option(spec: &OptionSpec) -> NormalOption {
    let mut option = NormalOption {
        kind: 3,
        name: spec.name.to_owned(),
        description: spec.description.to_owned(),
        required: spec.required,
        autocomplete: spec.autocomplete,
        ..NormalOption::default()
    };
    match spec.kind {
        OptionKind::Text => {}
        OptionKind::Integer { min, max } => {
            option.kind = 4;
            option.min_value = Some(i64::from(min));
            option.max_value = Some(i64::from(max));
        }
        OptionKind::Choice(words) => {
            option.choices = words.iter().map(|word| NormalChoice { name: (*word).to_owned(), value: (*word).to_owned() }).collect();
        }
        OptionKind::Channel => {
            option.kind = 7;
            option.channel_types = CHANNEL_TYPES.to_vec();
        }
        OptionKind::Role => option.kind = 8,
    }
    option
}

fn slash() -> u8 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

fn null_is_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}

/// Discord may write a whole number as `1` or `1.0`.
fn whole<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    let number = Option::<serde_json::Number>::deserialize(from)?;
    #[expect(clippy::cast_possible_truncation, reason = "bounds of an option are small whole numbers")]
    Ok(number.and_then(|number| number.as_i64().or_else(|| number.as_f64().map(|number| number as i64))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const OPTIONS: &[OptionSpec] = &[
        OptionSpec { name: "tokens", description: "Which", kind: OptionKind::Text, required: true, autocomplete: true },
        OptionSpec {
            name: "limit",
            description: "How many",
            kind: OptionKind::Integer { min: 0, max: 60 },
            required: false,
            autocomplete: false,
        },
        OptionSpec {
            name: "kind",
            description: "Which",
            kind: OptionKind::Choice(&["daily", "hourly", "grade", "fundamental"]),
            required: false,
            autocomplete: false,
        },
        OptionSpec { name: "channel", description: "Where", kind: OptionKind::Channel, required: false, autocomplete: false },
        OptionSpec { name: "mention", description: "Whom", kind: OptionKind::Role, required: false, autocomplete: false },
    ];
    const LEAF: CommandSpec = CommandSpec {
        name: "subscribe",
        description: "Subscribe",
        options: OPTIONS,
        subcommands: &[],
        scope: Scope::Everywhere,
        command: None,
    };
    const CATALOG: &[CommandSpec] = &[
        LEAF,
        CommandSpec {
            name: "channel",
            description: "A channel",
            options: &[],
            subcommands: &[LEAF],
            scope: Scope::ChannelAdmins,
            command: None,
        },
    ];

    /// As Discord gives it back: with ids, nulls, defaults written out and another order.
    fn returned() -> Vec<Value> {
        let mut commands: Vec<Value> = normal(CATALOG).iter().map(|command| serde_json::to_value(command).unwrap()).collect();
        commands.reverse();
        for (index, command) in commands.iter_mut().enumerate() {
            command["id"] = json!(index.to_string());
            command["version"] = json!("7");
            command["name_localizations"] = Value::Null;
            command["dm_permission"] = json!(true);
            command["contexts"].as_array_mut().unwrap().reverse();
        }
        commands[0]["options"][1]["min_value"] = json!(0.0);
        commands[0]["options"][1]["required"] = json!(false);
        commands[0]["options"][1]["choices"] = Value::Null;
        commands
    }

    fn read(commands: Vec<Value>) -> Vec<Normal> {
        sorted(commands.into_iter().map(|command| serde_json::from_value(command).unwrap()).collect())
    }

    #[test]
    fn what_discord_adds_makes_no_difference() {
        assert_eq!(read(returned()), normal(CATALOG));
    }

    #[test]
    fn what_people_see_makes_a_difference() {
        for (pointer, value) in [
            ("/0/description", json!("Other")),
            ("/0/options/1/max_value", json!(61)),
            ("/0/options/0/required", json!(false)),
            ("/0/contexts", json!([0])),
            ("/1/default_member_permissions", Value::Null),
            ("/1/options/0/options/2/choices/1/value", json!("weekly")),
        ] {
            let mut commands = json!(returned());
            *commands.pointer_mut(pointer).unwrap() = value;
            assert_ne!(read(serde_json::from_value(commands).unwrap()), normal(CATALOG), "{pointer}");
        }
    }

    #[test]
    fn only_channel_is_for_servers_and_their_admins() {
        let commands = normal(CATALOG);
        assert_eq!((commands[0].name.as_str(), &commands[0].contexts, &commands[0].integration_types), ("channel", &vec![0], &vec![0]));
        assert_eq!(commands[0].default_member_permissions.as_deref(), Some("32"));
        assert_eq!((&commands[1].contexts, &commands[1].integration_types), (&vec![0, 1, 2], &vec![0, 1]));
        assert_eq!(commands[1].default_member_permissions, None);
    }
}
