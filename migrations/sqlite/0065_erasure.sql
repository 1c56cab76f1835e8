-- What derives from a file ends with it. What runs made at OpenAI is known by its id for as long as it is there (`run_object`), whatever
-- becomes of the run's row; and what was erased, and what could not be, is on record (`erasure`).

-- A conversation, thread, response or container that holds, or may hold, what a document says.
CREATE TABLE run_object (
    kind      TEXT    NOT NULL CHECK (kind IN ('conversation', 'thread', 'response', 'container')),
    object    TEXT    NOT NULL,         -- its id
    source_id TEXT    NOT NULL,
    run_id    INTEGER NOT NULL,         -- no reference: it outlives the run's row
    since     INTEGER NOT NULL,         -- when it was last heard of
    PRIMARY KEY (kind, object)
) WITHOUT ROWID;

CREATE INDEX run_object_source ON run_object (source_id);
CREATE INDEX run_object_since ON run_object (since);

INSERT OR IGNORE INTO run_object (kind, object, source_id, run_id, since)
SELECT CASE engine WHEN 'assistants' THEN 'thread' ELSE 'conversation' END, conversation, source_id, run_id, updated_at
FROM run WHERE conversation IS NOT NULL
UNION ALL
SELECT 'response', response, source_id, run_id, updated_at
FROM run WHERE response IS NOT NULL AND engine = 'responses'
UNION ALL
SELECT 'container', container, source_id, run_id, updated_at
FROM run_file JOIN run USING (run_id);

-- An empty conversation may pass from one run to another.
CREATE TRIGGER run_converses AFTER UPDATE OF conversation ON run WHEN NEW.conversation IS NOT NULL BEGIN
    INSERT INTO run_object (kind, object, source_id, run_id, since)
    VALUES (CASE NEW.engine WHEN 'assistants' THEN 'thread' ELSE 'conversation' END, NEW.conversation, NEW.source_id,
            NEW.run_id, NEW.updated_at)
    ON CONFLICT (kind, object) DO UPDATE SET
        source_id = excluded.source_id, run_id = excluded.run_id, since = excluded.since;
END;

-- A run of the Assistants API goes with its thread.
CREATE TRIGGER run_is_answered AFTER UPDATE OF response ON run
WHEN NEW.response IS NOT NULL AND NEW.engine = 'responses'
BEGIN
    INSERT INTO run_object (kind, object, source_id, run_id, since)
    VALUES ('response', NEW.response, NEW.source_id, NEW.run_id, NEW.updated_at) ON CONFLICT DO NOTHING;
END;

CREATE TRIGGER run_makes_file AFTER INSERT ON run_file BEGIN
    INSERT INTO run_object (kind, object, source_id, run_id, since)
    SELECT 'container', NEW.container, source_id, run_id, updated_at FROM run WHERE run_id = NEW.run_id
    ON CONFLICT DO NOTHING;
END;

-- A sweep looks whether what is in the trash was purged.
CREATE INDEX file_gone_id ON file (source_id) WHERE state = 'gone';

-- No name and no path: only Fastio's id of the file, which tells nothing to those who cannot ask Fastio.
CREATE TABLE erasure (
    erasure_id INTEGER PRIMARY KEY AUTOINCREMENT,
    source_id  TEXT    NOT NULL,
    -- A person asked for it; Fastio has purged the file; or it is in the trash for longer than it is remembered.
    because    TEXT    NOT NULL CHECK (because IN ('asked', 'purged', 'forgotten')),
    asked_at   INTEGER NOT NULL,        -- every time is Unix milliseconds
    settled_at INTEGER,                 -- since when no job of the file is under way
    cleared_at INTEGER,                 -- since when our rows are gone
    ended_at   INTEGER,
    shed_at    INTEGER,                 -- since when their bytes are in no file of the database
    undone_at  INTEGER,                 -- since when the file may be synced again
    erased     TEXT    NOT NULL DEFAULT '{}',   -- JSON: how many of each kind
    remains    TEXT    NOT NULL DEFAULT '[]'    -- JSON: what could not be erased, and why
);

CREATE UNIQUE INDEX erasure_going ON erasure (source_id) WHERE ended_at IS NULL;
CREATE INDEX erasure_source ON erasure (source_id);
CREATE INDEX erasure_ended ON erasure (ended_at) WHERE because <> 'asked';
CREATE INDEX erasure_unshed ON erasure (erasure_id) WHERE ended_at IS NOT NULL AND shed_at IS NULL;
