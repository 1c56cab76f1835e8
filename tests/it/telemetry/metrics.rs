//! `/metrics` of a server that did something, held to what the documents and `deploy/` say of it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Watched;
use crate::documents::{root, rows, section};
use crate::harness::beside::again;

const OPERATIONS: &str = include_str!("../../../docs/operations.md");
const DASHBOARD: &str = include_str!("../../../deploy/grafana/docket.json");
const RULES: &str = include_str!("../../../deploy/prometheus/docket.rules.yaml");

/// The families in a page of metrics, by the names that stand in its `# TYPE` lines.
fn families(text: &str) -> BTreeSet<String> {
    let named = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    named.map(str::to_owned).collect()
}

/// The value of the sample whose name and labels are these.
fn sample(text: &str, series: &str) -> Option<f64> {
    let line =
        text.lines().find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')))?;
    line.rsplit(' ').next()?.parse().ok()
}

async fn scrape(watched: &Watched) -> String {
    let answer = reqwest::get(watched.listens.operate_url("/metrics")).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
    answer.text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_of_a_server_that_did_something_are_those_of_the_documents() {
    let mut watched = Watched::start(&[]).await;
    watched.analyses("a-request").await;
    // What is received is counted in memory, and written down now and then.
    let accepted = "docket_deliveries_total{outcome=\"accepted\",reason=\"\"}";
    let text =
        again(async || Some(scrape(&watched).await).filter(|text| sample(text, accepted).is_some())).await;
    for (series, value) in [
        (accepted, 1.0),
        ("docket_events_total{told=\"new\"}", 1.0),
        ("docket_acknowledgement_seconds_count", 1.0),
        ("docket_inbox_commits_total", 1.0),
        ("docket_remote_calls_total{service=\"openai\",call=\"starting a run\",status=\"2xx\"}", 1.0),
        ("docket_uploads_total", 1.0),
        ("docket_freshness_seconds{rule=\"liability\"}", 0.0),
        ("docket_oldest_change_seconds", 0.0),
        ("docket_runs{state=\"completed\"}", 1.0),
        ("docket_files{state=\"present\"}", 1.0),
        ("docket_causes_open{kind=\"outage\",service=\"openai\"}", 0.0),
        ("docket_needs_person", 0.0),
        ("docket_servers", 1.0),
    ] {
        assert_eq!(sample(&text, series), Some(value), "{series}\n{text}");
    }
    for (series, least) in [
        ("docket_transferred_bytes_total{service=\"fastio\",way=\"from\"}", 100.0),
        ("docket_transferred_bytes_total{service=\"openai\",way=\"to\"}", 100.0),
        ("docket_job_attempts_total{kind=\"file\",outcome=\"done\"}", 1.0),
        ("docket_limit_left{limit=\"uploads\"}", 900.0),
        ("docket_limit_left{limit=\"attaches\",rule=\"liability\"}", 290.0),
        ("docket_limit_left{limit=\"requests\",model=\"sandbox-rules\"}", 9_000.0),
        ("docket_limit_left{limit=\"tokens\",model=\"sandbox-rules\"}", 1_000_000.0),
        ("docket_run_tokens_day{rule=\"liability\",way=\"input\"}", 1.0),
        ("docket_database_wait_seconds_count{lane=\"write\"}", 1.0),
        ("process_resident_memory_bytes", 1_000_000.0),
    ] {
        assert!(sample(&text, series).is_some_and(|value| value >= least), "{series}\n{text}");
    }
    // The overview says the same in words.
    let overview = reqwest::get(watched.listens.operate_url("/")).await.unwrap().text().await.unwrap();
    for words in [
        "300 requests a minute that attach files to vs_",
        "requests a minute that OpenAI tells of sandbox-rules",
    ] {
        assert!(overview.contains(words), "no {words} in {overview}");
    }
    // No label holds what others chose, and no scrape makes the page grow.
    for private in ["secret-deal", "Contracts", "4829105738291047362", "a-request", "vs_"] {
        assert!(!text.contains(private), "{private} is in\n{text}");
    }
    assert!(text.len() < 60_000, "{} bytes", text.len());

    let documented: BTreeSet<String> = rows(section(OPERATIONS, "Metrics")).into_keys().collect();
    let found = families(&text);
    let unknown: Vec<_> = found.difference(&documented).collect();
    assert!(unknown.is_empty(), "docs/operations.md does not say what these are: {unknown:?}");
    // What needs more than one file to be counted.
    let rest: BTreeSet<&str> = documented.difference(&found).map(String::as_str).collect();
    assert_eq!(rest, BTreeSet::from(NOT_YET), "these are not there");
    watched.server.stop();
}

/// Families of which this server has no sample.
const NOT_YET: [&str; 7] = [
    "docket_feed",
    "docket_job_oldest_seconds",
    "docket_notifications_closed",
    "docket_notifications_waiting",
    "docket_sweep_age_seconds",
    "docket_sweep_stopped",
    "docket_uploads_avoided_total",
];

/// The names of metrics that stand in an expression, without what a histogram adds to them.
fn names(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c: char| !is_part(c)).filter(|word| word.starts_with("docket_"));
    let family = |word: &str| {
        let histogram = word
            .strip_suffix("_bucket")
            .or_else(|| word.strip_suffix("_count"))
            .or_else(|| word.strip_suffix("_sum"));
        histogram.unwrap_or(word).to_owned()
    };
    words.map(family).collect()
}

/// Every `expr` in a dashboard.
fn expressions(value: &Value) -> Vec<String> {
    match value {
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| match value {
                Value::String(text) if name == "expr" || name == "query" => vec![text.clone()],
                value => expressions(value),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(expressions).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn what_the_dashboard_and_the_alerts_ask_for_is_there_and_each_alert_has_its_paragraph() {
    let documented: BTreeSet<String> = rows(section(OPERATIONS, "Metrics")).into_keys().collect();
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let asked = expressions(&dashboard).iter().flat_map(|text| names(text)).collect::<BTreeSet<_>>();
    assert!(asked.len() > 10, "{asked:?}");
    let rules =
        RULES.lines().filter(|line| !line.trim_start().starts_with(['#', '-']) || line.contains("expr"));
    let alerts = names(&rules.collect::<Vec<_>>().join("\n"));
    assert!(alerts.len() > 5, "{alerts:?}");
    for name in asked.union(&alerts) {
        assert!(documented.contains(name), "{name} is no metric of docs/operations.md");
    }
    let anchors: BTreeSet<String> = OPERATIONS
        .lines()
        .filter_map(|line| line.strip_prefix("## ").or_else(|| line.strip_prefix("### ")))
        .map(|heading| {
            let kept = heading
                .to_lowercase()
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                .collect::<String>();
            kept.replace(' ', "-")
        })
        .collect();
    let alerts = RULES.matches("- alert: ").count();
    let links: Vec<&str> = RULES.lines().filter_map(|line| line.trim().strip_prefix("runbook: ")).collect();
    assert_eq!(links.len(), alerts, "an alert leads nowhere");
    for link in links {
        let (path, anchor) = link.split_once('#').unwrap();
        assert!(root().join(path).exists(), "{link}");
        assert!(anchors.contains(anchor), "{link} is no heading of docs/operations.md: {anchors:?}");
    }
}
