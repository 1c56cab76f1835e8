-- What Fastio is asked to fetch from a public address, written down before it is asked. An import is known by what is fetched and where
-- it goes, so the same asked again is the same import. An older worker could not read an import's job, so this names none to go on beside it.
--
-- An address may hold a secret in its query. It stands here whole only until the import has ended; `shown` has it without.

CREATE TABLE import (
    import_id  INTEGER PRIMARY KEY AUTOINCREMENT,
    key        TEXT    NOT NULL UNIQUE,            -- SHA-256 of profile, folder, name and address
    profile    TEXT    NOT NULL,
    folder     TEXT    NOT NULL,                   -- its path; `/` is the top folder
    name       TEXT    NOT NULL,
    url        TEXT,
    shown      TEXT    NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('waiting', 'asked', 'pending', 'queued', 'downloading', 'uploading', 'complete',
                                                 'failed', 'canceled')),
    folder_id  TEXT,                               -- the folder as Fastio names it, from the look before it was asked on
    others     TEXT    NOT NULL DEFAULT '[]',      -- JSON: imports of the same that Fastio showed before it was asked
    upload     TEXT,                               -- what Fastio calls the import
    misses     INTEGER NOT NULL DEFAULT 0,         -- looks that did not find the file of an import that says it is complete
    node       TEXT,
    reason     TEXT,                               -- why it failed, in words
    asked_at   INTEGER NOT NULL,                   -- every time is Unix milliseconds
    begun_at   INTEGER,                            -- when Fastio was asked
    updated_at INTEGER NOT NULL,
    ended_at   INTEGER,
    CHECK ((state IN ('complete', 'failed', 'canceled')) = (ended_at IS NOT NULL)),
    CHECK ((url IS NULL) = (ended_at IS NOT NULL)),
    CHECK (state <> 'complete' OR node IS NOT NULL)
);

-- Two that go on never write to one place.
CREATE UNIQUE INDEX import_place ON import (profile, folder, name) WHERE ended_at IS NULL;
CREATE INDEX import_ended ON import (ended_at) WHERE ended_at IS NOT NULL;
