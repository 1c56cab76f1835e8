//! Sets up the log of the commands that run: to standard error, as text for a person at a terminal and as JSON elsewhere.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use super::failure::Failure;
use crate::config::{LogFormat, LogSettings};

/// # Errors
/// A filter that cannot be read.
pub fn start(settings: &LogSettings) -> Result<(), Failure> {
    let filter = EnvFilter::builder()
        .parse(&settings.filter)
        .map_err(|error| Failure::Usage(format!("log.filter: {error}")))?;
    let terminal = io::stderr().is_terminal();
    let text = match settings.format {
        LogFormat::Auto => terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let log = fmt().with_env_filter(filter).with_writer(io::stderr);
    // Nothing in this process sets up a log before this; in a test that did, its own stays.
    let _ = if text {
        log.with_ansi(terminal && super::text::colour_wanted()).with_target(false).try_init()
    } else {
        log.json().flatten_event(true).try_init()
    };
    Ok(())
}
