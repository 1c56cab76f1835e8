//! What each job's task has done, and what is asked when a service refused or did not answer.

use std::collections::HashMap;

use crate::clock::Clock;
use crate::database::Database;
use crate::erase::Eraser;
use crate::fastio::FileKey;
use crate::feed::Feed;
use crate::http::{AnswerCounter, PlainAnswer};
use crate::import::Importer;
use crate::job::Task;
use crate::job::verdict::{FASTIO, OPENAI, call_cause, openai_cause};
use crate::operate::query::search::Searcher;
use crate::outside::Remover;
use crate::queue::{Claimed, Handler, Verdict};
use crate::run::{RunId, Runs};
use crate::sync::Sync;
use crate::{fastio, openai, operate};

/// What a job's task says, done by the part that knows how.
#[derive(Debug)]
pub struct Work {
    pub sync: Sync,
    pub runs: Runs,
    pub(super) feed: Feed,
    pub(super) remover: Remover,
    pub(super) eraser: Eraser,
    pub(super) importer: Importer,
    pub(super) database: Database,
    pub(super) clock: Clock,
    pub(super) fastio: fastio::Client,
    pub(super) openai: openai::Client,
    /// Plain questions that were answered, by the service.
    pub(super) taken: AnswerCounter,
}

impl Handler for Work {
    async fn handle(&self, job: &Claimed) -> Verdict {
        match self.carry_out(job).await {
            // A probe is one question already.
            Verdict::Unavailable { target, after, reason, .. } if !job.is_probe() => {
                let silent = self.plain_question(&target).await == PlainAnswer::Silence;
                Verdict::Unavailable { target, after, silent, reason }
            }
            Verdict::Refused { service, cause, several, reason } => {
                match self.plain_question(&service).await {
                    PlainAnswer::Taken | PlainAnswer::Other => {
                        Verdict::Refused { service, cause, several, reason }
                    }
                    PlainAnswer::Refused => Verdict::Hold { target: service, reason },
                    PlainAnswer::Silence => {
                        Verdict::Unavailable { target: service, after: None, silent: true, reason }
                    }
                }
            }
            verdict => verdict,
        }
    }

    fn answers(&self, target: &str) -> Option<u64> {
        match target {
            FASTIO => Some(self.fastio.answers()),
            OPENAI => Some(self.openai.answers()),
            _ => None,
        }
    }

    fn done(&self) -> HashMap<String, u64> {
        let fastio =
            self.fastio.done().into_iter().map(|(operation, times)| (call_cause(FASTIO, &operation), times));
        let openai = self.openai.done().into_iter().map(|(what, times)| (openai_cause(&what), times));
        fastio.chain(openai).chain(self.taken.done()).collect()
    }
}

impl Work {
    /// What searches as an assistant does.
    pub(super) fn searcher(&self) -> Searcher {
        Searcher { database: self.database.clone(), openai: self.openai.clone() }
    }

    /// Asks what has nothing to do with any file: a service that takes it refuses something else than all of it.
    async fn plain_question(&self, target: &str) -> PlainAnswer {
        let answer = match target {
            FASTIO => self.fastio.plain_question().await,
            OPENAI => self.openai.plain_question().await,
            _ => PlainAnswer::Other,
        };
        if answer == PlainAnswer::Taken {
            self.taken.did(target);
        }
        answer
    }

    async fn carry_out(&self, job: &Claimed) -> Verdict {
        match serde_json::from_str(&job.task) {
            Ok(Task::File { profile, node }) => {
                self.sync.file(&FileKey::new(profile, node), job.attempt).await
            }
            Ok(Task::Folder { profile, node }) => self.sync.folder(&profile, &node).await,
            Ok(Task::Under { profile, node }) => self.sync.under(&profile, &node).await,
            Ok(Task::Listing { profile, node }) => self.sync.listing(&profile, &node, job.attempt).await,
            Ok(Task::Reading { profile, node }) => {
                self.sync.read(&FileKey::new(profile, node), job.attempt).await
            }
            Ok(Task::Relist { profile }) => self.feed.relist_told(profile.as_ref()).await,
            Ok(Task::Sweep { rule, dry_run }) => self.feed.sweep_asked(rule, dry_run).await,
            Ok(Task::Approved { sweep }) => self.feed.sweep_approved(&sweep).await,
            Ok(Task::Run { profile, node, rule }) => {
                self.runs.file(&FileKey::new(profile, node), &rule, job.attempt).await
            }
            Ok(Task::Act { run, .. }) => self.runs.act(RunId(run)).await,
            Ok(Task::Response { response }) => self.runs.hinted(&response, job.attempt).await,
            Ok(Task::Attach { store }) => self.sync.attach_together(&openai::VectorStoreId(store)).await,
            Ok(Task::Stray { store }) => self.sync.stray(&openai::VectorStoreId(store)).await,
            Ok(Task::Digest { rule }) => self.runs.digest(&rule).await,
            Ok(Task::Batch { rule }) => self.runs.batch(&rule).await,
            Ok(Task::Erase { profile, node }) => self.eraser.erase(&FileKey::new(profile, node)).await,
            Ok(Task::Object { kind, object }) => self.eraser.object(&kind, &object).await,
            Ok(Task::Import { import }) => self.importer.go_on(import).await,
            Ok(Task::Bulk { bulk }) => {
                let definitions = self.runs.definitions();
                operate::bulk::carry_out(&self.database, (definitions, &self.clock), bulk).await
            }
            Ok(Task::Leftover { leftover, .. }) => self.remover.remove(leftover).await,
            Err(error) => {
                Verdict::Dead { reason: format!("this version cannot read the job's task: {error}") }
            }
        }
    }
}
