//! Deliveries, signed before they are needed.
//!
//! All of them have the same length, and differ in an event, a file and the signature over both. So what is kept of each is
//! its signature, and the request is put together by copying when it is sent: a million take 44 MB, and putting one together
//! takes a tenth of a microsecond.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

pub const PATH: &str = "/webhooks/fastio";
pub const SECRET: &str = "whsec_dGVzdC1zZWNyZXQtMTIzNDU2Nzg5MA==";

/// Base64 of 32 bytes.
const SIGNATURE: usize = 44;
const NO_SIGNATURE: &str = "--------------------------------------------";

/// Digits of a delivery's number.
const DIGITS: usize = 10;

pub struct Deliveries {
    head: Vec<u8>,
    signature_at: usize,
    body: Body,
    signatures: Vec<[u8; SIGNATURE]>,
}

/// The flat event of Fastio's guide, with the places of what differs.
#[derive(Clone)]
struct Body {
    bytes: Vec<u8>,
    event_at: Option<usize>,
    file_at: Option<usize>,
    /// What a number is multiplied with before it is written.
    step: usize,
}

impl Deliveries {
    /// Signs `count` deliveries as of now. Each is about a file of its own in `workspace`; `name` begins their events' ids,
    /// and no two sets may share one.
    pub fn sign(name: &str, workspace: &str, count: usize) -> Deliveries {
        Deliveries::signed(Body::numbered(name, workspace), count)
    }

    /// The same, but the ids of their events and files lie all over among those that are there, and not beside each other.
    pub fn spread(name: &str, workspace: &str, count: usize) -> Deliveries {
        /// Shares no factor with ten, so that no two numbers become one.
        const STEP: usize = 7_236_067_977;
        Deliveries::signed(Body { step: STEP, ..Body::numbered(name, workspace) }, count)
    }

    fn signed(body: Body, count: usize) -> Deliveries {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        let head = format!(
            "POST {PATH} HTTP/1.1\r\nhost: localhost\r\nuser-agent: Fastio-Webhooks/1.0\r\n\
             content-type: application/json\r\nfastio-signature: t={now},v1={NO_SIGNATURE}\r\n\
             content-length: {}\r\n\r\n",
            body.bytes.len()
        );
        let signature_at = head.find(NO_SIGNATURE).expect("it was written above");
        let mut keyed = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key of any length");
        keyed.update(format!("{now}.").as_bytes());
        let mut next = body.clone();
        let signatures = (0..count).map(|number| {
            next.number(number);
            let mut mac = keyed.clone();
            mac.update(&next.bytes);
            let mut signature = [0; SIGNATURE];
            let written = STANDARD.encode_slice(mac.finalize().into_bytes(), &mut signature);
            assert_eq!(written, Ok(SIGNATURE), "32 bytes are 44 letters");
            signature
        });
        Deliveries { head: head.into_bytes(), signature_at, signatures: signatures.collect(), body }
    }

    /// One delivery, about a file that is there.
    pub fn about(event: &str, workspace: &str, node: &str) -> Deliveries {
        Deliveries::signed(Body::of(event, workspace, node), 1)
    }

    pub fn len(&self) -> usize {
        self.signatures.len()
    }

    /// How long a body is.
    pub fn body_bytes(&self) -> usize {
        self.body.bytes.len()
    }

    /// Puts the request of one delivery into `request`, whatever was in it.
    pub fn write(&self, number: usize, request: &mut Vec<u8>) {
        request.clear();
        request.extend_from_slice(&self.head);
        request[self.signature_at..][..SIGNATURE].copy_from_slice(&self.signatures[number]);
        let body = request.len();
        request.extend_from_slice(&self.body.bytes);
        for at in [self.body.event_at, self.body.file_at].into_iter().flatten() {
            put(&mut request[body + at..], number.wrapping_mul(self.body.step));
        }
    }
}

impl Body {
    /// Its event and its file have numbers, which are yet to be written.
    fn numbered(name: &str, workspace: &str) -> Body {
        let zeros = "0".repeat(DIGITS);
        let (event, file) = (format!("{name}_{zeros}"), format!("2benc-hmark-files-{zeros}"));
        let body = Body::of(&event, workspace, &file);
        let text = String::from_utf8_lossy(&body.bytes);
        let at = |id: &str| Some(text.find(id).expect("it was written above") + id.len() - DIGITS);
        Body { event_at: at(&event), file_at: at(&file), ..body.clone() }
    }

    fn of(event: &str, workspace: &str, file: &str) -> Body {
        let body = format!(
            r#"{{"event_id":"{event}","event":"workspace_storage_file_updated","created":"2026-11-26 17:00:00 UTC","workspace_id":"{workspace}","object_id":"{file}"}}"#
        );
        Body { event_at: None, file_at: None, step: 1, bytes: body.into_bytes() }
    }

    fn number(&mut self, number: usize) {
        for at in [self.event_at, self.file_at].into_iter().flatten() {
            put(&mut self.bytes[at..], number.wrapping_mul(self.step));
        }
    }
}

/// Writes `number` over the digits at the beginning of `text`.
fn put(text: &mut [u8], mut number: usize) {
    for digit in text[..DIGITS].iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// The number of the delivery whose event has this id, if it is one of `name`'s.
pub fn number(name: &str, event_id: &str) -> Option<usize> {
    event_id.strip_prefix(name)?.strip_prefix('_')?.parse().ok()
}

/// Writes down that the delivery whose event has this id is there, if it is one of `name`'s.
pub fn keep(kept: &mut [bool], name: &str, event_id: &str) {
    if let Some(kept) = number(name, event_id).and_then(|number| kept.get_mut(number)) {
        *kept = true;
    }
}
