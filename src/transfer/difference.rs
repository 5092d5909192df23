//! How a file differs from what is there, and what that means.

use super::{
    check::{Refusal, check, check_limits},
    document::{Document, DocumentState},
};
use crate::store::transfer::{
    Call, Configuration, Destination, Exclusion, Mute, Plan, Present, Section, StatePlan, Subscription, for_configuration,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What importing `document` comes to: the file wins over what is there, and with `replace` what it lacks goes.
///
/// # Errors
/// Where the file is wrong in itself, or does not go together with what is there.
pub fn plan(document: &Document, present: &Present, replace: bool) -> Result<Plan, Refusal> {
    check(document)?;
    let mut plan = Plan::default();
    let (here, file) = (&present.configuration, &document.configuration);
    macro_rules! differ {
        ([$($field:ident: $row:ident),*]) => {$(
            (plan.put.$field, plan.remove.$field) = differ(&here.$field, &file.$field, replace);
        )*};
    }
    for_configuration!(differ,);
    if !replace {
        leave_the_forgotten(&mut plan, here, file);
        check_limits(&together(here, &plan.put))?;
    }
    if let Some(state) = &document.state {
        plan.calls = missing_calls(&present.calls, &state.calls);
        plan.state = state_plan(state, present, replace)?;
    }
    Ok(plan)
}

/// Whoever asked to be forgotten, here or where the file comes from, stays as they are here. A file from before would bring back what they wanted gone,
/// for as long as their emptied row is still there; one from after would empty what they asked for anew.
fn leave_the_forgotten(plan: &mut Plan, here: &Configuration, file: &Configuration) {
    let of = |rows: &[Destination]| rows.iter().map(|row| (row.address.0.clone(), row.forgotten_at.is_some())).collect::<BTreeMap<_, _>>();
    let (known, wanted) = (of(&here.destinations), of(&file.destinations));
    let is_left = |address: &str| match (known.get(address), wanted.get(address)) {
        (Some(here), Some(file)) => *here || *file,
        _ => false,
    };
    macro_rules! leave {
        ([$($field:ident: $row:ident),*]) => {$(
            plan.put.$field.retain(|row| {
                let left = row.place().filter(|place| is_left(&place.0));
                plan.left.extend(left.map(|place| place.0.clone()));
                left.is_none()
            });
        )*};
    }
    for_configuration!(leave,);
}

/// The rows to be written, and those to be removed.
fn differ<S: Section>(here: &[S], file: &[S], replace: bool) -> (Vec<S>, Vec<S>) {
    let known: BTreeMap<String, &S> = here.iter().map(|row| (row.key(), row)).collect();
    let put = file.iter().filter(|row| known.get(&row.key()) != Some(row)).cloned().collect();
    let wanted: BTreeMap<String, &S> = file.iter().map(|row| (row.key(), row)).collect();
    let remove = here.iter().filter(|row| replace && !wanted.contains_key(&row.key())).cloned().collect();
    (put, remove)
}

/// What is there, with what is put over it.
fn together(here: &Configuration, put: &Configuration) -> Configuration {
    macro_rules! merge {
        ([$($field:ident: $row:ident),*]) => {
            Configuration { $($field: merge(&here.$field, &put.$field)),* }
        };
    }
    for_configuration!(merge,)
}

fn merge<S: Section>(here: &[S], put: &[S]) -> Vec<S> {
    let rows = here.iter().chain(put).map(|row| (row.key(), row.clone()));
    rows.collect::<BTreeMap<_, _>>().into_values().collect()
}

/// The calls of the file that the ledger lacks: what was called stays counted on both sides.
fn missing_calls(here: &[Call], file: &[Call]) -> Vec<Call> {
    let mut known: BTreeMap<String, u32> = BTreeMap::new();
    for call in here {
        *known.entry(json!(call).to_string()).or_default() += 1;
    }
    let is_missing = |call: &&Call| match known.get_mut(&json!(call).to_string()) {
        Some(left @ 1..) => {
            *left -= 1;
            false
        }
        _ => true,
    };
    file.iter().filter(is_missing).cloned().collect()
}

/// States are not mixed: two bots' memories of what was told and what is under way make no third one.
fn state_plan(state: &DocumentState, present: &Present, replace: bool) -> Result<StatePlan, Refusal> {
    if state.rest.digests() == present.state {
        return Ok(StatePlan::Keep);
    }
    let here: Vec<_> = present.state.iter().filter(|section| section.rows > 0).collect();
    match (here.is_empty(), replace) {
        (true, _) => Ok(StatePlan::Write),
        (false, true) => Ok(StatePlan::Replace),
        (false, false) => {
            let sections: Vec<_> = here.iter().map(|section| format!("{} {}", section.rows, section.name)).collect();
            Err(Refusal::new(
                "state",
                format!(
                    "this database has a state of its own ({}), and two states cannot be mixed; import into a new database, import an export \
                     without --with-state, or add --replace to give up what is here",
                    sections.join(", ")
                ),
            ))
        }
    }
}

/// A line for each thing that a plan changes: `+` is new, `~` is changed, `-` goes.
pub fn describe(document: &Document, present: &Present, plan: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    macro_rules! describe_rows {
        ([$($field:ident: $row:ident),*]) => {$(
            lines.extend(changed_rows(&present.configuration.$field, &plan.put.$field));
            lines.extend(plan.remove.$field.iter().map(|row| format!("- {} {}", <$row as Section>::NAME, row.key())));
        )*};
    }
    for_configuration!(describe_rows,);
    if !plan.calls.is_empty() {
        lines.push(format!("+ calls: {} that were made elsewhere", plan.calls.len()));
    }
    if let (Some(state), true) = (&document.state, plan.state != StatePlan::Keep) {
        for (file, here) in state.rest.digests().iter().zip(&present.state).filter(|(file, here)| file != here) {
            lines.push(format!("~ state {}: {} here, {} in the file", file.name, here.rows, file.rows));
        }
    }
    lines
}

fn changed_rows<S: Section>(here: &[S], put: &[S]) -> Vec<String> {
    let known: BTreeMap<String, &S> = here.iter().map(|row| (row.key(), row)).collect();
    let line = |row: &S| match known.get(&row.key()) {
        None => format!("+ {} {}", S::NAME, row.key()),
        Some(before) => format!("~ {} {}: {}", S::NAME, row.key(), changed_fields(&json!(before), &json!(row))),
    };
    put.iter().map(line).collect()
}

fn changed_fields(before: &Value, after: &Value) -> String {
    let fields = |row: &Value| row.as_object().cloned().unwrap_or_default();
    let (before, after) = (fields(before), fields(after));
    let mut names: Vec<_> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    let shown = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), Value::to_string);
    let changed = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    changed.map(|name| format!("{name} {} -> {}", shown(before.get(name)), shown(after.get(name)))).collect::<Vec<_>>().join(", ")
}
