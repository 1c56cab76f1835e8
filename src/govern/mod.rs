//! How fast OpenAI is asked for what it limits: uploads, requests that attach to one vector store, files that are attached at all.
//! Whoever does one of these takes a token first. Where there is none, the job goes back to the queue and costs nothing: it waits
//! in a lane of its own, which opens when there is room again, for as many as there is room for. So no worker sleeps, nobody asks
//! in vain, and what comes back is never all that waited. Waiting in place was the other choice: it would keep a worker, and with
//! it a deletion or a run that no limit concerns, for up to the minute after which tokens come back.
//!
//! The lanes are the queue's: live changes are claimed before a backfill, and each in the order of its turn. A backfill is spread
//! over the minute besides, so that a change that comes now finds a token ([`bucket`]).
//!
//! A 429 closes a bucket for as long as the service asks, or for a wait that grows; then it opens evenly, with less than the whole
//! limit, and finds its way back in minutes. The job that met it has lost nothing.
//!
//! The one server of a file keeps all of it in its memory: after a restart a bucket is full again, and OpenAI may answer 429 once for
//! what was asked before. Servers that share a database share the buckets too ([`shared`]), but for the bytes under way, which are each
//! one's own.

mod bucket;
mod shared;
mod store;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Deserialize;

use crate::clock::Clock;
use crate::contain::lock;
use crate::database::{Database, Error};
use crate::queue::{Gates, Verdict};

use bucket::Bucket;
use shared::{Shared, Wanted};

/// How the cause begins by which what waits for a limit is known to the queue; behind it stands which.
const CAUSE: &str = "openai/limit:";

/// How long a file waits for the bytes of others that are under way.
const OTHERS: Duration = Duration::from_secs(1);

/// Stores whose bucket is kept. One that was not used for a minute is as good as new.
const MOST_BUCKETS: usize = 1_000;

/// What the account at OpenAI may do (`[limits]`). The defaults are those of OpenAI's OpenAPI document.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Files that are uploaded in a minute.
    pub uploads_per_minute: u32,
    /// Requests in a minute that attach files to one vector store, be it one file or many.
    pub attaches_per_minute: u32,
    /// Files in a minute that are attached to any vector store of the organization.
    pub attached_files_per_minute: u32,
    /// Megabytes of files that are on their way from Fastio to OpenAI at once. The default is what eight workers can have in
    /// hand, each with the largest file there is; more workers share it, so that an outage or a stop costs no more than that.
    pub transfer_megabytes: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            uploads_per_minute: 1_000,
            attaches_per_minute: 300,
            attached_files_per_minute: 2_000,
            transfer_megabytes: 4_096,
        }
    }
}

/// What is limited.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Limit {
    Uploads,
    /// Requests that attach to this vector store.
    Attaches(String),
    /// Files that are attached, wherever.
    Attached,
}

impl Limit {
    /// The cause that holds the jobs which wait for it.
    pub fn cause(&self) -> String {
        match self {
            Limit::Uploads => format!("{CAUSE}uploads"),
            Limit::Attaches(store) => format!("{CAUSE}attaches:{store}"),
            Limit::Attached => format!("{CAUSE}attached"),
        }
    }

    fn of(cause: &str) -> Option<Limit> {
        match cause.strip_prefix(CAUSE)? {
            "uploads" => Some(Limit::Uploads),
            "attached" => Some(Limit::Attached),
            other => Some(Limit::Attaches(other.strip_prefix("attaches:")?.to_owned())),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Limit::Uploads => "uploads",
            Limit::Attaches(_) => "attaches",
            Limit::Attached => "attached_files",
        }
    }

    fn in_words(&self, settings: &Settings) -> String {
        match self {
            Limit::Uploads => format!("{} uploads a minute", in_thousands(settings.uploads_per_minute)),
            Limit::Attaches(store) => {
                let most = in_thousands(settings.attaches_per_minute);
                format!("{most} requests a minute that attach files to {store}")
            }
            Limit::Attached => {
                format!("{} attached files a minute", in_thousands(settings.attached_files_per_minute))
            }
        }
    }
}

fn in_thousands(number: u32) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| str::from_utf8(group).unwrap_or("")).collect();
    groups.join(",")
}

/// What is left of a limit within the minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// In a word, for programs.
    pub name: &'static str,
    pub what: String,
    pub left: u32,
    pub most: u32,
}

/// The buckets. Clones share them.
#[derive(Clone)]
pub struct Governor(Arc<Inner>);

struct Inner {
    clock: Clock,
    settings: Settings,
    buckets: Mutex<HashMap<Limit, Bucket>>,
    /// The buckets instead, where other servers use the account too.
    shared: Option<Shared>,
    /// Bytes that are on their way.
    carried: Mutex<u64>,
}

impl fmt::Debug for Governor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Governor").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

/// Tokens in use. They come back a minute after this is dropped, because nothing says when within a call the service counts it.
#[must_use = "the tokens are in use until this is dropped"]
#[derive(Debug)]
pub struct Taken {
    governor: Governor,
    limit: Limit,
    count: u32,
    is_spent: bool,
}

impl Taken {
    /// It may turn out that they are not needed: until [`Taken::spend`] they come back at once.
    pub fn reserved(mut self) -> Taken {
        self.is_spent = false;
        self
    }

    /// What they were taken for begins.
    pub fn spend(mut self) -> Taken {
        self.is_spent = true;
        self
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let now = self.governor.0.clock.now();
        let (count, is_spent) = (self.count, self.is_spent);
        if let Some(shared) = &self.governor.0.shared {
            return shared.put_down(&self.limit, count, is_spent);
        }
        self.governor.bucket(&self.limit, |bucket| match is_spent {
            true => bucket.used(count, now),
            false => bucket.unused(count, now),
        });
    }
}

/// Bytes that are on their way until this is dropped.
#[derive(Debug)]
pub struct Carried {
    governor: Governor,
    bytes: u64,
}

impl Drop for Carried {
    fn drop(&mut self) {
        *lock(&self.governor.0.carried) -= self.bytes;
    }
}

impl Governor {
    /// With buckets of its own.
    pub fn new(clock: Clock, settings: Settings) -> Self {
        Governor::with(clock, settings, None)
    }

    /// With the buckets of all servers that share `database`.
    pub fn sharing(database: &Database, clock: Clock, settings: Settings) -> Self {
        Governor::with(clock, settings, Shared::of(database))
    }

    fn with(clock: Clock, settings: Settings, shared: Option<Shared>) -> Self {
        let (buckets, carried) = (Mutex::default(), Mutex::default());
        Governor(Arc::new(Inner { clock, settings, buckets, shared, carried }))
    }

    /// Tells the servers that share the buckets what was used here, and gives back what is not needed. To be done each second.
    ///
    /// # Errors
    /// The database's.
    pub async fn tell(&self) -> Result<(), Error> {
        match &self.0.shared {
            Some(shared) => shared.tell(|limit| self.size(limit), self.0.clock.now()).await,
            None => Ok(()),
        }
    }

    /// Takes so many tokens, or says when there is room. `live` is a change that comes now, and no backfill.
    ///
    /// # Errors
    /// The verdict on the job, which waits: there is no room, or our database's.
    pub async fn take(&self, limit: Limit, count: u32, live: bool) -> Result<Taken, Verdict> {
        let now = self.0.clock.now();
        let taken = match &self.0.shared {
            Some(shared) => {
                let wanted = Wanted { least: count, most: count, live, now };
                shared.take((&limit, self.size(&limit)), wanted).await.map_err(|error| blocked(&error))?
            }
            None => self.bucket(&limit, |bucket| bucket.take(count, live, now)),
        };
        match taken {
            Ok(()) => Ok(Taken { governor: self.clone(), limit, count, is_spent: true }),
            Err(until) => Err(self.full(&limit, until, None)),
        }
    }

    /// Takes what one request needs that attaches so many files to this vector store. Where the request has to wait, the files' tokens
    /// come back at once.
    ///
    /// # Errors
    /// As [`Governor::take`].
    pub async fn take_to_attach(&self, store: &str, files: u32, live: bool) -> Result<[Taken; 2], Verdict> {
        let files = self.take(Limit::Attached, files, live).await?.reserved();
        let request = self.take(Limit::Attaches(store.to_owned()), 1, live).await?;
        Ok([files.spend(), request])
    }

    /// What is left of a limit, for those who look on: they take none of it.
    ///
    /// # Errors
    /// The database's.
    pub async fn left(&self, limit: &Limit) -> Result<Left, Error> {
        let (most, now) = (self.size(limit), self.0.clock.now());
        let left = match &self.0.shared {
            Some(shared) => shared.left((limit, most), now).await?,
            None => lock(&self.0.buckets).get_mut(limit).map_or(most, |bucket| bucket.room(most, true, now)),
        };
        Ok(Left { name: limit.name(), what: limit.in_words(&self.0.settings), left, most })
    }

    /// How many tokens there are, of up to `most`.
    ///
    /// # Errors
    /// The verdict on the job, where our database cannot be asked.
    pub async fn room(&self, limit: &Limit, most: u32, live: bool) -> Result<u32, Verdict> {
        let now = self.0.clock.now();
        match &self.0.shared {
            Some(shared) => {
                let wanted = Wanted { least: 0, most, live, now };
                shared.room((limit, self.size(limit)), wanted).await.map_err(|error| blocked(&error))
            }
            None => Ok(self.bucket(limit, |bucket| bucket.room(most, live, now))),
        }
    }

    /// The service said that it is too much, and perhaps for how long. Answers what that means for the job.
    pub async fn refused(&self, limit: Limit, wait: Option<Duration>, said: &str) -> Verdict {
        let now = self.0.clock.now();
        tracing::warn!(limit = limit.cause(), said, "OpenAI asks to slow down");
        let until = match &self.0.shared {
            Some(shared) => match shared.refused((&limit, self.size(&limit)), wait, now).await {
                Ok(until) => until,
                Err(error) => return blocked(&error),
            },
            None => self.bucket(&limit, |bucket| bucket.refused(wait, now)),
        };
        self.full(&limit, until, Some(said))
    }

    /// Has so many bytes under way, unless others are. A file that is larger than all that may be goes alone.
    ///
    /// # Errors
    /// The verdict on the job, which waits.
    pub fn carry(&self, bytes: u64) -> Result<Carried, Verdict> {
        let most = u64::from(self.0.settings.transfer_megabytes) * 1_000_000;
        let mut carried = lock(&self.0.carried);
        if *carried > 0 && carried.saturating_add(bytes) > most {
            let reason = format!(
                "waits for other files that are on their way; at most {} MB are at once (limits.transfer_megabytes)",
                self.0.settings.transfer_megabytes
            );
            return Err(Verdict::later(OTHERS, &reason));
        }
        *carried += bytes;
        Ok(Carried { governor: self.clone(), bytes })
    }

    /// What it means for a job that there is no room until then.
    fn full(&self, limit: &Limit, until: i64, said: Option<&str>) -> Verdict {
        let words = limit.in_words(&self.0.settings);
        let at = jiff::Timestamp::from_millisecond(until).unwrap_or_default().strftime("%H:%M:%S UTC");
        let reason = match said {
            None => format!("waits for OpenAI's limit of {words} until {at}"),
            Some(said) => format!("waits until {at}, because OpenAI asks to slow down ({words}): {said}"),
        };
        Verdict::Limited { cause: limit.cause(), reason }
    }

    /// The whole limit.
    fn size(&self, limit: &Limit) -> u32 {
        let settings = &self.0.settings;
        match limit {
            Limit::Uploads => settings.uploads_per_minute,
            Limit::Attaches(_) => settings.attaches_per_minute,
            Limit::Attached => settings.attached_files_per_minute,
        }
    }

    fn bucket<T>(&self, limit: &Limit, act: impl FnOnce(&mut Bucket) -> T) -> T {
        let mut buckets = lock(&self.0.buckets);
        if buckets.len() >= MOST_BUCKETS && !buckets.contains_key(limit) {
            let now = self.0.clock.now();
            buckets.retain(|_, bucket| !bucket.is_idle(now));
        }
        act(buckets.entry(limit.clone()).or_insert_with(|| Bucket::new(self.size(limit))))
    }
}

/// Our own database cannot be asked for tokens.
fn blocked(error: &Error) -> Verdict {
    match error.will_pass() {
        true => Verdict::Blocked { reason: format!("Docket's own database: {error}") },
        false => Verdict::Retry { after: None, reason: format!("Docket's own database: {error}") },
    }
}

impl Gates for Governor {
    fn opens_at(&self, cause: &str, live: bool, ahead: u32) -> Option<i64> {
        let (limit, now) = (Limit::of(cause)?, self.0.clock.now());
        let at = match &self.0.shared {
            Some(shared) => shared.opens_at(&limit, (ahead + 1, live), now),
            None => self.bucket(&limit, |bucket| bucket.opens_at(ahead + 1, live, now)),
        };
        // What is open was so for whoever asks by a time that he read before: between the two there may be a question to a database.
        Some(if at <= now { i64::MIN } else { at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_names_its_limit() {
        for limit in [Limit::Uploads, Limit::Attached, Limit::Attaches("vs_1".to_owned())] {
            assert_eq!(Limit::of(&limit.cause()), Some(limit));
        }
        assert_eq!(Limit::of("openai/vs_1"), None);
        assert_eq!([1, 300, 1_000, 1_234_567].map(in_thousands), ["1", "300", "1,000", "1,234,567"]);
    }

    #[test]
    fn what_is_open_is_so_for_whoever_asks_by_an_earlier_time() {
        // Each reading is a millisecond after the one before.
        let passed = std::sync::atomic::AtomicI64::new(1_000);
        let clock = Clock::new(move || {
            let at = passed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            crate::clock::Reading { wall_ms: at, passed_ms: at }
        });
        let governor = Governor::new(clock.clone(), Settings::default());
        let asked_at = clock.now();
        let opens_at = governor.opens_at(&Limit::Uploads.cause(), true, 0);
        assert!(opens_at.is_some_and(|opens_at| opens_at <= asked_at), "{opens_at:?}");
    }

    #[tokio::test]
    async fn a_wait_is_told_in_words() {
        let governor =
            Governor::new(Clock::default(), Settings { uploads_per_minute: 1, ..Settings::default() });
        let held = governor.take(Limit::Uploads, 1, true).await.unwrap();
        let full = governor.take(Limit::Uploads, 1, true).await.unwrap_err();
        let Verdict::Limited { cause, reason } = full else { panic!("{full:?}") };
        assert_eq!(cause, "openai/limit:uploads");
        assert!(reason.starts_with("waits for OpenAI's limit of 1 uploads a minute until "), "{reason}");
        drop(held);
    }

    #[tokio::test]
    async fn a_request_that_has_to_wait_keeps_no_token_of_its_files() {
        let settings =
            Settings { attaches_per_minute: 1, attached_files_per_minute: 9, ..Settings::default() };
        let governor = Governor::new(Clock::default(), settings);
        drop(governor.take_to_attach("vs_1", 3, true).await.unwrap());
        let full = governor.take_to_attach("vs_1", 3, true).await.unwrap_err();
        let Verdict::Limited { cause, .. } = full else { panic!("{full:?}") };
        assert_eq!(cause, Limit::Attaches("vs_1".to_owned()).cause());
        assert_eq!(governor.room(&Limit::Attached, 9, true).await, Ok(6));
        assert!(governor.take_to_attach("vs_2", 6, true).await.is_ok());
    }

    #[test]
    fn a_file_larger_than_all_that_may_be_under_way_goes_alone() {
        let settings = Settings { transfer_megabytes: 1, ..Settings::default() };
        let governor = Governor::new(Clock::default(), settings);
        let alone = governor.carry(5_000_000).unwrap();
        assert!(governor.carry(1).is_err());
        drop(alone);
        let small = governor.carry(400_000).unwrap();
        assert!(governor.carry(400_000).is_ok() && governor.carry(5_000_000).is_err());
        drop(small);
    }
}
