//! Holds a request against the published description of the Bot API, where that file is present: unknown methods and parameters,
//! missing ones, wrong types. The real server ignores what it does not know; here it is a mistake of ours.

use serde_json::Value;
use std::{path::PathBuf, sync::LazyLock};

static SPEC: LazyLock<Option<Value>> = LazyLock::new(|| {
    let folder = std::env::var_os("BELLWETHER_SPECS")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/specs")), PathBuf::from);
    let text = std::fs::read(folder.join("telegram-bot-api.json")).ok()?;
    Some(serde_json::from_slice(&text).unwrap())
});

/// What is wrong with a call.
pub(crate) fn check(method: &str, parameters: &Value) -> Result<(), String> {
    let Some(spec) = &*SPEC else { return Ok(()) };
    let methods = spec["methods"].as_object().unwrap();
    let (_, described) = methods.iter().find(|(name, _)| name.eq_ignore_ascii_case(method)).ok_or("no such method")?;
    fields(spec, described, parameters, method)
}

fn fields(spec: &Value, described: &Value, value: &Value, at: &str) -> Result<(), String> {
    let given = value.as_object().ok_or_else(|| format!("{at} is not an object"))?;
    let none = Vec::new();
    let known = described["fields"].as_array().unwrap_or(&none);
    for (name, value) in given {
        let field = known.iter().find(|field| field["name"] == name.as_str()).ok_or_else(|| format!("{at} has no {name}"))?;
        let types = field["types"].as_array().unwrap();
        if !types.iter().any(|kind| is(spec, kind.as_str().unwrap(), value).is_ok()) {
            return Err(format!("{at}.{name} is none of {types:?}: {value}"));
        }
    }
    let missing = known.iter().find(|field| field["required"] == true && !given.contains_key(field["name"].as_str().unwrap()));
    missing.map_or(Ok(()), |field| Err(format!("{at} lacks {}", field["name"])))
}

fn is(spec: &Value, kind: &str, value: &Value) -> Result<(), String> {
    if let Some(of) = kind.strip_prefix("Array of ") {
        return value.as_array().ok_or("no list")?.iter().try_for_each(|item| is(spec, of, item));
    }
    let fits = match kind {
        "Integer" => value.is_i64() || value.is_u64(),
        "Float" => value.is_number(),
        "String" => value.is_string(),
        "Boolean" => value.is_boolean(),
        "True" => value == &Value::Bool(true),
        // A part of a form, as the fake reads it.
        "InputFile" => value["content"].is_array(),
        _ => {
            let described = &spec["types"][kind];
            return match described["subtypes"].as_array() {
                Some(subtypes) if subtypes.iter().any(|kind| is(spec, kind.as_str().unwrap(), value).is_ok()) => Ok(()),
                Some(_) => Err(format!("no {kind}")),
                None => fields(spec, described, value, kind),
            };
        }
    };
    if fits { Ok(()) } else { Err(format!("no {kind}")) }
}
