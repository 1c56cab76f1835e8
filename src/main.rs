//! The program: parse, build, run.

use std::process::ExitCode;

use clap::Parser;
use docket::cli::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    Cli::parse().run().await
}
