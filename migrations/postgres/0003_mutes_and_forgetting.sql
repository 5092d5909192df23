-- Tokens that a destination wants to be quiet about for a while; `destinations.muted_until` is the mute of everything.
CREATE TABLE token_mutes (
    destination_id BIGINT NOT NULL REFERENCES destinations (id),
    source         TEXT   NOT NULL,
    token_id       BIGINT NOT NULL,
    muted_until    BIGINT NOT NULL,
    PRIMARY KEY (destination_id, source, token_id)
);

-- Set once its person asked to be forgotten: the row, which has nothing left in it, goes when nothing is under way to them any more.
ALTER TABLE destinations ADD COLUMN forgotten_at BIGINT;
CREATE INDEX destinations_forgotten ON destinations (forgotten_at) WHERE forgotten_at IS NOT NULL;
