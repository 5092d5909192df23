-- One row and more in every table as the first migration makes it: later migrations run over these.
INSERT INTO tokens (source, token_id, symbol, symbol_key, name, name_key, market_rank, link, in_all, refreshes_out, first_seen_at, refreshed_at)
    VALUES ('token-metrics', 3988, 'SOL', 'SOL', 'Solana', 'SOLANA', 5, 'https://app.tokenmetrics.com/en/solana', TRUE, 0, 1, 2),
           ('token-metrics', 45011, 'BTC', 'BTC', 'Osmosis allBTC', 'OSMOSIS ALLBTC', NULL, NULL, FALSE, 3, 1, 2);
INSERT INTO feeds (source, feed, version, cadence, tokens, next_poll_at, last_poll_at, last_success_at, failures, problem, stopped, empty_since)
    VALUES ('token-metrics', 'daily', 7, '{"every":{"secs":7200,"nanos":0}}', 50, 9, 8, 8, 0, NULL, FALSE, NULL);
INSERT INTO polls (source, feed, started_at, finished_at, outcome, asked, taken, set_aside, complete)
    VALUES ('token-metrics', 'daily', 7, 8, 'complete', 50, 50, 0, TRUE);
INSERT INTO call_ledger (source, endpoint, purpose, called_at, status) VALUES ('token-metrics', 'trading-signals', 'poll', 7, 200);
INSERT INTO lookups (source, person, query, found, asked_at) VALUES ('token-metrics', 'telegram:7', 'NOPE', FALSE, 5);
INSERT INTO token_states (source, kind, token_id, stance, since_at, since_exact, data_time, settled, corrected, stored_at, seen_at, asked_at, trader_grade)
    VALUES ('token-metrics', 'daily', 3988, 'bullish', 1, TRUE, 2, FALSE, FALSE, 3, 8, 8, 71.5);
INSERT INTO observations (source, kind, token_id, data_time, stance, signal, trend, position, row_values, observed_at)
    VALUES ('token-metrics', 'daily', 3988, 2, 'bullish', 1, 1, NULL, '{"trader_grade":71.5}', 3);
INSERT INTO changes (poll_id, source, kind, token_id, from_stance, to_stance, since_at, since_exact, data_time, detected_at, nature, stored_at, supersedes, timing, after_gap, trader_grade)
    VALUES (1, 'token-metrics', 'daily', 3988, 'bearish', 'bullish', 1, TRUE, 2, 3, 'turned', NULL, NULL, 'fresh', FALSE, 71.5);
INSERT INTO fanout_jobs (change_id, after_destination, created_at) VALUES (1, 1, 3);
INSERT INTO destinations (platform, chat, topic, place, tenant, label, route, locale, settings, creator, created_at, muted_until, mentioned_at, rest_until, quarantine_reason, quarantined_at, next_probe_at, probes)
    VALUES ('discord', '123', '', 'channel', '9', 'alerts', NULL, NULL, '{"max_per_hour":10,"cooldown_minutes":0}', 'discord:7', 1, NULL, NULL, 0, NULL, NULL, NULL, 0),
           ('telegram', '-1001', '42', 'group', '-1001', 'Traders', NULL, 'en', '{}', 'telegram:7', 1, 99, 5, 6, 'closed', 4, 5, 2);
INSERT INTO subscriptions (destination_id, source, target, kind, direction, delivery, mention, filter, threshold, creator, created_at, updated_at)
    VALUES (1, 'token-metrics', 'all', 'daily', 'any', 'instant', '77', NULL, NULL, 'discord:7', 1, 1),
           (2, 'token-metrics', '3988', 'hourly', 'bullish', 'instant', NULL, NULL, NULL, 'telegram:7', 1, 2);
INSERT INTO exclusions (destination_id, source, kind, token_id, created_at) VALUES (1, 'token-metrics', 'daily', 45011, 1);
INSERT INTO alerts (change_id, destination_id, decision, reason, lane, release_at, state, created_at, told_at)
    VALUES (1, 1, 'send', 'instant', 1, 3, 'told', 3, 4), (1, 2, 'hold', 'cooldown', 2, 9, 'pending', 3, NULL);
INSERT INTO told (destination_id, source, kind, token_id, stance, data_time, known_at, told_at)
    VALUES (1, 'token-metrics', 'daily', 3988, 'bullish', 2, 4, 4);
INSERT INTO messages (destination_id, lane, body, mention, counted, state, next_attempt_at, attempts, unknown_ends, lease_holder, lease_fence, lease_until, created_at, finished_at, platform_id, problem)
    VALUES (1, 1, '{"type":"summary","cause":"at_once","total":0,"calls":[],"compact":false}', '["77"]', TRUE, 'sent', 3, 1, 0, NULL, 1, NULL, 3, 4, '1441', NULL);
INSERT INTO message_alerts (message_id, alert_id) VALUES (1, 1);
INSERT INTO attempts (message_id, nonce, started_at, ended_at, outcome, platform_id, detail) VALUES (1, 'ABCDEFGHIJKLMNOPQRSTUVWX', 3, 4, 'sent', '1441', NULL);
INSERT INTO buttons (id, destination_id, verb, arguments, expires_at) VALUES ('AAAA', 1, 'mute', '{}', 99);
INSERT INTO audit (at, platform, actor, tenant, destination_id, action, before, after) VALUES (1, 'discord', '7', '9', 1, 'subscribe', NULL, '{}');
INSERT INTO leases (name, holder, fence, expires_at) VALUES ('poller', 'a', 1, 9);
INSERT INTO notices (name, told_at) VALUES ('feed-down:daily', 5);
INSERT INTO interactions_seen (id, seen_at) VALUES ('discord:1', 5);
INSERT INTO updates_seen (update_id, received_at, body, state) VALUES (1001, 5, NULL, 'done'), (1002, 6, '{}', 'stored');
