//! What the database says of the work: a service that is paused, a job that is dead or a sweep that was stopped is not well,
//! whatever the settings and the keys are.

use std::io;

use super::super::status::TOLD_FOR_MS;
use super::super::text::{count, when};
use super::{CheckReport, Subject};
use crate::clock::Clock;
use crate::config::Config;
use crate::database::{self, Connection, Database};
use crate::job::ERASE_JOBS;
use crate::openai::VectorStoreId;
use crate::operate::verdict;
use crate::own::{self, store::LeftStanding};
use crate::rule::{Rule, Rules, Target};
use crate::run::{existing, pace};
use crate::sync::{budget, founding, store};
use crate::{feed, queue, receive, sync};

/// What other checks ask the database.
#[derive(Debug, Default)]
pub struct Known {
    /// Uploads may go on: this is no second database, or it is not known yet that it is.
    pub founded: bool,
    /// The stores that rules had made, by name.
    pub made: Vec<(String, VectorStoreId)>,
    /// Those that continue a full one, by name.
    pub continued: Vec<(String, VectorStoreId)>,
    /// Those that have been full, in words.
    pub full: Vec<String>,
    /// Of each rule, the files that were there before it and are not run over.
    pub spared: Vec<(String, i64)>,
    /// The rules that run something, as of the last start.
    pub running: Vec<String>,
}

/// Looks into a database that is there and has this version's schema.
pub async fn look(report: &mut CheckReport, config: &Config, subject: &Subject) -> io::Result<Known> {
    const CHECK: &str = "work";
    let Ok(database) = Database::open_existing(&config.database).await else {
        return Ok(Known::default());
    };
    let now = Clock::default().now();
    let rules: Vec<Rule> = subject.rules.iter().flat_map(Rules::iter).cloned().collect();
    let running = subject.rules.as_ref().map(|rules| {
        let running = rules.iter().filter(|rule| rule.runs);
        running.map(|rule| rule.name.clone()).collect::<Vec<String>>()
    });
    let read = move |connection: &mut Connection| {
        let (mut troubles, known) = read(connection, &rules, now)?;
        if let Some(running) = &running {
            troubles.extend(left_standing(connection, running)?);
        }
        Ok((troubles, known))
    };
    let seen = database.read(read).await;
    database.close().await;
    match seen {
        Ok((troubles, known)) => {
            if troubles.is_empty() && known.founded {
                report.ok(CHECK, "nothing is paused, no job is dead, no sweep was stopped")?;
            }
            for trouble in troubles {
                match trouble {
                    Trouble::Grave(words) => report.fail(CHECK, words)?,
                    Trouble::Slight(words) => report.warn(CHECK, words)?,
                }
            }
            Ok(known)
        }
        Err(error) => {
            report.fail(CHECK, format!("the database cannot be read: {error}"))?;
            Ok(Known::default())
        }
    }
}

enum Trouble {
    Grave(String),
    Slight(String),
}

fn read(
    connection: &mut Connection,
    rules: &[Rule],
    now: i64,
) -> Result<(Vec<Trouble>, Known), database::Error> {
    let mut troubles = Vec::new();
    for pause in queue::store::pauses(connection)? {
        let since = when(pause.since, now);
        troubles.push(match pause.allowed {
            None => Trouble::Grave(format!("{} is paused since {since}: {}", pause.target, pause.reason)),
            Some(_) => Trouble::Slight(format!("{} answers again, and its jobs resume", pause.target)),
        });
    }
    for pace in pace::store::list(connection)? {
        let since = when(pace.since, now);
        troubles.push(Trouble::Slight(format!(
            "runs of model {} are paced since {since}: {}",
            pace.model, pace.reason
        )));
    }
    let jobs = queue::store::counts(connection)?;
    let dead = jobs.iter().filter(|(state, _)| state == "dead").map(|(_, jobs)| jobs).sum();
    let unerased = queue::presence::dead(connection, ERASE_JOBS)?;
    troubles.extend(verdict::dead(dead, unerased).map(Trouble::Grave));
    troubles.extend(sweep(connection)?);
    let (usage, near) = (budget::store::usage(connection)?, budget::store::near(connection)?);
    troubles.extend(verdict::storage(&usage, near.is_some()).map(Trouble::Grave));
    troubles.extend(deliveries(connection)?);
    let (files, path) = sync::store::other_hashes(connection)?;
    if files > 0 {
        troubles.push(Trouble::Slight(format!(
            "Fastio announces another hash than the content has, for {} such as {}: each was read twice with the same \
             bytes and is synced under the hash that Docket computed. What Fastio's hash is may have changed: tell \
             Docket's authors",
            count(files.unsigned_abs(), "file"),
            path.unwrap_or_default()
        )));
    }
    for (name, id, lost_at) in sync::store::made_anew(connection, now - TOLD_FOR_MS)? {
        let now_is = id.map_or("it is about to be made".to_owned(), |id| format!("it is {id} now"));
        troubles.push(Trouble::Slight(format!(
            "the vector store \"{name}\" was gone at OpenAI {} and made anew: {now_is}",
            when(lost_at, now)
        )));
    }
    let (mut made, mut continued) = (Vec::new(), Vec::new());
    for rule in rules {
        let stores = store::chain(connection, rule)?;
        let Some(first) = stores.first() else { continue };
        if let Target::Create { create } = &rule.target {
            made.push((create.clone(), first.clone()));
        }
        let next = store::continued(connection, first)?.into_iter();
        let next = next.filter_map(|one| Some((one.name, one.id?)));
        continued.extend(next.filter(|one| !continued.contains(one)).collect::<Vec<_>>());
    }
    let full = store::full_stores(connection)?;
    let known = Known {
        founded: founding::store::is_founded(connection)?,
        made,
        continued,
        full: full.iter().map(store::FullStore::words).collect(),
        spared: existing::store::counts(connection)?,
        running: existing::store::since(connection)?.into_keys().collect(),
    };
    Ok((troubles, known))
}

/// Results that nothing keeps true of their files any more. They are left as they are: how they are rendered went with their rule, and
/// a rule may be out of the settings only for a while.
fn left_standing(connection: &mut Connection, running: &[String]) -> Result<Vec<Trouble>, database::Error> {
    let left = own::store::left_standing(connection, running)?.into_iter();
    let told = left.map(|LeftStanding { rule, results, example }| {
        Trouble::Slight(format!(
            "{} of rule {rule}, such as {example}, may not be about what the file is now: the settings run no such rule any more, and \
             nothing brings it up to date. Put the rule back, also under another name with its id, or take its results away",
            count(results.unsigned_abs(), "result")
        ))
    });
    Ok(told.collect())
}

/// Deliveries that were refused, where a person has to correct something. What `docket send` posts agrees with itself and
/// shows nothing.
fn deliveries(connection: &mut Connection) -> Result<Vec<Trouble>, database::Error> {
    let counts = receive::counts(connection)?;
    let of = |wanted: (&str, &str)| -> i64 {
        let rows = counts
            .iter()
            .filter(|(name, label, _)| *name == wanted.0 && (wanted.1.is_empty() || *label == wanted.1));
        rows.map(|(.., count)| count).sum()
    };
    let mut troubles = Vec::new();
    let (wrong, right) = (of(("rejected", "signature_mismatch")), of(("matched", "")) - of(("tested", "")));
    if wrong > 0 && right == 0 {
        troubles.push(Trouble::Slight(format!(
            "{wrong} refused for a wrong signature and no delivery was ever right: FASTIO_WEBHOOK_SECRET is not the secret that \
             Fastio signs with, or a proxy changes bodies; what docket send posts is signed with your own and shows nothing of this"
        )));
    }
    let elsewhere = of(("rejected", "signed_to_another_path"));
    if elsewhere > 0 {
        troubles.push(Trouble::Slight(format!(
            "{elsewhere} signed rightly and posted to another path than /webhooks/fastio: correct the address at Fastio, or the proxy"
        )));
    }
    Ok(troubles)
}

fn sweep(connection: &mut Connection) -> Result<Option<Trouble>, database::Error> {
    let Some(last) = feed::sweep::store::last(connection)? else { return Ok(None) };
    let report = last.report();
    Ok(match last.outcome.as_str() {
        "stopped" if last.waits() => {
            let stopped = report.map(|report| report.stopped).unwrap_or_default();
            let each: Vec<String> = stopped
                .iter()
                .map(|stopped| {
                    format!("{} would lose {} of {} files", stopped.rule, stopped.would_lose, stopped.of)
                })
                .collect();
            Some(Trouble::Grave(format!(
                "the last sweep was stopped by its limit ({}): docket sweep --dry-run names each; if that is right, docket \
                 sweep approve, else docket sweep dismiss",
                each.join(", ")
            )))
        }
        "incomplete" => {
            let gaps = report.map(|report| report.incomplete).unwrap_or_default();
            let each: Vec<String> = gaps.iter().map(|gap| format!("{}: {}", gap.what, gap.error)).collect();
            Some(Trouble::Slight(format!("the last sweep could not list everything ({})", each.join("; "))))
        }
        _ => None,
    })
}
