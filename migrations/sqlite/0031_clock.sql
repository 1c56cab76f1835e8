-- How late it has been. A machine's clock may be set back while Docket runs or between two runs; everything that waits
-- was written down by a clock that never goes back, and this is where the next server goes on.

CREATE TABLE clock (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    seen_at INTEGER NOT NULL
);
