-- Numbers that people ask for all the time are kept and not counted: `docket status` costs the same beside ten million events as
-- beside none. Triggers keep them, in the transaction that changes the rows, so no crash comes between, no statement can forget
-- them, and the version before this one, which knows nothing of them, keeps them too.
--
-- Each adds what came and takes away what went, and either may come first within one statement: a number may be below nought
-- for a moment. A row of 0 stands for nothing, and is removed where there could be ever more of them.

-- Jobs: also by what their keys begin with, and by priority.
CREATE TABLE job_count (
    state    TEXT    NOT NULL,
    kind     TEXT    NOT NULL,
    priority INTEGER NOT NULL,
    jobs     INTEGER NOT NULL,
    PRIMARY KEY (state, kind, priority)
) WITHOUT ROWID;

INSERT INTO job_count (state, kind, priority, jobs)
SELECT state, substr(key, 1, instr(key || ':', ':') - 1), priority, count(*) FROM job GROUP BY 1, 2, 3;

CREATE TRIGGER job_comes AFTER INSERT ON job BEGIN
    INSERT INTO job_count (state, kind, priority, jobs)
    VALUES (NEW.state, substr(NEW.key, 1, instr(NEW.key || ':', ':') - 1), NEW.priority, 1)
    ON CONFLICT (state, kind, priority) DO UPDATE SET jobs = jobs + 1;
END;

CREATE TRIGGER job_goes AFTER DELETE ON job BEGIN
    INSERT INTO job_count (state, kind, priority, jobs)
    VALUES (OLD.state, substr(OLD.key, 1, instr(OLD.key || ':', ':') - 1), OLD.priority, -1)
    ON CONFLICT (state, kind, priority) DO UPDATE SET jobs = jobs - 1;
END;

CREATE TRIGGER job_moves AFTER UPDATE OF state, priority, key ON job
WHEN OLD.state <> NEW.state OR OLD.priority <> NEW.priority OR OLD.key <> NEW.key
BEGIN
    INSERT INTO job_count (state, kind, priority, jobs)
    VALUES (OLD.state, substr(OLD.key, 1, instr(OLD.key || ':', ':') - 1), OLD.priority, -1)
    ON CONFLICT (state, kind, priority) DO UPDATE SET jobs = jobs - 1;
    INSERT INTO job_count (state, kind, priority, jobs)
    VALUES (NEW.state, substr(NEW.key, 1, instr(NEW.key || ':', ':') - 1), NEW.priority, 1)
    ON CONFLICT (state, kind, priority) DO UPDATE SET jobs = jobs + 1;
END;

-- Files.
CREATE TABLE file_count (
    state TEXT    NOT NULL PRIMARY KEY,
    files INTEGER NOT NULL
) WITHOUT ROWID;

INSERT INTO file_count (state, files) SELECT state, count(*) FROM file GROUP BY state;

CREATE TRIGGER file_comes AFTER INSERT ON file BEGIN
    INSERT INTO file_count (state, files) VALUES (NEW.state, 1)
    ON CONFLICT (state) DO UPDATE SET files = files + 1;
END;

CREATE TRIGGER file_goes AFTER DELETE ON file BEGIN
    INSERT INTO file_count (state, files) VALUES (OLD.state, -1)
    ON CONFLICT (state) DO UPDATE SET files = files - 1;
END;

CREATE TRIGGER file_moves AFTER UPDATE OF state ON file WHEN OLD.state <> NEW.state BEGIN
    INSERT INTO file_count (state, files) VALUES (OLD.state, -1)
    ON CONFLICT (state) DO UPDATE SET files = files - 1;
    INSERT INTO file_count (state, files) VALUES (NEW.state, 1)
    ON CONFLICT (state) DO UPDATE SET files = files + 1;
END;

-- Copies: by vector store too, so that it is known which stores there are.
CREATE TABLE copy_count (
    vector_store TEXT    NOT NULL,
    state        TEXT    NOT NULL,
    copies       INTEGER NOT NULL,
    PRIMARY KEY (vector_store, state)
) WITHOUT ROWID;

INSERT INTO copy_count (vector_store, state, copies)
SELECT vector_store, state, count(*) FROM copy GROUP BY vector_store, state;

CREATE TRIGGER copy_comes AFTER INSERT ON copy BEGIN
    INSERT INTO copy_count (vector_store, state, copies) VALUES (NEW.vector_store, NEW.state, 1)
    ON CONFLICT (vector_store, state) DO UPDATE SET copies = copies + 1;
END;

CREATE TRIGGER copy_goes AFTER DELETE ON copy BEGIN
    INSERT INTO copy_count (vector_store, state, copies) VALUES (OLD.vector_store, OLD.state, -1)
    ON CONFLICT (vector_store, state) DO UPDATE SET copies = copies - 1;
    DELETE FROM copy_count WHERE vector_store = OLD.vector_store AND state = OLD.state AND copies = 0;
END;

CREATE TRIGGER copy_moves AFTER UPDATE OF state, vector_store ON copy
WHEN OLD.state <> NEW.state OR OLD.vector_store <> NEW.vector_store
BEGIN
    INSERT INTO copy_count (vector_store, state, copies) VALUES (OLD.vector_store, OLD.state, -1)
    ON CONFLICT (vector_store, state) DO UPDATE SET copies = copies - 1;
    INSERT INTO copy_count (vector_store, state, copies) VALUES (NEW.vector_store, NEW.state, 1)
    ON CONFLICT (vector_store, state) DO UPDATE SET copies = copies + 1;
    DELETE FROM copy_count WHERE vector_store = OLD.vector_store AND state = OLD.state AND copies = 0;
END;

-- Events.
CREATE TABLE event_count (
    kind   TEXT    NOT NULL PRIMARY KEY,
    events INTEGER NOT NULL
) WITHOUT ROWID;

INSERT INTO event_count (kind, events) SELECT kind, count(*) FROM event GROUP BY kind;

CREATE TRIGGER event_comes AFTER INSERT ON event BEGIN
    INSERT INTO event_count (kind, events) VALUES (NEW.kind, 1)
    ON CONFLICT (kind) DO UPDATE SET events = events + 1;
END;

CREATE TRIGGER event_goes AFTER DELETE ON event BEGIN
    INSERT INTO event_count (kind, events) VALUES (OLD.kind, -1)
    ON CONFLICT (kind) DO UPDATE SET events = events - 1;
END;

CREATE TRIGGER event_moves AFTER UPDATE OF kind ON event WHEN OLD.kind <> NEW.kind BEGIN
    INSERT INTO event_count (kind, events) VALUES (OLD.kind, -1)
    ON CONFLICT (kind) DO UPDATE SET events = events - 1;
    INSERT INTO event_count (kind, events) VALUES (NEW.kind, 1)
    ON CONFLICT (kind) DO UPDATE SET events = events + 1;
END;

-- Runs. How a rule and a file stand is what the last run over it came to, as long as the file is there; so whether a run counts, and
-- as what, depends on other rows. `run_word` says it, and `run.counted` is what it said last: NULL where the run is history.
ALTER TABLE run ADD COLUMN counted TEXT;

CREATE VIEW run_word AS
SELECT run_id, CASE
    WHEN state <> 'ended' THEN CASE WHEN held_until IS NOT NULL THEN 'held' ELSE state END
    WHEN (outcome IN ('completed', 'superseded', 'cancelled') OR NOT EXISTS (
              SELECT 1 FROM file WHERE file.source_id = run.source_id AND file.state = 'gone'))
         AND NOT EXISTS (SELECT 1 FROM run AS newer
                         WHERE newer.source_id = run.source_id AND newer.rule = run.rule AND newer.run_id > run.run_id)
    THEN outcome END AS word
FROM run;

UPDATE run SET counted = (SELECT word FROM run_word WHERE run_word.run_id = run.run_id);

-- Those that are held also by rule and reason.
CREATE TABLE run_count (
    word   TEXT    NOT NULL,
    rule   TEXT    NOT NULL,
    reason TEXT    NOT NULL,    -- empty unless it is held
    runs   INTEGER NOT NULL,
    PRIMARY KEY (word, rule, reason)
) WITHOUT ROWID;

INSERT INTO run_count (word, rule, reason, runs)
SELECT counted, rule, CASE counted WHEN 'held' THEN coalesce(reason, '') ELSE '' END, count(*)
FROM run WHERE counted IS NOT NULL GROUP BY 1, 2, 3;

CREATE TRIGGER run_comes AFTER INSERT ON run BEGIN
    UPDATE run SET counted = (SELECT word FROM run_word WHERE run_word.run_id = run.run_id)
    WHERE source_id = NEW.source_id AND rule = NEW.rule;
END;

CREATE TRIGGER run_moves AFTER UPDATE OF state, outcome, held_until ON run BEGIN
    UPDATE run SET counted = (SELECT word FROM run_word WHERE run_word.run_id = run.run_id)
    WHERE run_id = NEW.run_id;
END;

CREATE TRIGGER run_goes AFTER DELETE ON run BEGIN
    INSERT INTO run_count (word, rule, reason, runs)
    SELECT OLD.counted, OLD.rule, CASE OLD.counted WHEN 'held' THEN coalesce(OLD.reason, '') ELSE '' END, -1
    WHERE OLD.counted IS NOT NULL
    ON CONFLICT (word, rule, reason) DO UPDATE SET runs = runs - 1;
    DELETE FROM run_count WHERE rule = OLD.rule AND word = OLD.counted AND runs = 0;
    UPDATE run SET counted = (SELECT word FROM run_word WHERE run_word.run_id = run.run_id)
    WHERE source_id = OLD.source_id AND rule = OLD.rule;
END;

CREATE TRIGGER run_counts AFTER UPDATE OF counted, reason ON run
WHEN OLD.counted IS NOT NEW.counted OR (NEW.counted = 'held' AND OLD.reason IS NOT NEW.reason)
BEGIN
    INSERT INTO run_count (word, rule, reason, runs)
    SELECT OLD.counted, OLD.rule, CASE OLD.counted WHEN 'held' THEN coalesce(OLD.reason, '') ELSE '' END, -1
    WHERE OLD.counted IS NOT NULL
    ON CONFLICT (word, rule, reason) DO UPDATE SET runs = runs - 1;
    INSERT INTO run_count (word, rule, reason, runs)
    SELECT NEW.counted, NEW.rule, CASE NEW.counted WHEN 'held' THEN coalesce(NEW.reason, '') ELSE '' END, 1
    WHERE NEW.counted IS NOT NULL
    ON CONFLICT (word, rule, reason) DO UPDATE SET runs = runs + 1;
    DELETE FROM run_count
    WHERE word = OLD.counted AND rule = OLD.rule AND runs = 0
      AND reason = CASE OLD.counted WHEN 'held' THEN coalesce(OLD.reason, '') ELSE '' END;
    DELETE FROM run_count
    WHERE word = NEW.counted AND rule = NEW.rule AND runs = 0
      AND reason = CASE NEW.counted WHEN 'held' THEN coalesce(NEW.reason, '') ELSE '' END;
END;

-- Files that were there before a rule and are not run over: those that are there, and that it has not run over all the same.
ALTER TABLE run_existing ADD COLUMN spared INTEGER NOT NULL DEFAULT 0;

CREATE VIEW run_spared AS
SELECT rule, source_id,
       EXISTS (SELECT 1 FROM file WHERE file.source_id = run_existing.source_id AND file.state = 'present')
       AND NOT EXISTS (SELECT 1 FROM run WHERE run.source_id = run_existing.source_id AND run.rule = run_existing.rule) AS spared
FROM run_existing;

UPDATE run_existing SET spared = (
    SELECT spared FROM run_spared
    WHERE run_spared.rule = run_existing.rule AND run_spared.source_id = run_existing.source_id);

CREATE TABLE run_existing_count (
    rule  TEXT    NOT NULL PRIMARY KEY,
    files INTEGER NOT NULL
) WITHOUT ROWID;

INSERT INTO run_existing_count (rule, files) SELECT rule, count(*) FROM run_existing WHERE spared GROUP BY rule;

CREATE TRIGGER run_existing_comes AFTER INSERT ON run_existing BEGIN
    UPDATE run_existing SET spared = (
        SELECT spared FROM run_spared
        WHERE run_spared.rule = run_existing.rule AND run_spared.source_id = run_existing.source_id)
    WHERE rule = NEW.rule AND source_id = NEW.source_id;
END;

CREATE TRIGGER run_existing_goes AFTER DELETE ON run_existing WHEN OLD.spared BEGIN
    UPDATE run_existing_count SET files = files - 1 WHERE rule = OLD.rule;
    DELETE FROM run_existing_count WHERE rule = OLD.rule AND files = 0;
END;

CREATE TRIGGER run_existing_counts AFTER UPDATE OF spared ON run_existing WHEN OLD.spared <> NEW.spared BEGIN
    INSERT INTO run_existing_count (rule, files) VALUES (NEW.rule, NEW.spared - OLD.spared)
    ON CONFLICT (rule) DO UPDATE SET files = files + excluded.files;
    DELETE FROM run_existing_count WHERE rule = NEW.rule AND files = 0;
END;

CREATE TRIGGER run_existing_is_run AFTER INSERT ON run BEGIN
    UPDATE run_existing SET spared = 0 WHERE rule = NEW.rule AND source_id = NEW.source_id;
END;

CREATE TRIGGER run_existing_is_not_run AFTER DELETE ON run BEGIN
    UPDATE run_existing SET spared = (
        SELECT spared FROM run_spared
        WHERE run_spared.rule = run_existing.rule AND run_spared.source_id = run_existing.source_id)
    WHERE rule = OLD.rule AND source_id = OLD.source_id;
END;

-- What a file's coming and going does to both. `file.state` is not in an index that begins with the file, so it is looked at first.
CREATE TRIGGER file_is_back AFTER UPDATE OF state ON file WHEN OLD.state <> NEW.state BEGIN
    UPDATE run SET counted = (SELECT word FROM run_word WHERE run_word.run_id = run.run_id)
    WHERE source_id = NEW.source_id AND (OLD.state = 'gone' OR NEW.state = 'gone');
    UPDATE run_existing SET spared = (
        SELECT spared FROM run_spared
        WHERE run_spared.rule = run_existing.rule AND run_spared.source_id = run_existing.source_id)
    WHERE source_id = NEW.source_id;
END;

CREATE TRIGGER file_is_new AFTER INSERT ON file BEGIN
    UPDATE run SET counted = (SELECT word FROM run_word WHERE run_word.run_id = run.run_id)
    WHERE source_id = NEW.source_id AND NEW.state = 'gone';
    UPDATE run_existing SET spared = (
        SELECT spared FROM run_spared
        WHERE run_spared.rule = run_existing.rule AND run_spared.source_id = run_existing.source_id)
    WHERE source_id = NEW.source_id AND NEW.state = 'present';
END;

CREATE TRIGGER file_is_forgotten AFTER DELETE ON file BEGIN
    UPDATE run SET counted = (SELECT word FROM run_word WHERE run_word.run_id = run.run_id)
    WHERE source_id = OLD.source_id AND OLD.state = 'gone';
    UPDATE run_existing SET spared = 0 WHERE source_id = OLD.source_id;
END;
