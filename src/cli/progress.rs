//! How far long work is: a bar on a terminal, a plain line now and then elsewhere. On standard error, so that what a
//! command prints can be piped.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::output;
use super::shown::reveal;

/// Between plain lines. A log of an hour's work stays readable.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Work of which the end may not be known.
pub struct Progress {
    bar: Option<ProgressBar>,
    what: String,
    begun: Instant,
    /// What was done before this process, and does not count for the rate.
    before: u64,
    said: Instant,
}

impl Progress {
    /// Begins to show `what`, of which `before` are done already, of `total` if that is known.
    pub fn new(what: &str, before: u64, total: Option<u64>) -> Self {
        let what = reveal(what);
        let bar = io::stderr().is_terminal().then(|| bar(&what, before, total));
        let now = Instant::now();
        Progress { bar, what, begun: now, before, said: now }
    }

    pub fn at(&mut self, done: u64, note: &str) {
        match &self.bar {
            Some(bar) => {
                // What was expected was less than there is.
                if bar.length().is_some_and(|length| length < done) {
                    bar.set_length(done);
                }
                bar.set_position(done);
                bar.set_message(if note.is_empty() { String::new() } else { format!(" · {note}") });
            }
            None if self.said.elapsed() >= LINE_EVERY => {
                self.said = Instant::now();
                let rate = self.rate(done);
                output::complain(format!("{}: {done} ({rate} a second){}", self.what, comma(note)));
            }
            None => {}
        }
    }

    pub fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }

    fn rate(&self, done: u64) -> u64 {
        let seconds = self.begun.elapsed().as_secs_f64().max(0.001);
        (done.saturating_sub(self.before) as f64 / seconds).round() as u64
    }
}

fn comma(note: &str) -> String {
    if note.is_empty() { String::new() } else { format!(", {note}") }
}

/// Whole numbers: the digits behind the point of a rate tell a reader nothing.
fn rate(state: &ProgressState, out: &mut dyn std::fmt::Write) {
    let _ = write!(out, "{}", HumanCount(state.per_sec().round() as u64));
}

/// How long it still takes, once that can be told.
fn left(state: &ProgressState, out: &mut dyn std::fmt::Write) {
    if state.eta() > Duration::ZERO {
        let _ = write!(out, " · {} left", HumanDuration(state.eta()));
    }
}

fn bar(what: &str, before: u64, total: Option<u64>) -> ProgressBar {
    let target = ProgressDrawTarget::stderr_with_hz(5);
    let bar = match total {
        Some(total) => ProgressBar::with_draw_target(Some(total.max(before)), target),
        None => ProgressBar::with_draw_target(None, target),
    };
    let style = match total {
        Some(_) => "{prefix} [{bar:24}] {human_pos} of {human_len} · {rate} a second{left}{msg}",
        None => "{prefix} {spinner} {human_pos} · {rate} a second{msg}",
    };
    let style = ProgressStyle::with_template(style).expect("the templates are right");
    bar.set_style(style.progress_chars("=> ").with_key("rate", rate).with_key("left", left));
    bar.set_prefix(what.to_owned());
    bar.set_position(before);
    bar.reset_eta();
    bar
}
