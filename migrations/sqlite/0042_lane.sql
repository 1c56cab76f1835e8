-- A claim costs the same however many jobs are held or not yet due. Jobs of one priority with the same needs stand together in one
-- index, in the order in which they are claimed, and a claim looks at the first of each such lane only. So equal needs have
-- equal texts: each target once, in order, between blanks.

UPDATE job SET needs = coalesce(
    (SELECT ' ' || group_concat(target, ' ') || ' '
     FROM (SELECT DISTINCT value AS target FROM json_each('[' || replace(json_quote(trim(job.needs)), ' ', '","') || ']')
           WHERE value <> '' ORDER BY value)),
    '  ');

DROP INDEX job_due;
DROP INDEX job_next;
DROP INDEX job_needs;
CREATE INDEX job_lane ON job (needs, priority, due_at, id) WHERE state = 'waiting';

-- What holds work is known in the memory of the server; a row is there for people and for the next server. What a server needs
-- to decide about an outage, it has to learn anew.
DROP TABLE strike;
ALTER TABLE pause DROP COLUMN probes;
ALTER TABLE pause DROP COLUMN confirmed;
