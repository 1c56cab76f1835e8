-- What OpenAI may hold is bounded by budgets, and what is used least leaves first. So a file knows when it was used last, a copy for which
-- rule it is held, and of a file that has left it is on record (`file_out`) since when, by whose budget and why: it is no file that is
-- missing, so no sweep brings it back. An earlier version of Docket would: it knows nothing of all this.

-- When it was changed, or asked for, last. Unix milliseconds.
ALTER TABLE file ADD COLUMN used_at INTEGER NOT NULL DEFAULT 0;
-- As the triggers below keep it: since when it is out, for which rules, comma-separated, and why.
ALTER TABLE file ADD COLUMN out_since INTEGER;
ALTER TABLE file ADD COLUMN out_rules TEXT;
ALTER TABLE file ADD COLUMN out_reason TEXT;
UPDATE file SET used_at = coalesce(modified_at, 0) WHERE state <> 'gone';

-- The rule that it is held for, as far as it is known, and its file's `used_at`.
ALTER TABLE copy ADD COLUMN rule TEXT NOT NULL DEFAULT '';
ALTER TABLE copy ADD COLUMN used_at INTEGER NOT NULL DEFAULT 0;
-- What OpenAI says that its vector store keeps of it, which is what is paid for.
ALTER TABLE copy ADD COLUMN usage_bytes INTEGER;
UPDATE copy SET rule = coalesce(json_extract(attributes, '$.rule'), ''),
                used_at = coalesce((SELECT used_at FROM file WHERE file.source_id = copy.source_id), 0);

CREATE TABLE file_out (
    source_id TEXT    NOT NULL,
    rule      TEXT    NOT NULL,
    since     INTEGER NOT NULL,
    scope     TEXT    NOT NULL CHECK (scope IN ('rule', 'store', 'project')),                 -- whose budget
    why       TEXT    NOT NULL CHECK (why IN ('used_least', 'too_large', 'no_room')),
    wanted    INTEGER NOT NULL,        -- 1 where it is out although it was changed or asked for
    bytes     INTEGER NOT NULL,        -- what it took, or would take
    reason    TEXT    NOT NULL,        -- in words
    used_at   INTEGER NOT NULL,
    PRIMARY KEY (rule, source_id)
) WITHOUT ROWID;

CREATE INDEX file_out_file ON file_out (source_id);
CREATE INDEX file_out_used ON file_out (rule, used_at, source_id);
CREATE INDEX file_out_path ON file (path, source_id) WHERE out_since IS NOT NULL;
-- What may leave, what is used least first.
CREATE INDEX copy_used ON copy (rule, used_at, source_id) WHERE state = 'indexed';
-- What is on its way in, and may leave when it is there.
CREATE INDEX copy_coming ON copy (rule, used_at) WHERE state IN ('uploading', 'uploaded', 'attached');

-- What else the project holds, as the last whole sweep saw it.
CREATE TABLE storage_seen (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    files   INTEGER NOT NULL,
    bytes   INTEGER NOT NULL,
    seen_at INTEGER NOT NULL
);

-- What the project holds comes near to what it may hold, and since when.
CREATE TABLE storage_near (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    since INTEGER NOT NULL
);

-- How much there is for each rule: `in`, `leaving`, `out`, and `wanted`, which is out and should not be.
CREATE TABLE room_count (
    rule   TEXT    NOT NULL,
    place  TEXT    NOT NULL,
    files  INTEGER NOT NULL,
    bytes  INTEGER NOT NULL,        -- of File objects
    stored INTEGER NOT NULL,        -- of what is paid for, as far as OpenAI has said it
    PRIMARY KEY (rule, place)
) WITHOUT ROWID;

INSERT INTO room_count (rule, place, files, bytes, stored)
SELECT rule, CASE state WHEN 'retiring' THEN 'leaving' ELSE 'in' END, sum(coalesce(segment, 1) = 1), sum(bytes), sum(bytes)
FROM copy GROUP BY 1, 2;

CREATE TRIGGER room_is_taken AFTER INSERT ON copy BEGIN
    INSERT INTO room_count (rule, place, files, bytes, stored)
    VALUES (NEW.rule, CASE NEW.state WHEN 'retiring' THEN 'leaving' ELSE 'in' END, coalesce(NEW.segment, 1) = 1, NEW.bytes,
            coalesce(NEW.usage_bytes, NEW.bytes))
    ON CONFLICT (rule, place) DO UPDATE SET
        files = files + excluded.files, bytes = bytes + excluded.bytes, stored = stored + excluded.stored;
END;

CREATE TRIGGER room_is_left AFTER DELETE ON copy BEGIN
    UPDATE room_count SET files = files - (coalesce(OLD.segment, 1) = 1), bytes = bytes - OLD.bytes,
                          stored = stored - coalesce(OLD.usage_bytes, OLD.bytes)
    WHERE rule = OLD.rule AND place = CASE OLD.state WHEN 'retiring' THEN 'leaving' ELSE 'in' END;
END;

CREATE TRIGGER room_moves AFTER UPDATE OF rule, state, bytes, usage_bytes ON copy
WHEN OLD.rule <> NEW.rule OR OLD.bytes <> NEW.bytes OR OLD.usage_bytes IS NOT NEW.usage_bytes
  OR (OLD.state = 'retiring') <> (NEW.state = 'retiring')
BEGIN
    UPDATE room_count SET files = files - (coalesce(OLD.segment, 1) = 1), bytes = bytes - OLD.bytes,
                          stored = stored - coalesce(OLD.usage_bytes, OLD.bytes)
    WHERE rule = OLD.rule AND place = CASE OLD.state WHEN 'retiring' THEN 'leaving' ELSE 'in' END;
    INSERT INTO room_count (rule, place, files, bytes, stored)
    VALUES (NEW.rule, CASE NEW.state WHEN 'retiring' THEN 'leaving' ELSE 'in' END, coalesce(NEW.segment, 1) = 1, NEW.bytes,
            coalesce(NEW.usage_bytes, NEW.bytes))
    ON CONFLICT (rule, place) DO UPDATE SET
        files = files + excluded.files, bytes = bytes + excluded.bytes, stored = stored + excluded.stored;
END;

CREATE TRIGGER file_goes_out AFTER INSERT ON file_out BEGIN
    INSERT INTO room_count (rule, place, files, bytes, stored)
    VALUES (NEW.rule, CASE NEW.wanted WHEN 1 THEN 'wanted' ELSE 'out' END, 1, NEW.bytes, NEW.bytes)
    ON CONFLICT (rule, place) DO UPDATE SET
        files = files + excluded.files, bytes = bytes + excluded.bytes, stored = stored + excluded.stored;
    UPDATE file SET out_since = (SELECT min(since) FROM file_out WHERE source_id = NEW.source_id),
                    out_rules = (SELECT group_concat(rule, ',') FROM (SELECT rule FROM file_out WHERE source_id = NEW.source_id ORDER BY rule)),
                    out_reason = (SELECT reason FROM file_out WHERE source_id = NEW.source_id ORDER BY rule LIMIT 1)
    WHERE source_id = NEW.source_id;
END;

CREATE TRIGGER file_comes_in AFTER DELETE ON file_out BEGIN
    UPDATE room_count SET files = files - 1, bytes = bytes - OLD.bytes, stored = stored - OLD.bytes
    WHERE rule = OLD.rule AND place = CASE OLD.wanted WHEN 1 THEN 'wanted' ELSE 'out' END;
    UPDATE file SET out_since = (SELECT min(since) FROM file_out WHERE source_id = OLD.source_id),
                    out_rules = (SELECT group_concat(rule, ',') FROM (SELECT rule FROM file_out WHERE source_id = OLD.source_id ORDER BY rule)),
                    out_reason = (SELECT reason FROM file_out WHERE source_id = OLD.source_id ORDER BY rule LIMIT 1)
    WHERE source_id = OLD.source_id;
END;

-- What is gone from Fastio, or forgotten, is not out.
CREATE TRIGGER file_out_is_gone AFTER UPDATE OF state ON file WHEN NEW.state <> 'present' AND OLD.out_since IS NOT NULL BEGIN
    DELETE FROM file_out WHERE source_id = NEW.source_id;
END;

CREATE TRIGGER file_out_is_forgotten AFTER DELETE ON file WHEN OLD.out_since IS NOT NULL BEGIN
    DELETE FROM file_out WHERE source_id = OLD.source_id;
END;

CREATE TRIGGER file_is_used AFTER UPDATE OF used_at ON file WHEN OLD.used_at <> NEW.used_at BEGIN
    UPDATE copy SET used_at = NEW.used_at WHERE source_id = NEW.source_id;
END;

CREATE TRIGGER storage_near_is_news AFTER INSERT ON storage_near BEGIN
    INSERT INTO news (endpoint, kind, about, since, made_at)
    SELECT endpoint, kind, 'project', NEW.since, NEW.since FROM news_channel WHERE closed = 0 AND kind = 'storage_near';
END;

CREATE TRIGGER storage_near_is_over AFTER DELETE ON storage_near BEGIN
    INSERT INTO news (endpoint, kind, about, since, made_at)
    SELECT endpoint, kind, 'project', OLD.since, CAST(unixepoch('subsec') * 1000 AS INTEGER) FROM news_channel
    WHERE closed = 0 AND kind = 'storage_clear';
END;
