-- What `docket status` and `docket files` ask for, so that being looked at costs no walk through all that ever was: with a
-- million events a count by kind read every row of them.
--
-- No index here begins with a state of `file` or `copy`. SQLite takes any index for about equally good, and would find the
-- copies of one file through all that are in the same state.

CREATE INDEX event_kind ON event (kind);

-- Files are listed by path, one page after the other, and counted by state.
CREATE INDEX file_path ON file (path, source_id, state);

DROP INDEX copy_source;
CREATE INDEX copy_source ON copy (source_id, state);

CREATE INDEX job_dead ON job (key) WHERE state = 'dead';

-- The change that has waited longest.
CREATE INDEX job_created ON job (created_at);
