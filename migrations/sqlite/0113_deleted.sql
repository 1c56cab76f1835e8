-- When OpenAI first answered that a File object is deleted, if it still showed it. It has a quarter of an hour from then on to stop that.
ALTER TABLE copy ADD COLUMN deleted_at INTEGER;
