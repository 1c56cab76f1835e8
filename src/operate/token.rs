//! The tokens of the operator listener: which ones are taken, whether one is right, the sessions that browsers get for one,
//! and the brake on guessing.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use tokio::sync::Mutex;
use tokio::time::sleep;

/// A token of this many random bytes cannot be guessed, at whatever pace.
const LEAST_BYTES: usize = 16;

/// Fewer different characters than this in so long a text are not random. Of random hexadecimal digits ten are usual.
const LEAST_DIFFERENT: usize = 5;

/// What stands in examples, in guides and at the head of every guesser's list, without its punctuation.
const PLACEHOLDERS: [&str; 14] = [
    "changeme",
    "replaceme",
    "yourtoken",
    "mytoken",
    "docketadmintoken",
    "secrettoken",
    "placeholder",
    "example",
    "password",
    "letmein",
    "qwerty",
    "01234567",
    "12345678",
    "abcdefgh",
];

/// The tokens as they are set. Without the first there is to be none at all.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    /// Sees and does everything.
    pub admin: Option<SecretString>,
    /// Sees files and runs, and does nothing.
    pub view: Option<SecretString>,
}

/// How a client proved who it is. This is who did something, where that is written down: behind a token may be many people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    /// No token is set, and only this machine is heard.
    ThisMachine,
    Admin,
    View,
}

impl Token {
    pub fn as_str(self) -> &'static str {
        match self {
            Token::ThisMachine => "this machine",
            Token::Admin => "admin token",
            Token::View => "view token",
        }
    }

    /// As it stands in a session.
    fn letter(self) -> &'static str {
        match self {
            Token::ThisMachine => "m",
            Token::Admin => "a",
            Token::View => "v",
        }
    }
}

/// Why a token is refused. Names no part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Weak {
    #[error("is shorter than {LEAST_BYTES} bytes")]
    Short,
    #[error("repeats a few characters")]
    Monotonous,
    #[error("is, or is built around, a text that is among the first to be tried")]
    Placeholder,
}

/// # Errors
/// What makes `token` one that could be guessed.
pub fn check(token: &SecretString) -> Result<(), Weak> {
    let token = token.expose_secret();
    if token.len() < LEAST_BYTES {
        return Err(Weak::Short);
    }
    let different: std::collections::BTreeSet<u8> = token.bytes().collect();
    if different.len() < LEAST_DIFFERENT {
        return Err(Weak::Monotonous);
    }
    let plain: String =
        token.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    // What is left beside such a text must be a token by itself.
    let is_built_around = |text: &&str| plain.contains(*text) && plain.len() - text.len() < LEAST_BYTES;
    if PLACEHOLDERS.iter().any(is_built_around) { Err(Weak::Placeholder) } else { Ok(()) }
}

/// Wrong tokens that cost nothing: typing errors, and a monitor that was not told of a new one.
const FREE: u32 = 10;

/// What the first wrong token past that costs; each further one doubles it.
const FIRST_WAIT: Duration = Duration::from_millis(25);

/// What one costs at most. It leaves a guesser four tokens a second, and with every connection of this listener in the
/// line before it a right token waits 16 seconds.
const LONGEST_WAIT: Duration = Duration::from_millis(250);

/// After this long without a wrong token all is forgotten.
const FORGET: Duration = Duration::from_secs(60);

/// How long a browser stays signed in: a working day. What ends it sooner is another token.
pub const SESSION: Duration = Duration::from_secs(12 * 60 * 60);

/// The tokens, and a line of those who present one.
///
/// While there is guessing, tokens are looked at one at a time and each waits. A right one waits in the same line, or a guesser
/// would know by the first moment and hang up. It is the whole listener's line and not an address's: behind a proxy all
/// have one address, and who has many addresses would have many lines. The line is fair and as long as there are
/// connections, so no client is locked out; and it costs a client nothing that presents no token.
#[derive(Debug)]
pub struct Guarded {
    tokens: Vec<(Token, SecretString)>,
    line: Mutex<Line>,
}

#[derive(Debug, Default)]
struct Line {
    wrong: u32,
    last: Option<Instant>,
}

impl Guarded {
    /// None when no token is set.
    pub fn new(tokens: Tokens) -> Option<Guarded> {
        let tokens = [(Token::Admin, tokens.admin), (Token::View, tokens.view)];
        let tokens: Vec<_> =
            tokens.into_iter().filter_map(|(token, secret)| Some((token, secret?))).collect();
        (!tokens.is_empty()).then(|| Guarded { tokens, line: Mutex::default() })
    }

    /// Which token `given` is, after the wait that guessing costs now.
    pub async fn which(&self, given: &str) -> Option<Token> {
        let mut line = self.line.lock().await;
        sleep(line.wait(Instant::now())).await;
        // All are compared, whichever it is.
        let which = self.tokens.iter().fold(None, |found, (token, secret)| {
            let is_same = is_same(secret, given);
            found.or(is_same.then_some(*token))
        });
        if which.is_none() {
            line.failed(Instant::now());
        }
        which
    }

    /// What a browser sends instead of `token`: which it is, until when, and a MAC of both whose key is the token. So it says
    /// nothing of the token, nothing is kept here, and it ends when another token is set.
    pub fn session(&self, token: Token) -> Option<String> {
        let (_, secret) = self.tokens.iter().find(|(known, _)| *known == token)?;
        let said = format!("{}.{}", token.letter(), now() + SESSION.as_secs());
        let mac = hex::encode(session_mac(secret, &said).finalize().into_bytes());
        Some(format!("{said}.{mac}"))
    }

    /// Whose session this is, if it is one and has not ended. It needs no brake: nobody guesses a MAC.
    pub fn of_session(&self, session: &str) -> Option<Token> {
        let (said, mac) = session.rsplit_once('.')?;
        let (letter, until) = said.split_once('.')?;
        let (token, secret) = self.tokens.iter().find(|(token, _)| token.letter() == letter)?;
        let is_ours = session_mac(secret, said).verify_slice(&hex::decode(mac).ok()?).is_ok();
        (is_ours && until.parse::<u64>().ok()? > now()).then_some(*token)
    }
}

/// Seconds by the machine's clock, which is the browser's as well.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn session_mac(secret: &SecretString, said: &str) -> Hmac<Sha256> {
    let mut mac = keyed(secret.expose_secret());
    // What nobody sends as a token, so that no MAC of another kind is a session.
    mac.update(b"docket session\n");
    mac.update(said.as_bytes());
    mac
}

impl Line {
    fn failed(&mut self, now: Instant) {
        self.wrong = self.wrong.saturating_add(1);
        self.last = Some(now);
    }

    fn wait(&mut self, now: Instant) -> Duration {
        if self.last.is_some_and(|last| now.saturating_duration_since(last) >= FORGET) {
            *self = Line::default();
        }
        match self.wrong.checked_sub(FREE) {
            None => Duration::ZERO,
            Some(past) => LONGEST_WAIT.min(FIRST_WAIT * 2_u32.saturating_pow(past)),
        }
    }
}

/// In constant time, whatever the lengths: what is compared are MACs keyed with each.
fn is_same(token: &SecretString, given: &str) -> bool {
    keyed(token.expose_secret()).verify_slice(&keyed(given).finalize().into_bytes()).is_ok()
}

/// Whether two tokens are one.
pub fn are_one(one: &SecretString, other: &SecretString) -> bool {
    is_same(one, other.expose_secret())
}

fn keyed(key: &str) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes a key of any length")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_the_same_only_when_all_of_it_is() {
        let token = SecretString::from("correct horse");
        assert!(is_same(&token, "correct horse"));
        for wrong in ["", "correct", "correct horse ", "correct hors\u{e9}"] {
            assert!(!is_same(&token, wrong));
        }
    }

    #[test]
    fn a_session_is_of_one_token_until_it_ends_or_the_token_is_another() {
        let tokens = |admin: &str, view: &str| {
            let (admin, view) = (Some(admin.into()), Some(view.into()));
            Guarded::new(Tokens { admin, view }).unwrap()
        };
        let guarded = tokens("an admin's token", "a viewer's token");
        for token in [Token::Admin, Token::View] {
            let session = guarded.session(token).unwrap();
            assert_eq!(guarded.of_session(&session), Some(token));
            assert_eq!(tokens("another one", "yet another").of_session(&session), None);
        }
        assert_eq!(guarded.session(Token::ThisMachine), None);
        let view = guarded.session(Token::View).unwrap();
        let said = format!("v.{}", now() - 1);
        let secret = SecretString::from("a viewer's token");
        let ended = format!("{said}.{}", hex::encode(session_mac(&secret, &said).finalize().into_bytes()));
        for wrong in ["", "v", "v.1", "v.1.00", &view.replace("v.", "a."), &view[..view.len() - 2], &ended] {
            assert_eq!(guarded.of_session(wrong), None, "{wrong}");
        }
        assert!(Guarded::new(Tokens::default()).is_none());
    }

    #[test]
    fn a_token_that_could_be_guessed_is_refused() {
        for (token, why) in [
            ("a", Weak::Short),
            ("fifteen-bytes-x", Weak::Short),
            ("aaaaaaaaaaaaaaaaaaaaaaaa", Weak::Monotonous),
            ("abababababababab", Weak::Monotonous),
            ("changeme-changeme", Weak::Placeholder),
            ("Change_Me_Please!!", Weak::Placeholder),
            ("your-token-goes-here", Weak::Placeholder),
            ("1234567890123456", Weak::Placeholder),
            ("0123456789abcdef", Weak::Placeholder),
            ("<docket admin token>", Weak::Placeholder),
        ] {
            assert_eq!(check(&token.into()), Err(why), "{token}");
        }
        for token in ["3f9c0a17d25be864", "correct horse battery staple", "a-token-for-operators"] {
            assert_eq!(check(&token.into()), Ok(()), "{token}");
        }
    }

    #[test]
    fn guessing_costs_more_and_more_up_to_an_end_and_is_forgotten() {
        let (mut line, now) = (Line::default(), Instant::now());
        let mut waits = Vec::new();
        for _ in 0..FREE + 8 {
            waits.push(line.wait(now).as_millis());
            line.failed(now);
        }
        assert_eq!(waits[..FREE as usize], [0; FREE as usize]);
        assert_eq!(waits[FREE as usize..], [25, 50, 100, 200, 250, 250, 250, 250]);
        assert_eq!(line.wait(now + FORGET / 2), LONGEST_WAIT);
        assert_eq!(line.wait(now + FORGET), Duration::ZERO);
    }
}
