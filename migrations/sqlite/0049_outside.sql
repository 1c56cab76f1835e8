-- What Docket makes at Fastio and OpenAI and has to take away again, in one ledger: upload sessions, writes of its own files, locks
-- on files, and the conversations and threads of runs. A thing is on record before it is asked for, is known by its mark until
-- it has an id, and its row goes when it is gone there or belongs to somebody else. Before, what was in use stood in columns of
-- `run` and `own_file`, and what was to go in `leftover`: the same four states, in three places. Neither those columns nor
-- the table are used any more.

CREATE TABLE outside (
    outside_id  INTEGER PRIMARY KEY AUTOINCREMENT,
    kind        TEXT    NOT NULL CHECK (kind IN ('session', 'file', 'lock', 'conversation', 'thread')),
    state       TEXT    NOT NULL CHECK (state IN ('intended', 'exists', 'unwanted')),
    owner       TEXT    NOT NULL,   -- of a session or file: as in own_file; else run:NUMBER
    mark        TEXT,               -- of a session: a part of its name, by which it is found; of a lock: the file, as source_id
    object      TEXT,               -- its id, or the lock's token, which is a secret; NULL while nobody knows it
    is_whole    INTEGER NOT NULL DEFAULT 0,     -- of a session: every byte is in it
    response    TEXT,               -- of a conversation: what may still go on in it
    begun_at    INTEGER,            -- of a conversation: when something was begun in it that may still go on
    patience_ms INTEGER,            -- of a conversation: how long that may take to show
    since       INTEGER NOT NULL,   -- when it was asked for, made, or last lengthened
    CHECK (state <> 'exists' OR object IS NOT NULL),
    CHECK ((kind IN ('session', 'lock')) = (mark IS NOT NULL))
);

-- A lock that is taken once more may have the token that it had.
CREATE UNIQUE INDEX outside_object ON outside (kind, object) WHERE object IS NOT NULL AND kind <> 'lock';
CREATE UNIQUE INDEX outside_session ON outside (mark) WHERE kind = 'session';
-- Fastio's locks belong to the user, so two runs of ours would not keep each other out there: this does.
CREATE UNIQUE INDEX outside_lock ON outside (mark) WHERE kind = 'lock' AND state <> 'unwanted';
CREATE UNIQUE INDEX outside_file ON outside (owner) WHERE kind = 'file';
CREATE INDEX outside_owner ON outside (owner);
CREATE INDEX outside_left ON outside (state) WHERE state <> 'exists';

-- The jobs of what is unwanted name it by its number.
INSERT INTO outside (outside_id, kind, state, owner, mark, object, is_whole, response, begun_at, patience_ms, since)
SELECT leftover_id,
       CASE kind WHEN 'upload' THEN 'session' ELSE kind END,
       CASE state WHEN 'asked' THEN 'intended' WHEN 'used' THEN 'exists' ELSE 'unwanted' END,
       owner,
       CASE kind WHEN 'lock' THEN profile || ':' || lower(replace(node, '-', '')) ELSE mark END,
       object,
       EXISTS (SELECT 1 FROM own_file WHERE own_file.owner = leftover.owner AND own_file.upload = leftover.object),
       response, begun_at,
       -- What was allowed to the rules that are no more.
       CASE WHEN kind IN ('conversation', 'thread') THEN 3600000 END,
       since
FROM leftover;

INSERT INTO outside (kind, state, owner, mark, object, since)
SELECT 'lock', CASE lock WHEN 'held' THEN 'exists' ELSE 'intended' END, 'run:' || run_id, source_id, lock_token,
       coalesce(lock_at, updated_at)
FROM run WHERE lock <> 'none';

INSERT OR IGNORE INTO outside (kind, state, owner, object, patience_ms, since)
SELECT CASE engine WHEN 'assistants' THEN 'thread' ELSE 'conversation' END, 'exists', 'run:' || run_id, conversation, 3600000,
       updated_at
FROM run WHERE state <> 'ended' AND conversation IS NOT NULL;

-- Writes that nobody finishes: their runs ended in the middle. A sweep gives each its job.
INSERT INTO outside (kind, state, owner, since)
SELECT 'file', 'unwanted', own_file.owner, own_file.since
FROM own_file
WHERE own_file.state = 'writing' AND own_file.owner LIKE 'run:%'
  AND NOT EXISTS (
      SELECT 1 FROM run
      WHERE run.state <> 'ended'
        AND (own_file.owner = 'run:' || rule || ':' || source_id
             OR substr(own_file.owner, 1, length('run:' || rule || ':' || source_id || ':'))
                = 'run:' || rule || ':' || source_id || ':'));

UPDATE run SET lock = 'none', lock_token = NULL, lock_at = NULL WHERE lock <> 'none';
UPDATE own_file SET upload = NULL WHERE upload IS NOT NULL;
DROP TABLE leftover;
