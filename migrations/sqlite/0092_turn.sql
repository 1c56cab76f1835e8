-- Runs that Fastio's own AI answers, alone or before OpenAI is asked. A question takes a key under which Fastio asks it once, and the key
-- is on record before it is told; so a server that goes on after a crash tells the same key again and gets the same turn.

CREATE TABLE run_turn (
    run_id    INTEGER PRIMARY KEY REFERENCES run (run_id) ON DELETE CASCADE,
    key       TEXT    NOT NULL,        -- also what the thread is called
    thread    TEXT,                    -- as Fastio names it, once it has answered
    turn      TEXT,
    begun_at  INTEGER NOT NULL,        -- every time is Unix milliseconds
    escalated TEXT,                    -- why OpenAI is asked after all
    CHECK ((thread IS NULL) = (turn IS NULL))
);

-- `engine` may be `fastio` too. The rows stay as they are, and so does their form: SQLite documents this way of changing a CHECK
-- (Making Other Kinds Of Table Schema Changes).
PRAGMA writable_schema = ON;
UPDATE sqlite_schema
SET sql = replace(sql, 'engine IN (''responses'', ''assistants'')', 'engine IN (''responses'', ''assistants'', ''fastio'')')
WHERE type = 'table' AND name = 'run';
PRAGMA writable_schema = RESET;

-- What OpenAI answers to a run that Fastio was asked about first.
DROP TRIGGER run_is_answered;
CREATE TRIGGER run_is_answered AFTER UPDATE OF response ON run
WHEN NEW.response IS NOT NULL AND NEW.engine IN ('responses', 'fastio')
BEGIN
    INSERT INTO run_object (kind, object, source_id, run_id, since)
    VALUES ('response', NEW.response, NEW.source_id, NEW.run_id, NEW.updated_at) ON CONFLICT DO NOTHING;
END;
