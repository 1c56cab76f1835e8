-- What was answered to what changes something through the operator listener, by the key that the client gave it (`Idempotency-Key`): asked
-- once more, as after an answer that was lost, it is answered the same and done no second time. Kept for a day.
-- needs 79
CREATE TABLE answer (
    who    TEXT NOT NULL,
    key    TEXT NOT NULL,
    -- What was asked, as a hash: a key names one thing.
    asked  TEXT NOT NULL,
    status INTEGER NOT NULL,
    body   TEXT NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (who, key)
) STRICT;

CREATE INDEX answer_at ON answer (at);
