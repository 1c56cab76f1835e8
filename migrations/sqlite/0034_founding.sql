-- How this database came to be. A second database (another folder, a lost file) knows nothing of the copies that the first
-- one made, and would upload and pay for everything once more. So nothing is created or uploaded before it is on record
-- that OpenAI was looked at and held nothing of ours, or that a person wants it so.
CREATE TABLE founding (
    founding   INTEGER PRIMARY KEY CHECK (founding = 1),
    how        TEXT    NOT NULL CHECK (how IN ('served', 'empty', 'rebuilt', 'anew')),
    founded_at INTEGER NOT NULL
);

-- A database that holds copies, or made a vector store, has served before this was asked.
INSERT INTO founding (founding, how, founded_at)
SELECT 1, 'served', CAST(unixepoch('subsec') * 1000 AS INTEGER)
WHERE EXISTS (SELECT 1 FROM copy) OR EXISTS (SELECT 1 FROM vector_store WHERE vector_store_id IS NOT NULL);
