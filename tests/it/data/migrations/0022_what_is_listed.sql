UPDATE tokens SET listed_at = 1795000000000, lists_missed = 2, delisted_at = 1795600000000, former_key = 'OLD' WHERE token_id = 3988;
INSERT INTO token_news (destination_id, source, token_id, news, release_at) VALUES (2, 'token-metrics', 3988, '{"renamed":{"from":"OLD"}}', 99);
INSERT INTO source_fields (source, endpoint, field, seen_at) VALUES ('token-metrics', 'trading-signals', 'TOKEN_TREND', 1795000000000);
