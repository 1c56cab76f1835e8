-- What runs cost, try by try, and how fast runs of a model may begin. A try is one response that was begun: a run whose answer was
-- broken, or whose response failed, has several, and each is paid for. The rows add up to what a rule spent within a day, which is
-- limited, and to what a run cost.

CREATE TABLE run_try (
    try_id        INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id        INTEGER NOT NULL,     -- no reference: a version of Docket that does not know this table forgets runs too
    rule          TEXT    NOT NULL,
    model         TEXT    NOT NULL,     -- as configured; empty where an assistant has its own
    begun_at      INTEGER NOT NULL,
    expected      INTEGER NOT NULL,     -- tokens, guessed before it began; they count until OpenAI says how many there were
    input_tokens  INTEGER,
    output_tokens INTEGER,
    cost          INTEGER,              -- millionths of a US dollar, by the prices in the settings when it ended
    ended         TEXT                  -- how, in one word; NULL while it may go on
);

CREATE INDEX run_try_rule ON run_try (rule, begun_at);
CREATE INDEX run_try_begun ON run_try (begun_at);
CREATE INDEX run_try_run ON run_try (run_id);
CREATE INDEX run_try_going ON run_try (model) WHERE ended IS NULL;

-- What earlier versions began: one try each, as far as they wrote it down.
INSERT INTO run_try (run_id, rule, model, begun_at, expected, input_tokens, output_tokens, ended)
SELECT run_id, rule, coalesce(model, ''), begun_at, 0, input_tokens, output_tokens,
       CASE WHEN state IN ('starting', 'running') THEN NULL ELSE 'ended' END
FROM run WHERE begun_at IS NOT NULL;

-- Tries that do not count as such: a limit of the account ended them.
ALTER TABLE run ADD COLUMN excused INTEGER NOT NULL DEFAULT 0;
-- Millionths of a US dollar, over all its tries.
ALTER TABLE run ADD COLUMN cost INTEGER;
-- It is made in no conversation, because the server has none.
ALTER TABLE run ADD COLUMN alone INTEGER NOT NULL DEFAULT 0;
-- How the run is shown the document once that was too large for the way of its rule.
ALTER TABLE run ADD COLUMN other_way TEXT;

-- Runs that wait for their turn.
CREATE INDEX run_wanted ON run (coalesce(model, '')) WHERE state = 'wanted';

-- A model whose runs begin a few at a time, since a limit of the account was met or the service had trouble with it. The row goes
-- when all goes well again.
CREATE TABLE model_pace (
    model     TEXT    PRIMARY KEY,      -- empty where assistants have their own
    reason    TEXT    NOT NULL,
    since     INTEGER NOT NULL,
    struck_at INTEGER NOT NULL,         -- when it was met last
    strikes   INTEGER NOT NULL,         -- how often in a row
    until     INTEGER NOT NULL,         -- until then none begins
    allowed   INTEGER NOT NULL          -- and from then on so many at once
);
