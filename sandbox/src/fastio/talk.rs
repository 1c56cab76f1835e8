//! Talks with Fastio's own AI (`/ai/agent/`): threads of questions and answers about files.
//!
//! Paths, form fields and the words of the status are those of the official client's source. The model behind it is the one of the
//! stand-in for OpenAI: it follows plain rules and understands nothing. How long a turn takes is made up.

use std::collections::VecDeque;

use serde_json::{Value, json};

use crate::fastio::profile::Profile;
use crate::openai::model::{self, Document, Ending, Prompt};

use super::id::{IdKind, canonical, shown};
use super::refusal::Refusal;
use super::tree::Key;
use super::world::{Actor, World};

/// How long a turn is `pending`, and then `running`.
const STEP_MS: i64 = 250;

/// The longest question, as documented.
const MAX_QUESTION_CHARS: usize = 32_000;

/// The longest idempotency key, as documented.
const MAX_KEY_CHARS: usize = 64;

/// How many threads are kept; the oldest go first.
const MAX_TALKS: usize = 10_000;

/// How many questions are remembered; the oldest go first.
const MAX_ASKED: usize = 100_000;

/// Between these a question may say which JSON schema its answer has to fit. No document knows that: it is what Docket writes.
const SCHEMA: (&str, &str) = ("```json\n", "\n```");

/// How a turn ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    Complete { answer: String, cited: Vec<String> },
    NeedsInput(String),
    Failed(String),
    Cancelled,
    Lost,
}

#[derive(Debug)]
struct Turn {
    id: String,
    question: String,
    key: Option<String>,
    at: i64,
    end: End,
}

#[derive(Debug)]
pub struct Talk {
    id: String,
    profile: Profile,
    user: String,
    name: Option<String>,
    turns: Vec<Turn>,
}

/// A question that is asked.
#[derive(Debug)]
pub struct Question {
    pub text: String,
    pub name: Option<String>,
    pub key: Option<String>,
    /// The files and folders that it is about, by their ids.
    pub nodes: Vec<String>,
}

/// That a question was asked, which is known also when its thread is gone.
#[derive(Debug)]
struct Asked {
    key: Option<String>,
    at: i64,
    /// The files and folders that it is about, as they are shown.
    nodes: Vec<String>,
}

#[derive(Debug, Default)]
pub struct Talks {
    talks: Vec<Talk>,
    asked: VecDeque<Asked>,
}

impl Talk {
    fn is_of(&self, profile: &Profile, by: &Actor) -> bool {
        self.profile == *profile && self.user == by.user
    }

    /// As the list shows it.
    fn row(&self) -> Value {
        json!({"thread_id": shown(&self.id), "name": self.name})
    }

    pub fn shown(&self, now: i64) -> Value {
        let mut row = self.row();
        row["turns"] = self.turns.iter().map(|turn| turn.shown(now)).collect::<Vec<_>>().into();
        row
    }
}

impl Turn {
    fn status(&self, now: i64) -> &'static str {
        match ((now - self.at) / STEP_MS, &self.end) {
            (_, End::Cancelled) => "cancelled",
            (..1, _) => "pending",
            (1, _) => "running",
            (_, End::Complete { .. }) => "complete",
            (_, End::NeedsInput(_)) => "needs_input",
            (_, End::Failed(_)) => "failed",
            (_, End::Lost) => "lost",
        }
    }

    fn shown(&self, now: i64) -> Value {
        let status = self.status(now);
        let result = match (status, &self.end) {
            ("complete", End::Complete { answer, cited }) => {
                let cited: Vec<Value> = cited.iter().map(|node| json!({"node_id": shown(node)})).collect();
                json!({"answer": answer, "references": [], "citations": cited, "truncated": false})
            }
            ("needs_input", End::NeedsInput(question)) => json!({"clarification": {"question": question}}),
            ("failed", End::Failed(message)) => json!({"error": message}),
            _ => Value::Null,
        };
        json!({"turn_id": shown(&self.id), "status": status, "text": self.question, "result": result})
    }
}

impl Talks {
    pub fn all(&self) -> impl Iterator<Item = &Talk> {
        self.talks.iter()
    }

    /// Each question that was asked, with its key, its time in Unix milliseconds and the nodes that it is about.
    pub fn asked(&self) -> impl Iterator<Item = Value> {
        self.asked.iter().map(|asked| json!({"key": asked.key, "at": asked.at, "nodes": asked.nodes}))
    }

    fn position(&self, (profile, by): (&Profile, &Actor), thread: &str) -> Result<usize, Refusal> {
        let id = canonical(thread);
        let found = self.talks.iter().position(|talk| talk.id == id && talk.is_of(profile, by));
        found.ok_or_else(|| Refusal::not_found("The thread"))
    }

    pub fn list(&self, profile: &Profile, by: &Actor) -> Vec<Value> {
        self.talks.iter().filter(|talk| talk.is_of(profile, by)).map(Talk::row).collect()
    }

    pub fn turn(&self, of: (&Profile, &Actor), (thread, turn): (&str, &str)) -> Result<Value, Refusal> {
        let talk = &self.talks[self.position(of, thread)?];
        let id = canonical(turn);
        let found = talk.turns.iter().find(|turn| turn.id == id);
        Ok(found.ok_or_else(|| Refusal::not_found("The message"))?.shown(of.1.now))
    }

    /// Stops what goes on in a thread. Done twice it does no harm.
    pub fn cancel(&mut self, of: (&Profile, &Actor), thread: &str) -> Result<(), Refusal> {
        let at = self.position(of, thread)?;
        for turn in &mut self.talks[at].turns {
            if matches!(turn.status(of.1.now), "pending" | "running") {
                turn.end = End::Cancelled;
            }
        }
        Ok(())
    }

    pub fn delete(&mut self, of: (&Profile, &Actor), thread: &str) -> Result<(), Refusal> {
        let at = self.position(of, thread)?;
        self.talks.remove(at);
        Ok(())
    }
}

impl World {
    /// Asks in a thread, or in a new one, and gives the ids of thread and turn. What was asked under a key is not asked again.
    pub fn ask(
        &mut self,
        (profile, by): (&Profile, &Actor),
        thread: Option<&str>,
        (question, end): (Question, Option<End>),
    ) -> Result<(String, String), Refusal> {
        self.tree(profile)?;
        if question.text.is_empty() || question.text.chars().count() > MAX_QUESTION_CHARS {
            return Err(Refusal::input("question: This must have 1 to 32000 characters."));
        }
        if question.key.as_ref().is_some_and(|key| key.is_empty() || key.chars().count() > MAX_KEY_CHARS) {
            return Err(Refusal::input("idempotency_key: This must have 1 to 64 characters."));
        }
        let known = self.talks.talks.iter().filter(|talk| talk.is_of(profile, by)).find_map(|talk| {
            let turn = talk.turns.iter().find(|turn| turn.key.is_some() && turn.key == question.key)?;
            Some((talk.id.clone(), turn.id.clone()))
        });
        if let Some(known) = known {
            return Ok(known);
        }
        let at = thread.map(|thread| self.talks.position((profile, by), thread)).transpose()?;
        let documents = self.documents(profile, &question.nodes)?;
        let end = end.unwrap_or_else(|| answered(&question.text, documents));
        let nodes = question.nodes.iter().map(|id| shown(&canonical(id))).collect();
        self.talks.asked.push_back(Asked { key: question.key.clone(), at: by.now, nodes });
        if self.talks.asked.len() > MAX_ASKED {
            self.talks.asked.pop_front();
        }
        let turn = Turn {
            id: self.ids.make(IdKind::Token),
            question: question.text,
            key: question.key,
            at: by.now,
            end,
        };
        let turn_id = turn.id.clone();
        let at = match at {
            Some(at) => at,
            None => {
                let (id, user) = (self.ids.make(IdKind::Token), by.user.clone());
                let talk =
                    Talk { id, profile: profile.clone(), user, name: question.name, turns: Vec::new() };
                let surplus = (self.talks.talks.len() + 1).saturating_sub(MAX_TALKS);
                self.talks.talks.drain(..surplus);
                self.talks.talks.push(talk);
                self.talks.talks.len() - 1
            }
        };
        self.talks.talks[at].turns.push(turn);
        Ok((self.talks.talks[at].id.clone(), turn_id))
    }

    /// The texts of files, and of all files in folders. One that cannot be attached fails the whole request, as documented.
    fn documents(&self, profile: &Profile, nodes: &[String]) -> Result<Vec<Document>, Refusal> {
        let tree = self.tree(profile)?;
        let mut keys: Vec<Key> = Vec::new();
        for id in nodes {
            let key = self.live(profile, id)?;
            let is_below = |found: Key| {
                let is_file = tree.node(found).is_some_and(|node| node.kind.is_file());
                is_file
                    && tree.trashed_at(found).is_none()
                    && tree.upwards(found).any(|(above, _)| above == key)
            };
            match tree.is_folder(key) {
                true => keys.extend(tree.all().map(|(found, _)| found).filter(|found| is_below(*found))),
                false => keys.push(key),
            }
        }
        let mut documents = Vec::new();
        for key in keys {
            let node = tree.node(key).ok_or_else(Refusal::no_node)?;
            let text = node.version().and_then(|version| version.content.text());
            documents.push(Document {
                file_id: node.id.clone(),
                filename: node.name.clone(),
                text: text.map(|text| text.to_string()).unwrap_or_default(),
            });
        }
        Ok(documents)
    }
}

fn prompt(question: &str, documents: Vec<Document>) -> Prompt {
    let (begin, end) = SCHEMA;
    let schema = question.rfind(begin).and_then(|at| question[at + begin.len()..].split(end).next());
    let schema = schema.and_then(|text| serde_json::from_str(text).ok());
    Prompt { texts: vec![question.to_owned()], documents, schema }
}

fn answered(question: &str, documents: Vec<Document>) -> End {
    of(model::answer(&prompt(question, documents)))
}

fn of(ending: Ending) -> End {
    match ending {
        Ending::Completed { text, cited } => End::Complete {
            answer: text,
            cited: cited.into_iter().map(|document| document.file_id).collect(),
        },
        Ending::Refused { refusal } => End::Failed(refusal),
        Ending::Incomplete { reason, .. } => End::Failed(reason),
        Ending::Failed { message, .. } => End::Failed(message),
    }
}

impl World {
    /// The answer with its first quote made up.
    pub fn invented(&self, profile: &Profile, question: &Question) -> Result<End, Refusal> {
        let documents = self.documents(profile, &question.nodes)?;
        Ok(of(model::invent(model::answer(&prompt(&question.text, documents)))))
    }
}
