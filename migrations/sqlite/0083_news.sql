-- What people elsewhere are to be told. Triggers write it, in the transaction that makes the news, so it is there exactly when what it tells
-- of is; a row for each channel that wants it, and none where nobody does. What is told leaves: it is no record of anything.
--
-- A row names a run by its number and nothing of its file, so that nothing is left here of a file that is erased.
-- needs 79

CREATE TABLE news (
    news_id  INTEGER PRIMARY KEY AUTOINCREMENT,
    endpoint TEXT    NOT NULL,
    kind     TEXT    NOT NULL,
    about    TEXT    NOT NULL,      -- a run's number, what is held, a sweep, or a rule
    since    INTEGER,               -- Unix milliseconds, of what has lasted
    made_at  INTEGER NOT NULL,
    message  TEXT                   -- in which it is being told
);

CREATE INDEX news_waits ON news (endpoint, kind, news_id);
CREATE INDEX news_told ON news (message) WHERE message IS NOT NULL;

-- To whom what kind is told, as the settings say, and how far that is. One message of a kind is under way at a time.
CREATE TABLE news_channel (
    endpoint  TEXT    NOT NULL,
    kind      TEXT    NOT NULL,
    address   TEXT    NOT NULL,     -- SHA-256 of where it goes: another one is another endpoint
    message   TEXT,
    attempts  INTEGER NOT NULL DEFAULT 0,
    begun_at  INTEGER NOT NULL DEFAULT 0,
    next_at   INTEGER NOT NULL DEFAULT 0,
    sent_at   INTEGER NOT NULL DEFAULT 0,
    trouble   TEXT,                 -- how the last attempt failed, in words
    closed    INTEGER NOT NULL DEFAULT 0,   -- it said that it is gone
    PRIMARY KEY (endpoint, kind)
);

-- Rules whose oldest change has waited longer than was promised, and since when that came in.
CREATE TABLE late (
    rule  TEXT    PRIMARY KEY,
    since INTEGER NOT NULL
);

CREATE TRIGGER run_is_news AFTER UPDATE OF state ON run
WHEN NEW.state = 'ended' AND OLD.state <> 'ended' AND NEW.outcome IN ('completed', 'needs_review', 'failed', 'refused') BEGIN
    INSERT INTO news (endpoint, kind, about, made_at)
    SELECT endpoint, kind, NEW.run_id, NEW.updated_at FROM news_channel
    WHERE closed = 0
      AND kind = CASE NEW.outcome WHEN 'completed' THEN 'run_done' WHEN 'needs_review' THEN 'needs_review' ELSE 'run_failed' END;
END;

-- An outage is told once it has been found to last.
CREATE TRIGGER pause_is_news AFTER INSERT ON pause WHEN NEW.kind = 'refusal' OR NEW.confirmed = 1 BEGIN
    INSERT INTO news (endpoint, kind, about, since, made_at)
    SELECT endpoint, kind, NEW.target, NEW.since, NEW.since FROM news_channel WHERE closed = 0 AND kind = 'cause_opened';
END;

CREATE TRIGGER pause_becomes_news AFTER UPDATE OF kind, confirmed ON pause
WHEN (NEW.kind = 'refusal' OR NEW.confirmed = 1) AND NOT (OLD.kind = 'refusal' OR OLD.confirmed = 1) BEGIN
    INSERT INTO news (endpoint, kind, about, since, made_at)
    SELECT endpoint, kind, NEW.target, NEW.since, NEW.since FROM news_channel WHERE closed = 0 AND kind = 'cause_opened';
END;

CREATE TRIGGER pause_is_over AFTER DELETE ON pause WHEN OLD.kind = 'refusal' OR OLD.confirmed = 1 BEGIN
    INSERT INTO news (endpoint, kind, about, since, made_at)
    SELECT endpoint, kind, OLD.target, OLD.since, CAST(unixepoch('subsec') * 1000 AS INTEGER) FROM news_channel
    WHERE closed = 0 AND kind = 'cause_closed';
END;

CREATE TRIGGER sweep_is_news AFTER INSERT ON sweep WHEN NEW.outcome = 'stopped' AND NEW.dry_run = 0 BEGIN
    INSERT INTO news (endpoint, kind, about, made_at)
    SELECT endpoint, kind, NEW.sweep, NEW.ended_at FROM news_channel WHERE closed = 0 AND kind = 'sweep_stopped';
END;

CREATE TRIGGER late_is_news AFTER INSERT ON late BEGIN
    INSERT INTO news (endpoint, kind, about, since, made_at)
    SELECT endpoint, kind, NEW.rule, NEW.since, CAST(unixepoch('subsec') * 1000 AS INTEGER) FROM news_channel
    WHERE closed = 0 AND kind = 'late';
END;

CREATE TRIGGER late_is_over AFTER DELETE ON late BEGIN
    INSERT INTO news (endpoint, kind, about, since, made_at)
    SELECT endpoint, kind, OLD.rule, OLD.since, CAST(unixepoch('subsec') * 1000 AS INTEGER) FROM news_channel
    WHERE closed = 0 AND kind = 'on_time';
END;
