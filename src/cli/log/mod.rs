//! Sets up the log of the commands that run: to standard error, as text for a person at a terminal and as JSON elsewhere.
//!
//! Nothing depends on the log: a line that cannot be written is counted, and the count is logged when writing works again; a
//! reader that does not read holds up nothing.

mod json;
mod lines;

use std::io::{self, IsTerminal};

use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use self::json::JsonLines;
pub use self::lines::Log;
use super::failure::Failure;
use crate::config::{LogFormat, LogSettings};
use crate::contain;
use crate::telemetry::trace::{self, Export, Spans};

/// The log alone, for what sends no traces. What is left of it is written when the answer is dropped, at the end of the command.
///
/// # Errors
/// A filter that cannot be read.
#[cfg(feature = "sandbox")]
pub fn start(settings: &LogSettings) -> Result<Log, Failure> {
    start_with(settings, None)
}

/// The log, and traces where somebody collects them.
///
/// # Errors
/// As [`start`], and variables that name no collector that can be.
pub fn start_with_traces(settings: &LogSettings) -> Result<(Option<Export>, Log), Failure> {
    let variable = |name: &str| std::env::var(name).ok();
    let (spans, export) = trace::start(variable).map_err(Failure::usage)?.unzip();
    Ok((export, start_with(settings, spans)?))
}

fn start_with(settings: &LogSettings, spans: Option<Spans>) -> Result<Log, Failure> {
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
    let lines = fmt::layer().with_writer(log.lines()).log_internal_errors(false);
    let lines = if text {
        lines.with_ansi(terminal && super::text::colour_wanted()).with_target(false).boxed()
    } else {
        lines.fmt_fields(JsonFields::new()).event_format(JsonLines).boxed()
    };
    // Spans for a collector are made only where there is one, and stand in no line.
    let off = format!("{}=off", trace::TARGET).parse().expect("a target that is off");
    let filter = filter.add_directive(off);
    // Nothing in this process sets up a log before this; in a test that did, its own stays.
    let _ = match spans {
        None => Registry::default().with(lines.with_filter(filter)).try_init(),
        Some(spans) => {
            let spans = spans.with_filter(filter_fn(trace::is_ours));
            Registry::default().with(lines.with_filter(filter)).with(spans).try_init()
        }
    };
    // The standard hook would write to standard error by itself, and wait there for a reader that does not read.
    contain::tell_panics();
    Ok(log)
}
