//! A run, as it stands in the database.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fastio::FileKey;
use crate::outside;
use crate::result::judgement::Judgement;

/// Our number for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub i64);

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// How far a run has come. The diagram stands in [`super`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing was begun, or nothing of it remains.
    Wanted,
    /// A response was begun. Whether there is one is not known.
    Starting,
    /// There is one, and it has not ended.
    Running,
    /// Its answer is on record and checked.
    Answered,
    /// The outcome is certain; what was taken is given back.
    Ending,
    Ended,
}

impl State {
    const ALL: [State; 6] =
        [State::Wanted, State::Starting, State::Running, State::Answered, State::Ending, State::Ended];

    pub fn as_str(self) -> &'static str {
        match self {
            State::Wanted => "wanted",
            State::Starting => "starting",
            State::Running => "running",
            State::Answered => "answered",
            State::Ending => "ending",
            State::Ended => "ended",
        }
    }

    pub fn parse(text: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// What became of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// There is a result, and every quote in it was found.
    Completed,
    /// There is a result, and a person must look at what could not be proven.
    NeedsReview,
    /// The model refused.
    Refused,
    Failed,
    /// A limit that the rule sets was reached.
    Held,
    /// A person stopped it, or the file is gone.
    Cancelled,
    /// The file has a newer version.
    Superseded,
}

impl Outcome {
    const ALL: [Outcome; 7] = [
        Outcome::Completed,
        Outcome::NeedsReview,
        Outcome::Refused,
        Outcome::Failed,
        Outcome::Held,
        Outcome::Cancelled,
        Outcome::Superseded,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Completed => "completed",
            Outcome::NeedsReview => "needs_review",
            Outcome::Refused => "refused",
            Outcome::Failed => "failed",
            Outcome::Held => "held",
            Outcome::Cancelled => "cancelled",
            Outcome::Superseded => "superseded",
        }
    }

    pub fn parse(text: &str) -> Option<Outcome> {
        Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == text)
    }

    /// Whether there is a result that answers for its version of the file.
    pub fn has_result(self) -> bool {
        matches!(self, Outcome::Completed | Outcome::NeedsReview)
    }
}

/// One row of `run`.
#[derive(Debug, Clone)]
pub struct Run {
    pub id: RunId,
    pub rule: String,
    pub key: FileKey,
    pub path: String,
    pub content_hash: String,
    pub version: Option<String>,
    pub bytes: u64,
    pub file_id: String,
    pub vector_store: String,
    pub definition: String,
    pub state: State,
    pub outcome: Option<Outcome>,
    pub reason: Option<String>,
    /// Until when a limit of its rule keeps it from beginning.
    pub held_until: Option<i64>,
    /// A person asked for its end.
    pub cancel: bool,
    pub conversation: Option<String>,
    /// It is made in none, because the server has no conversations.
    pub alone: bool,
    pub response: Option<String>,
    /// OpenAI may still be working on it.
    pub live: bool,
    /// Responses that were begun.
    pub tries: u16,
    /// Those of them that do not count, because a limit of the account ended them.
    pub excused: u16,
    /// How it is shown the document, once that was too large for the way of its rule.
    pub other_way: Option<String>,
    pub begun_at: Option<i64>,
    pub result: Option<Value>,
    /// What a person says of the result.
    pub judgement: Option<Judgement>,
    pub created_at: i64,
    pub answered_at: Option<i64>,
    pub ended_at: Option<i64>,
}

impl Run {
    /// What the result on record was judged to be, whatever became of its delivery.
    pub fn judged(&self) -> Option<Outcome> {
        let word = self.result.as_ref()?["outcome"].as_str()?;
        Outcome::parse(word).filter(|outcome| outcome.has_result())
    }

    /// Whether its result stands where it belongs.
    pub fn is_written(&self) -> bool {
        self.result.as_ref().is_some_and(|result| result["written"].is_array())
    }

    /// Whose the things are that it holds elsewhere.
    pub fn holder(&self) -> String {
        outside::of_run(self.id)
    }

    /// The conversation, or thread, that its response is made in: empty where it is made in none. None: that is not settled.
    pub fn made_in(&self) -> Option<&str> {
        self.conversation.as_deref().or(self.alone.then_some(""))
    }

    /// Responses that came to nothing for reasons of their own, and the one that is under way.
    pub fn counted(&self) -> u16 {
        self.tries.saturating_sub(self.excused)
    }

    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::fastio::{NodeId, Profile};

    /// A run over `content`, ended or running, for tests of what is decided about it.
    pub fn run(id: i64, content: &str, outcome: Option<Outcome>) -> Run {
        Run {
            id: RunId(id),
            rule: "r".to_owned(),
            key: FileKey::new(Profile::workspace("1"), NodeId::new("2a")),
            path: "/nda.pdf".to_owned(),
            content_hash: content.to_owned(),
            version: None,
            bytes: 1,
            file_id: "file-1".to_owned(),
            vector_store: "vs_1".to_owned(),
            definition: "d".to_owned(),
            state: if outcome.is_some() { State::Ended } else { State::Running },
            outcome,
            reason: None,
            held_until: None,
            cancel: false,
            conversation: None,
            alone: false,
            response: None,
            live: false,
            tries: 0,
            excused: 0,
            other_way: None,
            begun_at: None,
            result: None,
            judgement: None,
            created_at: id,
            answered_at: None,
            ended_at: outcome.map(|_| id),
        }
    }
}
