//! The statements of the listing.

use std::collections::HashMap;

use super::{CopyRow, Cursor, Facts, Filter, Place, Row, Standing};
use crate::database::{Connection, Error, FromRow, Sql, from_row, params, statements};
use crate::job::FILE_JOBS;
use crate::queue::store::PauseRow;
use crate::queue::waiting::Waiting;
use crate::queue::{self, presence};

/// Some files, each with its copies.
#[derive(Debug, Default)]
pub struct Page {
    pub rows: Vec<Row>,
    /// How many files they are about.
    pub files: usize,
    /// Where the next one begins; none when this was the last.
    pub next: Option<Cursor>,
}

/// What a file's row, its job and its copies say, in one row for each copy.
#[derive(Debug)]
struct Line {
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
    searchable: bool,
    same: bool,
    standing: String,
    vector_store: Option<String>,
    copy_state: Option<String>,
    copy_since: Option<i64>,
    copy_version: Option<String>,
    copy_hash: Option<String>,
    content_hash: Option<String>,
    file_id: Option<String>,
    filename: Option<String>,
    bytes: Option<i64>,
}

from_row!(Line {
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
    searchable,
    same,
    standing,
    vector_store,
    copy_state,
    copy_since,
    copy_version,
    copy_hash,
    content_hash,
    file_id,
    filename,
    bytes,
});

/// Whether a copy is of what the file is now, as [`crate::sync::copy::Source::same_content`] decides it.
macro_rules! same_content {
    () => {
        "CASE WHEN f.hash IS NOT NULL AND c.hash IS NOT NULL
                   AND substr(f.hash, 1, instr(f.hash, ':')) = substr(c.hash, 1, instr(c.hash, ':'))
              THEN f.hash = c.hash AND f.size = c.size
              WHEN f.version IS NOT NULL AND c.version IS NOT NULL THEN f.version = c.version
              ELSE f.size = c.size AND f.modified_at IS c.modified_at END"
    };
}

/// Each file with its job. A file that a job is left for is behind; so is one of which OpenAI holds something else than it
/// should.
macro_rules! files {
    () => {
        concat!(
            "SELECT f.*, j.id AS job_id, j.state AS job_state, j.reason AS job_reason, j.needs AS job_needs,
                    j.created_at AS job_since, ",
            searchable!(),
            " AS searchable, ",
            same!(),
            " AS same,
                    CASE WHEN j.id IS NOT NULL THEN 'behind'
                         WHEN f.state = 'present' AND ",
            searchable!(),
            " AND ",
            same!(),
            "            THEN 'current'
                         WHEN f.state <> 'present'
                              AND NOT EXISTS (SELECT 1 FROM copy AS c WHERE c.source_id = f.source_id)
                         THEN f.state
                         ELSE 'behind' END AS standing
             FROM file AS f LEFT JOIN job AS j ON j.key = 'file:' || f.source_id"
        )
    };
}

macro_rules! searchable {
    () => {
        "EXISTS (SELECT 1 FROM copy AS c WHERE c.source_id = f.source_id AND c.state = 'indexed')"
    };
}

macro_rules! same {
    () => {
        concat!(
            "NOT EXISTS (SELECT 1 FROM copy AS c WHERE c.source_id = f.source_id
                                                  AND NOT (c.state = 'indexed' AND ",
            same_content!(),
            "))"
        )
    };
}

/// Those that are asked for, by what is cheap to know before what is not: $3 the standing, $4 whether the gone are too, $5 the rule, $6 to $9 the place.
macro_rules! wanted {
    () => {
        "CASE WHEN $3 IS NULL THEN $4 OR state <> 'gone' OR standing <> 'gone'
              WHEN $3 IN ('skipped', 'gone') THEN state = $3 AND standing = $3
              ELSE standing = $3 END
         AND ($5 IS NULL OR instr(',' || rules || ',', ',' || $5 || ',') > 0)
         AND ($6 IS NULL OR path = $6 OR substr(path, 1, length($6) + 1) = $6 || '/' OR EXISTS (SELECT 1 FROM json_each($7) WHERE listed.path GLOB value)
              OR source_id = $8 OR substr(source_id, -length($9) - 1) = ':' || $9)"
    };
}

/// Files that only a job knows of, by their id: $1 and $2 bound their keys, $3 is the id asked for.
macro_rules! unseen {
    () => {
        "FROM job AS j
         WHERE j.key > $1 AND j.key < $2 AND NOT EXISTS (SELECT 1 FROM file WHERE source_id = substr(j.key, 6))
           AND ($3 IS NULL OR substr(j.key, -length($3) - 1) = ':' || $3)"
    };
}

statements! {
    PAGE = concat!(
        "SELECT p.*, c.vector_store, c.state AS copy_state, c.since AS copy_since, c.version AS copy_version,
                c.hash AS copy_hash, c.content_hash, c.file_id, c.filename, c.bytes
         FROM (SELECT * FROM (",
        files!(),
        "      WHERE (f.path, f.source_id) > ($1, $2)) AS listed WHERE ",
        wanted!(),
        "      ORDER BY path, source_id LIMIT $10) AS p
         LEFT JOIN copy AS c ON c.source_id = p.source_id
         ORDER BY p.path, p.source_id, c.id"
    );
    COUNT = concat!(
        "SELECT count(*) FROM (SELECT 1 FROM (",
        files!(),
        " WHERE (f.path, f.source_id) > ($1, $2)) AS listed WHERE ",
        wanted!(),
        ")"
    );
    UNSEEN = concat!(
        "SELECT id AS job_id, key, state, reason, needs, created_at ",
        unseen!(),
        " ORDER BY j.key LIMIT $4"
    );
    UNSEEN_COUNT = concat!("SELECT count(*) ", unseen!());
}

/// The files behind `after` in the order of their paths; those whose path nobody knows yet come first.
pub fn page(connection: &mut Connection, filter: &Filter, after: &Cursor, limit: u32) -> Result<Page, Error> {
    let pauses = queue::store::pauses(connection)?;
    let mut page = Page::default();
    if after.path.is_empty() {
        let unseen = unseen(connection, filter, (&after.source_id, limit))?;
        page.rows.extend(unseen.into_iter().map(|job| unseen_row(job, &pauses)));
    }
    let begun = page.rows.len();
    let room = limit.saturating_sub(u32::try_from(begun).unwrap_or(u32::MAX));
    if room > 0 {
        let after = if begun > 0 { &Cursor::default() } else { after };
        let lines: Vec<Line> = Part { filter, after, most: room }.rows(connection, PAGE)?;
        let folders = folder_jobs(connection, &lines)?;
        page.rows.extend(lines.into_iter().map(|line| line.row(&folders, &pauses)));
    }
    let is_full = files(&page.rows) >= usize::try_from(limit).unwrap_or(usize::MAX);
    page.next = page
        .rows
        .last()
        .filter(|_| is_full)
        .map(|row| Cursor { path: row.path.clone().unwrap_or_default(), source_id: row.source_id.clone() });
    if let Some(standing) = filter.standing {
        page.rows.retain(|row| row.state == standing);
    }
    page.files = files(&page.rows);
    Ok(page)
}

/// The rows of one file stand together.
fn files(rows: &[Row]) -> usize {
    rows.chunk_by(|one, other| one.source_id == other.source_id).count()
}

/// How many files there are.
pub fn count(connection: &mut Connection, filter: &Filter) -> Result<i64, Error> {
    let unseen: i64 = match keys(filter, "") {
        None => 0,
        Some((from, to)) => {
            connection.one(UNSEEN_COUNT, params![from, to, filter.place.as_ref().map(Place::node)])?
        }
    };
    let start = Cursor::default();
    let seen: Vec<i64> = Part { filter, after: &start, most: 0 }.rows(connection, COUNT)?;
    Ok(unseen + seen.into_iter().sum::<i64>())
}

/// What is asked of the files that have been looked at.
struct Part<'a> {
    filter: &'a Filter,
    after: &'a Cursor,
    most: u32,
}

impl Part<'_> {
    fn rows<T: FromRow>(&self, connection: &mut Connection, statement: Sql) -> Result<Vec<T>, Error> {
        let Part { filter, after, most } = self;
        let place = filter.place.as_ref();
        connection.all(
            statement,
            params![
                after.path,
                after.source_id,
                filter.standing.map(Standing::as_str),
                filter.gone,
                filter.rule.as_ref().map(|(name, _)| name),
                place.map(Place::path),
                place.and_then(Place::globs),
                place.map(|place| &place.text),
                place.map(Place::node),
                most,
            ],
        )
    }
}

/// The keys of jobs for files that may be asked for and that no rule has been found for yet.
fn keys(filter: &Filter, after: &str) -> Option<(String, String)> {
    if filter.standing.is_some_and(|standing| standing != Standing::Behind) {
        return None;
    }
    // A key holds no control character, so ':' and what follows it bound the keys that begin so.
    let begin =
        filter.rule.as_ref().map_or(FILE_JOBS.to_owned(), |(_, profile)| format!("{FILE_JOBS}{profile}:"));
    let end = format!("{};", &begin[..begin.len() - 1]);
    let from = begin.max(format!("{FILE_JOBS}{after}"));
    Some((from, end))
}

fn unseen(
    connection: &mut Connection,
    filter: &Filter,
    (after, limit): (&str, u32),
) -> Result<Vec<Waiting>, Error> {
    let Some((from, to)) = keys(filter, after) else { return Ok(Vec::new()) };
    connection.all(UNSEEN, params![from, to, filter.place.as_ref().map(Place::node), limit])
}

fn unseen_row(job: Waiting, pauses: &[PauseRow]) -> Row {
    let facts = Facts {
        standing: Standing::Behind,
        state: None,
        reason: None,
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

/// The jobs for the folders that these files are in, by their keys: what is in such a folder may have changed.
fn folder_jobs(connection: &mut Connection, lines: &[Line]) -> Result<HashMap<String, Waiting>, Error> {
    let mut keys: Vec<String> = lines.iter().flat_map(Line::folder_keys).collect();
    keys.sort_unstable();
    keys.dedup();
    presence::waiting(connection, &keys)
}

impl Line {
    fn folder_keys(&self) -> impl Iterator<Item = String> {
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

    fn row(self, folders: &HashMap<String, Waiting>, pauses: &[PauseRow]) -> Row {
        let mut facts = Facts {
            standing: Standing::read(&self.standing),
            state: self.state.clone(),
            reason: self.reason.clone(),
            searchable: self.searchable,
            same: self.same,
            job: self.job(),
        };
        if facts.standing == Standing::Current {
            facts.job = self.folder_keys().find_map(|key| folders.get(&key)).cloned();
            if facts.job.is_some() {
                facts.standing = Standing::Behind;
            }
        }
        let (standing, job) = (facts.standing, facts.job.as_ref());
        let since = job.map(|job| job.created_at).or(self.seen_at);
        Row {
            state: standing,
            reason: facts.words(pauses),
            since: since.filter(|_| standing == Standing::Behind),
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
            copy: CopyRow {
                vector_store: self.vector_store,
                state: self.copy_state,
                since: self.copy_since,
                version: self.copy_version,
                hash: self.copy_hash,
                content_hash: self.content_hash,
                file_id: self.file_id,
                filename: self.filename,
                bytes: self.bytes,
            },
        }
    }
}
