//! Where a command gets its answers: from the database, or from a server that is asked over HTTP (`--server`, `DOCKET_SERVER`). Both answer the
//! same questions with the same rows, so a command shows the same either way.

use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Client, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::Url;

use super::SettingsArgs;
use super::failure::Failure;
use super::progress::Progress;
use super::{open, server};
use crate::app;
use crate::clock::Clock;
use crate::config::Config;
use crate::database::{Connection, Database};
use crate::http::{self, Base, stays_here};
use crate::import::store::Row;
use crate::operate::Token;
use crate::operate::act::{self, Action, Deed, ImportOrder, PLACE_IS_TAKEN};
use crate::operate::api::{Again, AgainView, BulkOrder, BulkView, Done, Preview, SweepOrder, Why};
use crate::operate::bulk::{self, MOST};
use crate::operate::guard::Who;
use crate::operate::mcp::http as mcp;
use crate::operate::mcp::message::Call;
use crate::operate::meant::{Meant, too_many};
use crate::operate::query::search::{Results, Search, Searcher, Unanswered};
use crate::operate::query::status::{Overview, OverviewView};
use crate::operate::query::{self, Known, Listed, Question, Wrong};

/// Who does something beside the database.
pub const HERE: Who = Who(Token::ThisMachine);

/// Where the operator API has something done, and what it is told there.
fn order(action: Action, item: &str, Why { why, name }: Why) -> (String, Value) {
    let (kind, word) = match action {
        Action::Sweep | Action::DrySweep => {
            let rule = (!item.is_empty()).then(|| item.to_owned());
            let order = SweepOrder { rule, dry_run: action == Action::DrySweep, why, name };
            return ("/sweeps".to_owned(), json!(order));
        }
        Action::RetryJob => ("jobs", "retry"),
        Action::DiscardJob => ("jobs", "discard"),
        Action::RetryFile => ("files", "retry"),
        Action::BringFile => ("files", "bring"),
        Action::SyncFile => ("files", "sync"),
        Action::Accept => ("runs", "accept"),
        Action::Reject => ("runs", "reject"),
        Action::Withdraw => ("runs", "withdraw"),
        Action::StartRun => ("runs", "start"),
        Action::RunAgain => ("runs", "again"),
        Action::LookAgain | Action::RunMissing => {
            let order =
                BulkOrder { number: Some(1), why, name, ..BulkOrder::to(action, vec![item.to_owned()]) };
            return ("/bulk".to_owned(), json!(order));
        }
        Action::CancelRun => ("runs", "cancel"),
        Action::ApproveSweep => ("sweeps", "approve"),
        Action::DismissSweep => ("sweeps", "dismiss"),
    };
    (format!("/{kind}/{item}/{word}"), json!(Why { why, name }))
}

/// Why a server did not do or say something.
enum Refused {
    /// It is too late, or not so.
    AsThingsAre,
    Otherwise(Failure),
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Failure {
        match refused {
            Refused::AsThingsAre => Failure::Failed("the server cannot do that as things are".to_owned()),
            Refused::Otherwise(failure) => failure,
        }
    }
}

/// Longer than a server takes for any answer.
const LIMIT: Duration = Duration::from_secs(15);

/// Between two looks at what a server does.
const PAUSE: Duration = Duration::from_millis(500);

/// The variable that names a server.
const VARIABLE: &str = "DOCKET_SERVER";

/// Who answers.
pub enum Source {
    /// In a box: it is much larger than the other.
    Database(Box<Here>),
    Server(Remote),
}

/// The database, and what is known beside it.
pub struct Here {
    pub database: Database,
    known: Known,
}

/// A server.
pub struct Remote {
    base: Base,
    client: Client,
    token: Option<SecretString>,
}

impl Source {
    /// Whether a server is to be asked.
    pub fn is_server(settings: &SettingsArgs) -> Result<bool, Failure> {
        named(settings).map(|url| url.is_some())
    }

    /// The server that `--server` or `DOCKET_SERVER` names, or the database.
    pub async fn open(settings: &SettingsArgs) -> Result<Source, Failure> {
        Source::open_with(settings, &settings.load()?).await
    }

    pub async fn open_with(settings: &SettingsArgs, config: &Config) -> Result<Source, Failure> {
        match named(settings)? {
            Some(url) => Remote::new(&url, config).map(Source::Server),
            None => {
                // Asked before this process opens it.
                let server = server(config).await?;
                let database = open(config).await?;
                let known = Known { server, ..known(config) };
                Ok(Source::Database(Box::new(Here { database, known })))
            }
        }
    }

    pub async fn ask<Q: Question>(&self, question: &Q) -> Result<Q::Answer, Failure> {
        match self {
            Source::Server(remote) => remote.ask(question).await,
            Source::Database(here) => {
                let known = Known { now: Clock::default().now(), ..here.known.clone() };
                let asked = question.clone();
                let read = move |connection: &mut Connection| asked.answer(connection, &known);
                here.database.read(read).await?.map_err(Failure::from)
            }
        }
    }

    /// As many rows of a list as are asked for, whether there are more, and the last page without its rows.
    pub async fn list<Q: Listed>(
        &self,
        mut question: Q,
        limit: u32,
    ) -> Result<(Vec<Q::Row>, bool, Q::Answer), Failure> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let room = limit.saturating_sub(u32::try_from(all.len()).unwrap_or(u32::MAX));
            question.go_on(after.take(), room.min(query::MOST));
            let mut page = self.ask(&question).await?;
            let (rows, next) = Q::take(&mut page);
            all.extend(rows);
            let is_full = all.len() >= limit as usize;
            if next.is_none() || is_full {
                return Ok((all, next.is_some(), page));
            }
            after = next;
        }
    }

    /// All numbers there are.
    pub async fn overview(&self) -> Result<OverviewView, Failure> {
        match self {
            Source::Server(remote) => Ok(remote.send(remote.client.get(remote.url("/overview")?)).await?),
            Source::Database(here) => Ok(Overview::read(&here.database, &here.known).await?),
        }
    }

    /// What a search finds. Beside the database this process asks OpenAI itself.
    pub async fn search(&self, asked: &Search, config: &Config) -> Result<Results, Failure> {
        match self {
            Source::Server(remote) => {
                Ok(remote.send(remote.client.get(remote.url("/search")?).query(asked)).await?)
            }
            Source::Database(here) => {
                let openai = app::openai_client(config).map_err(Failure::usage)?;
                let searcher = Searcher { database: here.database.clone(), openai };
                let found = searcher.find(asked, &here.known.rules, Clock::default().now()).await;
                found.map_err(|unanswered| match unanswered {
                    Unanswered::Wrong(wrong) => Failure::from(wrong),
                    Unanswered::Database(error) => Failure::from(error),
                    Unanswered::OpenAi { .. } => Failure::Failed(unanswered.to_string()),
                })
            }
        }
    }

    /// Does it to one. False when it cannot be done as things are.
    pub async fn can(&self, action: Action, item: &str, why: Why) -> Result<bool, Failure> {
        match self {
            Source::Server(remote) => {
                let (path, body) = order(action, item, why);
                match remote.post::<Done>(&path, &body).await {
                    Ok(_) => Ok(true),
                    Err(Refused::AsThingsAre) => Ok(false),
                    Err(Refused::Otherwise(failure)) => Err(failure),
                }
            }
            Source::Database(here) => {
                let deed = Deed { action, name: why.name, why: why.why };
                let now = Clock::default().now();
                let done = act::one(&here.database, (HERE, &[]), (deed, item.to_owned()), now).await?;
                Ok(done.is_ok())
            }
        }
    }

    /// Has something imported. Answers how far it is.
    pub async fn import(&self, order: &ImportOrder) -> Result<Row, Failure> {
        match self {
            Source::Server(remote) => remote.post("/imports", order).await.map_err(|refused| match refused {
                Refused::AsThingsAre => Failure::Failed(PLACE_IS_TAKEN.to_owned()),
                Refused::Otherwise(failure) => failure,
            }),
            Source::Database(here) => {
                let wish = order.wish(&here.known.rules).map_err(Failure::Usage)?;
                let (why, now) = (order.why.clone(), Clock::default().now());
                let import = move |tx: &mut Connection| act::import(tx, (HERE, why.as_deref()), &wish, now);
                here.database.write(import).await?.map_err(Failure::Failed)
            }
        }
    }

    /// Retries or discards all dead jobs. How many it were.
    pub async fn all_dead(&self, action: Action) -> Result<u64, Failure> {
        match self {
            Source::Server(remote) => {
                let word = if action == Action::DiscardJob { "discard" } else { "retry" };
                let done: Result<Done, Refused> =
                    remote.post(&format!("/jobs/{word}-dead"), &Why::default()).await;
                done.map(|done| done.number).map_err(Failure::from)
            }
            Source::Database(here) => {
                let deed = Deed { action, name: None, why: None };
                Ok(act::all_dead(&here.database, (HERE, deed), &Clock::default()).await?)
            }
        }
    }

    /// Has it done to all that are meant, and waits until that is done. To how many it was.
    pub async fn many(&self, order: BulkOrder) -> Result<u64, Failure> {
        let remote = match self {
            Source::Server(remote) => remote,
            Source::Database(here) => return here.many(order).await,
        };
        let preview: Preview = remote.post("/bulk/preview", &order).await?;
        if preview.number == 0 {
            return Ok(0);
        }
        let order = BulkOrder { number: Some(preview.number), ..order };
        let begun: Done = remote.post("/bulk", &order).await?;
        let mut progress = Progress::new("done", 0, Some(begun.number));
        let path = begun.about.replace(':', "/");
        loop {
            let BulkView { bulk, .. } = remote.send(remote.client.get(remote.url(&path)?)).await?;
            let settled = (bulk.done + bulk.left_as).unsigned_abs();
            progress.at(settled, "");
            if bulk.state != "running" {
                progress.end();
                return Ok(bulk.done.unsigned_abs());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// What a server says that running a rule again would take.
    pub async fn again(&self, again: &Again) -> Result<AgainView, Failure> {
        let remote = self.server()?;
        Ok(remote.send(remote.client.get(remote.url("/again")?).query(again)).await?)
    }

    fn server(&self) -> Result<&Remote, Failure> {
        match self {
            Source::Server(remote) => Ok(remote),
            Source::Database(_) => {
                Err(Failure::Usage("--server: name the server that is to do this".to_owned()))
            }
        }
    }

    pub async fn close(self) {
        if let Source::Database(here) = self {
            here.database.close().await;
        }
    }
}

impl From<Wrong> for Failure {
    fn from(wrong: Wrong) -> Failure {
        match wrong {
            Wrong::Nothing(words) => Failure::Failed(words),
            Wrong::Asked(words) => Failure::Usage(words),
        }
    }
}

impl Here {
    async fn many(&self, order: BulkOrder) -> Result<u64, Failure> {
        let BulkOrder { action, items, filter, why, name, .. } = order;
        let action = Action::parse(&action).expect("a command names an action there is");
        let (meant, clock) = (Meant { action, items, filter }, Clock::default());
        let (asked, now) = (meant.clone(), clock.now());
        let items = self.database.read(move |connection| asked.items(connection, now)).await?;
        let items = items.map_err(Failure::Usage)?;
        if items.len() > MOST as usize {
            return Err(Failure::Usage(too_many()));
        }
        if items.is_empty() {
            return Ok(0);
        }
        let (deed, rules) = (Deed { action, name, why }, self.known.rules.clone());
        let begin = move |tx: &mut Connection| meant.begin(tx, (HERE, &deed), (&items, &rules), now);
        let id = self.database.write(begin).await?;
        Ok(bulk::finish_here(&self.database, &clock, id).await?)
    }
}

/// What is known beside the database, but for who works on it.
pub fn known(config: &Config) -> Known {
    Known {
        about: config.about(),
        // What is wrong with them is said where they are needed.
        rules: config.rules().unwrap_or_default(),
        server: None,
        now: Clock::default().now(),
    }
}

/// The server that is to be asked, if one is named.
pub fn named(settings: &SettingsArgs) -> Result<Option<Url>, Failure> {
    let variable = || std::env::var(VARIABLE).ok().filter(|text| !text.trim().is_empty());
    let (text, from) = match &settings.server {
        Some(text) => (text.clone(), "--server"),
        None => match variable() {
            Some(text) => (text, VARIABLE),
            None => return Ok(None),
        },
    };
    let url = Url::parse(text.trim()).ok().filter(|url| url.has_host());
    let wrong = || {
        Failure::Usage(format!(
            "{from}: write the whole address of an operator listener, as in http://127.0.0.1:8081"
        ))
    };
    url.map(Some).ok_or_else(wrong)
}

impl Remote {
    pub fn new(url: &Url, config: &Config) -> Result<Remote, Failure> {
        let base = Base::new(url).map_err(|error| Failure::Usage(format!("--server: {error}")))?;
        let token = config.secrets.tokens.admin.clone().or_else(|| config.secrets.tokens.view.clone());
        if token.is_some() && url.scheme() != "https" && !stays_here(url) {
            return Err(Failure::Usage(
                "--server: the token would go over the network in clear text; begin with https://, or ask through a tunnel \
                 to this machine"
                    .to_owned(),
            ));
        }
        let client = http::client(&base).map_err(|failure| Failure::Failed(failure.detail))?;
        Ok(Remote { base, client, token })
    }

    async fn ask<Q: Question>(&self, question: &Q) -> Result<Q::Answer, Failure> {
        let request = self.client.get(self.url(&question.path())?).query(question);
        Ok(self.send(request).await?)
    }

    /// Has something done. `key` is one for this deed: told twice, it is done once.
    async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Refused> {
        let key = uuid::Uuid::now_v7().to_string();
        let url = self.url(path).map_err(Refused::Otherwise)?;
        let request = self.client.post(url).header("idempotency-key", key).json(body);
        self.send(request).await
    }

    /// Passes a message of the Model Context Protocol on, with what its headers have to say. `version` is what an older client agreed on.
    ///
    /// # Errors
    /// In words, why there is no answer.
    pub async fn tell(&self, call: &Call, line: &[u8], version: Option<&str>) -> Result<Value, String> {
        let url = self.base.join(&["mcp"]).map_err(|error| error.to_string())?;
        let mut request = self.client.post(url).header(CONTENT_TYPE, "application/json").body(line.to_vec());
        request =
            request.header(ACCEPT, "application/json, text/event-stream").header(mcp::METHOD, &call.method);
        if let Some(version) = call.version().or(version) {
            request = request.header(mcp::VERSION, version);
        }
        if let Some(name) = call.name() {
            request = request.header(mcp::NAME, mcp::encoded(name));
        }
        let words = |failure: Failure| failure.words().to_owned();
        let (status, text) = self.answer(request).await.map_err(words)?;
        match serde_json::from_str::<Value>(&text) {
            Ok(answered) if answered["jsonrpc"] == "2.0" => Ok(answered),
            _ => Err(match read::<Value>(status, &text) {
                Ok(_) => "what answered there is no Docket of this version".to_owned(),
                Err(failure) => failure.words().to_owned(),
            }),
        }
    }

    fn url(&self, path: &str) -> Result<Url, Failure> {
        let segments: Vec<&str> =
            ["api", "v1"].into_iter().chain(path.split('/').filter(|one| !one.is_empty())).collect();
        self.base.join(&segments).map_err(|error| Failure::Usage(error.to_string()))
    }

    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Refused> {
        let (status, text) = self.answer(request).await.map_err(Refused::Otherwise)?;
        if status == StatusCode::CONFLICT {
            return Err(Refused::AsThingsAre);
        }
        read(status, &text).map_err(Refused::Otherwise)
    }

    async fn answer(&self, request: RequestBuilder) -> Result<(StatusCode, String), Failure> {
        let request = match &self.token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        };
        let unanswered = |error: reqwest::Error| {
            let why = if error.is_connect() { "nothing listens there" } else { "no answer came" };
            Failure::Failed(format!(
                "the server cannot be asked: {why}; is it running, and is that its operator listener?"
            ))
        };
        let answer = request.timeout(LIMIT).send().await.map_err(unanswered)?;
        let status = answer.status();
        let text = answer.text().await.map_err(unanswered)?;
        Ok((status, text))
    }
}

/// What a server said, or why it did not.
fn read<T: DeserializeOwned>(status: StatusCode, text: &str) -> Result<T, Failure> {
    if status.is_success() {
        let other = |_| Failure::Failed("what answered there is no Docket of this version".to_owned());
        return serde_json::from_str(text).map_err(other);
    }
    let problem: Value = serde_json::from_str(text).unwrap_or_default();
    let detail = problem["detail"].as_str().unwrap_or("what answered there says no more").to_owned();
    Err(match status {
        StatusCode::NOT_FOUND => Failure::Failed(detail),
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Failure::Usage(detail),
        StatusCode::UNAUTHORIZED => Failure::Usage(
            "the server wants a token: set DOCKET_ADMIN_TOKEN, or for files and runs DOCKET_VIEW_TOKEN, to the server's"
                .to_owned(),
        ),
        status => Failure::Failed(format!("the server answered {status}: {detail}")),
    })
}
