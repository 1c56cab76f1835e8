//! What `docket serve` says of itself at its start: what it is, what it has, and what it will do. So that a reader of the
//! log knows which program worked by which settings on which database.

use url::Url;

use crate::config::{Config, permissions};
use crate::rule::Target;

/// Says it, as lines of the log. Where the settings cannot work the error says so, and nothing else.
pub fn introduce(config: &Config) {
    if config.usable().is_err() {
        return;
    }
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        process = std::process::id(),
        settings = config.path().map(|path| path.display().to_string()),
        database = config.database.shown().display().to_string(),
        fastio = host(&config.fastio.base_url),
        openai = host(&config.openai.base_url),
        "docket starts"
    );
    tell_of_dangers(config);
    for rule in &config.rules {
        let store = match &rule.vector_store {
            Target::Id(id) => id.to_string(),
            Target::Create { create } => format!("create {create}"),
        };
        let place = match (&rule.workspace, &rule.share) {
            (Some(id), _) => format!("workspace:{id}"),
            (None, Some(id)) => format!("share:{id}"),
            (None, None) => String::new(),
        };
        let run = rule.run.as_ref();
        tracing::info!(
            rule = rule.name,
            place,
            include = rule.include.join(", "),
            exclude = rule.exclude.join(", "),
            vector_store = store,
            runs = run.is_some(),
            model = run.and_then(|run| run.get("model")).and_then(toml::Value::as_str),
            "a rule"
        );
    }
    tracing::info!(
        webhooks = true,
        openai_webhooks = !config.secrets.openai_webhook.is_empty(),
        feed_of_org = config.feed.org_id,
        sweep_minutes = config.sweep.every_minutes,
        "how changes are learnt"
    );
}

fn tell_of_dangers(config: &Config) {
    for way in config.ways().iter().filter(|way| way.is_plain()) {
        tracing::warn!(
            host = host(way.url),
            "the key of {0} goes over the network in clear text, as {0}.allow_plain_http allows",
            way.section
        );
    }
    for finding in permissions::findings(config) {
        tracing::warn!("{finding}");
    }
}

/// Host and port: the rest of a URL may be secret.
fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or(host.to_owned(), |port| format!("{host}:{port}"))
}
