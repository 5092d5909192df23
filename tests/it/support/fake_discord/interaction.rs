//! Interactions in the shape in which Discord sends them, and Discord's signature.

use super::{APPLICATION, GUILD, HERE};
use bellwether::commands::CATALOG;
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};

/// Who types, unless a test says otherwise.
pub(crate) const MEMBER: &str = "284102345987231744";
/// Manage Server, View Channel.
pub(crate) const ADMIN: u64 = 1 << 5 | 1 << 10;
/// View Channel and nothing that manages.
pub(crate) const PLAIN: u64 = 1 << 10;
/// Without it a message loses its embeds.
pub(crate) const EMBED_LINKS: u64 = 1 << 14;
/// What the bot needs to send alerts.
pub(crate) const BOT: u64 = 1 << 10 | 1 << 11 | EMBED_LINKS | 1 << 38;

/// The application's key pair, of this test run only.
pub(crate) fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

/// The public half, as Discord's portal shows it.
pub(crate) fn public_key() -> String {
    hex(signing_key().verifying_key().as_bytes())
}

/// Signs as Discord does: the timestamp, then the raw body.
pub(crate) fn sign(body: &[u8], timestamp: i64) -> String {
    hex(&signing_key().sign(&[timestamp.to_string().as_bytes(), body].concat()).to_bytes())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Brings a signed interaction to the door of a running product.
pub(crate) async fn post(door: impl std::fmt::Display, interaction: &Value, at: i64) -> reqwest::Response {
    let body = interaction.to_string();
    reqwest::Client::new()
        .post(format!("http://{door}/discord/interactions"))
        .header("X-Signature-Ed25519", sign(body.as_bytes(), at))
        .header("X-Signature-Timestamp", at.to_string())
        .body(body)
        .send()
        .await
        .unwrap()
}

/// The token of an interaction, by its id.
pub(crate) fn token_of(id: u64) -> String {
    format!("aW50ZXJhY3Rpb24-{id}-secret")
}

/// A slash command in a server, typed by a member with these permissions.
pub(crate) fn in_server(id: u64, permissions: u64, data: Value) -> Value {
    let mut interaction = json!({
        "type": 2, "id": id.to_string(), "application_id": APPLICATION.to_string(), "token": token_of(id), "version": 1,
        "context": 0, "guild_id": GUILD, "channel_id": HERE, "locale": "en-GB", "guild_locale": "en-US",
        "entitlements": [], "attachment_size_limit": 10_485_760, "app_permissions": BOT.to_string(),
        "authorizing_integration_owners": {"0": GUILD},
        "guild": {"id": GUILD, "locale": "en-US", "features": []},
        "channel": {"id": HERE, "type": 0, "name": "alerts", "guild_id": GUILD, "permissions": permissions.to_string()},
        "member": {"user": {"id": MEMBER, "username": "mira.holt"}, "roles": [], "permissions": permissions.to_string()},
    });
    interaction["data"] = data;
    interaction
}

/// A slash command in the bot's direct messages.
pub(crate) fn in_private(id: u64, data: Value) -> Value {
    let mut interaction = json!({
        "type": 2, "id": id.to_string(), "application_id": APPLICATION.to_string(), "token": token_of(id), "version": 1,
        "context": 1, "channel_id": "1402322005119963136", "locale": "de", "entitlements": [], "app_permissions": BOT.to_string(),
        "authorizing_integration_owners": {"0": "0", "1": MEMBER},
        "channel": {"id": "1402322005119963136", "type": 1},
        "user": {"id": MEMBER, "username": "mira.holt"},
    });
    interaction["data"] = data;
    interaction
}

/// The button that says so beneath a message, pressed where and by whom this interaction says.
pub(crate) fn pressed(mut interaction: Value, message: &Value, label: &str) -> Value {
    let rows = message["components"].as_array().into_iter().flatten();
    let mut buttons = rows.flat_map(|row| row["components"].as_array().into_iter().flatten());
    let button = buttons.find(|button| button["label"] == label).unwrap_or_else(|| panic!("no {label} beneath {message}"));
    interaction["type"] = json!(3);
    interaction["data"] = json!({"component_type": 2, "custom_id": button["custom_id"], "id": 2});
    interaction["message"] =
        json!({"id": "1402330117453516999", "type": 0, "channel_id": interaction["channel_id"], "embeds": message["embeds"]});
    interaction
}

/// Discord offers what was registered and nothing else: whether somebody could have typed these options. What is no command at all is another matter.
pub(crate) fn is_offered(interaction: &Value) -> Result<(), String> {
    let given = |at: &Value| at["options"].as_array().cloned().unwrap_or_default();
    let data = &interaction["data"];
    let Some(mut spec) = CATALOG.iter().find(|spec| data["name"] == spec.name) else { return Ok(()) };
    let mut options = given(data);
    if let Some(nested) = options.first().filter(|first| first["type"] == 1) {
        let Some(subcommand) = spec.subcommands.iter().find(|spec| nested["name"] == spec.name) else { return Ok(()) };
        (spec, options) = (subcommand, given(nested));
    }
    let names: Vec<_> = options.iter().filter_map(|option| option["name"].as_str()).collect();
    let foreign = names.iter().find(|name| !spec.options.iter().any(|known| known.name == **name));
    foreign.map_or(Ok(()), |name| Err(format!("{} has no {name}", spec.name)))
}

/// `/name` with text options.
pub(crate) fn slash(name: &str, options: &[(&str, &str)]) -> Value {
    let options: Vec<Value> = options.iter().map(|(name, value)| json!({"name": name, "type": 3, "value": value})).collect();
    json!({"id": "1402330117453516890", "name": name, "type": 1, "options": options})
}

/// `/name subcommand` with options as Discord nests them.
pub(crate) fn subcommand(name: &str, subcommand: &str, options: Value) -> Value {
    let mut command = json!({"id": "1402330117453516890", "name": name, "type": 1, "options": [{"name": subcommand, "type": 1}]});
    command["options"][0]["options"] = options;
    command
}

/// `/channel subcommand` for a channel that its administrator sees, with further options.
pub(crate) fn for_channel(name: &str, channel: &str, options: &[(&str, &str)]) -> Value {
    let mut nested = vec![json!({"name": "channel", "type": 7, "value": channel})];
    nested.extend(options.iter().map(|(name, value)| json!({"name": name, "type": 3, "value": value})));
    let mut data = subcommand("channel", name, json!(nested));
    data["resolved"] = json!({"channels": {channel: {"id": channel, "type": 0, "name": "other", "permissions": ADMIN.to_string()}}});
    data
}

/// A half-typed last option of a command.
pub(crate) fn autocomplete(mut interaction: Value) -> Value {
    interaction["type"] = json!(4);
    let nested = interaction["data"]["options"][0]["type"] == 1;
    let options = if nested { &mut interaction["data"]["options"][0]["options"] } else { &mut interaction["data"]["options"] };
    if let Some(last) = options.as_array_mut().and_then(|options| options.last_mut()) {
        last["focused"] = json!(true);
    }
    interaction
}
