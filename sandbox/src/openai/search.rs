//! `/vector_stores/{id}/search`: by words that query and text share. A stand-in for embeddings: the order it gives is
//! sensible and repeatable, its scores are not OpenAI's, and what shares no word is not found at all.

use std::collections::BTreeSet;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State as Shared};
use axum::routing::post;
use serde_json::{Value, json};

use super::error::ApiError;
use super::filter::Filter;
use super::indexing::StoreFile;
use super::read::{Fields, wrong_type};
use super::state::State;
use super::store::{Store, live};

/// Words that say nothing about what is sought.
const IDLE_WORDS: [&str; 24] = [
    "a", "an", "and", "any", "are", "as", "at", "be", "by", "for", "from", "in", "is", "it", "of", "on",
    "or", "that", "the", "to", "what", "which", "who", "with",
];

/// OpenAI's OpenAPI document.
const MAX_RESULTS: i64 = 50;
const DEFAULT_RESULTS: i64 = 10;
/// OpenAI's OpenAPI document: the ranking of this endpoint; a response's file search has no `none`.
const RANKING: Ranking =
    Ranking { members: &["ranker", "score_threshold"], rankers: &["none", "auto", "default-2024-11-15"] };

/// What is sought.
#[derive(Debug)]
pub struct Search {
    terms: BTreeSet<String>,
    filter: Option<Filter>,
    most: usize,
    /// The least score of what is found.
    threshold: f64,
}

/// What `ranking_options` may have.
pub struct Ranking {
    pub members: &'static [&'static str],
    pub rankers: &'static [&'static str],
}

impl Ranking {
    /// The least score that is asked for. Weights of a hybrid search are taken and change nothing.
    fn threshold(&self, fields: &Fields) -> Result<f64, ApiError> {
        let Some(options) = fields.value("ranking_options") else { return Ok(0.0) };
        let at = format!("{}.", fields.param("ranking_options"));
        let options = Fields::of(options.clone(), at, self.members)?;
        options.one_of("ranker", self.rankers.iter().copied())?;
        Ok(options.decimal("score_threshold", 0.0, 1.0)?.unwrap_or(0.0))
    }
}

/// One chunk that was found.
#[derive(Debug, Clone)]
pub struct SearchHit {
    pub file_id: String,
    pub filename: String,
    pub score: f64,
    pub attributes: Value,
    pub text: String,
}

impl Search {
    /// A search for `queries`, with what the request or the tool says besides.
    pub fn read(queries: &[String], fields: &Fields, ranking: &Ranking) -> Result<Search, ApiError> {
        let most = fields.integer("max_num_results", 1, MAX_RESULTS)?.unwrap_or(DEFAULT_RESULTS);
        Ok(Search {
            terms: terms(queries),
            filter: fields.value("filters").map(Filter::read).transpose()?,
            most: usize::try_from(most).expect("checked to be positive"),
            threshold: ranking.threshold(fields)?,
        })
    }

    /// The best chunks of the completed files, best first; equals in the order the files were attached.
    pub fn run<'a>(&self, stores: impl Iterator<Item = &'a Store>, now: i64) -> Vec<SearchHit> {
        let mut hits: Vec<SearchHit> = stores
            .flat_map(|store| store.files.iter())
            .filter(|entry| entry.status(now) == "completed")
            .filter(|entry| {
                let attributes = entry.attributes.clone().unwrap_or_default();
                self.filter.as_ref().is_none_or(|filter| filter.admits(&attributes))
            })
            .flat_map(|entry| self.chunks_of(entry))
            .filter(|hit| hit.score >= self.threshold)
            .collect();
        hits.sort_by(|one, other| other.score.total_cmp(&one.score));
        hits.truncate(self.most);
        hits
    }

    fn chunks_of(&self, entry: &StoreFile) -> Vec<SearchHit> {
        let hit = |text: &str| {
            let score = self.score(text, &entry.filename);
            (score > 0.0).then(|| SearchHit {
                file_id: entry.file_id.clone(),
                filename: entry.filename.clone(),
                score,
                attributes: json!(entry.attributes.clone().unwrap_or_default()),
                text: text.to_owned(),
            })
        };
        let text = entry.text();
        entry.chunking.cut(&text).into_iter().filter_map(hit).collect()
    }

    /// Between 0 and 1: each term counts alike, more often counts more, and the file's name counts as one mention.
    fn score(&self, text: &str, filename: &str) -> f64 {
        if self.terms.is_empty() {
            return 0.0;
        }
        let mut mentions = vec![0_u32; self.terms.len()];
        for word in stems(text).chain(stems(filename)) {
            if let Some(place) = self.terms.iter().position(|term| is(word, term)) {
                mentions[place] += 1;
            }
        }
        let sum: f64 =
            mentions.iter().map(|count| f64::from(*count)).map(|count| count / (count + 1.0)).sum();
        sum / f64::from(u32::try_from(self.terms.len()).unwrap_or(u32::MAX))
    }
}

/// Words without the `s` of a plural, so that it finds its singular.
fn stems(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty()).map(|word| {
        match word.strip_suffix(['s', 'S']) {
            Some(singular) if singular.len() > 2 => singular,
            _ => word,
        }
    })
}

/// Whether a word of a text is this term, which is in lower case. Nothing is allocated for plain words: a search reads
/// everything there is.
fn is(word: &str, term: &str) -> bool {
    if word.is_ascii() { word.eq_ignore_ascii_case(term) } else { word.to_lowercase() == term }
}

/// The words that are sought. Those that say nothing are sought only where there are no others.
fn terms(queries: &[String]) -> BTreeSet<String> {
    let all: BTreeSet<String> = queries.iter().flat_map(|query| words(query)).collect();
    let telling: BTreeSet<String> =
        all.iter().filter(|word| !IDLE_WORDS.contains(&word.as_str())).cloned().collect();
    if telling.is_empty() { all } else { telling }
}

/// Lower-case stems.
fn words(text: &str) -> impl Iterator<Item = String> {
    stems(text).map(str::to_lowercase)
}

pub fn routes() -> Router<State> {
    Router::new().route("/v1/vector_stores/{store}/search", post(search))
}

async fn search(
    Shared(state): Shared<State>,
    Path(store): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let known = ["query", "rewrite_query", "max_num_results", "filters", "ranking_options"];
    let fields = Fields::parse(&body, &known)?;
    let queries = match fields.required("query")? {
        Value::String(query) => vec![query.clone()],
        Value::Array(_) => fields.texts("query")?.unwrap_or_default(),
        other => return Err(wrong_type("query", "a string or an array of strings", other)),
    };
    fields.flag("rewrite_query")?;
    let search = Search::read(&queries, &fields, &RANKING)?;
    let (mut world, now) = state.world();
    let store = live(&mut world, now, &store)?;
    store.last_active_ms = now;
    let data: Vec<Value> = search
        .run(std::iter::once(&*store), now)
        .into_iter()
        .map(|hit| {
            json!({
                "file_id": hit.file_id, "filename": hit.filename, "score": hit.score,
                "attributes": hit.attributes, "content": [{"type": "text", "text": hit.text}],
            })
        })
        .collect();
    Ok(Json(json!({
        "object": "vector_store.search_results.page", "search_query": queries, "data": data,
        "has_more": false, "next_page": null,
    })))
}

#[cfg(test)]
mod tests {
    use super::{Search, terms, words};

    #[test]
    fn words_are_compared_without_case_and_plural() {
        let found: Vec<String> = words("The Supplier's liabilities, clauses").collect();
        assert_eq!(found, ["the", "supplier", "s", "liabilitie", "clause"]);
    }

    #[test]
    fn more_shared_words_score_higher() {
        let terms = terms(&["liability of the supplier".to_owned()]);
        let search = Search { terms, filter: None, most: 10, threshold: 0.0 };
        let score = |text: &str| search.score(text, "");
        assert!(score("The supplier bears liability") > score("The supplier pays"));
        assert!(score("liability liability supplier") > score("liability supplier"));
        assert!((0.0..1.0).contains(&score("supplier liability ".repeat(50).as_str())));
        assert!(score("Nothing of the kind") == 0.0);
    }
}
