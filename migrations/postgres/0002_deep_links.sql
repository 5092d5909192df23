-- What was typed where it cannot be carried out, kept for its author, who takes it up by a link.
CREATE TABLE deep_links (
    code       TEXT   PRIMARY KEY, -- a digest of what the link carries
    person     TEXT   NOT NULL,    -- whose it is, as platform:user
    command    TEXT   NOT NULL,
    words      TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_by    TEXT                -- the request that carried it out
);
CREATE INDEX deep_links_by_time ON deep_links (expires_at);
