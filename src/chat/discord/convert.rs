//! From what Discord sent to what the desk understands. Pure: what must be asked of Discord besides is `facts`' business.

use super::{
    payload::{CommandOption, Interaction},
    permissions::{ADMINISTRATOR, MANAGE_GUILD, Permissions},
};
use crate::{
    commands::{Actor, Command, Completion, Invocation, Standing, Venue, command_named},
    domain::{Address, ButtonPress, Platform, UserId},
};
use serde_json::Value;
use std::collections::BTreeMap;

/// Option types of [Discord](https://discord.com/developers/docs/interactions/application-commands#application-command-object-application-command-option-type).
const SUBCOMMAND: u8 = 1;
const SUBCOMMAND_GROUP: u8 = 2;
const CHANNEL: u8 = 7;
const ROLE: u8 = 8;

/// Why an interaction cannot be read; for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("its id is not a number")]
    NoId,
    #[error("it is not a slash command")]
    NotSlash,
    #[error("the command is not one of ours")]
    UnknownCommand,
    #[error("it does not say who typed it")]
    NoInvoker,
    #[error("it does not say in which channel it was typed")]
    NoChannel,
    #[error("no option is being typed")]
    NoFocus,
    #[error("it is no button of ours")]
    UnknownButton,
}

/// A command as it was typed, still without the facts.
#[derive(Debug)]
pub(super) struct Typed {
    pub(super) actor: Actor,
    pub(super) venue: Venue,
    pub(super) invocation: Invocation,
    /// The option being typed, for a completion.
    focused: Option<(String, String)>,
    /// The channel that an option names.
    pub(super) channel: Option<String>,
    /// The role that an option names.
    pub(super) role: Option<String>,
}

/// Reads a command or a half-typed one.
pub(super) fn typed(interaction: &Interaction) -> Result<Typed, Unreadable> {
    super::client::snowflake(&interaction.id).ok_or(Unreadable::NoId)?;
    let data = &interaction.data;
    if data.kind != 1 {
        return Err(Unreadable::NotSlash);
    }
    let (subcommand, options) = leaf(&data.options);
    let command = command(&data.name, subcommand.as_deref()).ok_or(Unreadable::UnknownCommand)?;
    let mut typed = Typed {
        actor: Actor { user: invoker(interaction)?, standing: standing(interaction) },
        venue: venue(interaction)?,
        invocation: Invocation { command, options: BTreeMap::new() },
        focused: None,
        channel: None,
        role: None,
    };
    for option in options {
        let Some(word) = option.value.as_ref().and_then(word) else { continue };
        if option.focused {
            typed.focused = Some((option.name.clone(), word.clone()));
        }
        match option.kind {
            CHANNEL => typed.channel = Some(word),
            ROLE => typed.role = Some(word),
            _ => {
                typed.invocation.options.insert(option.name.clone(), word);
            }
        }
    }
    Ok(typed)
}

/// A button that was pressed, still without what it stands for.
#[derive(Debug)]
pub(super) struct Pressed {
    pub(super) press: ButtonPress,
    /// Where its message stands.
    pub(super) at: Address,
    actor: Actor,
    venue: Venue,
}

impl Pressed {
    /// The command that it stands for, typed by whoever pressed it.
    pub(super) fn stands_for(self, invocation: Invocation) -> Typed {
        Typed { actor: self.actor, venue: self.venue, invocation, focused: None, channel: None, role: None }
    }
}

/// Reads a press; what was pressed is from outside like everything else.
pub(super) fn pressed(custom_id: &str, interaction: &Interaction) -> Result<Pressed, Unreadable> {
    super::client::snowflake(&interaction.id).ok_or(Unreadable::NoId)?;
    let press = ButtonPress::parse(custom_id).ok_or(Unreadable::UnknownButton)?;
    let venue = venue(interaction)?;
    let at = match &venue {
        Venue::Server { channel, .. } => Address::new(Platform::Discord, channel.clone()),
        Venue::Private { address } | Venue::Group { address, .. } | Venue::Elsewhere { direct: address } => address.clone(),
    };
    Ok(Pressed { press, at, actor: Actor { user: invoker(interaction)?, standing: standing(interaction) }, venue })
}

/// Reads a half-typed option.
pub(super) fn completion(interaction: &Interaction) -> Result<Completion, Unreadable> {
    let typed = typed(interaction)?;
    let (option, text) = typed.focused.ok_or(Unreadable::NoFocus)?;
    let here = match &typed.venue {
        Venue::Server { channel, .. } => Some(channel.clone()),
        _ => None,
    };
    let channel = if is_for_channel(typed.invocation.command) { typed.channel.or(here) } else { None };
    Ok(Completion {
        actor: typed.actor,
        venue: typed.venue,
        command: typed.invocation.command,
        option,
        typed: text,
        channel: channel.map(|id| Address::new(Platform::Discord, id)),
    })
}

/// Whether the command is about a channel.
pub(super) fn is_for_channel(command: Command) -> bool {
    use Command as C;
    matches!(
        command,
        C::ChannelSubscribe | C::ChannelUnsubscribe | C::ChannelList | C::ChannelSettings | C::ChannelMute | C::ChannelTest | C::ChannelWhy
    )
}

/// The innermost options, and the subcommand that they belong to (with its group in front, where there is one).
fn leaf(options: &[CommandOption]) -> (Option<String>, &[CommandOption]) {
    match options {
        [group] if group.kind == SUBCOMMAND_GROUP => {
            let (inner, options) = leaf(&group.options);
            (Some(format!("{} {}", group.name, inner.unwrap_or_default())), options)
        }
        [subcommand] if subcommand.kind == SUBCOMMAND => (Some(subcommand.name.clone()), &subcommand.options),
        _ => (None, options),
    }
}

fn command(name: &str, subcommand: Option<&str>) -> Option<Command> {
    match subcommand {
        Some(subcommand) => command_named(&format!("{name} {subcommand}")),
        None => command_named(name),
    }
}

fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn invoker(interaction: &Interaction) -> Result<UserId, Unreadable> {
    let id = &interaction.invoker().ok_or(Unreadable::NoInvoker)?.id;
    super::client::snowflake(id).map(|_| UserId(id.clone())).ok_or(Unreadable::NoInvoker)
}

/// What Discord computed just now; an override in Integrations does not replace Manage Server (`rules.md` 5.6).
fn standing(interaction: &Interaction) -> Standing {
    if interaction.guild_id.is_none() {
        return Standing::Member;
    }
    match interaction.invoker_permissions().and_then(Permissions::parse) {
        Some(permissions) if permissions.has(MANAGE_GUILD | ADMINISTRATOR) => Standing::Admin,
        Some(_) => Standing::Member,
        None => Standing::Unknown,
    }
}

fn venue(interaction: &Interaction) -> Result<Venue, Unreadable> {
    let direct = Address::discord_user(&invoker(interaction)?);
    let installed_for = interaction.authorizing_integration_owners.get("0").and_then(Value::as_str);
    if let Some(tenant) = &interaction.guild_id {
        let channel = interaction.channel_id.clone().ok_or(Unreadable::NoChannel)?;
        let bot_present = installed_for == Some(tenant.as_str());
        return Ok(Venue::Server { tenant: tenant.clone(), channel, bot_present, direct });
    }
    let is_own = match interaction.context {
        Some(context) => context == 1,
        None => installed_for == Some("0"),
    };
    Ok(if is_own { Venue::Private { address: direct } } else { Venue::Elsewhere { direct } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn interaction(change: impl FnOnce(&mut Value)) -> Interaction {
        let mut body = json!({
            "id": "1", "token": "t", "type": 2, "guild_id": "10", "channel_id": "20", "context": 0,
            "authorizing_integration_owners": {"0": "10"},
            "member": {"user": {"id": "30"}, "permissions": "32"},
            "data": {"name": "subscribe", "type": 1, "options": [{"name": "tokens", "type": 3, "value": "SOL"}]},
        });
        change(&mut body);
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn a_members_command_keeps_who_where_and_what() {
        let typed = typed(&interaction(|_| ())).unwrap();
        assert_eq!(typed.actor, Actor { user: UserId("30".into()), standing: Standing::Admin });
        let direct = Address::new(Platform::Discord, "user:30");
        assert_eq!(typed.venue, Venue::Server { tenant: "10".into(), channel: "20".into(), bot_present: true, direct });
        assert_eq!(typed.invocation.command, Command::Subscribe);
        assert_eq!(typed.invocation.options, BTreeMap::from([("tokens".into(), "SOL".into())]));
    }

    #[test]
    fn only_manage_server_or_administrator_makes_an_admin() {
        let standing_of =
            |permissions: Value| typed(&interaction(|body| body["member"]["permissions"] = permissions)).unwrap().actor.standing;
        assert_eq!(standing_of(json!("8")), Standing::Admin);
        assert_eq!(standing_of(json!((1_u64 << 50 | 1 << 17).to_string())), Standing::Member);
        assert_eq!(standing_of(json!(null)), Standing::Unknown);
        assert_eq!(standing_of(json!("-1")), Standing::Unknown);
    }

    #[test]
    fn the_venue_follows_context_and_installation() {
        let direct = Address::new(Platform::Discord, "user:30");
        let private = |context: Value, owners: Value| {
            let interaction = interaction(|body| {
                body["guild_id"] = Value::Null;
                body["member"] = Value::Null;
                body["user"] = json!({"id": "30"});
                body["context"] = context;
                body["authorizing_integration_owners"] = owners;
            });
            typed(&interaction).unwrap().venue
        };
        assert_eq!(private(json!(1), json!({"0": "0"})), Venue::Private { address: direct.clone() });
        assert_eq!(private(json!(null), json!({"0": "0"})), Venue::Private { address: direct.clone() });
        assert_eq!(private(json!(2), json!({"1": "30"})), Venue::Elsewhere { direct });
        let foreign = interaction(|body| body["authorizing_integration_owners"] = json!({"1": "30"}));
        assert!(matches!(typed(&foreign).unwrap().venue, Venue::Server { bot_present: false, .. }));
    }

    #[test]
    fn subcommands_and_their_options_are_found() {
        let interaction = interaction(|body| {
            body["data"] = json!({"name": "channel", "options": [{"name": "settings", "type": 1, "options": [
                {"name": "channel", "type": 7, "value": "21"}, {"name": "max_per_hour", "type": 4, "value": 5},
                {"name": "mention", "type": 8, "value": "77"}]}]});
        });
        let typed = typed(&interaction).unwrap();
        assert_eq!(typed.invocation.command, Command::ChannelSettings);
        assert_eq!(typed.invocation.options, BTreeMap::from([("max_per_hour".into(), "5".into())]));
        assert_eq!((typed.channel.as_deref(), typed.role.as_deref()), (Some("21"), Some("77")));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let why = |change: fn(&mut Value)| typed(&interaction(change)).unwrap_err();
        assert_eq!(why(|body| body["id"] = json!("x")), Unreadable::NoId);
        assert_eq!(why(|body| body["data"]["type"] = json!(2)), Unreadable::NotSlash);
        assert_eq!(why(|body| body["data"]["name"] = json!("alert")), Unreadable::UnknownCommand);
        assert_eq!(why(|body| body["data"]["options"] = json!([{"name": "x", "type": 1}])), Unreadable::UnknownCommand);
        assert_eq!(why(|body| body["member"] = json!(null)), Unreadable::NoInvoker);
        assert_eq!(why(|body| body["member"]["user"]["id"] = json!("x")), Unreadable::NoInvoker);
        assert_eq!(why(|body| body["channel_id"] = json!(null)), Unreadable::NoChannel);
        assert_eq!(completion(&interaction(|_| ())).unwrap_err(), Unreadable::NoFocus);
    }

    #[test]
    fn a_half_typed_option_names_its_channel() {
        let completion = completion(&interaction(|body| {
            body["data"] = json!({"name": "channel", "options": [{"name": "unsubscribe", "type": 1, "options": [
                {"name": "channel", "type": 7, "value": "21"}, {"name": "tokens", "type": 3, "value": "SO", "focused": true}]}]});
        }))
        .unwrap();
        assert_eq!((completion.option.as_str(), completion.typed.as_str()), ("tokens", "SO"));
        assert_eq!(completion.channel, Some(Address::new(Platform::Discord, "21")));
    }
}
