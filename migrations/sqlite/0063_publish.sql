-- What stands beside a file is kept true of it, whatever becomes of the file. So a file of ours says which answer it shows and in what
-- form (`answer`, `shown`), for which rule and file it stands (`rule`, `source_id`; both NULL for a table), and what it replaced
-- elsewhere, which is taken away after it (`old_node`, `old_version`).
ALTER TABLE own_file ADD COLUMN rule TEXT;
ALTER TABLE own_file ADD COLUMN source_id TEXT;
ALTER TABLE own_file ADD COLUMN answer TEXT;        -- the run's number and when it was answered
ALTER TABLE own_file ADD COLUMN shown TEXT;         -- NULL: in a form of an earlier version
ALTER TABLE own_file ADD COLUMN old_node TEXT;      -- without hyphens
ALTER TABLE own_file ADD COLUMN old_version TEXT;

UPDATE own_file SET rule = wrote.rule, source_id = wrote.source_id
FROM (SELECT DISTINCT rule, source_id FROM run) AS wrote
WHERE own_file.owner = 'run:' || wrote.rule || ':' || wrote.source_id
   OR own_file.owner BETWEEN 'run:' || wrote.rule || ':' || wrote.source_id || ':'
                         AND 'run:' || wrote.rule || ':' || wrote.source_id || ';';

CREATE INDEX own_file_source ON own_file (source_id) WHERE source_id IS NOT NULL;

-- Every content that Docket wrote into Fastio, by the hashes that Fastio may announce for it: a copy of it is ours wherever it stands.
CREATE TABLE own_content (
    hash  BLOB    NOT NULL PRIMARY KEY,     -- MD5 or SHA-256
    size  INTEGER NOT NULL,
    since INTEGER NOT NULL
) WITHOUT ROWID;

-- What a rule's table is to say of each file, by a hash of it: only what changes it asks for the table.
CREATE TABLE digest_row (
    rule      TEXT NOT NULL,
    source_id TEXT NOT NULL,
    mark      TEXT NOT NULL,
    PRIMARY KEY (rule, source_id)
) WITHOUT ROWID;

-- When a rule's table was asked for: first and last since it was written.
CREATE TABLE digest_ask (
    rule     TEXT    NOT NULL PRIMARY KEY,
    first_at INTEGER NOT NULL,
    last_at  INTEGER NOT NULL
) WITHOUT ROWID;

-- In what form the results of a rule are shown: when that is another at a start, each of its files is looked at.
CREATE TABLE shown_rule (
    rule TEXT NOT NULL PRIMARY KEY,
    form TEXT NOT NULL
) WITHOUT ROWID;
