-- What was answered to what changes something through the operator listener, by the key that the client gave it (`Idempotency-Key`): asked
-- once more, as after an answer that was lost, it is answered the same and done no second time. Kept for a day.
-- needs 9
CREATE TABLE answer (
    who    TEXT COLLATE "C" NOT NULL,
    key    TEXT COLLATE "C" NOT NULL,
    -- What was asked, as a hash: a key names one thing.
    asked  TEXT COLLATE "C" NOT NULL,
    status BIGINT NOT NULL,
    body   TEXT COLLATE "C" NOT NULL,
    at     BIGINT NOT NULL,
    PRIMARY KEY (who, key)
);

CREATE INDEX answer_at ON answer (at);
