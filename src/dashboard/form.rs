//! What a page was asked with: the fields of a query or of a form, several of one name among them.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use url::form_urlencoded;

use crate::listen::problem::Problem;

/// The fields, in their order.
#[derive(Debug, Clone, Default)]
pub struct Fields(pub Vec<(String, String)>);

impl Fields {
    pub fn read(text: &[u8]) -> Self {
        Fields(form_urlencoded::parse(text).into_owned().collect())
    }

    /// The first that is called so and is not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.iter().find(|(known, value)| known == name && !value.trim().is_empty());
        value.map(|(_, value)| value.trim())
    }

    pub fn text(&self, name: &str) -> String {
        self.get(name).unwrap_or_default().to_owned()
    }

    pub fn number(&self, name: &str) -> Option<i64> {
        self.get(name)?.parse().ok()
    }

    /// Each that is called so.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.clone()).collect()
    }
}

/// Of the query.
pub struct Query(pub Fields);

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Query(Fields::read(parts.uri.query().unwrap_or_default().as_bytes())))
    }
}

/// Of the form.
pub struct Form(pub Fields);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let too_large =
            |_| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the form is too large, or was cut off");
        let bytes = Bytes::from_request(request, state).await.map_err(too_large)?;
        Ok(Form(Fields::read(&bytes)))
    }
}

/// `path` with those of the fields that say something.
pub fn link(path: &str, fields: &[(&str, &str)]) -> String {
    let said = fields.iter().filter(|(_, value)| !value.is_empty());
    let pairs: Vec<String> = said.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

/// As a part of a path, or of a query.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// As a shell takes it.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A path of ours to go back to, and nothing of anybody else's.
pub fn own_path(path: &str) -> Option<&str> {
    let is_ours = path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains('\\')
        && path.bytes().all(|byte| byte.is_ascii_graphic());
    is_ours.then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_of_ours_is_gone_back_to() {
        for own in ["/", "/files?state=behind", "/runs/12"] {
            assert_eq!(own_path(own), Some(own));
        }
        for other in ["", "//evil.example", "/\\evil.example", "https://evil.example", "/a\nb", "files"] {
            assert_eq!(own_path(other), None, "{other}");
        }
    }

    #[test]
    fn what_a_field_says_comes_back_as_it_was() {
        let odd = "/a b&c=d?é%+#";
        let link = link("/files", &[("path", odd), ("state", "")]);
        let (path, query) = link.split_once('?').unwrap();
        let fields = Fields::read(query.as_bytes());
        assert_eq!((path, fields.get("path"), fields.get("state")), ("/files", Some(odd), None));
    }
}
