-- With what Docket seals the pages that it writes, so that it knows them where the record of one is lost. The key is made by the first server
-- that starts on this database, and never changes: pages that were sealed with another would be taken for a person's.
-- needs 9
CREATE TABLE own_key (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    key BYTEA NOT NULL
);

-- With which agent's key Fastio says that it was written.
ALTER TABLE own_file ADD COLUMN agent TEXT COLLATE "C";
