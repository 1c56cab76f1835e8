//! What is done with a file because of its result: it is moved, shared or locked, only as the rule's `actions` list it, and only because
//! of a result that may be relied on. Each stands in the audit log, with what was done or why it was left.
//!
//! ```text
//!   wanted ──▶ done
//!     ▲  └───▶ left: the rule, the file, or what a person says of the result is another by now
//!     └─────────┘ a person accepts the result
//! ```
//!
//! An action is wanted from the transaction on in which its run ends with a result that needs no review, or in which a person accepts
//! one that did. A job of its own does it. The model decides no more than the fields of its answer that the rule compares: where the
//! file goes, who sees it and for how long stand in the settings, whatever a document says.

mod listed;
pub mod store;

use super::Runs;
use super::admit::FileState;
use super::row::{Outcome, Run, RunId};
use crate::audit::{self, Entry};
use crate::database::{Connection, Error};
use crate::fastio::{FileKey, FileShareId, LONGEST_TITLE, Node, NodeId};
use crate::job::verdict::fastio_verdict;
use crate::job::{self, Task};
use crate::queue::trail::{self, What};
use crate::queue::{Priority, Verdict};
use crate::result::judgement::Said;
use crate::sync::copy::Source;
use store::{End, Open};

pub use listed::Action;

/// Who did it, as the audit log has it.
const RULE: &str = "a rule";

const SECONDS_A_DAY: u64 = 24 * 60 * 60;

/// Has done what the rule lists for this result, in its order, but what moves the file last: where the rule does not apply any more,
/// nothing else would be done. Whether there is anything to do.
pub(super) fn want(
    connection: &mut Connection,
    run: &Run,
    listed: &[Action],
    now: i64,
) -> Result<bool, Error> {
    let Some(result) = &run.result else { return Ok(false) };
    let (moves, others): (Vec<_>, Vec<_>) =
        listed.iter().filter(|action| action.follows_from(result)).partition(|action| action.is_move());
    let mut any = false;
    for (position, action) in (0..).zip(others.into_iter().chain(moves)) {
        any |= store::want(connection, run.id, (position, &text(action)), now)?;
    }
    if any {
        job::enqueue(connection, &task(run), Priority::Live, now)?;
    }
    Ok(any)
}

fn task(run: &Run) -> Task {
    Task::Act { profile: run.key.profile.clone(), node: run.key.node.clone(), run: run.id.0 }
}

/// By which an action is known: as the rule lists it.
fn text(action: &Action) -> String {
    serde_json::to_string(action).expect("a setting is plain data")
}

impl Runs {
    /// Does what is to be done because of a run's result.
    pub async fn act(&self, id: RunId) -> Verdict {
        self.try_act(id).await.map_or_else(|verdict| verdict, |()| Verdict::Done)
    }

    async fn try_act(&self, id: RunId) -> Result<(), Verdict> {
        let read = move |connection: &mut Connection| {
            Ok((super::store::get(connection, id)?, store::open(connection, id)?))
        };
        let (Some(run), open) = self.database.read(read).await? else { return Ok(()) };
        for one in open {
            let ended = match self.allowed(&run, &one).await? {
                Ok((action, node)) => {
                    let begun = self.clock.now();
                    let done = self.carry_out(&run, (&action, one.begun), &node).await?;
                    trail::done(What::Acted, (begun, self.clock.now()), action.words());
                    done
                }
                Err(reason) => {
                    if one.begun {
                        self.take_back(&run).await?;
                    }
                    End::Left { reason }
                }
            };
            self.acted(&run, &one.action, ended).await?;
        }
        Ok(())
    }

    /// The action, and the file that it is done with; or why it is not to be done any more.
    async fn allowed(&self, run: &Run, open: &Open) -> Result<Result<(Action, Node), String>, Verdict> {
        let no = |reason: &str| Ok(Err(reason.to_owned()));
        let definition = self.definition(&run.rule);
        let listed = definition.and_then(|its| its.actions.iter().find(|action| text(action) == open.action));
        let (Some(definition), Some(action)) = (definition, listed) else {
            return no("the rule does not list it any more");
        };
        match (run.judgement.as_ref().map(|its| its.said), run.outcome) {
            (Some(Said::Rejected), _) => return no("a person rejected the result"),
            (None, Some(Outcome::NeedsReview)) => return no("nobody accepts the result any more"),
            _ => {}
        }
        if run.definition != definition.hash {
            return no("the rule asks something else by now");
        }
        let standing = self.standing(&run.key, Some(definition)).await?;
        if let Some((_, why)) = standing.obsolete_because(&run.content_hash) {
            return no(why);
        }
        let FileState::Present(indexed) = &standing else {
            return Err(Verdict::later(super::steps::LOOK_AGAIN.1, "the file is about to be looked at"));
        };
        match self.source(run).await? {
            None => no(super::steps::GONE),
            Some(node) if !indexed.source.same_content(&Source::of(&node)) => {
                no("the file has a newer version")
            }
            Some(node) => Ok(Ok((action.clone(), node))),
        }
    }

    async fn carry_out(
        &self,
        run: &Run,
        (action, begun): (&Action, bool),
        node: &Node,
    ) -> Result<End, Verdict> {
        let FileKey { profile, node: file } = &run.key;
        match action {
            Action::Move { to, .. } => self.move_file(run, to, node).await,
            Action::Share { with, may, days, .. } => {
                let share = self.shared(run, (action, begun), (&node.name, *days)).await?;
                for email in with {
                    let granted = self.fastio.grant(&share, email, *may).await;
                    granted.map_err(|error| fastio_verdict(&error))?;
                }
                let reason = format!("shared with {} for {days} days", with.join(", "));
                Ok(End::Done { reason, object: Some(share.0) })
            }
            Action::Lock { minutes, .. } => {
                // Nobody keeps its token: it runs out, and Docket's own user can take it once more.
                let device = format!("Docket, rule {}", run.rule);
                let locked = self.fastio.lock(profile, file, minutes * 60, &device).await;
                locked.map_err(|error| fastio_verdict(&error))?;
                Ok(done(format!("locked for {minutes} minutes")))
            }
        }
    }

    /// Fastio puts what has the same name in that folder into the trash, so it is looked for first. Who puts a file of that name there in
    /// that moment finds theirs in the trash.
    async fn move_file(&self, run: &Run, to: &str, node: &Node) -> Result<End, Verdict> {
        let FileKey { profile, node: file } = &run.key;
        let folder = self.fastio.folder_at(profile, to).await.map_err(|error| fastio_verdict(&error))?;
        let Some(folder) = folder else {
            return Err(dead(format!("there is no folder {to} to move {} into: make it", run.path)));
        };
        let parent = node.parent.clone().unwrap_or_else(NodeId::root);
        if parent.canonical() == folder.canonical() {
            return Ok(done(format!("it is in {to}")));
        }
        let taken = self.fastio.child(profile, &folder, &node.name).await;
        if taken.map_err(|error| fastio_verdict(&error))?.is_some() {
            return Err(dead(format!(
                "{to} has another {}, which Fastio would put into the trash: rename one of them",
                node.name
            )));
        }
        let moved = self.fastio.move_to(profile, file, &folder).await;
        moved.map_err(|error| fastio_verdict(&error))?;
        Ok(done(format!("moved from {} to {to}", run.path)))
    }

    /// The link to a file: the one that was begun, should it have been made, or a new one.
    async fn shared(
        &self,
        run: &Run,
        (action, begun): (&Action, bool),
        (name, days): (&str, u32),
    ) -> Result<FileShareId, Verdict> {
        let FileKey { profile, node: file } = &run.key;
        if begun && let Some(share) = self.begun_link(run).await? {
            return Ok(share);
        }
        let (id, its, now) = (run.id, text(action), self.clock.now());
        self.database.write(move |tx| store::begin(tx, id, &its, now)).await?;
        let title = titled(name, run);
        let made = self.fastio.share_file(profile, file, (&title, u64::from(days) * SECONDS_A_DAY)).await;
        made.map_err(|error| fastio_verdict(&error))
    }

    /// The link that was begun for a run, should it have been made: its title tells, and what else the run has made is on record.
    async fn begun_link(&self, run: &Run) -> Result<Option<FileShareId>, Verdict> {
        let (FileKey { profile, node: file }, id, ending) = (&run.key, run.id, ending(run));
        let known = self.database.read(move |connection| store::all(connection, id)).await?;
        let is_known = |share: &FileShareId| known.iter().any(|one| one.object.as_ref() == Some(&share.0));
        let all = self.fastio.file_shares(profile).await.map_err(|error| fastio_verdict(&error))?;
        let begun = all.into_iter().find(|share| share.is(file, &ending) && !is_known(&share.id));
        Ok(begun.map(|share| share.id))
    }

    /// Ends the link that was begun and is not wanted any more, should it have been made.
    async fn take_back(&self, run: &Run) -> Result<(), Verdict> {
        let Some(share) = self.begun_link(run).await? else { return Ok(()) };
        match self.fastio.end_file_share(&share).await {
            Err(error) if !error.is_not_found() => Err(fastio_verdict(&error)),
            _ => Ok(()),
        }
    }

    /// Writes down what became of it, once, and has the file looked at.
    async fn acted(&self, run: &Run, action: &str, end: End) -> Result<(), Verdict> {
        let (run, action, now) = (run.clone(), action.to_owned(), self.clock.now());
        let write = move |tx: &mut Connection| {
            if !store::end(tx, run.id, (&action, &end), now)? {
                return Ok(());
            }
            let listed: Option<Action> = serde_json::from_str(&action).ok();
            let (what, follows) = listed.map_or(("act", action.clone()), |one| (one.as_str(), one.words()));
            let why = match &end {
                End::Done { reason, .. } => format!("{follows}: {reason}"),
                End::Left { reason } => format!("{follows}: left, because {reason}"),
            };
            let entry = Entry {
                who: RULE,
                name: Some(&run.rule),
                action: what,
                about: &format!("run:{}", run.id),
                filter: None,
                number: 1,
                why: Some(&why),
            };
            audit::record(tx, &entry, now)?;
            tracing::info!(
                run.id = run.id.0,
                rule = run.rule,
                path = run.path,
                action = what,
                why,
                "a result was acted on"
            );
            let look = Task::File { profile: run.key.profile.clone(), node: run.key.node.clone() };
            job::enqueue(tx, &look, Priority::Live, now).map(drop)
        };
        self.database.write(write).await?;
        self.wake.notify_waiters();
        Ok(())
    }
}

/// The title of a run's link, by which it is known.
fn titled(name: &str, run: &Run) -> String {
    let ending = ending(run);
    let name: String = name.chars().take(LONGEST_TITLE - ending.chars().count()).collect();
    name + &ending
}

fn ending(run: &Run) -> String {
    format!(" (Docket run {})", run.id)
}

fn done(reason: String) -> End {
    End::Done { reason, object: None }
}

/// A person has to do something first.
fn dead(reason: String) -> Verdict {
    Verdict::Dead { reason: format!("{reason}, then retry the job") }
}
