-- Files by when they were changed at Fastio, for lists of what changed since yesterday. A look that finds no change writes nothing to it.
-- needs 79

CREATE INDEX file_changed ON file (modified_at, source_id, state) WHERE modified_at IS NOT NULL;
