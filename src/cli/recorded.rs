//! What `replay` reads of a recorded body besides its rows, which are read as the live client reads them.

use crate::domain::{TokenId, clean_name};
use serde_json::Value;

/// The rows of one answer, each as it came.
///
/// # Errors
/// Where it is not an answer of the API, in words.
pub(super) fn rows_of(body: &Value) -> Result<&[Value], &'static str> {
    match body.get("data") {
        Some(Value::Array(rows)) => Ok(rows),
        // A refusal has no rows, and says so.
        None | Some(Value::Null) if body.get("success").is_some() || body.get("error").is_some() => Ok(&[]),
        _ => Err("it is not an answer of the data API: it has no list of rows under \"data\""),
    }
}

/// The symbol that a row carries, cleaned.
pub(super) fn symbol_of(row: &Value) -> Option<(TokenId, String)> {
    let symbol = clean_name(row.get("TOKEN_SYMBOL")?.as_str()?);
    (!symbol.is_empty()).then_some((token_of(row)?, symbol))
}

fn token_of(row: &Value) -> Option<TokenId> {
    row.get("TOKEN_ID")?.as_i64().map(TokenId)
}
