//! Proof by killing: the real server, killed with SIGKILL at random moments while files change and both services
//! misbehave, and what must hold at the end all the same. `scripts/crash-test --help` tells more.
//!
//! The server and the stand-ins are processes of their own ([`fleet`]). With `--cluster` there are several servers, on a PostgreSQL that is
//! harmed as well ([`cluster`]). A [`script`] of changes and a plan of [`faults`] follow
//! from the seed; moments do not, because the machine has a say in them. [`check`] judges what is left: it is pure, and
//! `tests/it/crash.rs` shows that it finds what it is to find. This never touches a server's state from outside: it looks
//! at the database with connections that only read, and has none open when it kills.

mod check;
mod cluster;
mod database;
mod deliver;
mod faults;
mod fleet;
mod journal;
mod kill;
mod options;
mod order;
mod report;
mod script;
mod server;
mod settle;
mod stands;
mod work;

use std::process::ExitCode;

use clap::Parser;

use options::Options;
use report::Report;

#[tokio::main]
async fn main() -> ExitCode {
    // `cargo bench` adds a flag of its own.
    let arguments = std::env::args().filter(|argument| argument != "--bench");
    let options = Options::parse_from(arguments);
    match run(&options).await {
        Ok(report) => {
            report.print(&options);
            if report.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("crash test: {error:#}\nTo run it again: {}", options.command());
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> anyhow::Result<Report> {
    let mut fleet = fleet::Fleet::start(options).await?;
    let worked = work::work(options, &mut fleet).await;
    let ended = match worked {
        Ok(worked) => settle::settle(options, &mut fleet, worked).await,
        Err(error) => Err(error),
    };
    // What is there to look at stays when there is something to find out.
    match &ended {
        Ok(report) if report.holds() && !options.keep => {}
        _ => fleet.keep(),
    }
    ended
}
