//! An answer of Fastio's, read once: who speaks in it, and whether it is a success.

use crate::http::reply::{Reply, Room};
use crate::http::{Head, Speaker};

use super::Error;
use super::envelope::{Envelope, Refusal};

/// An answer that came whole.
pub(super) struct Answer {
    pub head: Head,
    /// None where it is not a JSON object.
    pub envelope: Option<Envelope>,
    pub is_page: bool,
    room: Option<Room>,
}

/// An answer that is a success.
pub(super) struct Opened {
    pub head: Head,
    pub envelope: Envelope,
    _room: Option<Room>,
}

impl Answer {
    pub fn read(reply: Reply) -> Self {
        let (envelope, is_page) = (Envelope::open(&reply), reply.is_page());
        Answer { head: reply.head, envelope, is_page, room: reply.room }
    }

    /// What it says of an error, if it says that there is one.
    pub fn refusal(&self) -> Option<Refusal> {
        self.envelope.as_ref()?.refusal()
    }

    /// Who speaks. Fastio's answers say `result`, in whatever form; its official client met flat errors without it too.
    pub fn speaker(&self) -> Speaker {
        let Some(envelope) = self.envelope.as_ref().filter(|_| !self.is_page) else {
            return Speaker::Stranger;
        };
        if self.head.status.is_success() {
            return Speaker::Service;
        }
        let has = |name: &str| envelope.root().get(name).is_some();
        match envelope.refusal() {
            Some(refusal) if refusal.documented || refusal.reason.is_some() => Speaker::Service,
            _ if has("result") || has("error_id") || has("error_code") => Speaker::Likely,
            _ => Speaker::Stranger,
        }
    }

    /// The answer as one that is a success by its status and by its own words.
    pub fn accept(self, operation: &'static str) -> Result<Opened, Error> {
        if !self.head.status.is_success() || self.refusal().is_some() {
            return Err(Error::refused(operation, &self));
        }
        self.opened(operation)
    }

    /// The answer whatever it says.
    pub fn opened(self, operation: &'static str) -> Result<Opened, Error> {
        match self.envelope {
            Some(envelope) => Ok(Opened { head: self.head, envelope, _room: self.room }),
            None if self.is_page => Err(Error::page(operation, &self.head)),
            None => Err(Error::unreadable(operation, &self.head, "not a JSON object")),
        }
    }
}
