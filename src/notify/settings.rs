//! `[[notify]]`: who is told what, and how.

use std::collections::BTreeSet;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};
use url::Url;

use super::reach;
use crate::http::stays_here;
use crate::receive::signature::standard;

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    RunDone,
    RunFailed,
    NeedsReview,
    CauseOpened,
    CauseClosed,
    SweepStopped,
    Late,
    OnTime,
    StorageNear,
    StorageClear,
    StoreFull,
}

impl Kind {
    pub const ALL: [Kind; 11] = [
        Kind::RunDone,
        Kind::RunFailed,
        Kind::NeedsReview,
        Kind::CauseOpened,
        Kind::CauseClosed,
        Kind::SweepStopped,
        Kind::Late,
        Kind::OnTime,
        Kind::StorageNear,
        Kind::StorageClear,
        Kind::StoreFull,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Kind::RunDone => "run_done",
            Kind::RunFailed => "run_failed",
            Kind::NeedsReview => "needs_review",
            Kind::CauseOpened => "cause_opened",
            Kind::CauseClosed => "cause_closed",
            Kind::SweepStopped => "sweep_stopped",
            Kind::Late => "late",
            Kind::OnTime => "on_time",
            Kind::StorageNear => "storage_near",
            Kind::StorageClear => "storage_clear",
            Kind::StoreFull => "store_full",
        }
    }
}

/// What a message looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Signed JSON, by Standard Webhooks.
    #[default]
    Standard,
    /// `{"text": …}`, which Slack, Mattermost and others take.
    Slack,
}

/// One `[[notify]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub name: String,
    /// Where messages go. Where the address is a secret by itself, as Slack's are, it stands in the environment.
    #[serde(default, deserialize_with = "secret")]
    pub url: Option<SecretString>,
    #[serde(default)]
    pub url_env: Option<String>,
    /// The variable that has the secret which messages are signed with.
    #[serde(default)]
    pub secret_env: Option<String>,
    #[serde(default)]
    pub format: Format,
    /// What is told; without it everything.
    #[serde(default)]
    pub kinds: Option<Vec<Kind>>,
    /// The text of a message to Slack.
    #[serde(default = "default_template")]
    pub template: String,
    /// The least time between two messages. What comes meanwhile goes with the next one.
    #[serde(default = "default_every_seconds")]
    pub every_seconds: u32,
    /// Send to addresses of private networks and of this machine too.
    #[serde(default)]
    pub allow_private: bool,
}

pub(super) fn default_template() -> String {
    "*{title}*\n{lines}".to_owned()
}

fn default_every_seconds() -> u32 {
    10
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(SecretString::from))
}

/// Why one cannot work. Shows no address and no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("[[notify]] {name}: {fault}")]
pub struct SettingsError {
    pub name: String,
    pub fault: Fault,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("write a name of letters, digits, `-` and `_`, of at most 40")]
    Name,
    #[error("another one has this name")]
    Twice,
    #[error("write either url or url_env")]
    Address,
    #[error("{0} is not set")]
    Unset(String),
    #[error("the address is no URL")]
    NoUrl,
    #[error("the address has a user name or a password in it, which is not sent")]
    Credentials,
    #[error(
        "the address must begin with https://; http:// is for this machine alone, with allow_private = true"
    )]
    Plain,
    #[error(
        "the address is one of a private network or of this machine: set allow_private = true if that is meant"
    )]
    Private,
    #[error("write secret_env, the name of the variable that has the secret to sign with")]
    NoSecret,
    #[error(
        "{0}: write `whsec_` and the base64 of 24 to 64 random bytes, such as openssl rand -base64 32 prints"
    )]
    BadSecret(String),
    #[error("the template has {{{0}}}; there are {{title}}, {{lines}} and {{count}}")]
    Template(String),
    #[error("every_seconds must be from 1 to 86400")]
    Every,
    #[error("kinds is empty: leave it out for all of them")]
    NoKinds,
}

/// Who is told something, checked.
#[derive(Clone)]
pub struct Endpoint {
    pub name: String,
    pub url: Url,
    pub(super) secret: Option<SecretString>,
    pub format: Format,
    pub kinds: BTreeSet<Kind>,
    pub(super) template: String,
    pub(super) every_ms: i64,
    pub(super) allow_private: bool,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("name", &self.name)
            .field("host", &self.host())
            .finish_non_exhaustive()
    }
}

impl Endpoint {
    /// Whom it reaches, as far as that is no secret.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Tells it from one at another address.
    pub(super) fn address(&self) -> String {
        hex::encode(Sha256::digest(self.url.as_str().as_bytes()))
    }
}

/// Checks all of them together. `variable` answers what the environment, or a file that it names, has.
///
/// # Errors
/// The first that cannot work.
pub fn endpoints(
    settings: &[Settings],
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Vec<Endpoint>, SettingsError> {
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for one in settings {
        let wrong = |fault| SettingsError { name: shown(&one.name), fault };
        if endpoints.iter().any(|other| other.name == one.name) {
            return Err(wrong(Fault::Twice));
        }
        endpoints.push(endpoint(one, &variable).map_err(wrong)?);
    }
    Ok(endpoints)
}

fn shown(name: &str) -> String {
    name.chars().filter(char::is_ascii_graphic).take(40).collect()
}

fn endpoint(settings: &Settings, variable: &impl Fn(&str) -> Option<String>) -> Result<Endpoint, Fault> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if settings.name.is_empty() || settings.name.len() > 40 || !settings.name.chars().all(is_name) {
        return Err(Fault::Name);
    }
    let set = |name: &String| variable(name).ok_or_else(|| Fault::Unset(name.clone()));
    let address = match (&settings.url, &settings.url_env) {
        (Some(url), None) => url.expose_secret().to_owned(),
        (None, Some(name)) => set(name)?,
        _ => return Err(Fault::Address),
    };
    let url = Url::parse(address.trim()).map_err(|_| Fault::NoUrl)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Fault::Credentials);
    }
    match url.scheme() {
        "https" => {}
        "http" if settings.allow_private && stays_here(&url) => {}
        _ => return Err(Fault::Plain),
    }
    if !settings.allow_private && !reach::may_be_public(&url) {
        return Err(Fault::Private);
    }
    let secret = settings.secret_env.as_ref().map(set).transpose()?.map(SecretString::from);
    match (&secret, settings.format) {
        (None, Format::Standard) => return Err(Fault::NoSecret),
        (Some(secret), _) => {
            let name = settings.secret_env.clone().unwrap_or_default();
            standard::sign(secret, "msg", 0, b"").map_err(|_| Fault::BadSecret(name))?;
        }
        (None, Format::Slack) => {}
    }
    let placeholders = settings.template.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0));
    if let Some(other) = placeholders.into_iter().find(|name| !matches!(*name, "title" | "lines" | "count")) {
        return Err(Fault::Template(shown(other)));
    }
    if !(1..=86_400).contains(&settings.every_seconds) {
        return Err(Fault::Every);
    }
    let kinds: BTreeSet<Kind> = match &settings.kinds {
        Some(kinds) if kinds.is_empty() => return Err(Fault::NoKinds),
        Some(kinds) => kinds.iter().copied().collect(),
        None => Kind::ALL.into_iter().collect(),
    };
    Ok(Endpoint {
        name: settings.name.clone(),
        url,
        secret,
        format: settings.format,
        kinds,
        template: settings.template.clone(),
        every_ms: i64::from(settings.every_seconds) * 1_000,
        allow_private: settings.allow_private,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn read(text: &str) -> Result<Vec<Endpoint>, String> {
        #[derive(Deserialize)]
        struct File {
            notify: Vec<Settings>,
        }
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        let variable = |name: &str| match name {
            "SECRET" => Some(SECRET.to_owned()),
            "SLACK" => Some("https://hooks.slack.com/services/T0/B0/a-secret".to_owned()),
            "SHORT" => Some("whsec_AAAA".to_owned()),
            _ => None,
        };
        endpoints(&file.notify, variable).map_err(|error| error.to_string())
    }

    #[test]
    fn what_cannot_work_is_told_without_the_address() {
        for (settings, told) in [
            ("url = 'https://example.com/a-secret'", "write secret_env"),
            ("url_env = 'SLACK'", "write secret_env"),
            ("url_env = 'NONE'\nformat = 'slack'", "NONE is not set"),
            ("format = 'slack'", "either url or url_env"),
            ("url = 'a-secret'\nformat = 'slack'", "no URL"),
            ("url = 'http://example.com/a-secret'\nformat = 'slack'", "must begin with https://"),
            (
                "url = 'http://example.com/a-secret'\nformat = 'slack'\nallow_private = true",
                "must begin with https://",
            ),
            ("url = 'http://127.0.0.1/a-secret'\nformat = 'slack'", "must begin with https://"),
            ("url = 'https://10.0.0.7/a-secret'\nformat = 'slack'", "private network"),
            ("url = 'https://[::1]/a-secret'\nformat = 'slack'", "private network"),
            ("url = 'https://localhost/a-secret'\nformat = 'slack'", "private network"),
            ("url = 'https://me:a-secret@example.com/'\nformat = 'slack'", "a user name"),
            ("url_env = 'SLACK'\nformat = 'slack'\ntemplate = '{text}'", "{title}, {lines} and {count}"),
            ("url_env = 'SLACK'\nformat = 'slack'\nevery_seconds = 0", "every_seconds"),
            ("url_env = 'SLACK'\nformat = 'slack'\nkinds = []", "kinds is empty"),
            ("url_env = 'SLACK'\nsecret_env = 'SHORT'", "SHORT"),
        ] {
            let error = read(&format!("[[notify]]\nname = 'one'\n{settings}")).unwrap_err();
            assert!(error.contains(told) && error.starts_with("[[notify]] one: "), "{settings}: {error}");
            assert!(!error.contains("a-secret"), "{error}");
        }
        let twice = "[[notify]]\nname = 'a'\nurl_env = 'SLACK'\nformat = 'slack'\n".repeat(2);
        assert!(read(&twice).unwrap_err().contains("another one has this name"));
        assert!(read("[[notify]]\nname = 'a b'\nurl_env = 'SLACK'").unwrap_err().contains("write a name"));
    }

    #[test]
    fn nothing_that_prints_an_endpoint_prints_its_address() {
        let endpoints = read("[[notify]]\nname = 'team'\nurl_env = 'SLACK'\nformat = 'slack'").unwrap();
        let shown = format!("{endpoints:?}");
        assert!(
            shown.contains("team") && shown.contains("hooks.slack.com") && !shown.contains("secret"),
            "{shown}"
        );
        assert_eq!(endpoints[0].kinds.len(), Kind::ALL.len());
        let local = "[[notify]]\nname = 'here'\nurl = 'http://127.0.0.1:9/'\nsecret_env = 'SECRET'\nallow_private = true\n\
                     kinds = ['needs_review']";
        assert_eq!(read(local).unwrap()[0].kinds, BTreeSet::from([Kind::NeedsReview]));
    }
}
