//! The vector stores of a rule: the statements on `full_store`, and those on `vector_store` that are about stores which continue another.

use std::collections::HashMap;

use super::store_named;
use crate::database::{Connection, Error, JsonList, from_row, json_list, params, statements};
use crate::openai::VectorStoreId;
use crate::rule::{Rule, Rules, Target};

/// The vector stores of one rule, in the order in which they are filled: the one that it names, those that a person named to follow it,
/// and those that Docket made when all of these were full. None before the first is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chain(Vec<VectorStoreId>);

impl Chain {
    pub fn new(stores: Vec<VectorStoreId>) -> Self {
        Chain(stores)
    }

    /// The one that the rule names, by which the chain is known.
    pub fn first(&self) -> Option<&VectorStoreId> {
        self.0.first()
    }

    pub fn has(&self, store: &VectorStoreId) -> bool {
        self.0.contains(store)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &VectorStoreId> {
        self.0.iter()
    }

    /// As a statement takes it.
    pub fn json(&self) -> JsonList {
        json_list(&self.0.iter().map(|store| store.0.as_str()).collect::<Vec<_>>())
    }
}

/// The stores of each rule. Rules that name one store have all of them in common.
#[derive(Debug, Clone, Default)]
pub struct Chains(HashMap<Target, Chain>);

impl Chains {
    /// Those of `rule`.
    pub fn of(&self, rule: &Rule) -> &Chain {
        const NONE: &Chain = &Chain(Vec::new());
        self.0.get(&rule.target).unwrap_or(NONE)
    }

    /// All stores, each once, in their order.
    pub fn stores(&self) -> Vec<VectorStoreId> {
        let mut stores: Vec<VectorStoreId> = self.0.values().flat_map(Chain::iter).cloned().collect();
        stores.sort();
        stores.dedup();
        stores
    }

    /// Whether Docket makes this store anew when it is gone, because no person named it by its id.
    pub fn is_made(&self, store: &VectorStoreId, rules: &Rules) -> bool {
        let is_named = |rule: &Rule| rule.next.contains(store) || rule.target == Target::Id(store.clone());
        rules.iter().any(|rule| self.of(rule).has(store) && !is_named(rule))
    }
}

/// The stores of a rule.
pub fn chain(connection: &mut Connection, rule: &Rule) -> Result<Chain, Error> {
    let first = match &rule.target {
        Target::Id(id) => id.clone(),
        Target::Create { create } => match store_named(connection, create)? {
            Some(id) => id,
            None => return Ok(Chain::default()),
        },
    };
    let continued = continued(connection, &first)?;
    let mut stores = vec![first];
    stores.extend(rule.next.iter().cloned());
    // What was in one that is lost is still held to be there, until the new one is on record.
    stores.extend(continued.into_iter().filter_map(|one| one.id.or(one.lost)));
    Ok(Chain(stores))
}

/// The stores of all these rules.
pub fn chains<'a>(
    connection: &mut Connection,
    rules: impl IntoIterator<Item = &'a Rule>,
) -> Result<Chains, Error> {
    let mut chains = HashMap::new();
    for rule in rules {
        if !chains.contains_key(&rule.target) {
            chains.insert(rule.target.clone(), chain(connection, rule)?);
        }
    }
    Ok(Chains(chains))
}

/// A store that Docket made, or is to make, because those before it are full.
#[derive(Debug, Clone)]
pub struct Continued {
    pub name: String,
    pub number: u32,
    pub id: Option<VectorStoreId>,
    /// The one before, where that was lost.
    pub lost: Option<VectorStoreId>,
}

from_row!(row => Continued {
    name,
    number,
    id: row.get::<Option<String>>("vector_store_id")?.map(VectorStoreId),
    lost: row.get::<Option<String>>("lost_id")?.map(VectorStoreId),
});

/// Those that continue `first`, in their order.
pub fn continued(connection: &mut Connection, first: &VectorStoreId) -> Result<Vec<Continued>, Error> {
    connection.all(CONTINUED, params![first.0])
}

/// Writes down that a store called `name` is to be made, to continue `first` as its number `number`.
pub fn continue_in(
    connection: &mut Connection,
    (name, intent): (&str, &str),
    (first, number): (&VectorStoreId, u32),
    now: i64,
) -> Result<(), Error> {
    connection.run(CONTINUE_IN, params![name, intent, now, first.0, number])?;
    Ok(())
}

/// What is known to be in a store, or on its way there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Occupied {
    /// Copies of ours that it has, or had a moment ago.
    pub held: u64,
    /// Copies of ours that it is to get.
    pub coming: u64,
    /// How many of ours it had when OpenAI refused one more, and when that was (Unix milliseconds).
    pub refused: Option<(u64, i64)>,
}

#[derive(Debug)]
struct Line {
    vector_store: String,
    held: u64,
    coming: u64,
    held_then: Option<u64>,
    refused_at: Option<i64>,
}

from_row!(Line { vector_store, held, coming, held_then, refused_at });

/// How much is in each of these stores.
pub fn occupied(
    connection: &mut Connection,
    chain: &Chain,
) -> Result<HashMap<VectorStoreId, Occupied>, Error> {
    let lines: Vec<Line> = connection.all(OCCUPIED, params![chain.json()])?;
    let of = |line: Line| {
        let refused = line.held_then.zip(line.refused_at);
        let occupied = Occupied { held: line.held, coming: line.coming, refused };
        (VectorStoreId(line.vector_store), occupied)
    };
    Ok(lines.into_iter().map(of).collect())
}

/// OpenAI refused to put one more into `store`.
pub fn refused(connection: &mut Connection, store: &VectorStoreId, now: i64) -> Result<(), Error> {
    connection.run(REFUSED, params![store.0, now])?;
    Ok(())
}

/// `store` has no room, and `next` is filled instead. True when that is news.
pub fn full(
    connection: &mut Connection,
    (store, next): (&VectorStoreId, &VectorStoreId),
    now: i64,
) -> Result<bool, Error> {
    Ok(connection.run(FULL, params![store.0, next.0, now])? == 1)
}

/// The store `lost` is another one now.
pub fn moved(connection: &mut Connection, (lost, to): (&VectorStoreId, &VectorStoreId)) -> Result<(), Error> {
    connection.run(CONTINUES, params![lost.0, to.0])?;
    connection.run(NEXT, params![lost.0, to.0])?;
    connection.run(NOT_FULL, params![lost.0]).map(drop)
}

/// A store that has been full, and the one that continues it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FullStore {
    pub vector_store: String,
    pub next: String,
    /// Unix milliseconds.
    pub since: i64,
    /// Copies in each of them.
    pub copies: i64,
    pub next_copies: i64,
}

from_row!(FullStore { vector_store, next, since, copies, next_copies });

impl FullStore {
    /// For people.
    pub fn words(&self) -> String {
        let FullStore { vector_store, next, copies, next_copies, .. } = self;
        format!(
            "vector store {vector_store} is full ({copies} copies) and continues in {next} ({next_copies}): whoever searches the first \
             without Docket, such as an assistant of yours, has to search {next} too"
        )
    }
}

/// The stores that have been full and whose next one holds something, the first of them first.
pub fn full_stores(connection: &mut Connection) -> Result<Vec<FullStore>, Error> {
    connection.all(FULL_STORES, &[])
}

statements! {
    CONTINUED = "
        SELECT name, number, vector_store_id, lost_id FROM vector_store WHERE continues = $1 ORDER BY number";
    CONTINUE_IN = "
        INSERT INTO vector_store (name, intent, created_at, continues, number) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT DO NOTHING";
    OCCUPIED = "
        SELECT json_each.value AS vector_store,
               (SELECT coalesce(sum(copies), 0) FROM copy_count
                WHERE vector_store = json_each.value AND state IN ('attached', 'indexed', 'retiring')) AS held,
               (SELECT coalesce(sum(copies), 0) FROM copy_count
                WHERE vector_store = json_each.value AND state IN ('uploading', 'uploaded')) AS coming,
               f.held AS held_then, f.refused_at
        FROM json_each($1) LEFT JOIN full_store AS f ON f.vector_store = json_each.value";
    REFUSED = "
        INSERT INTO full_store (vector_store, since, held, refused_at)
        VALUES ($1, $2, (SELECT coalesce(sum(copies), 0) FROM copy_count
                         WHERE vector_store = $1 AND state IN ('attached', 'indexed', 'retiring')), $2)
        ON CONFLICT (vector_store) DO UPDATE SET held = excluded.held, refused_at = excluded.refused_at";
    FULL = "
        INSERT INTO full_store (vector_store, next, since) VALUES ($1, $2, $3)
        ON CONFLICT (vector_store) DO UPDATE SET next = excluded.next
        WHERE full_store.next IS NULL";
    CONTINUES = "UPDATE vector_store SET continues = $2 WHERE continues = $1";
    NEXT = "UPDATE full_store SET next = $2 WHERE next = $1";
    NOT_FULL = "DELETE FROM full_store WHERE vector_store = $1";
    FULL_STORES = "
        SELECT vector_store, next, since,
               (SELECT coalesce(sum(copies), 0) FROM copy_count
                WHERE copy_count.vector_store = full_store.vector_store) AS copies,
               (SELECT coalesce(sum(copies), 0) FROM copy_count WHERE copy_count.vector_store = full_store.next) AS next_copies
        FROM full_store
        WHERE next IS NOT NULL
          AND EXISTS (SELECT 1 FROM copy_count WHERE copy_count.vector_store = full_store.next AND copies > 0)
        ORDER BY since, vector_store";
}
