//! `docket files`: whether what can be searched of each file is what the file is, and if not, since when and why.

mod again;
mod bring;
pub mod one;
mod retry;

use clap::{Args, Subcommand, ValueEnum};

use super::failure::{Failure, Outcome};
use super::source::Source;
use super::table::{Column, Cut, Table, plain, state};
use super::text::{Paint, bytes, count, terminal_width, when, wrap};
use super::{Form, ListArguments, RangeArguments, SettingsArgs, output};
use crate::clock::Clock;
use crate::operate::query::MOST;
use crate::operate::query::explain::Explain;
use crate::operate::query::files::{FileCount, Files};
use crate::sync::listing::{Number, Row, Standing};

/// Before what is said of all files.
const INDENT: &str = "  ";

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// A path, a folder, a glob such as '/Contracts/*.pdf', whose * stands for slashes too, or a file's id; one file is shown with all there is to know
    #[arg(value_name = "PATH")]
    place: Option<String>,
    /// Only those that stand so; without it all but the gone
    #[arg(long, value_enum)]
    state: Option<State>,
    /// Only those that have left OpenAI to make room: --state out
    #[arg(long, conflicts_with = "state")]
    out: bool,
    /// Only those that this rule covers
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// However many there are, and those that are gone too
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Begin with the files at this path, in the order of the list
    #[arg(long, value_name = "PATH")]
    from: Option<String>,
    /// Have Docket look again at what OpenAI can read in them, where that is nothing or not known
    #[arg(long)]
    look_again: bool,
    #[command(flatten)]
    range: RangeArguments,
    #[command(flatten)]
    list: ListArguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Try again what was given up: files that are skipped, and dead jobs
    Retry(retry::Arguments),
    /// Bring back what has left OpenAI to make room; what is used least leaves for it
    Bring(bring::Arguments),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum State {
    /// What can be searched is what the file is
    Current,
    /// OpenAI holds it, and can read nothing in it, or next to nothing
    Unread,
    /// Something is left to be done about it, or waits for a person
    Behind,
    /// OpenAI could hold it, and does not now, as its rule says or to keep within a budget
    Out,
    /// OpenAI cannot hold it
    Skipped,
    /// It is gone from Fastio
    Gone,
}

impl From<State> for Standing {
    fn from(state: State) -> Standing {
        match state {
            State::Current => Standing::Current,
            State::Unread => Standing::Unread,
            State::Behind => Standing::Behind,
            State::Out => Standing::Out,
            State::Skipped => Standing::Skipped,
            State::Gone => Standing::Gone,
        }
    }
}

impl Arguments {
    fn question(&self) -> Files {
        Files {
            place: self.place.clone(),
            state: self.out.then_some(Standing::Out).or(self.state.map(Standing::from)),
            rule: self.rule.clone(),
            gone: self.all,
            from: self.from.clone(),
            since: self.range.since.clone(),
            until: self.range.until.clone(),
            ..Files::default()
        }
    }
}

pub async fn run(mut arguments: Arguments, settings: &SettingsArgs) -> Result<Outcome, Failure> {
    match arguments.command.take() {
        Some(Command::Retry(arguments)) => return retry::run(arguments, settings).await,
        Some(Command::Bring(arguments)) => return bring::run(arguments, settings).await,
        None => {}
    }
    let source = Source::open(settings).await?;
    let outcome = match arguments.look_again {
        true => again::look(&source, arguments.question()).await,
        false => list(&source, &arguments).await,
    };
    source.close().await;
    outcome
}

async fn list(source: &Source, arguments: &Arguments) -> Result<Outcome, Failure> {
    let question = arguments.question();
    let listed = rows(source, &question, arguments).await?;
    if listed.files > 0 || arguments.list.form.json {
        return Ok(if listed.files == 0 && question.place.is_some() { Outcome::Bad } else { Outcome::Done });
    }
    match &question.place {
        Some(place) => {
            output::line(format!("Docket knows no such file at {place}."))?;
            if question.state.is_none() && question.rule.is_none() {
                let explained = source.ask(&Explain { place: place.clone() }).await?;
                output::lines(explained.besides)?;
            }
            Ok(Outcome::Bad)
        }
        None => {
            output::line(nothing(&question))?;
            Ok(Outcome::Done)
        }
    }
}

/// What was printed.
struct Listed {
    files: u32,
}

async fn rows(source: &Source, question: &Files, arguments: &Arguments) -> Result<Listed, Failure> {
    let form = arguments.list.form;
    let most = if arguments.all { u32::MAX } else { arguments.list.limit };
    let mut printer = Printer::new(form);
    let mut question = question.clone();
    let (mut files, mut waiting) = (0, Vec::new());
    let more = loop {
        question.limit = Some(MOST.min(most - files));
        let page = source.ask(&question).await?;
        files += u32::try_from(page.files).unwrap_or(u32::MAX);
        waiting.extend(page.rows);
        let next = page.next.filter(|_| files < most || page.files > 0);
        // Whether it is the only one is known at the end.
        if files > 1 || next.is_none() {
            printer.page(&waiting, question.place.is_some() && files == 1)?;
            waiting.clear();
        }
        match next {
            Some(next) if files < most => question.after = Some(next),
            next => break next.is_some(),
        }
    };
    printer.page(&waiting, false)?;
    printer.end()?;
    question.after = None;
    if let Some(words) = if more { shorter(source, &question, files).await? } else { None } {
        output::complain(words);
    } else if !form.json {
        hidden(source, &question).await?;
    }
    Ok(Listed { files })
}

/// Says that there are more files than were shown.
async fn shorter(source: &Source, question: &Files, files: u32) -> Result<Option<String>, Failure> {
    let all = source.ask(&FileCount(question.clone())).await?;
    Ok(match all {
        Number { or_more: true, .. } => Some(format!(
            "The first {files} files shown; --all shows all of them, --from PATH goes on there."
        )),
        Number { files: all, .. } if all > i64::from(files) => {
            Some(format!("{files} of {all} files shown; --all shows all of them."))
        }
        Number { .. } => None,
    })
}

/// Says which files were not asked for and are there.
async fn hidden(source: &Source, question: &Files) -> Result<(), Failure> {
    if question.gone || question.place.is_some() || question.state.is_some() {
        return Ok(());
    }
    let gone = Files { state: Some(Standing::Gone), ..question.clone() };
    match source.ask(&FileCount(gone)).await? {
        Number { files: 0, .. } => {}
        Number { files, or_more } => output::complain(format!(
            "{}{} that {} gone from Fastio not shown; --state gone shows them.",
            if or_more { "At least " } else { "" },
            count(files.unsigned_abs(), "file"),
            if files == 1 { "is" } else { "are" },
        )),
    }
    Ok(())
}

/// Prints page by page, as a script or a person wants it.
struct Printer {
    json: Option<output::Rows>,
    paint: Paint,
    now: i64,
    begun: bool,
    stores: Vec<String>,
}

impl Printer {
    fn new(form: Form) -> Self {
        Printer {
            json: form.json.then(output::Rows::default),
            paint: Paint::stdout(),
            now: Clock::default().now(),
            begun: false,
            stores: Vec::new(),
        }
    }

    fn page(&mut self, rows: &[Row], is_one: bool) -> Result<(), Failure> {
        if let Some(json) = &mut self.json {
            rows.iter().try_for_each(|row| json.push(row))?;
            return Ok(());
        }
        if rows.is_empty() {
            return Ok(());
        }
        if is_one {
            output::lines(one::page(rows, self.now, self.paint))?;
            return Ok(());
        }
        for store in rows.iter().filter_map(|row| row.copy.vector_store.as_ref()) {
            if !self.stores.contains(store) {
                self.stores.push(store.clone());
            }
        }
        let table = table(rows, self.now, self.stores.len() > 1);
        let lines = table.render(self.paint).into_iter().skip(usize::from(self.begun));
        output::lines(lines)?;
        self.begun = true;
        Ok(())
    }

    fn end(self) -> Result<(), Failure> {
        if let Some(json) = self.json {
            json.end()?;
        } else if let [store] = self.stores.as_slice() {
            let words = format!("All copies are in the vector store {store}.");
            // Indented, so that no line of a name begins as one of ours does.
            let lines =
                wrap(&words, terminal_width().map_or(usize::MAX, |width| width.saturating_sub(INDENT.len())));
            output::line("")?;
            output::lines(lines.into_iter().map(|line| self.paint.dim(format!("{INDENT}{line}"))))?;
        }
        Ok(())
    }
}

fn table(rows: &[Row], now: i64, with_store: bool) -> Table {
    let mut columns = vec![
        Column::new("path", Cut::Start),
        Column::new("state", Cut::Nowhere),
        Column::new("size", Cut::Nowhere).right(),
        Column::new("seen", Cut::Nowhere),
        Column::new("copy", Cut::Nowhere),
        Column::new("file id", Cut::Middle).widest(13),
        Column::new("why", Cut::Below),
    ];
    // Nearly always one store holds all, and its id would only push the paths out of sight.
    if with_store {
        columns.insert(6, Column::new("vector store", Cut::Middle).widest(13));
    }
    let mut table = Table::new(&columns);
    for row in rows {
        let copy = &row.copy;
        let mut cells = vec![
            plain(row.path.as_deref().unwrap_or(&row.source_id)),
            state(row.state.as_str()),
            plain(row.known_size().map_or_else(|| "–".to_owned(), bytes)),
            plain(row.seen_at.map_or_else(|| "–".to_owned(), |at| when(at, now))),
            state(copy.state.as_deref().unwrap_or("–")),
            plain(copy.file_id.as_deref().unwrap_or("–")),
            plain(why(row, now)),
        ];
        if with_store {
            cells.insert(6, plain(copy.vector_store.as_deref().unwrap_or("–")));
        }
        table.row(cells);
    }
    table
}

/// Why it is not current, and since when.
fn why(row: &Row, now: i64) -> String {
    let since = row.since.map(|since| format!("{}: ", when(since, now)));
    // Of what is current there is nothing to say but what became of it on the way.
    let reason = row.reason.as_ref().or(row.copy.note.as_ref());
    format!("{}{}", since.unwrap_or_default(), reason.map_or("", String::as_str))
}

fn nothing(question: &Files) -> &'static str {
    match (question.state, &question.rule) {
        (None, None) => "No file yet. One appears here when an event about it has been worked on.",
        _ => "No such file.",
    }
}
