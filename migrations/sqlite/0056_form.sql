-- What a copy is depends on more than its bytes: under the name `scan.txt` they are sent otherwise than under `scan.pdf`. So a
-- copy remembers what the file claimed to be (`claim`), and a renamed file may get a new one. And that OpenAI has indexed a
-- file does not say that it could read anything in it, as in a scan: what was read is on record, and can be counted.
--
-- All is NULL in rows of an earlier version, which does not write it: there it is not known.

ALTER TABLE copy ADD COLUMN claim TEXT;            -- what name and type said when it was uploaded
ALTER TABLE copy ADD COLUMN note TEXT;             -- what was left out or mended on the way, in words
ALTER TABLE copy ADD COLUMN pages INTEGER;         -- of a PDF, where they can be counted
ALTER TABLE copy ADD COLUMN characters INTEGER;    -- in what OpenAI reads, without white space
ALTER TABLE copy ADD COLUMN reading TEXT CHECK (reading IN ('text', 'little', 'nothing'));

CREATE INDEX copy_unread ON copy (source_id, reading) WHERE reading IN ('little', 'nothing');
