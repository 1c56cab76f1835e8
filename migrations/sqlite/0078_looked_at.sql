-- When a job last learned what a file is; NULL from when its job died without having learned it until one has. What stands beside the
-- file meanwhile may be about an earlier version, and says so. `seen_at` does not tell: of a file that is gone it keeps since when.
--
-- Rows of an earlier version, which does not write it, have 0: what they say was learned.

ALTER TABLE file ADD COLUMN looked_at INTEGER DEFAULT 0;
