//! The content of a file, as it comes.

use std::fmt;

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt};
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderValue};
use reqwest::{Method, RequestBuilder, StatusCode};

use crate::http::reply::{self, Begun};
use crate::http::value::text;
use crate::http::{Failure, Phase, SMALL_CALL_LIMIT};
use crate::telemetry::Calls;

use super::answer::Answer;
use super::client::{Client, storage};
use super::{Error, NodeId, Profile, VersionId};

/// A file's content on its way.
pub struct Download {
    /// How many bytes Fastio announced, if it did. Compare it with [`super::Node::size`].
    pub length: Option<u64>,
    /// The bytes. Ends with an error when fewer come than announced, the connection breaks, or nothing comes for
    /// [`crate::http::SILENCE_LIMIT`].
    pub body: BoxStream<'static, Result<Bytes, Error>>,
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download").field("length", &self.length).finish_non_exhaustive()
    }
}

impl Client {
    /// The content of a file: of `version`, or of the current one.
    ///
    /// The current content comes straight from `read/` with the key. A version is documented only with a token: we ask
    /// for one (`requestread/`, a GET that acts and is never repeated by itself) and read with it, naming the version
    /// at both steps because tokens may come to be bound to one. How long a token lasts was not found, so it is used at
    /// once and never kept.
    ///
    /// # Errors
    /// [`super::ErrorKind::NotFound`] when file or version are gone, [`super::ErrorKind::Forbidden`] when Fastio does not hand the
    /// content out (inferred for restricted, infected or taken-down files), and those of every call.
    pub async fn download(
        &self,
        profile: &Profile,
        node: &NodeId,
        version: Option<&VersionId>,
    ) -> Result<Download, Error> {
        const OPERATION: &str = "downloading a file";
        let path = storage(profile, &[node.as_str(), "read"]);
        let Some(version) = version else {
            return start(OPERATION, self.request(OPERATION, Method::GET, &path)?, &self.calls).await;
        };
        let version = ("version_id", version.0.as_str());
        let reply =
            self.call(OPERATION, &storage(profile, &[node.as_str(), "requestread"]), &[version]).await?;
        let token = reply.envelope.get("token").and_then(text).filter(|token| !token.is_empty());
        let token =
            token.ok_or_else(|| Error::unreadable(OPERATION, &reply.head, "no token to read with"))?;
        let request = self.without_key(OPERATION, Method::GET, &path)?;
        start(OPERATION, request.query(&[("token", token.as_str()), version]), &self.calls).await
    }
}

/// Begins a download.
async fn start(operation: &'static str, request: RequestBuilder, calls: &Calls) -> Result<Download, Error> {
    // Compressed bytes would be uploaded as they are, so we ask for none and refuse them.
    let request = request.header(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let begun = reply::open(request, calls.begin(operation)).await;
    let begun = begun.map_err(|failure| Error::failed(operation, failure))?;
    // A partial answer is not the file; we never ask for one.
    let head = begun.head();
    if head.status != StatusCode::OK {
        return Err(refusal(operation, begun).await);
    }
    if head.header(CONTENT_ENCODING.as_str()).is_some_and(|coding| !coding.eq_ignore_ascii_case("identity")) {
        return Err(Error::unreadable(
            operation,
            &head,
            "the content comes compressed, which we did not ask for",
        ));
    }
    let length = begun.content_length();
    let calls = calls.clone();
    let body = reply::pieces(begun).map(move |piece| {
        let piece = piece.map_err(|failure| Error::failed(operation, failure))?;
        calls.downloaded(piece.len());
        Ok(piece)
    });
    Ok(Download { length, body: body.boxed() })
}

async fn refusal(operation: &'static str, begun: Begun) -> Error {
    let head = begun.head();
    if head.status.is_success() {
        return Error::unreadable(operation, &head, "not the whole content");
    }
    match tokio::time::timeout(SMALL_CALL_LIMIT, reply::read(begun)).await {
        Ok(Ok(reply)) => Error::refused(operation, &Answer::read(reply)),
        Ok(Err(failure)) => Error::failed(operation, failure),
        Err(_) => {
            let failure =
                Failure::transport(Phase::ResponseStarted, "the refusal did not end in time".to_owned());
            Error::failed(operation, Failure { head: Some(Box::new(head)), ..failure })
        }
    }
}
