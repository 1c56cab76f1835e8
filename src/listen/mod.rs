//! Serves HTTP/1 on an address, with the limits that stand between a stranger and the rest of the program. It knows no
//! route; the public and the operator listener bring theirs.
//!
//! `axum::serve` can set none of them, so the loop is ours: how many connections and whose ([`seats`]), how long and how
//! large a request's head may be, how long a sender may leave an answer unread, and how long a stop may take. What stands
//! around the routes is tower's ([`layers`]).
//!
//! A connection first waits for its head to come, which takes little but a place among many, and only then has one of the
//! seats where requests are served. When there is neither yet, it waits in the operating system's backlog, for tenths of a
//! second. Answering it 503 would need the very thing that has run out, and the sender would only come again.

pub mod files;
pub mod gate;
mod head;
mod layers;
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
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use layers::id_of;
use peer::{KnownPeers, Peer};
pub use seats::Visitor;
use seats::{Bounds, Seat, Seats};
use stream::LingeringStream;

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
    /// How long a request that is not proven keeps its connection, at least, when others want one.
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

/// What happens at a listener that no answer shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incident {
    /// The code that worked on a request panicked.
    Panicked,
    /// A sender closed its connection, or at least its side of it, before the answer to its request was written.
    HungUp,
}

/// Is told of each incident.
pub type Tell = Arc<dyn Fn(Incident) + Send + Sync>;

/// What a listener offers.
pub struct Offer {
    pub router: Router,
    pub limits: Limits,
    pub tell: Tell,
}

/// What a connection is served with.
struct Site {
    http: http1::Builder,
    router: Router,
    seats: Arc<Seats>,
    head_time: Duration,
    tell: Tell,
    stop: CancellationToken,
}

/// Serves what is offered on `listener` until `stop`, then finishes the requests in hand within the limit.
pub async fn serve(listener: TcpListener, offer: Offer, stop: CancellationToken) {
    let Offer { router, limits, tell } = offer;
    let router = layers::around(router, tell.clone());
    let known = Arc::new(KnownPeers::default());
    let request_time = limits.request_time;
    let waiting = Bounds { places: limits.waiting, a_second: ARRIVALS_A_SECOND, request_time };
    let served = Bounds { places: limits.connections, a_second: SERVED_A_SECOND, request_time };
    let (places, seats) = (Seats::new(waiting, known.clone()), Seats::new(served, known));
    let site = Site { http: http(&limits), router, seats, head_time: limits.header_time, tell, stop };
    let (site, graceful) = (Arc::new(site), GracefulShutdown::new());
    let mut connections = JoinSet::new();
    let mut arrived = None;
    loop {
        let next = tokio::select! {
            biased;
            () = site.stop.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            next = next(&listener, &places, &mut arrived) => next,
        };
        match next {
            Ok((stream, place)) => {
                connections.spawn(connection(site.clone(), stream, place, graceful.watcher()));
            }
            // The peer went away before it was served: nothing of ours is wrong.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(error = %error, "cannot accept a connection; trying again");
                tokio::time::sleep(ACCEPT_TROUBLE).await;
            }
        }
    }
    drop((listener, arrived));
    let finished = tokio::time::timeout(limits.stop_time, graceful.shutdown()).await;
    while connections.try_join_next().is_some() {}
    if finished.is_err() {
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
async fn connection(site: Arc<Site>, stream: TcpStream, place: Seat, watcher: Watcher) {
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
    // A client that hung up or sent too little in time is owed no answer.
    if let Ok(Ok((head, seat))) = begun {
        // In a box of its own, so that a connection which only waits is small.
        let stream = LingeringStream::new(head, stream, site.tell.clone());
        Box::pin(serve_one(&site, stream, seat, watcher)).await;
    }
}

async fn serve_one(site: &Site, stream: LingeringStream, seat: Seat, watcher: Watcher) {
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
    let connection = site.http.serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // A connection that fails is its sender's affair; what it delivered is counted by the handler.
        _ = watcher.watch(connection) => {}
        () = seat.gives_way() => {}
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::{Notify, mpsc};
    use tokio::task::JoinHandle;

    use super::*;

    const LIMITS: Limits = Limits {
        connections: 8,
        waiting: 8,
        header_time: Duration::from_secs(60),
        header_bytes: 16 * 1024,
        request_time: Duration::from_secs(60),
        stop_time: Duration::from_secs(1),
    };

    /// A server of `router`, what it tells of, and what stops it.
    struct Running {
        address: SocketAddr,
        told: mpsc::UnboundedReceiver<Incident>,
        stop: CancellationToken,
        server: JoinHandle<()>,
    }

    impl Running {
        fn start(router: Router) -> Running {
            let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
            let address = listener.local_addr().unwrap();
            let (teller, told) = mpsc::unbounded_channel();
            let tell: Tell = Arc::new(move |incident| teller.send(incident).unwrap());
            let stop = CancellationToken::new();
            let server = tokio::spawn(serve(listener, Offer { router, limits: LIMITS, tell }, stop.clone()));
            Running { address, told, stop, server }
        }

        async fn send(&self, requests: &str) -> TcpStream {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            stream.write_all(requests.as_bytes()).await.unwrap();
            stream
        }

        /// What is answered until the server hangs up.
        async fn answers(&self, requests: &str) -> String {
            let (mut stream, mut answers) = (self.send(requests).await, String::new());
            stream.read_to_string(&mut answers).await.unwrap();
            answers
        }

        /// What was told and has not been looked at yet.
        async fn stop(mut self) -> Vec<Incident> {
            self.stop.cancel();
            self.server.await.unwrap();
            std::iter::from_fn(|| self.told.try_recv().ok()).collect()
        }
    }

    #[tokio::test]
    async fn a_request_that_panics_is_answered_and_the_next_one_on_its_connection_too() {
        let router = Router::new()
            .route("/fails", get(async || -> &'static str { panic!("on purpose") }))
            .route("/works", get(async || "it works"));
        let running = Running::start(router);
        let requests = "GET /fails HTTP/1.1\r\nhost: x\r\n\r\nGET /works HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        let answers = running.answers(requests).await;
        assert!(answers.starts_with("HTTP/1.1 503"), "{answers}");
        assert!(answers.contains("application/problem+json") && answers.contains("retry-after"), "{answers}");
        assert!(answers.contains("HTTP/1.1 200") && answers.ends_with("it works"), "{answers}");
        for header in ["x-content-type-options: nosniff", "cache-control: no-store", "x-request-id: "] {
            assert_eq!(answers.matches(header).count(), 2, "{header}");
        }
        assert!(!answers.contains("on purpose"), "{answers}");
        assert_eq!(running.stop().await, [Incident::Panicked]);
    }

    #[tokio::test]
    async fn a_request_has_one_id_the_senders_if_it_is_one_and_else_ours() {
        let echo = async |request: axum::extract::Request| {
            let id = id_of(request.extensions()).to_owned();
            assert_eq!(request.headers()["x-request-id"], id);
            id
        };
        let running = Running::start(Router::new().route("/", get(echo)));
        let ask = async |line: &str| {
            let request = format!("GET / HTTP/1.1\r\nhost: x\r\n{line}connection: close\r\n\r\n");
            let answer = running.answers(&request).await;
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("x-request-id: {body}")), "{answer}");
            body.to_owned()
        };
        assert_eq!(ask("x-request-id: from-the-sender\r\n").await, "from-the-sender");
        let of_ours = [
            String::new(),
            format!("x-request-id: {}\r\n", "x".repeat(500)),
            "x-request-id: one\r\nx-request-id: another\r\n".to_owned(),
        ];
        for line in of_ours {
            let id: uuid::Uuid = ask(&line).await.parse().unwrap();
            assert_eq!(id.get_version_num(), 7);
        }
        assert!(running.stop().await.is_empty());
    }

    #[tokio::test]
    async fn a_sender_that_hangs_up_before_its_answer_is_told_of_and_nobody_else_is() {
        let (go_on, begun) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (release, wait) = (go_on.clone(), begun.clone());
        let router = Router::new()
            .route(
                "/slow",
                get(async move || {
                    begun.notify_one();
                    go_on.notified().await;
                    "at last"
                }),
            )
            .route("/release", get(async move || release.notify_one()));
        let mut running = Running::start(router);
        let last = "GET /release HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        for reset in [false, true] {
            let stream = running.send("GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
            wait.notified().await;
            if reset {
                stream.set_zero_linger().unwrap();
            }
            drop(stream);
            // By then the server knows, because the operating system tells it in the order in which things happen.
            assert!(running.answers(last).await.starts_with("HTTP/1.1 200"));
            assert_eq!(running.told.recv().await, Some(Incident::HungUp));
        }
        assert!(running.stop().await.is_empty(), "who waited for the answer did not hang up");
    }
}
