//! Files that a rule keeps out of OpenAI (`sync = "on_escalation"`): Fastio's AI answers over them where they are, and OpenAI is given
//! one only while a run needs it there.
//!
//! What is run over a file is decided by its content. Of one that is not uploaded its bytes are read once for that, and not kept.

use super::Sync;
use super::apply::Announced;
use super::form::Claim;
use super::look::Present;
use super::store::{self, Change, Jobs, KeptOut, fingerprint};
use crate::database::{Connection, JsonList, json_list};
use crate::fastio::FileKey;
use crate::job::verdict::database_verdict;
use crate::job::{self, Task};
use crate::queue::{Priority, Verdict};
use crate::rule::Rule;

/// Which of the rules that cover a file have it in OpenAI now, and which keep it out.
#[derive(Debug, Default)]
pub struct Keeping<'r> {
    pub filling: Vec<&'r Rule>,
    out: Vec<&'r Rule>,
}

impl<'r> Keeping<'r> {
    /// `known` is what is on record of the file.
    pub fn of(covering: &[&'r Rule], known: &[KeptOut], now: i64) -> Self {
        let is_wanted = |rule: &Rule| known.iter().any(|row| row.rule == rule.name && row.is_wanted(now));
        let fills = |rule: &&'r Rule| !rule.keeps_out || is_wanted(rule);
        let (filling, out) = covering.iter().copied().partition(fills);
        Keeping { filling, out }
    }

    /// Why OpenAI does not hold the file, where nothing fills a store with it.
    pub fn reason(&self) -> Option<String> {
        let names: Vec<&str> = self.out.iter().map(|rule| rule.name.as_str()).collect();
        let (rules, keep) = if names.len() == 1 { ("rule", "keeps") } else { ("rules", "keep") };
        (self.filling.is_empty() && !names.is_empty()).then(|| {
            format!(
                "{rules} {} {keep} it out of OpenAI; Fastio answers over it, and it goes there when Fastio's answer is not enough",
                names.join(", ")
            )
        })
    }

    /// The rules that are on record as keeping it out, whether it is in OpenAI now or not.
    pub(super) fn rules(&self) -> JsonList {
        let keeping = self.out.iter().chain(&self.filling).filter(|rule| rule.keeps_out);
        let names: Vec<&str> = keeping.map(|rule| rule.name.as_str()).collect();
        json_list(&names)
    }
}

impl Sync {
    /// Which of the rules that cover the file have it in OpenAI now.
    pub(super) async fn keeping<'r>(
        &self,
        key: &FileKey,
        covering: &[&'r Rule],
    ) -> Result<Keeping<'r>, Verdict> {
        let known = match covering.iter().any(|rule| rule.keeps_out) {
            true => self.known_kept_out(key).await?,
            false => Vec::new(),
        };
        Ok(Keeping::of(covering, &known, self.clock.now()))
    }

    async fn known_kept_out(&self, key: &FileKey) -> Result<Vec<KeptOut>, Verdict> {
        let id = key.to_string();
        let read = move |connection: &mut Connection| {
            Ok(store::kept_out_of(connection, std::slice::from_ref(&id))?.remove(&id))
        };
        let known = self.database.read(read).await.map_err(|error| database_verdict(&error))?;
        Ok(known.unwrap_or_default())
    }

    /// Writes down of the rules that keep the file out which content it has, and has it run over where that is new. False when OpenAI could
    /// not hold it, which is on record then.
    pub(super) async fn keep_out(
        &self,
        key: &FileKey,
        (present, claim, announced): (&Present, &Claim, &Announced),
        keeping: &Keeping<'_>,
    ) -> Result<bool, Verdict> {
        if keeping.out.is_empty() {
            return Ok(true);
        }
        let known = self.known_kept_out(key).await?;
        let fresh: Vec<&KeptOut> =
            known.iter().filter(|row| row.content.same_content(&present.source)).collect();
        let is_fresh = |rule: &Rule| fresh.iter().any(|row| row.rule == rule.name);
        let is_kept =
            |rule: &Rule| fresh.iter().any(|row| row.rule == rule.name && row.wanted_since.is_none());
        let open: Vec<&Rule> = keeping.out.iter().copied().filter(|rule| !is_kept(rule)).collect();
        if open.is_empty() {
            return Ok(true);
        }
        let content_hash = match fresh.first() {
            Some(row) => row.content_hash.clone(),
            None => match self.hash_of(key, (present, claim, announced)).await? {
                Ok(content_hash) => content_hash,
                Err(reason) => return self.cannot_be_held(key, (present, claim), reason).await,
            },
        };
        let names: Vec<String> = open.iter().map(|rule| rule.name.clone()).collect();
        let runs = open.iter().filter(|rule| !is_fresh(rule));
        let runs: Vec<Task> = runs.map(|rule| Task::run(key.clone(), &rule.name)).collect();
        let (key, content, now) = (key.clone(), present.source.clone(), self.clock.now());
        let write = move |tx: &mut Connection| {
            names.iter().try_for_each(|rule| store::keep_out(tx, (&key, rule), (&content, &content_hash)))?;
            runs.iter().try_for_each(|run| job::enqueue(tx, run, Priority::Live, now).map(drop))
        };
        self.database.write(write).await.map_err(|error| database_verdict(&error))?;
        self.wake.notify_waiters();
        Ok(true)
    }

    /// SHA-256 of the content, by a copy of it that there is, or read for it.
    async fn hash_of(
        &self,
        key: &FileKey,
        (present, claim, announced): (&Present, &Claim, &Announced),
    ) -> Result<Result<String, String>, Verdict> {
        let copies = self.copies(key).await.map_err(|error| database_verdict(&error))?;
        let is_whole = |segment: super::copy::Segment| segment.count.is_some();
        let held = copies.into_iter().find(|copy| {
            copy.content_hash.is_some() && copy.segment.is_none_or(is_whole) && copy.holds(present, claim)
        });
        match held.and_then(|copy| copy.content_hash) {
            Some(content_hash) => Ok(Ok(content_hash)),
            None => self.content_hash((key, present), (claim, announced)).await,
        }
    }

    /// Writes down that OpenAI could not hold this content, so that nothing is asked over it.
    async fn cannot_be_held(
        &self,
        key: &FileKey,
        (present, claim): (&Present, &Claim),
        reason: String,
    ) -> Result<bool, Verdict> {
        let content = fingerprint(&present.source, &claim.key());
        self.skips(&reason);
        let rules = self.rules.running(&key.profile, &present.path);
        let looks = rules.map(|rule| Task::run(key.clone(), &rule.name)).collect();
        let looks = Change::Jobs(Jobs { tasks: looks, priority: Priority::Live });
        self.record([Change::Refused(key.clone(), content, reason), looks]).await?;
        self.wake.notify_waiters();
        Ok(false)
    }
}
