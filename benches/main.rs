//! The benchmarks behind `scripts/bench NAME`. Each prints its rows as they come, and exits 1 when a
//! promise does not hold.
//!
//! This is a program of its own beside Docket: it talks to the server over HTTP and looks into its database from outside
//! ([`database`]). Only [`quotes`] and [`drain`] call the library itself. What a rate is compared with runs in the same run, on the same cores and the same disk.

mod ack;
mod bare;
mod calls;
mod database;
mod drain;
mod footprint;
mod growth;
mod http;
mod latency;
mod load;
mod machine;
mod postgres;
mod process;
mod quotes;
mod report;
mod server;
mod stands;
mod transfer;

use std::process::ExitCode;

use clap::Parser;

/// Measures what Docket promises, beside what it is compared with.
#[derive(Debug, Parser)]
#[command(name = "scripts/bench", disable_help_subcommand = true)]
enum Bench {
    Ack(ack::Options),
    Calls(calls::Options),
    Drain(drain::Options),
    Footprint(footprint::Options),
    Growth(growth::Options),
    Latency(latency::Options),
    Postgres(postgres::Options),
    Quotes(quotes::Options),
    Transfer(transfer::Options),
    #[command(hide = true)]
    Bare(bare::Options),
}

fn main() -> ExitCode {
    // `cargo bench` adds a flag of its own.
    let arguments = std::env::args().filter(|argument| argument != "--bench");
    let ended = match Bench::parse_from(arguments) {
        Bench::Ack(options) => ack::run(options),
        Bench::Calls(options) => calls::run(options),
        Bench::Drain(options) => drain::run(options),
        Bench::Footprint(options) => footprint::run(options),
        Bench::Growth(options) => growth::run(options),
        Bench::Latency(options) => latency::run(options),
        Bench::Postgres(options) => postgres::run(options),
        Bench::Quotes(options) => quotes::run(&options),
        Bench::Transfer(options) => transfer::run(options),
        Bench::Bare(options) => bare::run(&options),
    };
    ended.unwrap_or_else(|error| {
        eprintln!("bench: {error:#}");
        ExitCode::FAILURE
    })
}
