//! Fastio's own AI: a question about files is asked in a thread, and its turn is looked at until it has ended.
//!
//! Paths, form fields and the words of the status are in the source of Fastio's official client (its newest version; older documents
//! know other words, and the chats that were there before). A question takes a key, under which Fastio asks it once however often it
//! is told. What else stands in a result is not documented.

use reqwest::Method;
use serde_json::json;

use crate::http::SMALL_CALL_LIMIT;
use crate::http::value::Fields;

use super::answer::Opened;
use super::client::Client;
use super::{Error, ErrorKind, NodeId, Profile, VersionId};

/// The longest question, in characters.
pub const LONGEST_QUESTION: usize = 32_000;

/// What Fastio says when turns under one key come out of order: the same key is to be told again.
const OUT_OF_ORDER: &str = "sequence_failure";

/// Threads of one page of the list, and pages that are looked through.
const PER_PAGE: usize = 100;
const MOST_PAGES: usize = 20;

/// A thread, and the turn of a question in it. Opaque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TalkId {
    pub thread: String,
    pub turn: String,
}

/// What is asked.
#[derive(Debug)]
pub struct Question<'a> {
    pub text: &'a str,
    /// What the thread is called.
    pub name: &'a str,
    /// Told twice under one key, it is asked once. At most 64 characters.
    pub key: &'a str,
    pub about: Subject<'a>,
}

/// What a question is about.
#[derive(Debug)]
pub enum Subject<'a> {
    File(&'a NodeId, Option<&'a VersionId>),
    /// All that is in a folder; the top one is the whole workspace.
    Folder(&'a NodeId),
}

impl Subject<'_> {
    /// As `references` has it: without any, Fastio looks through the whole workspace.
    fn references(&self) -> Option<String> {
        let one = match self {
            Subject::File(node, version) => {
                let version = version.map(|version| version.0.as_str()).unwrap_or_default();
                let details = json!({"node_id": node, "version_id": version});
                json!({"type": "file", "id": node, "file_details": details})
            }
            Subject::Folder(node) if node.is_root() => return None,
            Subject::Folder(node) => {
                json!({"type": "folder", "id": node, "folder_details": {"node_id": node}})
            }
        };
        Some(json!([one]).to_string())
    }
}

/// How far a turn is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TurnState {
    /// Pending, running, or a word that came after this was written.
    Going,
    Complete(TurnAnswer),
    /// It asks something back, and goes no further by itself.
    NeedsInput(String),
    /// `failed`, `cancelled`, `lost` (and older words), with what is said of it.
    Ended(String),
}

/// An answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TurnAnswer {
    pub text: String,
    /// The files that it cites, each once.
    pub citations: Vec<(NodeId, Option<VersionId>)>,
    /// It was cut.
    pub truncated: bool,
}

impl Client {
    /// Asks about a file or a folder, in a thread of its own.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] also for turns out of order: ask again under the same key, as after any answer that did not come; and
    /// those of every call.
    pub async fn ask(&self, profile: &Profile, question: &Question<'_>) -> Result<TalkId, Error> {
        const OPERATION: &str = "asking Fastio's AI";
        let references = question.about.references();
        let mut form = vec![
            ("question", question.text),
            ("name", question.name),
            ("privacy", "private"),
            ("idempotency_key", question.key),
        ];
        form.extend(references.as_deref().map(|references| ("references", references)));
        let request = self.request(OPERATION, Method::POST, &agent(profile, &[]))?.form(&form);
        let opened =
            self.submit(OPERATION, request.timeout(SMALL_CALL_LIMIT)).await.map_err(|mut error| {
                if error.mentions(OUT_OF_ORDER) {
                    error.kind = ErrorKind::Conflict;
                }
                error
            })?;
        let Opened { head, envelope, .. } = &opened;
        let nested = |name: &str, id: &str| envelope.object(name).and_then(|fields| fields.id(id));
        let flat = |id: &str| envelope.get(id).and_then(crate::http::value::text).filter(|id| !id.is_empty());
        let thread = nested("thread", "thread_id").or_else(|| flat("thread_id"));
        let turn = nested("turn", "turn_id").or_else(|| flat("turn_id"));
        let both = thread.zip(turn).map(|(thread, turn)| TalkId { thread, turn });
        both.ok_or_else(|| Error::unreadable(OPERATION, head, "no ids of thread and turn"))
    }

    /// How far a turn is.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when it is gone, and those of every call.
    pub async fn turn(&self, profile: &Profile, id: &TalkId) -> Result<TurnState, Error> {
        const OPERATION: &str = "looking at an answer of Fastio's AI";
        let path = agent(profile, &[&id.thread, "message", &id.turn, "details"]);
        let Opened { head, envelope, .. } = self.call(OPERATION, &path, &[]).await?;
        let found = ["message", "turn"].iter().find_map(|name| envelope.object(name));
        state(found.unwrap_or(envelope.root()))
            .ok_or_else(|| Error::unreadable(OPERATION, &head, "no status"))
    }

    /// Stops what goes on in a thread. Fastio takes it as often as it is told.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn stop_talk(&self, profile: &Profile, thread: &str) -> Result<(), Error> {
        self.at_thread((Method::POST, "stopping Fastio's AI"), &agent(profile, &[thread, "cancel"])).await
    }

    /// Removes a thread, with its questions and answers.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn delete_talk(&self, profile: &Profile, thread: &str) -> Result<(), Error> {
        self.at_thread((Method::DELETE, "removing a thread of Fastio's AI"), &agent(profile, &[thread])).await
    }

    /// One that is gone is as it should be.
    async fn at_thread(
        &self,
        (method, operation): (Method, &'static str),
        path: &[&str],
    ) -> Result<(), Error> {
        let request = self.request(operation, method, path)?.timeout(SMALL_CALL_LIMIT);
        match self.submit(operation, request).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    /// The thread of this name, if it is among those that are looked through.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn talk_named(&self, profile: &Profile, name: &str) -> Result<Option<String>, Error> {
        Ok(self.talks_where(profile, (|called: &str| called == name, 1)).await?.pop())
    }

    /// The threads whose names begin so, among those that are looked through.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn talks_beginning(&self, profile: &Profile, name: &str) -> Result<Vec<String>, Error> {
        self.talks_where(profile, (|called: &str| called.starts_with(name), usize::MAX)).await
    }

    /// The first so many threads whose names are meant.
    async fn talks_where(
        &self,
        profile: &Profile,
        (is_meant, most): (impl Fn(&str) -> bool, usize),
    ) -> Result<Vec<String>, Error> {
        const OPERATION: &str = "listing threads of Fastio's AI";
        let (mut all, limit) = (Vec::new(), PER_PAGE.to_string());
        for page in 0..MOST_PAGES {
            let offset = (page * PER_PAGE).to_string();
            let query = [("limit", limit.as_str()), ("offset", &offset)];
            let Opened { head, envelope, .. } =
                self.call(OPERATION, &agent(profile, &["list"]), &query).await?;
            let list = ["threads", "items", "results"].iter().find_map(|name| envelope.list(name));
            let list = list.ok_or_else(|| Error::unreadable(OPERATION, &head, "no list of threads"))?;
            let meant = list.iter().filter_map(Fields::of);
            let meant = meant.filter(|row| row.text("name").is_some_and(|name| is_meant(&name)));
            all.extend(meant.filter_map(|row| row.id("thread_id").or_else(|| row.id("id"))));
            if list.len() < PER_PAGE || all.len() >= most {
                break;
            }
        }
        all.truncate(most);
        Ok(all)
    }
}

fn agent<'a>(profile: &'a Profile, rest: &[&'a str]) -> Vec<&'a str> {
    [&[profile.kind.as_str(), profile.id.as_str(), "ai", "agent"], rest].concat()
}

fn state(turn: Fields<'_>) -> Option<TurnState> {
    let status = turn.id("status").or_else(|| turn.id("state"))?.to_ascii_lowercase();
    let result = turn.object("result").or_else(|| turn.object("response"));
    Some(match status.as_str() {
        "complete" => TurnState::Complete(result.map(answer).unwrap_or_default()),
        "needs_input" => {
            let question = result
                .and_then(|result| result.object("clarification"))
                .and_then(|clarification| clarification.text("question"));
            TurnState::NeedsInput(question.unwrap_or_else(|| "it does not say what".to_owned()))
        }
        "failed" | "errored" | "cancelled" | "lost" => {
            let why = result.and_then(|result| result.id("error").or_else(|| result.id("message")));
            TurnState::Ended(match why {
                Some(why) => format!("{status}: {}", crate::http::reply::excerpt(&why)),
                None => status,
            })
        }
        _ => TurnState::Going,
    })
}

fn answer(result: Fields<'_>) -> TurnAnswer {
    let text = result.text("answer").or_else(|| result.text("text")).unwrap_or_default();
    let mut citations: Vec<(NodeId, Option<VersionId>)> = Vec::new();
    for cited in result.list("citations").unwrap_or_default().iter().filter_map(Fields::of) {
        let Some(node) = cited.id("node_id").or_else(|| cited.id("id")).map(NodeId::new) else { continue };
        let version = cited.id("version_id").or_else(|| cited.id("indexed_version_id")).map(VersionId);
        if !citations.iter().any(|(known, _)| *known == node) {
            citations.push((node, version));
        }
    }
    TurnAnswer { text, citations, truncated: result.flag("truncated").unwrap_or(false) }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn read(turn: &Value) -> TurnState {
        state(Fields::of(turn).unwrap()).unwrap()
    }

    #[test]
    fn a_turn_is_read_in_the_words_of_old_and_new() {
        for going in ["pending", "running", "post_processing", "thinking"] {
            assert_eq!(read(&json!({"status": going})), TurnState::Going);
        }
        let cited =
            json!([{"node_id": "2a-b"}, {"node_id": "2AB"}, {"node_id": "2c", "version_id": "v"}, {}]);
        let answer = read(&json!({"state": "complete", "result": {"answer": "Yes.", "citations": cited}}));
        let TurnState::Complete(answer) = answer else { panic!("{answer:?}") };
        assert_eq!((answer.text.as_str(), answer.citations.len(), answer.truncated), ("Yes.", 2, false));
        let older = read(&json!({"status": "complete", "response": {"text": "Yes."}}));
        assert!(matches!(older, TurnState::Complete(answer) if answer.text == "Yes."));
        let asks = json!({"status": "needs_input", "result": {"clarification": {"question": "Which?"}}});
        assert_eq!(read(&asks), TurnState::NeedsInput("Which?".to_owned()));
        let failed = json!({"status": "failed", "result": {"error": "no credits"}});
        assert_eq!(read(&failed), TurnState::Ended("failed: no credits".to_owned()));
        assert_eq!(read(&json!({"status": "lost", "result": null})), TurnState::Ended("lost".to_owned()));
    }
}
