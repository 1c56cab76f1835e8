//! A database of PostgreSQL's, which may be away: then it is asked again until it is back.

use std::time::{Duration, Instant};

use tokio_postgres::{Error, NoTls, SimpleQueryMessage};

use super::Cells;

/// How long it may be away. A failover takes seconds, on a busy machine some more.
const PATIENCE: Duration = Duration::from_secs(90);

/// Between tries.
const AGAIN: Duration = Duration::from_millis(50);

/// How long one try may take: a server that was stopped takes connections and answers none.
const ONE_TRY: Duration = Duration::from_secs(10);

#[derive(Debug, Clone)]
pub struct Url(pub String);

impl Url {
    pub(super) async fn rows_of(&self, sql: &str) -> anyhow::Result<Vec<Cells>> {
        let until = Instant::now() + PATIENCE;
        loop {
            match tokio::time::timeout(ONE_TRY, self.ask(sql)).await {
                Ok(Ok(rows)) => return Ok(rows),
                Ok(Err(error)) if !is_away(&error) || Instant::now() > until => return Err(error.into()),
                Err(late) if Instant::now() > until => return Err(late.into()),
                _ => tokio::time::sleep(AGAIN).await,
            }
        }
    }

    async fn ask(&self, sql: &str) -> Result<Vec<Cells>, Error> {
        let (client, connection) = tokio_postgres::connect(&self.0, NoTls).await?;
        let answer = async {
            let answer = client.simple_query(sql).await;
            drop(client);
            answer
        };
        // How the connection ends is nothing to us once there is an answer.
        let (answer, _) = tokio::join!(answer, connection);
        let cells = |message| match message {
            SimpleQueryMessage::Row(row) => {
                Some(Cells((0..row.len()).map(|place| row.get(place).map(str::to_owned)).collect()))
            }
            _ => None,
        };
        Ok(answer?.into_iter().filter_map(cells).collect())
    }
}

/// Whether the server is not there, is starting or stopping, or was cut off; anything else is an answer.
fn is_away(error: &Error) -> bool {
    match error.code() {
        Some(code) => ["57", "08", "53"].contains(&&code.code()[..2]),
        None => true,
    }
}
