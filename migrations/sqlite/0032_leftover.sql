-- What runs make at Fastio and OpenAI and have to take away again: upload sessions, locks, and the conversations of runs
-- that came to nothing. Neither service lists what is ours, so what is made is on record before it is asked for, and its
-- row goes when it is gone there. A row that is `left` has a job; a sweep asks for one that was lost.

CREATE TABLE leftover (
    leftover_id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind      TEXT    NOT NULL CHECK (kind IN ('upload', 'lock', 'conversation', 'thread')),
    state     TEXT    NOT NULL CHECK (state IN ('asked', 'used', 'left')),
    owner     TEXT    NOT NULL,     -- of an upload: whose write it is for, as in own_file; else run:NUMBER
    rule      TEXT,
    mark      TEXT,                 -- of an upload: a part of its name, by which it is found when nobody knows its id
    object    TEXT,                 -- its id, or the lock's token, which is a secret; NULL while nobody knows it
    response  TEXT,                 -- of a conversation: what may still go on in it
    begun_at  INTEGER,              -- of a conversation: when something was begun in it that may still go on
    profile   TEXT,                 -- of a lock, with the node
    node      TEXT,
    since     INTEGER NOT NULL,     -- of a lock: when it was last acquired or lengthened
    CHECK (state <> 'used' OR object IS NOT NULL),
    CHECK ((kind = 'upload') = (mark IS NOT NULL)),
    CHECK ((kind = 'lock') = (node IS NOT NULL AND profile IS NOT NULL))
);

CREATE UNIQUE INDEX leftover_object ON leftover (kind, object) WHERE object IS NOT NULL;
CREATE UNIQUE INDEX leftover_mark ON leftover (mark) WHERE mark IS NOT NULL;
CREATE INDEX leftover_owner ON leftover (owner);

-- Until when one of the rule's limits keeps a run from beginning. Waiting for a lock or after a failure is not that.
ALTER TABLE run ADD COLUMN held_until INTEGER;
