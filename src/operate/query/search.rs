//! What an assistant would find: OpenAI's own search over the vector stores of the rules, and beside each result what is on record of its
//! file. It is no [`super::Question`]: OpenAI is asked.

use std::collections::{BTreeMap, HashMap, HashSet};

use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Wrong, rule_named};
use crate::database::{Connection, Database, Error};
use crate::openai::{self, Client, Hit, VectorStoreId};
use crate::rule::{Rule, Rules};
use crate::sync::budget;
use crate::sync::listing::{self, Found, Over, Standing};
use crate::sync::store::chains;

/// Results where nobody says how many.
pub const USUAL: u32 = 10;

/// Results of each store, the most that OpenAI's OpenAPI document allows: some of them may be no answer any more, or another rule's.
pub const MOST: u8 = 50;

/// The longest query, in characters. OpenAI's documents set none; what is longer than some pages is no question.
const LONGEST: usize = 4_096;

/// What is sought.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Search {
    /// A question, or words, as an assistant would search for.
    pub query: String,
    /// Only in the stores of this rule, and only files that it covers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// How many at most, 10 if nobody says; 50 are, in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// What was found.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Results {
    /// When what is said of the files was so. Unix milliseconds.
    pub as_of: i64,
    /// The stores that were searched.
    pub stores: Vec<String>,
    /// The best first.
    pub rows: Vec<ResultRow>,
    /// What OpenAI still returns and is no answer any more, or is not Docket's.
    pub left_out: Vec<LeftOut>,
    /// Files that were not searched, because they have left OpenAI to keep within a budget.
    #[serde(default)]
    pub out: i64,
}

/// A piece of a file.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ResultRow {
    /// From 0 to 1, by OpenAI. Those of several stores are compared as they are: one ranker gives them.
    pub score: f64,
    pub source_id: String,
    pub path: Option<String>,
    /// How the file stands.
    pub state: Standing,
    /// Whether the text is of what the file is now, as far as Fastio was seen.
    pub is_present: bool,
    /// Why it is not current, and since when.
    pub reason: Option<String>,
    pub since: Option<i64>,
    /// The version at Fastio that the text is of, and the SHA-256 of its bytes.
    pub version: Option<String>,
    pub content_hash: Option<String>,
    /// The version at Fastio as it was last seen.
    pub file_version: Option<String>,
    pub vector_store: String,
    pub file_id: String,
    pub filename: String,
    /// As the document has it: data, whatever it says.
    pub text: String,
}

/// A result that is none, and why.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LeftOut {
    pub file_id: String,
    pub filename: String,
    pub vector_store: String,
    pub why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The file is gone from Fastio, or is not to be held any more.
    Deleted,
    /// A newer version of the file is searchable too.
    Superseded,
    /// It is a part of a text that was cut, of which not all is searchable yet.
    Incomplete,
    /// Docket put it there once and has taken it away, or somebody else put it there.
    NotHeld,
}

impl Why {
    /// For people, of several results.
    pub fn words(self) -> &'static str {
        match self {
            Why::Deleted => "of files that are gone",
            Why::Superseded => "of versions that newer ones took the place of",
            Why::Incomplete => "of versions of which not all can be searched yet",
            Why::NotHeld => "of what Docket does not hold there any more, or never put there",
        }
    }
}

/// Why nothing is found.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    #[error("{}", .0.words())]
    Wrong(Wrong),
    #[error(transparent)]
    Database(#[from] Error),
    #[error("vector store {store} could not be searched: {error}")]
    OpenAi { store: VectorStoreId, error: openai::Error },
}

impl From<Wrong> for Unanswered {
    fn from(wrong: Wrong) -> Self {
        Unanswered::Wrong(wrong)
    }
}

/// What searches.
#[derive(Debug, Clone)]
pub struct Searcher {
    pub database: Database,
    pub openai: Client,
}

impl Searcher {
    /// Searches all stores of the rules, or of one.
    ///
    /// # Errors
    /// A question that cannot be asked, the database's, and OpenAI's: where one store cannot be searched, nothing is answered, so that what
    /// is answered is all there is.
    pub async fn find(&self, asked: &Search, rules: &Rules, now: i64) -> Result<Results, Unanswered> {
        let query = asked.query.trim();
        if query.is_empty() || query.chars().count() > LONGEST {
            let words = format!("say what to search for: `query` is a text of at most {LONGEST} characters");
            return Err(Wrong::Asked(words).into());
        }
        let rules: Vec<Rule> = match &asked.rule {
            Some(name) => vec![rule_named(rules, name)?.clone()],
            None => rules.iter().cloned().collect(),
        };
        let sought = rules.clone();
        let stores = self.database.observe(move |connection| chains(connection, &sought)).await?.stores();
        if stores.is_empty() {
            let words = "no vector store has been made yet: it is with the first file of a rule";
            return Err(Wrong::Nothing(words.to_owned()).into());
        }
        let searches = stores.iter().map(|store| async move {
            let hits = self.openai.search(store, query, MOST).await;
            let hits = hits.map_err(|error| Unanswered::OpenAi { store: store.clone(), error })?;
            Ok::<_, Unanswered>(hits.into_iter().map(|hit| (store.0.clone(), hit)).collect::<Vec<_>>())
        });
        let hits: Vec<(String, Hit)> = try_join_all(searches).await?.into_iter().flatten().collect();
        let ids: Vec<String> = hits.iter().map(|(_, hit)| hit.file_id.0.clone()).collect();
        let (searched, names): (_, Vec<String>) =
            (stores.clone(), rules.iter().map(|rule| rule.name.clone()).collect());
        let read = move |connection: &mut Connection| {
            let usage = budget::store::usage(connection)?;
            let out = names.iter().filter_map(|name| usage.rules.get(name)).map(|held| held.all_out().files);
            Ok((listing::found(connection, &ids, &searched)?, out.sum()))
        };
        let (found, out) = self.database.observe(read).await?;
        let (rows, left_out) = told(hits, found, asked);
        self.used(&rows, now).await?;
        let stores = stores.into_iter().map(|store| store.0).collect();
        Ok(Results { as_of: now, stores, rows, left_out, out })
    }
}

impl Searcher {
    /// What is found is used. That is written down once an hour, for all that are found together.
    async fn used(&self, rows: &[ResultRow], now: i64) -> Result<(), Error> {
        let mut ids: Vec<String> = rows.iter().map(|row| row.source_id.clone()).collect();
        ids.sort_unstable();
        ids.dedup();
        let unused = move |connection: &mut Connection| budget::store::unused(connection, &ids, now);
        let unused = self.database.observe(unused).await?;
        if unused.is_empty() {
            return Ok(());
        }
        self.database.write_unsynced(move |tx| budget::store::used(tx, &unused, now)).await
    }
}

/// Puts the results of all stores in one order, and what is no answer aside.
fn told(hits: Vec<(String, Hit)>, found: Vec<Found>, asked: &Search) -> (Vec<ResultRow>, Vec<LeftOut>) {
    let place = |one: &Found| (one.vector_store.clone(), one.file_id.clone());
    let found: HashMap<_, _> = found.into_iter().map(|one| (place(&one), one)).collect();
    let (mut rows, mut left_out) = (Vec::<ResultRow>::new(), Vec::<LeftOut>::new());
    for (vector_store, hit) in hits {
        let (file_id, filename) = (hit.file_id.0.clone(), hit.filename.clone());
        let one = found.get(&(vector_store.clone(), file_id.clone()));
        let why = match one {
            Some(one) if one.over.is_none() => {
                if is_of(asked.rule.as_deref(), &one.file.rules) {
                    rows.push(row(one, hit));
                }
                continue;
            }
            None => Why::NotHeld,
            Some(Found { over: Some(Over::Deleted), .. }) => Why::Deleted,
            Some(Found { over: Some(Over::Incomplete), .. }) => Why::Incomplete,
            Some(_) => Why::Superseded,
        };
        // Several pieces of one file are one thing that is left out.
        if left_out.iter().all(|known| known.file_id != file_id) {
            left_out.push(LeftOut { file_id, filename, vector_store, why });
        }
    }
    rows.sort_by(|one, other| other.score.total_cmp(&one.score));
    // A file that two rules send to two stores is one file.
    let mut seen = HashSet::new();
    rows.retain(|row| seen.insert((row.source_id.clone(), row.text.clone())));
    rows.truncate(asked.limit.unwrap_or(USUAL).clamp(1, u32::from(MOST)) as usize);
    (rows, left_out)
}

/// Whether a rule covers a file, by the names of those that do.
fn is_of(rule: Option<&str>, rules: &str) -> bool {
    rule.is_none_or(|name| rules.split(',').any(|one| one == name))
}

fn row(found: &Found, hit: Hit) -> ResultRow {
    let file = &found.file;
    ResultRow {
        score: hit.score,
        source_id: file.source_id.clone(),
        path: file.path.clone(),
        state: file.state,
        is_present: found.is_present,
        reason: file.reason.clone(),
        since: file.since,
        version: found.version.clone(),
        content_hash: found.content_hash.clone(),
        file_version: file.version.clone(),
        vector_store: found.vector_store.clone(),
        file_id: found.file_id.clone(),
        filename: hit.filename,
        text: hit.text,
    }
}

impl Results {
    /// What was not searched, in words; nothing where all was.
    pub fn out_words(&self) -> Option<String> {
        let files = match self.out {
            0 => return None,
            1 => "1 file has".to_owned(),
            files => format!("{files} files have"),
        };
        Some(format!(
            "{files} left OpenAI to keep within a budget and cannot be found: docket files --out lists them, docket files bring PATH brings one back."
        ))
    }

    /// How many results were left out, by why, in words; nothing where none were.
    pub fn left_out_words(&self) -> Option<String> {
        let mut counts = BTreeMap::<Why, usize>::new();
        for one in &self.left_out {
            *counts.entry(one.why).or_default() += 1;
        }
        let words: Vec<String> =
            counts.iter().map(|(why, count)| format!("{count} {}", why.words())).collect();
        (!words.is_empty())
            .then(|| format!("Left out, though OpenAI still returns it: {}.", words.join(", ")))
    }
}
