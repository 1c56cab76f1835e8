//! The server of a stand-in: takes connections, writes the journal, applies the faults that concern any request, and can
//! reset the connection at any point of a request or a reply, which no handler of a web framework can.
//!
//! A cut is an `Err` from the service: hyper then drops the connection, and the server closes the socket with a reset
//! instead of an orderly end. It knows nothing of Fastio or OpenAI.

mod cut;

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::Core;
use super::faults::{Asked, FaultHit, FaultKind};
use super::journal::{RequestEnd, Trace};
use super::leftover::Leftover;
use super::rewrite;
use cut::{CUT_AFTER_BYTES, cut_short, end_early};

/// How long connections may finish what they are answering after the stop; the tests' and the demo's patience.
const GRACE: Duration = Duration::from_secs(1);

/// Latency that is not told how long.
const LATENCY: Duration = Duration::from_secs(1);

/// A held request or reply that is not told how long: longer than any client waits.
const HELD: Duration = Duration::from_secs(3_600);

/// `Retry-After` of a 429 that is not told how long: the least a whole number of seconds can say.
const RETRY_AFTER_SECONDS: u64 = 1;

/// How long the listener rests after it could not accept, for instance for lack of descriptors.
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// One stand-in, ready to be served.
#[derive(Debug, Clone)]
pub struct Service {
    pub core: Core,
    /// The real paths.
    pub api: Router,
    /// The paths under `/_sandbox/`, besides those of [`super::control`].
    pub control: Router,
    /// How this service words a refusal.
    pub refuse: fn(&FaultRefusal) -> Response<Body>,
    /// Adds the headers that this service sends with every reply.
    pub stamp: fn(&Stamp, &mut HeaderMap),
}

/// A fault's refusal, to be put in the service's own words.
#[derive(Debug, Clone)]
pub struct FaultRefusal {
    pub kind: FaultKind,
    pub status: StatusCode,
    pub message: Option<String>,
    pub code: Option<String>,
    pub param: Option<String>,
    /// When there is room again, if the fault says so.
    pub reset: Option<String>,
    pub method: String,
    pub path: String,
}

/// What [`Service::stamp`] may want to know.
#[derive(Debug, Clone, Copy)]
pub struct Stamp {
    pub seq: u64,
    pub elapsed_ms: u64,
    pub status: StatusCode,
}

/// Put into a response's extensions by a handler whose body is a file's content: truncated and wrong-length faults are
/// for these alone.
#[derive(Debug, Clone, Copy)]
pub struct Download;

/// Put into a response's extensions when nothing is answered any more on its connection, and it does not say so: as a server
/// leaves it that failed behind its answer.
#[derive(Debug, Clone, Copy)]
pub struct LastReply;

/// The connection is to be reset.
#[derive(Debug, thiserror::Error)]
#[error("a fault cuts this connection")]
struct Cut;

/// Serves until `stop`, then lets connections finish for a moment.
pub async fn serve(listener: TcpListener, service: Service, stop: CancellationToken) {
    let control = super::control::router(&service.core).merge(service.control.clone());
    let injector = Arc::new(FaultInjector { service, control });
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                connections.spawn(connection(Arc::clone(&injector), stream, stop.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "the sandbox could not accept a connection");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
    drop(listener);
    // What is unfinished by then is dropped with the set.
    let _ = tokio::time::timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
}

async fn connection(injector: Arc<FaultInjector>, stream: TcpStream, stop: CancellationToken) {
    // Small replies at once: a stand-in that waits to fill packets makes every client look slow.
    let _ = stream.set_nodelay(true);
    let (reset, spent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let answer = service_fn(|request: Request<hyper::body::Incoming>| {
        let (injector, reset, spent) = (Arc::clone(&injector), Arc::clone(&reset), Arc::clone(&spent));
        Box::pin(async move {
            if spent.load(Ordering::Relaxed) {
                reset.store(true, Ordering::Relaxed);
                return Err(Cut);
            }
            let answered = injector.answer(request.map(Body::new), reset).await;
            let last = answered.as_ref().is_ok_and(|reply| reply.extensions().get::<LastReply>().is_some());
            spent.store(last, Ordering::Relaxed);
            answered
        })
    });
    let mut connection =
        http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), answer);
    {
        let mut stopping = pin!(stop.cancelled());
        let mut asked = false;
        let _ = poll_fn(|context| {
            if !asked && stopping.as_mut().poll(context).is_ready() {
                asked = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            connection.poll_without_shutdown(context)
        })
        .await;
    }
    let mut stream = connection.into_parts().io.into_inner();
    if reset.load(Ordering::Relaxed) {
        let _ = stream.set_zero_linger();
    } else {
        let _ = tokio::io::AsyncWriteExt::shutdown(&mut stream).await;
    }
}

/// How the names of headers begin that a reply is to be without.
#[derive(Clone)]
struct Dropped(Vec<String>);

struct FaultInjector {
    service: Service,
    control: Router,
}

impl FaultInjector {
    async fn answer(&self, request: Request<Body>, reset: Arc<AtomicBool>) -> Result<Response<Body>, Cut> {
        if request.uri().path().starts_with("/_sandbox/") {
            let (request, unread) = Leftover::of(request);
            let response = call(&self.control, request).await;
            unread.read().await;
            return Ok(response);
        }
        let (head, body) = request.into_parts();
        let trace = Trace::begin(&self.service.core, &head);
        let answered = self.pass(Request::from_parts(head, body), &trace, &reset).await;
        match answered {
            Ok(mut response) => {
                let status = response.status();
                let stamp = Stamp { seq: trace.seq(), elapsed_ms: trace.elapsed_ms(), status };
                (self.service.stamp)(&stamp, response.headers_mut());
                if let Some(Dropped(names)) = response.extensions_mut().remove() {
                    let is_dropped = |name: &str| names.iter().any(|dropped| name.starts_with(dropped));
                    let headers = response.headers_mut();
                    let gone: Vec<_> =
                        headers.keys().filter(|name| is_dropped(name.as_str())).cloned().collect();
                    gone.into_iter().for_each(|name| drop(headers.remove(name)));
                }
                trace.end(RequestEnd::Status(response.status().as_u16()));
                Ok(response)
            }
            Err(Cut) => {
                reset.store(true, Ordering::Relaxed);
                trace.end(RequestEnd::Reset);
                Err(Cut)
            }
        }
    }

    async fn pass(
        &self,
        request: Request<Body>,
        trace: &Trace,
        reset: &Arc<AtomicBool>,
    ) -> Result<Response<Body>, Cut> {
        let mut request = recorded(request, trace);
        let (mut after, mut changes, mut dropped) = (None, Vec::new(), Vec::new());
        let faults = &self.service.core.faults;
        let body = if faults.want_body(trace.method(), trace.path()) {
            Some(whole(&mut request).await)
        } else {
            None
        };
        let asked = Asked { method: trace.method(), path: trace.path(), body: body.as_deref() };
        for hit in faults.general_hits(&asked) {
            trace.struck(&hit);
            match hit.kind {
                FaultKind::Latency => tokio::time::sleep(hit.delay_or(LATENCY)).await,
                FaultKind::LostReply | FaultKind::HeldReply | FaultKind::ResetDuringReply => {
                    after = Some(hit)
                }
                FaultKind::ChangedReply => changes.push(hit),
                FaultKind::HeadersDropped => dropped.extend(hit.details.find),
                FaultKind::ResetBeforeBody => return Err(Cut),
                FaultKind::ResetDuringBody => {
                    let half = content_length(request.headers()).map(|length| length / 2);
                    let limit = hit.details.after_bytes.or(half).unwrap_or(CUT_AFTER_BYTES);
                    read_up_to(request.body_mut(), limit).await;
                    return Err(Cut);
                }
                FaultKind::ResetAfterBody => {
                    read_up_to(request.body_mut(), u64::MAX).await;
                    return Err(Cut);
                }
                FaultKind::HeldRequest => {
                    read_up_to(request.body_mut(), u64::MAX).await;
                    self.service.core.faults.hold(&hit);
                    tokio::time::sleep(hit.delay_or(HELD)).await;
                    return Err(Cut);
                }
                _ => {
                    // A real service's front end takes the body in before it refuses.
                    read_up_to(request.body_mut(), u64::MAX).await;
                    return Ok(self.refusal(&hit, trace));
                }
            }
        }
        request.extensions_mut().insert(trace.clone());
        let (request, unread) = Leftover::of(request);
        let mut response = changed(call(&self.service.api, request).await, &changes).await;
        if !dropped.is_empty() {
            response.extensions_mut().insert(Dropped(dropped));
        }
        unread.read().await;
        match after {
            Some(hit) if hit.kind == FaultKind::LostReply => Err(Cut),
            Some(hit) if hit.kind == FaultKind::HeldReply => {
                trace.end(RequestEnd::Status(response.status().as_u16()));
                self.service.core.faults.hold(&hit);
                tokio::time::sleep(hit.delay_or(HELD)).await;
                Ok(response)
            }
            Some(hit) => Ok(cut_short(response, &hit, Some(Arc::clone(reset)))),
            None => Ok(spoil_download(response, trace)),
        }
    }

    fn refusal(&self, hit: &FaultHit, trace: &Trace) -> Response<Body> {
        let told = hit.details.status.and_then(|status| StatusCode::from_u16(status).ok());
        if let Some(body) = &hit.details.body {
            let status = match hit.kind {
                FaultKind::NotFound => StatusCode::NOT_FOUND,
                FaultKind::Refusal => told.unwrap_or(StatusCode::BAD_REQUEST),
                _ => StatusCode::OK,
            };
            return json(status, body.replace("{n}", &hit.number.to_string()));
        }
        let status = match hit.kind {
            FaultKind::RateLimit | FaultKind::InsufficientQuota => StatusCode::TOO_MANY_REQUESTS,
            FaultKind::Unauthorized => StatusCode::UNAUTHORIZED,
            FaultKind::Forbidden => StatusCode::FORBIDDEN,
            FaultKind::NotFound => return html(StatusCode::NOT_FOUND),
            FaultKind::Refusal => told.unwrap_or(StatusCode::BAD_REQUEST),
            _ => told.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        };
        let mut response = if hit.details.html == Some(true) {
            html(status)
        } else {
            (self.service.refuse)(&FaultRefusal {
                kind: hit.kind,
                status,
                message: hit.details.message.clone(),
                code: hit.details.code.clone(),
                param: hit.details.param.clone(),
                reset: hit.details.reset.clone(),
                method: trace.method().to_owned(),
                path: trace.path().to_owned(),
            })
        };
        let unsaid = hit.kind == FaultKind::RateLimit && hit.details.reset.is_none();
        let wait = hit.details.retry_after_seconds.or_else(|| unsaid.then_some(RETRY_AFTER_SECONDS));
        if let Some(seconds) = wait {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// What a proxy in front of a service answers when the service does not.
fn html(status: StatusCode) -> Response<Body> {
    let reason = status.canonical_reason().unwrap_or("Error");
    let page = format!(
        "<html>\r\n<head><title>{0} {reason}</title></head>\r\n<body>\r\n<center><h1>{0} {reason}</h1></center>\r\n\
         <hr><center>sandbox</center>\r\n</body>\r\n</html>\r\n",
        status.as_u16()
    );
    let mut response = Response::new(Body::from(page));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response
}

fn json(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The reply with what `changes` put into its body.
async fn changed(response: Response<Body>, changes: &[FaultHit]) -> Response<Body> {
    if changes.is_empty() {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let whole = rewrite::whole(body).await;
    let text = changes.iter().fold(String::from_utf8_lossy(&whole).into_owned(), |text, hit| {
        let (find, put) = (hit.details.find.as_deref(), hit.details.put.as_deref());
        text.replace(find.unwrap_or_default(), put.unwrap_or_default())
    });
    head.headers.remove(CONTENT_LENGTH);
    Response::from_parts(head, Body::from(text))
}

async fn call(router: &Router, request: Request<Body>) -> Response<Body> {
    match router.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => {
            let never: Infallible = never;
            match never {}
        }
    }
}

/// The request with a body that tells the journal what passes.
fn recorded(request: Request<Body>, trace: &Trace) -> Request<Body> {
    let trace = trace.clone();
    request.map(|body| {
        Body::new(body.map_frame(move |frame| {
            frame.data_ref().into_iter().for_each(|data| trace.body_arrived(data));
            frame
        }))
    })
}

/// The body, which the request keeps.
async fn whole(request: &mut Request<Body>) -> Bytes {
    let body = std::mem::take(request.body_mut());
    let whole = rewrite::whole(body).await;
    *request.body_mut() = Body::from(whole.clone());
    whole
}

async fn read_up_to(body: &mut Body, limit: u64) {
    let mut read = 0;
    while read < limit {
        match body.frame().await {
            Some(Ok(frame)) => read += frame.data_ref().map_or(0, |data| data.len() as u64),
            Some(Err(_)) | None => return,
        }
    }
}

fn spoil_download(response: Response<Body>, trace: &Trace) -> Response<Body> {
    if response.extensions().get::<Download>().is_none() || !response.status().is_success() {
        return response;
    }
    if let Some(hit) = trace.hit(FaultKind::TruncatedDownload) {
        return cut_short(response, &hit, None);
    }
    match trace.hit(FaultKind::WrongLength) {
        Some(hit) => end_early(response, &hit),
        None => response,
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
