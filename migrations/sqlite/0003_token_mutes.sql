-- Tokens that a destination wants to be quiet about for a while; `destinations.muted_until` is the mute of everything.
CREATE TABLE token_mutes (
    destination_id BIGINT NOT NULL REFERENCES destinations (id),
    source         TEXT   NOT NULL,
    token_id       BIGINT NOT NULL,
    muted_until    BIGINT NOT NULL,
    PRIMARY KEY (destination_id, source, token_id)
);
