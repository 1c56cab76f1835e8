-- Work that survives a crash. One row per key, so two jobs can never run at once for one file, and fifty changes of a
-- file whose job waits are one job. A row that is done is deleted: what is here is what is left to do.

CREATE TABLE job (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used again, so (id, lease) names one claim for ever
    key         TEXT    NOT NULL UNIQUE,
    task        TEXT    NOT NULL,                   -- what to do, as JSON; the queue does not read it
    needs       TEXT    NOT NULL,                   -- the targets it cannot do without: ' fastio openai '
    state       TEXT    NOT NULL CHECK (state IN ('waiting', 'running', 'dead')),
    priority    INTEGER NOT NULL,                   -- lower goes first
    due_at      INTEGER NOT NULL,                   -- Unix milliseconds, as every time here
    generation  INTEGER NOT NULL DEFAULT 1,         -- how often it was asked for
    claimed     INTEGER NOT NULL DEFAULT 0,         -- the generation that the running claim saw
    attempt     INTEGER NOT NULL DEFAULT 0,         -- claims that failed, or are running
    lease       INTEGER NOT NULL DEFAULT 0,         -- the fencing token: one more with each claim
    lease_until INTEGER,
    reason      TEXT,                               -- why it waits again or is dead, in words
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    CHECK ((state = 'running') = (lease_until IS NOT NULL)),
    CHECK (state <> 'dead' OR reason IS NOT NULL)
);

CREATE INDEX job_due ON job (priority, due_at, id) WHERE state = 'waiting';
CREATE INDEX job_next ON job (due_at) WHERE state = 'waiting';
CREATE INDEX job_lease ON job (lease_until) WHERE state = 'running';

-- Services that refuse everything for now (a bad key, an empty account). Jobs that need one wait without losing an
-- attempt; when probe_at has come, one job is let through to find out.
CREATE TABLE pause (
    target    TEXT    PRIMARY KEY,
    reason    TEXT    NOT NULL,
    since     INTEGER NOT NULL,
    probe_at  INTEGER NOT NULL,
    probes    INTEGER NOT NULL DEFAULT 0
);
