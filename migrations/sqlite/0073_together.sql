-- Copies that wait for one vector store are attached together. So a copy says that it waits (`awaits`: what the store is to be told
-- of it, as JSON), and in which batch it was attached (`batch`) until that tells what became of it. The job of the store does both;
-- the job of each file goes on from there, and alone where the job of the store came to nothing.
--
-- Both are NULL in rows of an earlier version, which does not write them: those are attached one by one.

ALTER TABLE copy ADD COLUMN awaits TEXT;
ALTER TABLE copy ADD COLUMN batch TEXT;

CREATE INDEX copy_awaits ON copy (vector_store, since) WHERE awaits IS NOT NULL;
CREATE INDEX copy_batch ON copy (vector_store, batch) WHERE batch IS NOT NULL;
