-- Whether a job waits because it failed. Then news of its file must not shorten the wait: the service asked for it, or
-- cannot do better. Any other wait is for something to happen, and news may be it. The number of attempts does not tell
-- the two apart: a worker that was killed leaves one that has nothing to do with the wait.

ALTER TABLE job ADD COLUMN backs_off INTEGER NOT NULL DEFAULT 0;

UPDATE job SET backs_off = 1 WHERE state = 'waiting' AND attempt > 0;
