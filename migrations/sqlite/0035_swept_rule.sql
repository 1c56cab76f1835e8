-- The rules as they were at the last sweep that put everything right. When they differ at a start, a sweep begins at once:
-- who excludes a confidential folder must not wait a day until it is found no more.
CREATE TABLE swept_rule (
    rule        TEXT    PRIMARY KEY,
    fingerprint TEXT    NOT NULL,   -- of what says which files go where
    swept_at    INTEGER NOT NULL
);
