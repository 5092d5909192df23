INSERT INTO deep_links (code, person, command, words, created_at, expires_at, used_by) VALUES ('ab', 'telegram:7', 'subscribe', 'SOL', 1, 9, NULL);
