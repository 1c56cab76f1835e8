//! Sets up the log of the commands that run: to standard error, as text for a person at a terminal and as JSON elsewhere.
//!
//! Nothing depends on the log: a line that cannot be written is counted, and the count is logged when writing works again; a
//! reader that does not read holds up nothing.

mod json;
mod lines;

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::fmt::format::JsonFields;

use self::json::JsonLines;
pub use self::lines::Log;
use super::failure::Failure;
use crate::config::{LogFormat, LogSettings};
use crate::contain;

/// What is left of the log is written when the answer is dropped, at the end of the command.
///
/// # Errors
/// A filter that cannot be read.
pub fn start(settings: &LogSettings) -> Result<Log, Failure> {
    let filter = EnvFilter::builder()
        .parse(&settings.filter)
        .map_err(|error| Failure::Usage(format!("log.filter: {error}")))?;
    let terminal = io::stderr().is_terminal();
    let text = match settings.format {
        LogFormat::Auto => terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let log = Log::to(io::stderr())?;
    // The subscriber's own way to tell of a line that it cannot write is to print another one, which panics.
    let lines = fmt().with_env_filter(filter).with_writer(log.lines()).log_internal_errors(false);
    // Nothing in this process sets up a log before this; in a test that did, its own stays.
    let _ = if text {
        lines.with_ansi(terminal && super::text::colour_wanted()).with_target(false).try_init()
    } else {
        lines.fmt_fields(JsonFields::new()).event_format(JsonLines).try_init()
    };
    // The standard hook would write to standard error by itself, and wait there for a reader that does not read.
    contain::tell_panics();
    Ok(log)
}
