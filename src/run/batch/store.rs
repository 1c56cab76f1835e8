//! The statements on `batch` and `batch_run`.

use crate::database::{Connection, Error, FromRow, Row, from_row, json_list, params, statements};
use crate::fastio::FileKey;
use crate::openai::FileId;
use crate::run::store::key;
use crate::run::{Run, RunId};

/// How far a batch is. The diagram stands in [`super`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Gathering,
    Sending,
    Creating,
    Going,
    Reading,
    Clearing,
}

impl Stage {
    const ALL: [Stage; 6] =
        [Stage::Gathering, Stage::Sending, Stage::Creating, Stage::Going, Stage::Reading, Stage::Clearing];

    fn as_str(self) -> &'static str {
        match self {
            Stage::Gathering => "gathering",
            Stage::Sending => "sending",
            Stage::Creating => "creating",
            Stage::Going => "going",
            Stage::Reading => "reading",
            Stage::Clearing => "clearing",
        }
    }
}

/// One row of `batch`.
#[derive(Debug, Clone)]
pub struct Batch {
    pub id: i64,
    pub mark: String,
    pub stage: Stage,
    pub input_file: Option<FileId>,
    pub batch: Option<String>,
    pub output_file: Option<FileId>,
    pub error_file: Option<FileId>,
    pub begun_at: i64,
    pub tried_at: Option<i64>,
}

from_row!(row => Batch {
    id: row.get("batch_id")?,
    mark,
    stage: {
        let word: String = row.get("state")?;
        let stage = Stage::ALL.into_iter().find(|stage| stage.as_str() == word);
        stage.ok_or_else(|| Error::bug("a batch is in an unknown state"))?
    },
    input_file: row.get::<Option<String>>("input_file")?.map(FileId),
    batch,
    output_file: row.get::<Option<String>>("output_file")?.map(FileId),
    error_file: row.get::<Option<String>>("error_file")?.map(FileId),
    begun_at,
    tried_at,
});

/// How far a run is that is asked in a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// It waits for the others, or for OpenAI.
    Waits,
    /// The response, as JSON.
    Answered(String),
    /// It is asked alone, for this reason.
    Left(String),
}

impl FromRow for Part {
    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        Ok(match row.get::<String>("state")?.as_str() {
            "answered" => Part::Answered(row.get("answer")?),
            "left" => Part::Left(row.get("reason")?),
            _ => Part::Waits,
        })
    }
}

/// Who waits to be sent: how many, and when the first and the last of them came.
#[derive(Debug, Clone, Copy, Default)]
pub struct Gathered {
    pub runs: i64,
    pub first_at: i64,
    pub last_at: i64,
}

from_row!(Gathered { runs, first_at, last_at });

pub fn of_rule(connection: &mut Connection, rule: &str) -> Result<Option<Batch>, Error> {
    connection.first(OF_RULE, params![rule])
}

/// A batch of the rule's is begun to be gathered for, unless there is one.
pub fn gather(tx: &mut Connection, rule: &str, mark: &str, now: i64) -> Result<(), Error> {
    tx.run(GATHER, params![rule, mark, now]).map(drop)
}

pub fn gathered(connection: &mut Connection, rule: &str) -> Result<Gathered, Error> {
    connection.one(GATHERED, params![rule])
}

/// The run waits with the others.
pub fn join(tx: &mut Connection, run: &Run, now: i64) -> Result<(), Error> {
    tx.run(JOIN, params![run.id.0, run.rule, now]).map(drop)
}

/// How far the run is, if it is asked in a batch or was.
pub fn part(connection: &mut Connection, id: RunId) -> Result<Option<Part>, Error> {
    connection.first(PART, params![id.0])
}

/// The run is nothing to any batch any more.
pub fn leave(tx: &mut Connection, id: RunId) -> Result<(), Error> {
    tx.run(LEAVE, params![id.0]).map(drop)
}

/// The next of those that wait, by their numbers.
pub fn waiting(connection: &mut Connection, rule: &str, after: RunId, most: u32) -> Result<Vec<Run>, Error> {
    connection.all(WAITING, params![rule, after.0, most])
}

/// Those of these that still wait are sent with the batch from now on.
pub fn send(tx: &mut Connection, batch: i64, runs: &[RunId]) -> Result<(), Error> {
    let ids: Vec<i64> = runs.iter().map(|id| id.0).collect();
    tx.run(SEND, params![batch, json_list(&ids)]).map(drop)
}

/// They wait again.
pub fn take_back(tx: &mut Connection, batch: i64) -> Result<(), Error> {
    tx.run(TAKE_BACK, params![batch]).map(drop)
}

/// The next runs of the batch that have not come to anything, by their numbers.
pub fn sent(connection: &mut Connection, batch: i64, after: RunId, most: u32) -> Result<Vec<Run>, Error> {
    connection.all(SENT, params![batch, after.0, most])
}

/// The run of the batch has this answer. Its file's key, unless it is none of it, or had one.
pub fn answer(tx: &mut Connection, batch: i64, id: RunId, answer: &str) -> Result<Option<FileKey>, Error> {
    match tx.run(ANSWER, params![batch, id.0, answer])? {
        0 => Ok(None),
        _ => of_run(tx, id),
    }
}

/// The run of the batch is asked alone.
pub fn give_back(tx: &mut Connection, batch: i64, id: RunId, why: &str) -> Result<Option<FileKey>, Error> {
    match tx.run(GIVE_BACK, params![batch, id.0, why])? {
        0 => Ok(None),
        _ => of_run(tx, id),
    }
}

fn of_run(tx: &mut Connection, id: RunId) -> Result<Option<FileKey>, Error> {
    Ok(tx.first::<OfRun>(OF_RUN, params![id.0])?.map(|found| found.key))
}

struct OfRun {
    key: FileKey,
}

from_row!(row => OfRun { key: key(row)? });

/// The batch comes into its next state.
pub fn goes_on(tx: &mut Connection, id: i64, stage: Stage, now: i64) -> Result<(), Error> {
    tx.run(GOES_ON, params![id, stage.as_str(), now]).map(drop)
}

/// It is sent under another name.
pub fn rename(tx: &mut Connection, id: i64, mark: &str) -> Result<(), Error> {
    tx.run(REMARK, params![id, mark]).map(drop)
}

/// What it is about is asked for now, if it was not before.
pub fn try_now(tx: &mut Connection, id: i64, now: i64) -> Result<(), Error> {
    tx.run(TRY, params![id, now]).map(drop)
}

pub fn has_input(tx: &mut Connection, id: i64, file: &FileId, now: i64) -> Result<(), Error> {
    tx.run(HAS_INPUT, params![id, file.0, now]).map(drop)
}

pub fn is(tx: &mut Connection, id: i64, batch: &str, now: i64) -> Result<(), Error> {
    tx.run(IS, params![id, batch, now]).map(drop)
}

/// What there is of it, and that it is read.
pub fn ended(
    tx: &mut Connection,
    id: i64,
    [output, error]: [Option<&FileId>; 2],
    now: i64,
) -> Result<(), Error> {
    tx.run(HAS_ENDED, params![id, output.map(|file| &file.0), error.map(|file| &file.0), now]).map(drop)
}

/// Nothing of it is left at OpenAI.
pub fn forget(tx: &mut Connection, id: i64) -> Result<(), Error> {
    tx.run(FORGET, params![id]).map(drop)
}

/// Gives all that stands under one rule's name to another name.
pub fn rename_rule(tx: &mut Connection, (old, new): (&str, &str)) -> Result<(), Error> {
    tx.run(RENAME_BATCH, params![old, new])?;
    tx.run(RENAME_RUNS, params![old, new]).map(drop)
}

statements! {
    OF_RULE = "SELECT * FROM batch WHERE rule = $1";
    GATHER = "
        INSERT INTO batch (rule, mark, state, begun_at) VALUES ($1, $2, 'gathering', $3) ON CONFLICT (rule) DO NOTHING";
    GATHERED = "
        SELECT count(*) AS runs, coalesce(min(joined_at), 0) AS first_at, coalesce(max(joined_at), 0) AS last_at
        FROM batch_run WHERE rule = $1 AND state = 'gathered'";
    JOIN = "
        INSERT INTO batch_run (run_id, rule, state, joined_at) VALUES ($1, $2, 'gathered', $3)
        ON CONFLICT (run_id) DO NOTHING";
    PART = "SELECT state, answer, reason FROM batch_run WHERE run_id = $1";
    LEAVE = "DELETE FROM batch_run WHERE run_id = $1";
    WAITING = "
        SELECT run.* FROM batch_run JOIN run USING (run_id)
        WHERE batch_run.rule = $1 AND batch_run.state = 'gathered' AND run_id > $2 ORDER BY run_id LIMIT $3";
    SEND = "
        UPDATE batch_run SET batch_id = $1, state = 'sent'
        WHERE run_id IN (SELECT CAST(value AS BIGINT) FROM json_each($2)) AND state = 'gathered'";
    TAKE_BACK = "UPDATE batch_run SET batch_id = NULL, state = 'gathered' WHERE batch_id = $1 AND state = 'sent'";
    SENT = "
        SELECT run.* FROM batch_run JOIN run USING (run_id)
        WHERE batch_run.batch_id = $1 AND batch_run.state = 'sent' AND run_id > $2 ORDER BY run_id LIMIT $3";
    ANSWER = "
        UPDATE batch_run SET state = 'answered', answer = $3 WHERE batch_id = $1 AND run_id = $2 AND state = 'sent'";
    GIVE_BACK = "
        UPDATE batch_run SET state = 'left', reason = $3 WHERE batch_id = $1 AND run_id = $2 AND state = 'sent'";
    OF_RUN = "SELECT profile, node FROM run WHERE run_id = $1";
    GOES_ON = "UPDATE batch SET state = $2, begun_at = $3, tried_at = NULL WHERE batch_id = $1";
    REMARK = "UPDATE batch SET mark = $2, tried_at = NULL WHERE batch_id = $1";
    TRY = "UPDATE batch SET tried_at = coalesce(tried_at, $2) WHERE batch_id = $1";
    HAS_INPUT = "
        UPDATE batch SET state = 'creating', input_file = $2, begun_at = $3, tried_at = NULL WHERE batch_id = $1";
    IS = "UPDATE batch SET state = 'going', batch = $2, begun_at = $3, tried_at = NULL WHERE batch_id = $1";
    HAS_ENDED = "
        UPDATE batch SET state = 'reading', output_file = $2, error_file = $3, begun_at = $4, tried_at = NULL
        WHERE batch_id = $1";
    FORGET = "DELETE FROM batch WHERE batch_id = $1";
    RENAME_BATCH = "UPDATE batch SET rule = $2 WHERE rule = $1";
    RENAME_RUNS = "UPDATE batch_run SET rule = $2 WHERE rule = $1";
}
