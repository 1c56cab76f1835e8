-- What was final has a way back, and what a service says is compared with what it said before.
--
-- A file is skipped by what was known then: this version, the rules that cover it, the server. When that changes, it is
-- looked at again at the next start. A row of the version before has NULL, which is another knowledge.
ALTER TABLE file ADD COLUMN decided_by TEXT;

-- Fastio's hash of a file is taken for what its documents suggest. Where the content has another one, that is on record with
-- what was announced; when a second read has the same bytes, the file is synced under the hash that was computed.
ALTER TABLE file ADD COLUMN read_of TEXT;
ALTER TABLE file ADD COLUMN read_sha256 TEXT;
ALTER TABLE file ADD COLUMN read_agreed_at INTEGER;
CREATE INDEX file_other_hash ON file (source_id) WHERE read_agreed_at IS NOT NULL;

-- Some servers keep attributes otherwise than they were sent. What came back is on record where it differs, so that a sweep
-- does not send them for ever.
ALTER TABLE copy ADD COLUMN given TEXT;

-- When an attach ended without an answer after a long wait. The server may still be at it, so it is not sent again at once.
ALTER TABLE copy ADD COLUMN unanswered_at INTEGER;

-- A vector store that a rule creates and that somebody deleted is made anew: which one it was, and when that was found out.
-- `given_up` is a store that a person has said is gone, where nothing proves it.
ALTER TABLE vector_store ADD COLUMN lost_id TEXT;
ALTER TABLE vector_store ADD COLUMN lost_at INTEGER;
ALTER TABLE vector_store ADD COLUMN given_up TEXT;
