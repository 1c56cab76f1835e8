-- A thread in which Fastio's AI was asked for a run goes into the ledger when the run ends, and is removed by a job of its own: a run does not
-- wait for Fastio to end, and a thread outlives no outage. Its mark is its workspace or share, a colon and its name there. An older
-- server could not read such a row, so this names none to go on beside it.
--
-- The rows stay as they are, and so does their form: SQLite documents this way of changing a CHECK (Making Other Kinds Of Table Schema
-- Changes).
PRAGMA writable_schema = ON;
UPDATE sqlite_schema
SET sql = replace(replace(sql, '''session'', ''file'', ''lock'', ''conversation'', ''thread''',
                               '''session'', ''file'', ''lock'', ''talk'', ''conversation'', ''thread'''),
                  'kind IN (''session'', ''lock'')) =', 'kind IN (''session'', ''lock'', ''talk'')) =')
WHERE type = 'table' AND name = 'outside';
PRAGMA writable_schema = RESET;
