//! Batches of requests (`/batches`): a file of them, which OpenAI works through within a day at a lower price, and the files of what came
//! of it. After OpenAI's OpenAPI document 2.3.0 and its guide.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::stream;
use reqwest::Method;
use reqwest::multipart::Form;
use serde_json::{Value, json};

use super::client::{Client, Extra};
use super::container::Download;
use super::file::Page;
use super::request::NewResponse;
use super::response::Response;
use super::{Error, File, FileId, NewFile};
use crate::http::value::Fields;

/// What creating a batch is for.
pub const BATCHING: &str = "creating a batch";

/// What a file of requests is for.
const PURPOSE: &str = "batch";

/// The most that OpenAI's OpenAPI document allows in one file.
pub const MOST_REQUESTS: usize = 50_000;

const PER_PAGE: &str = "100";
const FILES_PER_PAGE: &str = "1000";

/// A batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestBatch {
    pub id: String,
    pub status: BatchStatus,
    /// Where the answers are, and where what came to none is.
    pub output_file: Option<FileId>,
    pub error_file: Option<FileId>,
    /// Why it was not begun: codes and sentences.
    pub errors: Vec<(String, String)>,
    pub metadata: BTreeMap<String, String>,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchStatus {
    Going,
    /// It was refused as a whole.
    Failed,
    /// It is over, and has the answers that there are.
    Over,
}

/// What became of one request.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchLine {
    /// Our name for it.
    pub custom_id: String,
    /// The response, or in words why there is none.
    pub came_to: Result<Value, String>,
}

impl RequestBatch {
    fn read(value: &Value) -> Option<Self> {
        let fields = Fields::of(value)?;
        let metadata = fields.object("metadata").into_iter().flat_map(Fields::entries);
        let file = |name: &str| fields.id(name).map(FileId);
        let errors = fields.object("errors").and_then(|errors| errors.list("data")).unwrap_or_default();
        let errors = errors.iter().filter_map(|error| {
            let error = Fields::of(error)?;
            Some((error.id("code").unwrap_or_default(), error.text("message").unwrap_or_default()))
        });
        Some(RequestBatch {
            id: fields.id("id")?,
            status: match fields.text("status").unwrap_or_default().as_str() {
                "failed" => BatchStatus::Failed,
                "completed" | "expired" | "cancelled" => BatchStatus::Over,
                _ => BatchStatus::Going,
            },
            output_file: file("output_file_id"),
            error_file: file("error_file_id"),
            errors: errors.collect(),
            metadata: metadata
                .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                .collect(),
        })
    }
}

impl BatchLine {
    /// A line of an output or an error file; none where it names no request.
    pub fn read(line: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(line).ok()?;
        let fields = Fields::of(&value)?;
        let custom_id = fields.id("custom_id")?;
        let response = fields.object("response");
        let status = response.and_then(|response| response.unsigned("status_code"));
        let body = response.and_then(|response| response.get("body"));
        let said = |error: Option<Fields<'_>>| {
            let error = error?;
            let words = [error.id("code"), error.text("message")];
            Some(words.into_iter().flatten().collect::<Vec<_>>().join(": "))
        };
        let came_to = match (status, body) {
            (Some(200), Some(body)) => Ok(body.clone()),
            _ => {
                let of_body = body.and_then(Fields::of).and_then(|body| body.object("error"));
                let words = said(fields.object("error")).or_else(|| said(of_body));
                Err(words
                    .filter(|words| !words.is_empty())
                    .unwrap_or_else(|| "OpenAI does not say why".to_owned()))
            }
        };
        Some(BatchLine { custom_id, came_to })
    }
}

/// The line of a file of requests that asks for this response.
pub fn batch_line(custom_id: &str, asked: &NewResponse<'_>) -> String {
    let name = Value::from(custom_id);
    format!(
        "{{\"custom_id\":{name},\"method\":\"POST\",\"url\":\"/v1/responses\",\"body\":{}}}\n",
        asked.body_for_a_batch()
    )
}

/// The response that a line came to.
pub fn response_of_line(body: &Value) -> Option<Response> {
    Response::read(body)
}

impl Client {
    /// Uploads a file of requests. There is no idempotency key: when [`Error::may_have_happened`] it may be there, under its name.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn upload_requests(&self, filename: &str, lines: Bytes) -> Result<File, Error> {
        const OPERATION: &str = "uploading requests";
        let file = NewFile { filename, mime_type: "application/jsonl", length: lines.len() as u64 };
        let content = stream::iter([Ok::<_, std::convert::Infallible>(lines)]);
        let form = Form::new().text("purpose", PURPOSE);
        self.put(OPERATION, (&["files"], form), file, content).await?.required(File::read)
    }

    /// Files of requests, newest first.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn request_files(&self, after: Option<&FileId>) -> Result<Page<File, FileId>, Error> {
        let mut query = vec![("purpose", PURPOSE), ("order", "desc"), ("limit", FILES_PER_PAGE)];
        query.extend(after.map(|id| ("after", id.0.as_str())));
        let answer =
            self.call("listing files of requests", Method::GET, &["files"], Extra::Query(&query)).await?;
        answer.page(|fields| Page::read(fields, after, File::read, |file| &file.id))
    }

    /// Makes a batch of a file of requests. There is no idempotency key: when [`Error::may_have_happened`] it may be there, with its metadata.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn create_request_batch(
        &self,
        input: &FileId,
        metadata: &BTreeMap<String, String>,
    ) -> Result<RequestBatch, Error> {
        let body = json!({
            "input_file_id": input, "endpoint": "/v1/responses", "completion_window": "24h", "metadata": metadata,
        });
        self.call(BATCHING, Method::POST, &["batches"], Extra::Json(&body))
            .await?
            .required(RequestBatch::read)
    }

    /// # Errors
    /// [`super::ErrorKind::NotFound`] when there is no such batch, and those of every call.
    pub async fn request_batch(&self, id: &str) -> Result<RequestBatch, Error> {
        let path = ["batches", id];
        self.call("looking at a batch", Method::GET, &path, Extra::None).await?.required(RequestBatch::read)
    }

    /// Has no further request of it begun. It takes up to ten minutes.
    ///
    /// # Errors
    /// [`super::ErrorKind::Rejected`], or [`super::ErrorKind::StillProcessing`], when it is over already; and those of every call.
    pub async fn cancel_request_batch(&self, id: &str) -> Result<(), Error> {
        let path = ["batches", id, "cancel"];
        self.call("cancelling a batch", Method::POST, &path, Extra::None).await.map(drop)
    }

    /// The project's batches, newest first.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn request_batches(&self, after: Option<&String>) -> Result<Page<RequestBatch, String>, Error> {
        let mut query = vec![("limit", PER_PAGE)];
        query.extend(after.map(|id| ("after", id.as_str())));
        let answer = self.call("listing batches", Method::GET, &["batches"], Extra::Query(&query)).await?;
        answer.page(|fields| Page::read(fields, after, RequestBatch::read, |batch| &batch.id))
    }

    /// What is in a file of answers.
    ///
    /// # Errors
    /// [`super::ErrorKind::NotFound`] when there is no such file, [`super::ErrorKind::TooLarge`] when it is larger, here or in the stream;
    /// and those of every call.
    pub async fn answers_of(&self, file: &FileId, max_bytes: u64) -> Result<Download, Error> {
        self.download("reading a batch's answers", &["files", &file.0, "content"], max_bytes).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_answer_or_says_why_there_is_none() {
        let read = |line: &str| BatchLine::read(line.as_bytes()).unwrap().came_to;
        let answer = r#"{"custom_id": "run-1", "response": {"status_code": 200, "body": {"id": "resp_1"}}, "error": null}"#;
        assert_eq!(read(answer), Ok(json!({"id": "resp_1"})));
        let expired = r#"{"custom_id": "run-1", "response": null, "error": {"code": "batch_expired", "message": "Late."}}"#;
        assert_eq!(read(expired), Err("batch_expired: Late.".to_owned()));
        let refused = r#"{"custom_id": "run-1", "response": {"status_code": 400, "body": {"error": {"message": "No.", "code": null}}}}"#;
        assert_eq!(read(refused), Err("No.".to_owned()));
        assert_eq!(read(r#"{"custom_id": "run-1"}"#), Err("OpenAI does not say why".to_owned()));
        assert!(BatchLine::read(b"{\"custom").is_none() && BatchLine::read(b"{}").is_none());
    }
}
