-- What was there before a rule ran anything is not run over unasked: a first start over an archive of five thousand
-- contracts must not be five thousand paid runs. So it is written down since when a rule runs something, and which content
-- was found to be older than that.

-- Since when this database knows that something is run over the rule's files. Unix milliseconds.
CREATE TABLE running_rule (
    rule  TEXT    PRIMARY KEY,
    since INTEGER NOT NULL
);

-- Rules of a database that has served already are not new to it.
INSERT INTO running_rule (rule, since) SELECT rule, min(created_at) FROM run GROUP BY rule;

-- Content that is older than its rule's `since`. It stays so, however often the file is renamed or touched.
CREATE TABLE run_existing (
    rule         TEXT    NOT NULL,
    source_id    TEXT    NOT NULL,
    content_hash TEXT    NOT NULL,
    found_at     INTEGER NOT NULL,
    PRIMARY KEY (rule, source_id)
) WITHOUT ROWID;

-- By Fastio's clock. NULL where Fastio does not say, or nobody has looked since this column was added.
ALTER TABLE file ADD COLUMN created_at INTEGER;

-- What told of a file or of a folder above it: asked once for each file that may be older than its rule.
CREATE INDEX event_told ON event (lower(replace(node, '-', '')))
    WHERE source IN ('webhook', 'feed') AND kind IN ('added', 'moved');
