//! What follows from how a response ended. [States](../../docs/states.md) has the same as a table.
//!
//! A limit of the account, or an account without credit, is waited for and is no try. Trouble of the service and answers that
//! cannot be read are tried again, a bounded number of times, each of which is paid for. What was asked and what was shown fail
//! again, so they are final, but for a document that is too large: it is shown once in the other way that its rule allows.

use std::time::Duration;

use serde_json::Value;

use super::Runs;
use super::batch;
use super::engine::{Ended, How};
use super::frame;
use super::pace::{self, Struck, limit_reached};
use super::row::{Outcome, Run};
use super::settings::Definition;
use super::store::Change;
use super::store::tries::Spent;
use crate::openai::{About, Failure};
use crate::queue::Verdict;
use crate::queue::trail::{self, What};

/// Answers of one run that may be no answer: broken, empty, or cut for no reason that is told. A model that gives three such
/// gives a fourth, and each is paid for.
const MOST_ANSWERS: u16 = 3;

/// Answers that may be cut by the model's own length or by a filter. What is cut once may be chance; a model that fills its
/// window with blanks is paid for by the token.
const MOST_CUT: u16 = 2;

/// Waits before a response that failed for the service's reasons is made again: an outage of minutes passes, and a document that
/// the service always fails on is paid for four times.
const TRY_AGAIN: [Duration; 3] =
    [Duration::from_secs(10), Duration::from_secs(60), Duration::from_secs(5 * 60)];

/// How a response was processed that costs half, as one of a batch does (OpenAI's price list in November 2026, as others tell it).
const FLEX: &str = "flex";

/// Between an answer that is none and the next.
const ASK_AGAIN: Duration = Duration::from_secs(1);

impl Runs {
    /// The response has ended, in one of many ways.
    pub(super) async fn ended(
        &self,
        run: &Run,
        definition: &Definition,
        ended: Ended,
    ) -> Result<(), Verdict> {
        let now = self.clock.now();
        let model = ended.model.clone().unwrap_or_default();
        trail::done(What::Answered, (run.begun_at.unwrap_or(now), now), model);
        if matches!(ended.how, How::Completed | How::Incomplete(_)) {
            self.speed_up((run, definition)).await?;
        }
        match &ended.how {
            How::Completed => self.answer(run, definition, ended).await,
            How::Incomplete(why) => self.cut((run, definition), &ended, why).await,
            How::Failed(failure) => self.failed((run, definition), &ended, failure).await,
            How::Cancelled => {
                let late = self.clock.since(run.begun_at.unwrap_or(0)) >= definition.deadline_ms;
                let reason = if late {
                    format!("it took longer than {} s and was cancelled", definition.deadline_ms / 1000)
                } else {
                    "it was cancelled at OpenAI".to_owned()
                };
                self.end_without(run, (&ended, Outcome::Failed), &reason).await
            }
            How::Stuck(what) => {
                if let (Some(conversation), Some(response)) = (run.made_in(), &run.response) {
                    let cancelled = definition.engine.cancel(&self.openai, conversation, response).await;
                    if let Err(error) = cancelled {
                        return Err(self.unanswered(definition, &error).await);
                    }
                }
                if let Some(tool) = &ended.output.approval {
                    let reason =
                        format!("the model asks to use {tool} of Fastio, which the rule leaves to a person");
                    return self.asks_a_person((run, definition), &ended, &reason).await;
                }
                let reason = format!("it waits for {what}, which no person is there to give");
                self.end_without(run, (&ended, Outcome::Failed), &reason).await
            }
        }
    }

    /// It goes no further without a person: the result says what it asks, and needs a review.
    pub(super) async fn asks_a_person(
        &self,
        (run, definition): (&Run, &Definition),
        ended: &Ended,
        reason: &str,
    ) -> Result<(), Verdict> {
        let outcome = Outcome::NeedsReview;
        let mut result = self.result(run, definition, ended);
        result["outcome"] = outcome.as_str().into();
        result["checks"] = Value::Array(Vec::new());
        result["notes"] = Value::Array(vec![format!("There is no answer yet: {reason}.").into()]);
        let answered = Change::Answered { outcome, reason: Some(reason.to_owned()), result };
        self.record(run.id, [Change::Spent(spent(ended, definition)), answered]).await
    }

    /// The answer is not whole.
    async fn cut(
        &self,
        (run, definition): (&Run, &Definition),
        ended: &Ended,
        why: &str,
    ) -> Result<(), Verdict> {
        match (why, definition.max_output_tokens) {
            // The same limit cuts the next one as well.
            ("max_output_tokens", Some(limit)) => {
                let reason = format!(
                    "the answer needs more than max_output_tokens = {limit}: raise it in the rule, then \
                     `docket runs again --rule {}`",
                    run.rule
                );
                self.end_without(run, (ended, Outcome::Held), &reason).await
            }
            ("max_output_tokens", None) => {
                let reason = "the answer is longer than the model can write";
                self.ask_again((run, definition), ended, (reason, MOST_CUT)).await
            }
            ("content_filter", _) => {
                let reason = "the answer is incomplete: content_filter, so a filter of OpenAI cut it off";
                self.ask_again((run, definition), ended, (reason, MOST_CUT)).await
            }
            (why, _) => {
                let reason = format!("the answer is incomplete: {why}");
                self.ask_again((run, definition), ended, (&reason, MOST_ANSWERS)).await
            }
        }
    }

    /// The answer cannot be a result.
    pub(super) async fn broken(
        &self,
        asked: (&Run, &Definition),
        ended: &Ended,
        reason: &str,
    ) -> Result<(), Verdict> {
        self.ask_again(asked, ended, (reason, MOST_ANSWERS)).await
    }

    /// Asks once more, unless `most` answers were none.
    async fn ask_again(
        &self,
        (run, definition): (&Run, &Definition),
        ended: &Ended,
        (reason, most): (&str, u16),
    ) -> Result<(), Verdict> {
        if run.counted() >= most {
            let reason = format!("{reason}, after {} tries", run.counted());
            return self.end_without(run, (ended, Outcome::Failed), &reason).await;
        }
        let reason = format!("asked again, because {reason}");
        tracing::warn!(run.id = run.id.0, rule = run.rule, path = run.path, reason, "no answer of use");
        let spent = Change::Spent(spent(ended, definition));
        self.record(run.id, [spent, Change::Again(reason.clone())]).await?;
        Err(Verdict::later(ASK_AGAIN, &reason))
    }

    /// The response failed.
    async fn failed(
        &self,
        (run, definition): (&Run, &Definition),
        ended: &Ended,
        failure: &Failure,
    ) -> Result<(), Verdict> {
        let said = format!("OpenAI: {} ({})", failure.message, failure.code);
        let spent = Change::Spent(spent(ended, definition));
        let struck =
            |reason: &str, asked| Struck { reason: reason.to_owned(), begun_at: run.begun_at, asked };
        match failure.about() {
            About::Limit { wait } => {
                let reason = limit_reached(definition, &said);
                self.slow_down(definition, struck(&reason, wait)).await?;
                self.record(run.id, [spent, Change::Excused, Change::Again(reason)]).await
            }
            // Whether there is credit again, only a response tells, so that it is paced as a limit is.
            About::Credit => {
                let reason = format!("the OpenAI account has no credit left: {said}");
                self.slow_down(definition, struck(&reason, None)).await?;
                self.record(run.id, [spent, Change::Excused, Change::Again(reason)]).await
            }
            About::Size => self.too_large((run, definition), &said, Some(ended)).await,
            About::Service => {
                let reason = format!("OpenAI had trouble with {}; {said}", pace::called(definition));
                self.slow_down(definition, struck(&reason, None)).await?;
                let Some(wait) = TRY_AGAIN.get(usize::from(run.counted().saturating_sub(1))) else {
                    let reason = format!("{said}, after {} tries", run.counted());
                    return self.end_without(run, (ended, Outcome::Failed), &reason).await;
                };
                self.record(run.id, [spent, Change::Again(said.clone())]).await?;
                Err(Verdict::later(*wait, &said))
            }
            About::Content => {
                let reason = format!("{said}, after {} tries", run.counted());
                self.end_without(run, (ended, Outcome::Failed), &reason).await
            }
        }
    }

    /// The document is more than can be taken at once. `ended` is the response that failed of it; without one none was begun.
    pub(super) async fn too_large(
        &self,
        (run, definition): (&Run, &Definition),
        said: &str,
        ended: Option<&Ended>,
    ) -> Result<(), Verdict> {
        let is_searched = frame::is_searched_instead(definition, run);
        let Some(way) = frame::other_way(definition).filter(|_| !is_searched) else {
            let cure = if is_searched {
                "file_search was too much, too; use a model that reads more, or split the document"
            } else if frame::is_shown_whole(definition) {
                "the rule allows no other way: set too_large = \"file_search\" in [rule.run], use a model that reads more, or split \
                 the document"
            } else {
                "the rule does not show it whole, and that is too much, too; use a model that reads more, or split the document"
            };
            let reason =
                format!("the document is too large for {}: {said}; {cure}", pace::called(definition));
            return match ended {
                Some(ended) => self.end_without(run, (ended, Outcome::Failed), &reason).await,
                None => self.ending(run, Outcome::Failed, &reason).await,
            };
        };
        let reason = format!("too large to be read whole ({said}); it is searched instead");
        tracing::warn!(
            run.id = run.id.0,
            rule = run.rule,
            path = run.path,
            reason,
            "a document is shown in another way"
        );
        let mut changes = vec![Change::OtherWay(way.as_str())];
        match ended {
            Some(ended) => {
                let spent = Change::Spent(spent(ended, definition));
                changes.extend([spent, Change::Excused, Change::Again(reason)]);
            }
            None => changes.push(Change::Waits(Some(reason))),
        }
        self.record(run.id, changes).await
    }
}

/// What the response took.
pub(super) fn spent(ended: &Ended, definition: &Definition) -> Spent {
    let word = match ended.how {
        How::Completed => "completed",
        How::Incomplete(_) => "incomplete",
        How::Failed(_) => "failed",
        How::Cancelled => "cancelled",
        How::Stuck(_) => "stuck",
    };
    let cost = ended.usage.as_ref().and_then(|usage| Some(definition.price?.of(usage)));
    let is_half = matches!(ended.service_tier.as_deref(), Some(FLEX | batch::TIER));
    let cost = cost.map(|cost| if is_half { cost / 2 } else { cost });
    Spent {
        ended: word,
        input_tokens: ended.usage.map(|usage| usage.input_tokens),
        output_tokens: ended.usage.map(|usage| usage.output_tokens),
        cost,
    }
}
