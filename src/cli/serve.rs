//! `docket serve`: the server, until it is told to stop.

use tokio_util::sync::CancellationToken;

use super::failure::{Failure, Outcome};
use super::log;
use super::signals::Signals;
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;

pub async fn run(config: &Config) -> Result<Outcome, Failure> {
    log::start(&config.log)?;
    // Before anything is begun, so that a stop during the start is a stop too.
    let mut signals = Signals::listen()?;
    let stop = CancellationToken::new();
    let serve = async {
        let app = App::start(config, Clock::default()).await?;
        app.run_until(stop.cancelled()).await
    };
    signals.guard(&stop, serve).await?;
    Ok(Outcome::Done)
}
