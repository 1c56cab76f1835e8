-- A service that is down is held as one that refuses us is: its jobs wait without losing an attempt, one at a time finds
-- out whether it answers, and when it does they resume a few at a time.

ALTER TABLE pause ADD COLUMN kind TEXT NOT NULL DEFAULT 'refusal' CHECK (kind IN ('refusal', 'outage'));

-- An outage that a probe has found to last. What failed before that was the outage's doing, and was given back.
ALTER TABLE pause ADD COLUMN confirmed INTEGER NOT NULL DEFAULT 0;

-- NULL while the target is held. Otherwise it answers again, and so many of its jobs may run at once.
ALTER TABLE pause ADD COLUMN allowed INTEGER;

-- Who found a target unavailable since it last answered anybody. A row for each job, and for each plain question asked
-- right after one.
CREATE TABLE strike (
    target    TEXT    NOT NULL,
    source    TEXT    NOT NULL,
    job_id    INTEGER,                     -- NULL for a question
    cost      INTEGER NOT NULL DEFAULT 0,  -- attempts that the job lost by it
    first_at  INTEGER NOT NULL,
    struck_at INTEGER NOT NULL,
    PRIMARY KEY (target, source)
);

-- A held target must cost no look at each job that waits for it: the kinds of needs are few.
CREATE INDEX job_needs ON job (needs, due_at) WHERE state = 'waiting';
