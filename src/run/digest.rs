//! The batch table of a rule: one table over its current results, in the rule's folder, rewritten in place when the rule
//! has been quiet for a while.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Runs;
use super::again::Covered;
use super::deliver::checks;
use super::row::{Outcome, Run, RunId, State};
use super::settings::Definition;
use super::store;
use super::write::Output;
use crate::database::{Connection, Error};
use crate::fastio::NodeId;
use crate::own;
use crate::queue::Verdict;
use crate::result::render::{Entry, Form, Part};
use crate::result::schema::Schema;
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

    async fn try_digest(&self, definition: &Arc<Definition>) -> Result<(), Verdict> {
        let rule = definition.rule.name.as_str();
        let name = rule.to_owned();
        let quiet = self.database.read(move |connection| store::quiet(connection, &name)).await;
        let (going, last) = quiet?;
        let quiet_for = self.clock.now() - last.unwrap_or(0);
        let left = match going {
            false => definition.digest_quiet_ms - quiet_for,
            true => definition.digest_quiet_ms,
        };
        if left > 0 || going {
            let wait = Duration::from_millis(u64::try_from(left.max(LOOK_AGAIN_MS)).unwrap_or(0));
            return Err(Verdict::later(wait, "the rule's table is written when its runs are quiet"));
        }
        let (Some(name), Some(schema)) = (definition.digest.as_deref(), definition.schema.clone()) else {
            return Ok(());
        };
        let form = if name.ends_with(".md") { Form::Markdown } else { Form::Csv };
        let (part, first) = self.collected(definition, (&schema, form)).await?;
        let owner = format!("digest:{rule}");
        let owned = owner.clone();
        let known = self.database.read(move |connection| own::store::of(connection, &owned)).await;
        let known = known?;
        let folder = match (&known, &first) {
            (Some(known), _) => known.folder.clone(),
            (None, Some(indexed)) => folder(definition, indexed),
            (None, None) => return Ok(()),
        };
        let files = part.files();
        let table = self.compute.run(move || part.whole(&schema, form)).await;
        let output = Output {
            owner: &owner,
            profile: definition.profile(),
            folder: &folder,
            name,
            content: Bytes::from(table),
        };
        let written = self.publisher.write(&output).await?;
        tracing::info!(rule, files, name = written.name, "batch table written");
        Ok(())
    }

    /// The rows of the table, and the file that comes first by path. Results are read some at a time: all of a rule's
    /// would not fit into memory.
    async fn collected(
        &self,
        definition: &Arc<Definition>,
        (schema, form): (&Arc<Schema>, Form),
    ) -> Result<(Part, Option<Indexed>), Verdict> {
        let (mut all, mut first) = (Part::default(), None::<Indexed>);
        let definition = definition.clone();
        let by = move |connection: &mut Connection| Covered::by(connection, definition.clone());
        let mut covered = self.database.read(by).await?;
        while let Some((current, rest)) =
            self.database.read(move |connection| current(connection, &covered)).await?
        {
            covered = rest;
            let earliest = current.iter().map(|(indexed, _)| indexed).min_by_key(|indexed| &indexed.path);
            if let Some(indexed) = earliest
                && first.as_ref().is_none_or(|first| indexed.path < first.path)
            {
                first = Some(indexed.clone());
            }
            let schema = schema.clone();
            let part = self.compute.run(move || rendered(&schema, form, &current)).await;
            all = all.and(part);
        }
        Ok((all, first))
    }
}

/// Files of a rule, each with what became of the run over what it is now.
type Bite = Vec<(Indexed, Run)>;

/// The next files of the rule, and those that are left.
fn current(connection: &mut Connection, covered: &Covered) -> Result<Option<(Bite, Covered)>, Error> {
    let Some((page, rest)) = covered.next(connection)? else { return Ok(None) };
    let rule = &covered.definition().rule.name;
    let mut briefs = store::briefs(connection, rule, page.iter().map(|one| &one.key))?;
    let mut chosen = HashMap::new();
    for indexed in page {
        let runs = briefs.remove(&indexed.key.to_string()).unwrap_or_default().into_iter();
        let here = runs
            .filter(|run| Some(&run.content_hash) == indexed.copy.content_hash.as_ref())
            .filter(|run| run.state == State::Ended || run.has_reason);
        let best = here.max_by_key(|run| (run.outcome.is_some_and(Outcome::has_result), run.ended_at));
        chosen.extend(best.map(|run| (run.id, indexed)));
    }
    let ids: Vec<RunId> = chosen.keys().copied().collect();
    let runs = store::those(connection, &ids)?;
    let current = runs.into_iter().filter_map(|run| Some((chosen.remove(&run.id)?, run))).collect();
    Ok(Some((current, rest)))
}

fn rendered(schema: &Schema, form: Form, current: &[(Indexed, Run)]) -> Part {
    let all_checks: Vec<_> =
        current.iter().map(|(_, run)| run.result.as_ref().map(checks).unwrap_or_default()).collect();
    let entries: Vec<Entry<'_>> = current
        .iter()
        .zip(&all_checks)
        .map(|((indexed, run), checks)| Entry {
            file: &indexed.path,
            state: run.outcome.unwrap_or(Outcome::Held).as_str(),
            remark: run.reason.as_deref(),
            unread: run.result.as_ref().is_some_and(|result| result["unread"].is_string()),
            result: run.result.as_ref().map(|result| &result["data"]).filter(|data| !data.is_null()),
            checks,
        })
        .collect();
    Part::of(schema, form, &entries)
}

/// The folder that the rule's globs begin with, as it stands above one of its files.
fn folder(definition: &Definition, indexed: &Indexed) -> NodeId {
    let (depth, above) = (definition.folder.len(), &indexed.ancestors);
    // They stand from the parent upwards.
    let from_root = above.len().checked_sub(depth).filter(|_| depth > 0).and_then(|index| above.get(index));
    from_root.cloned().unwrap_or_else(NodeId::root)
}
