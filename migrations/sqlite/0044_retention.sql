-- What only grows gets an end (`[retention]`): these find what may go without a walk through what stays.

CREATE INDEX file_gone ON file (seen_at) WHERE state = 'gone';

CREATE INDEX run_existing_file ON run_existing (source_id);

-- Since when a file of ours is known to be gone from Fastio; NULL while it is not. Its row is needed for as long as the file is
-- there, or the file would be taken for a person's.
ALTER TABLE own_file ADD COLUMN gone_since INTEGER;

CREATE INDEX own_file_gone ON own_file (gone_since) WHERE gone_since IS NOT NULL;
