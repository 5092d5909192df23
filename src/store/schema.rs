//! What tests ask of the schema and of the statements: the one place that lists them all.

use super::{
    Store, StoreResult, activity, audit, buttons, candidates, categories, changed, changes, composing, compositions, dead_letters,
    deep_links, delivering, destinations,
    dialect::{on_db, per_db},
    directory, fair_queue, fanout, feeds, history, housekeeping, inbox, interactions, leases, lookups, migrating, moves, mutes, outbox,
    personal, pruning, reading, recalling, scorecard, settling, signals, status, subscription_lists, subscriptions, thresholds, token_news,
    token_search, trace, transfer, uploads, waiting, wanted,
};
use sqlx::AssertSqlSafe;

/// Statements that run on both databases as they are.
const STATEMENTS: &[&[&str]] = &[
    activity::STATEMENTS,
    audit::STATEMENTS,
    buttons::STATEMENTS,
    categories::STATEMENTS,
    changed::STATEMENTS,
    composing::STATEMENTS,
    dead_letters::STATEMENTS,
    deep_links::STATEMENTS,
    delivering::STATEMENTS,
    destinations::STATEMENTS,
    directory::STATEMENTS,
    fair_queue::STATEMENTS,
    fanout::STATEMENTS,
    feeds::STATEMENTS,
    history::STATEMENTS,
    housekeeping::STATEMENTS,
    inbox::STATEMENTS,
    interactions::STATEMENTS,
    leases::STATEMENTS,
    lookups::STATEMENTS,
    migrating::STATEMENTS,
    moves::STATEMENTS,
    mutes::STATEMENTS,
    outbox::STATEMENTS,
    personal::STATEMENTS,
    personal::WIPE,
    pruning::STATEMENTS,
    reading::STATEMENTS,
    recalling::STATEMENTS,
    settling::STATEMENTS,
    signals::STATEMENTS,
    status::STATEMENTS,
    subscription_lists::STATEMENTS,
    subscriptions::STATEMENTS,
    thresholds::STATEMENTS,
    token_news::STATEMENTS,
    token_search::STATEMENTS,
    trace::STATEMENTS,
    uploads::STATEMENTS,
    wanted::STATEMENTS,
];
/// Pairs of statements that differ: SQLite's words, PostgreSQL's words.
const PAIRS: &[&[(&str, &str)]] = &[
    buttons::PAIRS,
    candidates::PAIRS,
    categories::PAIRS,
    changes::PAIRS,
    composing::PAIRS,
    compositions::PAIRS,
    delivering::PAIRS,
    destinations::PAIRS,
    directory::PAIRS,
    fair_queue::PAIRS,
    fanout::PAIRS,
    feeds::PAIRS,
    leases::PAIRS,
    migrating::PAIRS,
    moves::PAIRS,
    mutes::PAIRS,
    outbox::PAIRS,
    personal::PAIRS,
    reading::PAIRS,
    recalling::PAIRS,
    scorecard::PAIRS,
    settling::PAIRS,
    signals::PAIRS,
    thresholds::PAIRS,
    token_news::PAIRS,
    token_search::PAIRS,
    trace::PAIRS,
    waiting::PAIRS,
    wanted::PAIRS,
];

const COLUMNS_SQLITE: &str = "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c
    WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE '\\_sqlx%' ESCAPE '\\'";
const COLUMNS_POSTGRES: &str = "SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT) FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name NOT LIKE '\\_sqlx%'";

/// A step of a plan of SQLite's: its number, that of the step that it is part of, a number without meaning, and its words.
type Step = (i64, i64, i64, String);

impl Store {
    /// Every (table, column) of the schema, sorted: equal on both databases.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn schema(&self) -> StoreResult<Vec<(String, String)>> {
        let sql = per_db!(self.db, sqlite: COLUMNS_SQLITE, postgres: COLUMNS_POSTGRES);
        let mut columns: Vec<(String, String)> = on_db!(self.db, pool => sqlx::query_as(sql).fetch_all(pool).await)?;
        columns.sort();
        Ok(columns)
    }

    /// Prepares every statement of this binary and says which ones the database refuses.
    ///
    /// # Errors
    /// Where the database fails in another way.
    pub async fn refused_statements(&self) -> StoreResult<Vec<String>> {
        let mut refused = Vec::new();
        for statement in self.statements() {
            if let Err(error) = self.prepare(statement).await {
                refused.push(format!("{error}: {statement}"));
            }
        }
        Ok(refused)
    }

    /// Where SQLite goes through a table or an index from end to end, or through a list that was bound once for each row of a table, with the
    /// statement for which it does: what makes a large installation stand still. Moves are left out, which read everything. PostgreSQL chooses by what it counted: an empty database says nothing about it.
    ///
    /// # Errors
    /// Where the database fails, or is PostgreSQL.
    pub async fn walks(&self) -> StoreResult<Vec<String>> {
        let mut walks = Vec::new();
        for statement in self.serving() {
            let explain = format!("EXPLAIN QUERY PLAN {statement}");
            let steps: Vec<Step> = on_db!(self.db, pool => sqlx::query_as(AssertSqlSafe(explain.as_str())).fetch_all(pool).await)?;
            let words = statement.split_whitespace().collect::<Vec<_>>().join(" ");
            let is_told = |(index, step): &(usize, &Step)| is_walk(step, &steps) || is_list_for_each_row(step, &steps[..*index]);
            walks.extend(steps.iter().enumerate().filter(is_told).map(|(_, (.., step))| format!("{step}: {words}")));
        }
        Ok(walks)
    }

    /// What runs while an instance serves.
    fn serving(&self) -> impl Iterator<Item = &'static str> {
        let own = PAIRS.iter().flat_map(|pairs| pairs.iter()).map(|pair| per_db!(self.db, sqlite: pair.0, postgres: pair.1));
        STATEMENTS.iter().flat_map(|list| list.iter().copied()).chain(own)
    }

    fn statements(&self) -> impl Iterator<Item = &'static str> {
        let moving = transfer::PAIRS.iter().flat_map(|pairs| pairs.iter()).map(|pair| per_db!(self.db, sqlite: pair.0, postgres: pair.1));
        self.serving().chain(transfer::STATEMENTS.iter().flat_map(|list| list.iter().copied())).chain(moving)
    }

    async fn prepare(&self, statement: &'static str) -> Result<(), sqlx::Error> {
        use sqlx::{Executor as _, SqlSafeStr as _};
        on_db!(self.db, pool => {
            let mut connection = pool.acquire().await?;
            (&mut *connection).prepare(AssertSqlSafe(statement).into_sql_str()).await.map(drop)
        })
    }
}

/// Nearly every row has the same.
const SAME_EVERYWHERE: &str = "(source=?)";

/// Whether a step of a plan goes through all of a table: not of a list that was bound, nor of what a part of the statement itself gave.
fn is_walk((.., step): &Step, plan: &[Step]) -> bool {
    if step.starts_with("SEARCH ") && step.ends_with(SAME_EVERYWHERE) {
        return true;
    }
    let Some(name) = step.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next()) else { return false };
    let is_own = |(.., other): &Step| other.strip_prefix("MATERIALIZE ").or(other.strip_prefix("CO-ROUTINE ")) == Some(name);
    !plan.iter().any(is_own) && !step.contains("VIRTUAL TABLE") && !step.contains("CONSTANT ROW")
}

/// Whether a step goes through a list within a loop over the rows of a table, which stands before it beside it.
fn is_list_for_each_row((_, parent, _, step): &Step, before: &[Step]) -> bool {
    step.contains("VIRTUAL TABLE") && before.iter().any(|(_, beside, _, step)| beside == parent && step.starts_with("SEARCH "))
}
