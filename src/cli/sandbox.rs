//! `docket sandbox`: only the stand-ins, on given ports.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use docket_sandbox::openai::{Limits, Login};
use docket_sandbox::{Options, Sandbox, Scheme, Subscriber, Webhook, start};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::failure::{Failure, Outcome};
use super::signals::Signals;
use super::{log, output};
use crate::config::{Config, PUBLIC_SECRET};

/// The workspace of the examples and documents, which is there from the start, so that `docket check` finds it before the
/// first file. Any other is there when something is put into it.
pub const WORKSPACE: &str = "4829105738291047362";

/// The model that the OpenAI stand-in plays by plain rules.
pub const MODEL: &str = "sandbox-rules";

#[derive(Debug, Args)]
pub struct Arguments {
    /// Where the Fastio stand-in listens; port 0 lets the system choose
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9101")]
    fastio: SocketAddr,
    /// Where the OpenAI stand-in listens; port 0 lets the system choose
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9102")]
    openai: SocketAddr,
    /// Where Fastio's webhooks go, such as http://127.0.0.1:8080/webhooks/fastio; without it none are sent
    #[arg(long, value_name = "URL")]
    webhook: Option<Url>,
    /// Where OpenAI's webhooks go, such as http://127.0.0.1:8080/webhooks/openai; without it only to endpoints made by the API
    #[arg(long, value_name = "URL")]
    openai_webhook: Option<Url>,
    /// How Fastio's webhooks are signed and written
    #[arg(long, value_enum, default_value_t = SchemeName::Fastio)]
    scheme: SchemeName,
    /// How long a vector store takes to index a file, such as 200ms or 2s
    #[arg(long, value_name = "TIME", default_value = "200ms", value_parser = duration)]
    index_delay: Duration,
    /// How long Fastio's AI takes to read a file, such as 200ms or 2s; without it it reads none
    #[arg(long, value_name = "TIME", value_parser = duration)]
    read_delay: Option<Duration>,
    /// Ids, faults and generated contents follow from it
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Serve the Assistants API too, as compatible servers do and OpenAI no longer does
    #[arg(long)]
    assistants: bool,
    /// How many times as much as OpenAI documents the account may do in a minute: uploads, attached files, responses
    #[arg(long, value_name = "N", default_value_t = 1)]
    limits: u32,
    /// How many files a vector store takes; as OpenAI documents it, 100000000
    #[arg(long, value_name = "N", default_value_t = Limits::default().store_files)]
    store_files: u64,
    /// What the OpenAI stand-in lets in
    #[arg(long, value_enum, default_value_t = LoginName::Key)]
    login: LoginName,
    /// Print the addresses as one line of JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LoginName {
    /// Any key, behind Authorization: Bearer
    Key,
    /// Any key in the header api-key, as at Azure OpenAI
    ApiKey,
    /// A token of its own exchange, POST /oauth/token, for a workload's own
    Workload,
    /// The same as Entra gives it, POST /TENANT/oauth2/v2.0/token
    Entra,
}

impl From<LoginName> for Login {
    fn from(name: LoginName) -> Login {
        match name {
            LoginName::Key => Login::Key,
            LoginName::ApiKey => Login::ApiKey,
            LoginName::Workload => Login::Workload,
            LoginName::Entra => Login::Entra,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemeName {
    /// Fastio-Signature: t=…,v1=BASE64
    Fastio,
    /// Fastio-Signature: t=…,v1=HEX
    FastioHex,
    /// X-Fastio-Signature: sha256=HEX
    XFastio,
    /// As fastio, with the body in camel case that one guide prints
    Guide,
    /// Every documented way in turn
    Mixed,
}

impl From<SchemeName> for Scheme {
    fn from(name: SchemeName) -> Scheme {
        match name {
            SchemeName::Fastio => Scheme::FastioBase64,
            SchemeName::FastioHex => Scheme::FastioHex,
            SchemeName::XFastio => Scheme::XFastioSha256,
            SchemeName::Guide => Scheme::Guide,
            SchemeName::Mixed => Scheme::Mixed,
        }
    }
}

pub async fn run(arguments: Arguments, config: &Config) -> Result<Outcome, Failure> {
    let _log = log::start(&config.log)?;
    let mut signals = Signals::listen()?;
    let stop = CancellationToken::new();
    let Arguments {
        fastio,
        openai,
        webhook,
        openai_webhook,
        scheme,
        index_delay,
        read_delay,
        seed,
        assistants,
        limits,
        store_files,
        login,
        json,
    } = arguments;
    let configured = config.secrets.fastio_webhook.first().cloned();
    let is_public = configured.is_none();
    let secret = configured.unwrap_or_else(|| SecretString::from(PUBLIC_SECRET));
    let webhook = webhook.map(|url| Webhook { url, secret: secret.clone(), scheme: scheme.into() });
    let to = webhook.as_ref().map(|webhook| webhook.url.clone());
    let openai_webhook = openai_webhook.map(|url| Subscriber {
        url,
        secret: config.secrets.openai_webhook.first().unwrap_or(&secret).clone(),
    });
    let limits = Limits { store_files, ..Limits::default().times(limits) };
    let login = login.into();
    let options = Options {
        fastio,
        openai,
        webhook,
        openai_webhook,
        index_delay,
        read_delay,
        seed,
        assistants,
        limits,
        login,
    };
    let sandbox = start(options, stop.clone()).await;
    let sandbox = sandbox.map_err(|error| {
        Failure::Failed(format!(
            "cannot listen on {fastio} and {openai}: {error}; choose others with --fastio and --openai"
        ))
    })?;
    sandbox.fastio().make_workspace(WORKSPACE);
    let shown = Addresses { sandbox: &sandbox, secret: is_public.then_some(&secret), webhook: to };
    if json {
        output::one_line(&shown.json())?;
    } else {
        output::lines(shown.words().lines())?;
    }
    signals.guard(&stop, sandbox.run_until_stopped()).await;
    Ok(Outcome::Done)
}

/// What a person or a program has to know to use the stand-ins.
struct Addresses<'a> {
    sandbox: &'a Sandbox,
    /// Only the public one is ever shown.
    secret: Option<&'a SecretString>,
    webhook: Option<Url>,
}

impl Addresses<'_> {
    fn json(&self) -> serde_json::Value {
        json!({
            "fastio_base_url": bare(&self.sandbox.fastio_url()),
            "openai_base_url": bare(&self.sandbox.openai_url()),
            "fastio_webhook_secret": self.secret.map(ExposeSecret::expose_secret),
            "webhook": self.webhook,
        })
    }

    fn words(&self) -> String {
        let (fastio, openai) = (self.sandbox.fastio_url(), self.sandbox.openai_url());
        let secret = match self.secret {
            Some(secret) => format!(
                "export FASTIO_WEBHOOK_SECRET={}   # a stand-in's, not secret\n",
                secret.expose_secret()
            ),
            None => String::new(),
        };
        let webhook = match &self.webhook {
            Some(url) => format!("Every change in the Fastio stand-in is told to {url}."),
            None => "No webhooks are sent; --webhook http://127.0.0.1:8080/webhooks/fastio turns them on."
                .to_owned(),
        };
        format!(
            "\
Stand-ins for Fastio and OpenAI are up. They keep everything in memory until they stop (Ctrl-C).
{webhook}

export FASTIO_BASE_URL={fastio_bare}
export OPENAI_BASE_URL={openai_bare}
export FASTIO_API_KEY=any-key OPENAI_API_KEY=any-key
{secret}
Workspace {WORKSPACE} is there, and so is the model {MODEL}.
Put a file into it, read it, and look at what both hold and were asked:
  curl -T contract.txt {control}files/{WORKSPACE}/Contracts/contract.txt
  curl {control}files/{WORKSPACE}/Contracts/contract.txt
  curl {control}state
  curl {openai_control}state
  curl {openai_control}requests
",
            fastio_bare = bare(&fastio),
            openai_bare = bare(&openai),
            control = control(&fastio),
            openai_control = control(&openai),
        )
    }
}

/// A base URL as people write it, without the slash at its end.
pub fn bare(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

/// The control paths beside a base URL.
pub fn control(base: &Url) -> Url {
    base.join("/_sandbox/").expect("a path joins any http URL")
}

/// `200ms`, `1.5s` or a bare number of milliseconds.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no time: write it as 200ms or 2s");
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => text.strip_suffix('s').map_or((text, 0.001), |number| (number, 1.0)),
    };
    let number: f64 = number.trim().parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(number * unit).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit_or_is_milliseconds() {
        let read = |text| duration(text).map(|time| time.as_millis());
        assert_eq!([read("200ms"), read("1.5s"), read("30")], [Ok(200), Ok(1500), Ok(30)]);
        assert!(read("soon").is_err() && read("-1s").is_err());
    }

    #[test]
    fn the_public_secret_says_that_it_is_not_secret() {
        use base64::Engine;
        let tail = PUBLIC_SECRET.strip_prefix("whsec_").unwrap();
        let text = base64::engine::general_purpose::STANDARD.decode(tail).unwrap();
        assert_eq!(text, b"docket-sandbox-is-not-secret");
    }
}
