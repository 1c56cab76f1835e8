//! The way of a file, as a list in the order of time with a bar for each thing that took some.

use super::page::{Cell, class};
use crate::history::{Entry, Kind, Phase, Timeline};
use crate::operate::words::{Mood, lasted, stamp};

/// The newest entries that one page shows.
const MOST: usize = 120;

/// How wide the time since the newest change is drawn, in units of the drawing.
const WIDE: i64 = 1000;

#[derive(Debug, Clone)]
pub struct Step {
    pub at: Cell,
    pub kind: &'static str,
    pub class: &'static str,
    pub words: String,
    pub took: String,
    pub who: String,
    /// Where its bar begins and how wide it is; none of what came before the newest change.
    pub bar: Option<(i64, i64)>,
    pub phase: &'static str,
}

#[derive(Debug, Clone, Default)]
pub struct Way {
    pub steps: Vec<Step>,
    /// Where the time since the newest change went, in words.
    pub spent: Vec<(String, &'static str)>,
    pub took: String,
    pub cut: bool,
}

impl Way {
    pub fn of(timeline: &Timeline, now: i64) -> Way {
        let since = timeline.since.unwrap_or(i64::MAX);
        let end = timeline.entries.iter().map(|entry| entry.ended_at.unwrap_or(now)).max().unwrap_or(now);
        let whole = (end - since).max(1);
        let left_out = timeline.entries.len().saturating_sub(MOST);
        let shown = timeline.entries.iter().skip(left_out);
        let spent = timeline.spent.iter().filter(|spent| spent.milliseconds > 0);
        Way {
            steps: shown.map(|entry| step(entry, (since, whole), now)).collect(),
            spent: spent
                .map(|spent| {
                    (format!("{}: {}", spent.phase.words(), lasted(spent.milliseconds)), spent.phase.as_str())
                })
                .collect(),
            took: timeline.took().map(lasted).unwrap_or_default(),
            cut: timeline.cut || left_out > 0,
        }
    }
}

fn step(entry: &Entry, (since, whole): (i64, i64), now: i64) -> Step {
    let mood = match entry.kind {
        Kind::Failed | Kind::Dead | Kind::Interrupted => Mood::Bad,
        Kind::Waited | Kind::Working => Mood::Waiting,
        Kind::Settled => Mood::Good,
        Kind::Received | Kind::Did(_) => Mood::Plain,
    };
    let ended_at = entry.ended_at.unwrap_or(now);
    let is_drawn = entry.began_at >= since && entry.phase != Phase::Moment;
    let x = (entry.began_at.saturating_sub(since)).clamp(0, whole) * WIDE / whole;
    let width = ((ended_at - entry.began_at).max(0) * WIDE / whole).clamp(3, WIDE);
    let attempt = entry.attempt.filter(|attempt| *attempt > 1).map(|attempt| format!("attempt {attempt}"));
    let times = (entry.times > 1).then(|| format!("{} times", entry.times));
    let rule = entry.rule.as_ref().map(|rule| format!("rule {rule}"));
    let parts = [attempt, times, rule, entry.server.clone()].into_iter().flatten();
    let words = if entry.words.is_empty() { entry.phase.words().to_owned() } else { entry.words.clone() };
    Step {
        at: Cell { words: stamp(entry.began_at), ..Cell::past(entry.began_at, now) },
        kind: entry.kind.as_str(),
        class: class(mood),
        words,
        took: match (entry.phase, entry.ended_at) {
            (_, None) => "goes on".to_owned(),
            (Phase::Moment, Some(_)) => String::new(),
            (_, Some(ended_at)) => lasted(ended_at - entry.began_at),
        },
        who: parts.collect::<Vec<_>>().join(", "),
        bar: is_drawn.then_some((x.min(WIDE - 3), width)),
        phase: entry.phase.as_str(),
    }
}
