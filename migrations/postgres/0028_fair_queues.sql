-- The messages of a lane go by their start tag, so that no community starves another (ARCHITECTURE.md, rules O).
ALTER TABLE messages ADD COLUMN start_tag BIGINT NOT NULL DEFAULT 0;
DROP INDEX messages_by_platform;
CREATE INDEX messages_by_turn ON messages (platform, lane, start_tag, id) WHERE state = 'queued';
-- What is under way to a destination is found without going through what waits for it.
CREATE INDEX messages_leased ON messages (destination_id, lease_until) WHERE state = 'queued' AND lease_until IS NOT NULL;
-- How far each lane has got: the tag that was claimed last.
CREATE TABLE virtual_times (
    platform  TEXT   NOT NULL,
    lane      BIGINT NOT NULL,
    start_tag BIGINT NOT NULL,
    PRIMARY KEY (platform, lane)
);
