-- Several servers work on the database at a time, each as a replica. A replica that was taken for dead, and was only slow, may still
-- write; so each of its transactions asks whether its row is still there, and PostgreSQL takes care that no answer is out of date: a
-- transaction that writes and the one that removes a replica are both serializable. What a replica had in hand is due again once its
-- row is gone: a job names the replica that works on it.
--
-- Two tables, because the second changes every second and the first only when a server comes or goes: a change by a transaction that is
-- not serializable would hide the next one that is from those who have read the row.
--
-- A server of the version before asks `docket_holds`, which is no more: it writes nothing from now on.

DROP FUNCTION docket_holds(BIGINT);
DROP TABLE server_lease;
DROP TABLE server_tenure;

CREATE TABLE replica (
    replica_id BIGINT           NOT NULL PRIMARY KEY,     -- one for each start, by chance, never used again
    name       TEXT COLLATE "C" NOT NULL,                 -- who it is, for people
    began_at   BIGINT           NOT NULL,                 -- Unix milliseconds, by this server's clock
    -- It is no server, and none may work beside it: a rebuild.
    is_alone   BIGINT           NOT NULL DEFAULT 0
);

CREATE TABLE replica_lease (
    replica_id BIGINT      NOT NULL PRIMARY KEY,
    -- By this server's clock.
    until      TIMESTAMPTZ NOT NULL
) WITH (fillfactor = 10);

-- What one replica does at a time. Whoever has taken it has it for as long as its own row lives.
CREATE TABLE leader (
    role       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    replica_id BIGINT           NOT NULL REFERENCES replica ON DELETE CASCADE,
    -- Until when at most, by this server's clock, where it is taken for one thing only.
    until      TIMESTAMPTZ      NOT NULL DEFAULT 'infinity'
);
CREATE INDEX leader_replica ON leader (replica_id);

CREATE FUNCTION replica_lives(mine BIGINT) RETURNS BIGINT LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM replica WHERE replica_id = mine) THEN
        RAISE EXCEPTION 'others have taken over what this server did, because it was not heard of' USING ERRCODE = 'DK001';
    END IF;
    RETURN mine;
END $$;

-- The replica that took it last.
ALTER TABLE job ADD COLUMN replica BIGINT;

-- What one replica knows of a pause, all do: how often it was probed in vain, and whether a probe has confirmed it.
ALTER TABLE pause ADD COLUMN probes BIGINT NOT NULL DEFAULT 0;
ALTER TABLE pause ADD COLUMN confirmed BIGINT NOT NULL DEFAULT 1;
