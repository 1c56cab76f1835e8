//! The third list: the project's File objects. Those that belong to a copy are only noted; among the others are the
//! uploads that we gave up and that landed all the same.
//!
//! A File object carries nothing of ours but its name, so it is ours only when an upload of ours is on record that was
//! not answered, with that name, that size and that time, and when there are not more such objects than such uploads. Where
//! the server is seen to keep our files under other names, the name says nothing, and size and time have to.

use std::collections::HashMap;
use std::time::Duration;

use super::difference::Kind;
use super::repair::{Correction, Repair};
use super::{Finding, Sweeper, Tell};
use crate::fastio::FileKey;
use crate::feed::Error;
use crate::feed::patience::{first, patiently};
use crate::http::pages::Pages;
use crate::openai::{self, File, FileId, VectorStoreId};
use crate::sync::budget;
use crate::sync::form::is_part;
use crate::sync::survey::{self, Adopted, Called, LostUpload};

/// Lost uploads that are looked for at once; the newest. More would mean that nothing has got through for days.
const MOST_LOST: u32 = 10_000;

/// How far OpenAI's clock may be from ours.
const CLOCKS_APART: Duration = Duration::from_secs(120);

/// A name and a size.
type Name = (String, u64);

impl Sweeper<'_> {
    pub async fn all_objects(&mut self) -> Result<(), Error> {
        if self.scope.rule.is_some() || self.scope.profile.is_some() {
            // They belong to no rule.
            return Ok(());
        }
        let rows = self.feed.database.read(|c| survey::store::lost_uploads(c, MOST_LOST)).await?;
        let mut lost: HashMap<u64, Vec<LostUpload>> = HashMap::new();
        for row in rows {
            lost.entry(row.bytes).or_default().push(row);
        }
        let mut candidates: HashMap<Name, Vec<FileId>> = HashMap::new();
        let (mut otherwise, mut renames) = (Vec::new(), false);
        let (mut pages, mut after) = (Pages::default(), None::<FileId>);
        let mut held = (0_u64, 0_u64);
        loop {
            let call = || self.feed.openai.files(after.as_ref());
            let page = match patiently(self.feed.sweeps.page_tries, openai::Error::retry, call).await {
                Ok(page) => page,
                Err(error) => {
                    self.incomplete("OpenAI's File objects".to_owned(), &error);
                    return Ok(());
                }
            };
            self.report.objects_listed += page.items.len() as u64;
            self.report.unreadable += page.unreadable;
            for file in &page.items {
                held = (held.0 + 1, held.1.saturating_add(file.bytes.unwrap_or_default()));
                self.objects.add(&file.id.0);
                match looks_lost(file, &lost) {
                    Some((name, Called::Otherwise)) => otherwise.push((name, file.id.clone())),
                    Some((name, _)) => candidates.entry(name).or_default().push(file.id.clone()),
                    None => {}
                }
            }
            renames = renames || (!lost.is_empty() && self.renames(&page.items).await?);
            let read = self.report.read();
            (self.tell)(Tell::Read(read));
            let Some(next) = page.next else { break };
            if let Err(endless) = pages.turn(page.items.len(), first(&page.items, |file| &file.id.0)) {
                self.incomplete("OpenAI's File objects".to_owned(), &endless);
                return Ok(());
            }
            after = Some(next);
        }
        self.objects.close();
        self.has_objects = true;
        let now = self.feed.clock.now();
        if !self.scope.dry_run {
            self.feed.database.write(move |tx| budget::store::saw(tx, held, now)).await?;
        }
        for (name, file) in otherwise.into_iter().filter(|_| renames) {
            candidates.entry(name).or_default().push(file);
        }
        for ((filename, bytes), files) in candidates {
            let mut uploads = lost.get(&bytes).cloned().unwrap_or_default();
            uploads.retain(|upload| upload.filename == filename);
            self.orphans(files, uploads).await?;
        }
        Ok(())
    }

    /// Whether the server keeps files of ours under other names than they were sent with.
    async fn renames(&self, files: &[File]) -> Result<bool, Error> {
        let names = files.iter().map(|file| (file.id.0.clone(), file.filename.clone())).collect();
        Ok(self.feed.database.read(move |c| survey::store::any_renamed(c, &names)).await?)
    }

    /// `uploads` have one name and one size, and `files` may be theirs.
    async fn orphans(&mut self, files: Vec<FileId>, uploads: Vec<LostUpload>) -> Result<(), Error> {
        let Some(bytes) = uploads.first().map(|upload| upload.bytes) else { return Ok(()) };
        let ids = files.clone();
        let read = self.feed.database.read(move |c| {
            let ours = survey::store::copies_by_object(c, &ids)?;
            // An upload under way may have made it, and will say so itself.
            Ok((ours, survey::store::is_uploading(c, bytes)?))
        });
        let (ours, busy) = read.await?;
        let free: Vec<FileId> = files.into_iter().filter(|id| !ours.contains_key(id)).collect();
        if busy || free.is_empty() {
            return Ok(());
        }
        if free.len() > uploads.len() {
            self.report.ambiguous += free.len() as u64;
            return Ok(());
        }
        // Which is of which upload is not to be known, and matters where they sent different texts.
        let is_one_content = uploads.iter().all(|upload| upload.content_hash == uploads[0].content_hash);
        // The job attaches it when the file still is what was uploaded, and deletes it otherwise.
        // A segment is cut and sent again by the file's own job.
        let is_whole = uploads.iter().all(|upload| !is_part(&upload.filename));
        let state = if is_one_content && is_whole { "uploaded" } else { "retiring" };
        let repairs = free.into_iter().zip(&uploads).filter_map(|(id, upload)| orphan(id, upload, state));
        let repairs = repairs.collect();
        self.repair(repairs).await
    }
}

/// The name of the lost upload that `file` is the likeliest to come from, and how likely its own name makes that.
fn looks_lost(file: &File, lost: &HashMap<u64, Vec<LostUpload>>) -> Option<(Name, Called)> {
    let made_at = file.created_at?.saturating_mul(1000);
    let millis = |span: Duration| i64::try_from(span.as_millis()).expect("hours fit");
    let fits = |upload: &&LostUpload| {
        (upload.begun_at - millis(CLOCKS_APART)..=upload.lost_at + survey::LANDS_WITHIN_MS).contains(&made_at)
    };
    let fitting = lost.get(&file.bytes?)?.iter().filter(fits);
    let called = fitting.map(|upload| (Called::of(&file.filename, &upload.filename), upload));
    let (called, upload) = called.min_by_key(|(called, _)| *called)?;
    Some(((upload.filename.clone(), upload.bytes), called))
}

fn orphan(id: FileId, upload: &LostUpload, state: &'static str) -> Option<Repair> {
    let key: FileKey = upload.source_id.parse().ok()?;
    let why = "an upload that was given up landed after all";
    let finding = Finding {
        file_id: Some(id.to_string()),
        ..Finding::new(Kind::Orphan, why, &upload.source_id, &upload.filename)
    };
    let adopted = Adopted {
        source_id: upload.source_id.clone(),
        profile: key.profile.to_string(),
        node: key.node.to_string(),
        path: String::new(),
        rule: String::new(),
        store: VectorStoreId(upload.vector_store.clone()),
        state,
        source: upload.source.clone(),
        content_hash: upload.content_hash.clone(),
        filename: upload.filename.clone(),
        bytes: upload.bytes,
        file_id: id,
        attributes: None,
        segment: None,
    };
    let correction = Some(Correction::Adopt(Box::new(adopted), Some(upload.id)));
    Some(Repair { finding, key, correction, job: true })
}
