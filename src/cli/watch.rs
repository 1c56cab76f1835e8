//! `docket watch`: what happens, line by line, as it happens. It ends when it is told to, as by Ctrl-C.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use clap::Args;

use super::explain::{took, words};
use super::failure::{Failure, Outcome};
use super::shown::Shown;
use super::signals::Signals;
use super::source::Source;
use super::table::mood;
use super::text::Paint;
use super::{SettingsArgs, output};
use crate::operate::query::watch::{Seen, Watch};
use crate::operate::words::stamp;

/// How often it is asked what is new. A person reads no faster.
const PAUSE: Duration = Duration::from_millis(500);

/// Ids that are kept, to tell nothing twice: several times what is asked for once more.
const KEPT: usize = 10_000;

#[derive(Debug, Args)]
pub struct Arguments {
    /// Print each as one line of JSON; times are Unix milliseconds
    #[arg(long)]
    json: bool,
}

pub async fn run(arguments: Arguments, settings: &SettingsArgs) -> Result<Outcome, Failure> {
    let mut signals = Signals::listen()?;
    let source = Source::open(settings).await?;
    let ended = tokio::select! {
        ended = follow(&source, arguments.json) => ended,
        () = signals.next() => Ok(()),
    };
    source.close().await;
    ended.map(|()| Outcome::Done)
}

async fn follow(source: &Source, json: bool) -> Result<(), Failure> {
    let mut told = Told::default();
    let mut watch = Watch { after: Some(source.ask(&Watch::default()).await?.next) };
    // What was before, of which some is told once more.
    let before = source.ask(&watch).await?;
    for seen in &before.rows {
        told.is_new(&seen.id);
    }
    watch.after = Some(before.next);
    output::complain("What happens from now on; Ctrl-C ends it.");
    loop {
        let page = source.ask(&watch).await?;
        watch.after = Some(page.next);
        for seen in page.rows.iter().filter(|seen| told.is_new(&seen.id)) {
            match json {
                true => output::one_line(seen)?,
                false => output::line(line(seen, Paint::stdout()))?,
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn line(seen: &Seen, paint: Paint) -> Shown {
    let Seen { entry, path, source_id, .. } = seen;
    let kind = entry.kind.as_str();
    let about = path.as_deref().or(source_id.as_deref()).unwrap_or("–");
    let at = stamp(entry.ended_at.unwrap_or(entry.began_at));
    let took = match entry.milliseconds() {
        Some(ms) if ms > 0 => format!(" ({})", took(ms)),
        _ => String::new(),
    };
    let words = words(entry);
    let between = if words.is_empty() { "" } else { "  " };
    paint.dim(at) + "  " + paint.mood(mood(kind), kind).padded(11) + "  " + about + between + words + took
}

/// What was told already.
#[derive(Default)]
struct Told {
    ids: HashSet<String>,
    order: VecDeque<String>,
}

impl Told {
    fn is_new(&mut self, id: &str) -> bool {
        if !self.ids.insert(id.to_owned()) {
            return false;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}
