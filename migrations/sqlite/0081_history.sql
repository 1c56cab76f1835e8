-- What was tried for a file, one row for each attempt at a job about it, so that a person can be told how it came to where it is, what it
-- waited for and what failed. Written with what became of the attempt; what only waits again for the same makes its row longer. Rows of a
-- file are bounded in number, all of them in age, and go with the file.
CREATE TABLE history (
    history_id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    -- The file.
    source_id  TEXT NOT NULL,
    -- 'file', 'reading', 'run' or 'erase', and the rule of a run.
    task       TEXT NOT NULL,
    rule       TEXT,
    job_id     INTEGER NOT NULL,
    attempt    INTEGER NOT NULL,
    -- Attempts that ended the same way one after the other.
    times      INTEGER NOT NULL DEFAULT 1,
    -- Unix milliseconds: when it could have begun, when it did, and its end. Of an attempt whose process was killed only the last is known.
    due_at     INTEGER,
    began_at   INTEGER,
    ended_at   INTEGER NOT NULL,
    ended      TEXT NOT NULL
        CHECK (ended IN ('done', 'waits', 'limited', 'held', 'failed', 'dead', 'given_back', 'lost')),
    -- In words.
    reason     TEXT,
    -- The process that worked on it.
    server     TEXT NOT NULL,
    request_id TEXT,
    -- A JSON list of what was done on the way.
    steps      TEXT NOT NULL DEFAULT '[]'
) STRICT;

CREATE INDEX history_file ON history (source_id, history_id);

-- What told of a file, for its timeline; and, as before, of a folder above one that may be older than its rule.
DROP INDEX event_told;
CREATE INDEX event_node ON event (lower(replace(node, '-', '')), received_at) WHERE kind <> 'ignored';
