//! Docket's story, told against the real program: real HTTP, a real database, stand-ins with faults switched on.

mod cli;
mod clients;
mod crash;
mod documents;
mod feed;
mod harness;
mod kill;
mod memory;
mod mixed;
mod openapi;
mod operate;
mod outage;
mod queue;
mod quirks;
mod receive;
mod receive_kill;
mod run;
mod run_clients;
mod run_ends;
mod run_engines;
mod run_leftovers;
mod sandbox_fastio;
mod sandbox_openai;
mod secrets;
mod sweep;
mod sync;
