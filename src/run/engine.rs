//! The engines at OpenAI: what each of them is asked, and how its life reads; what Fastio is asked first stands in [`super::ask`]. A run's life itself is in [`super::steps`], once for
//! all of them.

use serde_json::Value;

use super::frame::{self, Shown};
use super::row::Run;
use super::settings::{Attach, Definition, Engine, Mcp, ServiceTier};
use crate::openai;
use crate::openai::{
    AssistantId, Attachment, Client, ConversationId, Error, Failure, FileId, Format, Item, NewResponse,
    NewRun, NewThread, Order, Output, RemoteMcp, Response, ResponseId, RunId, RunStatus, Status, ThreadId,
    Usage,
};

/// How often tools may be called in one run: more than a long document needs, and an end for a model that goes round in
/// circles.
const MAX_TOOL_CALLS: u64 = 50;

/// What calls of Fastio's tools are known by.
const FASTIO: &str = "fastio";

/// Pages of a conversation: ours holds one question and its answer.
const PAGES: usize = 20;

/// What a look at a run's response found.
#[derive(Debug)]
pub enum ResponseState {
    /// Not ended.
    Going,
    Ended(Box<Ended>),
    /// OpenAI does not have it any more, or says so.
    Lost,
}

/// What was found where a response was begun and its reply was lost.
#[derive(Debug)]
pub enum LostResponse {
    /// Nothing, or nothing yet.
    Nothing,
    /// It exists under this id.
    Exists(String),
    /// It has ended, and this is what it left; its id is not known.
    Ended(Box<Ended>),
}

/// A response that has ended.
#[derive(Debug)]
pub struct Ended {
    pub how: How,
    pub output: Output,
    pub usage: Option<Usage>,
    pub model: Option<String>,
    /// How OpenAI processed it, where it says so.
    pub service_tier: Option<String>,
}

/// How it ended.
#[derive(Debug)]
pub enum How {
    Completed,
    /// Why, in OpenAI's word.
    Incomplete(String),
    Failed(Failure),
    Cancelled,
    /// It asks for something that no person is there to give.
    Stuck(String),
}

impl Engine {
    /// Makes what the run is made in: a conversation, or a thread with the question.
    pub async fn prepare(&self, client: &Client, ask: (&Definition, &Run, &Shown)) -> Result<String, Error> {
        let (definition, run, shown) = ask;
        let metadata = frame::metadata(run);
        match self {
            Engine::Responses { .. } | Engine::Fastio { .. } => {
                Ok(client.create_conversation(&metadata).await?.0)
            }
            Engine::Assistants { .. } => {
                let attachments = attachments(definition, run);
                let thread = NewThread { text: &shown.text, attachments: &attachments, metadata };
                Ok(client.threads().create(&thread).await?.0)
            }
        }
    }

    /// What [`Engine::prepare`] asks for.
    pub fn preparing(&self) -> &'static str {
        match self {
            Engine::Responses { .. } | Engine::Fastio { .. } => openai::CONVERSING,
            Engine::Assistants { .. } => openai::THREADING,
        }
    }

    /// Creates the response in `conversation`, or in none where that is empty, and answers its id.
    pub async fn start(
        &self,
        client: &Client,
        (definition, run, shown): (&Definition, &Run, &Shown),
        conversation: &str,
    ) -> Result<String, Error> {
        match self {
            Engine::Responses { .. } | Engine::Fastio { .. } => {
                // Empty: it is made in none.
                let conversation =
                    Some(ConversationId(conversation.to_owned())).filter(|id| !id.0.is_empty());
                let new = self.asked((definition, run, shown), conversation.as_ref());
                Ok(client.create_response(&new).await?.id.0)
            }
            Engine::Assistants { assistant, model } => {
                let assistant = AssistantId(assistant.clone());
                let new = NewRun {
                    assistant: &assistant,
                    model: model.as_deref(),
                    additional_instructions: Some(&shown.instructions),
                    format: format(definition),
                    max_completion_tokens: definition.max_output_tokens.map(u64::from),
                    metadata: frame::metadata(run),
                };
                Ok(client.threads().start(&ThreadId(conversation.to_owned()), &new).await?.id.0)
            }
        }
    }

    /// What the model is asked.
    fn asked<'a>(
        &'a self,
        (definition, run, shown): (&'a Definition, &Run, &'a Shown),
        conversation: Option<&'a ConversationId>,
    ) -> NewResponse<'a> {
        NewResponse {
            model: self.model().expect("only a rule that names a model has OpenAI asked after Fastio"),
            instructions: Some(&shown.instructions),
            conversation,
            text: &shown.text,
            files: &shown.files,
            tools: &shown.tools,
            mcp: definition.mcp.as_ref().map(remote),
            format: format(definition),
            max_output_tokens: definition.max_output_tokens.map(u64::from),
            service_tier: shown.service_tier.map(ServiceTier::as_str),
            max_tool_calls: (!shown.tools.is_empty() || definition.mcp.is_some()).then_some(MAX_TOOL_CALLS),
            metadata: frame::metadata(run),
        }
    }

    /// The line that asks for the run in a batch, under this name.
    pub fn batch_line(&self, asked: (&Definition, &Run, &Shown), custom_id: &str) -> String {
        // A batch has its own price, and no other tier.
        openai::batch_line(custom_id, &NewResponse { service_tier: None, ..self.asked(asked, None) })
    }

    /// Looks for a response that was begun in `conversation` and whose reply was lost.
    ///
    /// A conversation shows nothing of a response before that has completed (OpenAI's OpenAPI document), so nothing found
    /// is no proof that there is none. A thread lists its runs from their creation on.
    pub async fn find_lost(&self, client: &Client, conversation: &str) -> Result<LostResponse, Error> {
        match self {
            Engine::Responses { .. } | Engine::Fastio { .. } => {
                let items = items(client, &ConversationId(conversation.to_owned())).await?;
                Ok(if items.is_empty() {
                    LostResponse::Nothing
                } else {
                    LostResponse::Ended(Box::new(from_items(&items)))
                })
            }
            Engine::Assistants { .. } => {
                let runs = client.threads().runs(&ThreadId(conversation.to_owned())).await?;
                Ok(runs
                    .into_iter()
                    .next()
                    .map_or(LostResponse::Nothing, |run| LostResponse::Exists(run.id.0)))
            }
        }
    }

    /// How far the response is.
    pub async fn look(
        &self,
        client: &Client,
        conversation: &str,
        response: &str,
    ) -> Result<ResponseState, Error> {
        match self {
            Engine::Responses { .. } | Engine::Fastio { .. } => {
                let id = ResponseId(response.to_owned());
                found(client.response(&id).await)
                    .map(|response| response.map_or(ResponseState::Lost, from_response))
            }
            Engine::Assistants { .. } => {
                let (thread, id) = (ThreadId(conversation.to_owned()), RunId(response.to_owned()));
                match found(client.threads().run(&thread, &id).await)? {
                    Some(run) => from_run(client, &thread, run).await,
                    None => Ok(ResponseState::Lost),
                }
            }
        }
    }

    /// Cancels the response. One that has ended stays as it ended.
    pub async fn cancel(&self, client: &Client, conversation: &str, response: &str) -> Result<(), Error> {
        let cancelled = match self {
            Engine::Responses { .. } | Engine::Fastio { .. } => {
                client.cancel_response(&ResponseId(response.to_owned())).await.map(drop)
            }
            Engine::Assistants { .. } => {
                let (thread, id) = (ThreadId(conversation.to_owned()), RunId(response.to_owned()));
                client.threads().cancel(&thread, &id).await.map(drop)
            }
        };
        match cancelled {
            // It has ended, or it is gone: nothing of it goes on.
            Err(error)
                if matches!(error.kind, crate::openai::ErrorKind::Rejected { .. })
                    || error.is_not_found() =>
            {
                Ok(())
            }
            other => other,
        }
    }
}

fn format(definition: &Definition) -> Option<Format<'_>> {
    definition.schema.as_ref().map(|schema| Format { name: schema.name(), schema: schema.sent() })
}

fn remote(mcp: &Mcp) -> RemoteMcp<'_> {
    RemoteMcp { label: FASTIO, url: &mcp.url, key: &mcp.key, tools: &mcp.tools }
}

fn found<T>(looked: Result<T, Error>) -> Result<Option<T>, Error> {
    match looked {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

fn attachments(definition: &Definition, run: &Run) -> Vec<Attachment> {
    let wanted = &definition.attach;
    let code_interpreter = wanted.contains(&Attach::CodeInterpreter);
    // An assistant has no whole documents; search is how it reads one.
    let file_search = !code_interpreter || wanted.len() > 1;
    vec![Attachment { file: FileId(run.file_id.clone()), file_search, code_interpreter }]
}

async fn items(client: &Client, conversation: &ConversationId) -> Result<Vec<Item>, Error> {
    let mut items = Vec::new();
    let mut after: Option<String> = None;
    for _ in 0..PAGES {
        let page = client.conversation_items(conversation, Order::OldestFirst, after.as_deref()).await?;
        items.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(items)
}

/// What a response left in its conversation. It carries no status, so the items' own have to tell.
fn from_items(items: &[Item]) -> Ended {
    let output = Item::output(items);
    let cut_short = |item: &Item| item.raw.get("status").and_then(Value::as_str) == Some("incomplete");
    let how = if items.iter().any(cut_short) {
        How::Incomplete("unknown".to_owned())
    } else if output.text.is_empty() && output.refusal.is_none() {
        match output.waiting_for.first() {
            Some(what) => How::Stuck(what.clone()),
            None => How::Failed(Failure {
                code: "server_error".to_owned(),
                message: "its conversation holds the question and no answer".to_owned(),
            }),
        }
    } else {
        How::Completed
    };
    Ended { how, output, usage: None, model: None, service_tier: None }
}

pub(super) fn from_response(response: Response) -> ResponseState {
    let failure = || Failure { code: String::new(), message: "OpenAI does not say why".to_owned() };
    let how = match response.status {
        Status::Queued | Status::InProgress | Status::Unknown(_) => return ResponseState::Going,
        Status::Completed => match response.output.waiting_for.first() {
            Some(what) if response.output.text.is_empty() => How::Stuck(what.clone()),
            _ => How::Completed,
        },
        Status::Incomplete => How::Incomplete(response.incomplete.unwrap_or_else(|| "unknown".to_owned())),
        Status::Failed => How::Failed(response.error.unwrap_or_else(failure)),
        Status::Cancelled => How::Cancelled,
    };
    ResponseState::Ended(Box::new(Ended {
        how,
        output: response.output,
        usage: response.usage,
        model: response.model,
        service_tier: response.service_tier,
    }))
}

async fn from_run(
    client: &Client,
    thread: &ThreadId,
    run: crate::openai::Run,
) -> Result<ResponseState, Error> {
    let failure = || Failure { code: String::new(), message: "the server does not say why".to_owned() };
    let how = match run.status {
        RunStatus::Queued | RunStatus::InProgress | RunStatus::Cancelling | RunStatus::Unknown(_) => {
            return Ok(ResponseState::Going);
        }
        RunStatus::RequiresAction => How::Stuck("the output of a tool".to_owned()),
        RunStatus::Completed => How::Completed,
        RunStatus::Incomplete => How::Incomplete(match run.incomplete.as_deref() {
            Some("max_completion_tokens") | None => "max_output_tokens".to_owned(),
            Some(other) => other.to_owned(),
        }),
        RunStatus::Failed => How::Failed(run.error.unwrap_or_else(failure)),
        RunStatus::Expired => How::Failed(Failure {
            code: "server_error".to_owned(),
            message: "the run expired at the server".to_owned(),
        }),
        RunStatus::Cancelled => How::Cancelled,
    };
    let output = match how {
        How::Completed | How::Incomplete(_) => client.threads().output(thread, &run.id).await?,
        _ => Output::default(),
    };
    let (usage, model) = (run.usage, run.model);
    Ok(ResponseState::Ended(Box::new(Ended { how, output, usage, model, service_tier: None })))
}
