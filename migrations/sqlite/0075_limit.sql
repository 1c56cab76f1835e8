-- Servers that share a PostgreSQL keep the limits of their account at OpenAI together, in a row for each. The one server that works on a
-- file keeps them in its memory: here there is no row.
CREATE TABLE limit_bucket (
    name  TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL
);
