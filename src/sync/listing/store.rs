//! The statements of the listing.
//!
//! A list goes by path, and files that only a job knows of come last; one of a time goes by when files changed. It is read in bites: a page looks at so many files and
//! no more, whatever it finds, so that a filter that few files pass never keeps a connection.

use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use utoipa::ToSchema;

use super::line::{Line, unseen};
use super::{Cursor, Filter, Place, Row, Standing};
use crate::database::{Connection, Error, FromRow, JsonList, Param, Sql, json_list, params, statements};
use crate::job::FILE_JOBS;
use crate::queue::store::PauseRow;
use crate::queue::waiting::Waiting;
use crate::queue::{self, presence};

/// Files that one page looks at, whatever it finds: some ten milliseconds.
const BITE: u32 = 2_000;

/// How far files are counted: a person learns no more from a larger number.
const COUNTED: u32 = 1_000;

/// Some files, each with its copies.
#[derive(Debug, Default)]
pub struct Page {
    pub rows: Vec<Row>,
    /// How many files they are about.
    pub files: usize,
    /// Where the next one begins; none when this was the last.
    pub next: Option<Cursor>,
}

/// How many files there are, as far as they were counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Number {
    pub files: i64,
    /// There may be more.
    pub or_more: bool,
}

statements! {
    PAGE = page!(path, "INDEXED BY file_path", "true");
    COUNT = count!(path, "INDEXED BY file_path", "true");
    COUNT_ANY = count_any!("INDEXED BY file_path");
    BITE_END = bite!("INDEXED BY file_path", "true");
    PAGE_SKIPPED = page!(path, "INDEXED BY file_skipped_path", "f.state = 'skipped'");
    COUNT_SKIPPED = count!(path, "INDEXED BY file_skipped_path", "f.state = 'skipped'");
    BITE_END_SKIPPED = bite!("INDEXED BY file_skipped_path", "f.state = 'skipped'");
    PAGE_GONE = page!(path, "INDEXED BY file_gone_path", "f.state = 'gone'");
    COUNT_GONE = count!(path, "INDEXED BY file_gone_path", "f.state = 'gone'");
    BITE_END_GONE = bite!("INDEXED BY file_gone_path", "f.state = 'gone'");
    PAGE_OUT = page!(path, "INDEXED BY file_out_path", "(f.out_since IS NOT NULL OR f.state = 'out')");
    COUNT_OUT = count!(path, "INDEXED BY file_out_path", "(f.out_since IS NOT NULL OR f.state = 'out')");
    BITE_END_OUT = bite!("INDEXED BY file_out_path", "(f.out_since IS NOT NULL OR f.state = 'out')");
    PAGE_CHANGED = page!(modified_at, "INDEXED BY file_changed", "true");
    COUNT_CHANGED = count!(modified_at, "INDEXED BY file_changed", "true");
    BITE_END_CHANGED = changed_bite!("INDEXED BY file_changed");
    NAMED = page!(path, "", "f.source_id IN (SELECT value FROM json_each($11))");

    FILE_PROFILES = profiles!("source_id", "file");
    JOB_PROFILES = profiles!("key", "job");

    UNSEEN = concat!(unseen!(), "j.key > $1 AND j.key <= $2 ORDER BY j.key LIMIT $3");
    UNSEEN_BITE_END = "SELECT key FROM job WHERE key > $1 AND key < $2 ORDER BY key LIMIT 1 OFFSET $3";
    UNSEEN_NAMED = concat!(unseen!(), "j.key IN (SELECT value FROM json_each($1))");
}

/// The files behind `after` in the order of their paths; those whose path is not known yet come last. When fewer are found than
/// `limit`, there may still be more behind `next`.
pub fn page(connection: &mut Connection, filter: &Filter, after: &Cursor, limit: u32) -> Result<Page, Error> {
    let mut reader = Reader { pauses: queue::store::pauses(connection)?, connection, filter };
    let mut page = match after {
        Cursor::Start => {
            let named = reader.named()?;
            match named.files > 0 {
                true => named,
                false if filter.changed.is_some() => reader.by_change(None, limit)?,
                false => reader.by_path(None, limit)?,
            }
        }
        Cursor::Files { path, source_id } => reader.by_path(Some((path, source_id)), limit)?,
        Cursor::Changed { at, source_id } => reader.by_change(Some((*at, source_id)), limit)?,
        Cursor::Unseen(source_id) => reader.unseen(source_id, limit)?,
    };
    if let Some(standing) = filter.standing {
        page.rows.retain(|row| row.state == standing);
        page.files = files(&page.rows);
    }
    Ok(page)
}

/// The files with these ids, each with its copies, however they stand.
pub(super) fn of_files(connection: &mut Connection, source_ids: &[String]) -> Result<Vec<Row>, Error> {
    let all = Filter { gone: true, ..Filter::default() };
    let mut reader = Reader { pauses: queue::store::pauses(connection)?, connection, filter: &all };
    reader.of(source_ids, &all)
}

/// How many files there are, as far as one bite of them says.
pub fn count(connection: &mut Connection, filter: &Filter) -> Result<Number, Error> {
    let mut reader = Reader { pauses: Vec::new(), connection, filter };
    let named = reader.named()?.files;
    if named > 0 {
        return Ok(Number { files: i64::try_from(named).unwrap_or(i64::MAX), or_more: false });
    }
    let (found, next) = match filter.changed {
        Some(_) => {
            let part = reader.changed_part(None)?;
            (part.rows::<i64>(reader.connection, COUNT_CHANGED, COUNTED)?, part.next)
        }
        None => {
            let part = reader.part(None)?;
            (part.rows::<i64>(reader.connection, list(filter).count, COUNTED)?, part.next)
        }
    };
    let found: i64 = found.into_iter().sum();
    let mut number = Number { files: found, or_more: next.is_some() || found >= i64::from(COUNTED) };
    if !number.or_more && filter.changed.is_none() {
        let unseen = reader.unseen("", COUNTED)?;
        number.files += i64::try_from(unseen.files).unwrap_or(i64::MAX);
        number.or_more = unseen.next.is_some();
    }
    Ok(number)
}

/// The rows of one file stand together.
fn files(rows: &[Row]) -> usize {
    rows.chunk_by(|one, other| one.source_id == other.source_id).count()
}

/// The statements of one list.
struct List {
    page: Sql,
    count: Sql,
    bite_end: Sql,
}

fn list(filter: &Filter) -> List {
    match filter.standing {
        Some(Standing::Skipped) => {
            List { page: PAGE_SKIPPED, count: COUNT_SKIPPED, bite_end: BITE_END_SKIPPED }
        }
        Some(Standing::Out) => List { page: PAGE_OUT, count: COUNT_OUT, bite_end: BITE_END_OUT },
        Some(Standing::Gone) => List { page: PAGE_GONE, count: COUNT_GONE, bite_end: BITE_END_GONE },
        Some(Standing::Current | Standing::Unread | Standing::Behind) => {
            List { page: PAGE, count: COUNT, bite_end: BITE_END }
        }
        None => List { page: PAGE, count: COUNT_ANY, bite_end: BITE_END },
    }
}

/// Reads some of what a filter asks for.
struct Reader<'a> {
    connection: &'a mut Connection,
    filter: &'a Filter,
    pauses: Vec<PauseRow>,
}

impl<'a> Reader<'a> {
    /// The files whose id the filter's place is.
    fn named(&mut self) -> Result<Page, Error> {
        // An id has no slash.
        let place = self.filter.place.as_ref().filter(|place| !place.text.contains('/'));
        let Some(place) = place else { return Ok(Page::default()) };
        let begins: Vec<String> = self.connection.all(FILE_PROFILES, params!["", END])?;
        let node = place.node();
        let ids = |begins: &[String]| begins.iter().map(|begins| format!("{begins}{node}")).collect();
        let mut named: Vec<String> = ids(&begins);
        named.push(place.text.clone());
        let mut rows = self.of(&named, &Filter { place: None, ..self.filter.clone() })?;
        if let Some((from, end)) = keys(self.filter, "") {
            let begins: Vec<String> = self.connection.all(JOB_PROFILES, params![from, end])?;
            let mut keys: Vec<String> = ids(&begins);
            keys.push(format!("{FILE_JOBS}{}", place.text));
            let jobs: Vec<Waiting> = self.connection.all(UNSEEN_NAMED, params![json_list(&keys)])?;
            rows.extend(jobs.into_iter().map(|job| unseen(job, &self.pauses)));
        }
        Ok(Page { files: files(&rows), rows, next: None })
    }

    /// The files with these ids.
    fn of(&mut self, source_ids: &[String], filter: &Filter) -> Result<Vec<Row>, Error> {
        let part = Part {
            filter,
            after: (String::new(), String::new()),
            end: (END.to_owned(), String::new()),
            next: None,
            named: json_list(source_ids),
        };
        self.lines(&part, NAMED, COUNTED)
    }

    fn by_path(&mut self, after: Option<(&String, &String)>, limit: u32) -> Result<Page, Error> {
        let part = self.part(after.map(|(path, source_id)| (path.clone(), source_id.clone())))?;
        let rows = self.lines(&part, list(self.filter).page, limit)?;
        let found = files(&rows);
        let room = limit.saturating_sub(u32::try_from(found).unwrap_or(u32::MAX));
        let last = rows.last().filter(|_| room == 0);
        let next = match last {
            Some(row) => Some(Cursor::Files {
                path: row.path.clone().unwrap_or_default(),
                source_id: row.source_id.clone(),
            }),
            None => part.next,
        };
        let mut page = Page { files: found, rows, next };
        if page.next.is_none() && self.filter.place.is_none() {
            let unseen = self.unseen("", room)?;
            page.files += unseen.files;
            page.rows.extend(unseen.rows);
            page.next = unseen.next;
        }
        Ok(page)
    }

    /// Those that changed in the filter's time, the newest first. What only a job knows of is on no such list.
    fn by_change(&mut self, after: Option<(i64, &String)>, limit: u32) -> Result<Page, Error> {
        let part = self.changed_part(after.map(|(at, source_id)| (at, source_id.clone())))?;
        let rows = self.lines(&part, PAGE_CHANGED, limit)?;
        let found = files(&rows);
        let last = rows.last().filter(|_| u32::try_from(found).is_ok_and(|found| found >= limit));
        let next = match last {
            Some(row) => Some(Cursor::Changed {
                at: row.modified_at.unwrap_or(i64::MIN),
                source_id: row.source_id.clone(),
            }),
            None => part.next,
        };
        Ok(Page { files: found, rows, next })
    }

    /// The bite of them behind `after`.
    fn changed_part(&mut self, after: Option<(i64, String)>) -> Result<Part<'a, i64>, Error> {
        let (since, until) = self.filter.changed.unwrap_or((i64::MIN, i64::MAX));
        let after = after.unwrap_or((until, String::new()));
        let bite_end: Option<(i64, String)> =
            self.connection.first(BITE_END_CHANGED, params![after.0, after.1, since, BITE - 1])?;
        let next = bite_end.clone().map(|(at, source_id)| Cursor::Changed { at, source_id });
        let end = bite_end.unwrap_or((since, String::new()));
        Ok(Part { filter: self.filter, after, end, next, named: JsonList::default() })
    }

    /// Files that only a job knows of, behind `after`.
    fn unseen(&mut self, after: &str, limit: u32) -> Result<Page, Error> {
        let bounds = keys(self.filter, after).filter(|_| self.filter.place.is_none());
        let Some((from, end)) = bounds else { return Ok(Page::default()) };
        let bite_end: Option<String> =
            self.connection.first(UNSEEN_BITE_END, params![from, end, BITE - 1])?;
        let up_to = bite_end.as_ref().unwrap_or(&end);
        let jobs: Vec<Waiting> = self.connection.all(UNSEEN, params![from, up_to, limit])?;
        let rows: Vec<Row> = jobs.into_iter().map(|job| unseen(job, &self.pauses)).collect();
        let is_full = rows.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
        let next = match rows.last().filter(|_| is_full) {
            Some(row) => Some(row.source_id.clone()),
            None if is_full => Some(after.to_owned()),
            None => bite_end.map(|key| key[FILE_JOBS.len()..].to_owned()),
        };
        Ok(Page { files: rows.len(), rows, next: next.map(Cursor::Unseen) })
    }

    /// The bite behind `after`.
    fn part(&mut self, after: Option<(String, String)>) -> Result<Part<'a, String>, Error> {
        let (begin, high) = self.filter.place.as_ref().map_or((String::new(), END.to_owned()), Place::range);
        let after = after.unwrap_or((begin, String::new()));
        let bite_end: Option<(String, String)> =
            self.connection.first(list(self.filter).bite_end, params![after.0, after.1, high, BITE - 1])?;
        let next = bite_end.clone().map(|(path, source_id)| Cursor::Files { path, source_id });
        let end = bite_end.unwrap_or((high, String::new()));
        Ok(Part { filter: self.filter, after, end, next, named: JsonList::default() })
    }

    fn lines<K: Param>(&mut self, part: &Part<'_, K>, statement: Sql, limit: u32) -> Result<Vec<Row>, Error> {
        let lines: Vec<Line> = part.rows(self.connection, statement, limit)?;
        let mut keys: Vec<String> = lines.iter().flat_map(Line::folder_keys).collect();
        keys.sort_unstable();
        keys.dedup();
        let folders: HashMap<String, Waiting> = presence::waiting(self.connection, &keys)?;
        Ok(lines.into_iter().map(|line| line.row(&folders, &self.pauses)).collect())
    }
}

/// Behind all paths, which begin with a slash.
const END: &str = "\u{10FFFF}";

/// What is asked of the files that have been looked at, in the order of a key of theirs and their id.
struct Part<'a, K> {
    filter: &'a Filter,
    after: (K, String),
    end: (K, String),
    /// Where the next bite begins.
    next: Option<Cursor>,
    /// Ids, as JSON.
    named: JsonList,
}

impl<K: Param> Part<'_, K> {
    fn rows<T: FromRow>(
        &self,
        connection: &mut Connection,
        statement: Sql,
        limit: u32,
    ) -> Result<Vec<T>, Error> {
        let Part { filter, after, end, named, .. } = self;
        let place = filter.place.as_ref();
        connection.all(
            statement,
            params![
                after.0,
                after.1,
                filter.standing.map(Standing::as_str),
                filter.gone,
                filter.rule.as_ref().map(|(name, _)| name),
                place.map(Place::path),
                place.and_then(Place::globs),
                end.0,
                end.1,
                limit,
                named,
            ],
        )
    }
}

/// The keys of jobs for files that may be asked for and that no rule has been found for yet: behind the first and before the second.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::{in_memory, steps};

    /// So many files that a job is left for: none is current.
    fn all_behind(files: i64) -> Connection {
        const FILES: Sql = Sql::listed(
            "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $1)
             INSERT INTO file (source_id, profile, node, state, path, ancestors, rules, version, size, modified_at, seen_at, created_at)
             SELECT 'workspace:1:' || n, 'workspace:1', n, 'present', printf('/%07d.txt', n), ' ', 'r', 'v', 1, n, n, n FROM numbers",
        );
        const JOBS: Sql = Sql::listed(
            "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $1)
             INSERT INTO job (key, task, needs, state, priority, due_at, created_at, updated_at)
             SELECT 'file:workspace:1:' || n, '{}', ' openai ', 'waiting', 0, n, n, n FROM numbers",
        );
        let mut connection = in_memory();
        for fill in [FILES, JOBS] {
            connection.run(fill, params![files]).unwrap();
        }
        connection
    }

    #[test]
    fn a_page_costs_the_same_however_many_files_there_are_that_its_filter_leaves_out() {
        let current = Filter { standing: Some(Standing::Current), ..Filter::default() };
        let changed = Filter { changed: Some((i64::MIN, i64::MAX)), ..current.clone() };
        let measured = [3, 12].map(|times| {
            let mut connection = all_behind(times * i64::from(BITE));
            let found =
                [&current, &changed].map(|filter| page(&mut connection, filter, &Cursor::Start, 50).unwrap());
            assert!(found.iter().all(|page| page.rows.is_empty() && page.next.is_some()), "{found:?}");
            let Some(Cursor::Files { path, .. }) = &found[0].next else { panic!("{found:?}") };
            assert_eq!(*path, format!("/{BITE:07}.txt"), "so many are looked at");
            let mut reader = Reader { pauses: Vec::new(), connection: &mut connection, filter: &current };
            let Part { after, end, .. } = reader.part(None).unwrap();
            let state = Some("current");
            let none = None::<&str>;
            let nothing = JsonList::default();
            steps(
                &mut connection,
                PAGE,
                params![after.0, after.1, state, false, none, none, none, end.0, end.1, 50_u32, nothing],
            )
        });
        assert_eq!(measured[0], measured[1], "steps of SQLite's machine");
    }
}
