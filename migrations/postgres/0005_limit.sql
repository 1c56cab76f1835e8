-- Servers that share an account at OpenAI keep its limits together: a row for each limit says how many of its tokens each has drawn, and
-- when those come back that were used. A server draws what it needs for about a second at once, so a row changes some times a second.
CREATE TABLE limit_bucket (
    name  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    state TEXT COLLATE "C" NOT NULL                       -- JSON
) WITH (fillfactor = 10);
