-- One server works on the database at a time, and this says which. A server that was taken for dead, and was only slow, may still write;
-- so each of its transactions asks whether it still holds the database, and PostgreSQL takes care that no answer is out of date: a
-- transaction that writes and the one that hands the database on are both serializable.
--
-- Two tables, because the second changes every second and the first only when another server takes over: a change by a transaction
-- that is not serializable would hide the next one that is from those who have read the row.

CREATE TABLE server_tenure (
    only_row BIGINT           NOT NULL PRIMARY KEY CHECK (only_row = 1),
    -- Goes up by one with each server.
    epoch    BIGINT           NOT NULL,
    -- Who it is, for people.
    holder   TEXT COLLATE "C" NOT NULL
);

CREATE TABLE server_lease (
    only_row BIGINT      NOT NULL PRIMARY KEY CHECK (only_row = 1),
    epoch    BIGINT      NOT NULL,
    -- By this server's clock.
    until    TIMESTAMPTZ NOT NULL
) WITH (fillfactor = 10);

INSERT INTO server_tenure (only_row, epoch, holder) VALUES (1, 0, '');
INSERT INTO server_lease (only_row, epoch, until) VALUES (1, 0, '-infinity');

CREATE FUNCTION docket_holds(mine BIGINT) RETURNS BIGINT LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM server_tenure WHERE only_row = 1 AND epoch = mine) THEN
        RAISE EXCEPTION 'another server works on this database since' USING ERRCODE = 'DK001';
    END IF;
    RETURN mine;
END $$;
