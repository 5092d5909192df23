-- A mute of one token beside that of everything.
INSERT INTO token_mutes (destination_id, source, token_id, muted_until) VALUES (2, 'token-metrics', 3988, 99);
