//! The first contact with the live services: what Docket takes for true of them without having it from a document that can be
//! relied on is tried, in a small life of its own, with what it makes removed again.
//!
//! [`assumption`] is the list. `fastio` and `openai` play the two halves of the life with the very clients that a server uses,
//! while a witness looks on at how each answer is worded; `webhook` takes one in; `finding` is what was found, and `report`
//! what can be sent to others: forms and no contents. It knows no settings and no database.

pub mod assumption;
mod fastio;
mod finding;
mod made;
mod openai;
mod report;
mod shape;
mod webhook;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::fastio::Profile;
use crate::receive::signature::Policy;

pub use fastio::ADDRESS;
pub use finding::{Answer, Finding, Tell};
pub use made::{MARK, Made, Removed};
pub use openai::{MAX_INPUT_TOKENS, MAX_OUTPUT_TOKENS, RUNS};
pub use report::Report;
pub use webhook::{Shown, address};

use finding::Book;

/// Calls to both services, at most: what a whole life takes three times over, mostly looks at what is not done yet.
pub const MOST_CALLS: usize = 600;

/// Between looks at what takes long.
const RAREST_LOOK: Duration = Duration::from_secs(10);

/// How long what was made at one service may take to be removed.
const CLEANING: Duration = Duration::from_secs(90);

/// How long something may take, and between two looks at it.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    pub between_looks: Duration,
    /// For what is told or undone elsewhere: the change feed (about ten seconds, by Fastio's reference), a search.
    pub for_news: Duration,
    /// Also for a file's text to be read out of it.
    pub for_indexing: Duration,
    /// Also for an answer of Fastio's AI, and for an import.
    pub for_a_run: Duration,
    pub for_a_webhook: Duration,
    /// For a batch to end that was cancelled, whose answers are to go with it. OpenAI's OpenAPI document says up to ten minutes; one of
    /// a single line that was not begun with has nothing to wait for.
    pub for_cancelling: Duration,
    /// For all of it together.
    pub in_all: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience {
            between_looks: Duration::from_secs(1),
            for_news: Duration::from_secs(30),
            for_indexing: Duration::from_secs(120),
            for_a_run: Duration::from_secs(180),
            for_a_webhook: Duration::from_secs(60),
            for_cancelling: Duration::from_secs(60),
            in_all: Duration::from_secs(900),
        }
    }
}

impl Patience {
    /// How long to wait for the next look at what began then: each look is a call, so they become rarer.
    fn next_look(&self, began: Instant) -> Duration {
        (began.elapsed() / 4).clamp(self.between_looks, self.between_looks.max(RAREST_LOOK))
    }
}

/// What is played, and with whom.
pub struct Plan {
    pub fastio: crate::fastio::Client,
    /// Where the folder is made.
    pub profile: Profile,
    pub org: Option<String>,
    /// Whether Fastio's AI is asked one question.
    pub asks: bool,
    pub openai: crate::openai::Client,
    /// None: nothing is run.
    pub model: Option<String>,
    /// None: no webhook is waited for.
    pub listener: Option<TcpListener>,
    pub secrets: Vec<SecretString>,
    pub policy: Policy,
    pub patience: Patience,
}

/// Plays it, and removes what it made, also when `stop` is cancelled meanwhile. `tell` hears of each finding as it is made.
pub async fn play(mut plan: Plan, tell: Tell<'_>, stop: CancellationToken) -> Report {
    let began = now();
    // By chance, so that nobody's folder has this name.
    let mark = format!("{MARK}{:08x}", fastrand::u32(..));
    let mut book = Book::new(tell);
    let (mut made, mut used) = (Made::default(), openai::Used::default());
    // Open before anything happens of which a webhook could tell.
    let post = plan.listener.take().map(webhook::Post::open);
    let witness = book.witness.clone();
    let life = live(&plan, (&mark, began, post), (&mut book, &mut made, &mut used));
    let (why, webhook) = tokio::select! {
        done = timeout(plan.patience.in_all, witness.watch(life)) => match done {
            Ok((why, webhook)) => (why, webhook),
            Err(_) => (format!("not tried: {} seconds were over", plan.patience.in_all.as_secs()), None),
        },
        () = stop.cancelled() => ("not tried: it was stopped".to_owned(), None),
        () = too_many(&witness) => (format!("not tried: {MOST_CALLS} calls were made"), None),
    };
    let mut removed = Removed::default();
    clean_up(&plan, &mut made, &mark, &mut removed).await;
    let (findings, witness) = book.close(&why);
    Report::of((&plan, began, now()), (findings, &witness.seen()), webhook, (removed, used.tokens))
}

/// Removes what earlier rehearsals left, by its name.
pub async fn clean(plan: &Plan) -> Removed {
    let mut removed = Removed::default();
    clean_up(plan, &mut Made::default(), MARK, &mut removed).await;
    removed
}

/// Both lives, one after the other; answers why what was not tried was not, and the webhook that came.
async fn live(
    plan: &Plan,
    (mark, began, post): (&str, i64, Option<webhook::Post>),
    (book, made, used): (&mut Book<'_>, &mut Made, &mut openai::Used),
) -> (String, Option<Shown>) {
    let Plan { patience, .. } = *plan;
    let at_fastio = fastio::Stage {
        client: &plan.fastio,
        profile: &plan.profile,
        org: plan.org.as_deref(),
        mark,
        patience,
        asks: plan.asks,
        began,
    };
    let mut why = Vec::new();
    if let Err(error) = at_fastio.play(book, made).await {
        why.push(error.to_string());
    }
    let at_openai = openai::Stage { client: &plan.openai, model: plan.model.as_deref(), mark, patience };
    if let Err(error) = at_openai.play(book, made, used).await {
        why.push(error.to_string());
    }
    let webhook = match post {
        None => {
            for one in [&assumption::WEBHOOK_IS_SIGNED_AS_A_GUIDE_SAYS, &assumption::WEBHOOK_NAMES_ITS_PLACE]
            {
                book.unknown(one, "no webhook was waited for; --listen ADDRESS does that");
            }
            None
        }
        Some(mut post) => {
            let secrets = webhook::Secrets { list: &plan.secrets, policy: &plan.policy };
            post.judge(book, patience, &secrets).await
        }
    };
    let why = match why.is_empty() {
        true => "not tried".to_owned(),
        false => format!("not tried: {}", why.join("; ")),
    };
    (why, webhook)
}

/// Resolves when more calls were made than there may be.
async fn too_many(witness: &crate::http::witness::Witness) {
    while witness.count() <= MOST_CALLS {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// At each of both, whatever became of the other.
async fn clean_up(plan: &Plan, made: &mut Made, mark: &str, removed: &mut Removed) {
    let at_fastio = (&plan.fastio, &plan.profile);
    let cleaning = async {
        made.find_at_fastio(at_fastio, mark, removed).await;
        made.remove_at_fastio(at_fastio, removed).await;
    };
    if timeout(CLEANING, cleaning).await.is_err() {
        removed.left.push(late("Fastio"));
    }
    let cleaning = async {
        made.find_at_openai(&plan.openai, mark, removed).await;
        made.remove_at_openai((&plan.openai, plan.patience), removed).await;
    };
    if timeout(CLEANING, cleaning).await.is_err() {
        removed.left.push(late("OpenAI"));
    }
}

fn late(service: &str) -> String {
    format!(
        "what is called {MARK}… at {service}, which took too long: docket rehearse --clean looks for it once more"
    )
}

/// Unix milliseconds, by the machine's clock: others' times are compared with it.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
