-- What the source lists, and how its answers look.

ALTER TABLE tokens ADD COLUMN listed_at BIGINT;    -- when the full list last named it
ALTER TABLE tokens ADD COLUMN lists_missed BIGINT; -- full lists running that did not name it any more
ALTER TABLE tokens ADD COLUMN delisted_at BIGINT;  -- not listed any more, since then
ALTER TABLE tokens ADD COLUMN former_key TEXT;     -- the symbol that it had before, upper case
CREATE INDEX tokens_by_former_symbol ON tokens (source, former_key) WHERE former_key IS NOT NULL;

-- What is still to be told of a token to those who subscribed to it by name.
CREATE TABLE token_news (
    destination_id BIGINT NOT NULL REFERENCES destinations (id),
    source         TEXT   NOT NULL,
    token_id       BIGINT NOT NULL,
    news           TEXT   NOT NULL, -- JSON
    release_at     BIGINT NOT NULL,
    PRIMARY KEY (destination_id, source, token_id)
);
CREATE INDEX token_news_due ON token_news (release_at, destination_id, token_id);

-- Fields of the source's answers that were there once.
CREATE TABLE source_fields (
    source   TEXT   NOT NULL,
    endpoint TEXT   NOT NULL,
    field    TEXT   NOT NULL,
    seen_at  BIGINT NOT NULL, -- when it was first there
    PRIMARY KEY (source, endpoint, field)
);
