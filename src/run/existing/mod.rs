//! What was there before its rule ran anything, which is not run over unless a person says so: a first start, a sweep or a
//! backfill that finds an archive of thousands of files must not begin thousands of paid runs.
//!
//! A rule's time begins when a server first has it with `[rule.run]`, and stands in `running_rule`. Content is news when
//! Fastio dates the file or its version after that, or when a webhook or the change feed told after that of a file that
//! appeared or moved (or of a folder above it). Anything else was there before; that is written down once, by content, so
//! that a rename, a comment or a touch later on does not make it news. An edit makes other content, which is judged anew.
//!
//! Fastio's times are whole seconds, rounded down: what was saved in the very second of the first start and that only a
//! sweep finds counts as older. It costs a `docket runs again`; the other way round it would cost money.

pub mod store;

use std::collections::BTreeMap;

use super::settings::Definition;
use crate::database::{Connection, Database, Error};
use crate::rule::Rules;
use crate::sync::store::Indexed;

/// Since when the rules run something, by name; without the rules that run over everything.
#[derive(Debug, Clone, Default)]
pub struct Since(BTreeMap<String, i64>);

impl Since {
    /// Reads it for those of `rules` that leave alone what was there before.
    pub fn read(connection: &mut Connection, rules: &Rules) -> Result<Since, Error> {
        let mut since = store::since(connection)?;
        since.retain(|name, _| rules.iter().any(|rule| rule.name == *name && rule.spares_existing));
        Ok(Since(since))
    }

    /// Whether a file is older than `rule`, as far as Fastio's times tell. Unix milliseconds.
    pub fn is_before(&self, rule: &str, times: [Option<i64>; 2]) -> bool {
        self.0.get(rule).is_some_and(|since| !is_after(times, *since))
    }

    /// Whether the rule was here at the last start.
    pub fn knows(&self, rule: &str) -> bool {
        self.0.contains_key(rule)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn is_after(times: [Option<i64>; 2], moment: i64) -> bool {
    times.into_iter().flatten().any(|time| time > moment)
}

/// Writes down which rules run something from now on, and says it of each that is new.
///
/// # Errors
/// Our database's.
pub async fn meet(database: &Database, rules: &Rules, now: i64) -> Result<(), Error> {
    let running: Vec<String> = rules.iter().filter(|rule| rule.runs).map(|rule| rule.name.clone()).collect();
    let new = database.write(move |tx| store::meet(tx, &running, now)).await?;
    for rule in rules.iter().filter(|rule| rule.spares_existing && new.contains(&rule.name)) {
        tracing::info!(
            rule = rule.name,
            "this rule is new here: the files that it covers already are indexed and not run over; \
             `docket runs again --rule NAME` says what running over them would take, rule.run.existing = true does it unasked"
        );
    }
    Ok(())
}

/// Whether `indexed` was there before its rule ran anything. The answer is kept.
pub(super) fn was_there(
    connection: &mut Connection,
    (definition, indexed): (&Definition, &Indexed),
    now: i64,
) -> Result<bool, Error> {
    let Some(content_hash) = &indexed.content_hash else { return Ok(false) };
    let rule = definition.rule.name.as_str();
    if definition.existing && !is_named_as_result(definition, indexed) {
        return Ok(false);
    }
    if store::is_known(connection, (rule, &indexed.key, content_hash))? {
        return Ok(true);
    }
    if !is_of_before(connection, (rule, indexed), now)? {
        return Ok(false);
    }
    store::keep(connection, (rule, &indexed.key, content_hash), now)?;
    Ok(true)
}

/// Whether a run over `indexed` is one over what was there before its rule: a person, or the rule's `existing`, asked for it.
pub(super) fn is_backfill(
    connection: &mut Connection,
    (rule, indexed): (&str, &Indexed),
    now: i64,
) -> Result<bool, Error> {
    let Some(content_hash) = &indexed.content_hash else { return Ok(false) };
    Ok(store::is_known(connection, (rule, &indexed.key, content_hash))?
        || is_of_before(connection, (rule, indexed), now)?)
}

fn is_of_before(
    connection: &mut Connection,
    (rule, indexed): (&str, &Indexed),
    now: i64,
) -> Result<bool, Error> {
    let since = store::since(connection)?.get(rule).copied().unwrap_or(now);
    Ok(!store::is_news(connection, indexed, since)?)
}

/// Whether `indexed` is a result that a Docket wrote whose records are lost: its name is all that shows it. An analysis
/// of an analysis is of no use, so not even `docket runs again` runs over it.
pub(super) fn is_earlier_result(
    connection: &mut Connection,
    (definition, indexed): (&Definition, &Indexed),
) -> Result<bool, Error> {
    let Some(content_hash) = &indexed.content_hash else { return Ok(false) };
    let name = definition.rule.name.as_str();
    Ok(is_named_as_result(definition, indexed)
        && store::is_known(connection, (name, &indexed.key, content_hash))?)
}

fn is_named_as_result(definition: &Definition, indexed: &Indexed) -> bool {
    let name = indexed.path.rsplit('/').next().unwrap_or_default();
    definition.write_back.as_ref().is_some_and(|pattern| pattern.may_have_named(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_older_than_its_rule_when_all_its_times_are() {
        let since = Since(BTreeMap::from([("r".to_owned(), 1_500)]));
        assert!(since.is_before("r", [Some(1_000), Some(1_500)]));
        assert!(!since.is_before("r", [Some(1_000), Some(2_000)]));
        assert!(!since.is_before("r", [Some(2_000), None]));
        assert!(since.is_before("r", [None, None]), "what has no time proves nothing");
        assert!(!since.is_before("another", [None, None]));
    }
}
