//! What `replay` reads of a recorded body besides its rows, which are read as the live client reads them.

use crate::sources::token_metrics::Value;

/// The rows of one answer, each as it came.
///
/// # Errors
/// Where it is not an answer of the API, in words.
pub(super) fn rows_of<'a, 'b>(body: &'b Value<'a>) -> Result<&'b [Value<'a>], &'static str> {
    match body.get("data") {
        Some(Value::List(rows)) => Ok(rows),
        // A refusal has no rows, and says so.
        None | Some(Value::Null) if body.get("success").is_some() || body.get("error").is_some() => Ok(&[]),
        _ => Err("it is not an answer of the data API: it has no list of rows under \"data\""),
    }
}
