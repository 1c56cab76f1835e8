-- The folder that a file is in is the first of its ancestors. Of a file without any, which a rebuild makes, SQLite takes a text of the
-- length -1 for an empty one and PostgreSQL refuses it, and with it the row.
DROP INDEX file_folder;
CREATE INDEX file_folder ON file (profile, split_part(ancestors, ' ', 2));
