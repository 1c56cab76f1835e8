//! A line of the listing: what a file's row, its job and its copies say, and how that is put.

use std::collections::HashMap;

use super::{CopyRow, Facts, Row, Standing};
use crate::database::from_row;
use crate::job::FILE_JOBS;
use crate::queue::store::PauseRow;
use crate::queue::waiting::Waiting;

/// What a file's row, its job and its copies say, in one row for each copy.
#[derive(Debug)]
pub struct Line {
    source_id: String,
    path: Option<String>,
    state: Option<String>,
    reason: Option<String>,
    rules: String,
    profile: String,
    ancestors: String,
    version: Option<String>,
    hash: Option<String>,
    size: Option<i64>,
    modified_at: Option<i64>,
    seen_at: Option<i64>,
    job_id: Option<i64>,
    job_state: Option<String>,
    job_reason: Option<String>,
    job_needs: Option<String>,
    job_since: Option<i64>,
    out_since: Option<i64>,
    out_reason: Option<String>,
    searchable: bool,
    same: bool,
    standing: String,
    copy: CopyRow,
}

from_row!(row => Line {
    source_id,
    path,
    state,
    reason,
    rules,
    profile,
    ancestors,
    version,
    hash,
    size,
    modified_at,
    seen_at,
    job_id,
    job_state,
    job_reason,
    job_needs,
    job_since,
    out_since,
    out_reason,
    searchable,
    same,
    standing,
    copy: CopyRow::from_row(row)?,
});

from_row!(row => CopyRow {
    vector_store,
    state: row.get("copy_state")?,
    since: row.get("copy_since")?,
    version: row.get("copy_version")?,
    hash: row.get("copy_hash")?,
    content_hash,
    file_id,
    filename,
    bytes,
    note,
    pages,
    characters,
    reading,
});

/// A file that only a job knows of.
pub fn unseen(job: Waiting, pauses: &[PauseRow]) -> Row {
    let facts = Facts {
        standing: Standing::Behind,
        state: None,
        reason: None,
        out: None,
        searchable: false,
        same: false,
        job: Some(job.clone()),
    };
    Row {
        source_id: job.key[FILE_JOBS.len()..].to_owned(),
        path: None,
        state: Standing::Behind,
        reason: facts.words(pauses),
        since: Some(job.created_at),
        rules: String::new(),
        version: None,
        hash: None,
        size: None,
        modified_at: None,
        seen_at: None,
        held_by: job.held_by(pauses).map(|pause| pause.target.clone()),
        job_id: Some(job.job_id),
        job_state: Some(job.state),
        copy: CopyRow::default(),
    }
}

impl Line {
    /// The keys of the jobs for the folders that it is in: what is in such a folder may have changed.
    pub fn folder_keys(&self) -> impl Iterator<Item = String> {
        let folders = self.ancestors.split_whitespace().chain(["root"]);
        folders
            .flat_map(|folder| ["folder", "listing"].map(|task| format!("{task}:{}:{folder}", self.profile)))
    }

    fn job(&self) -> Option<Waiting> {
        Some(Waiting {
            job_id: self.job_id?,
            key: format!("{FILE_JOBS}{}", self.source_id),
            state: self.job_state.clone()?,
            reason: self.job_reason.clone(),
            needs: self.job_needs.clone()?,
            created_at: self.job_since?,
        })
    }

    pub fn row(self, folders: &HashMap<String, Waiting>, pauses: &[PauseRow]) -> Row {
        let mut facts = Facts {
            standing: Standing::read(&self.standing),
            state: self.state.clone(),
            reason: self.reason.clone(),
            out: self.out_reason.clone(),
            searchable: self.searchable,
            same: self.same,
            job: self.job(),
        };
        if matches!(facts.standing, Standing::Current | Standing::Unread) {
            facts.job = self.folder_keys().find_map(|key| folders.get(&key)).cloned();
            if facts.job.is_some() {
                facts.standing = Standing::Behind;
            }
        }
        let (standing, job) = (facts.standing, facts.job.as_ref());
        let unread = self.copy.unread().filter(|_| standing == Standing::Unread);
        let since = match standing {
            Standing::Out => self.out_since,
            Standing::Behind => job.map(|job| job.created_at).or(self.seen_at),
            _ => None,
        };
        Row {
            state: standing,
            reason: unread.or_else(|| facts.words(pauses)),
            since,
            job_id: job.map(|job| job.job_id),
            job_state: job.map(|job| job.state.clone()),
            held_by: job.and_then(|job| job.held_by(pauses)).map(|pause| pause.target.clone()),
            source_id: self.source_id,
            path: self.path,
            rules: self.rules,
            version: self.version,
            hash: self.hash,
            size: self.size,
            modified_at: self.modified_at,
            seen_at: self.seen_at,
            copy: self.copy,
        }
    }
}
