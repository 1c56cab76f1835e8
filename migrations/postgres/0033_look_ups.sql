-- A list of files counts up to a thousand of them by this index alone, those of one rule too.
-- needs 32
DROP INDEX file_path;
CREATE INDEX file_path ON file (path, source_id, state, rules);

-- Whether an agent of Fastio's is known to be ours.
CREATE INDEX own_file_agent ON own_file (agent) WHERE agent IS NOT NULL;
