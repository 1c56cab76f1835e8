-- The id of the request that a delivery came in by, as its answer has it. From the inbox it goes along to the event and the
-- jobs, and from a job to those that it makes, so that one search of the log shows the way from a webhook to what was written
-- back. A job that was asked for by several has the newest.

ALTER TABLE event ADD COLUMN request_id TEXT;
ALTER TABLE job ADD COLUMN request_id TEXT;
