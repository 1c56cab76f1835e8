-- What a person has a server sweep, in a page or by the operator API, is kept as the sweeps that come by themselves are: also one of a
-- single rule, and one that only says what it would do, with the first of what it found. And a sweep that stopped for a person is
-- approved or dismissed; until then it waits for one.
-- needs 9

ALTER TABLE sweep ADD COLUMN rule TEXT COLLATE "C";            -- NULL for all of them
ALTER TABLE sweep ADD COLUMN decided TEXT COLLATE "C" CHECK (decided IN ('approved', 'dismissed'));
-- Last of all: it may be long, and who reads the rest does not read past it.
ALTER TABLE sweep ADD COLUMN findings TEXT COLLATE "C";        -- the first differences, JSON; NULL from earlier versions
