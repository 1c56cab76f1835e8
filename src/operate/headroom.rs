//! What is left of OpenAI's limits within this minute: the account's, those of each rule's vector store, and those of each model that
//! runs use. There are as many as the settings have rules and models, whatever others do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::clock::Clock;
use crate::database::{Connection, Database, Error};
use crate::govern::{Governor, Left, Limit};
use crate::rule::Rules;
use crate::run::{Definition, pace};
use crate::sync;

/// Asks what is left. It takes nothing of it.
#[derive(Debug, Clone)]
pub struct Headroom {
    pub clock: Clock,
    pub database: Database,
    pub governor: Governor,
    pub rules: Rules,
    pub definitions: Vec<Arc<Definition>>,
}

/// What is left of one limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remaining {
    /// In a word, for programs.
    pub limit: &'static str,
    pub whose: Whose,
    pub what: String,
    pub left: u64,
    pub most: u64,
}

/// Whose limit it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    Account,
    /// The vector store's of these rules.
    Rules(Vec<String>),
    Model(String),
}

/// What the database knows of it.
struct Known {
    /// The vector stores there are, with the rules that fill them.
    stores: BTreeMap<String, Vec<String>>,
    models: Vec<Remaining>,
}

impl Headroom {
    /// All that is known: a model's limits are when OpenAI has told of them, and a store's when it has been made.
    ///
    /// # Errors
    /// The database's.
    pub async fn remaining(&self) -> Result<Vec<Remaining>, Error> {
        let (rules, definitions, now) = (self.rules.clone(), self.definitions.clone(), self.clock.now());
        let known = move |connection: &mut Connection| {
            Ok(Known { stores: stores(connection, &rules)?, models: models(connection, &definitions, now)? })
        };
        let Known { stores, models } = self.database.observe(known).await?;
        let of_account = [Limit::Uploads, Limit::Attached].map(|limit| (limit, Whose::Account));
        let of_stores =
            stores.into_iter().map(|(store, rules)| (Limit::Attaches(store), Whose::Rules(rules)));
        let mut all = Vec::new();
        for (limit, whose) in of_account.into_iter().chain(of_stores) {
            let Left { name, what, left, most } = self.governor.left(&limit).await?;
            all.push(Remaining { limit: name, whose, what, left: left.into(), most: most.into() });
        }
        all.extend(models);
        Ok(all)
    }
}

fn stores(connection: &mut Connection, rules: &Rules) -> Result<BTreeMap<String, Vec<String>>, Error> {
    let mut stores: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for rule in rules.iter() {
        // Of several the last is the one that is being filled.
        if let Some(store) = sync::store::chain(connection, rule)?.iter().next_back() {
            stores.entry(store.0.clone()).or_default().push(rule.name.clone());
        }
    }
    Ok(stores)
}

fn models(
    connection: &mut Connection,
    definitions: &[Arc<Definition>],
    now: i64,
) -> Result<Vec<Remaining>, Error> {
    let models: BTreeSet<&str> =
        definitions.iter().filter_map(|definition| definition.engine.model()).collect();
    let mut all = Vec::new();
    for model in models {
        let left = pace::store::left(connection, model, now)?;
        all.extend(left.into_iter().map(|pace::room::Left { limit, left, most }| {
            let what = format!("{most} {limit} a minute that OpenAI tells of {model}");
            Remaining { limit, whose: Whose::Model(model.to_owned()), what, left, most }
        }));
    }
    Ok(all)
}
