UPDATE messages SET start_tag = 250000 WHERE id = (SELECT MIN(id) FROM messages);
INSERT INTO virtual_times (platform, lane, start_tag) VALUES ('discord', 1, 125000);
