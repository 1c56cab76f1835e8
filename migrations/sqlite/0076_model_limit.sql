-- What OpenAI last said of a model's limits of a minute. A server that starts need not begin anything to hear it, nor need one of several
-- that share a PostgreSQL.
CREATE TABLE model_limit (
    model    TEXT NOT NULL PRIMARY KEY,
    requests INTEGER,
    tokens   INTEGER
);
