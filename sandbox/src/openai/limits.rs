//! What an account may do in a minute, by the stand-in's clock, which tests move. Whatever way the real service counts a minute,
//! a client that never asks for more than a limit within any sixty seconds keeps it, so that is what is enforced here.

use std::collections::{HashMap, VecDeque};

use axum::http::{HeaderMap, HeaderValue};

use super::error::ApiError;

const MINUTE_MS: i64 = 60_000;

/// Per minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// `POST /files`. OpenAI's OpenAPI document: 1,000 for each user.
    pub uploads: u64,
    /// Requests that attach, one file or many, to one vector store. OpenAI's OpenAPI document: 300.
    pub attaches: u64,
    /// Files that are attached in the whole organization. OpenAI's OpenAPI document: 2,000.
    pub attached: u64,
    /// Responses that are begun with one model. An account has its own.
    pub requests: u64,
    /// Tokens that one model reads and writes. An account has its own.
    pub tokens: u64,
    /// In one file of a vector store, at any time. OpenAI's guide on retrieval: 5,000,000.
    pub file_tokens: u64,
    /// Files in one vector store, at any time. OpenAI's OpenAPI document and guide on retrieval: 100,000,000, and 10,000 in one that was made
    /// before November 2025.
    pub store_files: u64,
}

impl Default for Limits {
    /// What is documented, and a project of some size.
    fn default() -> Limits {
        Limits {
            uploads: 1_000,
            attaches: 300,
            attached: 2_000,
            requests: 10_000,
            tokens: 2_000_000,
            file_tokens: 5_000_000,
            store_files: 100_000_000,
        }
    }
}

impl Limits {
    /// An account that may do so many times as much.
    pub fn times(self, times: u32) -> Limits {
        let by = |limit: u64| limit.saturating_mul(times.into());
        let Limits { uploads, attaches, attached, requests, tokens, file_tokens, store_files } = self;
        Limits {
            uploads: by(uploads),
            attaches: by(attaches),
            attached: by(attached),
            requests: by(requests),
            tokens: by(tokens),
            file_tokens: by(file_tokens),
            store_files,
        }
    }
}

/// What was done within the last minute.
#[derive(Debug, Default)]
pub struct Counts {
    uploads: Window,
    attaches: HashMap<String, Window>,
    attached: Window,
    models: HashMap<String, Model>,
}

#[derive(Debug, Default)]
struct Model {
    requests: Window,
    tokens: Window,
}

#[derive(Debug, Default)]
struct Window(VecDeque<(i64, u64)>);

impl Window {
    fn used(&mut self, now: i64) -> u64 {
        while self.0.front().is_some_and(|(at, _)| *at <= now - MINUTE_MS) {
            self.0.pop_front();
        }
        self.0.iter().map(|(_, count)| count).sum()
    }

    /// Takes so many, or says after how many milliseconds there is room for them.
    fn take(&mut self, now: i64, (count, limit): (u64, u64)) -> Result<(), i64> {
        let mut used = self.used(now);
        if used + count <= limit {
            self.0.push_back((now, count));
            return Ok(());
        }
        let mut wait = MINUTE_MS;
        for (at, taken) in &self.0 {
            used -= taken;
            wait = at + MINUTE_MS - now;
            if used + count <= limit {
                break;
            }
        }
        Err(wait)
    }
}

/// The status is documented, and `Retry-After` for the responses; the words are those of the limits that people report.
fn slow_down(what: &str, limit: u64, wait_ms: i64) -> ApiError {
    let message = format!(
        "Rate limit reached for {what} on requests per min (RPM): Limit {limit}. Please try again in {wait_ms}ms."
    );
    ApiError::plain(message).slow_down(wait_ms)
}

impl Counts {
    pub fn upload(&mut self, limits: &Limits, now: i64) -> Result<(), ApiError> {
        let taken = self.uploads.take(now, (1, limits.uploads));
        taken.map_err(|wait| slow_down("files", limits.uploads, wait))
    }

    /// One request that attaches so many files to a store.
    pub fn attach(&mut self, limits: &Limits, now: i64, (store, files): (&str, u64)) -> Result<(), ApiError> {
        let requests = self.attaches.entry(store.to_owned()).or_default();
        let taken = requests.take(now, (1, limits.attaches));
        taken.map_err(|wait| slow_down("this vector store", limits.attaches, wait))?;
        let taken = self.attached.take(now, (files, limits.attached));
        taken.map_err(|wait| {
            requests.0.pop_back();
            slow_down("attached files", limits.attached, wait)
        })
    }

    /// A response with a model is begun.
    pub fn respond(&mut self, limits: &Limits, now: i64, model: &str) -> Result<(), ApiError> {
        let of = self.models.entry(model.to_owned()).or_default();
        let taken = of.requests.take(now, (1, limits.requests));
        taken.map_err(|wait| slow_down(model, limits.requests, wait))
    }

    /// What a model is to read and write: why it may not now, in the words that people report.
    pub fn spend(
        &mut self,
        limits: &Limits,
        now: i64,
        (model, tokens): (&str, u64),
    ) -> Result<(), (String, i64)> {
        let of = self.models.entry(model.to_owned()).or_default();
        let (used, limit) = (of.tokens.used(now), limits.tokens);
        of.tokens.take(now, (tokens, limit)).map_err(|wait| {
            let message = format!(
                "Rate limit reached for {model} on tokens per min (TPM): Limit {limit}, Used {used}, Requested {tokens}. \
                 Please try again in {wait}ms."
            );
            (message, wait)
        })
    }

    /// The headers of a reply about a model, as OpenAI's guide on rate limits shows them.
    pub fn tell(&mut self, limits: &Limits, now: i64, model: &str) -> HeaderMap {
        let of = self.models.entry(model.to_owned()).or_default();
        let mut headers = HeaderMap::new();
        for (what, window, limit) in
            [("requests", &mut of.requests, limits.requests), ("tokens", &mut of.tokens, limits.tokens)]
        {
            let left = limit.saturating_sub(window.used(now));
            let reset = window.0.back().map_or(0, |(at, _)| at + MINUTE_MS - now);
            let pairs = [
                ("limit", limit.to_string()),
                ("remaining", left.to_string()),
                ("reset", format!("{reset}ms")),
            ];
            for (which, value) in pairs {
                let name = format!("x-ratelimit-{which}-{what}");
                let name = axum::http::HeaderName::from_bytes(name.as_bytes()).expect("letters are a name");
                headers.insert(name, HeaderValue::from_str(&value).expect("digits and letters are a header"));
            }
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_holds_within_any_sixty_seconds_and_says_when_there_is_room() {
        let (limits, mut counts) = (Limits { uploads: 2, ..Limits::default() }, Counts::default());
        assert!(counts.upload(&limits, 0).is_ok() && counts.upload(&limits, 30_000).is_ok());
        let refused = counts.upload(&limits, 59_000).unwrap_err();
        assert_eq!((refused.status.as_u16(), refused.wait_ms), (429, Some(1_000)));
        assert!(counts.upload(&limits, 60_000).is_ok());
        assert!(counts.upload(&limits, 61_000).is_err(), "the one of the thirtieth second counts");
    }

    #[test]
    fn a_batch_is_one_request_and_many_files_and_takes_both_or_none() {
        let limits = Limits { attaches: 2, attached: 10, ..Limits::default() };
        let mut counts = Counts::default();
        assert!(counts.attach(&limits, 0, ("a", 8)).is_ok());
        assert!(counts.attach(&limits, 0, ("a", 3)).is_err());
        assert!(counts.attach(&limits, 0, ("a", 2)).is_ok(), "what was refused took nothing");
        assert!(counts.attach(&limits, 0, ("b", 1)).is_err(), "the organization's is for all stores");
    }
}
