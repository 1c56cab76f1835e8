//! What must not hurt Docket: Fastio or OpenAI down for an hour, clocks that step, a database that is locked.

mod breaker;
mod clock;
mod hour;
mod locked;
