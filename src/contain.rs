//! A panic stays where it happened: the work that panicked has failed, and nothing else has.
//!
//! What is kept of a panic is what the programmer wrote and where, never a value: an `expect` prints the error it met,
//! which may hold a URL with a token in it or a line of a document.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind, set_hook};
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::task::{JoinError, spawn_blocking};
use tokio_util::sync::CancellationToken;

/// How long a part that panicked is left alone, doubled each time: a part that panics at once every time costs a line a
/// minute, and what needs it waits a minute at most once the cause is gone.
const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(60);

/// How long a part has run when its panic counts as the first one again.
const CALM: Duration = Duration::from_secs(10 * 60);

/// What is kept of a panic's words, on one line.
const MOST_CHARACTERS: usize = 300;

thread_local! {
    /// Catchers on this thread's stack. A panic that is caught is logged where it is caught; the hook logs the rest.
    static CATCHERS: Cell<u32> = const { Cell::new(0) };
    /// Where the last panic of this thread was.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// What is known of a panic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("panicked: {0}")]
pub struct Panicked(String);

impl Panicked {
    fn of(payload: &(dyn Any + Send)) -> Self {
        let words = words(payload);
        match PLACE.take() {
            Some(place) => Panicked(format!("{words} at {place}")),
            None => Panicked(words),
        }
    }
}

/// The programmer's words. A text that was put together at run time ends where its first value may begin.
fn words(payload: &(dyn Any + Send)) -> String {
    let written = payload.downcast_ref::<&'static str>().copied();
    let formatted = || payload.downcast_ref::<String>().and_then(|text| text.split([':', ';', '\n']).next());
    let words = written.or_else(formatted).unwrap_or("without a word");
    let line: Vec<&str> = words.split_whitespace().collect();
    line.join(" ").chars().take(MOST_CHARACTERS).collect()
}

/// Runs `work`; a panic in it is an error.
///
/// Whatever `work` shares with others must be right at each of its steps: locks are taken with [`lock`], transactions are
/// rolled back when they are dropped.
///
/// # Errors
/// The panic.
pub fn catch_in<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    CATCHERS.set(CATCHERS.get() + 1);
    let done = catch_unwind(AssertUnwindSafe(work));
    CATCHERS.set(CATCHERS.get() - 1);
    done.map_err(|payload| Panicked::of(&*payload))
}

/// Waits for `work`; a panic in it is an error.
///
/// # Errors
/// As [`catch_in`].
pub async fn catch<T>(work: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut work = pin!(work);
    poll_fn(|context| match catch_in(|| work.as_mut().poll(context)) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
        Err(panicked) => Poll::Ready(Err(panicked)),
    })
    .await
}

/// Runs `work` beside the runtime's threads. A panic in it is its caller's, as if `work` had run there.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match spawn_blocking(work).await.map_err(JoinError::try_into_panic) {
        Ok(done) => done,
        Err(Ok(panic)) => resume_unwind(panic),
        // The runtime ends, and with it the task that waits here.
        Err(Err(_)) => pending().await,
    }
}

/// Runs a part of the server until it ends by itself, and begins it anew when it panics. It never gives up: a part that
/// panics for good must not take along those that work, and deliveries are acknowledged meanwhile.
pub async fn keep_running<F: Future<Output = ()>>(
    part: &'static str,
    stop: &CancellationToken,
    run: impl FnMut() -> F,
) {
    begin_again(part, stop, run, Rests(FIRST_REST)).await;
}

async fn begin_again<F: Future<Output = ()>>(
    part: &'static str,
    stop: &CancellationToken,
    mut run: impl FnMut() -> F,
    mut rests: Rests,
) {
    loop {
        let begun = Instant::now();
        let Err(panicked) = catch(run()).await else { return };
        let rest = rests.after(begun.elapsed());
        let seconds = rest.as_secs();
        tracing::error!(part, reason = %panicked, seconds, "a part of the server panicked; it begins anew after a rest");
        tokio::select! { () = stop.cancelled() => return, () = tokio::time::sleep(rest) => {} }
    }
}

/// The next rest of a part that panics.
struct Rests(Duration);

impl Rests {
    /// The rest after a panic that came when the part had run for this long.
    fn after(&mut self, ran: Duration) -> Duration {
        if ran >= CALM {
            self.0 = FIRST_REST;
        }
        let rest = self.0;
        self.0 = (rest * 2).min(LONGEST_REST);
        rest
    }
}

/// Takes a lock whose holder may have panicked. Right for what is replaced whole or changed in one step, as everything
/// behind our locks is: none is left half changed.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has panics told in the log, once each and without values, instead of printed whole.
pub fn tell_panics() {
    set_hook(Box::new(|panic| {
        PLACE.set(panic.location().map(ToString::to_string));
        if CATCHERS.get() == 0 {
            let reason = Panicked::of(panic.payload());
            tracing::error!(%reason, "a bug of docket");
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(work: impl FnOnce()) -> String {
        catch_in(work).unwrap_err().to_string()
    }

    #[test]
    fn a_panic_tells_what_was_written_and_no_value() {
        assert_eq!(said(|| panic!("the plan is empty")), "panicked: the plan is empty");
        let secret = || -> Result<(), &str> { Err("fio-secret-1") };
        assert_eq!(said(|| secret().expect("why it holds")), "panicked: why it holds");
        let told = said(|| assert_eq!("fio-secret-2", "", "two names"));
        assert!(told.starts_with("panicked: assertion") && !told.contains("fio-secret"), "{told}");
        let (text, middle) = ("fio-secret-é", "fio-secret-é".len() - 1);
        assert!(!said(|| drop(text[..middle].to_owned())).contains("secret"));
        assert_eq!(said(|| std::panic::panic_any(7)), "panicked: without a word");
    }

    #[test]
    fn a_lock_whose_holder_panicked_is_taken_all_the_same() {
        let count = Mutex::new(1);
        let panicked = catch_in(|| {
            let mut held = lock(&count);
            *held = 2;
            panic!("while it holds the lock");
        });
        assert!(panicked.is_err());
        assert_eq!(*lock(&count), 2);
    }

    #[tokio::test]
    async fn a_part_that_panics_begins_anew_until_it_ends_by_itself_or_is_stopped() {
        let (stop, mut starts) = (CancellationToken::new(), 0);
        let at_once = || Rests(Duration::ZERO);
        let run = || {
            starts += 1;
            let last = starts == 10;
            async move { assert!(last, "again") }
        };
        begin_again("part", &stop, run, at_once()).await;
        assert_eq!(starts, 10);
        stop.cancel();
        begin_again("part", &stop, || async { panic!("for ever") }, Rests(LONGEST_REST)).await;
    }

    #[test]
    fn the_rests_of_a_part_grow_and_have_an_end() {
        let mut rests = Rests(FIRST_REST);
        let seconds: Vec<u64> = (0..8).map(|_| rests.after(Duration::ZERO).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(rests.after(CALM), FIRST_REST);
    }
}
