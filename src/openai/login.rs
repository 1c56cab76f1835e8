//! How a client says who it is: by a key, or by a token of an hour or so that is given for the workload's own identity, so that no
//! key lies anywhere.
//!
//! OpenAI's exchange and when a token is renewed are as its guide on workload identity federation and its official libraries of November 2026
//! have it; Entra's is the client credentials flow with a federated assertion, as Microsoft documents it for `AZURE_FEDERATED_TOKEN_FILE`.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::Error;
use super::error::ErrorKind;
use crate::contain::lock;
use crate::http::reply::{Reply, excerpt, exchange};
use crate::http::value::Fields;
use crate::http::wait::server_now;
use crate::http::{Base, Bearer, Phase, SMALL_CALL_LIMIT, Unusable, client, retry_after};
use crate::telemetry::Calls;

/// What the exchange is for, in words.
const OPERATION: &str = "getting a token for the workload's identity";

/// How long before its end a token is renewed, or after half of its life where that is later: as OpenAI's libraries do.
const RENEW_BEFORE: Duration = Duration::from_secs(1200);

/// The largest file that is taken for a token: they have a few kilobytes.
const MOST_BYTES: u64 = 64 * 1024;

/// Where a key stands in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyHeader {
    /// `Authorization: Bearer KEY`
    Authorization,
    /// `api-key: KEY`, as Azure OpenAI takes it.
    ApiKey,
}

/// What kind of token the workload has of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenType {
    #[default]
    Jwt,
    IdToken,
}

/// Who it is.
#[derive(Debug, Clone)]
pub enum Login {
    Key(SecretString, KeyHeader),
    Workload(Workload),
}

impl From<SecretString> for Login {
    fn from(key: SecretString) -> Self {
        Login::Key(key, KeyHeader::Authorization)
    }
}

impl From<&str> for Login {
    fn from(key: &str) -> Self {
        SecretString::from(key).into()
    }
}

/// An identity of its own, and where it is exchanged for a token.
#[derive(Debug, Clone)]
pub struct Workload {
    pub token_url: Url,
    /// Read anew at each exchange: whoever wrote it replaces it before it ends.
    pub token_file: PathBuf,
    pub exchange: Exchange,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exchange {
    OpenAi { identity_provider: String, service_account: String, token_type: TokenType },
    Entra { client: String, scope: String },
}

/// What a client shows with each request. Clones share it.
#[derive(Clone)]
pub(super) enum Credential {
    Key(Bearer, HeaderName),
    Token(Arc<Tokens>),
}

/// What one request showed, if it was a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shown(Option<u64>);

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential")
    }
}

impl Credential {
    pub fn new(login: &Login) -> Result<Self, Error> {
        let failed = |failure| Error::failed("setting up", failure);
        Ok(match login {
            Login::Key(key, KeyHeader::Authorization) => {
                Credential::Key(Bearer::new(key).map_err(failed)?, AUTHORIZATION)
            }
            Login::Key(key, KeyHeader::ApiKey) => {
                Credential::Key(Bearer::bare(key).map_err(failed)?, HeaderName::from_static("api-key"))
            }
            Login::Workload(workload) => {
                let base =
                    Base::new(&workload.token_url).map_err(|error| Error::unusable("setting up", error))?;
                let http = client(&base).map_err(failed)?;
                let (workload, held, turn) =
                    (workload.clone(), Mutex::default(), tokio::sync::Mutex::default());
                Credential::Token(Arc::new(Tokens { workload, http, held, turn }))
            }
        })
    }

    /// Shows this key from now on. A workload has none.
    pub fn use_key(&self, key: &SecretString) -> Result<(), Error> {
        match self {
            Credential::Key(bearer, _) => {
                bearer.replace(key).map_err(|failure| Error::failed("taking up a new key", failure))
            }
            Credential::Token(_) => Ok(()),
        }
    }

    /// What stands in which header of the next request.
    pub async fn header(&self, calls: &Calls) -> Result<(HeaderName, HeaderValue, Shown), Error> {
        match self {
            Credential::Key(bearer, name) => Ok((name.clone(), bearer.header(), Shown(None))),
            Credential::Token(tokens) => {
                let (value, number) = tokens.token(calls).await?;
                Ok((AUTHORIZATION, value, Shown(Some(number))))
            }
        }
    }

    /// The service took it.
    pub fn worked(&self, Shown(number): Shown) {
        if let (Credential::Token(tokens), Some(number)) = (self, number) {
            tokens.change(number, |token| token.has_worked = true);
        }
    }

    /// The service does not take it. A token is not shown again; whether it was taken before, so that it has only ended early and
    /// the next one may be taken.
    pub fn refused(&self, Shown(number): Shown) -> bool {
        let (Credential::Token(tokens), Some(number)) = (self, number) else { return false };
        let mut has_worked = true;
        tokens.change(number, |token| has_worked = token.has_worked);
        let mut held = lock(&tokens.held);
        held.token = held.token.take().filter(|token| token.number != number);
        has_worked
    }
}

/// The token that is shown now.
pub(super) struct Tokens {
    workload: Workload,
    http: reqwest::Client,
    held: Mutex<Held>,
    /// Held while one is asked for, so that many requests at once ask for one.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Held {
    token: Option<Token>,
    /// How many there were.
    count: u64,
}

struct Token {
    value: HeaderValue,
    number: u64,
    renew_at: Instant,
    ends_at: Instant,
    has_worked: bool,
}

impl Tokens {
    fn change(&self, number: u64, change: impl FnOnce(&mut Token)) {
        if let Some(token) = lock(&self.held).token.as_mut().filter(|token| token.number == number) {
            change(token);
        }
    }

    fn held(&self, is_good: impl Fn(&Token) -> bool) -> Option<(HeaderValue, u64)> {
        let held = lock(&self.held);
        held.token.as_ref().filter(|token| is_good(token)).map(|token| (token.value.clone(), token.number))
    }

    async fn token(&self, calls: &Calls) -> Result<(HeaderValue, u64), Error> {
        let is_fresh = |token: &Token| Instant::now() < token.renew_at;
        if let Some(fresh) = self.held(is_fresh) {
            return Ok(fresh);
        }
        let _turn = self.turn.lock().await;
        if let Some(fresh) = self.held(is_fresh) {
            return Ok(fresh);
        }
        match self.ask(calls).await {
            Ok((value, life)) => {
                let now = Instant::now();
                let mut held = lock(&self.held);
                held.count += 1;
                let number = held.count;
                let (renew_at, ends_at) = (now + renewed_after(life), now + life);
                held.token =
                    Some(Token { value: value.clone(), number, renew_at, ends_at, has_worked: false });
                Ok((value, number))
            }
            Err(error) => match self.held(|token| Instant::now() < token.ends_at) {
                Some(old) => {
                    tracing::warn!(error = %error, "the token could not be renewed; the old one is shown until it ends");
                    Ok(old)
                }
                None => Err(error),
            },
        }
    }

    /// Has the workload's own token exchanged, and answers the other with its life.
    async fn ask(&self, calls: &Calls) -> Result<(HeaderValue, Duration), Error> {
        let own = self.own_token()?;
        let request = self.http.post(self.workload.token_url.clone()).timeout(SMALL_CALL_LIMIT);
        let request = match &self.workload.exchange {
            Exchange::OpenAi { identity_provider, service_account, token_type } => request.json(&json!({
                "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
                "subject_token_type": match token_type {
                    TokenType::Jwt => "urn:ietf:params:oauth:token-type:jwt",
                    TokenType::IdToken => "urn:ietf:params:oauth:token-type:id_token",
                },
                "subject_token": own,
                "identity_provider_id": identity_provider,
                "service_account_id": service_account,
            })),
            Exchange::Entra { client, scope } => request.form(&[
                ("grant_type", "client_credentials"),
                ("client_id", client),
                ("scope", scope),
                ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
                ("client_assertion", &own),
            ]),
        };
        // Whatever went wrong, what the token is for was not asked.
        let not_begun = |error: Error| Error { phase: Phase::BeforeBody, ..error };
        let reply = exchange(request, calls.begin(OPERATION)).await;
        let reply = reply.map_err(|failure| not_begun(Error::failed(OPERATION, failure)))?;
        read(&reply).map_err(not_begun)
    }

    fn own_token(&self) -> Result<String, Error> {
        let path = &self.workload.token_file;
        let text = match std::fs::metadata(path) {
            Ok(file) if file.len() > MOST_BYTES => Err("it is too large for one".to_owned()),
            Ok(_) => std::fs::read_to_string(path).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let text = text.map(|text| text.trim().to_owned());
        let text =
            text.and_then(|text| if text.is_empty() { Err("it is empty".to_owned()) } else { Ok(text) });
        text.map_err(|why| {
            let message = format!("the workload's own token cannot be read from {}: {why}", path.display());
            unasked(&message)
        })
    }
}

/// Nothing was asked, for this reason.
fn unasked(message: &str) -> Error {
    let error = Error::unusable(OPERATION, Unusable::Key);
    Error { kind: ErrorKind::Identity, message: message.into(), ..error }
}

fn renewed_after(life: Duration) -> Duration {
    life - RENEW_BEFORE.min(life / 2)
}

fn read(reply: &Reply) -> Result<(HeaderValue, Duration), Error> {
    let status = reply.head.status;
    let body = reply.json();
    let fields = body.as_ref().and_then(Fields::of);
    if matches!(status.as_u16(), 400 | 401 | 403) {
        return Err(Error::answered(OPERATION, ErrorKind::Identity, &reply.head, &refusal(fields.as_ref())));
    }
    if !status.is_success() {
        let headers = &reply.head.headers;
        let wait = retry_after(headers, server_now(headers));
        let kind = if status.as_u16() == 429 {
            ErrorKind::RateLimited { wait }
        } else {
            ErrorKind::Unavailable { wait }
        };
        return Err(Error::answered(OPERATION, kind, &reply.head, ""));
    }
    let unreadable = || Error::unreadable(OPERATION, &reply.head, "no token with the seconds of its life");
    let fields = fields.ok_or_else(unreadable)?;
    let token = fields.id("access_token").ok_or_else(unreadable)?;
    let seconds = fields.get("expires_in").and_then(serde_json::Value::as_f64);
    let life =
        seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).filter(|life| !life.is_zero());
    let life = life.filter(|life| Instant::now().checked_add(*life).is_some()).ok_or_else(unreadable)?;
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| unreadable())?;
    value.set_sensitive(true);
    Ok((value, life))
}

/// What the exchange says is wrong: OAuth's word and sentence, or an object with a message.
fn refusal(fields: Option<&Fields<'_>>) -> String {
    let Some(fields) = fields else { return String::new() };
    let inner = fields.object("error").and_then(|error| error.id("message"));
    let words = [fields.id("error"), fields.id("error_description"), inner];
    let words: Vec<String> = words.into_iter().flatten().collect();
    excerpt(&words.join(": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_twenty_minutes_before_its_end_or_after_half_of_its_life() {
        let after = |seconds| renewed_after(Duration::from_secs(seconds)).as_secs();
        assert_eq!((after(3600), after(2400), after(60)), (2400, 1200, 30));
    }
}
