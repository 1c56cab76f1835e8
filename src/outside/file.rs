//! Whether a write of ours into Fastio was carried out. There is no key to find it by; but its content names its response and
//! times, so equal bytes at its place are ours.

use std::time::Duration;

use futures_util::StreamExt;
use sha2::{Digest, Sha256};

use super::FRESH_MS;
use crate::clock::Clock;
use crate::fastio::{Client, Error, Node, Profile};
use crate::job::verdict::fastio_verdict;
use crate::own::OwnFile;
use crate::queue::Verdict;

/// Between looks for what was just written.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// What is now where `own` was written, or was to be; none when it is gone, in the trash, or not made. What was written less than
/// [`FRESH_MS`] ago may not be shown yet: then its folder's list decides, and at the last time.
pub async fn find(
    fastio: &Client,
    clock: &Clock,
    (profile, own): (&Profile, &OwnFile),
) -> Result<Option<Node>, Verdict> {
    let by_name = || fastio.child(profile, &own.folder, &own.name);
    let Some(id) = &own.node else {
        // If it was made, it has the name on record.
        return by_name().await.map_err(|error| fastio_verdict(&error));
    };
    match fastio.node(profile, id).await {
        Ok(node) => return Ok(Some(node).filter(|node| !node.trashed)),
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(fastio_verdict(&error)),
    }
    match by_name().await {
        Ok(found) => {
            let found = found.filter(|found| found.id == *id);
            if found.is_none() && clock.since(own.since) < FRESH_MS {
                return Err(not_shown());
            }
            Ok(found)
        }
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(fastio_verdict(&error)),
    }
}

/// Whether the node's content is what the write on record was to make. What was written less than [`FRESH_MS`] ago a list may show
/// before it can be read.
pub async fn is_that_write(
    (fastio, clock): (&Client, &Clock),
    (profile, node): (&Profile, &Node),
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
        Err(error) if error.is_not_found() && clock.since(own.since) < FRESH_MS => Err(not_shown()),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(fastio_verdict(&error)),
    }
}

/// What was to be written may be there, and is looked for again.
pub fn not_shown() -> Verdict {
    Verdict::later(LOOK_AGAIN, "Fastio does not show yet what was written there")
}

async fn hashed(fastio: &Client, profile: &Profile, node: &Node) -> Result<String, Error> {
    let mut download = fastio.download(profile, &node.id, node.version.as_ref()).await?;
    let mut hash = Sha256::new();
    while let Some(piece) = download.body.next().await {
        hash.update(&piece?);
    }
    Ok(hex::encode(hash.finalize()))
}
