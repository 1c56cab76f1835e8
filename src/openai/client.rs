//! The calls we make to OpenAI. Each is one attempt; the queue decides about another.

use std::collections::BTreeMap;
use std::fmt;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder};
use secrecy::SecretString;
use serde_json::Value;
use url::Url;

use crate::http::reply::{Failure, Head, Reply, Room, exchange};
use crate::http::value::Fields;
use crate::http::{AnswerCounter, Base, PlainAnswer, SMALL_CALL_LIMIT, Unusable};
use crate::request_id;
use crate::telemetry::{self, Calls, Meters};

use super::Error;
use super::connections::Connections;
use super::error::{self, ErrorKind};
use super::heard::{Heard, ModelLimits};
use super::login::{Credential, Login, Shown};

/// What two calls are for whose refusals may be about a file's content.
pub const UPLOADING: &str = "uploading a file";
pub const ATTACHING: &str = "attaching a file";
pub(super) const ATTACHING_TOGETHER: &str = "attaching files together";

/// What the calls are for that begin a run.
pub const CONVERSING: &str = "creating a conversation";
pub const THREADING: &str = "creating a thread";
pub const STARTING: &str = "starting a run";

/// What a plain question is for.
const PLAIN_QUESTION: &str = "asking";

/// OpenAI, or a server compatible with it, with one key. Cheap to clone; the clones share their connections.
#[derive(Clone)]
pub struct Client {
    connections: Connections,
    base: Base,
    login: Credential,
    /// Organization and project.
    headers: HeaderMap,
    answers: AnswerCounter,
    pub(super) heard: Heard,
    calls: Calls,
}

/// How the request to delete something was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// OpenAI says that it deleted it.
    Said,
    /// A success that says nothing of it. Whether it is gone, a list tells.
    Unsaid,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("openai::Client").field("base", &self.base).finish_non_exhaustive()
    }
}

impl Client {
    /// `base_url` is `https://api.openai.com/v1`, a regional host or a stand-in, with or without a slash at its end.
    /// `organization` and `project` are needed only by keys that belong to several.
    ///
    /// # Errors
    /// [`super::ErrorKind::Rejected`] for a base URL, key or name that cannot be used, or when TLS cannot be set up.
    pub fn new(
        base_url: &Url,
        login: Login,
        organization: Option<&str>,
        project: Option<&str>,
    ) -> Result<Self, Error> {
        const OPERATION: &str = "setting up";
        let unusable = |error| Error::unusable(OPERATION, error);
        let base = Base::new(base_url).map_err(unusable)?;
        let failed = |failure| Error::failed(OPERATION, failure);
        let connections = Connections::new(&base).map_err(failed)?;
        let login = Credential::new(&login)?;
        let mut headers = HeaderMap::new();
        for (name, value) in [("openai-organization", organization), ("openai-project", project)] {
            let Some(value) = value else { continue };
            let value = HeaderValue::from_str(value).map_err(|_| unusable(Unusable::Header))?;
            headers.insert(HeaderName::from_static(name), value);
        }
        Ok(Client {
            connections,
            base,
            login,
            headers,
            answers: AnswerCounter::default(),
            heard: Heard::default(),
            calls: Calls::of("openai"),
        })
    }

    /// Its calls are measured with `meters` from now on.
    #[must_use]
    pub fn measured(mut self, meters: &Meters) -> Self {
        self.calls.told(meters);
        self
    }

    /// Sends this key from now on, in every clone; one that has a token instead goes on with that.
    ///
    /// # Errors
    /// As [`Client::new`]; the old key stays.
    pub fn use_key(&self, api_key: &SecretString) -> Result<(), Error> {
        self.login.use_key(api_key)
    }

    /// Whether this is OpenAI itself, as far as the address tells, and not a server compatible with it.
    pub fn is_openai(&self) -> bool {
        self.base.host().is_some_and(|host| host.ends_with(".openai.com"))
    }

    /// Whether this is Azure OpenAI, as far as the address tells.
    pub fn is_azure(&self) -> bool {
        self.base.host().is_some_and(is_azure)
    }

    /// Where it asks, to tell one server from another.
    pub fn server(&self) -> String {
        self.base.text()
    }

    /// How often OpenAI has answered this client and its clones so far.
    pub fn answers(&self) -> u64 {
        self.answers.count()
    }

    /// What OpenAI has done for this client and its clones, and how often: calls by what they are for, and models that began
    /// to answer.
    pub fn done(&self) -> BTreeMap<String, u64> {
        self.answers.done()
    }

    /// What OpenAI has said of a model's limits. None before its first answer about it.
    pub fn model_limits(&self, model: &str) -> Option<ModelLimits> {
        self.heard.of(model)
    }

    /// A response with this model was begun.
    pub(super) fn did(&self, what: &str) {
        self.answers.did(what);
    }

    /// How OpenAI takes a plain question that has nothing to do with any file.
    pub async fn plain_question(&self) -> PlainAnswer {
        let query = [("limit", "1")];
        let asked = self.call(PLAIN_QUESTION, Method::GET, &["vector_stores"], Extra::Query(&query)).await;
        PlainAnswer::of(asked)
    }

    /// A small call that must succeed.
    pub(super) async fn call(
        &self,
        operation: &'static str,
        method: Method,
        path: &[&str],
        extra: Extra<'_>,
    ) -> Result<Answer, Error> {
        let Call { request, sent, timed } = self.request(operation, method, path).await?;
        let reply = exchange(extra.put_on(request).timeout(SMALL_CALL_LIMIT), timed).await;
        self.accept(operation, reply, sent)
    }

    pub(super) async fn request(
        &self,
        operation: &'static str,
        method: Method,
        path: &[&str],
    ) -> Result<Call, Error> {
        let url = self.base.join(path).map_err(|error| Error::unusable(operation, error))?;
        let id = unique_id();
        let request = self.connections.http().request(method, url).headers(self.headers.clone());
        let (name, value, shown) = self.login.header(&self.calls).await?;
        let request = request.header(name, value);
        let path = path.iter().map(ToString::to_string).collect();
        let request = request.header("x-client-request-id", &id);
        Ok(Call { request, sent: Sent { id, path, shown }, timed: self.calls.begin(operation) })
    }

    pub(super) fn accept(
        &self,
        operation: &'static str,
        reply: Result<Reply, Failure>,
        Sent { id, path, shown }: Sent,
    ) -> Result<Answer, Error> {
        let reply = reply.map_err(|failure| Error::failed(operation, failure).sent_as(id.clone()))?;
        self.answers.heard(&reply.head, error::speaks(&reply, &path));
        if !reply.head.status.is_success() {
            let mut error = Error::refused(operation, &reply, &path).sent_as(id);
            if error.kind == ErrorKind::Unauthorized && self.login.refused(shown) {
                error.kind = ErrorKind::Unavailable { wait: None };
            }
            self.connections.refused(&error);
            return Err(error);
        }
        match reply.json() {
            Some(body) => {
                self.login.worked(shown);
                self.answers.did(operation);
                Ok(Answer { operation, head: reply.head, body, id, _room: reply.room })
            }
            None => Err(Error::no_json(operation, &reply).sent_as(id)),
        }
    }
}

/// Whether a host is one of those that Microsoft gives to resources with models of OpenAI.
pub fn is_azure(host: &str) -> bool {
    const ENDS: [&str; 3] = [".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com"];
    ENDS.iter().any(|end| host.ends_with(end))
}

/// A name for one request, by which OpenAI's support finds it. It begins with the id of the request that it is made for, if
/// there is one. OpenAI takes up to 512 ASCII characters and wants each to be unique (its API reference).
fn unique_id() -> String {
    let id = request_id::new();
    match request_id::current() {
        Some(origin) => format!("{origin}.{id}"),
        None => id.to_string(),
    }
}

/// A request begun.
pub(super) struct Call {
    pub request: RequestBuilder,
    pub sent: Sent,
    pub timed: telemetry::Call,
}

/// What tells a request from others.
pub(super) struct Sent {
    /// The id we gave it.
    pub id: String,
    /// What it is made to: ids are every second part, as in `vector_stores/{store}/files/{file}`.
    pub path: Vec<String>,
    /// What it showed of who we are.
    pub shown: Shown,
}

/// What a small call carries.
pub(super) enum Extra<'a> {
    None,
    Query(&'a [(&'a str, &'a str)]),
    Json(&'a Value),
    /// JSON already written down.
    Text(String),
}

impl Extra<'_> {
    pub fn put_on(self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Extra::None => request,
            Extra::Query(query) => request.query(query),
            Extra::Json(body) => request.json(body),
            Extra::Text(body) => request.header(CONTENT_TYPE, "application/json").body(body),
        }
    }
}

/// A success, yet to be read.
pub(super) struct Answer {
    operation: &'static str,
    pub(super) head: Head,
    body: Value,
    id: String,
    _room: Option<Room>,
}

impl Answer {
    pub fn required<T>(self, read: impl Fn(&Value) -> Option<T>) -> Result<T, Error> {
        read(&self.body).ok_or_else(|| self.unreadable("no object with an id"))
    }

    pub(super) fn page<T>(self, read: impl Fn(Fields<'_>) -> Result<T, &'static str>) -> Result<T, Error> {
        let fields = Fields::of(&self.body).ok_or("not an object");
        fields.and_then(read).map_err(|what| self.unreadable(what))
    }

    pub(super) fn deleted(self) -> Result<Deletion, Error> {
        match Fields::of(&self.body).and_then(|fields| fields.flag("deleted")) {
            Some(false) => Err(self.unreadable("a success that says it deleted nothing")),
            Some(true) => Ok(Deletion::Said),
            None => Ok(Deletion::Unsaid),
        }
    }

    fn unreadable(&self, what: &str) -> Error {
        Error::unreadable(self.operation, &self.head, what).sent_as(self.id.clone())
    }
}
