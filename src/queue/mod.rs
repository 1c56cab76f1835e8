//! The job table: due, held, dead. It knows nothing of the work.
