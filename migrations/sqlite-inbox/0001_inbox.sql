-- The inbox: verified deliveries, exactly as they arrived, until the drain has turned them into events. It is a database file of
-- its own, so that an acknowledgement waits for no other writer, in this process or in another.
--
-- A sender is told 202 only after its row here is committed and synced, so this table is on the path of every
-- acknowledgement. It is append-only and carries no index besides its key: a unique index over random ids was measured
-- to be what limits acknowledgements, not the disk's sync. Repeats are therefore legal here; they fall in the drain.
CREATE TABLE inbox (
    -- The order of arrival. No number is used again: rows leave after their events are in the database, by their numbers.
    inbox_id     INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Unix milliseconds, by our clock.
    received_at  INTEGER NOT NULL,
    -- When it was signed, so that a replay of one whose event has no id of its own is known for what it is: the same bytes
    -- signed at the same time are the same delivery, and the same bytes signed at another time may be another change.
    signed_at    INTEGER,
    -- Which documented signature scheme matched, and which of the configured secrets, counted from 0.
    scheme       TEXT    NOT NULL CHECK (scheme <> ''),
    secret_index INTEGER NOT NULL CHECK (secret_index >= 0),
    -- A JSON object of the headers that help to explain a delivery. Never the signature.
    headers      TEXT    NOT NULL,
    -- The bytes that were signed.
    body         BLOB    NOT NULL,
    -- The id of the request that it came by: `X-Request-Id` of the sender, or one of ours, as the answer has it. NULL for one that
    -- an earlier version took in.
    request_id   TEXT
) STRICT;
