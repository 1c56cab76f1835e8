//! The calls we make to Fastio. Each is one attempt; the queue decides about another.

use std::collections::BTreeMap;
use std::fmt;

use reqwest::header::AUTHORIZATION;
use reqwest::{Method, RequestBuilder, StatusCode};
use secrecy::SecretString;
use url::Url;

use crate::http::reply::exchange;
use crate::http::{AnswerCounter, Base, Bearer, Head, PlainAnswer, SMALL_CALL_LIMIT};
use crate::telemetry::{Calls, Meters};

use super::answer::{Answer, Opened};
use super::envelope::Envelope;
use super::node::{self, Missing};
use super::write::Listed;
use super::{Error, ErrorKind, Node, NodeId, Page, Profile, Version};

/// How many nodes one call of [`Client::nodes`] may ask for (Fastio's API reference).
pub const MAX_NODES_PER_CALL: usize = 25;

/// The largest page Fastio offers, for the fewest calls.
const PAGE_SIZE: &str = "500";

/// Fastio with one key. Cheap to clone; the clones share their connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Base,
    key: Bearer,
    answers: AnswerCounter,
    pub(super) calls: Calls,
}

/// Whether something that was said not to be there is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// Fastio names it as missing, or lists its folder without it.
    Proven,
    /// It is there.
    Disproven,
    /// What was answered does not say.
    Unproven,
}

/// What a call for several nodes answered.
struct Several {
    head: Head,
    found: Vec<Node>,
    missing: Vec<Missing>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("fastio::Client").field("base", &self.base).finish_non_exhaustive()
    }
}

impl Client {
    /// `base_url` is `https://api.fast.io/current`, or a stand-in's, with or without a slash at its end.
    ///
    /// # Errors
    /// [`ErrorKind::Rejected`] for a base URL or key that cannot be used, or when TLS cannot be set up.
    pub fn new(base_url: &Url, api_key: SecretString) -> Result<Self, Error> {
        const OPERATION: &str = "setting up";
        let base = Base::new(base_url).map_err(|error| Error::unusable(OPERATION, error))?;
        let http = crate::http::client(&base).map_err(|failure| Error::failed(OPERATION, failure))?;
        let key = Bearer::new(&api_key).map_err(|failure| Error::failed(OPERATION, failure))?;
        Ok(Client { http, base, key, answers: AnswerCounter::default(), calls: Calls::of("fastio") })
    }

    /// Its calls are measured with `meters` from now on.
    #[must_use]
    pub fn measured(mut self, meters: &Meters) -> Self {
        self.calls.told(meters);
        self
    }

    /// Sends this key from now on, in every clone.
    ///
    /// # Errors
    /// As [`Client::new`]; the old key stays.
    pub fn use_key(&self, api_key: &SecretString) -> Result<(), Error> {
        self.key.replace(api_key).map_err(|failure| Error::failed("taking up a new key", failure))
    }

    /// Asks whether the key is good: `GET user/auth/check/`.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthorized`] when it is not, and those of every call.
    pub async fn check_auth(&self) -> Result<(), Error> {
        const OPERATION: &str = "checking the key";
        self.call(OPERATION, &["user", "auth", "check"], &[]).await?;
        Ok(())
    }

    /// Where it asks.
    pub fn server(&self) -> String {
        self.base.text()
    }

    /// How often Fastio has answered this client and its clones so far.
    pub fn answers(&self) -> u64 {
        self.answers.count()
    }

    /// What Fastio has done for this client and its clones, and how often, by what the calls are for.
    pub fn done(&self) -> BTreeMap<String, u64> {
        self.answers.done()
    }

    /// How Fastio takes a plain question that has nothing to do with any file.
    pub async fn plain_question(&self) -> PlainAnswer {
        PlainAnswer::of(self.check_auth().await)
    }

    /// One node as it is now: `GET {profile}/storage/{node}/details/`. A trashed one is returned with
    /// [`Node::trashed`].
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for a node that is not in this profile, and those of every call.
    pub async fn node(&self, profile: &Profile, node: &NodeId) -> Result<Node, Error> {
        const OPERATION: &str = "reading a node";
        let reply = self.call(OPERATION, &storage(profile, &[node.as_str(), "details"]), &[]).await?;
        let node = reply.envelope.get("node").and_then(Node::read);
        node.ok_or_else(|| Error::unreadable(OPERATION, &reply.head, "no node with an id"))
    }

    /// The versions that a file has had: `GET {profile}/storage/{node}/versions/`. Those that cannot be read are left out.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for a node that is not there, and those of every call.
    pub async fn versions(&self, profile: &Profile, node: &NodeId) -> Result<Vec<Version>, Error> {
        const OPERATION: &str = "listing a file's versions";
        let reply = self.call(OPERATION, &storage(profile, &[node.as_str(), "versions"]), &[]).await?;
        let rows = reply.envelope.list("versions");
        let rows = rows.ok_or_else(|| Error::unreadable(OPERATION, &reply.head, "no list of versions"))?;
        Ok(rows.iter().filter_map(Version::read).collect())
    }

    /// Up to [`MAX_NODES_PER_CALL`] nodes in one call; those that Fastio does not find are left out.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when Fastio fails to say what one of them is: a node is left out only when Fastio
    /// says that it is not there. Ask for each by itself then. And those of every call.
    pub async fn nodes(&self, profile: &Profile, nodes: &[NodeId]) -> Result<Vec<Node>, Error> {
        const OPERATION: &str = "reading several nodes";
        if nodes.is_empty() {
            return Ok(Vec::new());
        }
        let Several { head, found, missing } = match self.several(OPERATION, profile, nodes).await {
            // One alone may be answered as if it had been asked for alone.
            Err(error) if error.is_not_found() && nodes.len() == 1 => return Ok(Vec::new()),
            several => several?,
        };
        for reason in &missing {
            if let Missing::Failed(code) = reason {
                let message = format!("one of the nodes failed with code {code}");
                return Err(Error::answered(
                    OPERATION,
                    ErrorKind::Unavailable { wait: None },
                    &head,
                    &message,
                ));
            }
        }
        Ok(found)
    }

    async fn several(
        &self,
        operation: &'static str,
        profile: &Profile,
        nodes: &[NodeId],
    ) -> Result<Several, Error> {
        // Fastio wants literal commas, and a comma stays one in a path.
        let ids = nodes.iter().map(NodeId::as_str).collect::<Vec<_>>().join(",");
        let answer = self.send(operation, &storage(profile, &[&ids, "details"]), &[]).await?;
        // When every one of them fails the whole call is a 404, still with what failed in `errors`.
        let names_each = |envelope: &Envelope| {
            envelope.is_failure() && envelope.list("errors").is_some_and(|errors| !errors.is_empty())
        };
        let all_failed =
            answer.head.status == StatusCode::NOT_FOUND && answer.envelope.as_ref().is_some_and(names_each);
        let Opened { head, envelope, .. } =
            if all_failed { answer.opened(operation)? } else { answer.accept(operation)? };
        let several = node::several(&envelope);
        let (found, missing) = several.map_err(|what| Error::unreadable(operation, &head, what))?;
        Ok(Several { head, found, missing })
    }

    /// Looks for a proof that `node` is not there, which a "not found" for it alone is not: whatever stands between us and
    /// Fastio may say so of everything. An answer about several nodes names each that is not there. Where that answers
    /// something else, the list of `folder` is read, in which it was seen last.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn absence(&self, profile: &Profile, node: &NodeId, folder: &NodeId) -> Result<Absence, Error> {
        const OPERATION: &str = "making sure that a node is not there";
        match self.several(OPERATION, profile, &[node.clone(), folder.clone()]).await {
            Ok(Several { found, .. }) if found.iter().any(|found| found.id == *node) => {
                return Ok(Absence::Disproven);
            }
            Ok(Several { missing, .. }) if missing.contains(&Missing::NotFound(Some(node.clone()))) => {
                return Ok(Absence::Proven);
            }
            Ok(_) => {}
            Err(error) if matches!(error.kind, ErrorKind::Rejected | ErrorKind::NotFound) => {}
            Err(error) => return Err(error),
        }
        match self.in_folder(profile, folder, |found| found.id == *node).await {
            Ok(Listed::There(_)) => Ok(Absence::Disproven),
            Ok(Listed::NotThere) => Ok(Absence::Proven),
            Ok(Listed::Unreadable) => Ok(Absence::Unproven),
            Err(error) if error.is_not_found() => Ok(Absence::Unproven),
            Err(error) => Err(error),
        }
    }

    /// One page of a folder's children: `GET {profile}/storage/{folder}/list/`. A `cursor` is a page's
    /// [`Page::next`].
    ///
    /// # Errors
    /// [`ErrorKind::Unreadable`] also when Fastio answers with the same cursor, which would go round for ever; and
    /// those of every call.
    pub async fn list(
        &self,
        profile: &Profile,
        folder: &NodeId,
        cursor: Option<&str>,
    ) -> Result<Page<Node>, Error> {
        const OPERATION: &str = "listing a folder";
        let mut query = vec![("page_size", PAGE_SIZE)];
        query.extend(cursor.map(|cursor| ("cursor", cursor)));
        let reply = self.call(OPERATION, &storage(profile, &[folder.as_str(), "list"]), &query).await?;
        let unreadable = |what| Error::unreadable(OPERATION, &reply.head, what);
        let page = node::page(&reply.envelope).map_err(unreadable)?;
        if cursor.is_some() && page.next.as_deref() == cursor {
            return Err(unreadable("the cursor does not move"));
        }
        Ok(page)
    }

    /// Sends a request made by [`Client::request`].
    pub(super) async fn submit(
        &self,
        operation: &'static str,
        request: RequestBuilder,
    ) -> Result<Opened, Error> {
        let opened = self.heard(operation, request).await?.accept(operation)?;
        self.answers.did(operation);
        Ok(opened)
    }

    /// Whatever was answered.
    async fn heard(&self, operation: &'static str, request: RequestBuilder) -> Result<Answer, Error> {
        let reply = exchange(request, self.calls.begin(operation)).await;
        let reply = reply.map_err(|failure| Error::failed(operation, failure))?;
        let answer = Answer::read(reply);
        self.answers.heard(&answer.head, answer.speaker());
        Ok(answer)
    }

    /// A request with the key, yet without a time limit.
    pub(super) fn request(
        &self,
        operation: &'static str,
        method: Method,
        path: &[&str],
    ) -> Result<RequestBuilder, Error> {
        let request = self.without_key(operation, method, path)?;
        Ok(request.header(AUTHORIZATION, self.key.header()))
    }

    pub(super) fn without_key(
        &self,
        operation: &'static str,
        method: Method,
        path: &[&str],
    ) -> Result<RequestBuilder, Error> {
        Ok(self.http.request(method, self.url(operation, path)?))
    }

    /// A small call that must succeed.
    pub(super) async fn call(
        &self,
        operation: &'static str,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Opened, Error> {
        let opened = self.send(operation, path, query).await?.accept(operation)?;
        self.answers.did(operation);
        Ok(opened)
    }

    pub(super) async fn send(
        &self,
        operation: &'static str,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Answer, Error> {
        let request = self.request(operation, Method::GET, path)?.query(query);
        self.heard(operation, request.timeout(SMALL_CALL_LIMIT)).await
    }

    /// With the slash that every path of Fastio ends with.
    fn url(&self, operation: &'static str, path: &[&str]) -> Result<Url, Error> {
        let mut url = self.base.join(path).map_err(|error| Error::unusable(operation, error))?;
        url.path_segments_mut().expect("an http URL with a host has a path").push("");
        Ok(url)
    }
}

pub(super) fn storage<'a>(profile: &'a Profile, rest: &[&'a str]) -> Vec<&'a str> {
    [&[profile.kind.as_str(), profile.id.as_str(), "storage"], rest].concat()
}
