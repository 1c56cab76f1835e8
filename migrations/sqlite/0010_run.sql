-- Runs: one assistant run over one version of one file under one definition of its rule, and what Docket writes back.
--
-- Neither OpenAI's Responses API nor Fastio's uploads and locks have an idempotency key, so every effect is on record
-- here before it is asked for and once more when it is known: a run whose server died in the middle is found, not run
-- twice, and its lock is released by whoever goes on.

CREATE TABLE run (
    run_id        INTEGER PRIMARY KEY AUTOINCREMENT,    -- also in the response's metadata
    rule          TEXT    NOT NULL,
    source_id     TEXT    NOT NULL,     -- workspace:ID:NODE
    profile       TEXT    NOT NULL,
    node          TEXT    NOT NULL,     -- as Fastio writes it
    path          TEXT    NOT NULL,     -- when the run was asked for
    content_hash  TEXT    NOT NULL,     -- SHA-256 of the bytes at Fastio: a rename or a touch is no new version
    version       TEXT,
    bytes         INTEGER NOT NULL,     -- of the File object
    file_id       TEXT    NOT NULL,     -- the copy that the run sees
    vector_store  TEXT    NOT NULL,
    definition    TEXT    NOT NULL,     -- hash of all that shapes the result
    engine        TEXT    NOT NULL CHECK (engine IN ('responses', 'assistants')),
    model         TEXT,                 -- as configured; the result tells what answered
    state         TEXT    NOT NULL CHECK (state IN ('wanted', 'starting', 'running', 'answered', 'ending', 'ended')),
    outcome       TEXT    CHECK (outcome IN ('completed', 'needs_review', 'refused', 'failed', 'held', 'cancelled', 'superseded')),
    reason        TEXT,                 -- why it waits, is held or ended as it did, in words
    cancel        INTEGER NOT NULL DEFAULT 0,   -- a person asked for its end
    conversation  TEXT,                 -- or thread
    response      TEXT,                 -- or run of that thread
    live          INTEGER NOT NULL DEFAULT 0,   -- OpenAI may still be at it
    tries         INTEGER NOT NULL DEFAULT 0,   -- responses that were begun
    begun_at      INTEGER,              -- when the last of them was
    lock          TEXT    NOT NULL DEFAULT 'none' CHECK (lock IN ('none', 'asking', 'held')),
    lock_token    TEXT,                 -- a secret: whoever has it can release the lock
    lock_at       INTEGER,              -- when it was last acquired or lengthened
    result        TEXT,                 -- JSON
    input_tokens  INTEGER,
    output_tokens INTEGER,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    answered_at   INTEGER,
    ended_at      INTEGER,
    -- At most one result for one version of a file under one definition.
    UNIQUE (source_id, rule, content_hash, definition),
    CHECK (state <> 'running' OR response IS NOT NULL),
    CHECK (state <> 'answered' OR (result IS NOT NULL AND outcome IS NOT NULL)),
    CHECK (state NOT IN ('ending', 'ended') OR outcome IS NOT NULL),
    CHECK (state <> 'ended' OR (lock = 'none' AND ended_at IS NOT NULL)),
    CHECK ((lock = 'held') = (lock_token IS NOT NULL)),
    CHECK (outcome IN ('completed', 'needs_review') OR outcome IS NULL OR reason IS NOT NULL)
);

-- Fastio's locks belong to the user, so two runs of ours would not keep each other out there: this does.
CREATE UNIQUE INDEX run_lock ON run (source_id) WHERE lock <> 'none';
CREATE INDEX run_unfinished ON run (source_id, rule) WHERE state <> 'ended';
CREATE INDEX run_rule ON run (rule, begun_at);
CREATE UNIQUE INDEX run_response ON run (response) WHERE response IS NOT NULL;

-- Files that Docket itself writes into Fastio. The row is written before the file, so that the event it causes is known
-- for ours however early it comes.
CREATE TABLE own_file (
    owner      TEXT    PRIMARY KEY,     -- what it is the result of: run:RULE:SOURCE_ID, digest:RULE, …
    profile    TEXT    NOT NULL,
    folder     TEXT    NOT NULL,        -- the folder's id, without hyphens
    name       TEXT    NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('writing', 'written')),
    upload     TEXT,                    -- the upload session of the write that is under way
    node       TEXT,                    -- known once it has been written; without hyphens
    version    TEXT,                    -- the version that our last write made
    sha256     TEXT    NOT NULL,        -- of what is being written, or was
    size       INTEGER NOT NULL,
    since      INTEGER NOT NULL,
    CHECK (state <> 'written' OR node IS NOT NULL)
);

CREATE INDEX own_file_node ON own_file (profile, node);
CREATE INDEX own_file_place ON own_file (profile, folder) WHERE state = 'writing';

-- Files that a run's code interpreter made, until they are delivered.
CREATE TABLE run_file (
    run_id     INTEGER NOT NULL REFERENCES run (run_id),
    filename   TEXT    NOT NULL,
    container  TEXT    NOT NULL,
    file_id    TEXT    NOT NULL,
    content    BLOB,                    -- downloaded before its container dies; gone once it is delivered
    reason     TEXT,                    -- why there is none, in words
    PRIMARY KEY (run_id, file_id)
);

-- OpenAI's webhooks that were taken in, so that one sent twice is worked on once. Pruned after OpenAI stops sending
-- again, which is after three days.
CREATE TABLE openai_webhook (
    webhook_id  TEXT    PRIMARY KEY,
    received_at INTEGER NOT NULL
);

CREATE INDEX openai_webhook_received ON openai_webhook (received_at);
