-- What OpenAI last said of a model's limits of a minute. Each server hears it with what it begins; what one has heard the others need not
-- begin anything to hear.
CREATE TABLE model_limit (
    model    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    requests BIGINT,
    tokens   BIGINT
);
