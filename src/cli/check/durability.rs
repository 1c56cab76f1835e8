//! What a crash or a failover of PostgreSQL could lose, in words: what Docket has acknowledged is kept as well as the server keeps it.

use std::io;

use super::CheckReport;
use crate::database::Durability;

const CHECK: &str = "durability";

/// Fastio does not send again what was acknowledged; the comparison finds what such an event told of.
const AFTERWARDS: &str = "afterwards docket sweep finds what the lost events told of";

pub fn judge(report: &mut CheckReport, kept: &Durability) -> io::Result<()> {
    let doubts = doubts(kept);
    if doubts.is_empty() {
        report.ok(CHECK, well(kept))?;
    }
    for doubt in doubts {
        report.warn(CHECK, doubt)?;
    }
    if !kept.invalid_indexes.is_empty() {
        report.warn(
            CHECK,
            format!(
                "invalid indexes cost every write and serve no read: REINDEX INDEX each, or DROP INDEX those that end in _ccnew or \
                 _ccold: {}",
                kept.invalid_indexes.join(", ")
            ),
        )?;
    }
    Ok(())
}

fn doubts(kept: &Durability) -> Vec<String> {
    let mut doubts = Vec::new();
    if !kept.fsync {
        doubts.push(
            "fsync is off: a crash of the database's machine can lose acknowledged events and damage the database: set fsync = on"
                .to_owned(),
        );
    }
    if !kept.full_page_writes {
        doubts.push(
            "full_page_writes is off: a crash of the database's machine in the middle of a write can damage the database: set \
             full_page_writes = on, unless its file system writes pages whole"
                .to_owned(),
        );
    }
    if kept.synchronous_commit == "off" {
        doubts.push(format!(
            "synchronous_commit is off: a crash of PostgreSQL can lose the events acknowledged in its last moments: set \
             synchronous_commit = on; {AFTERWARDS}"
        ));
    }
    doubts.extend(failover(kept).map(|doubt| format!("{doubt}; {AFTERWARDS}")));
    doubts
}

/// What only the change to a standby loses.
fn failover(kept: &Durability) -> Option<&'static str> {
    let waits_for_standby = !kept.synchronous_standbys.is_empty();
    match kept.synchronous_commit.as_str() {
        "off" | "local" if waits_for_standby => Some(
            "commits do not wait for the standbys of synchronous_standby_names: a failover can lose the events acknowledged just \
             before it: set synchronous_commit = on",
        ),
        "remote_write" if waits_for_standby => Some(
            "synchronous_commit is remote_write: when both machines go down at once, a failover can lose the events acknowledged \
             just before: set synchronous_commit = on",
        ),
        _ if !waits_for_standby && kept.standbys > 0 => Some(
            "standbys follow behind the commits: a failover to one can lose the events acknowledged just before it: name them in \
             synchronous_standby_names",
        ),
        _ => None,
    }
}

fn well(kept: &Durability) -> String {
    match kept.synchronous_standbys.as_str() {
        "" => "a crash of PostgreSQL loses nothing that was acknowledged; no standby is connected, so a lost disk takes all since \
               its last backup"
            .to_owned(),
        names => format!(
            "neither a crash of PostgreSQL nor a failover to a synchronous standby ({names}) loses what was acknowledged"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    fn safe() -> Durability {
        Durability {
            fsync: true,
            full_page_writes: true,
            synchronous_commit: "on".to_owned(),
            synchronous_standbys: String::new(),
            standbys: 0,
            invalid_indexes: Vec::new(),
        }
    }

    /// How it is judged, and the words.
    fn said(kept: &Durability) -> Vec<(Level, String)> {
        let mut report = CheckReport { rows: Vec::new(), live: None };
        judge(&mut report, kept).unwrap();
        report.rows.into_iter().map(|row| (row.level, row.message)).collect()
    }

    #[track_caller]
    fn warned(kept: &Durability, words: &[&str]) {
        let said = said(kept);
        assert_eq!(said.len(), words.len(), "{said:?}");
        for ((level, message), words) in said.iter().zip(words) {
            assert!(*level == Level::Warn && message.contains(words), "{said:?}, and not {words}");
        }
    }

    #[test]
    fn a_server_that_keeps_what_it_commits_is_well_and_says_what_it_rests_on() {
        let alone = said(&safe());
        assert!(matches!(&alone[..], [(Level::Ok, words)] if words.contains("no standby")), "{alone:?}");
        let pair = Durability { synchronous_standbys: "ANY 1 (b, c)".to_owned(), standbys: 2, ..safe() };
        for how in ["on", "remote_apply"] {
            let said = said(&Durability { synchronous_commit: how.to_owned(), ..pair.clone() });
            assert!(
                matches!(&said[..], [(Level::Ok, words)] if words.contains("(ANY 1 (b, c))")),
                "{said:?}"
            );
        }
    }

    #[test]
    fn each_setting_that_can_lose_something_is_told_with_what_is_lost() {
        warned(&Durability { fsync: false, ..safe() }, &["fsync is off"]);
        warned(&Durability { full_page_writes: false, ..safe() }, &["full_page_writes is off"]);
        let off = Durability { synchronous_commit: "off".to_owned(), ..safe() };
        warned(&off, &["synchronous_commit is off"]);
        warned(&Durability { standbys: 1, ..safe() }, &["standbys follow behind"]);
        let names = |how: &str| Durability {
            synchronous_commit: how.to_owned(),
            synchronous_standbys: "b".to_owned(),
            ..safe()
        };
        warned(&names("local"), &["do not wait"]);
        warned(&names("remote_write"), &["both machines"]);
        warned(&names("off"), &["synchronous_commit is off", "do not wait"]);
    }

    #[test]
    fn an_index_that_was_not_finished_is_named() {
        let kept = Durability { invalid_indexes: vec!["job_lane_ccnew".to_owned()], ..safe() };
        let said = said(&kept);
        assert!(
            said.iter().any(|(level, words)| *level == Level::Warn && words.contains("job_lane_ccnew")),
            "{said:?}"
        );
    }
}
