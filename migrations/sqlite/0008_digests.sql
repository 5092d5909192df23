-- The zone stands with the other settings, as what goes by it does; nothing was ever stored here.
ALTER TABLE destinations DROP COLUMN timezone;
-- When a destination had its last digest.
CREATE INDEX messages_digests ON messages (destination_id, created_at) WHERE lane = 3 AND state <> 'dropped';
