-- What each definition of a rule asks, and since when: a result says so, also once its rule asks something else.
CREATE TABLE question (
    definition TEXT    NOT NULL PRIMARY KEY,
    prompt     TEXT,                            -- NULL: of a definition that was asked before this was kept
    since      INTEGER NOT NULL
) WITHOUT ROWID;

INSERT INTO question (definition, since) SELECT definition, MIN(created_at) FROM run GROUP BY definition;
