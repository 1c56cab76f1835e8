//! Files with what can be searched of them.

use super::{Chain, ids_of, nodes, source};
use crate::database::{Connection, Error, Row, from_row, params, statements};
use crate::fastio::{FileKey, NodeId, Profile};
use crate::sync::copy::{Copy, Source};

/// A file as it was last seen, and what is known of its content, for what is run over it.
#[derive(Debug, Clone)]
pub struct Indexed {
    pub key: FileKey,
    pub path: String,
    /// The folders above it, from its parent upwards, without the root.
    pub ancestors: Vec<NodeId>,
    /// What the file is now.
    pub source: Source,
    /// A job died since that was to learn what the file is now.
    pub is_out_of_sight: bool,
    /// SHA-256 of the content that is known, and what that content is: the file's present one, or that of an earlier version while a
    /// newer one is on its way.
    pub content_hash: Option<String>,
    pub content: Source,
    /// What can be searched of that content. Of a text that was cut the first segment; none of a file that its rule keeps out of OpenAI.
    pub copy: Option<Copy>,
}

impl Indexed {
    /// Whether what is known is what the file is now.
    pub fn is_present(&self) -> bool {
        self.content.same_content(&self.source)
    }

    /// Bytes of what is read of it: of its copy, or at Fastio.
    pub fn bytes(&self) -> u64 {
        self.copy.as_ref().map_or(self.source.size, |copy| copy.bytes)
    }
}

/// The file of `key` with its newest searchable copy in one of `stores`; `None` when it is gone, skipped or not indexed.
pub fn indexed(connection: &mut Connection, key: &FileKey, stores: &Chain) -> Result<Option<Indexed>, Error> {
    connection.first(INDEXED, params![key.to_string(), stores.json()])
}

/// Part of a list that goes by ids.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// The id of the last entry of the part before.
    pub after: Option<&'a str>,
    pub most: u32,
}

/// The next files of `profile`, each with its newest searchable copy in one of `stores`, by the files' ids.
pub fn indexed_page(
    connection: &mut Connection,
    profile: &Profile,
    stores: &Chain,
    page: &Page<'_>,
) -> Result<Vec<Indexed>, Error> {
    let ids = ids_of(profile);
    connection.all(INDEXED_PAGE, params![stores.json(), page.after.unwrap_or(&ids.start), ids.end, page.most])
}

/// The file of `key` as `rule` keeps it out of OpenAI; `None` when it is gone or skipped, or was not read yet.
pub fn kept_out(connection: &mut Connection, key: &FileKey, rule: &str) -> Result<Option<Indexed>, Error> {
    connection.first(KEPT_OUT, params![key.to_string(), rule])
}

/// The next files of `profile` that `rule` keeps out of OpenAI, whether something needs them there now or not, by the files' ids.
pub fn kept_out_page(
    connection: &mut Connection,
    profile: &Profile,
    rule: &str,
    page: &Page<'_>,
) -> Result<Vec<Indexed>, Error> {
    let ids = ids_of(profile);
    let after = page.after.unwrap_or(&ids.start);
    connection.all(KEPT_OUT_PAGE, params![rule, after, ids.end, page.most])
}

from_row!(row => Indexed {
    key: key(row)?,
    path: row.get("file_path")?,
    ancestors: nodes(&row.get::<String>("file_ancestors")?).collect(),
    source: source(row, ["file_version", "file_hash", "file_size", "file_modified_at"])?,
    is_out_of_sight: row.get::<Option<i64>>("file_looked_at")?.is_none(),
    content_hash: row.get("content_hash")?,
    content: source(row, ["version", "hash", "size", "modified_at"])?,
    copy: match row.get::<bool>("is_copied")? {
        true => Some(Copy::from_row(row)?),
        false => None,
    },
});
fn key(row: &Row<'_>) -> Result<FileKey, Error> {
    let profile: String = row.get("file_profile")?;
    let profile = profile.parse::<Profile>().map_err(|_| Error::bug("a file is in no workspace or share"))?;
    Ok(FileKey::new(profile, NodeId::new(row.get::<String>("file_node")?)))
}

/// A copy `c` that can be searched and is the whole file, or the first of segments that all can be.
macro_rules! is_whole {
    () => {
        "c.state = 'indexed' AND (c.segment IS NULL OR c.segment = 1 AND c.segments = (
             SELECT count(DISTINCT part.segment) FROM copy AS part
             WHERE part.source_id = c.source_id AND part.vector_store = c.vector_store AND part.state = 'indexed'
               AND part.segments = c.segments AND part.content_hash = c.content_hash))"
    };
}

pub(in crate::sync) use is_whole;

macro_rules! file_columns {
    () => {
        "f.profile AS file_profile, f.node AS file_node, f.path AS file_path,
                f.ancestors AS file_ancestors, f.version AS file_version, f.hash AS file_hash, f.size AS file_size,
                f.modified_at AS file_modified_at, f.looked_at AS file_looked_at"
    };
}

statements! {
    KEPT_OUT = concat!(
        "SELECT k.*, false AS is_copied, ",
        file_columns!(),
        " FROM file AS f JOIN kept_out AS k ON k.source_id = f.source_id
         WHERE f.source_id = $1 AND k.rule = $2 AND f.state IN ('present', 'out')"
    );
    KEPT_OUT_PAGE = concat!(
        "SELECT k.*, false AS is_copied, ",
        file_columns!(),
        " FROM file AS f JOIN kept_out AS k ON k.source_id = f.source_id AND k.rule = $1
         WHERE f.source_id > $2 AND f.source_id < $3 AND f.state IN ('present', 'out')
         ORDER BY f.source_id LIMIT $4"
    );
    INDEXED = concat!(
        "SELECT c.*, true AS is_copied, ",
        file_columns!(),
        " FROM file AS f JOIN copy AS c ON c.source_id = f.source_id
         WHERE f.source_id = $1 AND f.state = 'present'
           AND c.vector_store IN (SELECT value FROM json_each($2)) AND ",
        is_whole!(),
        " ORDER BY c.id DESC LIMIT 1"
    );
    INDEXED_PAGE = concat!(
        "SELECT c.*, true AS is_copied, ",
        file_columns!(),
        " FROM file AS f JOIN copy AS c ON c.id = (
             SELECT max(c.id) FROM copy AS c WHERE c.source_id = f.source_id
                   AND c.vector_store IN (SELECT value FROM json_each($1)) AND ",
        is_whole!(),
        ") WHERE f.source_id > $2 AND f.source_id < $3 AND f.state = 'present'
         ORDER BY f.source_id LIMIT $4"
    );
}
