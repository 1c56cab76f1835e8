-- A Word document may hold changes that are neither accepted nor rejected, and comments. What is read out of it may have all of
-- that side by side, so a run over it needs a person. They are counted as the file passes.
--
-- Both are NULL in rows of an earlier version, for other files, and where the document could not be read as it passed.

ALTER TABLE copy ADD COLUMN changes INTEGER;     -- insertions, deletions and moves
ALTER TABLE copy ADD COLUMN comments INTEGER;
