//! Takes a webhook where no server does, and says how it was signed and written. Nothing that comes is believed: it is looked
//! at, and thrown away.

use std::net::SocketAddr;

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Value;
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::assumption as a;
use super::finding::Book;
use super::{Patience, shape};
use crate::event::payload;
use crate::lenient;
use crate::receive::signature::{Policy, Verified, Verifier, standard};

/// A delivery is a few hundred bytes.
const MOST_BYTES: usize = 256 * 1024;

/// Deliveries that are kept to be looked at; more than the rehearsal causes.
const MOST: usize = 64;

/// Headers whose values tell nothing that is secret.
const PLAIN: [&str; 5] = ["accept", "accept-encoding", "content-length", "content-type", "user-agent"];

/// Something that was posted.
#[derive(Debug)]
pub struct Delivery {
    path: String,
    headers: HeaderMap,
    body: Bytes,
    /// When it came, in Unix milliseconds: it may be looked at much later.
    at: i64,
}

/// A delivery as it is reported: its form, and nothing that is in it.
#[derive(Debug, Clone, Serialize)]
pub struct Shown {
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Value,
}

/// Takes whatever is posted, until it is dropped.
pub struct Post {
    came: Receiver<Delivery>,
    _served: JoinSet<()>,
}

/// What signatures are checked by.
pub struct Secrets<'a> {
    pub list: &'a [SecretString],
    pub policy: &'a Policy,
}

impl Post {
    pub fn open(listener: TcpListener) -> Self {
        let (keep, came) = channel(MOST);
        let router = Router::new().fallback(take).with_state(keep);
        let mut served = JoinSet::new();
        served.spawn(async move {
            // It ends with the rehearsal; what goes wrong at one connection is that sender's.
            let _ = axum::serve(listener, router).await;
        });
        Post { came, _served: served }
    }

    /// The first delivery that is signed by one of `secrets`, or else the first of all; none when `patience` is over.
    async fn wait(&mut self, patience: Patience, secrets: &Secrets<'_>) -> Option<(Delivery, Signed)> {
        let mut deadline = Instant::now() + patience.for_a_webhook;
        let mut first = None;
        while let Ok(Some(delivery)) = timeout_at(deadline, self.came.recv()).await {
            let signed = signed(&delivery, secrets);
            match signed {
                Signed::As { .. } | Signed::UnknownSecret => return Some((delivery, signed)),
                Signed::Otherwise(_) => {
                    // It may be a stranger's; what Fastio sends comes soon after.
                    deadline = deadline.min(Instant::now() + patience.for_news);
                    first.get_or_insert((delivery, signed));
                }
            }
        }
        first
    }

    /// Waits for a delivery and notes what it tells.
    pub async fn judge(
        &mut self,
        book: &mut Book<'_>,
        patience: Patience,
        secrets: &Secrets<'_>,
    ) -> Option<Shown> {
        let Some((delivery, signed)) = self.wait(patience, secrets).await else {
            let why = format!("none came within {} seconds", patience.for_a_webhook.as_secs());
            book.unknown(&a::WEBHOOK_IS_SIGNED_AS_A_GUIDE_SAYS, why.clone());
            book.unknown(&a::WEBHOOK_NAMES_ITS_PLACE, why);
            return None;
        };
        match signed {
            Signed::As { by, header } => {
                let which = by.secret_index + 1;
                let seen =
                    format!("{}, by secret number {which} read {}", by.scheme.as_str(), by.key_form.as_str());
                let pin = format!("set receive.signature_scheme = \"{}\"", by.scheme.as_str());
                let follows = match header {
                    None => pin,
                    Some(header) => format!("{pin} and receive.timestamp_header = \"{header}\""),
                };
                book.note_so(&a::WEBHOOK_IS_SIGNED_AS_A_GUIDE_SAYS, true, (seen, follows));
            }
            Signed::Otherwise(how) => book.note(&a::WEBHOOK_IS_SIGNED_AS_A_GUIDE_SAYS, false, how),
            Signed::UnknownSecret => book.unknown(
                &a::WEBHOOK_IS_SIGNED_AS_A_GUIDE_SAYS,
                "FASTIO_WEBHOOK_SECRET is not set, so no signature can be checked",
            ),
        }
        judge_payload(book, &delivery.body);
        Some(shown(&delivery))
    }
}

async fn take(State(keep): State<Sender<Delivery>>, request: Request) -> StatusCode {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MOST_BYTES).await else { return StatusCode::PAYLOAD_TOO_LARGE };
    if parts.method != "POST" {
        return StatusCode::METHOD_NOT_ALLOWED;
    }
    let delivery =
        Delivery { path: parts.uri.path().to_owned(), headers: parts.headers, body, at: super::now() };
    // With more than can be looked at, one that is dropped is no loss.
    let _ = keep.try_send(delivery);
    StatusCode::ACCEPTED
}

enum Signed {
    /// As Docket takes it in; `header` where the time stands in a header that the settings do not name.
    As {
        by: Verified,
        header: Option<HeaderName>,
    },
    Otherwise(String),
    UnknownSecret,
}

fn signed(delivery: &Delivery, secrets: &Secrets<'_>) -> Signed {
    if secrets.list.is_empty() {
        return Signed::UnknownSecret;
    }
    let Delivery { headers, body, at, .. } = delivery;
    let verify = |policy: Policy| {
        let verifier = Verifier::new(secrets.list, policy).map_err(|error| error.to_string())?;
        verifier.verify(headers, body, *at).map_err(|why| why.as_str().to_owned())
    };
    let why = match verify(secrets.policy.clone()) {
        Ok(signed) => return Signed::As { by: signed.by, header: None },
        Err(why) => why,
    };
    // Only a guess at its name is known: any header that holds a time may be it.
    for (name, value) in headers {
        let is_time =
            value.to_str().is_ok_and(|text| text.len() >= 10 && text.bytes().all(|b| b.is_ascii_digit()));
        if is_time
            && let Ok(signed) = verify(Policy { timestamp_header: name.clone(), ..secrets.policy.clone() })
        {
            return Signed::As { by: signed.by, header: Some(name.clone()) };
        }
    }
    let standard = standard::Verifier::new(secrets.list, secrets.policy.tolerance_seconds);
    if standard.is_ok_and(|verifier| verifier.verify(headers, body, *at).is_ok()) {
        return Signed::Otherwise(
            "signed by Standard Webhooks (webhook-id, webhook-timestamp, webhook-signature)".to_owned(),
        );
    }
    if let Some(name) = signs_body_alone(headers, body, secrets.list) {
        return Signed::Otherwise(format!("the body alone is signed, without a time, in {name}"));
    }
    Signed::Otherwise(format!("no reading of the headers fits a secret: {why}"))
}

/// The header that holds a plain HMAC of the body.
fn signs_body_alone<'h>(
    headers: &'h HeaderMap,
    body: &[u8],
    secrets: &[SecretString],
) -> Option<&'h HeaderName> {
    use base64::Engine;
    let signs = |text: &str| {
        let text = text.rsplit_once("sha256=").map_or(text, |(_, text)| text);
        let bytes = hex::decode(text).ok();
        let bytes = bytes.or_else(|| base64::engine::general_purpose::STANDARD.decode(text).ok());
        let Some(bytes) = bytes else { return false };
        secrets.iter().any(|secret| {
            let key = secret.expose_secret().as_bytes();
            let mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
            mac.chain_update(body).verify_slice(&bytes).is_ok()
        })
    };
    headers.iter().find(|(_, value)| value.to_str().is_ok_and(signs)).map(|(name, _)| name)
}

fn judge_payload(book: &mut Book<'_>, body: &[u8]) {
    let events = match payload::parse(body) {
        Ok(events) => events,
        Err(error) => return book.note(&a::WEBHOOK_NAMES_ITS_PLACE, false, error.to_string()),
    };
    let whole = events.iter().filter(|parsed| {
        let event = &parsed.event;
        event.profile.is_some() && !event.name.is_empty() && !event.has_made_id()
    });
    let whole = whole.count();
    let names: Vec<&str> = events.iter().map(|parsed| parsed.event.name.as_str()).collect();
    let seen = format!("{whole} of {} events name all three: {}", events.len(), names.join(", "));
    book.note(&a::WEBHOOK_NAMES_ITS_PLACE, whole == events.len(), seen);
}

fn shown(delivery: &Delivery) -> Shown {
    let headers = delivery.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let is_plain = PLAIN.contains(&name.as_str());
        (name.to_string(), if is_plain { value } else { shape::masked(&value) })
    });
    let body =
        lenient::parse(&delivery.body).map_or_else(|_| Value::from("not JSON"), |body| shape::of(&body));
    Shown { path: shape::path(&delivery.path), headers: headers.collect(), body }
}

/// Where it listens, for the words to a person.
pub fn address(listener: &TcpListener) -> Option<SocketAddr> {
    listener.local_addr().ok()
}
