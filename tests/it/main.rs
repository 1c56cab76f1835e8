//! Docket's story, told against the real program: real HTTP, a real database, stand-ins with faults switched on.

mod clients;
mod queue;

mod receive;
