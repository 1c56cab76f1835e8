//! What a server in another process has on record: read beside it, with time moved there instead of waited for.

use std::time::Duration;

use docket::clock::Clock;
use docket::queue::store::JobRow;
use tokio::time::{Instant, sleep};

use super::database::DatabaseFile;
use super::records::Records;

/// A step of another process may take minutes on a machine that does ten other things. Only what hangs takes longer, so
/// only a test that fails waits for all of it.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// Between looks: the database of another process does not say that it changed. No test looks again by itself.
const LOOK_AGAIN: Duration = Duration::from_millis(15);

/// A wait that is not worth moving time for.
const SOON_MS: i64 = 300;

/// Tries again until it comes to something, as a sender does whose delivery is not taken.
pub async fn again<T>(mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        match attempt().await {
            Some(done) => return done,
            None if Instant::now() > until => panic!("it comes to nothing"),
            None => sleep(LOOK_AGAIN).await,
        }
    }
}

/// The database of a server in another process.
pub struct Beside {
    records: Records,
    file: DatabaseFile,
}

impl Beside {
    pub async fn of(url: &str) -> Beside {
        Beside { records: Records::of(url).await, file: DatabaseFile::of(url) }
    }

    /// Waits until `look` finds something, and answers it.
    pub async fn until<T>(&self, look: impl AsyncFnMut(&Records) -> Option<T>) -> T {
        let found = self.try_until(look).await;
        found.unwrap_or_else(|left| panic!("it does not come; these jobs are left: {left:#?}"))
    }

    /// Waits until `look` finds something, and answers it; the jobs that are left when it never does. While nothing can
    /// happen before a certain time, that time comes at once.
    pub async fn try_until<T>(
        &self,
        mut look: impl AsyncFnMut(&Records) -> Option<T>,
    ) -> Result<T, Vec<JobRow>> {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look(&self.records).await {
                return Ok(found);
            }
            let jobs = self.records.jobs().await;
            if Instant::now() > until {
                return Err(jobs);
            }
            match idle_for(&self.records, &jobs).await {
                Some(ms) => self.pass(ms).await,
                None => sleep(LOOK_AGAIN).await,
            }
        }
    }

    /// Moves every time on record back, but those that others told. The clock of another process cannot be moved; to that
    /// process this is the same.
    pub async fn pass(&self, ms: i64) {
        let older =
            move |table: String, column: String| format!("UPDATE {table} SET {column} = {column} - {ms}");
        let times = match self.file {
            DatabaseFile::Sqlite(_) => TIMES,
            DatabaseFile::Postgres(_) => TIMES_OF_POSTGRES,
        };
        let older = self.file.rows(times, move |row| older(row.get(0), row.get(1))).await;
        self.file.execute(&older.join(";")).await;
    }
}

const TIMES: &str = "
    SELECT tables.name, columns.name FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns
    WHERE tables.type = 'table' AND tables.name NOT GLOB '_sqlx*' AND columns.type = 'INTEGER'
      AND columns.name NOT IN ('modified_at', 'occurred_at')
      AND (columns.name GLOB '*_at' OR columns.name GLOB '*_until' OR columns.name GLOB '*since')";

const TIMES_OF_POSTGRES: &str = "
    SELECT columns.table_name, column_name FROM information_schema.columns JOIN information_schema.tables USING (table_name)
    WHERE columns.table_schema = 'public' AND table_type = 'BASE TABLE' AND data_type = 'bigint'
      AND column_name NOT IN ('modified_at', 'occurred_at')
      AND (column_name LIKE '%\\_at' OR column_name LIKE '%\\_until' OR column_name LIKE '%since')";

/// For how long the server has nothing to do: until the first job is due, or until a paused service is tried again. None
/// while it works, or is about to.
async fn idle_for(records: &Records, jobs: &[JobRow]) -> Option<i64> {
    let working = jobs.iter().any(|job| job.state == "running");
    if working || records.waiting().await > 0 {
        return None;
    }
    let now = Clock::default().now();
    let due = jobs.iter().filter(|job| job.state == "waiting").map(|job| job.due_at).min()?;
    let paused = records.pauses().await.into_iter().filter(|pause| pause.allowed.is_none());
    let tried = paused.map(|pause| pause.probe_at).min().unwrap_or(due);
    Some(due.max(tried) - now).filter(|wait| *wait > SOON_MS)
}
