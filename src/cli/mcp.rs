//! `docket mcp`: the tools for agents over standard input and output, for one client that starts this program. Each line is a message.

use std::io::{self, BufRead, Read};

use clap::Args;
use serde_json::Value;

use super::failure::{Failure, Outcome};
use super::source::{HERE, Remote, known, named};
use super::{SettingsArgs, open, output, server};
use crate::app;
use crate::contain::blocking;
use crate::operate::Token;
use crate::operate::guard::Who;
use crate::operate::mcp::Mcp;
use crate::operate::mcp::message::{Call, Fault, INTERNAL_ERROR, Incoming, answer};

/// The longest line, as the server's limit of a body is.
const LONGEST: u64 = 2 * 1024 * 1024;

#[derive(Debug, Args)]
pub struct Arguments {
    /// Offer only the tools that read
    #[arg(long)]
    read_only: bool,
}

/// Who answers.
enum Answerer {
    Here { mcp: Box<Mcp>, who: Who },
    Server { remote: Remote, version: Option<String> },
}

pub async fn run(arguments: Arguments, settings: &SettingsArgs) -> Result<Outcome, Failure> {
    let config = settings.load()?;
    if let Some(url) = named(settings)? {
        if arguments.read_only {
            return Err(Failure::Usage(
                "--read-only: through a server the token says it; send DOCKET_VIEW_TOKEN and no other"
                    .to_owned(),
            ));
        }
        let remote = Remote::new(&url, &config)?;
        return serve(Answerer::Server { remote, version: None }).await;
    }
    // Asked before this process opens it.
    let server = server(&config).await?;
    let database = open(&config).await?;
    let mut known = known(&config);
    known.server = server;
    let api = app::api_beside(&config, &database, known).map_err(Failure::usage)?;
    let who = if arguments.read_only { Who(Token::View) } else { HERE };
    let outcome = serve(Answerer::Here { mcp: Box::new(Mcp::new(api)), who }).await;
    database.close().await;
    outcome
}

/// Answers line by line, until there are no more.
async fn serve(mut answerer: Answerer) -> Result<Outcome, Failure> {
    while let Some(line) = blocking(line).await? {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let answered = match Incoming::read(&line) {
            Ok(Incoming::Call(call)) => answerer.answer(&call, &line).await,
            Ok(Incoming::Notification) => continue,
            Err((id, fault)) => answer(&id, Err(fault)),
        };
        output::one_line(&answered)?;
    }
    Ok(Outcome::Done)
}

fn line() -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let read = io::stdin().lock().take(LONGEST).read_until(b'\n', &mut line)?;
    if read as u64 == LONGEST && !line.ends_with(b"\n") {
        return Err(io::Error::other(format!("a message has more than {LONGEST} bytes")));
    }
    Ok((read > 0).then_some(line))
}

impl Answerer {
    async fn answer(&mut self, call: &Call, line: &[u8]) -> Value {
        match self {
            Answerer::Here { mcp, who } => {
                let answered = match call.era(None) {
                    Ok(era) => mcp.answer(call, era, *who).await,
                    Err(fault) => Err(fault),
                };
                answer(&call.id, answered)
            }
            Answerer::Server { remote, version } => match remote.tell(call, line, version.as_deref()).await {
                Ok(answered) => {
                    // What was agreed on is said with each later request, as older revisions want it.
                    if let Some(agreed) = answered["result"]["protocolVersion"].as_str() {
                        *version = Some(agreed.to_owned());
                    }
                    answered
                }
                Err(words) => answer(&call.id, Err(Fault::new(INTERNAL_ERROR, words))),
            },
        }
    }
}
