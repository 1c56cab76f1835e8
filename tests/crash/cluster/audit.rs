//! What the database itself sees of two rules that no row shows afterwards: a job in hand is claimed by nobody else, and what a server
//! that was removed had in hand is settled by nobody but whoever takes it over.
//!
//! A trigger writes down whatever becomes of jobs, in a table of the test's own: who had which job when is the first thing to know when
//! something went wrong. What breaks a rule is marked there. What a transaction sees decides: one that was under way when its server was
//! removed may have been before that, and then it still sees its server.

pub const INSTALL: &str = "
    CREATE TABLE IF NOT EXISTS crash_test_job (
        at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(), key TEXT NOT NULL, before TEXT NOT NULL, after TEXT, wrong TEXT);
    CREATE OR REPLACE FUNCTION crash_test_job() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE wrong TEXT;
    BEGIN
        IF OLD.state = 'running' AND TG_OP = 'UPDATE' AND NEW.state = 'running' THEN
            -- Else it only has to run once more.
            IF NEW.lease <> OLD.lease THEN wrong := 'claimed while another server had it'; END IF;
        ELSIF OLD.state = 'running' AND NOT (TG_OP = 'UPDATE' AND NEW.reason LIKE 'its worker stopped without a word%')
            AND NOT EXISTS (SELECT FROM replica WHERE replica_id = OLD.replica) THEN
            wrong := 'settled by a server that was removed';
        END IF;
        INSERT INTO crash_test_job (key, before, after, wrong) VALUES (
            OLD.key,
            format('%s, lease %s of server %s', OLD.state, OLD.lease, OLD.replica),
            CASE TG_OP WHEN 'UPDATE' THEN format('%s, lease %s of server %s: %s', NEW.state, NEW.lease, NEW.replica, NEW.reason) END,
            wrong);
        RETURN NULL;
    END $$;
    CREATE OR REPLACE TRIGGER crash_test_job AFTER UPDATE OR DELETE ON job FOR EACH ROW EXECUTE FUNCTION crash_test_job();";

/// What breaks a rule.
pub const FOUND: &str = "
    SELECT format('%s was %s: %s, then %s', key, wrong, before, coalesce(after, 'gone')) FROM crash_test_job
    WHERE wrong IS NOT NULL";
