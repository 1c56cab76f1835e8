-- Every list that people ask for has an index in exactly its order, and a page of it costs the same however much there is.

-- Kept numbers took its place (`event_count`).
DROP INDEX event_kind;

-- The newest events without the downloads, which are nearly all of them. The text is that of `event::DOWNLOAD`.
CREATE INDEX event_shown ON event (received_at, event_id) WHERE ignored_because IS NOT 'a download changes no file';

-- The dead by when they died; how many there are of a kind is kept (`job_count`).
DROP INDEX job_dead;
CREATE INDEX job_dead ON job (due_at, id) WHERE state = 'dead';

-- The change that has waited longest: only jobs that look at files. With the others in it, a million runs that wait were all read
-- before the first file.
DROP INDEX job_created;
CREATE INDEX job_looks ON job (created_at) WHERE key GLOB 'file:*' OR key GLOB 'folder:*' OR key GLOB 'listing:*';

-- Files that are gone or skipped are few among many, and are listed by path. These are no indexes that begin with a state: each
-- holds the rows of one state only.
CREATE INDEX file_gone_path ON file (path, source_id) WHERE state = 'gone';
CREATE INDEX file_skipped_path ON file (path, source_id) WHERE state = 'skipped';

-- The files in a folder, to say where that is. `ancestors` begins with a blank, the folder and a blank.
CREATE INDEX file_folder ON file (profile, substr(ancestors, 2, instr(substr(ancestors, 2), ' ') - 1));

-- Nothing asks for it any more.
DROP INDEX file_seen;

-- Runs, those that changed last first; those that go on; those of a rule that ended; and those that are history and may go
-- (`retention`): without the last, each minute read all runs.
CREATE INDEX run_changed ON run (updated_at, run_id);
CREATE INDEX run_rule_changed ON run (rule, updated_at, run_id);
CREATE INDEX run_going ON run (rule) WHERE state <> 'ended' AND NOT (state = 'wanted' AND reason IS NOT NULL);
CREATE INDEX run_rule_ended ON run (rule, ended_at);
CREATE INDEX run_history ON run (run_id) WHERE state = 'ended' AND counted IS NULL;
CREATE INDEX run_held ON run (rule, reason, held_until) WHERE counted = 'held';
