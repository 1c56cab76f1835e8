-- From when on OpenAI has time to show a File object no more that it says it deleted.
-- needs 34
ALTER TABLE copy ADD COLUMN deleted_at BIGINT;
