-- Runs that Fastio's own AI answers, alone or before OpenAI is asked. A question takes a key under which Fastio asks it once, and the key
-- is on record before it is told; so a server that goes on after a crash tells the same key again and gets the same turn.

CREATE TABLE run_turn (
    run_id    BIGINT           PRIMARY KEY REFERENCES run (run_id) ON DELETE CASCADE,
    key       TEXT COLLATE "C" NOT NULL,        -- also what the thread is called
    thread    TEXT COLLATE "C",                 -- as Fastio names it, once it has answered
    turn      TEXT COLLATE "C",
    begun_at  BIGINT           NOT NULL,        -- every time is Unix milliseconds
    escalated TEXT COLLATE "C",                 -- why OpenAI is asked after all
    CHECK ((thread IS NULL) = (turn IS NULL))
);

ALTER TABLE run DROP CONSTRAINT run_engine_check;
ALTER TABLE run ADD CONSTRAINT run_engine_check CHECK (engine IN ('responses', 'assistants', 'fastio'));

-- What OpenAI answers to a run that Fastio was asked about first is on record, too.
CREATE OR REPLACE FUNCTION run_makes_object() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.conversation IS NOT NULL AND NEW.conversation IS DISTINCT FROM OLD.conversation THEN
        INSERT INTO run_object (kind, object, source_id, run_id, since)
        VALUES (CASE NEW.engine WHEN 'assistants' THEN 'thread' ELSE 'conversation' END, NEW.conversation,
                NEW.source_id, NEW.run_id, NEW.updated_at)
        ON CONFLICT (kind, object) DO UPDATE SET
            source_id = excluded.source_id, run_id = excluded.run_id, since = excluded.since;
    END IF;
    IF NEW.response IS NOT NULL AND NEW.response IS DISTINCT FROM OLD.response AND NEW.engine IN ('responses', 'fastio') THEN
        INSERT INTO run_object (kind, object, source_id, run_id, since)
        VALUES ('response', NEW.response, NEW.source_id, NEW.run_id, NEW.updated_at) ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;
