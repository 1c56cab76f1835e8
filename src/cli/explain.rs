//! `docket explain`: why a file is as it is, in words, and how it came to that.

use clap::Args;

use super::failure::{Failure, Outcome};
use super::fields::Fields;
use super::files::one;
use super::shown::Shown;
use super::source::Source;
use super::table::{Column, Cut, Mood, Table, plain, state};
use super::text::{Paint, when};
use super::{Form, SettingsArgs, output};
use crate::clock::Clock;
use crate::history::{Entry, Kind, Timeline};
use crate::operate::query::explain::{Explain, Explained, RuleSays};
use crate::operate::words::stamp;

#[derive(Debug, Args)]
pub struct Arguments {
    /// The file's path or id
    #[arg(value_name = "PATH")]
    place: String,
    #[command(flatten)]
    form: Form,
}

pub async fn run(arguments: Arguments, settings: &SettingsArgs) -> Result<Outcome, Failure> {
    let source = Source::open(settings).await?;
    let explained = source.ask(&Explain { place: arguments.place }).await;
    source.close().await;
    let explained = explained?;
    if arguments.form.json {
        output::json(&[&explained])?;
    } else {
        output::lines(page(&explained, Clock::default().now(), Paint::stdout()))?;
    }
    Ok(if explained.timeline.is_some() { Outcome::Done } else { Outcome::Bad })
}

fn page(explained: &Explained, now: i64, paint: Paint) -> Vec<Shown> {
    let Explained { sentence, besides, rules, files, runs, timeline } = explained;
    let mut fields = Fields::new("in Fastio".len(), paint);
    fields.sentence(sentence);
    besides.iter().for_each(|words| fields.point(words));
    match timeline {
        Some(_) => fields.extend(one::page(files, now, paint)),
        None => files.iter().for_each(|row| fields.point(row.path.as_deref().unwrap_or(&row.source_id))),
    }
    if !rules.is_empty() {
        fields.title("Rules");
        for RuleSays { rule, covers, why } in rules {
            let words = why.as_ref().map_or_else(|| "covers it".to_owned(), |why| format!("does not: {why}"));
            let mood = if *covers { Mood::Plain } else { Mood::Faint };
            fields.words("", mood, &format!("{rule} {words}"));
        }
    }
    if !runs.is_empty() {
        fields.title("Runs");
        for view in runs {
            let run = &view.run;
            let reason = run.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            let word = view.word.replace('_', " ");
            let words =
                format!("{} by {} {word} {}{reason}", run.run_id, run.rule, when(run.updated_at, now));
            fields.words("run", Mood::Plain, &words);
        }
    }
    if let Some(timeline) = timeline {
        fields.title("Timeline");
        if timeline.entries.is_empty() {
            fields.words("", Mood::Plain, "Nothing is on record of it any more: retention.history_days.");
        } else {
            fields.extend(table(timeline).render(paint));
        }
        spent(timeline, &mut fields);
    }
    fields.into_lines()
}

fn table(timeline: &Timeline) -> Table {
    let mut table = Table::new(&[
        Column::new("began", Cut::Nowhere),
        Column::new("took", Cut::Nowhere).right(),
        Column::new("what", Cut::Nowhere),
        Column::new("by", Cut::End).widest(24),
        Column::new("in words", Cut::Below),
    ])
    .indented(2);
    for entry in &timeline.entries {
        table.row([
            plain(stamp(entry.began_at)),
            plain(entry.milliseconds().map_or_else(|| "…".to_owned(), took)),
            state(entry.kind.as_str()),
            plain(entry.server.as_deref().unwrap_or("–")),
            plain(words(entry)),
        ]);
    }
    table
}

/// What an entry says beside its kind.
pub fn words(entry: &Entry) -> String {
    let mut words = Vec::new();
    if let Some(rule) = &entry.rule {
        words.push(format!("rule {rule}"));
    }
    let is_try = matches!(entry.kind, Kind::Failed | Kind::Dead | Kind::Interrupted);
    match (entry.attempt, entry.times) {
        (Some(attempt), 1) if is_try => words.push(format!("attempt {attempt}")),
        (_, times) if times > 1 => words.push(format!("{times} looks")),
        _ => {}
    }
    let said = if entry.words.is_empty() { entry.phase.words() } else { &entry.words };
    if !said.is_empty() {
        words.push(said.to_owned());
    }
    words.join(": ")
}

/// `12 ms`, `3.4 s`, `5 m 12 s`.
pub fn took(milliseconds: i64) -> String {
    match milliseconds.max(0) {
        ms @ ..1_000 => format!("{ms} ms"),
        ms @ ..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        ms @ ..3_600_000 => format!("{} m {} s", ms / 60_000, ms % 60_000 / 1_000),
        ms => format!("{} h {} m", ms / 3_600_000, ms % 3_600_000 / 60_000),
    }
}

/// Where the time of the newest change went.
fn spent(timeline: &Timeline, fields: &mut Fields) {
    let Some(all) = timeline.took() else { return };
    fields.title(format!("The newest change took {}", took(all)));
    for spent in &timeline.spent {
        fields.line("", format!("{:>9}  {}", took(spent.milliseconds), spent.phase.words()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_two_units_at_most() {
        assert_eq!([0, 999, 1_000, 59_999].map(took), ["0 ms", "999 ms", "1.0 s", "59.9 s"]);
        assert_eq!([60_000, 3_599_000, 3_600_000].map(took), ["1 m 0 s", "59 m 59 s", "1 h 0 m"]);
    }
}
