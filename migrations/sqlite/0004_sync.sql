-- What we know of each file and what OpenAI holds of it. `copy` is written before OpenAI is asked to create anything:
-- its Files API has no idempotency key, so this row is how an upload whose reply was lost is found again.

CREATE TABLE file (
    source_id   TEXT    PRIMARY KEY,    -- workspace:ID:NODE, also the attribute of its copies
    profile     TEXT    NOT NULL,
    node        TEXT    NOT NULL,       -- as Fastio writes it
    state       TEXT    NOT NULL CHECK (state IN ('present', 'skipped', 'gone')),
    reason      TEXT,                   -- why it is skipped or gone, in words
    path        TEXT    NOT NULL,
    ancestors   TEXT    NOT NULL,       -- ' FOLDER FOLDER ', so that a folder's files are found when it is gone
    rules       TEXT    NOT NULL,       -- the rules that cover it, comma-separated
    version     TEXT,
    hash        TEXT,                   -- ALGORITHM:VALUE, by Fastio
    size        INTEGER NOT NULL,
    modified_at INTEGER,                -- by Fastio's clock; every time is Unix milliseconds
    refused     TEXT,                   -- the version that OpenAI could not index: not to be uploaded again
    missing_since INTEGER,              -- since when Fastio does not know it any more, until that is certain
    seen_at     INTEGER NOT NULL,       -- when a job last looked
    CHECK ((state = 'present') = (reason IS NULL))
);

CREATE INDEX file_seen ON file (seen_at);

CREATE TABLE copy (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    source_id    TEXT    NOT NULL,
    vector_store TEXT    NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('uploading', 'uploaded', 'attached', 'indexed', 'retiring')),
    version      TEXT,
    hash         TEXT,
    size         INTEGER NOT NULL,      -- bytes at Fastio
    modified_at  INTEGER,
    content_hash TEXT,                  -- SHA-256 of the bytes at Fastio
    filename     TEXT    NOT NULL,      -- of the File object
    bytes        INTEGER NOT NULL,      -- of the File object
    file_id      TEXT    UNIQUE,
    attributes   TEXT,                  -- as the vector store was last told, JSON
    attaches     INTEGER NOT NULL DEFAULT 0,
    since        INTEGER NOT NULL,      -- when it came into its state
    CHECK (state NOT IN ('uploaded', 'attached', 'indexed') OR file_id IS NOT NULL),
    CHECK (state NOT IN ('attached', 'indexed') OR content_hash IS NOT NULL)
);

CREATE INDEX copy_source ON copy (source_id);
-- Two uploads of one name and size at once could not be told apart after a crash.
CREATE UNIQUE INDEX copy_intent ON copy (filename, bytes) WHERE state = 'uploading';

-- Vector stores that a rule told us to create, by the rule's name for them. The row is the intent.
CREATE TABLE vector_store (
    name            TEXT    PRIMARY KEY,
    intent          TEXT    NOT NULL UNIQUE,    -- in the store's metadata, so that a lost reply is found
    vector_store_id TEXT    UNIQUE,
    created_at      INTEGER NOT NULL
);
