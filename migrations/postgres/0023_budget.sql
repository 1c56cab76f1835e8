-- What OpenAI may hold is bounded by budgets, and what is used least leaves first. So a file knows when it was used last, a copy for which
-- rule it is held, and of a file that has left it is on record (`file_out`) since when, by whose budget and why: it is no file that is
-- missing, so no sweep brings it back. An earlier version of Docket would: it knows nothing of all this.

-- When it was changed, or asked for, last. Unix milliseconds.
ALTER TABLE file ADD COLUMN used_at BIGINT NOT NULL DEFAULT 0;
-- As the triggers below keep it: since when it is out, for which rules, comma-separated, and why.
ALTER TABLE file ADD COLUMN out_since BIGINT;
ALTER TABLE file ADD COLUMN out_rules TEXT COLLATE "C";
ALTER TABLE file ADD COLUMN out_reason TEXT COLLATE "C";
UPDATE file SET used_at = coalesce(modified_at, 0) WHERE state <> 'gone';

-- The rule that it is held for, as far as it is known, and its file's `used_at`.
ALTER TABLE copy ADD COLUMN rule TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE copy ADD COLUMN used_at BIGINT NOT NULL DEFAULT 0;
-- What OpenAI says that its vector store keeps of it, which is what is paid for.
ALTER TABLE copy ADD COLUMN usage_bytes BIGINT;
UPDATE copy SET rule = coalesce(attributes::json ->> 'rule', ''),
                used_at = coalesce((SELECT used_at FROM file WHERE file.source_id = copy.source_id), 0);

CREATE TABLE file_out (
    source_id TEXT COLLATE "C" NOT NULL,
    rule      TEXT COLLATE "C" NOT NULL,
    since     BIGINT           NOT NULL,
    scope     TEXT COLLATE "C" NOT NULL CHECK (scope IN ('rule', 'store', 'project')),                 -- whose budget
    why       TEXT COLLATE "C" NOT NULL CHECK (why IN ('used_least', 'too_large', 'no_room')),
    wanted    BIGINT           NOT NULL,        -- 1 where it is out although it was changed or asked for
    bytes     BIGINT           NOT NULL,        -- what it took, or would take
    reason    TEXT COLLATE "C" NOT NULL,        -- in words
    used_at   BIGINT           NOT NULL,
    PRIMARY KEY (rule, source_id)
);

CREATE INDEX file_out_file ON file_out (source_id);
CREATE INDEX file_out_used ON file_out (rule, used_at, source_id);
CREATE INDEX file_out_path ON file (path, source_id) WHERE out_since IS NOT NULL;
-- What may leave, what is used least first.
CREATE INDEX copy_used ON copy (rule, used_at, source_id) WHERE state = 'indexed';
-- What is on its way in, and may leave when it is there.
CREATE INDEX copy_coming ON copy (rule, used_at) WHERE state IN ('uploading', 'uploaded', 'attached');

-- What else the project holds, as the last whole sweep saw it.
CREATE TABLE storage_seen (
    one     BIGINT PRIMARY KEY CHECK (one = 1),
    files   BIGINT NOT NULL,
    bytes   BIGINT NOT NULL,
    seen_at BIGINT NOT NULL
);

-- What the project holds comes near to what it may hold, and since when.
CREATE TABLE storage_near (
    one   BIGINT PRIMARY KEY CHECK (one = 1),
    since BIGINT NOT NULL
);

-- How much there is for each rule: `in`, `leaving`, `out`, and `wanted`, which is out and should not be. Each row says by how much one
-- has changed; the view is what they are.
CREATE TABLE room_count_part (
    rule   TEXT COLLATE "C" NOT NULL,
    place  TEXT COLLATE "C" NOT NULL,
    files  BIGINT           NOT NULL,
    bytes  BIGINT           NOT NULL,        -- of File objects
    stored BIGINT           NOT NULL         -- of what is paid for, as far as OpenAI has said it
);

ALTER TABLE room_count_part SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
                                 autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000,
                                 autovacuum_analyze_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);

CREATE VIEW room_count AS
SELECT rule, place, sum(files)::bigint AS files, sum(bytes)::bigint AS bytes, sum(stored)::bigint AS stored
FROM room_count_part GROUP BY rule, place;

INSERT INTO room_count_part (rule, place, files, bytes, stored)
SELECT rule, CASE state WHEN 'retiring' THEN 'leaving' ELSE 'in' END, count(*) FILTER (WHERE coalesce(segment, 1) = 1), sum(bytes),
       sum(bytes)
FROM copy GROUP BY 1, 2;

CREATE FUNCTION room_counts() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO room_count_part
        VALUES (OLD.rule, CASE OLD.state WHEN 'retiring' THEN 'leaving' ELSE 'in' END,
                CASE WHEN coalesce(OLD.segment, 1) = 1 THEN -1 ELSE 0 END, -OLD.bytes, -coalesce(OLD.usage_bytes, OLD.bytes));
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO room_count_part
        VALUES (NEW.rule, CASE NEW.state WHEN 'retiring' THEN 'leaving' ELSE 'in' END,
                CASE WHEN coalesce(NEW.segment, 1) = 1 THEN 1 ELSE 0 END, NEW.bytes, coalesce(NEW.usage_bytes, NEW.bytes));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER room_is_taken AFTER INSERT OR DELETE ON copy FOR EACH ROW EXECUTE FUNCTION room_counts();
CREATE TRIGGER room_moves AFTER UPDATE OF rule, state, bytes, usage_bytes ON copy FOR EACH ROW
WHEN (OLD.rule <> NEW.rule OR OLD.bytes <> NEW.bytes OR OLD.usage_bytes IS DISTINCT FROM NEW.usage_bytes
      OR (OLD.state = 'retiring') <> (NEW.state = 'retiring'))
EXECUTE FUNCTION room_counts();

CREATE FUNCTION file_out_counts() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE about TEXT; BEGIN
    IF TG_OP = 'INSERT' THEN
        about := NEW.source_id;
        INSERT INTO room_count_part
        VALUES (NEW.rule, CASE NEW.wanted WHEN 1 THEN 'wanted' ELSE 'out' END, 1, NEW.bytes, NEW.bytes);
    ELSE
        about := OLD.source_id;
        INSERT INTO room_count_part
        VALUES (OLD.rule, CASE OLD.wanted WHEN 1 THEN 'wanted' ELSE 'out' END, -1, -OLD.bytes, -OLD.bytes);
    END IF;
    UPDATE file SET out_since = (SELECT min(since) FROM file_out WHERE source_id = about),
                    out_rules = (SELECT string_agg(rule, ',' ORDER BY rule) FROM file_out WHERE source_id = about),
                    out_reason = (SELECT reason FROM file_out WHERE source_id = about ORDER BY rule LIMIT 1)
    WHERE source_id = about;
    RETURN NULL;
END $$;
CREATE TRIGGER file_goes_out AFTER INSERT OR DELETE ON file_out FOR EACH ROW EXECUTE FUNCTION file_out_counts();

-- What is gone from Fastio, or forgotten, is not out.
CREATE FUNCTION file_out_ends() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    DELETE FROM file_out WHERE source_id = OLD.source_id;
    RETURN NULL;
END $$;
CREATE TRIGGER file_out_is_gone AFTER UPDATE OF state ON file FOR EACH ROW
WHEN (NEW.state <> 'present' AND OLD.out_since IS NOT NULL) EXECUTE FUNCTION file_out_ends();
CREATE TRIGGER file_out_is_forgotten AFTER DELETE ON file FOR EACH ROW
WHEN (OLD.out_since IS NOT NULL) EXECUTE FUNCTION file_out_ends();

CREATE FUNCTION copy_is_used() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE copy SET used_at = NEW.used_at WHERE source_id = NEW.source_id;
    RETURN NULL;
END $$;
CREATE TRIGGER file_is_used AFTER UPDATE OF used_at ON file FOR EACH ROW
WHEN (OLD.used_at <> NEW.used_at) EXECUTE FUNCTION copy_is_used();

CREATE FUNCTION storage_near_is_news() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO news (endpoint, kind, about, since, made_at)
    SELECT endpoint, kind, 'project', NEW.since, NEW.since FROM news_channel WHERE closed = 0 AND kind = 'storage_near';
    RETURN NULL;
END $$;
CREATE TRIGGER storage_near_is_news AFTER INSERT ON storage_near FOR EACH ROW EXECUTE FUNCTION storage_near_is_news();

CREATE FUNCTION storage_near_is_over() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO news (endpoint, kind, about, since, made_at)
    SELECT endpoint, kind, 'project', OLD.since, (extract(epoch FROM clock_timestamp()) * 1000)::bigint FROM news_channel
    WHERE closed = 0 AND kind = 'storage_clear';
    RETURN NULL;
END $$;
CREATE TRIGGER storage_near_is_over AFTER DELETE ON storage_near FOR EACH ROW EXECUTE FUNCTION storage_near_is_over();
