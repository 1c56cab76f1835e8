//! Responses as a stream of server-sent events: what was said is cut into the events of OpenAI's OpenAPI document, numbered
//! from 0. A run in the background tells of its beginning at once and of the rest when it has ended.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use super::error::ApiError;
use super::read::Query;
use super::response::Run;
use super::state::State;

/// How often a stream looks whether its run has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Characters of one piece of a text.
const PIECE: usize = 24;

/// What a client wants of a stream.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// The number of the last event that it has.
    after: Option<i64>,
}

impl Wanted {
    pub fn read(query: &Query) -> Result<Wanted, ApiError> {
        Ok(Wanted { after: query.integer("starting_after", 0, i64::MAX)? })
    }
}

/// The events of one response, those before its end and those with it.
pub struct Stream {
    id: String,
    begun: Vec<Value>,
    ended: Vec<Value>,
    /// Nothing is waited for.
    at_once: bool,
}

impl Stream {
    pub fn of(run: &Run, wanted: Wanted) -> Stream {
        let end = run.shown_at_its_end();
        let mut events = Events::default();
        let mut begun = run.show_before(i64::MAX);
        if run.asked().background {
            events.push("response.created", json!({ "response": begun }));
            events.push("response.queued", json!({ "response": begun }));
        }
        begun["status"] = "in_progress".into();
        if !run.asked().background {
            events.push("response.created", json!({ "response": begun }));
        }
        events.push("response.in_progress", json!({ "response": begun }));
        let first = events.all.len();
        run.output().iter().enumerate().for_each(|(place, item)| events.item(place, item));
        let last = format!("response.{}", end["status"].as_str().unwrap_or_default());
        events.push(&last, json!({ "response": end }));
        let mut begun = events.all;
        let mut ended = begun.split_off(first);
        let is_new =
            |event: &Value| wanted.after.is_none_or(|after| event["sequence_number"].as_i64() > Some(after));
        begun.retain(is_new);
        ended.retain(is_new);
        Stream { id: run.id.clone(), begun, ended, at_once: !run.asked().background }
    }

    /// Answers with the events as they come. A run that is cancelled or removed meanwhile ends its stream without a word
    /// (inferred).
    pub fn serve(self, state: State) -> Response {
        let Stream { id, begun, ended, at_once } = self;
        let rest = stream::once(async move {
            if at_once || comes_to_its_end(&state, &id).await { written(&ended) } else { Bytes::new() }
        });
        let all = stream::once(async move { written(&begun) }).chain(rest);
        let body = Body::from_stream(all.map(Ok::<_, Infallible>));
        let headers = [(CONTENT_TYPE, "text/event-stream; charset=utf-8"), (CACHE_CONTROL, "no-cache")];
        (headers, body).into_response()
    }
}

/// Waits until the run is over; false when it was cancelled or is gone.
async fn comes_to_its_end(state: &State, id: &str) -> bool {
    loop {
        {
            let (world, now) = state.world();
            match world.runs.get(id) {
                Some(run) if run.is_over(now) => return run.status(now) != "cancelled",
                Some(_) => {}
                None => return false,
            }
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn written(events: &[Value]) -> Bytes {
    let one =
        |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default());
    events.iter().map(one).collect::<String>().into()
}

#[derive(Default)]
struct Events {
    all: Vec<Value>,
}

impl Events {
    fn push(&mut self, kind: &str, mut event: Value) {
        event["type"] = kind.into();
        event["sequence_number"] = self.all.len().into();
        self.all.push(event);
    }

    /// An item from when it begins until it is whole.
    fn item(&mut self, place: usize, item: &Value) {
        let mut begun = item.clone();
        begun["status"] = "in_progress".into();
        let at = json!({"output_index": place, "item_id": item["id"]});
        match item["type"].as_str() {
            Some("message") => {
                begun["content"] = json!([]);
                self.push("response.output_item.added", json!({"output_index": place, "item": begun}));
                let parts = item["content"].as_array().into_iter().flatten().enumerate();
                parts.for_each(|(index, part)| self.part(with(&at, "content_index", index.into()), part));
            }
            Some("file_search_call") => {
                begun["results"] = Value::Null;
                begun["queries"] = json!([]);
                self.push("response.output_item.added", json!({"output_index": place, "item": begun}));
                for step in ["in_progress", "searching", "completed"] {
                    self.push(&format!("response.file_search_call.{step}"), at.clone());
                }
            }
            Some("code_interpreter_call") => {
                begun["code"] = "".into();
                self.push("response.output_item.added", json!({"output_index": place, "item": begun}));
                self.push("response.code_interpreter_call.in_progress", at.clone());
                self.text("response.code_interpreter_call_code", &at, ("code", &item["code"]));
                for step in ["interpreting", "completed"] {
                    self.push(&format!("response.code_interpreter_call.{step}"), at.clone());
                }
            }
            _ => self.push("response.output_item.added", json!({"output_index": place, "item": item})),
        }
        self.push("response.output_item.done", json!({"output_index": place, "item": item}));
    }

    /// A part of a message.
    fn part(&mut self, at: Value, part: &Value) {
        let (name, family) = match part["type"].as_str() {
            Some("refusal") => ("refusal", "response.refusal"),
            _ => ("text", "response.output_text"),
        };
        let mut begun = part.clone();
        begun[name] = "".into();
        if name == "text" {
            begun["annotations"] = json!([]);
        }
        self.push("response.content_part.added", with(&at, "part", begun));
        self.text(family, &at, (name, &part[name]));
        for (index, annotation) in part["annotations"].as_array().into_iter().flatten().enumerate() {
            let event = with(&with(&at, "annotation_index", index.into()), "annotation", annotation.clone());
            self.push("response.output_text.annotation.added", event);
        }
        self.push("response.content_part.done", with(&at, "part", part.clone()));
    }

    /// A text in pieces, and then whole under its name.
    fn text(&mut self, family: &str, at: &Value, (name, text): (&str, &Value)) {
        let (mut at, whole) = (at.clone(), text.as_str().unwrap_or_default());
        if family == "response.output_text" {
            at["logprobs"] = json!([]);
        }
        let letters: Vec<char> = whole.chars().collect();
        for piece in letters.chunks(PIECE) {
            let piece: String = piece.iter().collect();
            self.push(&format!("{family}.delta"), with(&at, "delta", piece.into()));
        }
        self.push(&format!("{family}.done"), with(&at, name, whole.into()));
    }
}

fn with(event: &Value, name: &str, value: Value) -> Value {
    let mut event = event.clone();
    event[name] = value;
    event
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Events;

    #[test]
    fn a_message_comes_in_pieces_that_make_it_whole() {
        let text = "The Supplier's liability is capped at EUR 1,000.";
        let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [
            {"type": "output_text", "text": text, "annotations": [{"type": "file_citation"}], "logprobs": []},
        ]});
        let mut events = Events::default();
        events.item(0, &message);
        let pieces = events.all.iter().filter(|event| event["type"] == "response.output_text.delta");
        let joined: String = pieces.map(|event| event["delta"].as_str().unwrap()).collect();
        assert_eq!(joined, text);
        let kinds: Vec<&str> = events.all.iter().map(|event| event["type"].as_str().unwrap()).collect();
        assert_eq!(kinds.first(), Some(&"response.output_item.added"));
        assert_eq!(
            kinds[kinds.len() - 4..],
            [
                "response.output_text.done",
                "response.output_text.annotation.added",
                "response.content_part.done",
                "response.output_item.done"
            ]
        );
        assert!(events.all.iter().enumerate().all(|(place, event)| event["sequence_number"] == place));
    }
}
