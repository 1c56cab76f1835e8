//! The status as it was a moment ago. A request gets the last one, so that any number of monitors and pages cost one
//! reading of the database a second, on a connection that no worker needs.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::status::{About, Row, Status};
use super::verdict::Verdict;
use crate::database::{Database, Error};

/// How old an answer may be. A person reads no faster, and a monitor asks every few seconds at most.
const FRESH: Duration = Duration::from_secs(1);

/// What is answered.
#[derive(Debug)]
pub struct Snapshot {
    pub rows: Vec<Row>,
    pub verdict: Verdict,
    /// What both were made of.
    pub seen: Arc<Status>,
    at: Instant,
}

impl Snapshot {
    fn is_fresh(&self) -> bool {
        self.at.elapsed() < FRESH
    }
}

/// Reads the status when the last one is old, one reading at a time.
#[derive(Debug, Clone)]
pub struct Observer {
    database: Database,
    about: Arc<About>,
    last: Arc<RwLock<Option<Arc<Snapshot>>>>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Observer {
    pub fn new(database: Database, about: About) -> Self {
        Observer { database, about: Arc::new(about), last: Arc::default(), turn: Arc::default() }
    }

    /// The status; while it is being read already, the one before, if there is one.
    ///
    /// # Errors
    /// The database's.
    pub async fn look(&self) -> Result<Arc<Snapshot>, Error> {
        if let Some(fresh) = self.last().filter(|last| last.is_fresh()) {
            return Ok(fresh);
        }
        let _turn = match (self.turn.try_lock(), self.last()) {
            (Ok(turn), _) => turn,
            (Err(_), Some(last)) => return Ok(last),
            // The first of all: every request waits for that one.
            (Err(_), None) => self.turn.lock().await,
        };
        if let Some(fresh) = self.last().filter(|last| last.is_fresh()) {
            return Ok(fresh);
        }
        let seen = Status::read(&self.database).await?;
        let snapshot = Arc::new(Snapshot {
            verdict: Verdict::of(&seen, true),
            rows: seen.rows(&self.about, true),
            seen: Arc::new(seen),
            at: Instant::now(),
        });
        *self.last.write().unwrap_or_else(PoisonError::into_inner) = Some(snapshot.clone());
        Ok(snapshot)
    }

    fn last(&self) -> Option<Arc<Snapshot>> {
        self.last.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::task::JoinHandle;

    use super::*;
    use crate::database::Connection;
    use crate::sync::budget::Plan;

    /// Holds a connection with the work that `run` hands to the database, until what it returns is dropped.
    async fn hold(
        run: impl FnOnce(
            Box<dyn Fn(&mut Connection) -> Result<(), Error> + Send>,
        ) -> JoinHandle<Result<(), Error>>,
    ) -> mpsc::Sender<()> {
        let (begin, mut begun) = tokio::sync::mpsc::unbounded_channel();
        let (let_go, until) = mpsc::channel::<()>();
        let work = move |_: &mut Connection| {
            begin.send(()).unwrap();
            assert_eq!(until.recv(), Err(mpsc::RecvError));
            Ok(())
        };
        tokio::select! {
            Some(()) = begun.recv() => let_go,
            ended = run(Box::new(work)) => panic!("no connection was free: {ended:?}"),
        }
    }

    async fn hold_observer(database: &Database) -> mpsc::Sender<()> {
        let database = database.clone();
        hold(|work| tokio::spawn(async move { database.observe(work).await })).await
    }

    async fn hold_reader(database: &Database) -> mpsc::Sender<()> {
        let database = database.clone();
        hold(|work| tokio::spawn(async move { database.read(work).await })).await
    }

    #[tokio::test]
    async fn sixty_who_ask_at_once_cost_one_reading_and_no_reader_of_the_workers() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/docket.db", folder.path().display());
        let database = Database::open(&url).await.unwrap();
        let about = About {
            version: "1".to_owned(),
            database: "docket.db".into(),
            rules: Vec::new(),
            storage: Plan::default(),
        };
        let observer = Observer::new(database.clone(), about);
        // Until this is given back the status cannot be read.
        let busy = hold_observer(&database).await;
        let look = || {
            let observer = observer.clone();
            tokio::spawn(async move { observer.look().await.unwrap() })
        };
        let asked: Vec<_> = (0..60).map(|_| look()).collect();
        tokio::task::yield_now().await;
        let mut readers = Vec::new();
        while readers.len() < 4 {
            readers.push(hold_reader(&database).await);
        }
        drop(busy);
        let mut answers = Vec::new();
        for one in asked {
            answers.push(one.await.unwrap());
        }
        assert!(
            answers.iter().all(|answer| Arc::ptr_eq(answer, &answers[0])),
            "all of them got the same reading"
        );
        // While it is read anew, the last one is answered at once.
        let busy = hold_observer(&database).await;
        *observer.last.write().unwrap() = answers.pop().map(|answer| {
            let old = Instant::now().checked_sub(2 * FRESH).unwrap();
            Arc::new(Snapshot {
                rows: Vec::new(),
                verdict: answer.verdict.clone(),
                seen: answer.seen.clone(),
                at: old,
            })
        });
        let first = look();
        while observer.turn.try_lock().is_ok() {
            tokio::task::yield_now().await;
        }
        assert!(look().await.unwrap().rows.is_empty());
        drop(busy);
        assert!(!first.await.unwrap().rows.is_empty());
        drop(readers);
    }
}
