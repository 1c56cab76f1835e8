//! Serves HTTP/1 on an address, with the limits that stand between a stranger and the rest of the program. It knows no
//! route; the public and the operator listener bring theirs.
//!
//! `axum::serve` can set none of them, so the loop is ours: how many connections and whose ([`seats`]), how long and how
//! large a request's head may be, how long a sender may leave an answer unread, and how long a stop may take.
//!
//! A connection first waits for its head to come, which takes little but a place among many, and only then has one of the
//! seats where requests are served. When there is neither yet, it waits in the operating system's backlog, for tenths of a
//! second. Answering it 503 would need the very thing that has run out, and the sender would only come again.

pub mod files;
pub mod gate;
mod head;
mod panic;
mod peer;
pub mod problem;
mod seats;
mod stream;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::header::{CACHE_CONTROL, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use peer::{Known, Peer};
pub use seats::Visitor;
use seats::{Bounds, Seat, Seats};
use stream::Patient;

/// How long to wait after the operating system could not give us a connection (too many open files, as a rule).
const ACCEPT_TROUBLE: Duration = Duration::from_millis(200);

/// Connections that may wait to be accepted: what Linux grants at most unless told otherwise. Past it a sender's system
/// tries again by itself, but only after a second.
const BACKLOG: u32 = 4_096;

/// How many may be made to give way in a second where heads are waited for. With all of the backlog before it, a sender is
/// accepted within half a second.
const ARRIVALS_A_SECOND: u32 = 8_000;

/// The same where requests are served, which is ten times the work: fewer, so that who comes back again and again leaves
/// processor time to the others. With a waiting room full of requests before it, a sender has its place in two seconds.
const SERVED_A_SECOND: u32 = 4_000;

/// What a listener puts up with.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections served at once.
    pub connections: usize,
    /// Connections that may wait for their first request's head at once.
    pub waiting: usize,
    /// How long a request's head may take, and how long a connection may idle.
    pub header_time: Duration,
    pub header_bytes: usize,
    /// How long a request that nobody has vouched for keeps its connection, at least, when others want one.
    pub request_time: Duration,
    /// How long requests in hand may take to finish at a stop.
    pub stop_time: Duration,
}

/// Listens on `address`, with room for many who come at once.
///
/// # Errors
/// The operating system's, above all that the address is taken.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // As every server does: a restart need not wait for the last one's connections to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Has every answer of `router` say that it is of this moment and is what it says it is, and a panic answered as our
/// failure. `panicked` is told of each.
pub fn harden(router: Router, panicked: impl Fn() + Clone + Send + Sync + 'static) -> Router {
    let answer = move |panic: Box<dyn std::any::Any + Send>| {
        panicked();
        panic::answer(&*panic)
    };
    let always = |name, value| SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value));
    router
        .layer(CatchPanicLayer::custom(answer))
        .layer(always(CACHE_CONTROL, "no-store"))
        .layer(always(X_CONTENT_TYPE_OPTIONS, "nosniff"))
}

/// What a connection is served with.
struct Site {
    http: http1::Builder,
    router: Router,
    seats: Arc<Seats>,
    head_time: Duration,
    stop: CancellationToken,
}

/// Serves `router` on `listener` until `stop`, then finishes the requests in hand within the limit.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: CancellationToken) {
    let known = Arc::new(Known::default());
    let request_time = limits.request_time;
    let waiting = Bounds { places: limits.waiting, a_second: ARRIVALS_A_SECOND, request_time };
    let served = Bounds { places: limits.connections, a_second: SERVED_A_SECOND, request_time };
    let (places, seats) = (Seats::new(waiting, known.clone()), Seats::new(served, known));
    let site = Site { http: http(&limits), router, seats, head_time: limits.header_time, stop };
    let site = Arc::new(site);
    let mut connections = JoinSet::new();
    let mut arrived = None;
    loop {
        let next = tokio::select! {
            biased;
            () = site.stop.cancelled() => break,
            Some(ended) = connections.join_next() => {
                tell(ended);
                continue;
            }
            next = next(&listener, &places, &mut arrived) => next,
        };
        match next {
            Ok((stream, place)) => drop(connections.spawn(connection(site.clone(), stream, place))),
            // The peer went away before it was served: nothing of ours is wrong.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(error = %error, "cannot accept a connection; trying again");
                tokio::time::sleep(ACCEPT_TROUBLE).await;
            }
        }
    }
    drop((listener, arrived));
    let finish = async {
        while let Some(ended) = connections.join_next().await {
            tell(ended);
        }
    };
    if tokio::time::timeout(limits.stop_time, finish).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "stopped without waiting longer for open connections"
        );
    }
}

fn http(limits: &Limits) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .max_header_size(limits.header_bytes)
        .max_buf_size(limits.header_bytes)
        // A sender that closes its side after the request still gets its answer.
        .half_close(true);
    http
}

/// The next connection and its place to wait. One that has `arrived` and has none yet stays when this is dropped.
async fn next(
    listener: &TcpListener,
    places: &Arc<Seats>,
    arrived: &mut Option<(TcpStream, Peer)>,
) -> io::Result<(TcpStream, Seat)> {
    let peer = match arrived {
        Some((_, peer)) => *peer,
        None => {
            let (stream, address) = listener.accept().await?;
            // Answers are one small write each. A connection that cannot be told so is only slower.
            let _ = stream.set_nodelay(true);
            arrived.insert((stream, address.ip().into())).1
        }
    };
    let place = places.take(peer).await;
    let (stream, _) = arrived.take().expect("it arrived above");
    Ok((stream, place))
}

/// One connection, until it ends, has to give way, or the server stops.
async fn connection(site: Arc<Site>, stream: TcpStream, place: Seat) {
    let asks = async {
        let head = head::read(&stream).await?;
        let _asks = place.visitor().begin();
        io::Result::Ok((head, site.seats.take(place.visitor().peer()).await))
    };
    let begun = tokio::select! {
        begun = tokio::time::timeout(site.head_time, asks) => begun,
        () = place.gives_way() => return,
        () = site.stop.cancelled() => return,
    };
    drop(place);
    // Whoever hung up or said too little in time is owed no answer.
    if let Ok(Ok((head, seat))) = begun {
        // In a box of its own, so that a connection which only waits is small.
        Box::pin(serve_one(&site, Patient::new(head, stream), seat)).await;
    }
}

async fn serve_one(site: &Site, stream: Patient, seat: Seat) {
    let (visitor, router) = (seat.visitor(), TowerToHyperService::new(site.router.clone()));
    let service = service_fn(move |mut request: Request<Incoming>| {
        let in_hand = visitor.begin();
        request.extensions_mut().insert(visitor.clone());
        let answer = router.call(request);
        async move {
            let answer: Result<Response<_>, Infallible> = answer.await;
            drop(in_hand);
            answer
        }
    });
    let mut connection = std::pin::pin!(site.http.serve_connection(TokioIo::new(stream), service));
    let served = async {
        tokio::select! {
            result = connection.as_mut() => result,
            () = site.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    };
    tokio::select! {
        // A connection that fails is its sender's affair; what it delivered is counted by the handler.
        _ = served => {}
        () = seat.gives_way() => {}
    }
}

/// A connection that ended in a panic took nothing with it, but nobody else would tell of it.
fn tell(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && let Ok(panic) = error.try_into_panic()
    {
        tracing::error!(panic = panic::said(&*panic), "a connection ended in a panic");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const LIMITS: Limits = Limits {
        connections: 8,
        waiting: 8,
        header_time: Duration::from_secs(60),
        header_bytes: 16 * 1024,
        request_time: Duration::from_secs(60),
        stop_time: Duration::from_secs(1),
    };

    #[tokio::test]
    async fn a_request_that_panics_is_answered_and_the_next_one_on_its_connection_too() {
        let panics = Arc::new(AtomicU32::new(0));
        let counted = panics.clone();
        let router = Router::new()
            .route("/fails", get(async || -> &'static str { panic!("on purpose") }))
            .route("/works", get(async || "it works"));
        let router = harden(router, move || {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let stop = CancellationToken::new();
        let server = tokio::spawn(serve(listener, router, LIMITS, stop.clone()));
        let requests = "GET /fails HTTP/1.1\r\nhost: x\r\n\r\nGET /works HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        stream.write_all(requests.as_bytes()).await.unwrap();
        let mut answers = String::new();
        stream.read_to_string(&mut answers).await.unwrap();
        assert!(answers.starts_with("HTTP/1.1 503"), "{answers}");
        assert!(answers.contains("application/problem+json") && answers.contains("retry-after"), "{answers}");
        assert!(answers.contains("HTTP/1.1 200") && answers.ends_with("it works"), "{answers}");
        assert_eq!(answers.matches("x-content-type-options: nosniff").count(), 2);
        assert!(!answers.contains("on purpose"), "{answers}");
        assert_eq!(panics.load(Ordering::Relaxed), 1);
        stop.cancel();
        server.await.unwrap();
    }
}
