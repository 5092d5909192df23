-- Times are Unix milliseconds bound from the clock, JSON and decimals are text, see ARCHITECTURE.md ("Storage").

-- The directory: what tokens there are.
CREATE TABLE tokens (
    source        TEXT    NOT NULL,
    token_id      BIGINT  NOT NULL,
    symbol        TEXT    NOT NULL,
    symbol_key    TEXT COLLATE "C" NOT NULL, -- upper case, for look-ups; in byte order, as a range is asked for
    name          TEXT    NOT NULL,
    name_key      TEXT COLLATE "C" NOT NULL,
    market_rank   BIGINT,           -- by market cap, 1 the largest
    link          TEXT,
    in_all        BOOLEAN NOT NULL, -- whether "all" means it at present
    refreshes_out BIGINT  NOT NULL, -- refreshes running in which it was beyond the limit of "all"
    first_seen_at BIGINT  NOT NULL,
    refreshed_at  BIGINT  NOT NULL,
    PRIMARY KEY (source, token_id)
);
CREATE INDEX tokens_by_symbol ON tokens (source, symbol_key);
CREATE INDEX tokens_by_name ON tokens (source, name_key);
CREATE INDEX tokens_by_rank ON tokens (source, market_rank);

-- What is polled, how often, and how that goes.
CREATE TABLE feeds (
    source          TEXT   NOT NULL,
    feed            TEXT   NOT NULL,
    version         BIGINT NOT NULL, -- of its token states: a write names the one it was computed from
    cadence         TEXT   NOT NULL, -- JSON
    tokens          BIGINT NOT NULL, -- how many are asked for
    next_poll_at    BIGINT,
    last_poll_at    BIGINT,
    last_success_at BIGINT,          -- the last complete poll
    failures        BIGINT NOT NULL, -- running
    problem         TEXT,            -- the last failure in words
    stopped         BOOLEAN NOT NULL, -- refused by the source until a restart
    empty_since     BIGINT,          -- every asked token answers "Data not found" since then
    PRIMARY KEY (source, feed)
);

CREATE TABLE polls (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source      TEXT    NOT NULL,
    feed        TEXT    NOT NULL,
    started_at  BIGINT  NOT NULL,
    finished_at BIGINT  NOT NULL,
    outcome     TEXT    NOT NULL,
    asked       BIGINT  NOT NULL,
    taken       BIGINT  NOT NULL,
    set_aside   BIGINT  NOT NULL,
    complete    BOOLEAN NOT NULL
);
CREATE INDEX polls_by_time ON polls (started_at);

-- Every call to a source, written before it is sent.
CREATE TABLE call_ledger (
    id       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source   TEXT    NOT NULL,
    endpoint TEXT    NOT NULL,
    purpose  TEXT    NOT NULL,
    called_at BIGINT NOT NULL,
    status   BIGINT             -- of the answer; none where there was none
);
CREATE INDEX call_ledger_by_time ON call_ledger (called_at, source);

-- Look-ups that people caused, for their daily counts.
CREATE TABLE lookups (
    id       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source   TEXT   NOT NULL,
    person   TEXT   NOT NULL,
    query    TEXT   NOT NULL,
    found    BOOLEAN NOT NULL,
    asked_at BIGINT NOT NULL
);
CREATE INDEX lookups_by_time ON lookups (asked_at);

-- The call of each token as it is known now: the baseline that the next poll is compared with.
CREATE TABLE token_states (
    source       TEXT    NOT NULL,
    kind         TEXT    NOT NULL,
    token_id     BIGINT  NOT NULL,
    stance       TEXT,             -- none: asked for, no call known
    since_at     BIGINT,
    since_exact  BOOLEAN NOT NULL,
    data_time    BIGINT  NOT NULL, -- of the newest row
    settled      BOOLEAN NOT NULL, -- that row is final: another value is a correction
    corrected    BOOLEAN NOT NULL, -- that row has been corrected once
    stored_at    BIGINT  NOT NULL, -- when its present value was stored
    seen_at      BIGINT  NOT NULL, -- when a row of the token was last seen
    asked_at     BIGINT  NOT NULL, -- when it was last asked for
    trader_grade DOUBLE PRECISION,
    fingerprint  BIGINT,           -- of the numbers of the row that was last seen at data_time: such a row is not written again
    PRIMARY KEY (source, kind, token_id)
);

-- The raw values of every row, for history and scorecards.
CREATE TABLE observations (
    source      TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    token_id    BIGINT NOT NULL,
    data_time   BIGINT NOT NULL,
    stance      TEXT,
    signal      DOUBLE PRECISION,
    trend       DOUBLE PRECISION,
    position    DOUBLE PRECISION,
    row_values  TEXT   NOT NULL, -- JSON
    observed_at BIGINT NOT NULL,
    PRIMARY KEY (source, kind, token_id, data_time)
);

CREATE TABLE changes (
    id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    poll_id      BIGINT  NOT NULL REFERENCES polls (id),
    source       TEXT    NOT NULL,
    kind         TEXT    NOT NULL,
    token_id     BIGINT  NOT NULL,
    from_stance  TEXT,
    to_stance    TEXT    NOT NULL,
    since_at     BIGINT,
    since_exact  BOOLEAN NOT NULL,
    data_time    BIGINT  NOT NULL,
    detected_at  BIGINT  NOT NULL,
    nature       TEXT    NOT NULL,
    stored_at    BIGINT,           -- corrections: when the wrong value had been stored
    supersedes   BIGINT,           -- corrections: the change that was wrong
    timing       TEXT    NOT NULL,
    after_gap    BOOLEAN NOT NULL,
    trader_grade DOUBLE PRECISION
);
CREATE INDEX changes_by_token ON changes (source, kind, token_id, data_time);

-- Changes whose subscribers have not all been looked at yet.
CREATE TABLE fanout_jobs (
    change_id          BIGINT PRIMARY KEY REFERENCES changes (id),
    after_destination  BIGINT NOT NULL, -- the cursor: every destination up to this one is done
    created_at         BIGINT NOT NULL
);

CREATE TABLE destinations (
    id                BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
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
    UNIQUE (platform, chat, topic)
);
CREATE INDEX destinations_by_tenant ON destinations (platform, tenant);
CREATE INDEX destinations_in_quarantine ON destinations (next_probe_at) WHERE quarantine_reason IS NOT NULL;

CREATE TABLE subscriptions (
    id             BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    destination_id BIGINT NOT NULL REFERENCES destinations (id),
    source         TEXT   NOT NULL,
    target         TEXT   NOT NULL, -- 'all' or a token id
    kind           TEXT   NOT NULL,
    direction      TEXT   NOT NULL,
    delivery       TEXT   NOT NULL,
    mention        TEXT,
    filter         TEXT,
    threshold      TEXT,
    creator        TEXT   NOT NULL,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL,
    UNIQUE (destination_id, target, kind)
);
CREATE INDEX subscriptions_by_target ON subscriptions (target, kind, destination_id);

-- Tokens that a destination left out of its "all".
CREATE TABLE exclusions (
    destination_id BIGINT NOT NULL REFERENCES destinations (id),
    source         TEXT   NOT NULL,
    kind           TEXT   NOT NULL,
    token_id       BIGINT NOT NULL,
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (destination_id, source, kind, token_id)
);

CREATE TABLE alerts (
    id             BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
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
CREATE INDEX alerts_due ON alerts (release_at, destination_id) WHERE state = 'pending';
CREATE INDEX alerts_pending_of ON alerts (destination_id) WHERE state = 'pending';

-- The stance that each chat knows: it was told, or chose not to be told of that direction.
CREATE TABLE told (
    destination_id BIGINT NOT NULL REFERENCES destinations (id),
    source         TEXT   NOT NULL,
    kind           TEXT   NOT NULL,
    token_id       BIGINT NOT NULL,
    stance         TEXT   NOT NULL,
    data_time      BIGINT NOT NULL,
    known_at       BIGINT NOT NULL,
    told_at        BIGINT,          -- when a message said so: begins the cooldown
    PRIMARY KEY (destination_id, source, kind, token_id)
);

-- The outbox.
CREATE TABLE messages (
    id              BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
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
    problem         TEXT              -- the last failure in words
);
CREATE INDEX messages_queued ON messages (destination_id, lane, id) WHERE state = 'queued';
CREATE INDEX messages_by_lane ON messages (lane, id) WHERE state = 'queued';
CREATE INDEX messages_counted ON messages (destination_id, finished_at) WHERE counted;
CREATE INDEX messages_dead ON messages (id) WHERE state = 'dead';

CREATE TABLE message_alerts (
    message_id BIGINT NOT NULL REFERENCES messages (id),
    alert_id   BIGINT NOT NULL REFERENCES alerts (id),
    PRIMARY KEY (message_id, alert_id)
);
CREATE INDEX message_alerts_by_alert ON message_alerts (alert_id);

CREATE TABLE attempts (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id  BIGINT NOT NULL REFERENCES messages (id),
    nonce       TEXT   NOT NULL,
    started_at  BIGINT NOT NULL,
    ended_at    BIGINT,
    outcome     TEXT,  -- none while it is under way; 'unknown' where nobody can tell
    platform_id TEXT,
    detail      TEXT
);
CREATE INDEX attempts_by_message ON attempts (message_id);
CREATE INDEX attempts_by_time ON attempts (started_at);
CREATE INDEX attempts_open ON attempts (started_at) WHERE outcome IS NULL;

-- Buttons under messages: what each may do, once pressed by someone who may.
CREATE TABLE buttons (
    id             TEXT   PRIMARY KEY,
    destination_id BIGINT NOT NULL REFERENCES destinations (id),
    verb           TEXT   NOT NULL,
    arguments      TEXT   NOT NULL, -- JSON
    expires_at     BIGINT NOT NULL
);

CREATE INDEX buttons_by_time ON buttons (expires_at);

-- Who changed what in a channel.
CREATE TABLE audit (
    id             BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at             BIGINT NOT NULL,
    platform       TEXT   NOT NULL,
    actor          TEXT   NOT NULL,
    tenant         TEXT,
    destination_id BIGINT,
    action         TEXT   NOT NULL,
    before         TEXT,  -- JSON
    after          TEXT   -- JSON
);
CREATE INDEX audit_by_destination ON audit (destination_id, at);

-- Roles that one process at a time holds.
CREATE TABLE leases (
    name       TEXT   PRIMARY KEY,
    holder     TEXT   NOT NULL,
    fence      BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

-- Notices that were told, so that each is told once.
CREATE TABLE notices (
    name    TEXT   PRIMARY KEY,
    told_at BIGINT NOT NULL
);

CREATE TABLE interactions_seen (
    id      TEXT   PRIMARY KEY,
    seen_at BIGINT NOT NULL
);
CREATE INDEX interactions_seen_by_time ON interactions_seen (seen_at);

-- Telegram updates, stored before they are confirmed.
CREATE TABLE updates_seen (
    update_id   BIGINT PRIMARY KEY,
    received_at BIGINT NOT NULL,
    body        TEXT,            -- none once it was carried out
    state       TEXT   NOT NULL  -- stored, done, rejected
);
CREATE INDEX updates_seen_by_time ON updates_seen (received_at);
CREATE INDEX updates_open ON updates_seen (update_id) WHERE state = 'stored';
