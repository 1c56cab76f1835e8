//! Whether a write of ours into Fastio was carried out. There is no key to find it by; but its content names its response and
//! times, so equal bytes at its place are ours.

use futures_util::StreamExt;
use sha2::{Digest, Sha256};

use crate::fastio::{Client, Error, Node, Profile};
use crate::job::verdict::fastio_verdict;
use crate::own::OwnFile;
use crate::queue::Verdict;

/// What is now where `own` was written, or was to be; none when it is gone, in the trash, or not made.
pub async fn find(fastio: &Client, profile: &Profile, own: &OwnFile) -> Result<Option<Node>, Verdict> {
    let found = match &own.node {
        Some(node) => fastio.node(profile, node).await.map(|node| Some(node).filter(|node| !node.trashed)),
        // If it was made, it has the name on record.
        None => fastio.child(profile, &own.folder, &own.name).await,
    };
    match found {
        Err(error) if own.node.is_some() && error.is_not_found() => Ok(None),
        found => found.map_err(|error| fastio_verdict(&error)),
    }
}

/// Whether the node's content is what the write on record was to make.
pub async fn is_that_write(
    fastio: &Client,
    profile: &Profile,
    node: &Node,
    own: &OwnFile,
) -> Result<bool, Verdict> {
    if node.size.is_some_and(|size| i64::try_from(size) != Ok(own.size)) {
        return Ok(false);
    }
    if let Some(hash) = node.hash.as_ref().filter(|hash| hash.algorithm.eq_ignore_ascii_case("sha256")) {
        return Ok(hash.value.eq_ignore_ascii_case(&own.sha256));
    }
    match hashed(fastio, profile, node).await {
        Ok(sha256) => Ok(sha256 == own.sha256),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(fastio_verdict(&error)),
    }
}

async fn hashed(fastio: &Client, profile: &Profile, node: &Node) -> Result<String, Error> {
    let mut download = fastio.download(profile, &node.id, node.version.as_ref()).await?;
    let mut hash = Sha256::new();
    while let Some(piece) = download.body.next().await {
        hash.update(&piece?);
    }
    Ok(hex::encode(hash.finalize()))
}
