-- Several servers may work on one PostgreSQL, and there a job names the one that has it in hand, and a pause says all that they know of
-- it. A file has one server: here the job's column stays empty.

ALTER TABLE job ADD COLUMN replica INTEGER;

ALTER TABLE pause ADD COLUMN probes INTEGER NOT NULL DEFAULT 0;
-- What stood in a row before was probed anew at each start, as what has lasted for a restart.
ALTER TABLE pause ADD COLUMN confirmed INTEGER NOT NULL DEFAULT 1;
