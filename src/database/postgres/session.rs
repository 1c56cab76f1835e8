//! A session with PostgreSQL, on the thread that owns it.
//!
//! The library is asynchronous: what it does runs on a runtime of this thread, for as long as a question takes. Between questions
//! nothing runs, so what the server says meanwhile (that it goes, say) is heard at the next one.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::ops::ControlFlow;
use std::pin::pin;
use std::time::Duration;

use futures_util::TryStreamExt;
use futures_util::stream::{self, StreamExt};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, RowStream, Statement};

use super::error::{explained, is_lost, is_out_of_date, is_to_be_repeated};
use super::replica::Fence;
use super::value::Sent;
use super::warned::Warned;
use super::{deadline, dialect};
use crate::database::error::Error;
use crate::database::lane::{Access, Manner};
use crate::database::row::{Row, Source};
use crate::database::statement::Sql;
use crate::database::value::{Param, Value};

/// How much longer than the server's own deadline is waited for an answer: then the way to it is broken, and it is left.
const GRACE: Duration = Duration::from_secs(2);

/// Statements of one kind that are under way together: enough that the network is never waited for.
const AT_ONCE: usize = 64;

pub struct Session {
    client: Client,
    warned: Warned,
    runtime: Runtime,
    begins: Begins,
    deadline: Duration,
    /// What a statement is called by the server, or its text where a pooler may hand the next transaction to another connection.
    known: HashMap<&'static str, Known>,
    is_pooled: bool,
    /// For one that writes the tables of the work.
    fence: Option<Fence>,
    state: State,
}

/// How a transaction of each manner begins.
#[derive(Debug, Clone)]
pub struct Begins {
    pub durable: String,
    pub repeatable: String,
    pub claim: String,
}

enum Known {
    Prepared(Statement),
    Text(String),
}

#[derive(Debug, Default)]
struct State {
    /// A transaction is open.
    is_open: bool,
    /// What failed first in it. PostgreSQL does nothing more in it then.
    failed: Option<Error>,
    /// It is to be done again.
    again: bool,
    /// With statements that are prepared anew: a newer version has changed a table.
    is_out_of_date: bool,
    /// The connection is of no use any more.
    is_lost: bool,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("state", &self.state).finish_non_exhaustive()
    }
}

/// How a session is made: with a client that `runtime` drives.
pub struct Made {
    pub client: Client,
    pub warned: Warned,
    pub runtime: Runtime,
    pub begins: Begins,
    pub access: Access,
    pub is_pooled: bool,
    pub fence: Fence,
}

/// A runtime for one thread.
pub fn runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

impl Session {
    pub fn new(made: Made) -> Self {
        let Made { client, warned, runtime, begins, access, is_pooled, fence } = made;
        let fence = (access == Access::Write).then_some(fence);
        let (deadline, known) = (deadline(access) + GRACE, HashMap::new());
        Session {
            client,
            warned,
            runtime,
            begins,
            deadline,
            known,
            is_pooled,
            fence,
            state: State::default(),
        }
    }

    /// Begins a transaction.
    pub fn begin(&mut self, manner: Manner) -> Result<(), Error> {
        if self.state.is_out_of_date {
            self.known.clear();
        }
        self.state = State { is_open: true, ..State::default() };
        let begin = match manner {
            Manner::Durable => &self.begins.durable,
            Manner::Claim => &self.begins.claim,
            Manner::Repeatable | Manner::Behind => &self.begins.repeatable,
        };
        let fenced = self.fence.as_ref().and_then(Fence::question).map(|asked| format!("{begin}{asked}"));
        let begin = fenced.as_ref().unwrap_or(begin);
        let begun = self.runtime.block_on(bounded(self.deadline, self.client.batch_execute(begin)));
        note(&mut self.state, begun)
    }

    /// Ends the transaction. What failed in it is the answer, also where the caller went on: nothing of it is written.
    pub fn commit(&mut self, manner: Manner) -> Result<(), Error> {
        if let Some(error) = self.state.failed.clone() {
            self.rollback();
            return Err(error);
        }
        // A commit waits for the disk only where something was written, and what this transaction found may be a commit that did not.
        let commit = match manner {
            Manner::Durable => "SELECT pg_logical_emit_message(true, 'docket', ''); COMMIT",
            _ => "COMMIT",
        };
        self.end(commit)
    }

    /// As [`Session::commit`], where nothing was written, or surely something.
    pub fn commit_plainly(&mut self) -> Result<(), Error> {
        self.commit(Manner::Repeatable)
    }

    /// Takes the transaction back. If it cannot, the connection is lost.
    pub fn rollback(&mut self) {
        let (failed, again) = (self.state.failed.take(), self.state.again);
        if self.state.is_open && self.end("ROLLBACK").is_err() {
            self.state.is_lost = true;
        }
        (self.state.failed, self.state.again) = (failed, again);
    }

    fn end(&mut self, how: &str) -> Result<(), Error> {
        if self.state.is_lost {
            return Err(Error::passing("the connection to PostgreSQL was lost"));
        }
        self.warned.take();
        let ended = self.runtime.block_on(bounded(self.deadline, self.client.batch_execute(how)));
        self.state.is_open = ended.is_err();
        note(&mut self.state, ended)?;
        if self.warned.take() {
            return Err(Error::passing(
                "PostgreSQL has committed, and no standby has said in time that it has that, too",
            ));
        }
        Ok(())
    }

    /// Whether the last transaction is to be done again from its start.
    pub fn asks_again(&self) -> bool {
        self.state.again && !self.state.is_lost
    }

    /// Whether a transaction is open.
    pub fn is_open(&self) -> bool {
        self.state.is_open
    }

    /// Whether the next transaction needs another connection.
    pub fn is_spent(&self) -> bool {
        self.state.is_lost || self.state.is_open || self.client.is_closed()
    }

    pub fn run(&mut self, sql: Sql, params: &[&dyn Param]) -> Result<u64, Error> {
        self.run_sent(sql, &sent(sql, params)?)
    }

    /// Sends many before the first is answered: what each costs is the server's time, not the network's.
    pub fn run_each<'p>(
        &mut self,
        sql: Sql,
        rows: impl IntoIterator<Item = impl AsRef<[&'p dyn Param]>>,
    ) -> Result<u64, Error> {
        let rows: Vec<Vec<Sent<'p>>> = rows
            .into_iter()
            .map(|row| row.as_ref().iter().map(|param| Sent::of(*param)).collect())
            .collect::<Result<_, Error>>()?;
        let Session { client, runtime, known, is_pooled, state, deadline, .. } = self;
        let client = &*client;
        let ran = runtime.block_on(bounded(*deadline, async {
            let known = look_up(client, known, *is_pooled, sql).await?;
            let asked = rows.iter().map(|row| async move { changed(ask(client, known, row).await?).await });
            stream::iter(asked).buffered(AT_ONCE).try_fold(0, async |all, one| Ok(all + one)).await
        }));
        note(state, ran)
    }

    /// Runs one statement for all rows, whose parameters it takes as arrays.
    pub fn run_together<'p, const N: usize>(
        &mut self,
        sql: Sql,
        rows: impl IntoIterator<Item = [&'p dyn Param; N]>,
    ) -> Result<u64, Error> {
        let rows: Vec<[&dyn Param; N]> = rows.into_iter().collect();
        if rows.is_empty() {
            return Ok(0);
        }
        self.run_sent(sql, &columns(&rows)?)
    }

    /// As [`Session::run_together`], with the keys that it answers.
    pub fn add_together<'p, const N: usize>(
        &mut self,
        sql: Sql,
        rows: impl IntoIterator<Item = [&'p dyn Param; N]>,
    ) -> Result<Vec<bool>, Error> {
        let rows: Vec<[&dyn Param; N]> = rows.into_iter().collect();
        let (columns, mut added) = (columns(&rows)?, HashSet::new());
        if !rows.is_empty() {
            self.each_sent(sql, &columns, |row| {
                added.insert(row.at::<String>(0)?);
                Ok(ControlFlow::Continue(()))
            })?;
        }
        let is_added = |row: &[&dyn Param; N]| match row[0].value() {
            Value::Text(key) => added.remove(key),
            _ => false,
        };
        Ok(rows.iter().map(is_added).collect())
    }

    fn run_sent(&mut self, sql: Sql, params: &[Sent<'_>]) -> Result<u64, Error> {
        let Session { client, runtime, known, is_pooled, state, deadline, .. } = self;
        let ran = runtime.block_on(bounded(*deadline, async {
            let known = look_up(client, known, *is_pooled, sql).await?;
            changed(ask(client, known, params).await?).await
        }));
        note(state, ran)
    }

    pub fn each(
        &mut self,
        sql: Sql,
        params: &[&dyn Param],
        take: impl FnMut(&Row<'_>) -> Result<ControlFlow<()>, Error>,
    ) -> Result<(), Error> {
        self.each_sent(sql, &sent(sql, params)?, take)
    }

    fn each_sent(
        &mut self,
        sql: Sql,
        params: &[Sent<'_>],
        mut take: impl FnMut(&Row<'_>) -> Result<ControlFlow<()>, Error>,
    ) -> Result<(), Error> {
        let Session { client, runtime, known, is_pooled, state, deadline, .. } = self;
        let mut taken = Ok(());
        let read = runtime.block_on(bounded(*deadline, async {
            let known = look_up(client, known, *is_pooled, sql).await?;
            let mut rows = pin!(ask(client, known, params).await?);
            while let Some(row) = rows.try_next().await? {
                match take(&Row(Source::Postgres(&row))) {
                    Ok(ControlFlow::Continue(())) => {}
                    Ok(ControlFlow::Break(())) => break,
                    Err(error) => {
                        taken = Err(error);
                        break;
                    }
                }
            }
            Ok(())
        }));
        note(state, read)?;
        taken
    }

    /// Runs statements of no list: what makes the schema.
    pub fn batch(&mut self, sql: &str) -> Result<(), tokio_postgres::Error> {
        self.runtime.block_on(self.client.batch_execute(sql))
    }

    /// How many parameters the server finds in a statement.
    #[cfg(test)]
    pub fn parameters(&mut self, sql: Sql) -> Result<usize, Error> {
        let text = dialect::postgres(sql);
        let prepared = self.runtime.block_on(self.client.prepare(&text));
        prepared.map(|statement| statement.params().len()).map_err(|error| explained(&error))
    }
}

/// What a statement has no parameter for is left out: some that belong together are handed the same values.
fn sent<'p>(sql: Sql, params: &'p [&'p dyn Param]) -> Result<Vec<Sent<'p>>, Error> {
    params.iter().take(sql.parameters).map(|param| Sent::of(*param)).collect()
}

/// Each parameter of all rows.
fn columns<'p, const N: usize>(rows: &[[&'p dyn Param; N]]) -> Result<[Sent<'p>; N], Error> {
    let mut columns: [Vec<Sent<'p>>; N] = std::array::from_fn(|_| Vec::with_capacity(rows.len()));
    for row in rows {
        for (column, param) in columns.iter_mut().zip(row) {
            column.push(Sent::of(*param)?);
        }
    }
    Ok(columns.map(Sent::Column))
}

/// Finds what a statement is called by the server, or its text.
async fn look_up<'k>(
    client: &Client,
    known: &'k mut HashMap<&'static str, Known>,
    is_pooled: bool,
    sql: Sql,
) -> Result<&'k Known, tokio_postgres::Error> {
    if !known.contains_key(sql.text()) {
        let text = dialect::postgres(sql).into_owned();
        let made = if is_pooled { Known::Text(text) } else { Known::Prepared(client.prepare(&text).await?) };
        known.insert(sql.text(), made);
    }
    Ok(&known[sql.text()])
}

async fn ask(
    client: &Client,
    known: &Known,
    params: &[Sent<'_>],
) -> Result<RowStream, tokio_postgres::Error> {
    match known {
        Known::Prepared(statement) => client.query_raw(statement, params).await,
        Known::Text(text) => {
            client.query_typed_raw(text, params.iter().map(|param| (param, Type::UNKNOWN))).await
        }
    }
}

/// Runs a statement to its end.
async fn changed(rows: RowStream) -> Result<u64, tokio_postgres::Error> {
    let mut rows = pin!(rows);
    while rows.try_next().await?.is_some() {}
    Ok(rows.rows_affected().unwrap_or(0))
}

/// Why there is no answer.
enum Silence {
    Error(tokio_postgres::Error),
    Late,
}

async fn bounded<T>(
    deadline: Duration,
    asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, Silence> {
    match tokio::time::timeout(deadline, asked).await {
        Ok(answer) => answer.map_err(Silence::Error),
        Err(_) => Err(Silence::Late),
    }
}

/// Writes down what a failure means for the transaction and the connection.
fn note<T>(state: &mut State, answer: Result<T, Silence>) -> Result<T, Error> {
    let error = match answer {
        Ok(answer) => return Ok(answer),
        Err(Silence::Late) => {
            state.is_lost = true;
            Error::passing("PostgreSQL does not answer")
        }
        Err(Silence::Error(error)) => {
            state.is_out_of_date |= is_out_of_date(&error);
            state.again |= state.is_out_of_date || is_to_be_repeated(&error);
            state.is_lost |= is_lost(&error);
            explained(&error)
        }
    };
    // Those that follow only say that the transaction has failed.
    Err(state.failed.get_or_insert(error).clone())
}
