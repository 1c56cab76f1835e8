-- What a person says of the answer of a run: who, when, and in which words. It stands with the run, so it is about this content under
-- this definition, and ends with the answer that it is about. An accepted run needs no person any more, and is counted as accepted.
ALTER TABLE run ADD COLUMN verdict TEXT CHECK (verdict IN ('accepted', 'rejected'));
ALTER TABLE run ADD COLUMN verdict_by TEXT;
ALTER TABLE run ADD COLUMN verdict_note TEXT;
ALTER TABLE run ADD COLUMN verdict_at INTEGER;

DROP VIEW run_word;

CREATE VIEW run_word AS
SELECT run_id, CASE
    WHEN state <> 'ended' THEN CASE WHEN held_until IS NOT NULL THEN 'held' ELSE state END
    WHEN (outcome IN ('completed', 'superseded', 'cancelled') OR NOT EXISTS (
              SELECT 1 FROM file WHERE file.source_id = run.source_id AND file.state = 'gone'))
         AND NOT EXISTS (SELECT 1 FROM run AS newer
                         WHERE newer.source_id = run.source_id AND newer.rule = run.rule AND newer.run_id > run.run_id)
    THEN coalesce(verdict, outcome) END AS word
FROM run;

DROP TRIGGER run_moves;

CREATE TRIGGER run_moves AFTER UPDATE OF state, outcome, held_until, verdict ON run BEGIN
    UPDATE run SET counted = (SELECT word FROM run_word WHERE run_word.run_id = run.run_id)
    WHERE run_id = NEW.run_id;
END;

-- Whatever makes a run anew takes its answer away first, also a version of Docket that knows nothing of verdicts.
CREATE TRIGGER run_loses_its_answer AFTER UPDATE OF result ON run WHEN NEW.result IS NULL AND NEW.verdict IS NOT NULL BEGIN
    UPDATE run SET verdict = NULL, verdict_by = NULL, verdict_note = NULL, verdict_at = NULL WHERE run_id = NEW.run_id;
END;
