//! Calls to other services, timed from outside: what is measured is what the work waited for.

use std::borrow::Cow;
use std::time::Instant;

use tracing::Span;

use super::Meters;
use super::trace;

/// What one client measures its calls with. Clones share it.
#[derive(Debug, Clone)]
pub struct Calls {
    service: &'static str,
    meters: Meters,
}

/// A call that goes on. Dropped before it has ended, it was not waited for.
#[derive(Debug)]
#[must_use = "a call that is dropped counts as left"]
pub struct Call {
    calls: Calls,
    what: &'static str,
    begun: Instant,
    span: Span,
    has_ended: bool,
}

impl Calls {
    /// Nobody reads what they are measured with, until [`Calls::told`] says otherwise.
    pub fn of(service: &'static str) -> Self {
        Calls { service, meters: Meters::default() }
    }

    pub fn told(&mut self, meters: &Meters) {
        self.meters = meters.clone();
    }

    /// Begins a call; `what` it is for, in words of ours.
    pub fn begin(&self, what: &'static str) -> Call {
        let span = trace::call(self.service, what);
        Call { calls: self.clone(), what, begun: Instant::now(), span, has_ended: false }
    }

    /// So many bytes of a file came from the service.
    pub fn downloaded(&self, bytes: usize) {
        self.moved("from", bytes as u64);
    }

    /// So many bytes of a file went to it.
    pub fn uploaded(&self, bytes: u64) {
        self.moved("to", bytes);
    }

    fn moved(&self, way: &'static str, bytes: u64) {
        let labels = [("service", Cow::Borrowed(self.service)), ("way", Cow::Borrowed(way))];
        self.meters.bytes.get_or_create(&labels).inc_by(bytes);
    }
}

impl Call {
    /// What the bytes are counted with that go with it.
    pub fn counted(&self) -> Calls {
        self.calls.clone()
    }

    /// It was answered with this status, or not at all.
    pub fn ended(mut self, status: Option<u16>) {
        self.end(status.map_or(Cow::Borrowed("none"), word));
        if let Some(status) = status {
            trace::answered(&self.span, status);
        }
    }

    fn end(&mut self, status: Cow<'static, str>) {
        self.has_ended = true;
        let Calls { service, meters } = &self.calls;
        let (service, what) = (Cow::Borrowed(*service), Cow::Borrowed(self.what));
        let took = self.begun.elapsed().as_secs_f64();
        meters.calls.get_or_create(&[("service", service.clone()), ("call", what.clone())]).observe(took);
        let labels = [("service", service), ("call", what), ("status", status)];
        meters.answers.get_or_create(&labels).inc();
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.has_ended {
            self.end(Cow::Borrowed("left"));
        }
    }
}

/// The statuses that mean something of their own here; the others by their class, so that no service makes the table grow.
fn word(status: u16) -> Cow<'static, str> {
    match status {
        200..=299 => Cow::Borrowed("2xx"),
        400 | 401 | 403 | 404 | 408 | 409 | 413 | 429 | 500 | 502 | 503 | 504 => {
            Cow::Owned(status.to_string())
        }
        300..=399 => Cow::Borrowed("3xx"),
        400..=499 => Cow::Borrowed("4xx"),
        _ => Cow::Borrowed("5xx"),
    }
}
