-- When a delivery was signed, so that a replay of one whose event has no id of its own is known for what it is: the same
-- bytes signed at the same time are the same delivery, and the same bytes signed at another time may be another change.

ALTER TABLE inbox ADD COLUMN signed_at INTEGER;
