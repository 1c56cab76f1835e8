//! A way by TCP whose end can be moved and which can be cut: the balancer before the servers, and the address behind which PostgreSQL
//! stands, whichever of its servers that is.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

pub struct Way {
    port: u16,
    shared: Arc<Shared>,
    _open: DropGuard,
}

#[derive(Default)]
struct Shared {
    /// Ports that connections are passed to in turn.
    ends: Mutex<Vec<u16>>,
    next: AtomicUsize,
    /// Cancelled when what goes this way now is cut off.
    cut: Mutex<CancellationToken>,
}

impl Way {
    /// One that leads nowhere yet: who comes is turned away.
    pub async fn open() -> std::io::Result<Way> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (shared, open) = (Arc::<Shared>::default(), CancellationToken::new());
        let accepted = accept(listener, shared.clone());
        tokio::spawn(open.clone().run_until_cancelled_owned(accepted));
        Ok(Way { port, shared, _open: open.drop_guard() })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Leads new connections to these ports, and ends all others.
    pub fn lead(&self, ends: Vec<u16>) {
        *self.shared.ends.lock().expect("nothing panics while it holds the ends") = ends;
        self.cut();
    }

    /// Ends every connection.
    pub fn cut(&self) {
        let mut cut = self.shared.cut.lock().expect("nothing panics while it cuts");
        std::mem::take(&mut *cut).cancel();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let cut = shared.cut.lock().expect("nothing panics while it cuts").clone();
        tokio::spawn(cut.run_until_cancelled_owned(pass(stream, shared.clone())));
    }
}

/// Passes a connection on to the next end that takes it. Where none does it is closed, and whoever came has to come again.
async fn pass(mut from: TcpStream, shared: Arc<Shared>) {
    let ends = shared.ends.lock().expect("nothing panics while it holds the ends").clone();
    let first = shared.next.fetch_add(1, Ordering::Relaxed);
    for turn in 0..ends.len() {
        let port = ends[(first + turn) % ends.len()];
        if let Ok(mut to) = TcpStream::connect(("127.0.0.1", port)).await {
            let small = from.set_nodelay(true).and(to.set_nodelay(true));
            // However it ends, both sides are told.
            let _ = (small, copy_bidirectional(&mut from, &mut to).await);
            return;
        }
    }
}
