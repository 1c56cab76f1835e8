//! Which connections the calls use: kept ones, until the server turns out to close a connection behind its answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Error;
use crate::http::{self, Base, Failure};

/// The status with which OGX says what is not there.
const ABSENT_STATUS: u16 = 400;

/// Clones share everything.
#[derive(Clone)]
pub(super) struct Connections {
    kept: reqwest::Client,
    fresh: reqwest::Client,
    /// Seen once, it holds until the program ends: a connection for each call costs little on such a server.
    closes: Arc<AtomicBool>,
}

impl Connections {
    pub fn new(base: &Base) -> Result<Connections, Failure> {
        let (kept, fresh) = (http::client(base)?, http::client_without_pool(base)?);
        Ok(Connections { kept, fresh, closes: Arc::default() })
    }

    pub fn http(&self) -> &reqwest::Client {
        if self.closes.load(Ordering::Relaxed) { &self.fresh } else { &self.kept }
    }

    /// Looks at how a call was refused. A server that says 400 for what is not there has failed inside (OGX 1.5 raises an
    /// exception for it), and closes the connection when the answer is out, without announcing it. Whatever is sent on it
    /// next is lost; and what follows the question for an absent file is the same call at each attempt, so that no attempt
    /// would ever come further.
    pub fn refused(&self, error: &Error) {
        if error.status == Some(ABSENT_STATUS) && error.is_not_found() {
            self.closes.store(true, Ordering::Relaxed);
        }
    }
}
