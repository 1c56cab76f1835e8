//! Spans for a collector of traces, over OTLP. Off unless `OTEL_EXPORTER_OTLP_ENDPOINT` names one.
//!
//! A trace is all that was done for one request: its id *is* the request's, which rows and log lines have too, so nothing else has to be
//! carried from a webhook to what is written back, through the inbox, the queue and restarts. A webhook's span is the root, and its id
//! follows from the request's as well, so that each job finds it as its parent without having met it.
//!
//! The spans are tracing's, with a target of their own: the log never shows them, and where nobody collects they are never made. The
//! exporter has a thread of its own, which sends what has gathered; where the collector does not take it, spans are dropped and nothing
//! waits.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue, Value};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor};
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use tracing::field::{Empty, Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Span, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;
use uuid::Uuid;

/// What tells these spans from the log's.
pub const TARGET: &str = "docket_trace";

/// How long a collector may take, and how long a stop waits for what is left.
const COLLECTOR_LIMIT: Duration = Duration::from_secs(10);
const LAST_WORDS: Duration = Duration::from_secs(3);

/// A request that brings a webhook: the root of a trace.
pub fn webhook(request_id: &str) -> Span {
    tracing::trace_span!(target: TARGET, "webhook", request.id = request_id, kind = "server", status = Empty)
}

/// A job in hand, for the request with this id if there is one.
pub fn job(request_id: Option<&str>, job: &str, attempt: u16) -> Span {
    let attempt = u64::from(attempt);
    match request_id {
        Some(id) => {
            tracing::trace_span!(target: TARGET, "job", what = job, of = id, kind = "consumer", attempt, outcome = Empty)
        }
        None => {
            tracing::trace_span!(target: TARGET, "job", what = job, kind = "consumer", attempt, outcome = Empty)
        }
    }
}

/// A call to another service.
pub(super) fn call(service: &'static str, what: &'static str) -> Span {
    tracing::trace_span!(target: TARGET, "call", what, service, kind = "client", status = Empty)
}

/// How a webhook or a call was answered.
pub fn answered(span: &Span, status: u16) {
    span.record("status", u64::from(status));
}

/// How a job ended.
pub fn settled(span: &Span, outcome: &'static str) {
    span.record("outcome", outcome);
}

/// Whether a span or an event is one of these.
pub fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.target() == TARGET
}

/// Why traces cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "traces: what OTEL_EXPORTER_OTLP_* say cannot be used: write an address such as http://127.0.0.1:4318"
    )]
    Unusable,
    #[error("traces: no connection can be set up: {0}")]
    Client(#[from] reqwest::Error),
}

/// Hands spans to the exporter. A layer of the subscriber.
#[derive(Debug)]
pub struct Spans {
    processor: Arc<BatchSpanProcessor>,
    scope: InstrumentationScope,
    part: f64,
}

/// What is left is sent when this is dropped.
#[derive(Debug)]
#[must_use = "what is left is sent when it is dropped"]
pub struct Export(Arc<BatchSpanProcessor>);

impl Drop for Export {
    fn drop(&mut self) {
        // Waits on this thread, and the runtime has others that send meanwhile.
        let _ = tokio::task::block_in_place(|| self.0.shutdown_with_timeout(LAST_WORDS));
    }
}

/// Where traces go, as `variable` says; `None` where nobody collects them.
///
/// # Errors
/// An address that cannot be one.
pub fn start(variable: impl Fn(&str) -> Option<String>) -> Result<Option<(Spans, Export)>, Error> {
    let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
    let is_named = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
    let is_off = set("OTEL_SDK_DISABLED").is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
        || set("OTEL_TRACES_EXPORTER").is_some_and(|value| value.trim() == "none");
    if is_off || !is_named.into_iter().any(|name| set(name).is_some()) {
        return Ok(None);
    }
    let http = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(COLLECTOR_LIMIT)
        .build()?;
    let sender = Sender { http, runtime: Handle::current() };
    // It reads the other variables of the standard itself: headers, a limit, compression.
    let exporter = SpanExporter::builder().with_http().with_http_client(sender).build();
    let mut resource =
        Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    if set("OTEL_SERVICE_NAME").is_none() {
        resource = resource.with_service_name("docket");
    }
    let mut processor = BatchSpanProcessor::builder(exporter.map_err(|_| Error::Unusable)?).build();
    processor.set_resource(&resource.build());
    let processor = Arc::new(processor);
    let scope = InstrumentationScope::builder("docket").with_version(env!("CARGO_PKG_VERSION")).build();
    let part = part(set("OTEL_TRACES_SAMPLER").as_deref(), set("OTEL_TRACES_SAMPLER_ARG").as_deref());
    Ok(Some((Spans { processor: processor.clone(), scope, part }, Export(processor))))
}

/// The part of all traces that is sent, by the standard's names.
fn part(sampler: Option<&str>, argument: Option<&str>) -> f64 {
    let sampler = sampler.unwrap_or_default();
    match sampler.strip_prefix("parentbased_").unwrap_or(sampler) {
        "always_off" => 0.0,
        "traceidratio" => {
            argument.and_then(|part| part.trim().parse::<f64>().ok()).map_or(1.0, |part| part.clamp(0.0, 1.0))
        }
        _ => 1.0,
    }
}

/// The exporter's way out: it works on a thread without a runtime, and the connections are this one's.
#[derive(Debug)]
struct Sender {
    http: reqwest::Client,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = reqwest::Request::try_from(request)?;
        let http = self.http.clone();
        let sent = self.runtime.spawn(async move {
            let answer = http.execute(request).await.map_err(reqwest::Error::without_url)?;
            let status = answer.status();
            Ok::<_, reqwest::Error>((status, answer.bytes().await.map_err(reqwest::Error::without_url)?))
        });
        let (status, body) = sent.await??;
        Ok(Response::builder().status(status).body(body)?)
    }
}

/// A span that goes on.
struct Open {
    context: SpanContext,
    parent: SpanId,
    begun: SystemTime,
    fields: Fields,
}

#[derive(Default)]
struct Fields {
    /// Whose root this is, and in whose trace it is.
    root_of: Option<String>,
    of: Option<String>,
    kind: Option<SpanKind>,
    what: Option<String>,
    failed: Option<String>,
    attributes: Vec<KeyValue>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        let text = || value.as_str().into_owned();
        match field.name() {
            "request.id" => self.root_of = Some(text()),
            "of" => self.of = Some(text()),
            "what" => self.what = Some(text()),
            "kind" => {
                self.kind = Some(match &*value.as_str() {
                    "server" => SpanKind::Server,
                    "consumer" => SpanKind::Consumer,
                    _ => SpanKind::Client,
                });
            }
            "status" => {
                if let Value::I64(status @ 400..) = value {
                    self.failed = Some(format!("answered with {status}"));
                }
                self.attributes.push(KeyValue::new("http.response.status_code", value));
            }
            "service" => self.attributes.push(KeyValue::new("peer.service", value)),
            "attempt" => self.attributes.push(KeyValue::new("docket.attempt", value)),
            "outcome" => {
                if !matches!(&*value.as_str(), "done" | "later" | "limited" | "waits" | "given_back") {
                    self.failed = Some(text());
                }
                self.attributes.push(KeyValue::new("docket.outcome", value));
            }
            _ => {}
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.to_owned().into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, i64::try_from(value).unwrap_or(i64::MAX).into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }
}

/// A request's trace: its id where that is a UUID, as ours are, and else what is made of it.
fn trace_of(request_id: &str) -> TraceId {
    match Uuid::try_parse(request_id) {
        Ok(id) if !id.is_nil() => TraceId::from_bytes(id.into_bytes()),
        _ => {
            let hash = Sha256::digest(request_id.as_bytes());
            TraceId::from_bytes(hash[..16].try_into().expect("a SHA-256 has 32 bytes"))
        }
    }
}

/// The span of the request itself.
fn root_of(request_id: &str) -> SpanId {
    let hash = Sha256::new().chain_update(b"root ").chain_update(request_id.as_bytes()).finalize();
    SpanId::from_bytes(hash[..8].try_into().expect("a SHA-256 has 32 bytes"))
}

fn random_span() -> SpanId {
    SpanId::from_bytes(fastrand::u64(1..).to_be_bytes())
}

impl Spans {
    /// Whether a trace is sent. All servers decide alike, by the end of its id, which is random.
    fn takes(&self, trace: TraceId) -> bool {
        let [.., a, b, c, d] = trace.to_bytes();
        f64::from(u32::from_be_bytes([a, b, c, d])) < self.part * (f64::from(u32::MAX) + 1.0)
    }

    fn open(&self, fields: Fields, above: Option<(SpanContext, SpanId)>) -> Open {
        let (trace, parent, id) = match (&fields.root_of, &fields.of, above) {
            (Some(request), ..) => (trace_of(request), SpanId::INVALID, root_of(request)),
            (None, _, Some((context, _))) => (context.trace_id(), context.span_id(), random_span()),
            (None, Some(request), None) => (trace_of(request), root_of(request), random_span()),
            (None, None, None) => {
                (TraceId::from_bytes(fastrand::u128(1..).to_be_bytes()), SpanId::INVALID, random_span())
            }
        };
        let flags = if self.takes(trace) { TraceFlags::SAMPLED } else { TraceFlags::default() };
        let context = SpanContext::new(trace, id, flags, false, TraceState::default());
        Open { context, parent, begun: SystemTime::now(), fields }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let above = span.scope().skip(1).find_map(|above| {
            above.extensions().get::<Open>().map(|open| (open.context.clone(), open.parent))
        });
        let open = self.open(fields, above);
        span.extensions_mut().insert(open);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(open) = span.extensions_mut().get_mut::<Open>() {
            values.record(&mut open.fields);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(open) = span.extensions_mut().remove::<Open>() else { return };
        if !open.context.is_sampled() {
            return;
        }
        let Fields { what, kind, failed, attributes, .. } = open.fields;
        let name = match what {
            Some(what) => Cow::Owned(format!("{}: {what}", span.name())),
            None => Cow::Borrowed(span.name()),
        };
        self.processor.on_end(SpanData {
            span_context: open.context,
            parent_span_id: open.parent,
            parent_span_is_remote: false,
            span_kind: kind.unwrap_or(SpanKind::Internal),
            name,
            start_time: open.begun,
            end_time: SystemTime::now(),
            attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: failed.map_or(Status::Unset, Status::error),
            instrumentation_scope: self.scope.clone(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_the_trace_that_its_id_names_wherever_it_is_asked() {
        let id = "0198c1f6-5b7a-7cc3-8d3e-1f2a3b4c5d6e";
        assert_eq!(trace_of(id).to_string(), id.replace('-', ""));
        let foreign = trace_of("Root=1-67891233-abcdef012345678912345678");
        assert_eq!(foreign, trace_of("Root=1-67891233-abcdef012345678912345678"));
        assert_ne!(foreign, trace_of("Root=1-67891233-abcdef012345678912345679"));
        assert_ne!(root_of(id), root_of("another"));
        // Nil means no trace.
        assert_ne!(trace_of(&Uuid::nil().to_string()), TraceId::INVALID);
    }

    #[test]
    fn the_part_that_is_sent_is_said_by_the_standards_names() {
        assert_eq!(part(None, None), 1.0);
        assert_eq!(part(Some("always_off"), None), 0.0);
        assert_eq!(part(Some("parentbased_traceidratio"), Some("0.25")), 0.25);
        assert_eq!(part(Some("traceidratio"), Some("much")), 1.0);
        assert_eq!(part(Some("parentbased_always_on"), Some("0.25")), 1.0);
    }

    #[test]
    fn nobody_collects_unless_an_address_is_named() {
        let start = |pairs: &[(&str, &str)]| {
            let named =
                |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            start(named).unwrap().is_some()
        };
        assert!(!start(&[]));
        assert!(!start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]));
        assert!(!start(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"),
            ("OTEL_SDK_DISABLED", "true")
        ]));
        assert!(!start(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"),
            ("OTEL_TRACES_EXPORTER", "none")
        ]));
    }
}
