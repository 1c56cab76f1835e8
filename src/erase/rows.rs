//! What our tables hold of a file, and its end there.

use super::open::Open;
use crate::database::{Connection, Error, json_list};
use crate::erasure::{self, Because, Erasure, Remains};
use crate::event;
use crate::fastio::FileKey;
use crate::history;
use crate::job::{RUN_JOBS, Task};
use crate::own::{self, OwnFile};
use crate::queue;
use crate::run;
use crate::sync;

/// Removes every row of the file, unless something is still to be done about it. False when it is.
pub fn clear(
    connection: &mut Connection,
    (key, erasure): (&FileKey, &Erasure),
    events: &[String],
    now: i64,
) -> Result<bool, Error> {
    if Open::of(connection, key, erasure)?.is_some() {
        return Ok(false);
    }
    connection.overwriting(|tx| forget(tx, (key, erasure), events, now))?;
    Ok(true)
}

fn forget(
    tx: &mut Connection,
    (key, erasure): (&FileKey, &Erasure),
    events: &[String],
    now: i64,
) -> Result<(), Error> {
    let (source, id) = (key.to_string(), erasure.erasure_id);
    let add = |tx: &mut Connection, what: &str, number| erasure::store::add(tx, id, what, number);
    for own in own::store::of_source(tx, &source)? {
        if erasure.because == Because::Asked || own.gone_since.is_some() {
            own::store::forget(tx, &own.owner)?;
        } else {
            erasure::store::keep(tx, id, &kept(&own))?;
        }
    }
    let (ids, runs) = (json_list(&[&source]), run::store::open::count(tx, &source)?);
    run::store::old::forget_of(tx, &ids)?;
    add(tx, "run", runs)?;
    let blanked = event::store::blank(tx, events)?;
    add(tx, "event", blanked)?;
    let FileKey { profile, node } = key.clone();
    let tasks =
        [Task::File { profile: profile.clone(), node: node.clone() }, Task::Reading { profile, node }];
    let jobs: Vec<String> = tasks.iter().map(Task::key).collect();
    queue::store::discard_about(tx, &jobs, &format!("{RUN_JOBS}{source}"))?;
    sync::survey::store::forget_lost_of(tx, &source)?;
    sync::store::forget(tx, &ids)?;
    history::store::forget(tx, &ids)?;
    erasure::store::clear(tx, id, now)
}

/// A result that stands on beside a file that is gone.
fn kept(own: &OwnFile) -> Remains {
    Remains {
        what: "result".to_owned(),
        id: own.node.as_ref().map(ToString::to_string).unwrap_or_default(),
        why: "the rule keeps what stands beside a file that is gone (rule.run.when_gone)".to_owned(),
    }
}
