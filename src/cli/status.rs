//! `docket status`: what waits, what is held, and what came in.

use clap::Args;

use super::failure::{Failure, Outcome};
use super::shown::Shown;
use super::table::{Column, Cut, Mood, Table, plain};
use super::text::{Paint, count, when};
use super::{Form, open, output};
use crate::clock::Clock;
use crate::config::Config;
use crate::feed::store::Way;
use crate::operate::status::{COPY_STATES, FILE_STATES, JOB_STATES, RUN_STATES, Seen, of};
use crate::queue::store::PauseRow;

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    form: Form,
}

pub async fn run(arguments: Arguments, config: &Config) -> Result<Outcome, Failure> {
    let database = open(config).await?;
    let seen = Seen::read(&database).await;
    database.close().await;
    let seen = seen?;
    if arguments.form.json {
        output::json(&seen.rows())?;
    } else {
        output::lines(seen.words(Clock::default().now(), Paint::stdout()))?;
    }
    Ok(Outcome::Done)
}

/// How it is told to a person.
impl Seen {
    fn words(&self, now: i64, paint: Paint) -> Vec<Shown> {
        let mut text = Vec::new();
        let mut section = |title: &str, lines: Vec<(String, Shown)>| {
            text.push(paint.bold(title));
            text.extend(
                lines.into_iter().map(|(name, value)| Shown::from(format!("  {name:<WORD$}")) + value),
            );
        };
        let states = |states: &[&str], counts: &[(String, i64)]| in_words(states, counts, paint);
        section(
            "Left to do",
            vec![
                ("inbox".to_owned(), count(self.inbox.unsigned_abs(), "delivery").into()),
                ("jobs".to_owned(), states(&JOB_STATES, &self.jobs)),
            ],
        );
        section(
            "Held",
            vec![
                ("files".to_owned(), states(&FILE_STATES, &self.files)),
                ("copies".to_owned(), states(&COPY_STATES, &self.copies)),
            ],
        );
        let runs = self.run_words(now, paint);
        if !runs.is_empty() {
            section("Runs", runs);
        }
        section("Received", self.received_words(paint));
        let learnt = self.learnt_words(now, paint);
        if !learnt.is_empty() {
            section("Besides webhooks", learnt);
        }
        if !self.pauses.is_empty() {
            text.push(paint.bad("Paused, and tried again by itself"));
            text.extend(pauses(&self.pauses, now).render(paint));
        }
        if of(&self.jobs, "dead") > 0 {
            text.push(Shown::default());
            text.push(
                "Dead jobs wait for a person: docket jobs list --state dead, then jobs retry or discard."
                    .into(),
            );
        }
        text
    }

    /// How the runs stand, and what keeps some of them waiting. Nothing where none ever was.
    fn run_words(&self, now: i64, paint: Paint) -> Vec<(String, Shown)> {
        let mut lines = Vec::new();
        if self.runs.iter().any(|(_, runs)| *runs > 0) {
            lines.push(("runs".to_owned(), in_words(&RUN_STATES, &self.runs, paint)));
        }
        for held in &self.held {
            let until =
                held.until.map(|until| format!(" ({})", when(until.max(now), now))).unwrap_or_default();
            let words = format!("{} of {}: {}{until}", held.runs, held.rule, held.reason);
            lines.push(("held".to_owned(), words.into()));
        }
        let (left, unanswered) = self.leftovers;
        if left > 0 {
            lines.push((
                "left behind".to_owned(),
                format!("{left} to be taken away at Fastio or OpenAI").into(),
            ));
        }
        if unanswered > 0 {
            let words = format!(
                "{} may be at OpenAI that nobody can find",
                count(unanswered.unsigned_abs(), "empty conversation")
            );
            lines.push(("unanswered".to_owned(), words.into()));
        }
        lines
    }

    /// How else changes are learnt.
    fn learnt_words(&self, now: i64, paint: Paint) -> Vec<(String, Shown)> {
        let mut lines = Vec::new();
        if let Some(feed) = &self.feed {
            let words = match (&feed.reason, feed.way()) {
                (None, _) => format!("followed since {}", when(feed.since, now)).into(),
                (Some(reason), Way::Search) => {
                    paint.bad(format!("refused, so events are searched: {reason}"))
                }
                (Some(reason), _) => paint.bad(format!("refused, and event search too: {reason}")),
            };
            lines.push(("change feed".to_owned(), words));
        }
        if let Some(sweep) = &self.sweep {
            let ended = when(sweep.ended_at, now);
            let words = match sweep.outcome.as_str() {
                "done" => format!("ended {ended}").into(),
                "stopped" => paint.bad(format!("stopped {ended}, needs a person: docket sweep --dry-run")),
                _ => paint.bad(format!("ended {ended} with an incomplete list")),
            };
            lines.push(("last sweep".to_owned(), words));
        }
        lines
    }

    fn received_words(&self, paint: Paint) -> Vec<(String, Shown)> {
        let of_name = |wanted: &str| {
            let rows = self.received.iter().filter(move |(name, ..)| name == wanted);
            rows.map(|(_, label, value)| (label.replace('_', " "), *value)).collect::<Vec<_>>()
        };
        let total = |name: &str| of_name(name).iter().map(|(_, value)| value).sum::<i64>();
        let each = |rows: Vec<(String, i64)>| {
            rows.into_iter().map(|(label, value)| format!("{value} {label}")).collect::<Vec<_>>().join(" · ")
        };
        let duplicates = match total("duplicate") {
            0 => String::new(),
            known => format!(" ({known} told again)"),
        };
        let events = self.events.iter().map(|(kind, value)| (kind.clone(), *value)).collect();
        let events =
            Some(each(events)).filter(|text| !text.is_empty()).unwrap_or_else(|| "none yet".to_owned());
        let mut lines = vec![
            (
                "deliveries".to_owned(),
                Shown::from(format!("{} accepted", total("accepted")))
                    + paint.dim("  (a few seconds behind)"),
            ),
            ("events".to_owned(), format!("{events}{duplicates}").into()),
        ];
        for (name, word) in [("rejected", "rejected"), ("unavailable", "put off")] {
            let rows = of_name(name);
            if !rows.is_empty() {
                lines.push((word.to_owned(), paint.bad(each(rows))));
            }
        }
        for (place, (label, value)) in of_name("matched").into_iter().enumerate() {
            let name = if place == 0 { "signatures" } else { "" };
            lines.push((name.to_owned(), format!("{value} by {label}").into()));
        }
        lines
    }
}

/// The names' column.
const WORD: usize = 12;

/// The states that anything is in, in their order; the last resort is the first one at 0.
fn in_words(states: &[&str], counts: &[(String, i64)], paint: Paint) -> Shown {
    let there: Vec<Shown> = states
        .iter()
        .map(|state| (*state, of(counts, state)))
        .filter(|(_, value)| *value > 0)
        .map(|(state, value)| match super::table::mood(state) {
            Mood::Waiting => format!("{value} {state}").into(),
            mood => paint.mood(mood, format!("{value} {state}")),
        })
        .collect();
    if there.is_empty() { "none".into() } else { Shown::join(there, " · ") }
}

fn pauses(rows: &[PauseRow], now: i64) -> Table {
    let columns = [
        Column::new("target", Cut::Middle).widest(30),
        Column::new("since", Cut::Nowhere),
        Column::new("next try", Cut::Nowhere),
        Column::new("reason", Cut::Below),
    ];
    let mut table = Table::new(&columns).indented(2);
    for row in rows {
        let reason = match row.kind.as_str() {
            "outage" => format!("down: {}", row.reason),
            _ => row.reason.clone(),
        };
        let (next, reason) = match row.allowed {
            None => (when(row.probe_at, now), reason),
            Some(jobs) => ("now".to_owned(), format!("answers again, {jobs} jobs at once for now")),
        };
        table.row([plain(&row.target), plain(when(row.since, now)), plain(next), plain(reason)]);
    }
    table
}
