-- Events: what a delivery, the change feed or a sweep said happened to one file or folder.
--
-- Kept for people (`docket events`) and for one question: is this event known already? The work itself is a job, made in
-- the transaction that inserts the event. The key is the event's own id, so the same event told twice, by whatever way,
-- is one row. Rows are pruned by age.
CREATE TABLE event (
    event_id        TEXT    NOT NULL PRIMARY KEY CHECK (event_id <> ''),
    source          TEXT    NOT NULL CHECK (source IN ('webhook', 'feed', 'sweep', 'operator')),
    kind            TEXT    NOT NULL CHECK (kind IN ('added', 'modified', 'moved', 'deleted', 'ignored')),
    subject         TEXT    NOT NULL CHECK (subject IN ('file', 'folder')),
    -- As Fastio wrote it; empty when the payload had none.
    name            TEXT    NOT NULL,
    -- `workspace:ID` or `share:ID`.
    profile         TEXT,
    node            TEXT,
    -- Unix milliseconds: by Fastio's clock, and by ours.
    occurred_at     INTEGER,
    received_at     INTEGER NOT NULL,
    ignored_because TEXT,
    -- Which signature scheme and secret let it in; only for a webhook.
    scheme          TEXT,
    secret_index    INTEGER CHECK (secret_index >= 0),
    -- The event's own JSON, when it is not too long to keep.
    payload         TEXT,
    -- Ignored means that a person can read why; anything else names the place to look at.
    CHECK ((kind = 'ignored') = (ignored_because IS NOT NULL)),
    CHECK (kind = 'ignored' OR (profile IS NOT NULL AND node IS NOT NULL)),
    CHECK ((scheme IS NULL) = (secret_index IS NULL))
) STRICT;

-- Newest first for people, oldest first for pruning.
CREATE INDEX event_received_at ON event (received_at);
