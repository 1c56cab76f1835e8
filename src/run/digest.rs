//! The batch table of a rule: one table over its current results, in the rule's folder, rewritten in place when the rule
//! has been quiet for a while.

use std::time::Duration;

use bytes::Bytes;

use super::admit::{covered, store_of};
use super::deliver::checks;
use super::render::{self, Entry};
use super::row::{Outcome, Run, State};
use super::settings::Definition;
use super::steps::later;
use super::store;
use super::write::Output;
use super::{Runs, failed};
use crate::fastio::NodeId;
use crate::own::store as own;
use crate::queue::Verdict;
use crate::sync::store::Indexed;

/// The least wait between looks whether a rule is quiet.
const LOOK_AGAIN_MS: i64 = 1_000;

impl Runs {
    /// Writes the table of `rule`, if it has one and its runs are quiet.
    pub async fn digest(&self, rule: &str) -> Verdict {
        let Some(definition) = self.definition(rule).filter(|definition| definition.digest.is_some()) else {
            return Verdict::Done;
        };
        self.try_digest(definition).await.err().unwrap_or(Verdict::Done)
    }

    async fn try_digest(&self, definition: &Definition) -> Result<(), Verdict> {
        let rule = definition.rule.name.as_str();
        let (going, last) = store::quiet(&mut *self.reader().await?, rule).await.map_err(failed)?;
        let quiet_for = self.clock.now() - last.unwrap_or(0);
        let left = match going {
            0 => definition.digest_quiet_ms - quiet_for,
            _ => definition.digest_quiet_ms,
        };
        if left > 0 || going > 0 {
            let wait = Duration::from_millis(u64::try_from(left.max(LOOK_AGAIN_MS)).unwrap_or(0));
            return Err(later(wait, "the rule's table is written when its runs are quiet"));
        }
        let current = self.current(definition).await?;
        let owner = format!("digest:{rule}");
        let known = own::of(&mut *self.reader().await?, &owner).await.map_err(failed)?;
        let folder = match (&known, current.first()) {
            (Some(known), _) => known.folder.clone(),
            (None, Some((indexed, _))) => folder(definition, indexed),
            (None, None) => return Ok(()),
        };
        let (Some(name), Some(schema)) = (definition.digest.as_deref(), definition.schema.as_deref()) else {
            return Ok(());
        };
        let all_checks: Vec<_> =
            current.iter().map(|(_, run)| run.result.as_ref().map(checks).unwrap_or_default()).collect();
        let entries: Vec<Entry<'_>> = current
            .iter()
            .zip(&all_checks)
            .map(|((indexed, run), checks)| Entry {
                file: &indexed.path,
                state: run.outcome.unwrap_or(Outcome::Held).as_str(),
                remark: run.reason.as_deref(),
                result: run.result.as_ref().map(|result| &result["data"]).filter(|data| !data.is_null()),
                checks,
            })
            .collect();
        let table = match name.ends_with(".md") {
            true => render::digest_markdown(schema, &entries),
            false => render::digest(schema, &entries),
        };
        let output = Output {
            owner: &owner,
            profile: definition.profile(),
            folder: &folder,
            name,
            content: Bytes::from(table),
        };
        let written = self.write(&output).await?;
        tracing::info!(rule, files = entries.len(), name = written.name, "batch table written");
        Ok(())
    }

    /// The files of the rule with what became of the run over what each is now, by path.
    async fn current(&self, definition: &Definition) -> Result<Vec<(Indexed, Run)>, Verdict> {
        let mut reader = self.reader().await?;
        let store = store_of(&mut reader, definition.target()).await.map_err(failed)?;
        let Some(store) = store else { return Ok(Vec::new()) };
        let mut current = Vec::new();
        for indexed in covered(&mut reader, definition, &store).await.map_err(failed)? {
            let runs =
                store::of_file(&mut reader, &indexed.key, &definition.rule.name).await.map_err(failed)?;
            let mut here: Vec<Run> = runs
                .into_iter()
                .filter(|run| Some(&run.content_hash) == indexed.copy.content_hash.as_ref())
                .filter(|run| run.state == State::Ended || run.reason.is_some())
                .collect();
            here.sort_by_key(|run| (run.outcome.is_some_and(Outcome::has_result), run.ended_at));
            if let Some(run) = here.pop() {
                current.push((indexed, run));
            }
        }
        Ok(current)
    }
}

/// The folder that the rule's globs begin with, as it stands above one of its files.
fn folder(definition: &Definition, indexed: &Indexed) -> NodeId {
    let (depth, above) = (definition.folder.len(), &indexed.ancestors);
    // They stand from the parent upwards.
    let from_root = above.len().checked_sub(depth).filter(|_| depth > 0).and_then(|index| above.get(index));
    from_root.cloned().unwrap_or_else(NodeId::root)
}
