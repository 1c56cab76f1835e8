//! `docket serve`: the server, until it is told to stop.

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::failure::{Failure, Outcome};
use super::introduction::introduce;
use super::log;
use super::signals::Signals;
use crate::app::{App, Start};
use crate::clock::Clock;
use crate::config::Config;

#[derive(Debug, Args)]
pub struct Arguments {
    /// Begin with an empty database although the vector stores hold copies that another one made: everything is uploaded,
    /// and paid for, once more
    #[arg(long)]
    start_anew: bool,
}

pub async fn run(arguments: Arguments, config: &Config) -> Result<Outcome, Failure> {
    let _log = log::start_with_traces(&config.log)?;
    // Before anything is begun, so that a stop during the start is a stop too.
    let mut signals = Signals::listen()?;
    introduce(config);
    let stop = CancellationToken::new();
    let serve = async {
        let app =
            App::start(config, Clock::default(), Start { anew: arguments.start_anew, ..Start::default() })
                .await?;
        app.run_until(stop.cancelled()).await
    };
    signals.guard(&stop, serve).await?;
    Ok(Outcome::Done)
}
