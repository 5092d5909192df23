//! Whether Discord would take a request: its published OpenAPI document where that is at hand, and the documented limits that the
//! document leaves out.

use crate::support::multipart::Part;
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    io::Write,
    path::PathBuf,
    sync::{Mutex, OnceLock},
};

/// Where the specs are, besides `../shared/specs`.
const SPECS: &str = "BELLWETHER_SPECS";

const MESSAGE_FIELDS: &[&str] = &[
    "content",
    "nonce",
    "tts",
    "embeds",
    "allowed_mentions",
    "message_reference",
    "components",
    "sticker_ids",
    "flags",
    "attachments",
    "enforce_nonce",
    "poll",
];

/// Everything that is wrong with a body sent to this route of the document; nothing where it is fine.
pub(crate) fn complaints(method: &str, template: &str, body: &Value) -> Vec<String> {
    let mut found = by_document(method, template, body);
    match (method, template) {
        ("post", "/channels/{channel_id}/messages") => {
            message(body, &mut found);
            if body["nonce"].as_str().is_none_or(|nonce| nonce.is_empty() || nonce.len() > 25) {
                found.push("nonce: missing or longer than 25".into());
            }
            if body["enforce_nonce"] != json!(true) {
                found.push("enforce_nonce is not set".into());
            }
        }
        ("patch", "/channels/{channel_id}/messages/{message_id}") => message(body, &mut found),
        ("patch", "/webhooks/{webhook_id}/{webhook_token}/messages/@original") => message(body, &mut found),
        ("post", "/interactions/{interaction_id}/{interaction_token}/callback") if body["type"] == 4 => message(&body["data"], &mut found),
        ("put", "/applications/{application_id}/commands") => body.as_array().into_iter().flatten().for_each(|c| command(c, &mut found)),
        _ => {}
    }
    found
}

/// What is wrong with the files of a form: each is named by its attachment, Discord takes 10 MiB, and a picture is shown and described.
pub(crate) fn files(method: &str, template: &str, body: &Value, form: &[Part]) -> Option<String> {
    let files: Vec<&Part> = form.iter().filter(|part| part.file_name.is_some()).collect();
    let attachments = body["attachments"].as_array().cloned().unwrap_or_default();
    if let Some(document) = document().filter(|_| !form.is_empty())
        && document["paths"][template][method]["requestBody"]["content"]["multipart/form-data"].is_null()
    {
        return Some(format!("{template} takes no form"));
    }
    let named = |file: &&Part| {
        attachments.iter().any(|attachment| {
            file.name == format!("files[{}]", attachment["id"]) && attachment["filename"].as_str() == file.file_name.as_deref()
        })
    };
    if files.len() != attachments.len() || !files.iter().all(named) {
        return Some(format!("{} files for {attachments:?}", files.len()));
    }
    if files.iter().map(|file| file.content.len()).sum::<usize>() > 10 * 1024 * 1024 {
        return Some("more than 10 MiB".to_owned());
    }
    let shown = shown(body);
    let pictures = || files.iter().filter(|file| file.content_type.as_deref() == Some("image/png"));
    if shown.is_some_and(|shown| !pictures().any(|file| file.file_name.as_deref() == Some(shown))) {
        return Some(format!("an embed shows {shown:?}, which is not there"));
    }
    if pictures().count() > 0 && (shown.is_none() || !(1..=1024).contains(&length(&attachments[0]["description"]))) {
        return Some("a picture that is not shown or not described".to_owned());
    }
    pictures().filter_map(|file| file.file()?.is_no_png()).next()
}

/// The file that an embed shows.
pub(crate) fn shown(body: &Value) -> Option<&str> {
    let mut embeds = body["embeds"].as_array()?.iter();
    embeds.find_map(|embed| embed["image"]["url"].as_str()?.strip_prefix("attachment://"))
}

fn length(value: &Value) -> usize {
    value.as_str().map_or(0, |text| text.chars().count())
}

/// The documented limits of a message that the document does not carry.
fn message(body: &Value, found: &mut Vec<String>) {
    let Some(fields) = body.as_object() else { return found.push("not an object".into()) };
    found.extend(fields.keys().filter(|field| !MESSAGE_FIELDS.contains(&field.as_str())).map(|field| format!("unknown field {field}")));
    let embeds = body["embeds"].as_array().cloned().unwrap_or_default();
    if length(&body["content"]) > 2000 {
        found.push("content beyond 2000".into());
    }
    if length(&body["content"]) == 0 && embeds.is_empty() {
        found.push("an empty message".into());
    }
    if body["allowed_mentions"]["parse"] != json!([]) {
        found.push("allowed_mentions do not forbid everything else".into());
    }
    let mut total = 0;
    for embed in &embeds {
        let fields = embed["fields"].as_array().cloned().unwrap_or_default();
        total += length(&embed["title"]) + length(&embed["description"]) + length(&embed["footer"]["text"]);
        total += fields.iter().map(|field| length(&field["name"]) + length(&field["value"])).sum::<usize>();
        let timeless = [&embed["title"], &embed["footer"]["text"], &embed["author"]["name"]];
        if timeless.iter().any(|text| text.as_str().is_some_and(|text| text.contains("<t:"))) {
            found.push("<t:…> in a title, footer or author is not rendered".into());
        }
        if length(&embed["title"]) + length(&embed["description"]) == 0
            || fields.iter().any(|field| length(&field["name"]) == 0 || length(&field["value"]) == 0)
        {
            found.push("an empty embed or field".into());
        }
    }
    if total > 6000 {
        found.push(format!("{total} characters in embeds"));
    }
    let rows = body["components"].as_array().into_iter().flatten();
    let buttons: Vec<&Value> = rows.flat_map(|row| row["components"].as_array().into_iter().flatten()).collect();
    let mut ids = Vec::new();
    for button in buttons {
        match (button["url"].as_str(), button["custom_id"].as_str()) {
            (Some(url), None) if url.starts_with("http") && url.len() <= 512 && button["style"] == 5 => {}
            (None, Some(id)) if (1..=100).contains(&id.chars().count()) && button["style"] != 5 && !ids.contains(&id) => ids.push(id),
            _ => found.push(format!("a button: {button}")),
        }
        if !(1..=80).contains(&length(&button["label"])) {
            found.push(format!("a button's label: {button}"));
        }
    }
}

fn command(command: &Value, found: &mut Vec<String>) {
    let name = command["name"].as_str().unwrap_or_default();
    let well_named = |name: &str| (1..=32).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b"-_".contains(&b));
    if !well_named(name) {
        found.push(format!("command name {name:?}"));
    }
    let mut stack: Vec<&Value> = command["options"].as_array().into_iter().flatten().collect();
    let mut optional = false;
    for option in &stack {
        let required = option["required"] == json!(true);
        if required && optional {
            found.push(format!("{name}: a required option after an optional one"));
        }
        optional |= !required && !matches!(option["type"].as_u64(), Some(1 | 2));
    }
    while let Some(option) = stack.pop() {
        if !well_named(option["name"].as_str().unwrap_or_default()) || length(&option["description"]) == 0 {
            found.push(format!("{name}: an option's name or description"));
        }
        stack.extend(option["options"].as_array().into_iter().flatten());
    }
}

fn document() -> Option<&'static Value> {
    static DOCUMENT: OnceLock<Option<Value>> = OnceLock::new();
    DOCUMENT
        .get_or_init(|| {
            let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/specs");
            let places = std::env::var(SPECS).map(PathBuf::from).into_iter().chain([beside]);
            let found = places.map(|place| place.join("discord-openapi.json")).find(|file| file.exists());
            if found.is_none() {
                let line =
                    format!("LEFT OUT: discord-openapi.json is not at hand (set {SPECS}); requests meet the documented limits only\n");
                // Past the test harness, which would swallow it.
                std::io::stderr().write_all(line.as_bytes()).unwrap();
            }
            found.map(|file| serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap())
        })
        .as_ref()
}

fn by_document(method: &str, template: &str, body: &Value) -> Vec<String> {
    static VALIDATORS: Mutex<Option<HashMap<String, jsonschema::Validator>>> = Mutex::new(None);
    let Some(document) = document() else { return Vec::new() };
    let schema = &document["paths"][template][method]["requestBody"]["content"]["application/json"]["schema"];
    if schema.is_null() {
        return vec![format!("{method} {template} takes no JSON")];
    }
    let mut validators = VALIDATORS.lock().unwrap();
    let validator = validators.get_or_insert_default().entry(format!("{method} {template}")).or_insert_with(|| {
        let mut schema = schema.clone();
        schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
        schema["components"] = document["components"].clone();
        jsonschema::validator_for(&schema).unwrap()
    });
    let normal = normalised(body);
    validator.iter_errors(&normal).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// Where the document differs from what Discord documents and takes: default permissions as text, attachment ids as numbers.
fn normalised(body: &Value) -> Value {
    match body {
        Value::Array(items) => items.iter().map(normalised).collect(),
        Value::Object(fields) => {
            let one = |(name, value): (&String, &Value)| {
                let value = match (name.as_str(), value) {
                    ("default_member_permissions", Value::String(bits)) => json!(bits.parse::<u64>().unwrap()),
                    ("attachments", Value::Array(items)) => items.iter().map(with_text_id).collect(),
                    (_, value) => normalised(value),
                };
                (name.clone(), value)
            };
            Value::Object(fields.iter().map(one).collect())
        }
        other => other.clone(),
    }
}

fn with_text_id(attachment: &Value) -> Value {
    let mut attachment = normalised(attachment);
    attachment["id"] = json!(attachment["id"].to_string());
    attachment
}

#[test]
fn what_discord_would_refuse_is_refused_here() {
    let good = json!({"embeds": [{"title": "t"}], "allowed_mentions": {"parse": []}, "nonce": "n", "enforce_nonce": true});
    let template = "/channels/{channel_id}/messages";
    assert_eq!(complaints("post", template, &good), Vec::<String>::new());
    for (field, value) in [
        ("content", json!("x".repeat(2001))),
        ("embeds", json!([{"title": "t", "description": "x".repeat(4096)}, {"title": "t", "description": "x".repeat(2000)}])),
        ("embeds", json!([{"title": "at <t:1:R>"}])),
        ("embeds", json!([{"title": "t", "footer": {"text": "at <t:1:R>"}}])),
        ("embeds", json!([])),
        ("allowed_mentions", Value::Null),
        ("nonce", json!("x".repeat(26))),
        ("enforce_nonce", json!(false)),
        ("titel", json!(1)),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        assert_ne!(complaints("post", template, &bad), Vec::<String>::new(), "{field}");
    }
}
