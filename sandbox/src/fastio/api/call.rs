//! One request: who sent it and what it asks, taken apart.

use std::collections::HashMap;
use std::sync::Mutex;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Method};
use bytes::BytesMut;
use http_body_util::{BodyExt, Limited};

use crate::fastio::State;
use crate::fastio::id::user_of;
use crate::fastio::refusal::Refusal;
use crate::fastio::render::Output;
use crate::fastio::world::Actor;
use crate::form::Form;
use crate::journal::Trace;

/// The largest form: a note of 100 KB, percent-encoded, with room.
const MAX_FORM_BYTES: usize = 512 * 1024;

/// Named values of a query or a form; the first of a name counts.
#[derive(Debug, Default)]
pub struct Fields(pub Vec<(String, String)>);

impl Fields {
    fn read(encoded: &[u8]) -> Fields {
        Fields(url::form_urlencoded::parse(encoded).into_owned().collect())
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A field that must be there and not empty.
    pub fn need(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).filter(|value| !value.is_empty()).ok_or_else(|| Refusal::missing_field(name))
    }

    pub fn flag(&self, name: &str) -> bool {
        matches!(self.get(name), Some("true" | "1" | "yes"))
    }

    pub fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Refusal> {
        let wrong = || Refusal::input(format!("{name}: This is not a valid number."));
        self.get(name).map(|text| text.parse().map_err(|_| wrong())).transpose()
    }
}

pub struct Call {
    pub state: State,
    pub method: Method,
    pub query: Fields,
    /// Filled by [`Call::read_form`].
    pub form: Fields,
    headers: HeaderMap,
    trace: Option<Trace>,
    /// Until its body is read. Behind a lock only because a body is not `Sync`.
    request: Mutex<Option<Request>>,
    by: Option<Actor>,
}

impl Call {
    /// Takes a request apart, without its body; the path comes back decoded, in segments.
    pub fn new(state: State, request: Request) -> Result<(Call, Vec<String>), Refusal> {
        let segments = request.uri().path().split('/').filter(|segment| !segment.is_empty());
        let segments =
            segments.map(decoded).collect::<Option<Vec<String>>>().ok_or_else(Refusal::no_route)?;
        let call = Call {
            state,
            method: request.method().clone(),
            query: Fields::read(request.uri().query().unwrap_or_default().as_bytes()),
            form: Fields::default(),
            headers: request.headers().clone(),
            trace: request.extensions().get::<Trace>().cloned(),
            request: Mutex::new(Some(request)),
            by: None,
        };
        Ok((call, segments))
    }

    /// Demands a bearer token; every one is a key of its own user.
    pub fn authenticate(&mut self) -> Result<(), Refusal> {
        let user = self.bearer().map(user_of).ok_or_else(Refusal::unauthorized)?;
        self.by = Some(Actor { user, now: self.state.now() });
        Ok(())
    }

    pub fn bearer(&self) -> Option<&str> {
        let value = self.headers.get(AUTHORIZATION)?.to_str().ok()?;
        let (scheme, key) = value.split_once(' ')?;
        let key = key.trim();
        (scheme.eq_ignore_ascii_case("bearer") && !key.is_empty()).then_some(key)
    }

    pub fn by(&self) -> &Actor {
        self.by.as_ref().expect("the dispatcher authenticates before it calls a handler that asks")
    }

    pub fn now(&self) -> i64 {
        self.state.now()
    }

    pub fn output(&self) -> Result<Output, Refusal> {
        Output::read(self.query.get("output"))
            .ok_or_else(|| Refusal::input("output: This is not a valid output."))
    }

    pub fn trace(&self) -> Option<&Trace> {
        self.trace.as_ref()
    }

    fn take_request(&mut self) -> Option<Request> {
        self.request.get_mut().expect("nothing panics while it holds a request").take()
    }

    pub fn is_multipart(&self) -> bool {
        let kind = self.headers.get("content-type").and_then(|value| value.to_str().ok());
        kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("multipart/form-data"))
    }

    /// Reads a form-urlencoded body. As in Fastio, other bodies carry no fields.
    pub async fn read_form(&mut self) -> Result<(), Refusal> {
        let kind = self.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_form = kind.starts_with("application/x-www-form-urlencoded");
        if self.is_multipart() {
            let (form, _) = self.read_multipart(0).await?;
            self.form = form;
            return Ok(());
        }
        let body = self.read_body(MAX_FORM_BYTES).await?;
        if is_form {
            self.form = Fields::read(&body);
        }
        Ok(())
    }

    /// Reads the whole body.
    pub async fn read_body(&mut self, limit: usize) -> Result<Bytes, Refusal> {
        let body = self.take_request().map(Request::into_body).unwrap_or_else(Body::empty);
        match Limited::new(body, limit).collect().await {
            Ok(whole) => Ok(whole.to_bytes()),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                Err(Refusal::too_large("The body is larger than this request may have."))
            }
            Err(_) => Err(Refusal::input("The body was cut short.")),
        }
    }

    /// Reads a multipart body: its fields, and the bytes of its one file.
    pub async fn read_multipart(&mut self, limit: usize) -> Result<(Fields, Option<Bytes>), Refusal> {
        let (fields, files) = self.read_files(limit).await?;
        Ok((fields, files.into_values().next()))
    }

    /// Reads a multipart body: its fields, and its files by the names of their parts, all of them within the limit.
    pub async fn read_files(&mut self, limit: usize) -> Result<(Fields, HashMap<String, Bytes>), Refusal> {
        let read_already = || Refusal::input("The body was read already.");
        let trace = self.trace.clone().ok_or_else(read_already)?;
        let request = self.take_request().ok_or_else(read_already)?;
        let multipart =
            Multipart::from_request(request, &()).await.map_err(|error| Refusal::input(error.to_string()))?;
        let mut bytes = BytesMut::new();
        let form = Form::read(multipart, &trace, limit as u64, |chunk| {
            // One chunk more than is allowed is kept, and then refused.
            if bytes.len() <= limit {
                bytes.extend_from_slice(chunk);
            }
        });
        let form = form.await.map_err(|error| match error {
            crate::form::Error::FileTooLarge(_) => Refusal::too_large(error.to_string()),
            _ => Refusal::input(error.to_string()),
        })?;
        if bytes.len() > limit {
            return Err(Refusal::too_large(format!("The files have more than {limit} bytes.")));
        }
        let cut = |(name, upload): (String, crate::form::Upload)| {
            let size = usize::try_from(upload.content.size).expect("it is within the limit");
            (name, bytes.split_to(size).freeze())
        };
        let files = form.files.into_iter().map(cut).collect();
        Ok((Fields(form.texts), files))
    }
}

fn decoded(segment: &str) -> Option<String> {
    if !segment.contains('%') {
        return Some(segment.to_owned());
    }
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first == b'%' {
            let (code, after) = tail.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok()?);
            rest = after;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}
