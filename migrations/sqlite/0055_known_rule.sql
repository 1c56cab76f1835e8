-- The rules as they were at the last start, so that a rule is the same one under a new name: its runs and results are found by its
-- name, and a rule that nobody knows would run over everything once more and write a second result beside each first.
CREATE TABLE known_rule (
    rule    TEXT    PRIMARY KEY,
    id      TEXT,                   -- as set; NULL: known by what it is
    what    TEXT    NOT NULL,       -- hash of whose files it takes, to where, and what is run over them
    seen_at INTEGER NOT NULL
);
