-- The inbox is a database file of its own. Whoever opens the database has copied what waited here (`database/apart.rs`).
DROP TABLE inbox;
