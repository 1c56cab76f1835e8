//! Which ones are meant by what is done to many: those that are named, or all that a filter leaves. Pages and programs mean the same.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::act::{Action, Deed};
use super::bulk::{self, MOST};
use super::guard::Who;
use super::query::files::place_as_known;
use super::range::{Bounds, bounds};
use crate::database::{Connection, Error};
use crate::queue::store as queue;
use crate::rule::Rules;
use crate::run::store::{self as runs, Page};
use crate::sync::again::store::{Which, give_up_stores, given_up};
use crate::sync::store::chain;
use crate::sync::{budget, listing};

/// That they are more than can be done at once, in words.
pub fn too_many() -> String {
    format!("these are more than {MOST}: give a filter that leaves fewer, and do the rest after that")
}

/// Which of a list. What is left out leaves all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// Of files: a path, a folder, a glob, or a file's id.
    pub path: Option<String>,
    pub rule: Option<String>,
    /// Of runs: how they stand, as the word that each has.
    pub state: Option<String>,
    /// Of jobs: what they died of, as the list of jobs has it.
    pub cause: Option<String>,
    /// Only those of that time, as the list has it: `24h`, back from now, or `2026-11-27`, or Unix milliseconds.
    pub since: Option<String>,
    pub until: Option<String>,
}

/// What is done to which ones.
#[derive(Debug, Clone)]
pub struct Meant {
    pub action: Action,
    /// Jobs, runs or files, as they are told apart.
    pub items: Vec<String>,
    /// Instead of those, all that pass it.
    pub filter: Option<Filter>,
}

impl Meant {
    /// Those that are meant now; one more than can be done at once, where there are more. The inner error says what is wrong with the
    /// filter.
    pub fn items(&self, connection: &mut Connection, now: i64) -> Result<Result<Vec<String>, String>, Error> {
        let Some(filter) = &self.filter else {
            let mut items = self.items.clone();
            items.sort_unstable();
            items.dedup();
            return Ok(Ok(items));
        };
        let Bounds { since, until } = match bounds((filter.since.as_deref(), filter.until.as_deref()), now) {
            Ok(bounds) => bounds,
            Err(words) => return Ok(Err(words)),
        };
        let most = MOST + 1;
        Ok(Ok(match self.action {
            Action::RetryJob | Action::DiscardJob => {
                let page = queue::Page {
                    state: Some("dead".to_owned()),
                    cause: filter.cause.clone(),
                    after: None,
                    since: Some(since),
                    until: Some(until),
                    most,
                };
                queue::page(connection, &page)?.iter().map(|job| job.job_id.to_string()).collect()
            }
            Action::RetryFile | Action::BringFile => {
                let place = match &filter.path {
                    Some(path) => {
                        let all = listing::Filter { gone: true, ..listing::Filter::default() };
                        Some(place_as_known(connection, &all, path)?)
                    }
                    None => None,
                };
                if self.action == Action::BringFile {
                    let which = (place.as_ref(), filter.rule.as_deref());
                    return Ok(Ok(budget::store::out_page(connection, which, ("", most))?));
                }
                let is_all = filter.since.is_none() && filter.until.is_none();
                let changed = (!is_all).then_some((since, until));
                let which = Which { place, rule: filter.rule.clone(), changed };
                given_up(connection, &which, ("", most))?.into_iter().map(|row| row.source_id).collect()
            }
            Action::Accept | Action::Reject | Action::Withdraw | Action::RunAgain | Action::CancelRun => {
                let (rule, word) = (filter.rule.as_deref(), filter.state.as_deref());
                let page = Page { rule, word, after: None, since, until, most };
                runs::page(connection, &page)?.iter().map(|row| row.run_id.to_string()).collect()
            }
            Action::SyncFile
            | Action::LookAgain
            | Action::StartRun
            | Action::RunMissing
            | Action::Sweep
            | Action::DrySweep
            | Action::ApproveSweep
            | Action::DismissSweep => {
                return Ok(Err("this is not done to all that a filter leaves".to_owned()));
            }
        }))
    }

    /// In words for the log.
    pub fn words(&self) -> String {
        let Some(filter) = &self.filter else { return "chosen by hand".to_owned() };
        let Filter { path, rule, state, cause, since, until } = filter;
        let named = [
            ("path", path),
            ("rule", rule),
            ("state", state),
            ("cause", cause),
            ("since", since),
            ("until", until),
        ];
        let said: Vec<String> = named
            .into_iter()
            .filter_map(|(name, value)| value.as_ref().map(|value| format!("{name}={value}")))
            .collect();
        if said.is_empty() { "all".to_owned() } else { said.join(" ") }
    }

    /// Begins it for `items`, and answers its number. A vector store of the rule's whose files are tried again is made anew if it is gone.
    pub fn begin(
        &self,
        tx: &mut Connection,
        (who, deed): (Who, &Deed),
        (items, rules): (&[String], &Rules),
        now: i64,
    ) -> Result<i64, Error> {
        let rule = self.filter.as_ref().filter(|_| self.action == Action::RetryFile);
        let rule = rule.and_then(|filter| rules.named(filter.rule.as_deref()?));
        if let Some(rule) = rule {
            let stores = chain(tx, rule)?;
            give_up_stores(tx, &stores)?;
        }
        bulk::begin(tx, (who, deed), (&self.words(), items), now)
    }
}
