-- A vector store that is full continues in the next. Those that Docket makes for that are rows of `vector_store` like those that a rule has
-- made: the row is the intent, and one that is lost is made anew. Without a rule's name they are called after the first and have a number.
--
-- `full_store` has a row for each store that a rule's files have been too many for, and says in which they go on. It stays when there is room
-- again: who searches the first store by themselves has to search the next one too, from then on.
-- needs 26
ALTER TABLE vector_store ADD COLUMN continues TEXT COLLATE "C";    -- the id of the first store
ALTER TABLE vector_store ADD COLUMN number BIGINT;                 -- from 2

CREATE INDEX vector_store_continues ON vector_store (continues, number) WHERE continues IS NOT NULL;

CREATE TABLE full_store (
    vector_store TEXT COLLATE "C" PRIMARY KEY,
    next         TEXT COLLATE "C",              -- in which it continues; not known while that is being found
    since        BIGINT           NOT NULL,     -- Unix milliseconds
    held         BIGINT,                        -- copies of ours that were in it when OpenAI refused one more
    refused_at   BIGINT                         -- when that was
);

CREATE FUNCTION full_store_is_news() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO news (endpoint, kind, about, made_at)
    SELECT endpoint, kind, NEW.vector_store || ' continues in ' || NEW.next, NEW.since FROM news_channel
    WHERE closed = 0 AND kind = 'store_full';
    RETURN NULL;
END $$;
CREATE TRIGGER full_store_is_news AFTER INSERT ON full_store FOR EACH ROW
WHEN (NEW.next IS NOT NULL) EXECUTE FUNCTION full_store_is_news();
CREATE TRIGGER full_store_becomes_news AFTER UPDATE OF next ON full_store FOR EACH ROW
WHEN (NEW.next IS NOT NULL AND OLD.next IS NULL) EXECUTE FUNCTION full_store_is_news();
