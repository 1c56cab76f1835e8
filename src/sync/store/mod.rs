//! The tables `file`, `copy`, `vector_store` and `full_store`.

mod chain;
mod change;
mod copy;
mod file;
mod indexed;
mod kept_out;
mod made;

use std::ops::Range;

use super::copy::Source;
use crate::database::{Error, Row};
use crate::fastio::{Hash, NodeId, Profile, VersionId};
use crate::openai::Attributes;

pub use chain::{
    Chain, Chains, Continued, FullStore, Occupied, chain, chains, continue_in, continued, full, full_stores,
    moved, occupied, refused,
};
pub use change::{Change, Jobs, Told, retire};
pub(super) use copy::json_attributes;
pub use copy::{Held, copies, copies_by_store, copies_of, copy_counts, is_ours};
pub use file::{
    FileRow, Judged, OUT, PURGED, ReadAs, announced, bury, called, file, file_counts, files, files_under,
    fingerprint, folder_path, forget, gone_nodes, lose_sight, miss, named, other_hashes, path, rules_of, see,
};
pub(in crate::sync) use indexed::is_whole;
pub use indexed::{Indexed, Page, indexed, indexed_page, kept_out, kept_out_page};
pub use kept_out::{KeptOut, keep_out, keep_out_only, kept_out_of, leaving, let_go, rename_rule, want_in};
pub use made::{
    MadeStore, is_given_up, lose_store, lost_store, made_anew, made_as, made_store, move_copies,
    some_objects, store_made, store_named,
};

/// The content that a row tells of, by the names of its four columns.
pub(super) fn source(row: &Row<'_>, [version, hash, size, modified_at]: [&str; 4]) -> Result<Source, Error> {
    Ok(Source {
        version: row.get::<Option<String>>(version)?.map(VersionId),
        hash: row.get::<Option<String>>(hash)?.as_deref().and_then(parse_hash),
        size: row.get(size)?,
        modified_at: row.get(modified_at)?,
    })
}

/// Between which ids those of a profile's files lie: they begin with `PROFILE:`, and `;` comes right after `:`.
fn ids_of(profile: &Profile) -> Range<String> {
    format!("{profile}:")..format!("{profile};")
}

pub(super) fn json(attributes: &Attributes) -> String {
    serde_json::to_string(attributes).expect("attributes are texts and numbers")
}

pub(super) fn hash_text(hash: &Hash) -> String {
    format!("{}:{}", hash.algorithm, hash.value)
}

fn parse_hash(text: &str) -> Option<Hash> {
    let (algorithm, value) = text.split_once(':')?;
    Some(Hash { algorithm: algorithm.to_owned(), value: value.to_owned() })
}

/// The ids in a row's list, in their order.
fn nodes(ancestors: &str) -> impl Iterator<Item = NodeId> {
    ancestors.split_whitespace().map(NodeId::new)
}

/// A number of bytes as a column holds it.
pub(super) fn bytes(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
