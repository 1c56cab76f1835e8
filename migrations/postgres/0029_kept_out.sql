-- Files that a rule keeps out of OpenAI until an answer of Fastio's AI is not enough (`sync = "on_escalation"`). What is run over a file is
-- decided by its content, and of a file of which there is no copy nothing else says which content that is: so a row says what was read.
-- It says too whether something needs the file in OpenAI now, so that whoever goes on after a crash brings it there, or away again.

CREATE TABLE kept_out (
    source_id    TEXT COLLATE "C" NOT NULL REFERENCES file (source_id) ON DELETE CASCADE,
    rule         TEXT COLLATE "C" NOT NULL,
    version      TEXT COLLATE "C",                  -- what was read, by Fastio's account
    hash         TEXT COLLATE "C",
    size         BIGINT           NOT NULL,
    modified_at  BIGINT,
    content_hash TEXT COLLATE "C" NOT NULL,         -- SHA-256 of what a copy of it would be made from, as in copy.content_hash
    wanted_since BIGINT,                            -- since when it is to be in OpenAI; every time is Unix milliseconds
    leaves_at    BIGINT,                            -- until when
    PRIMARY KEY (source_id, rule),
    CHECK (leaves_at IS NULL OR wanted_since IS NOT NULL)
);

CREATE INDEX kept_out_leaves ON kept_out (leaves_at) WHERE leaves_at IS NOT NULL;

-- A file may be `out`: it could be held and is not, as its rules say, which its reason tells.
ALTER TABLE file DROP CONSTRAINT file_state_check;
ALTER TABLE file ADD CONSTRAINT file_state_check CHECK (state IN ('present', 'out', 'skipped', 'gone'));

DROP INDEX file_out_path;
CREATE INDEX file_out_path ON file (path, source_id) WHERE out_since IS NOT NULL OR state = 'out';
