//! Runs over what was there before a rule, asked together (`backfill = "batch"`): OpenAI works through a file of requests within a day,
//! at a lower price. One batch of a rule at a time.
//!
//! ```text
//!   gathering ──▶ sending ──▶ creating ──▶ going ──▶ reading ──▶ clearing ──▶ gone
//!       ▲            │ the file of requests    │ the batch    │ its answers
//!       └── those that came meanwhile ─────────┴──────────────┘ whoever has none is asked alone
//! ```
//!
//! A run in a batch is `starting` meanwhile: whether there is a response is not known. Its answer is kept until the run's own job takes it,
//! which checks it like every other. A request of a batch is made in no conversation and is not stored at OpenAI, so that nothing of it has
//! to be found or deleted there but the files. A run that ends before takes its place with it: what a line says of it is not read. No lock
//! is held while a batch goes on; the run takes one when it delivers.

pub mod store;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::StreamExt;

use super::Runs;
use super::engine::{ResponseState, from_response};
use super::frame;
use super::limit;
use super::row::{Run, RunId};
use super::settings::{Attach, Definition, Engine};
use super::store::Change;
use super::store::tries::NewTry;
use super::{existing, pace};
use crate::database::Connection;
use crate::fastio::FileKey;
use crate::http::Retry;
use crate::job::verdict::openai_verdict;
use crate::job::{self, Task};
use crate::openai::{
    BatchLine, BatchStatus, Error, ErrorKind, FileId, MOST_REQUESTS, RequestBatch, response_of_line,
};
use crate::outside::FRESH_MS;
use crate::queue::{Priority, Verdict};
use crate::sync::store::{Chain, Indexed};
use store::{Batch, Part, Stage};

/// How long nobody must have come before a batch is sent, and how long the first waits at most: a backfill finds files for minutes, and a
/// batch has a day.
const QUIET_MS: i64 = 60 * 1000;
const LONGEST_MS: i64 = 10 * 60 * 1000;

/// What a file of requests may have. OpenAI takes 200 MB; it is held in memory while it is sent.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// What a file of answers may have, which is read in pieces; and one line of it, which is held.
const MOST_ANSWERS: u64 = 1024 * 1024 * 1024;
const LONGEST_LINE: usize = 16 * 1024 * 1024;

/// Runs that are read from the database at once, and lines whose answers are written at once.
const BITE: u32 = 200;

/// Between looks at a batch: a tenth of its age, between these.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(10 * 60));

/// How long a run waits at most before it looks at its batch again. Its answer wakes it.
const WAITS: Duration = Duration::from_secs(60 * 60);

/// How long to wait where the account has too much in batches that go on.
const ACCOUNT_IS_FULL: Duration = Duration::from_secs(30 * 60);

/// How OpenAI's words for that begin (its guide on batches).
const TOO_MUCH: &str = "token_limit_exceeded";

/// Pages of files and of batches that are searched for one whose creation was not answered.
const PAGES: usize = 20;

/// The key of a batch's metadata under which our mark stands.
const MARK: &str = "docket_batch";

/// How the answer of a batch was processed, as the price knows it.
pub(super) const TIER: &str = "batch";

/// Why a run waits.
const GATHERED: &str = "it is asked in a batch, with others over what was there before the rule";

impl Runs {
    /// Has the run asked in a batch, where its rule says so of what was there before. False where it is asked alone.
    pub(super) async fn joins_batch(
        &self,
        run: &Run,
        definition: &Definition,
        indexed: &Indexed,
    ) -> Result<bool, Verdict> {
        if self.part(run.id).await?.is_some() {
            return Ok(false);
        }
        let (its, of, seen, now) = (run.clone(), definition.clone(), indexed.clone(), self.clock.now());
        let mark = uuid::Uuid::now_v7().to_string();
        let join = move |tx: &mut Connection| {
            let rule = of.rule.name.as_str();
            if !existing::is_backfill(tx, (rule, &seen), now)? {
                return Ok(Err(None));
            }
            let expected = limit::expected(tx, &its, rule)?;
            if let Some(held) = limit::over(tx, (&its, &of, expected), now)? {
                return Ok(Err(Some(held)));
            }
            // Under another name than the model's: a batch takes nothing of what the model may do in a minute.
            let model = format!("{} ({TIER})", pace::model(&of));
            Change::Begun(NewTry { model, expected }).write(tx, its.id, now)?;
            store::join(tx, &its, now)?;
            store::gather(tx, rule, &mark, now)?;
            job::enqueue(tx, &Task::Batch { rule: rule.to_owned() }, Priority::Backfill, now)?;
            Ok(Ok(()))
        };
        match self.database.write(join).await? {
            Ok(()) => {
                self.wake.notify_waiters();
                Ok(true)
            }
            Err(None) => Ok(false),
            Err(Some(held)) => self.hold(run, held).await.map(|()| true),
        }
    }

    async fn part(&self, id: RunId) -> Result<Option<Part>, Verdict> {
        self.database.read(move |connection| store::part(connection, id)).await.map_err(Verdict::from)
    }

    /// Goes on with a run that was begun in a batch. False where it was begun otherwise.
    pub(super) async fn goes_on_in_batch(&self, run: &Run, definition: &Definition) -> Result<bool, Verdict> {
        match self.part(run.id).await? {
            None => Ok(false),
            Some(Part::Waits) => Err(Verdict::later(WAITS, GATHERED)),
            Some(Part::Left(why)) => {
                let reason = format!("asked alone, because its batch came to nothing for it: {why}");
                self.record(run.id, [Change::Excused, Change::Again(reason)]).await?;
                Ok(true)
            }
            Some(Part::Answered(answer)) => {
                let response = serde_json::from_str(&answer).ok().as_ref().and_then(response_of_line);
                match response.map(from_response) {
                    Some(ResponseState::Ended(mut ended)) => {
                        ended.service_tier = Some(TIER.to_owned());
                        self.ended(run, definition, *ended).await?;
                    }
                    _ => {
                        let reason = "asked alone, because its line in the batch is no response".to_owned();
                        self.record(run.id, [Change::Again(reason)]).await?;
                    }
                }
                Ok(true)
            }
        }
    }

    /// Brings the rule's batch a step further.
    pub async fn batch(&self, rule: &str) -> Verdict {
        self.try_batch(rule).await.err().unwrap_or(Verdict::Done)
    }

    async fn try_batch(&self, rule: &str) -> Result<(), Verdict> {
        loop {
            let of = rule.to_owned();
            let batch = self.database.read(move |connection| store::of_rule(connection, &of)).await?;
            let Some(batch) = batch else { return Ok(()) };
            match batch.stage {
                Stage::Gathering => self.gather(rule, &batch).await?,
                Stage::Sending => self.send(rule, &batch).await?,
                Stage::Creating => self.create(&batch).await?,
                Stage::Going => self.follow_batch(&batch).await?,
                Stage::Reading => self.read_answers(rule, &batch).await?,
                Stage::Clearing => self.clear(rule, &batch).await?,
            }
        }
    }

    /// Waits until nobody comes any more, and decides who goes with it.
    async fn gather(&self, rule: &str, batch: &Batch) -> Result<(), Verdict> {
        let of = rule.to_owned();
        let gathered = self.database.read(move |connection| store::gathered(connection, &of)).await?;
        let id = batch.id;
        if gathered.runs == 0 {
            return self.write_batch(move |tx, _| store::forget(tx, id)).await;
        }
        let at = gathered.last_at.saturating_add(QUIET_MS).min(gathered.first_at.saturating_add(LONGEST_MS));
        let left = at - self.clock.now();
        if left > 0 && gathered.runs < MOST_REQUESTS as i64 {
            let wait = Duration::from_millis(left.unsigned_abs());
            return Err(Verdict::later(wait, "the batch is sent when nobody has come for a while"));
        }
        let Some(definition) = self.definition(rule).cloned() else {
            // Its runs end by themselves, as those of a rule that is gone.
            return self.write_batch(move |tx, _| store::forget(tx, id)).await;
        };
        let stores = self.stores(&definition).await?;
        let (mut after, mut bytes, mut going) = (RunId(0), 0, Vec::new());
        'all: loop {
            let of = rule.to_owned();
            let page = move |connection: &mut Connection| store::waiting(connection, &of, after, BITE);
            let runs = self.database.read(page).await?;
            let Some(last) = runs.last() else { break };
            after = last.id;
            for run in &runs {
                bytes += line(&definition, run, &stores).len();
                if going.len() == MOST_REQUESTS || (bytes > MOST_BYTES && !going.is_empty()) {
                    break 'all;
                }
                going.push(run.id);
            }
        }
        self.write_batch(move |tx, now| {
            store::send(tx, id, &going)?;
            store::goes_on(tx, id, Stage::Sending, now)
        })
        .await
    }

    /// Uploads the file of requests. One whose upload was not answered is found by its name and removed, and another is sent.
    async fn send(&self, rule: &str, batch: &Batch) -> Result<(), Verdict> {
        let id = batch.id;
        let definition = self.definition(rule).cloned();
        let runs = self.all_sent(id).await?;
        let (Some(definition), false) = (definition, runs.is_empty()) else {
            return self.to_stage(id, Stage::Clearing).await;
        };
        let name = format!("docket-{}.jsonl", batch.mark);
        if batch.tried_at.is_some() {
            if let Some(file) = self.request_file(&name).await? {
                self.delete_batch_file(&file).await?;
            } else if self.clock.since(batch.tried_at.unwrap_or_default()) < FRESH_MS {
                return Err(Verdict::later(
                    LOOK_AGAIN.0,
                    "looking whether the batch's requests were uploaded",
                ));
            }
            let mark = uuid::Uuid::now_v7().to_string();
            return self.write_batch(move |tx, _| store::rename(tx, id, &mark)).await;
        }
        let stores = self.stores(&definition).await?;
        let mut text = String::new();
        for run in &runs {
            text.push_str(&line(&definition, run, &stores));
        }
        if text.is_empty() {
            self.give_all_back(id, "it cannot be shown its document").await?;
            return self.to_stage(id, Stage::Clearing).await;
        }
        self.write_batch(move |tx, now| store::try_now(tx, id, now)).await?;
        match self.openai.upload_requests(&name, text.into()).await {
            Ok(file) => self.write_batch(move |tx, now| store::has_input(tx, id, &file.id, now)).await,
            Err(error) if error.may_have_happened() => Err(openai_verdict(&error)),
            Err(error) => self.not_begun_together(batch, &error).await,
        }
    }

    /// Makes the batch. One whose creation was not answered is found by its metadata.
    async fn create(&self, batch: &Batch) -> Result<(), Verdict> {
        let id = batch.id;
        let Some(input) = &batch.input_file else { return self.to_stage(id, Stage::Clearing).await };
        if self.nobody_waits(id).await? {
            // It may have been made all the same, and then only its file is gone.
            return self.to_stage(id, Stage::Clearing).await;
        }
        if let Some(tried_at) = batch.tried_at {
            if let Some(found) = self.batch_marked(&batch.mark).await? {
                return self.write_batch(move |tx, now| store::is(tx, id, &found, now)).await;
            }
            if self.clock.since(tried_at) < FRESH_MS {
                return Err(Verdict::later(LOOK_AGAIN.0, "looking whether the batch was made"));
            }
        }
        self.write_batch(move |tx, now| store::try_now(tx, id, now)).await?;
        let metadata = BTreeMap::from([(MARK.to_owned(), batch.mark.clone())]);
        match self.openai.create_request_batch(input, &metadata).await {
            Ok(made) => self.write_batch(move |tx, now| store::is(tx, id, &made.id, now)).await,
            Err(error) if error.is_not_found() && self.clock.since(batch.begun_at) < FRESH_MS => {
                Err(Verdict::later(LOOK_AGAIN.0, "OpenAI does not know the new file of requests yet"))
            }
            Err(error) if error.may_have_happened() => Err(openai_verdict(&error)),
            Err(error) => self.not_begun_together(batch, &error).await,
        }
    }

    /// OpenAI made nothing of it. What it refuses for good is asked alone.
    async fn not_begun_together(&self, batch: &Batch, error: &Error) -> Result<(), Verdict> {
        let id = batch.id;
        if error.retry() != Retry::Never {
            self.to_stage(id, batch.stage).await?;
            return Err(match error.kind {
                ErrorKind::RateLimited { wait } => {
                    Verdict::later(wait.unwrap_or(LOOK_AGAIN.0), &error.to_string())
                }
                _ => openai_verdict(error),
            });
        }
        self.give_all_back(id, &error.to_string()).await?;
        self.to_stage(id, Stage::Clearing).await
    }

    async fn follow_batch(&self, batch: &Batch) -> Result<(), Verdict> {
        let (id, name) = (batch.id, batch.batch.clone().unwrap_or_default());
        let found = match self.openai.request_batch(&name).await {
            Ok(found) => found,
            Err(error) if error.is_not_found() && self.clock.since(batch.begun_at) < FRESH_MS => {
                return Err(Verdict::later(LOOK_AGAIN.0, "OpenAI does not show the new batch yet"));
            }
            Err(error) if error.is_not_found() => {
                self.give_all_back(id, "OpenAI no longer has the batch").await?;
                return self.to_stage(id, Stage::Clearing).await;
            }
            Err(error) => return Err(openai_verdict(&error)),
        };
        match found.status {
            BatchStatus::Over => {
                let (output, error) = (found.output_file.clone(), found.error_file.clone());
                self.write_batch(move |tx, now| store::ended(tx, id, [output.as_ref(), error.as_ref()], now))
                    .await
            }
            BatchStatus::Failed => self.failed_together(batch, &found).await,
            BatchStatus::Going => {
                if self.nobody_waits(id).await? && batch.tried_at.is_none() {
                    // What it has answered by then is read by nobody, and its files go.
                    match self.openai.cancel_request_batch(&name).await {
                        Err(error) if error.retry() != Retry::Never && !is_over(&error) => {
                            return Err(openai_verdict(&error));
                        }
                        _ => self.write_batch(move |tx, now| store::try_now(tx, id, now)).await?,
                    }
                }
                let age = self.clock.since(batch.begun_at);
                let wait = Duration::from_millis(u64::try_from(age / 10).unwrap_or(0));
                let wait = wait.clamp(LOOK_AGAIN.0, LOOK_AGAIN.1);
                Err(Verdict::later(wait, "OpenAI works through the batch, which may take a day"))
            }
        }
    }

    /// OpenAI refused it as a whole. Where the account only has too much under way, it is sent again later.
    async fn failed_together(&self, batch: &Batch, found: &RequestBatch) -> Result<(), Verdict> {
        let id = batch.id;
        let first = found.errors.first().cloned().unwrap_or_default();
        let why = format!("OpenAI refused the batch: {} ({})", first.1, first.0);
        tracing::warn!(reason = why, "a batch of runs was refused");
        if first.0 != TOO_MUCH {
            self.give_all_back(id, &why).await?;
            return self.to_stage(id, Stage::Clearing).await;
        }
        if let Some(input) = &batch.input_file {
            self.delete_batch_file(input).await?;
        }
        let mark = uuid::Uuid::now_v7().to_string();
        self.write_batch(move |tx, now| {
            store::take_back(tx, id)?;
            store::rename(tx, id, &mark)?;
            store::goes_on(tx, id, Stage::Gathering, now)
        })
        .await?;
        Err(Verdict::later(ACCOUNT_IS_FULL, &why))
    }

    /// Gives each run what its line says, and those without one back.
    async fn read_answers(&self, rule: &str, batch: &Batch) -> Result<(), Verdict> {
        for file in [&batch.output_file, &batch.error_file].into_iter().flatten() {
            self.read_file(rule, batch.id, file).await?;
        }
        self.give_all_back(batch.id, "the batch has no line about it").await?;
        self.to_stage(batch.id, Stage::Clearing).await
    }

    async fn read_file(&self, rule: &str, id: i64, file: &FileId) -> Result<(), Verdict> {
        let mut content = match self.openai.answers_of(file, MOST_ANSWERS).await {
            Ok(download) => download.body,
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => return Err(openai_verdict(&error)),
        };
        let (mut held, mut lines, mut bytes) = (BytesMut::new(), Vec::new(), 0);
        loop {
            let piece = match content.next().await {
                Some(piece) => Some(piece.map_err(|error| openai_verdict(&error))?),
                None => None,
            };
            let is_last = piece.is_none();
            let mut looked_at = held.len();
            held.extend_from_slice(&piece.unwrap_or_default());
            while let Some(end) = held[looked_at..].iter().position(|byte| *byte == b'\n') {
                let line = held.split_to(looked_at + end + 1);
                (looked_at, bytes) = (0, bytes + line.len());
                lines.extend(BatchLine::read(line.trim_ascii()));
            }
            if is_last {
                lines.extend(BatchLine::read(held.trim_ascii()));
            } else if held.len() > LONGEST_LINE {
                return Err(Verdict::Dead {
                    reason: format!("a line of the batch's answers has more than {LONGEST_LINE} bytes"),
                });
            }
            if is_last || lines.len() >= BITE as usize || bytes >= LONGEST_LINE {
                bytes = 0;
                self.keep_lines(rule, id, std::mem::take(&mut lines)).await?;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    async fn keep_lines(&self, rule: &str, id: i64, lines: Vec<BatchLine>) -> Result<(), Verdict> {
        let rule = rule.to_owned();
        self.write_batch(move |tx, now| {
            for line in &lines {
                let Some(run) = run_of(&line.custom_id) else { continue };
                let key = match &line.came_to {
                    Ok(answer) => store::answer(tx, id, run, &answer.to_string())?,
                    Err(why) => store::give_back(tx, id, run, why)?,
                };
                wake(tx, key, &rule, now)?;
            }
            Ok(())
        })
        .await?;
        self.wake.notify_waiters();
        Ok(())
    }

    /// Takes away what it left at OpenAI. Then the next is gathered for, if somebody waits.
    async fn clear(&self, rule: &str, batch: &Batch) -> Result<(), Verdict> {
        for file in [&batch.output_file, &batch.error_file, &batch.input_file].into_iter().flatten() {
            self.delete_batch_file(file).await?;
        }
        let (id, rule, mark) = (batch.id, rule.to_owned(), uuid::Uuid::now_v7().to_string());
        self.write_batch(move |tx, now| {
            store::forget(tx, id)?;
            if store::gathered(tx, &rule)?.runs > 0 {
                store::gather(tx, &rule, &mark, now)?;
            }
            Ok(())
        })
        .await
    }

    async fn delete_batch_file(&self, file: &FileId) -> Result<(), Verdict> {
        match self.openai.delete_file(file).await {
            Err(error) if !error.is_not_found() => Err(openai_verdict(&error)),
            _ => Ok(()),
        }
    }

    /// The file of requests that has this name.
    async fn request_file(&self, name: &str) -> Result<Option<FileId>, Verdict> {
        let mut after: Option<FileId> = None;
        for _ in 0..PAGES {
            let page = self.openai.request_files(after.as_ref()).await;
            let page = page.map_err(|error| openai_verdict(&error))?;
            if let Some(found) = page.items.into_iter().find(|file| file.filename == name) {
                return Ok(Some(found.id));
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(None)
    }

    async fn batch_marked(&self, mark: &str) -> Result<Option<String>, Verdict> {
        let mut after: Option<String> = None;
        for _ in 0..PAGES {
            let page = self.openai.request_batches(after.as_ref()).await;
            let page = page.map_err(|error| openai_verdict(&error))?;
            let is_ours = |batch: &RequestBatch| batch.metadata.get(MARK).is_some_and(|its| its == mark);
            if let Some(found) = page.items.into_iter().find(is_ours) {
                return Ok(Some(found.id));
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(None)
    }

    /// The runs of the batch that have not come to anything.
    async fn all_sent(&self, id: i64) -> Result<Vec<Run>, Verdict> {
        let (mut all, mut after) = (Vec::new(), RunId(0));
        loop {
            let page = move |connection: &mut Connection| store::sent(connection, id, after, BITE);
            let runs = self.database.read(page).await?;
            let Some(last) = runs.last() else { return Ok(all) };
            after = last.id;
            all.extend(runs);
        }
    }

    async fn nobody_waits(&self, id: i64) -> Result<bool, Verdict> {
        let first = move |connection: &mut Connection| store::sent(connection, id, RunId(0), 1);
        Ok(self.database.read(first).await?.is_empty())
    }

    /// Has those asked alone that have not come to anything, a bite of them at a time.
    async fn give_all_back(&self, id: i64, why: &str) -> Result<(), Verdict> {
        loop {
            let why = why.to_owned();
            let now = self.clock.now();
            let back = move |tx: &mut Connection| {
                let runs = store::sent(tx, id, RunId(0), BITE)?;
                for run in &runs {
                    let key = store::give_back(tx, id, run.id, &why)?;
                    wake(tx, key, &run.rule, now)?;
                }
                Ok(runs.len())
            };
            if self.database.write(back).await? < BITE as usize {
                self.wake.notify_waiters();
                return Ok(());
            }
        }
    }

    async fn to_stage(&self, id: i64, stage: Stage) -> Result<(), Verdict> {
        self.write_batch(move |tx, now| store::goes_on(tx, id, stage, now)).await
    }

    async fn write_batch(
        &self,
        write: impl Fn(&mut Connection, i64) -> Result<(), crate::database::Error> + Send + 'static,
    ) -> Result<(), Verdict> {
        let now = self.clock.now();
        self.database.write(move |tx| write(tx, now)).await.map_err(Verdict::from)
    }

    /// What is refused of a rule's batches at the start.
    pub(super) fn batch_fault(definition: &Definition) -> Option<&'static str> {
        if !matches!(definition.engine, Engine::Responses { .. }) {
            return Some(
                "backfill = \"batch\" is how OpenAI processes responses: it needs engine = \"responses\"",
            );
        }
        if definition.attach.contains(&Attach::CodeInterpreter) {
            return Some(
                "backfill = \"batch\" cannot be used with code_interpreter: what code makes is gone twenty minutes later, and a batch \
                 takes up to a day",
            );
        }
        if !definition.tools.is_empty() {
            return Some(
                "backfill = \"batch\" cannot be used with tools: their key would lie in a file at OpenAI for as long as the batch goes on",
            );
        }
        None
    }
}

/// It is over, or being cancelled already.
fn is_over(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::StillProcessing | ErrorKind::Rejected { .. })
}

fn wake(
    tx: &mut Connection,
    key: Option<FileKey>,
    rule: &str,
    now: i64,
) -> Result<(), crate::database::Error> {
    let Some(key) = key else { return Ok(()) };
    job::enqueue(tx, &Task::run(key, rule), Priority::Backfill, now).map(drop)
}

/// How a run is called in a file of requests.
fn custom_id(run: &Run) -> String {
    format!("run-{}", run.id)
}

fn run_of(custom_id: &str) -> Option<RunId> {
    custom_id.strip_prefix("run-")?.parse().ok().map(RunId)
}

/// The line that asks for a run. One that cannot be shown its document asks for nothing: its run is given back, and fails alone.
fn line(definition: &Definition, run: &Run, stores: &Chain) -> String {
    match frame::shown(definition, run, stores) {
        Ok(shown) => definition.engine.batch_line((definition, run, &shown), &custom_id(run)),
        Err(_) => String::new(),
    }
}
