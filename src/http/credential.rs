//! What a request carries that lets it in, redacted in the answer before anything reads that.
//!
//! Some services repeat in an error what they were sent, and an error's words end up in logs, listings and the database.
//! So the credential is taken out where the answer comes in, headers and body alike, and no reader has to think of it.

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use reqwest::{Body, Request};
use url::form_urlencoded::{byte_serialize, parse};

/// What stands where a credential stood.
const REDACTED: &str = "[secret]";

/// Shorter ones are left: no service makes such a key, and redacting the key `any` of a sandbox would change what an
/// answer says.
const LEAST_CHARS: usize = 12;

/// The names of Fastio's tokens, and of Entra's, in a query and in a form.
const TOKENS: [&str; 3] = ["token", "lock_token", "client_assertion"];

/// The credentials of one request, in the forms in which they may come back.
#[derive(Default)]
pub struct Credentials(Vec<String>);

impl Credentials {
    pub fn of(request: &Request) -> Self {
        let header = [AUTHORIZATION.as_str(), "api-key"].iter().find_map(|name| request.headers().get(*name));
        let header = header.and_then(|value| value.to_str().ok());
        let key = header.map(|value| value.strip_prefix("Bearer ").unwrap_or(value).to_owned());
        let form = request.body().and_then(Body::as_bytes).filter(|_| is_form(request)).unwrap_or_default();
        let pairs = request.url().query_pairs().chain(parse(form));
        let tokens =
            pairs.filter(|(name, _)| TOKENS.contains(&name.as_ref())).map(|(_, value)| value.into_owned());
        let mut forms = Vec::new();
        for credential in
            key.into_iter().chain(tokens).chain(passed_on(request)).filter(|text| text.len() >= LEAST_CHARS)
        {
            let in_url: String = byte_serialize(credential.as_bytes()).collect();
            let in_json = credential.replace('/', "\\/");
            forms.extend([credential, in_url, in_json]);
        }
        Credentials(forms)
    }

    fn are_in(&self, text: &str) -> bool {
        self.0.iter().any(|form| text.contains(form))
    }

    /// Drops the headers that hold one of them.
    pub fn redact_headers(&self, headers: &mut HeaderMap) {
        let told =
            |value: &reqwest::header::HeaderValue| self.are_in(&String::from_utf8_lossy(value.as_bytes()));
        let telling: Vec<_> =
            headers.iter().filter(|(_, value)| told(value)).map(|(name, _)| name.clone()).collect();
        for name in telling {
            headers.remove(name);
        }
    }

    /// `body` without any of them.
    pub fn redact_body(&self, body: Bytes) -> Bytes {
        // What is not UTF-8 is no answer that is quoted anywhere: JSON is UTF-8.
        match std::str::from_utf8(&body) {
            Ok(text) if self.are_in(text) => {
                let blotted = self.0.iter().fold(text.to_owned(), |text, form| text.replace(form, REDACTED));
                Bytes::from(blotted)
            }
            _ => body,
        }
    }
}

/// The credential that a request of JSON passes on: what lets OpenAI into the server of a tool, or what is exchanged for a token.
fn passed_on(request: &Request) -> Option<String> {
    const MEMBERS: [&str; 2] = ["\"authorization\":\"", "\"subject_token\":\""];
    let body = request.body().and_then(Body::as_bytes).and_then(|body| std::str::from_utf8(body).ok())?;
    let (_, rest) = MEMBERS.iter().find_map(|member| body.split_once(member))?;
    rest.split('"').next().map(str::to_owned)
}

fn is_form(request: &Request) -> bool {
    request.headers().get(CONTENT_TYPE).is_some_and(|value| value == "application/x-www-form-urlencoded")
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn credentials(key: &str, query: &str) -> Credentials {
        let client = reqwest::Client::new();
        let url = format!("http://127.0.0.1/read/?{query}");
        Credentials::of(&client.get(url).bearer_auth(key).build().unwrap())
    }

    #[test]
    fn what_was_sent_does_not_come_back() {
        let sent = credentials("sk-proj-Zm9v+YmFy/cXV4", "token=ey.J0+a/b-123456&version_id=3v4w5x6y7z8a9b");
        let body = "key sk-proj-Zm9v+YmFy/cXV4 or sk-proj-Zm9v+YmFy\\/cXV4 or sk-proj-Zm9v%2BYmFy%2FcXV4; \
                    token ey.J0 a/b-123456; version 3v4w5x6y7z8a9b";
        let left = sent.redact_body(Bytes::from(body));
        let want = "key [secret] or [secret] or [secret]; token [secret]; version 3v4w5x6y7z8a9b";
        assert_eq!(left, want);
        let mut headers = HeaderMap::new();
        headers.append("x-request-id", HeaderValue::from_static("sk-proj-Zm9v+YmFy/cXV4"));
        headers.append("retry-after", HeaderValue::from_static("7"));
        sent.redact_headers(&mut headers);
        assert_eq!(headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["retry-after"]);
    }

    #[test]
    fn a_key_that_is_passed_on_does_not_come_back() {
        let request = reqwest::Client::new().post("http://127.0.0.1/responses");
        let request = request.body(r#"{"tools":[{"authorization":"a-reading-key/1","type":"mcp"}]}"#);
        let sent = Credentials::of(&request.build().unwrap());
        assert_eq!(sent.redact_body(Bytes::from("no tool for a-reading-key/1")), "no tool for [secret]");
    }

    #[test]
    fn a_token_in_a_form_does_not_come_back() {
        let request = reqwest::Client::new().post("http://127.0.0.1/lock/");
        let request = request.form(&[("lock_token", "lock+token/of-a-file"), ("note", "an ordinary value")]);
        let sent = Credentials::of(&request.build().unwrap());
        let body = "lock+token/of-a-file or lock%2Btoken%2Fof-a-file; an ordinary value";
        assert_eq!(sent.redact_body(Bytes::from(body)), "[secret] or [secret]; an ordinary value");
    }

    #[test]
    fn a_word_that_is_no_key_is_left_alone() {
        let sent = credentials("any", "");
        assert_eq!(sent.redact_body(Bytes::from("any word")), "any word");
    }
}
