-- Pictures that a platform keeps, by the digest of what they show: sent once, then named.
CREATE TABLE uploads (
    platform    TEXT   NOT NULL,
    picture     TEXT   NOT NULL,
    name        TEXT   NOT NULL, -- what the platform calls it
    uploaded_at BIGINT NOT NULL,
    PRIMARY KEY (platform, picture)
);
CREATE INDEX uploads_by_time ON uploads (uploaded_at);
