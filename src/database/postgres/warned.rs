//! What the server says beside its answers.
//!
//! A commit that waits for a synchronous standby does so for no longer than a statement may take. Then it is done all the same: the
//! server says with a warning that it did not wait, and answers as if it had. Whoever was told of such a commit would lose it in a failover.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::error::SqlState;
use tokio_postgres::{AsyncMessage, Connection};

/// Whether there was a warning. The words are in the language of the server; a commit knows of no other warning of this kind.
#[derive(Debug, Clone, Default)]
pub struct Warned(Arc<AtomicBool>);

impl Warned {
    /// Drives the connection to its end.
    pub async fn listen<S, T>(self, mut connection: Connection<S, T>)
    where
        S: AsyncRead + AsyncWrite + Unpin,
        T: AsyncRead + AsyncWrite + Unpin,
    {
        // How it ended is what the next question to it is told.
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notice(notice) = message
                && *notice.code() == SqlState::WARNING
            {
                self.0.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Whether there was one since this was last asked.
    pub fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use crate::database::error::Error;
    use crate::database::postgres::testing;
    use crate::database::statement::Sql;
    use crate::database::{Connection, Database, Posted, params};

    const ADD: Sql = Sql::listed("INSERT INTO receive_count (name, label, count) VALUES ($1, $2, $3)");

    /// An acknowledgement that somebody waits for.
    struct Acknowledgement(String, tokio::sync::oneshot::Sender<Result<(), Error>>);

    impl Posted for Acknowledgement {
        fn work(&mut self, connection: &mut Connection) -> Result<(), Error> {
            connection.run(ADD, params!["n", self.0, 1]).map(drop)
        }

        fn then(self, done: Result<(), Error>) {
            let _ = self.1.send(done);
        }
    }

    async fn acknowledge(database: &Database, label: u32) -> Result<(), Error> {
        let (told, done) = tokio::sync::oneshot::channel();
        database.post_inbox(Acknowledgement(label.to_string(), told))?;
        done.await.unwrap()
    }

    #[tokio::test]
    async fn what_no_standby_has_in_time_is_not_acknowledged_where_commits_wait_for_one() {
        let (server, url) = testing::alone();
        let database = Database::open(&url).await.unwrap();
        let set = |how: &str| {
            server.sql("postgres", &format!("ALTER SYSTEM {how}"));
            server.sql("postgres", "SELECT pg_reload_conf()");
        };
        // Each takes a moment until the server has seen it.
        set("SET synchronous_standby_names = 'nobody'");
        let (mut labels, began) = (0.., Instant::now());
        let in_time = || assert!(began.elapsed() < Duration::from_secs(60), "what was set has no effect");
        let refused = loop {
            let asked = Instant::now();
            match acknowledge(&database, labels.next().unwrap()).await {
                Ok(()) => assert!(asked.elapsed() < Duration::from_secs(1), "no standby has it"),
                Err(error) => break error,
            }
            in_time();
        };
        assert!(matches!(refused, Error::Passing(_)), "{refused:?}");
        set("RESET synchronous_standby_names");
        while acknowledge(&database, labels.next().unwrap()).await.is_err() {
            in_time();
        }
    }
}
