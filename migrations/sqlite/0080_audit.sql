-- What people did through the operator listener: who (which token), when, to what, by which filter, how many, and why. A token may be
-- many people's, so they may say a name besides.

CREATE TABLE audit (
    audit_id INTEGER PRIMARY KEY AUTOINCREMENT,
    at       INTEGER NOT NULL,                 -- every time is Unix milliseconds
    who      TEXT    NOT NULL,                 -- `admin token`, `view token` or `this machine`
    name     TEXT,                             -- as that person says
    action   TEXT    NOT NULL,
    about    TEXT    NOT NULL,                 -- `job:5`, `run:12`, `file:` and its id, `bulk:3`
    filter   TEXT,                             -- of many: which ones were meant
    number   INTEGER NOT NULL DEFAULT 1,
    why      TEXT
);

CREATE INDEX audit_about ON audit (about, audit_id);

-- The same done to many: which ones is settled when a person confirms it, and each has its outcome. A job does it, some at a time, and goes
-- on where it was when its server dies.
CREATE TABLE bulk (
    bulk_id  INTEGER PRIMARY KEY AUTOINCREMENT,
    action   TEXT    NOT NULL,
    who      TEXT    NOT NULL,
    name     TEXT,
    why      TEXT,
    filter   TEXT    NOT NULL,
    number   INTEGER NOT NULL,
    done     INTEGER NOT NULL DEFAULT 0,       -- those that it was done to
    left_as  INTEGER NOT NULL DEFAULT 0,       -- those that it could not be done to any more
    state    TEXT    NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'stopped', 'done')),
    began_at INTEGER NOT NULL,
    ended_at INTEGER,
    CHECK ((state = 'running') = (ended_at IS NULL))
);

CREATE TABLE bulk_item (
    bulk_id INTEGER NOT NULL,
    item    TEXT    NOT NULL,
    outcome TEXT,                              -- NULL until it was its turn; empty when it was done; else why not
    PRIMARY KEY (bulk_id, item)
) WITHOUT ROWID;

CREATE INDEX bulk_item_left ON bulk_item (bulk_id, item) WHERE outcome IS NULL;

-- Runs by how they stand, those that changed last first.
CREATE INDEX run_counted ON run (counted, updated_at, run_id) WHERE counted IS NOT NULL;
