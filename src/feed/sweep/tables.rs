//! The last list: our own tables, in their order, against what was on the lists of the others. What is on none of them is
//! a ghost; the ghosts of a rule are counted before the first of them goes.

use super::difference::Kind;
use super::files::Known;
use super::repair::{Correction, Repair};
use super::report::Stopped;
use super::stores::{finding, place};
use super::{Finding, Sweeper};
use crate::database::Connection;
use crate::fastio::FileKey;
use crate::feed::Error;
use crate::feed::losses::{Holder, Losses};
use crate::feed::patience::patiently;
use crate::openai::{self, FileId};
use crate::sync::copy::{Copy, CopyId};
use crate::sync::store::{FileRow, Held};
use crate::sync::survey;

/// Files looked at at once.
const PAGE: u32 = 500;

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
        let losses = self.count_ghosts().await?;
        if !self.scope.beyond_limit {
            let stopped = losses.too_many(&self.feed.sweeps);
            let approved = |rule: &String| self.scope.approved.get(rule).copied().unwrap_or(0);
            self.report.stopped = stopped
                .filter(|(rule, count)| count.losing > approved(rule))
                .map(|(rule, count)| Stopped { rule, would_lose: count.losing, of: count.all })
                .collect();
        }
        let mut after = String::new();
        while let Some((ids, known)) = self.unlisted(&mut after).await? {
            let mut repairs = Vec::new();
            for id in &ids {
                let (row, copies) = known.of(id);
                let Some(ghost) = self.ghost(id, row, copies) else { continue };
                let stopped =
                    ghost.held && self.report.stopped.iter().any(|stopped| stopped.rule == ghost.rule);
                // Stopped, it stays; who asks what would go is told each, and who decides about it has the first on record.
                if !stopped || self.scope.dry_run {
                    repairs.push(Repair { job: !stopped, ..ghost.repair() });
                } else {
                    self.keep(ghost.repair().finding);
                }
            }
            self.repair(repairs).await?;
        }
        self.lost_copies().await
    }

    /// Of each rule, the files that have copies, and those that would lose them.
    async fn count_ghosts(&self) -> Result<Losses, Error> {
        let mut losses = Losses::of(self.feed.database.read(survey::store::held_by_rules).await?);
        let mut after = String::new();
        while let Some((ids, known)) = self.unlisted(&mut after).await? {
            for id in &ids {
                let (row, copies) = known.of(id);
                if copies.is_empty() {
                    continue;
                }
                losses.add(&Holder::of(row, copies), self.ghost(id, row, copies).is_some());
            }
        }
        Ok(losses)
    }

    /// The next of our files that are not on Fastio's list.
    async fn unlisted(&self, after: &mut String) -> Result<Option<(Vec<String>, Known)>, Error> {
        loop {
            let from = after.clone();
            let mut ids = self.feed.database.read(move |c| survey::store::page(c, &from, PAGE)).await?;
            let Some(last) = ids.last() else { return Ok(None) };
            last.clone_into(after);
            ids.retain(|id| !self.files.has(id));
            if !ids.is_empty() {
                let known = self.feed.known(ids.clone()).await?;
                return Ok(Some((ids, known)));
            }
        }
    }

    /// Whether a file that Fastio does not list is known to be none that should be held.
    fn ghost(&self, id: &str, row: Option<&FileRow>, copies: &[Copy]) -> Option<Ghost> {
        let key: FileKey = id.parse().ok()?;
        let concerned = self.feed.rules.concern(&key.profile);
        let partial = self.scope.rule.is_some() || self.scope.profile.is_some();
        // Without its workspace's whole list nothing is known; and a rule that is gone is a matter for a full sweep.
        if (concerned && !self.profiles.contains(&key.profile)) || (!concerned && partial) {
            return None;
        }
        // A job saw it after the list was begun.
        if row.is_some_and(|row| row.was_seen() && row.seen_at >= self.started_at && row.is_present()) {
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
            (true, false) => "no rule covers it any more, or Fastio no longer lists it",
        };
        let path = row.map(|row| row.path.clone()).unwrap_or_default();
        Some(Ghost { key, rule: Holder::of(row, copies).rule, path, why, held })
    }

    /// Copies that we take for searchable and that OpenAI does not list, of files that Fastio does list.
    async fn lost_copies(&mut self) -> Result<(), Error> {
        if self.stores.is_empty() && !self.has_objects {
            return Ok(());
        }
        let mut after = CopyId(0);
        loop {
            let before = self.started_at;
            let read = move |c: &mut Connection| survey::store::indexed(c, after, before, PAGE);
            let page = self.feed.database.read(read).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.copy.id;
            let mut repairs = Vec::new();
            for held in &page {
                if self.files.has(&held.source_id) {
                    repairs.extend(self.lost_copy(held).await);
                }
            }
            self.repair(repairs).await?;
        }
    }

    /// What to do about a copy that is missing on the list of File objects, or on that of its store.
    async fn lost_copy(&mut self, held: &Held) -> Option<Repair> {
        let (key, copy) = (held.source_id.parse::<FileKey>().ok()?, &held.copy);
        let file_id = copy.file_id.as_ref()?;
        let (why, correction) = if self.has_objects && !self.objects.has(&file_id.0) {
            // A list is a moment's view, and this one is some minutes old.
            if !self.scope.dry_run && !self.is_gone(file_id).await {
                return None;
            }
            ("its File object was deleted at OpenAI", Correction::Object(copy.id))
        } else if self.stores.contains(&copy.store) && !self.held.has(&place(&copy.store, file_id)) {
            ("it was taken out of the vector store", Correction::Attachment(copy.id))
        } else {
            return None;
        };
        let finding = finding(Kind::Missing, why, &key, copy);
        Some(Repair { finding, key, correction: Some(correction), job: true })
    }

    async fn is_gone(&mut self, file_id: &FileId) -> bool {
        let call = || self.feed.openai.file(file_id);
        match patiently(self.feed.sweeps.page_tries, openai::Error::retry, call).await {
            Ok(_) => false,
            Err(error) if error.is_not_found() => true,
            Err(error) => {
                self.incomplete(format!("File object {file_id}"), &error);
                false
            }
        }
    }
}

impl Known {
    fn of(&self, id: &str) -> (Option<&FileRow>, &[Copy]) {
        (self.rows.get(id), self.copies.get(id).map_or(&[][..], Vec::as_slice))
    }
}

impl Ghost {
    fn repair(self) -> Repair {
        let finding = Finding::new(Kind::Ghost, self.why, &self.key.to_string(), &self.path);
        Repair { finding, key: self.key, correction: None, job: true }
    }
}
