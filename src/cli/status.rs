//! `docket status`: is it well, what waits, what is kept, and what came in.

use std::collections::BTreeSet;

use clap::Args;

use super::failure::{Failure, Outcome};
use super::fields::Fields;
use super::shown::Shown;
use super::source::Source;
use super::table::{Column, Cut, Mood, Table, mood, plain};
use super::text::{Paint, bytes, count, span, when};
use super::{SettingsArgs, output};
use crate::clock::Clock;
use crate::database::ServerRow;
use crate::feed::store::Way;
use crate::operate::query::status::OverviewView;
use crate::operate::status::{About, COPY_STATES, FILE_STATES, JOB_STATES, RUN_STATES, Status, of};
use crate::operate::verdict::{Verdict, Word};
use crate::operate::words::{cure, dollars, signed, spent_words};
use crate::queue::store::PauseRow;
use crate::sync::budget::{Of, Standing};

/// Says whether it is well, and exits with 0 when it is, 3 when something waits that needs a person, 4 when no server
/// works on the database.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Print one JSON array of numbers, each with a name, a label and a value. The first is the verdict: its label is well,
    /// needs_person or no_server, its value the exit code, its reasons what to do. The value of oldest_change, feed and
    /// sweep is when, in Unix milliseconds, and that of a replica since when it works; a pause has what there is to know of
    /// the target beside it
    #[arg(long)]
    json: bool,
}

pub async fn run(arguments: Arguments, settings: &SettingsArgs) -> Result<Outcome, Failure> {
    let source = Source::open(settings).await?;
    let overview = source.overview().await;
    source.close().await;
    let OverviewView { about, server, status: seen } = overview?;
    let verdict = Verdict::of(&seen, server.is_some());
    if arguments.json {
        output::json(&seen.rows(&about, server.is_some()))?;
    } else {
        let told =
            Told { about: &about, server: server.as_deref(), verdict: &verdict, now: Clock::default().now() };
        output::lines(seen.words(&told, Paint::stdout()))?;
    }
    Ok(match verdict.verdict {
        Word::Well => Outcome::Done,
        word => Outcome::Code(word.code()),
    })
}

/// What is told besides the numbers.
struct Told<'a> {
    about: &'a About,
    server: Option<&'a str>,
    verdict: &'a Verdict,
    now: i64,
}

/// How it is told to a person.
impl Status {
    fn words(&self, told: &Told<'_>, paint: Paint) -> Vec<Shown> {
        let Told { about, server, verdict, now } = *told;
        let mut fields = Fields::new("change feed".len(), paint);
        fields.extend([match verdict.verdict {
            Word::Well => paint.good("All is well."),
            Word::NeedsPerson => paint.bad("Something needs a person."),
            Word::NoServer => paint.bad("No server."),
        }]);
        verdict.reasons.iter().for_each(|reason| fields.point(reason));
        fields.title("Docket");
        fields.line("version", &about.version);
        self.server_words(&mut fields, (server, now));
        fields.words("database", Mood::Plain, &about.database.display().to_string());
        let rules = if about.rules.is_empty() { "none".to_owned() } else { about.rules.join(", ") };
        fields.words("rules", Mood::Plain, &rules);
        fields.title("Left to do");
        fields.line("inbox", count(self.inbox.unsigned_abs(), "delivery"));
        fields.line("jobs", in_words(&JOB_STATES, &self.jobs, paint));
        if let Some(oldest) = &self.oldest {
            let words = format!("not searchable yet, since {}: {}", span(now - oldest.since), oldest.why);
            fields.words("oldest", Mood::Plain, &words);
        }
        fields.title("Kept");
        fields.line("files", in_words(&FILE_STATES, &self.files, paint));
        fields.line("copies", in_words(&COPY_STATES, &self.copies, paint));
        if self.unread > 0 {
            let files = count(self.unread.unsigned_abs(), "file");
            let words =
                format!("{files} that OpenAI holds and can read nothing in: docket files --state unread");
            fields.words("unread", Mood::Bad, &words);
        }
        if self.other_hashes > 0 {
            let files = count(self.other_hashes.unsigned_abs(), "file");
            let words = format!(
                "{files}: Fastio announces another hash than the content has; docket check says more"
            );
            fields.words("hashes", Mood::Bad, &words);
        }
        for (name, id, at) in self.made_anew.iter().filter(|(.., at)| now - at < TOLD_FOR_MS) {
            let id = id.as_deref().unwrap_or("about to be made");
            let words = format!("\"{name}\" was gone at OpenAI {} and made anew: {id}", when(*at, now));
            fields.words("store", Mood::Bad, &words);
        }
        self.storage_words(&mut fields, (about, now));
        for full in &self.full_stores {
            fields.words("store", Mood::Plain, &full.words());
        }
        self.run_words(&mut fields, now);
        self.received_words(&mut fields, paint);
        self.learnt_words(&mut fields, now);
        if !self.pauses.is_empty() {
            fields.extend([paint.bad("Paused, and tried again by itself")]);
            fields.extend(pauses(&self.pauses, now).render(paint));
        }
        fields.into_lines()
    }

    /// Who works on it: the one server of a file, or each that shares a PostgreSQL, since when and what it does that no other does.
    fn server_words(&self, fields: &mut Fields, (server, now): (Option<&str>, i64)) {
        if self.servers.is_empty() || server.is_none() {
            return fields.line("server", server.unwrap_or("none works on this database"));
        }
        for ServerRow { name, began_at, roles } in &self.servers {
            let roles = if roles.is_empty() { String::new() } else { format!(": {}", roles.join(", ")) };
            fields.words("server", Mood::Plain, &format!("{name} since {}{roles}", span(now - began_at)));
        }
    }

    /// What OpenAI holds of its budgets. Nothing where none is set, nothing is out and the project is far from its limit.
    fn storage_words(&self, fields: &mut Fields, (about, now): (&About, i64)) {
        let standings = about.storage.standings(&self.usage);
        let is_told = |one: &&Standing<'_>| {
            one.scope.of != Of::Project || self.storage_near.is_some() || one.held.all_out().files > 0
        };
        if !standings.iter().any(|one| is_told(&one)) {
            return;
        }
        fields.title("At OpenAI");
        for one in standings.iter().filter(is_told) {
            let (inside, out) = (one.held.held(), one.held.all_out());
            let out = match one.why_out() {
                Some(why) => {
                    let files = count(out.files.unsigned_abs(), "file");
                    format!("; {files} out ({}): {why}", bytes(out.bytes.unsigned_abs()))
                }
                None => String::new(),
            };
            let mood = if one.held.wanted.files > 0 { Mood::Bad } else { Mood::Plain };
            let words = format!(
                "{}: {} ({}, {} a day) of {}{out}",
                one.scope.whose(),
                count(inside.files.unsigned_abs(), "file"),
                bytes(inside.bytes.unsigned_abs()),
                dollars(one.cost),
                one.scope.limits(),
            );
            fields.words("budget", mood, &words);
        }
        if let Some(since) = self.storage_near {
            let words = format!("the project is near to its limit at OpenAI, since {}", span(now - since));
            fields.words("storage", Mood::Bad, &words);
        }
    }

    /// How the runs stand, and what keeps some of them waiting. Nothing where none ever was.
    fn run_words(&self, fields: &mut Fields, now: i64) {
        let (left, unanswered) = self.leftovers;
        let any = self.runs.iter().any(|(_, runs)| *runs > 0);
        if !any && self.held.is_empty() && left == 0 && unanswered == 0 {
            return;
        }
        fields.title("Runs");
        if any {
            fields.line("runs", in_words(&RUN_STATES, &self.runs, fields.paint()));
        }
        let rejected = of(&self.runs, "rejected");
        if rejected > 0 {
            let words = format!(
                "{rejected} by a person: docket runs list says why; docket runs again --file PATH makes another answer"
            );
            fields.words("rejected", Mood::Plain, &words);
        }
        for held in &self.held {
            let until =
                held.until.map(|until| format!(" ({})", when(until.max(now), now))).unwrap_or_default();
            let words = format!("{} of {}: {}{until}", held.runs, held.rule, held.reason);
            fields.words("held", Mood::Plain, &words);
        }
        for reason in &self.limited {
            fields.words("limited", Mood::Plain, reason);
        }
        for pace in &self.paced {
            let words = if pace.until > now {
                format!("none of model {} begins ({}): {}", pace.model, when(pace.until, now), pace.reason)
            } else {
                format!("{} at once of model {}: {}", pace.allowed, pace.model, pace.reason)
            };
            fields.words("paced", Mood::Bad, &words);
        }
        for spent in &self.spent {
            fields.words("spent", Mood::Plain, &spent_words(spent));
        }
        if left > 0 {
            fields.line("left behind", format!("{left} to be taken away at Fastio or OpenAI"));
        }
        if unanswered > 0 {
            let conversations = count(unanswered.unsigned_abs(), "empty conversation");
            let words = format!("{conversations} may be at OpenAI, which has no list of them");
            fields.words("unanswered", Mood::Plain, &words);
        }
    }

    /// How else changes are learnt.
    fn learnt_words(&self, fields: &mut Fields, now: i64) {
        if self.feed.is_none() && self.sweep.is_none() {
            return;
        }
        fields.title("Besides webhooks");
        if let Some(feed) = &self.feed {
            let (mood, words) = match (&feed.reason, feed.way()) {
                (None, _) => (Mood::Plain, format!("followed since {}", span(now - feed.since))),
                (Some(reason), Way::Search) => {
                    (Mood::Bad, format!("refused, so events are searched: {reason}"))
                }
                (Some(reason), _) => (Mood::Bad, format!("refused, and event search too: {reason}")),
            };
            fields.words("change feed", mood, &words);
        }
        if let Some(sweep) = &self.sweep {
            let ended = when(sweep.ended_at, now);
            let (mood, words) = match sweep.outcome.as_str() {
                "done" => (Mood::Plain, format!("ended {ended}")),
                "stopped" if sweep.waits() => {
                    (Mood::Bad, format!("stopped {ended}, needs a person: docket sweep --dry-run"))
                }
                "stopped" => {
                    let decided = sweep.decided.as_deref().unwrap_or_default();
                    (Mood::Plain, format!("stopped {ended}, and was {decided}"))
                }
                _ => (Mood::Bad, format!("ended {ended} with an incomplete list")),
            };
            fields.words("last sweep", mood, &words);
        }
    }

    fn received_words(&self, fields: &mut Fields, paint: Paint) {
        let of_name = |wanted: &str| {
            let rows = self.received.iter().filter(move |(name, ..)| name == wanted);
            rows.map(|(_, label, value)| (label.clone(), *value)).collect::<Vec<_>>()
        };
        let total = |name: &str| of_name(name).iter().map(|(_, value)| value).sum::<i64>();
        let each = |rows: Vec<(String, i64)>| {
            let words = rows.into_iter().map(|(label, value)| format!("{value} {}", label.replace('_', " ")));
            words.collect::<Vec<_>>().join(" · ")
        };
        let duplicates = match total("duplicate") {
            0 => String::new(),
            known => format!(" ({known} told again)"),
        };
        let events = each(self.events.iter().map(|(kind, value)| (kind.clone(), *value)).collect());
        let events = if events.is_empty() { "none yet".to_owned() } else { events };
        fields.title("Received");
        let some = |name: &str, words: &str| match total(name) {
            0 => String::new(),
            number => format!(" · {number} {words}"),
        };
        let of_these = some("late", "of them late") + &some("tested", "of them tests");
        let accepted = Shown::from(format!("{} accepted{of_these}", total("accepted")));
        fields.line("deliveries", accepted + paint.dim("  (a few seconds behind)"));
        fields.words("events", Mood::Plain, &format!("{events}{duplicates}"));
        for (name, word) in [("rejected", "rejected"), ("unavailable", "put off")] {
            let rows = of_name(name);
            if !rows.is_empty() {
                let cures: BTreeSet<&str> = rows.iter().filter_map(|(label, _)| cure(label)).collect();
                fields.words(word, Mood::Bad, &each(rows));
                cures.into_iter().for_each(|cure| fields.words("", Mood::Plain, cure));
            }
        }
        let hung_up = total("hung_up");
        if hung_up > 0 {
            let words = format!("{hung_up} times a sender closed its connection before it was answered");
            fields.words("hung up", Mood::Plain, &words);
        }
        let panics = total("operator");
        if panics > 0 {
            let words = format!("{panics} requests to the operator listener panicked: a fault of Docket's");
            fields.words("operator", Mood::Bad, &words);
        }
        for (place, (label, value)) in of_name("matched").into_iter().enumerate() {
            let name = if place == 0 { "signatures" } else { "" };
            fields.words(name, Mood::Plain, &format!("{value} by {}", signed(&label)));
        }
    }
}

/// How long it is told that a store was made anew: longer than a weekend.
pub const TOLD_FOR_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// The states that anything is in, in their order; the last resort is the first one at 0.
fn in_words(states: &[&str], counts: &[(String, i64)], paint: Paint) -> Shown {
    let there: Vec<Shown> = states
        .iter()
        .map(|state| (*state, of(counts, state)))
        .filter(|(_, value)| *value > 0)
        .map(|(state, value)| {
            let words = format!("{value} {}", state.replace('_', " "));
            match mood(state) {
                Mood::Waiting => words.into(),
                mood => paint.mood(mood, words),
            }
        })
        .collect();
    if there.is_empty() { "none".into() } else { Shown::join(there, " · ") }
}

fn pauses(rows: &[PauseRow], now: i64) -> Table {
    let columns = [
        Column::new("target", Cut::Middle).widest(40),
        Column::new("for", Cut::Nowhere),
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
            None => (when(row.probe_at.max(now), now), reason),
            Some(jobs) => {
                let jobs = count(jobs.unsigned_abs(), "job");
                ("now".to_owned(), format!("answers again, {jobs} at once for now"))
            }
        };
        table.row([plain(&row.target), plain(span(now - row.since)), plain(next), plain(reason)]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_told_in_words() {
        assert_eq!(
            signed("fastio_v1_base64 secret 0 tail_decoded"),
            "the first secret, decoded from base64 after its prefix (receive.signature_scheme = fastio_v1_base64)"
        );
        assert_eq!(
            signed("x_fastio_sha256_hex secret 1 as_given"),
            "the second secret (receive.signature_scheme = x_fastio_sha256_hex)"
        );
        assert_eq!(signed("something else"), "something else");
    }
}
