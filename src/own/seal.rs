//! The seal at the end of a page that Docket writes: by it a page is known to be ours, and as we wrote it, where no record says so. A
//! failover to a standby that lagged behind loses the newest records, and so does a backup that is restored.
//!
//! It is an HMAC over all that stands before it, by a key that is made with the database and leaves it only in a copy or a backup.
//! So nobody who writes a page can pass it off as ours, and a page that somebody edits is theirs.
//!
//! Where Fastio says with which agent's key a version was made, that proves the same of what has no seal: of a node that we wrote before, and
//! of nothing else, because the key may be used for other files too, and its agent says itself what it is called.
//!
//! In Markdown it is a link reference definition, of which a reader shows nothing (CommonMark 0.31.2, 4.7), in HTML a comment.
//! Tables and Word documents have none.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha2::{Digest, Sha256};

use super::store;
use crate::database::{Connection, Database, Error};
use crate::fastio::{self, Client, NodeId, Profile, VersionId};

/// How long a key is, in bytes.
const KEY: usize = 32;

/// Hexadecimal digits of an HMAC-SHA-256.
const DIGITS: usize = 64;

/// What is looked through for a seal is no longer than this, in bytes: more than an answer can become.
const LONGEST: u64 = 8 * 1024 * 1024;

/// What stands before the digits of a seal, and what behind them.
type Frame = (&'static str, &'static str);

const MARKDOWN: Frame = ("\n\n[docket-seal]: #", "\n");
const HTML: Frame = ("\n<!-- docket-seal ", " -->\n");

/// Puts seals on pages, and knows them again. Cheap to clone.
#[derive(Clone)]
pub struct Seal(Arc<[u8; KEY]>);

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

/// A file that may be a page of ours.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    pub profile: &'a Profile,
    pub node: &'a NodeId,
    pub version: Option<&'a VersionId>,
    pub name: &'a str,
    /// Its size in bytes, where Fastio announces that.
    pub size: Option<u64>,
    /// It stands where a file of ours does, and was made by the agent that made that one.
    pub is_by_us: bool,
}

/// What is in a page of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    pub version: Option<VersionId>,
    pub sha256: String,
    pub md5: String,
    pub size: i64,
}

impl Seal {
    /// The one of this database, which is made with the first that asks.
    ///
    /// # Errors
    /// The database's, or that what is in it is no key.
    pub async fn of(database: &Database) -> Result<Seal, Error> {
        let mut random = [0; KEY];
        getrandom::fill(&mut random).map_err(|_| Error::bug("the system has no random numbers"))?;
        let key = database.write(move |tx| store::key(tx, &random)).await?;
        let key = key.try_into().map_err(|_| Error::bug("the key of the seals has another length"))?;
        Ok(Seal(Arc::new(key)))
    }

    /// `content` with its seal, where a file of this name can have one.
    pub fn put(&self, name: &str, content: Bytes) -> Bytes {
        let Some((before, behind)) = frame(name) else { return content };
        let digits = hex::encode(self.mac(&content).finalize().into_bytes());
        Bytes::from([&content, before.as_bytes(), digits.as_bytes(), behind.as_bytes()].concat())
    }

    /// Whether `content` of a file of this name is as it was when its seal was put on it.
    fn is_on(&self, name: &str, content: &[u8]) -> bool {
        let Some((before, behind)) = frame(name) else { return false };
        let sealed =
            content.strip_suffix(behind.as_bytes()).and_then(|rest| rest.split_last_chunk::<DIGITS>());
        let Some((rest, digits)) = sealed else { return false };
        let Some((rest, mac)) = rest.strip_suffix(before.as_bytes()).zip(hex::decode(digits).ok()) else {
            return false;
        };
        self.mac(rest).verify_slice(&mac).is_ok()
    }

    fn mac(&self, content: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&*self.0).expect("HMAC takes a key of any length");
        mac.update(content);
        mac
    }

    /// Reads a page that no record calls ours. Where it bears its seal, or its maker proves it ours, that is on record from then on.
    ///
    /// # Errors
    /// Fastio's, and within it the database's. A file that is not there, or not in that version, bears no seal.
    pub async fn proves(
        &self,
        (fastio, database): (&Client, &Database),
        page: &Page<'_>,
        now: i64,
    ) -> Result<Result<bool, Error>, fastio::Error> {
        let Some(proven) = self.proof(fastio, page).await? else { return Ok(Ok(false)) };
        tracing::info!(
            name = page.name,
            "no record says that Docket wrote this version, but its seal or its maker does"
        );
        let (profile, node) = (page.profile.clone(), page.node.clone());
        let write = move |tx: &mut Connection| store::prove(tx, (&profile, &node), &proven, now);
        Ok(database.write(write).await.map(|()| true))
    }

    /// What is in a page, if it is ours.
    async fn proof(&self, fastio: &Client, page: &Page<'_>) -> Result<Option<Proven>, fastio::Error> {
        let may_be_ours = page.is_by_us || frame(page.name).is_some();
        if !may_be_ours || page.size.is_some_and(|size| size > LONGEST) {
            return Ok(None);
        }
        let content = match read(fastio, page).await {
            Ok(content) => content,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error),
        };
        let is_ours = |content: &Vec<u8>| page.is_by_us || self.is_on(page.name, content);
        let proven = content.filter(is_ours).map(|content| Proven {
            version: page.version.cloned(),
            sha256: hex::encode(Sha256::digest(&content)),
            md5: hex::encode(Md5::digest(&content)),
            size: i64::try_from(content.len()).unwrap_or(i64::MAX),
        });
        Ok(proven)
    }
}

/// None where it is longer than any page of ours.
async fn read(fastio: &Client, page: &Page<'_>) -> Result<Option<Vec<u8>>, fastio::Error> {
    let mut body = fastio.download(page.profile, page.node, page.version).await?.body;
    let mut content = Vec::new();
    while let Some(piece) = body.next().await {
        content.extend_from_slice(&piece?);
        if content.len() as u64 > LONGEST {
            return Ok(None);
        }
    }
    Ok(Some(content))
}

fn frame(name: &str) -> Option<Frame> {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    match ending.as_deref() {
        Some("md") => Some(MARKDOWN),
        Some("html") => Some(HTML),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(key: u8) -> Seal {
        Seal(Arc::new([key; KEY]))
    }

    #[test]
    fn a_page_bears_its_seal_until_one_byte_of_it_is_another() {
        for (name, shown) in
            [("nda.analysis.md", "\n\n[docket-seal]: #"), ("NDA.HTML", "\n<!-- docket-seal ")]
        {
            let page = seal(1).put(name, Bytes::from_static(b"# Findings\n"));
            assert!(page.starts_with(b"# Findings\n"));
            assert!(String::from_utf8_lossy(&page).contains(shown));
            assert!(seal(1).is_on(name, &page));
            assert!(!seal(2).is_on(name, &page), "another database's");
            for at in 0..page.len() {
                let mut edited = page.to_vec();
                edited[at] ^= 1;
                assert!(!seal(1).is_on(name, &edited), "{name}: byte {at}");
            }
            let longer = [&page, b"and a note of mine\n".as_slice()].concat();
            assert!(!seal(1).is_on(name, &longer));
            assert!(!seal(1).is_on(name, &page[..page.len() - 1]));
        }
    }

    #[test]
    fn what_can_bear_no_seal_stays_as_it_is() {
        for name in ["review.csv", "nda.docx", "md", ""] {
            let content = Bytes::from_static(b"a;b\n");
            assert_eq!(seal(1).put(name, content.clone()), content);
            assert!(!seal(1).is_on(name, &content));
        }
    }

    #[test]
    fn a_reader_of_markdown_sees_nothing_of_it() {
        let page = seal(1).put("a.md", Bytes::from_static(b"# Findings\n\n- one\n- two"));
        let text = String::from_utf8(page.to_vec()).unwrap();
        let shown = comrak::markdown_to_html(&text, &comrak::Options::default());
        assert!(shown.ends_with("<li>two</li>\n</ul>\n"), "{shown}");
    }
}
