//! An upload whose end was not recorded: what it made is found again, or it is known to have made nothing.

use std::time::Duration;

use super::Sync;
use super::apply::Progress;
use super::attributes;
use super::copy::Copy;
use super::store::{self, Change};
use super::survey::{self, Called, LostUpload};
use crate::fastio::FileKey;
use crate::job::verdict::{database_verdict, openai_has, openai_verdict};
use crate::openai::{File, FileId};
use crate::queue::Verdict;

/// How far OpenAI's clock may be from ours when we look for a File object by its time.
const CLOCKS_APART: Duration = Duration::from_secs(120);

/// Pages of File objects that are searched for one whose upload was not answered. They come newest first and end at
/// its time, so this is reached only by a project that adds files by the hundred thousand in minutes.
const PAGES: usize = 50;

/// File objects that an upload may have made.
struct Found {
    files: Vec<FileId>,
    /// They have the very name that it was sent with.
    as_sent: bool,
}

impl Sync {
    /// Finds out what an upload made whose end was not recorded.
    pub(super) async fn settle(&self, key: &FileKey, copy: &Copy) -> Result<Progress, Verdict> {
        // The last piece of a body goes out only after the hash is on record.
        if copy.content_hash.is_none() {
            return self.forget(copy.id).await;
        }
        let Found { mut files, as_sent } = self.find_uploads(copy).await?;
        if files.len() > 1 {
            files = self.still_there(files).await?;
        }
        files = self.not_in_use(key, copy, files).await?;
        let Some((first, more)) = files.split_first() else {
            // It may land yet. What would prove that it is ours then is kept for the sweeps.
            return self.record([Change::Lost(copy.id)]).await;
        };
        let mut rivals = self.rivals(copy, as_sent).await?;
        let is_its_own = rivals.iter().all(|rival| Some(&rival.content_hash) == copy.content_hash.as_ref());
        if more.is_empty() && is_its_own {
            tracing::info!(file_id = %first, "adopted a File object whose upload was not answered");
            self.meters.upload_avoided("adopted");
            return self.record([Change::Uploaded(copy.id, first.clone())]).await;
        }
        if more.len() > rivals.len() {
            let Copy { filename, bytes, .. } = copy;
            return Err(Verdict::Dead {
                reason: format!(
                    "several File objects named {filename} with {bytes} bytes appeared at OpenAI while an upload was not answered; \
                     delete those that are not needed, then retry this job"
                ),
            });
        }
        // There are no more of them than uploads of ours, so they are ours. Which of them holds what is not to be known.
        tracing::info!(
            files = files.len(),
            "File objects of several uploads that were not answered go, and the file is uploaded again"
        );
        rivals.truncate(more.len());
        let strays =
            more.iter().zip(rivals).map(|(file, rival)| Change::Stray(copy.id, file.clone(), rival.id));
        let changes: Vec<Change> = strays.chain([Change::Spoiled(copy.id, first.clone())]).collect();
        self.record(changes).await
    }

    /// Those that are not gone: one of ours, which its job has deleted and forgotten since it was listed, is no candidate.
    async fn still_there(&self, listed: Vec<FileId>) -> Result<Vec<FileId>, Verdict> {
        let mut there = Vec::new();
        for file in listed {
            if openai_has(self.openai.file(&file).await)?.is_some() {
                there.push(file);
            }
        }
        Ok(there)
    }

    /// Of these, those that the upload may have made. What is in a vector store of ours already was there before it, or is another's; unless its
    /// attributes say that it is this very copy, of which the database has lost what came after.
    async fn not_in_use(
        &self,
        key: &FileKey,
        copy: &Copy,
        files: Vec<FileId>,
    ) -> Result<Vec<FileId>, Verdict> {
        if files.is_empty() {
            return Ok(files);
        }
        let rules = self.rules.clone();
        let read = self.database.read(move |c| Ok(store::chains(c, rules.iter())?.stores()));
        let stores = read.await.map_err(|error| database_verdict(&error))?;
        let mut free = Vec::new();
        'files: for file in files {
            for store in &stores {
                let held = openai_has(self.openai.store_file(store, &file).await)?;
                match held {
                    None => {}
                    Some(held) if attributes::are_of(&held.file.attributes, key, copy) => {
                        return Ok(vec![file]);
                    }
                    Some(_) => continue 'files,
                }
            }
            free.push(file);
        }
        Ok(free)
    }

    /// Uploads that were given up and may have made what this one may have made.
    async fn rivals(&self, copy: &Copy, as_sent: bool) -> Result<Vec<LostUpload>, Verdict> {
        let filename = as_sent.then(|| copy.filename.clone());
        let (bytes, since) = (copy.bytes, copy.since - survey::LANDS_WITHIN_MS);
        let read =
            self.database.read(move |c| survey::store::lost_like(c, bytes, filename.as_deref(), since));
        read.await.map_err(|error| database_verdict(&error))
    }

    /// File objects that the upload of `copy` may have made: its name, its size, not older than it, not ours yet.
    async fn find_uploads(&self, copy: &Copy) -> Result<Found, Verdict> {
        // A clock that was set back meanwhile was ahead when the upload was written down, or is behind now.
        let apart =
            i64::try_from(CLOCKS_APART.as_secs()).expect("two minutes fit") + self.clock.ahead() / 1000;
        let earliest = copy.since / 1000 - apart;
        let mut found = Vec::new();
        let (mut others, mut renames) = (Vec::new(), false);
        let mut after: Option<FileId> = None;
        for _ in 0..PAGES {
            let page = self.openai.files(after.as_ref()).await.map_err(|error| openai_verdict(&error))?;
            let recent = |created_at: Option<i64>| created_at.is_none_or(|at| at >= earliest);
            let of_size = |file: &&File| recent(file.created_at) && file.bytes == Some(copy.bytes);
            for file in page.items.iter().filter(of_size) {
                if self.is_ours(&file.id).await? {
                    continue;
                }
                match Called::of(&file.filename, &copy.filename) {
                    Called::AsSent => found.push(file.id.clone()),
                    called => others.push((file.id.clone(), called)),
                }
            }
            renames = renames || (found.is_empty() && self.renames(&page.items).await?);
            let older = page.items.last().is_some_and(|file| !recent(file.created_at));
            match page.next {
                Some(next) if !older => after = Some(next),
                _ if found.is_empty() => {
                    let fits = others.into_iter().filter(|(_, called)| renames || *called == Called::Alike);
                    return Ok(Found { files: fits.map(|(file_id, _)| file_id).collect(), as_sent: false });
                }
                _ => return Ok(Found { files: found, as_sent: true }),
            }
        }
        Err(Verdict::Retry {
            after: None,
            reason: "too many new files at OpenAI to find one among them".to_owned(),
        })
    }

    /// Whether the server keeps files of ours under other names than they were sent with.
    async fn renames(&self, files: &[File]) -> Result<bool, Verdict> {
        let names = files.iter().map(|file| (file.id.0.clone(), file.filename.clone())).collect();
        let read = self.database.read(move |c| survey::store::any_renamed(c, &names));
        read.await.map_err(|error| database_verdict(&error))
    }

    async fn is_ours(&self, file_id: &FileId) -> Result<bool, Verdict> {
        let file_id = file_id.clone();
        let read = self.database.read(move |c| store::is_ours(c, &file_id));
        read.await.map_err(|error| database_verdict(&error))
    }
}
