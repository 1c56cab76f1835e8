-- What is to be done with a file because of a run's result, as the rule lists it (`actions`), and what became of it. A row is written with the
-- end of the run, or with a person's verdict, so that whoever goes on after a crash does it, and once. An older server could not read
-- the job that does it, so this names none to go on beside it.

CREATE TABLE run_action (
    run_id   BIGINT           NOT NULL REFERENCES run (run_id) ON DELETE CASCADE,
    action   TEXT COLLATE "C" NOT NULL,             -- JSON, by which it is known: as the rule listed it
    position BIGINT           NOT NULL,             -- in the rule's list
    state    TEXT COLLATE "C" NOT NULL CHECK (state IN ('wanted', 'done', 'left')),
    begun    BIGINT           NOT NULL DEFAULT 0 CHECK (begun IN (0, 1)),   -- Fastio may have made something of it
    reason   TEXT COLLATE "C",                      -- what was done, or why it was left
    object   TEXT COLLATE "C",                      -- what it made at Fastio
    at       BIGINT           NOT NULL,             -- when it got this state; every time is Unix milliseconds
    PRIMARY KEY (run_id, action)
);
