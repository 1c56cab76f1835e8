-- A text that is too large for a vector store goes in segments, each a File object and a copy of its own. Together they are one copy of
-- the file: what can be searched of it is whole, or an earlier version's is. So a copy knows which segment it is (`segment`, from 1), and
-- of how many once all of them are uploaded and the file has proved to be what was announced (`segments`).
--
-- Both are NULL of a copy that is the whole file. An earlier version of Docket would take each segment for that.
-- needs 87
ALTER TABLE copy ADD COLUMN segment INTEGER;
ALTER TABLE copy ADD COLUMN segments INTEGER CHECK (segments IS NULL OR segment <= segments);
