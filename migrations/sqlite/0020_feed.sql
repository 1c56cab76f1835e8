-- The other ways a change is learnt: where we are in Fastio's change feed and in its events, which workspaces have to be
-- listed as a whole, what sweeps found, and uploads that were given up and may still land.

-- Which way works now, for a person: one row.
CREATE TABLE feed (
    feed       INTEGER PRIMARY KEY CHECK (feed = 1),
    way        TEXT    NOT NULL CHECK (way IN ('changes', 'search', 'sweeps')),
    reason     TEXT,                    -- why it is not the change feed, in words
    since      INTEGER NOT NULL,        -- every time is Unix milliseconds
    heard_at   INTEGER,                 -- when Fastio last answered
    retry_at   INTEGER,                 -- when a better way that was refused is tried again
    CHECK ((way = 'changes') = (reason IS NULL))
);

-- Where we are in the change feed of an organisation.
CREATE TABLE feed_cursor (
    org        TEXT    PRIMARY KEY,
    cursor     TEXT    NOT NULL,
    more       INTEGER NOT NULL,        -- the last page was not the end
    version    TEXT,                    -- of the set of workspaces and shares that the key may read
    profiles   TEXT    NOT NULL         -- that set, JSON
);

-- Where we were when the end was reached. Each poll begins a little back, because Fastio may commit late what belongs
-- before a cursor it gave out; what is read twice falls by its event id.
CREATE TABLE feed_trail (
    org        TEXT    NOT NULL,
    reached_at INTEGER NOT NULL,
    cursor     TEXT    NOT NULL,
    PRIMARY KEY (org, reached_at)
);

-- Up to when events were searched, where the change feed is refused.
CREATE TABLE feed_search (
    profile    TEXT    PRIMARY KEY,
    until      INTEGER NOT NULL
);

-- Workspaces and shares of which something was missed: to be listed and compared as a whole.
CREATE TABLE relist (
    profile    TEXT    PRIMARY KEY,
    reason     TEXT    NOT NULL,
    asked_at   INTEGER NOT NULL
);

-- How far a backfill came, so that it goes on after it was stopped.
CREATE TABLE backfill (
    profile    TEXT    PRIMARY KEY,
    cursor     TEXT,
    listed     INTEGER NOT NULL,
    queued     INTEGER NOT NULL,
    ended_at   INTEGER,
    total      INTEGER                  -- files at the end of the last one, for the next one's progress
);

-- What sweeps did, the newest kept.
CREATE TABLE sweep (
    sweep      TEXT    PRIMARY KEY,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER NOT NULL,
    dry_run    INTEGER NOT NULL,
    outcome    TEXT    NOT NULL CHECK (outcome IN ('done', 'incomplete', 'stopped')),
    report     TEXT    NOT NULL         -- JSON
);

-- Uploads that OpenAI did not answer and did not show when we looked. One may land all the same; a sweep then knows by
-- this row that the File object is ours.
CREATE TABLE lost_upload (
    id           INTEGER PRIMARY KEY,
    source_id    TEXT    NOT NULL,
    vector_store TEXT    NOT NULL,
    version      TEXT,
    hash         TEXT,
    size         INTEGER NOT NULL,
    modified_at  INTEGER,
    content_hash TEXT    NOT NULL,
    filename     TEXT    NOT NULL,
    bytes        INTEGER NOT NULL,
    begun_at     INTEGER NOT NULL,
    lost_at      INTEGER NOT NULL
);
