-- SQLite gives the number of a deleted newest row again. A message's number makes its nonce, so that a new message would count as the
-- old one; the other numbers are held in memory while something is under way. From here on none comes again. Rows that refer to these
-- tables find them again before the migration ends.
PRAGMA defer_foreign_keys = ON;

CREATE TABLE destinations_before AS SELECT * FROM destinations;
DROP TABLE destinations;
CREATE TABLE destinations (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    platform          TEXT    NOT NULL,
    chat              TEXT    NOT NULL,
    topic             TEXT    NOT NULL, -- '' without one
    place             TEXT    NOT NULL,
    tenant            TEXT,             -- the server or group
    label             TEXT,             -- what people call it
    route             TEXT,             -- the concrete channel once known (an opened DM)
    locale            TEXT,
    timezone          TEXT,
    settings          TEXT    NOT NULL, -- JSON
    creator           TEXT,
    created_at        BIGINT  NOT NULL,
    muted_until       BIGINT,
    mentioned_at      BIGINT,
    rest_until        BIGINT  NOT NULL, -- the platform's pace for this chat: nothing is sent before
    quarantine_reason TEXT,
    quarantined_at    BIGINT,
    next_probe_at     BIGINT,
    probes            BIGINT  NOT NULL,
    forgotten_at      BIGINT,           -- an empty row that carries the answer to somebody who was forgotten
    UNIQUE (platform, chat, topic)
);
INSERT INTO destinations (id, platform, chat, topic, place, tenant, label, route, locale, timezone, settings, creator, created_at, muted_until, mentioned_at, rest_until, quarantine_reason, quarantined_at, next_probe_at, probes, forgotten_at) SELECT id, platform, chat, topic, place, tenant, label, route, locale, timezone, settings, creator, created_at, muted_until, mentioned_at, rest_until, quarantine_reason, quarantined_at, next_probe_at, probes, forgotten_at FROM destinations_before;
DROP TABLE destinations_before;
CREATE INDEX destinations_by_tenant ON destinations (platform, tenant);
CREATE INDEX destinations_in_quarantine ON destinations (next_probe_at) WHERE quarantine_reason IS NOT NULL;
CREATE INDEX destinations_forgotten ON destinations (forgotten_at) WHERE forgotten_at IS NOT NULL;

CREATE TABLE alerts_before AS SELECT * FROM alerts;
DROP TABLE alerts;
CREATE TABLE alerts (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    change_id      BIGINT NOT NULL REFERENCES changes (id),
    destination_id BIGINT NOT NULL REFERENCES destinations (id),
    decision       TEXT   NOT NULL,
    reason         TEXT   NOT NULL,
    lane           BIGINT NOT NULL,
    release_at     BIGINT NOT NULL,
    state          TEXT   NOT NULL,
    created_at     BIGINT NOT NULL,
    told_at        BIGINT,
    UNIQUE (change_id, destination_id)
);
INSERT INTO alerts (id, change_id, destination_id, decision, reason, lane, release_at, state, created_at, told_at) SELECT id, change_id, destination_id, decision, reason, lane, release_at, state, created_at, told_at FROM alerts_before;
DROP TABLE alerts_before;
CREATE INDEX alerts_due ON alerts (release_at, destination_id) WHERE state = 'pending';
CREATE INDEX alerts_pending_of ON alerts (destination_id) WHERE state = 'pending';

CREATE TABLE messages_before AS SELECT * FROM messages;
DROP TABLE messages;
CREATE TABLE messages (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    destination_id  BIGINT  NOT NULL REFERENCES destinations (id),
    lane            BIGINT  NOT NULL,
    body            TEXT    NOT NULL, -- JSON
    mention         TEXT    NOT NULL, -- JSON
    counted         BOOLEAN NOT NULL, -- against the hourly limit
    state           TEXT    NOT NULL, -- queued, sent, dead, dropped
    next_attempt_at BIGINT  NOT NULL,
    attempts        BIGINT  NOT NULL,
    unknown_ends    BIGINT  NOT NULL, -- attempts of which nobody knows whether they arrived
    lease_holder    TEXT,
    lease_fence     BIGINT  NOT NULL, -- settles only by the claim that holds it
    lease_until     BIGINT,
    created_at      BIGINT  NOT NULL,
    finished_at     BIGINT,
    platform_id     TEXT,             -- what the platform calls it
    problem         TEXT,             -- the last failure in words
    platform        TEXT    NOT NULL DEFAULT '' -- that of its destination
);
INSERT INTO messages (id, destination_id, lane, body, mention, counted, state, next_attempt_at, attempts, unknown_ends, lease_holder, lease_fence, lease_until, created_at, finished_at, platform_id, problem, platform) SELECT id, destination_id, lane, body, mention, counted, state, next_attempt_at, attempts, unknown_ends, lease_holder, lease_fence, lease_until, created_at, finished_at, platform_id, problem, platform FROM messages_before;
DROP TABLE messages_before;
CREATE INDEX messages_queued ON messages (destination_id, lane, id) WHERE state = 'queued';
CREATE INDEX messages_counted ON messages (destination_id, finished_at) WHERE counted;
CREATE INDEX messages_dead ON messages (id) WHERE state = 'dead';
CREATE INDEX messages_by_platform ON messages (platform, lane, id) WHERE state = 'queued';

CREATE TABLE attempts_before AS SELECT * FROM attempts;
DROP TABLE attempts;
CREATE TABLE attempts (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id  BIGINT NOT NULL REFERENCES messages (id),
    nonce       TEXT   NOT NULL,
    started_at  BIGINT NOT NULL,
    ended_at    BIGINT,
    outcome     TEXT,  -- none while it is under way; 'unknown' where nobody can tell
    platform_id TEXT,
    detail      TEXT
);
INSERT INTO attempts (id, message_id, nonce, started_at, ended_at, outcome, platform_id, detail) SELECT id, message_id, nonce, started_at, ended_at, outcome, platform_id, detail FROM attempts_before;
DROP TABLE attempts_before;
CREATE INDEX attempts_by_message ON attempts (message_id);
CREATE INDEX attempts_by_time ON attempts (started_at);
CREATE INDEX attempts_open ON attempts (started_at) WHERE outcome IS NULL;

-- What is one person's is found without reading everything.
CREATE INDEX messages_by_destination ON messages (destination_id);
CREATE INDEX alerts_by_destination ON alerts (destination_id);
CREATE INDEX buttons_by_destination ON buttons (destination_id);
