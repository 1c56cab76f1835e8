-- A thread in which Fastio's AI was asked for a run goes into the ledger when the run ends, and is removed by a job of its own: a run does not
-- wait for Fastio to end, and a thread outlives no outage. Its mark is its workspace or share, a colon and its name there. An older
-- server could not read such a row, so this names none to go on beside it.
ALTER TABLE outside DROP CONSTRAINT outside_kind_check;
ALTER TABLE outside ADD CONSTRAINT outside_kind_check
    CHECK (kind IN ('session', 'file', 'lock', 'talk', 'conversation', 'thread'));
ALTER TABLE outside DROP CONSTRAINT outside_check1;
ALTER TABLE outside ADD CONSTRAINT outside_check1 CHECK ((kind IN ('session', 'lock', 'talk')) = (mark IS NOT NULL));
