-- Runs over what was there before a rule that are asked together, in a batch of OpenAI's, at a lower price (`backfill = "batch"`). Neither a
-- file of requests nor a batch has an idempotency key: its row is there before either, and its mark is in the name of the one and in the
-- metadata of the other, so that what was made and not answered is found again.

CREATE TABLE batch (
    batch_id    INTEGER PRIMARY KEY AUTOINCREMENT,
    rule        TEXT    NOT NULL UNIQUE,  -- one at a time
    mark        TEXT    NOT NULL UNIQUE,
    state       TEXT    NOT NULL CHECK (state IN ('gathering', 'sending', 'creating', 'going', 'reading', 'clearing')),
    input_file  TEXT,                     -- the file of requests
    batch       TEXT,                     -- as OpenAI calls it
    output_file TEXT,
    error_file  TEXT,
    begun_at    INTEGER NOT NULL,         -- when it came into its state; every time is Unix milliseconds
    tried_at    INTEGER,                  -- when what the state is about was first asked for
    CHECK (state <> 'creating' OR input_file IS NOT NULL),
    CHECK (state NOT IN ('going', 'reading') OR batch IS NOT NULL)
);

-- A run that is asked in one. Its answer stands here until the run's own job has checked it.
CREATE TABLE batch_run (
    run_id    INTEGER PRIMARY KEY REFERENCES run (run_id) ON DELETE CASCADE,
    rule      TEXT    NOT NULL,
    batch_id  INTEGER,                    -- none as long as it is gathered
    state     TEXT    NOT NULL CHECK (state IN ('gathered', 'sent', 'answered', 'left')),
    answer    TEXT,                     -- JSON: the response
    reason    TEXT,                     -- why it came to nothing there and is asked alone, in words
    joined_at INTEGER NOT NULL,
    CHECK ((state = 'answered') = (answer IS NOT NULL)),
    CHECK ((state = 'left') = (reason IS NOT NULL)),
    CHECK (state <> 'sent' OR batch_id IS NOT NULL)
);

CREATE INDEX batch_run_rule ON batch_run (rule, state, run_id);
CREATE INDEX batch_run_batch ON batch_run (batch_id, run_id);
