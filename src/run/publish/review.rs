//! Rules that ask something else than at the last start, or show what was found out in another way: each file that they were run over
//! is looked at, so that what stands beside it says what it is.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::super::Runs;
use super::super::settings::Definition;
use super::FORM;
use crate::database::{Connection, Error, json_list, params, statements};
use crate::fastio::FileKey;
use crate::job::{self, FILE_JOBS, FOLDER_JOBS, Task};
use crate::queue::{Death, Heir, Priority};
use crate::sync::store as files;

/// Jobs that one transaction adds.
const BITE: u32 = 500;

impl Runs {
    /// Asks for the looks. What was asked for is known at the next start only when all of it is.
    ///
    /// # Errors
    /// Our database's.
    pub async fn review(&self) -> Result<(), Error> {
        for definition in self.definitions.iter() {
            let (rule, form) = (definition.rule.name.clone(), shown_as(definition));
            let (asked, now_form) = (rule.clone(), form.clone());
            let is_known = move |connection: &mut Connection| {
                Ok(connection.first::<String>(FORM_OF, params![asked])?.as_ref() == Some(&now_form))
            };
            if self.database.read(is_known).await? {
                continue;
            }
            let mut after = String::new();
            while let Some(last) = self.review_next(&rule, after).await? {
                after = last;
            }
            let rules: Vec<String> = self.definitions.iter().map(|other| other.rule.name.clone()).collect();
            let keep = move |tx: &mut Connection| {
                tx.run(FORGET_OTHERS, params![json_list(&rules)])?;
                tx.run(KEEP_FORM, params![rule, form]).map(drop)
            };
            self.database.write(keep).await?;
        }
        self.wake.notify_waiters();
        Ok(())
    }

    /// Asks for the next looks. The last file of them; none when there are no more.
    async fn review_next(&self, rule: &str, after: String) -> Result<Option<String>, Error> {
        let (rule, now) = (rule.to_owned(), self.clock.now());
        let ask = move |tx: &mut Connection| {
            let files: Vec<String> = tx.all(FILES, params![rule, after, BITE])?;
            for key in files.iter().filter_map(|id| id.parse::<FileKey>().ok()) {
                job::enqueue(tx, &Task::run(key, &rule), Priority::Backfill, now)?;
            }
            Ok(files.last().cloned())
        };
        self.database.write(ask).await
    }
}

/// Has what was found out about a file looked at when the file's job dies: nothing else says that it may be of an earlier version
/// then. When a folder's job dies each file that was in it is looked at by itself.
#[derive(Debug)]
pub struct Looks(pub Arc<[Arc<Definition>]>);

impl Heir for Looks {
    fn died(&self, connection: &mut Connection, death: &Death<'_>) -> Result<(), Error> {
        let Death { key, begun_at, now } = *death;
        let id_behind = |begins: &str| key.strip_prefix(begins).and_then(|id| id.parse::<FileKey>().ok());
        if let Some(FileKey { profile, node }) = FOLDER_JOBS.into_iter().find_map(id_behind) {
            let under = Task::Under { profile, node };
            return job::enqueue(connection, &under, Priority::Live, now).map(drop);
        }
        let Some(key) = id_behind(FILE_JOBS) else { return Ok(()) };
        files::lose_sight(connection, &key.to_string(), begun_at.unwrap_or(now))?;
        let Some(seen) = files::file(connection, &key.to_string())? else { return Ok(()) };
        for definition in self.0.iter().filter(|definition| definition.rule.covers(&key.profile, &seen.path))
        {
            let task = Task::run(key.clone(), &definition.rule.name);
            job::enqueue(connection, &task, Priority::Live, now)?;
        }
        Ok(())
    }
}

/// Names all that decides how the rule's results are shown.
fn shown_as(definition: &Definition) -> String {
    let pattern = definition.write_back.as_ref().map(|pattern| pattern.name_for("{}"));
    let form = (FORM, &definition.hash, pattern, definition.when_gone, &definition.digest);
    hex::encode(&Sha256::digest(format!("{form:?}").as_bytes())[..16])
}

statements! {
    FORM_OF = "SELECT form FROM shown_rule WHERE rule = $1";
    KEEP_FORM = "
        INSERT INTO shown_rule (rule, form) VALUES ($1, $2) ON CONFLICT (rule) DO UPDATE SET form = excluded.form";
    FORGET_OTHERS = "DELETE FROM shown_rule WHERE rule NOT IN (SELECT value FROM json_each($1))";
    FILES = "
        SELECT DISTINCT source_id FROM run WHERE rule = $1 AND source_id > $2 ORDER BY source_id LIMIT $3";
}
