//! What was answered under a key. The answer is written down in the transaction that does what was asked: so it is done once.

use axum::http::StatusCode;
use sha2::{Digest, Sha256};

use crate::database::{Connection, Error, from_row, params, statements};
use crate::listen::problem::Problem;

/// How long a key is known: longer than any client tries again.
const KEPT_MS: i64 = 24 * 60 * 60 * 1000;

/// The longest key; a UUID has 36 characters.
const LONGEST: usize = 255;

/// Whether a client's key can be one.
pub fn is_usable(key: &str) -> bool {
    (1..=LONGEST).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
}

/// A key, whose it is, and what was asked under it.
pub struct Key {
    pub who: &'static str,
    pub key: String,
    pub asked: String,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    pub status: u16,
    /// JSON, or where it was refused the words.
    pub body: String,
    /// It is that of an earlier request.
    pub replayed: bool,
}

struct Kept {
    asked: String,
    status: u16,
    body: String,
}

from_row!(Kept { asked, status, body });

/// Names a request.
pub fn asked(action: &str, item: &str, body: &[u8]) -> String {
    let mut hash = Sha256::new();
    for part in [action.as_bytes(), item.as_bytes(), body] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex::encode(hash.finalize())
}

/// Does `work`, unless it was done under this key.
///
/// # Errors
/// The database's. The inner one is for a client whose key names something else already.
pub fn once(
    tx: &mut Connection,
    (key, now): (Option<&Key>, i64),
    work: impl FnOnce(&mut Connection) -> Result<Answered, Error>,
) -> Result<Result<Answered, Problem>, Error> {
    let Some(Key { who, key, asked }) = key else { return work(tx).map(Ok) };
    tx.run(FORGET, params![now - KEPT_MS])?;
    if let Some(kept) = tx.first::<Kept>(KEPT, params![who, key])? {
        if kept.asked != *asked {
            let detail = "this Idempotency-Key was used for something else";
            return Ok(Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)));
        }
        return Ok(Ok(Answered { status: kept.status, body: kept.body, replayed: true }));
    }
    let answered = work(tx)?;
    tx.run(KEEP, params![who, key, asked, answered.status, answered.body, now])?;
    Ok(Ok(answered))
}

statements! {
    KEPT = "SELECT asked, status, body FROM answer WHERE who = $1 AND key = $2";
    KEEP = "INSERT INTO answer (who, key, asked, status, body, at) VALUES ($1, $2, $3, $4, $5, $6)";
    FORGET = "DELETE FROM answer WHERE at < $1";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::in_memory;

    fn key(asked: &str) -> Key {
        Key { who: "admin token", key: "k".to_owned(), asked: asked.to_owned() }
    }

    #[test]
    fn what_was_done_under_a_key_is_done_once_and_a_key_names_one_thing() {
        let mut tx = in_memory();
        let mut times = 0;
        let mut tell = |asked: &str, now: i64| {
            let answered = once(&mut tx, (Some(&key(asked)), now), |_| {
                times += 1;
                Ok(Answered { status: 200, body: format!("{times}"), replayed: false })
            });
            answered.unwrap().map(|answered| (answered.body, answered.replayed))
        };
        assert_eq!(tell("a", 0), Ok(("1".to_owned(), false)));
        assert_eq!(tell("a", 1), Ok(("1".to_owned(), true)));
        assert!(tell("b", 1).is_err());
        assert_eq!(tell("b", KEPT_MS + 1), Ok(("2".to_owned(), false)), "a day later it is a new one");
        assert_ne!(asked("a", "bc", b""), asked("ab", "c", b""));
        assert!(
            is_usable("0192-a b") && !is_usable("") && !is_usable("a\nb") && !is_usable(&"x".repeat(256))
        );
    }
}
