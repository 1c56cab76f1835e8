//! One trace from a webhook to what is written back.

use opentelemetry_proto::tonic::trace::v1::Span;

use super::Watched;
use super::collector::Collector;

const REQUEST: &str = "0198c1f6-5b7a-7cc3-8d3e-1f2a3b4c5d6e";

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_leads_from_the_webhook_to_what_is_written_back() {
    let (collector, url) = Collector::start().await;
    let environment = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-collector-key=for-the-collector"),
        ("OTEL_SERVICE_NAME", "docket-of-the-test"),
    ];
    let mut watched = Watched::start(&environment).await;
    watched.analyses(REQUEST).await;
    // What is left is sent before it ends.
    assert_eq!(tokio::task::block_in_place(|| watched.server.stop()), 0);

    let spans = collector.spans();
    let id = hex::decode(REQUEST.replace('-', "")).unwrap();
    let ours: Vec<&Span> = spans.iter().filter(|span| span.trace_id == id).collect();
    let named = |name: &str| -> &Span {
        let found = ours.iter().find(|span| span.name == name);
        found.unwrap_or_else(|| {
            panic!("no {name}: {:?}", spans.iter().map(|span| &span.name).collect::<Vec<_>>())
        })
    };
    let root = named("webhook");
    assert!(root.parent_span_id.is_empty());
    for (job, call) in [("job: file", "call: uploading a file"), ("job: run", "call: starting a run")] {
        let (job, call) = (named(job), named(call));
        assert_eq!(job.parent_span_id, root.span_id, "{job:?}");
        let jobs = ours.iter().filter(|span| span.name == job.name).map(|span| &span.span_id);
        assert!(jobs.into_iter().any(|id| *id == call.parent_span_id), "{call:?}");
        assert!(root.start_time_unix_nano <= job.start_time_unix_nano);
        assert!(call.start_time_unix_nano < call.end_time_unix_nano);
    }
    // The result went into Fastio in the same trace.
    let attribute = |span: &Span, value: &str| format!("{:?}", span.attributes).contains(value);
    let is_write = |span: &&&Span| span.name == "call: uploading a file" && attribute(span, "fastio");
    assert!(ours.iter().any(|span| is_write(&span)), "nothing is written back: {ours:#?}");

    let (sender, headers) = collector.sender();
    assert!(sender.contains("docket-of-the-test"), "{sender}");
    assert_eq!(headers["x-collector-key"], "for-the-collector");
    assert_eq!(headers["content-type"], "application/x-protobuf");
    // Neither a secret nor what a file is called.
    let everything = collector.everything();
    for secret in ["a-key-of-fastio", "a-key-of-openai", "secret-deal", "Contracts"] {
        assert!(!everything.contains(secret), "{secret} went to the collector");
    }
    let log = watched.server.err.rest();
    assert!(!log.contains("docket_trace") && !log.contains("for-the-collector"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_not_there_holds_up_nothing() {
    let mut watched = Watched::start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")]).await;
    watched.analyses(REQUEST).await;
    assert_eq!(tokio::task::block_in_place(|| watched.server.stop()), 0);
}
