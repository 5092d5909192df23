-- Whom a turn concerns is read from the index alone: of a million wishes nearly each one would be a page of its own.
DROP INDEX subscriptions_by_target;
CREATE INDEX subscriptions_by_target ON subscriptions
    (target, kind, destination_id, source, direction, delivery, mention, created_at, threshold, threshold_at);

-- What a chat was told of a token is found in one step, where its key led to a row elsewhere.
ALTER TABLE told RENAME TO told_before;
CREATE TABLE told (
    destination_id BIGINT  NOT NULL REFERENCES destinations (id),
    source         TEXT    NOT NULL,
    kind           TEXT    NOT NULL,
    token_id       BIGINT  NOT NULL,
    stance         TEXT    NOT NULL,
    data_time      BIGINT  NOT NULL,
    known_at       BIGINT  NOT NULL,
    told_at        BIGINT, -- when a message said so: begins the cooldown
    unstable       BOOLEAN NOT NULL DEFAULT FALSE,
    PRIMARY KEY (destination_id, source, kind, token_id)
) WITHOUT ROWID;
INSERT INTO told (destination_id, source, kind, token_id, stance, data_time, known_at, told_at, unstable)
    SELECT destination_id, source, kind, token_id, stance, data_time, known_at, told_at, unstable
    FROM told_before ORDER BY destination_id, source, kind, token_id;
DROP TABLE told_before;
