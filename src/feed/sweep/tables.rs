//! The last list: our own tables, in their order, against what was on the lists of the others. What is on none of them is
//! a ghost; the ghosts of a rule are counted before the first of them goes.

use std::collections::BTreeMap;

use super::files::Known;
use super::repair::{Correction, Repair};
use super::report::Stopped;
use super::stores::{finding, place};
use super::{Finding, Sweeper};
use crate::event::FileKey;
use crate::feed::Error;
use crate::feed::adopt::{file_key, text};
use crate::feed::compare::Kind;
use crate::feed::patience::patiently;
use crate::openai;
use crate::sync::copy::{Copy, CopyState};
use crate::sync::survey::{self, FileRow};

/// Files looked at at once.
const PAGE: u32 = 500;

/// Of one rule: files that have copies, and ghosts among them.
#[derive(Debug, Default)]
struct Count {
    all: u64,
    ghosts: u64,
}

/// A file of ours that Fastio does not list.
struct Ghost {
    key: FileKey,
    rule: String,
    path: String,
    why: &'static str,
    /// Whether its job would remove anything.
    held: bool,
}

impl Sweeper<'_> {
    pub async fn tables(&mut self) -> Result<(), Error> {
        let counts = self.count_ghosts().await?;
        let settings = &self.feed.sweeps;
        let too_many = |count: &Count| {
            count.ghosts > u64::from(settings.limit_files)
                && count.ghosts * 100 > count.all * u64::from(settings.limit_percent)
        };
        if !self.scope.beyond_limit {
            let stopped = counts.into_iter().filter(|(_, count)| too_many(count));
            self.report.stopped = stopped
                .map(|(rule, count)| Stopped { rule, would_lose: count.ghosts, of: count.all })
                .collect();
        }
        let mut after = String::new();
        while let Some((ids, known)) = self.table_page(&mut after).await? {
            let mut repairs = Vec::new();
            for id in &ids {
                let (row, copies) = known.of(id);
                if self.files.has(id) {
                    repairs.extend(self.lost_copy(id, copies).await?);
                } else if let Some(ghost) = self.ghost(id, row, copies) {
                    let stopped = self.report.stopped.iter().any(|stopped| stopped.rule == ghost.rule);
                    if !(stopped && ghost.held) {
                        repairs.push(ghost.repair());
                    }
                }
            }
            self.repair(repairs).await?;
        }
        Ok(())
    }

    async fn count_ghosts(&self) -> Result<BTreeMap<String, Count>, Error> {
        let mut counts: BTreeMap<String, Count> = BTreeMap::new();
        let mut after = String::new();
        while let Some((ids, known)) = self.table_page(&mut after).await? {
            for id in &ids {
                let (row, copies) = known.of(id);
                if copies.is_empty() {
                    continue;
                }
                let count = counts.entry(rule(row, copies)).or_default();
                count.all += 1;
                let ghost = !self.files.has(id) && self.ghost(id, row, copies).is_some();
                count.ghosts += u64::from(ghost);
            }
        }
        Ok(counts)
    }

    async fn table_page(&self, after: &mut String) -> Result<Option<(Vec<String>, Known)>, Error> {
        let mut connection = self.feed.database.read().acquire().await?;
        let ids = survey::store::page(&mut connection, after, PAGE).await?;
        drop(connection);
        let Some(last) = ids.last() else { return Ok(None) };
        last.clone_into(after);
        let texts: Vec<&str> = ids.iter().map(String::as_str).collect();
        let known = self.feed.known(&texts).await?;
        Ok(Some((ids, known)))
    }

    /// Whether a file that Fastio does not list is known to be none that should be held.
    fn ghost(&self, id: &str, row: Option<&FileRow>, copies: &[Copy]) -> Option<Ghost> {
        let key = file_key(id)?;
        let concerned = self.feed.rules.concern(&key.profile);
        let partial = self.scope.rule.is_some() || self.scope.profile.is_some();
        // Without its workspace's whole list nothing is known; and a rule that is gone is a matter for a full sweep.
        if (concerned && !self.profiles.contains(&key.profile)) || (!concerned && partial) {
            return None;
        }
        // A job saw it after the list was begun.
        if row.is_some_and(|row| row.was_seen() && row.seen_at >= self.started_at && row.state == "present") {
            return None;
        }
        let held = !copies.is_empty();
        let settled =
            row.is_none_or(|row| row.state == "gone" || (row.state == "skipped" && row.rules.is_empty()));
        if !held && settled {
            return None;
        }
        let why = match (concerned, row.is_some_and(|row| row.state == "gone")) {
            (false, _) => "no rule covers its workspace any more",
            (true, true) => "it is deleted, and still held",
            (true, false) => "Fastio does not list it where a rule covers it",
        };
        let path = row.map(|row| row.path.clone()).unwrap_or_default();
        Some(Ghost { key, rule: rule(row, copies), path, why, held })
    }

    /// A copy that we take for searchable, and that OpenAI does not list.
    async fn lost_copy(&mut self, id: &str, copies: &[Copy]) -> Result<Option<Repair>, Error> {
        let Some(key) = file_key(id) else { return Ok(None) };
        let started_at = self.started_at;
        let settled = |copy: &&Copy| copy.state == CopyState::Indexed && copy.since < started_at;
        for copy in copies.iter().filter(settled) {
            let Some(file_id) = &copy.file_id else { continue };
            let gone = self.has_objects && !self.objects.has(&file_id.0);
            let detached = self.stores.contains(&copy.store) && !self.held.has(&place(&copy.store, file_id));
            if !gone && !detached {
                continue;
            }
            let (why, correction) = if gone {
                ("somebody deleted its File object", Correction::Object(copy.id))
            } else {
                ("somebody took it out of the vector store", Correction::Attachment(copy.id))
            };
            // A list is a moment's view, and this one is some minutes old.
            if gone && !self.scope.dry_run {
                let call = || self.feed.openai.file(file_id);
                match patiently(self.feed.sweeps.page_tries, openai::Error::retry, call).await {
                    Err(error) if error.is_not_found() => {}
                    Ok(_) => continue,
                    Err(error) => {
                        self.incomplete(format!("File object {file_id}"), &error);
                        continue;
                    }
                }
            }
            let finding = finding(Kind::Missing, why, (&key, copy));
            return Ok(Some(Repair { finding, key, correction: Some(correction), job: true }));
        }
        Ok(None)
    }
}

impl Known {
    fn of(&self, id: &str) -> (Option<&FileRow>, &[Copy]) {
        (self.rows.get(id), self.copies.get(id).map_or(&[][..], Vec::as_slice))
    }
}

impl Ghost {
    fn repair(self) -> Repair {
        let finding = Finding {
            kind: Kind::Ghost,
            why: self.why.to_owned(),
            source_id: self.key.to_string(),
            path: self.path,
            vector_store: None,
            file_id: None,
        };
        Repair { finding, key: self.key, correction: None, job: true }
    }
}

/// The rule that a file's copies count for: the first one it had.
fn rule(row: Option<&FileRow>, copies: &[Copy]) -> String {
    let of_row = row.and_then(|row| row.rules.split(',').next()).filter(|rule| !rule.is_empty());
    let of_copy = || copies.iter().find_map(|copy| text(copy.attributes.as_ref()?, "rule"));
    of_row.or_else(of_copy).unwrap_or_default().to_owned()
}
