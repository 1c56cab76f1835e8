//! What is to stand beside a file: which run's answer, and what it is instead where it is not the answer for what the file is now under
//! what its rule asks now. Pure.

use super::super::admit::FileState;
use super::super::row::{Outcome, Run, State};
use super::super::settings::{Definition, WhenGone};
use crate::fastio::NodeId;

/// How long an analysis may take before what stands beside the file says that it is about an earlier version. Unix milliseconds.
const MARKED_AFTER_MS: i64 = 2 * 60 * 1000;

/// What is to stand beside a file.
#[derive(Debug)]
pub(super) enum Stand<'r> {
    /// What stands there, if anything does, stays as it is.
    AsItIs,
    Answer(Shown<'r>),
    /// Nothing: the rule wants results of files that are gone to go too.
    Nothing,
}

/// When it is looked at, and as what.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'a> {
    pub now: i64,
    /// Why the job is dead that was to bring the present version to OpenAI.
    pub stuck: Option<&'a str>,
    /// A job died that was to learn what the file is now, and none has learned it since.
    pub is_out_of_sight: bool,
}

/// An answer, and how it is shown.
#[derive(Debug)]
pub(super) struct Shown<'r> {
    pub run: &'r Run,
    /// What it is instead of the answer for what the file is now, in a sentence.
    pub notice: Option<String>,
    /// The file's path now, or where it was last.
    pub path: &'r str,
    /// The folder that it is in; none where it is gone from there.
    pub folder: Option<NodeId>,
}

impl<'r> Stand<'r> {
    /// What is to stand beside a file that is `file` to the rule, given the runs of the rule over it, oldest first.
    pub fn of(definition: &Definition, file: &'r FileState, runs: &'r [Run], at: At<'_>) -> Stand<'r> {
        let answers = runs.iter().filter(|run| has_answer(run));
        // Of a file that is gone the last that was known of it counts, whatever was asked then.
        let newest = answers.clone().map(|run| (run.id, &run.content_hash)).max();
        let gone = file.gone_because();
        let is_of_last = |run: &Run| {
            let is_newest = newest.is_some_and(|(_, content)| *content == run.content_hash);
            gone.is_some().then(|| (file.was_last(run), is_newest))
        };
        let rank = |run: &&Run| {
            let is_asked_now = run.definition == definition.hash;
            (file.is_about(run), is_of_last(run), is_asked_now, run.answered_at, run.id)
        };
        let Some(run) = answers.max_by_key(rank) else { return Stand::AsItIs };
        if at.is_out_of_sight && at.stuck.is_none() {
            // It is about to be looked at, or a person has given that up.
            return Stand::AsItIs;
        }
        if let Some(why) = gone {
            return match definition.when_gone {
                WhenGone::Keep => Stand::AsItIs,
                WhenGone::Mark => Stand::Answer(Shown {
                    run,
                    notice: Some(at.unseen(GONE).unwrap_or(why)),
                    path: file.last_path().unwrap_or(&run.path),
                    folder: None,
                }),
                WhenGone::Remove => Stand::Nothing,
            };
        }
        let other_question = (run.definition != definition.hash).then(|| OTHER_QUESTION.to_owned());
        let notice = if let Some(unseen) = at.unseen(EARLIER) {
            Some([Some(unseen), other_question].into_iter().flatten().collect::<Vec<_>>().join(" "))
        } else if file.is_about(run) {
            other_question
        } else {
            let Some(present) = present(file, runs, at) else { return Stand::AsItIs };
            Some(format!(
                "This is about an earlier version of the document, not about what it says now. {present}"
            ))
        };
        let (path, folder) =
            file.place().map_or((run.path.as_str(), None), |(path, folder)| (path, Some(folder)));
        Stand::Answer(Shown { run, notice, path, folder })
    }
}

impl At<'_> {
    /// What is not known, if that is so, with why.
    fn unseen(&self, what: &str) -> Option<String> {
        let why = self.stuck.filter(|_| self.is_out_of_sight)?;
        Some(format!("{what} What the document is now could not be looked at: {}", sentence(why)))
    }
}

const EARLIER: &str = "This may be about an earlier version of the document.";

const GONE: &str = "The document was gone from here when it was looked at last, and may be there again.";

const OTHER_QUESTION: &str =
    "The rule asks something else since this was found out: what follows answers its earlier question.";

fn has_answer(run: &Run) -> bool {
    let is_there = matches!(run.state, State::Answered | State::Ending | State::Ended);
    is_there && run.outcome.is_some_and(Outcome::has_result) && run.result.is_some()
}

/// What becomes of the file's present content, in a sentence; none while that is about to show.
fn present(file: &FileState, runs: &[Run], At { now, stuck, .. }: At<'_>) -> Option<String> {
    if let FileState::Unreadable(_, why) = file {
        return Some(format!("The present version could not be read: {}", sentence(why)));
    }
    let Some(run) = runs.iter().rfind(|run| file.is_about(run)) else {
        return match file {
            FileState::Present(indexed) if indexed.is_present() => {
                Some("The present version was not analysed.".to_owned())
            }
            _ => stuck
                .map(|why| format!("The present version could not be brought to OpenAI: {}", sentence(why))),
        };
    };
    let reason = run.reason.as_deref().map(sentence);
    match (run.state, run.outcome) {
        (State::Ended | State::Ending, Some(Outcome::Cancelled)) => {
            Some("The analysis of the present version was stopped.".to_owned())
        }
        (State::Ended | State::Ending, Some(outcome)) if outcome != Outcome::Superseded => {
            Some(match reason {
                Some(reason) => format!("The present version could not be analysed: {reason}"),
                None => "The present version could not be analysed.".to_owned(),
            })
        }
        // What is over in a moment is not worth a version of the result.
        _ if run.held_until.unwrap_or(now).max(now) - run.created_at <= MARKED_AFTER_MS => None,
        (State::Wanted, _) if reason.is_some() => {
            Some(format!("The analysis of the present version waits: {}", reason.unwrap_or_default()))
        }
        _ => Some("The present version is being analysed.".to_owned()),
    }
}

/// With a full stop.
fn sentence(text: &str) -> String {
    format!("{}.", text.trim_end_matches('.'))
}
