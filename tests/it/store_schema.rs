//! Both schemas are one schema, and every statement is understood by both databases.

use crate::support::database::{TestDb, on_both};

on_both!(every_statement_is_understood, |db| async move {
    assert_eq!(db.store.refused_statements().await.unwrap(), Vec::<String>::new());
});

/// Whoever adds a line here has seen that the table stays small, or that nobody waits for the statement.
#[tokio::test]
async fn sqlite_walks_no_other_tables_than_these() {
    let walks = TestDb::sqlite().await.store.walks().await.unwrap();
    let mut walks: Vec<_> = walks.iter().map(|walk| walk.chars().take(120).collect::<String>().trim_end().to_owned()).collect();
    walks.sort();
    insta::assert_snapshot!(walks.join("\n"), @r"
    SCAN _sqlx_migrations: SELECT version FROM _sqlx_migrations WHERE success
    SCAN a USING INDEX attempts_open: SELECT a.id, a.message_id FROM attempts a CROSS JOIN messages m WHERE m.id = a.message
    SCAN a: SELECT a.id, a.state, d.platform, d.chat, d.topic, d.quarantine_reason, d.quarantine_reason, a.created_at FROM a
    SCAN a: SELECT json_object('action', a.action, 'at', a.at, 'server_or_group', a.tenant, 'place', d.label, 'chat', d.chat
    SCAN alerts USING COVERING INDEX alerts_pending_of: SELECT (SELECT COUNT(*) FROM messages WHERE state = 'queued') AS que
    SCAN alerts USING COVERING INDEX alerts_pending_of: SELECT COUNT(*) FROM alerts WHERE state = 'pending'
    SCAN alerts USING COVERING INDEX alerts_unconfirmed: UPDATE alerts SET release_at = $3 WHERE state = 'pending' AND reaso
    SCAN alerts: SELECT decision, reason, state, COUNT(*) FROM alerts GROUP BY decision, reason, state ORDER BY decision, re
    SCAN audit: UPDATE audit SET actor = '' WHERE platform = $1 AND actor = $2
    SCAN call_ledger: SELECT called_at FROM call_ledger WHERE source || '' = $1 ORDER BY id DESC LIMIT 1 OFFSET $2
    SCAN changes: SELECT COUNT(*) FROM changes WHERE timing <> 'history'
    SCAN d USING INDEX destinations_in_quarantine: SELECT d.id, d.platform, d.chat, d.topic, d.label, d.quarantine_reason, d
    SCAN d: INSERT INTO alerts (change_id, destination_id, decision, reason, lane, release_at, state, created_at) WITH decid
    SCAN d: SELECT json_object('place', d.label, 'chat', d.chat, 'topic', d.topic, 'created_at', d.created_at) FROM destinat
    SCAN deep_links: DELETE FROM deep_links WHERE person = CAST($1 AS TEXT) || ':' || CAST($2 AS TEXT)
    SCAN destinations USING INDEX destinations_in_quarantine: SELECT (SELECT COUNT(*) FROM messages WHERE state = 'queued')
    SCAN destinations USING INDEX destinations_in_quarantine: SELECT COUNT(*) FROM destinations WHERE quarantine_reason IS N
    SCAN destinations USING INDEX destinations_in_quarantine: UPDATE alerts SET state = 'dead' WHERE id = $1 AND state = 'pe
    SCAN destinations USING INDEX destinations_in_quarantine: UPDATE messages SET next_attempt_at = $2 WHERE id = $1 AND sta
    SCAN destinations USING INDEX destinations_in_quarantine: UPDATE messages SET state = 'dropped', finished_at = $2, count
    SCAN destinations: UPDATE destinations SET creator = NULL WHERE creator = CAST($1 AS TEXT) || ':' || CAST($2 AS TEXT)
    SCAN f USING COVERING INDEX sqlite_autoindex_fanout_jobs_1: SELECT p.started_at, EXISTS (SELECT 1 FROM fanout_jobs f CRO
    SCAN fanout_jobs USING INDEX sqlite_autoindex_fanout_jobs_1: SELECT j.after_destination, c.id, c.source, c.kind, c.token
    SCAN fanout_jobs: UPDATE fanout_jobs SET after_destination = CASE WHEN after_destination > 0 THEN 0 ELSE after_destinati
    SCAN l: SELECT json_object('command', l.command, 'words', l.words, 'created_at', l.created_at, 'valid_until', l.expires_
    SCAN l: SELECT json_object('query', l.query, 'found', CASE WHEN l.found THEN 'yes' ELSE 'no' END, 'asked_at', l.asked_at
    SCAN leases USING INDEX sqlite_autoindex_leases_1: SELECT name, holder FROM leases WHERE expires_at > $1 AND (name LIKE
    SCAN leases: DELETE FROM leases WHERE name = $1 OR ((name LIKE 'replica:%' OR name LIKE 'gateway:discord:member:%') AND
    SCAN leases: SELECT COUNT(*) FROM leases WHERE expires_at > $1 AND name NOT LIKE 'rest:%'
    SCAN leases: UPDATE leases SET fence = fence + 1, expires_at = 0
    SCAN lookups: SELECT found, asked_at FROM lookups WHERE source = $1 AND query = $2 ORDER BY asked_at DESC, id DESC LIMIT
    SCAN lookups: UPDATE lookups SET person = '' WHERE person = CAST($1 AS TEXT) || ':' || CAST($2 AS TEXT)
    SCAN m USING INDEX messages_dead: SELECT COUNT(*) FROM messages m WHERE m.state = 'dead' AND m.finished_at > $1 AND m.fi
    SCAN m USING INDEX messages_dead: SELECT m.id, m.state, d.platform, d.chat, d.topic, m.problem, d.quarantine_reason, m.c
    SCAN m: SELECT m.id, m.state, d.platform, d.chat, d.topic, m.problem, d.quarantine_reason, m.created_at FROM messages m
    SCAN messages USING COVERING INDEX messages_by_turn: SELECT platform, lane, COUNT(*) FROM messages WHERE state = 'queued
    SCAN messages USING COVERING INDEX messages_dead: SELECT (SELECT COUNT(*) FROM messages WHERE state = 'queued') AS queue
    SCAN messages USING COVERING INDEX messages_dead: SELECT COUNT(*) FROM messages WHERE state = 'dead'
    SCAN messages USING COVERING INDEX messages_queued: SELECT (SELECT COUNT(*) FROM messages WHERE state = 'queued') AS que
    SCAN messages USING INDEX messages_leased: UPDATE messages SET lease_until = 0 WHERE state = 'queued' AND lease_until IS
    SCAN messages: SELECT COUNT(*) FROM messages WHERE state = 'sent'
    SCAN messages: UPDATE messages SET body = REPLACE(body, $1, $2) WHERE body LIKE '%' || CAST($1 AS TEXT) || '%'
    SCAN n: DELETE FROM notices WHERE name IN (SELECT n.name FROM json_each($1) AS r CROSS JOIN messages m CROSS JOIN notice
    SCAN n: SELECT d.id, d.platform, d.chat, d.topic, d.label, '' AS quarantine_reason, (EXISTS (SELECT 1 FROM alerts a WHER
    SCAN n: UPDATE messages SET state = 'dropped', finished_at = $2, counted = FALSE WHERE state = 'queued' AND unknown_ends
    SCAN s: SELECT json_object('place', d.label, 'chat', d.chat, 'tokens', CASE s.target WHEN 'all' THEN 'all' ELSE '#' || s
    SCAN sqlite_master: SELECT COUNT(*) FROM sqlite_master WHERE name = '_sqlx_migrations'
    SCAN subscriptions USING COVERING INDEX subscriptions_weekly: SELECT json_group_array(json_array(s.kind)) FROM (SELECT D
    SCAN subscriptions: UPDATE subscriptions SET creator = '' WHERE creator = CAST($1 AS TEXT) || ':' || CAST($2 AS TEXT)
    SCAN token_mutes: DELETE FROM token_mutes WHERE muted_until < $1
    SCAN updates_seen USING INDEX updates_open: SELECT update_id, body FROM updates_seen WHERE state = 'stored' ORDER BY upd
    SCAN updates_seen: SELECT COUNT(*) FROM updates_seen WHERE state = 'rejected'
    SCAN updates_seen: UPDATE updates_seen SET body = NULL WHERE state = 'rejected' AND body LIKE '%' || CAST($1 AS TEXT) ||
    SCAN virtual_times: SELECT platform, lane, start_tag FROM virtual_times
    SEARCH feeds USING INDEX sqlite_autoindex_feeds_1 (source=?): SELECT feed, cadence, tokens, next_poll_at, last_poll_at,
    SEARCH tokens USING COVERING INDEX sqlite_autoindex_tokens_1 (source=?): SELECT COUNT(*) FROM (SELECT token_id FROM toke
    SEARCH tokens USING COVERING INDEX tokens_by_rank (source=?): SELECT COUNT(*) FROM tokens WHERE source = $1
    SEARCH tokens USING INDEX tokens_by_rank (source=?): SELECT json_group_array(json_array(token_id, symbol, former_key, li
    SEARCH tokens USING INDEX tokens_by_rank (source=?): SELECT token_id, symbol, name, market_rank, link FROM tokens WHERE
    SEARCH tokens USING INDEX tokens_by_rank (source=?): UPDATE tokens SET in_all = CASE WHEN COALESCE(market_rank, $2 + 1)
    SEARCH tokens USING INDEX tokens_by_rank (source=?): WITH listed AS MATERIALIZED (SELECT CAST(r.value ->> 0 AS BIGINT) A
    SEARCH tokens USING INDEX tokens_by_rank (source=?): WITH listed AS MATERIALIZED (SELECT CAST(r.value ->> 0 AS BIGINT) A
    SEARCH tokens USING INDEX tokens_in_all (source=?): SELECT json_group_array(json_array(token_id)) FROM tokens WHERE sour
    SEARCH tokens USING INDEX tokens_in_all (source=?): SELECT json_group_array(json_array(w.token_id, s.data_time)) FROM (W
    ");
}

#[tokio::test]
async fn both_databases_have_the_same_tables_and_columns() {
    let sqlite = TestDb::sqlite().await.store.schema().await.unwrap();
    assert!(sqlite.iter().any(|(table, _)| table == "alerts"));
    if let Some(postgres) = TestDb::postgres().await {
        assert_eq!(sqlite, postgres.store.schema().await.unwrap());
    }
}

#[test]
fn both_folders_have_the_same_migrations() {
    let names = |folder: &str| {
        let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names("migrations/sqlite"), names("migrations/postgres"));
}
