//! A million files that take no memory: each follows by formula from its number and a seed.
//!
//! They lie directly under the root, after the files that were put there, and are seen by what a sweep and a file's job
//! ask: the inventory, a node's details and its content. They are in no folder's list, send no events and never change.

use bytes::Bytes;
use serde_json::{Value, json};

use super::content::Stored;
use super::id::{canonical, mix, shown};
use super::time::written;

/// Sixteen times the million that Docket promises to sweep.
pub const MOST: u64 = 16_000_000;

/// What the ids begin with after their type character; no id of [`super::id::Ids`] has a digit 0 or 1 in it.
const MARK: &str = "0many";

/// Digits after it, up to the documented length of an id.
const DIGITS: usize = 23;

#[derive(Debug, Clone, Copy)]
pub struct Many {
    pub count: u64,
    pub seed: u64,
    /// When all of them were made.
    pub at: i64,
}

impl Many {
    /// Which file an id means.
    pub fn find(&self, id: &str) -> Option<u64> {
        let id = canonical(id);
        let number = id.strip_prefix('2')?.strip_prefix(MARK)?.parse().ok()?;
        (number < self.count).then_some(number)
    }

    pub fn name(&self, number: u64) -> String {
        format!("file-{number:08}.txt")
    }

    pub fn content(&self, number: u64) -> Stored {
        let text = format!("File {number} says {:016x}.\n", mix(self.seed, 1, number));
        Stored::kept(Bytes::from(text))
    }

    /// A node as `details/` shows it, and a row of the inventory.
    pub fn node(&self, number: u64) -> Value {
        let content = self.content(number);
        json!({
            "id": shown(&format!("2{MARK}{number:0DIGITS$}")),
            "name": self.name(number),
            "type": "file",
            "parent": "root",
            "created": written(self.at),
            "modified": written(self.at),
            "version": shown(&format!("3{MARK}{:0DIGITS$}", mix(self.seed, 2, number))),
            "size": content.size(),
            "hash": content.md5(),
            "hash_algo": "md5",
            "crc32c": content.crc32c(),
            "mimetype": "text/plain",
            "mimecategory": "document",
            "restricted": false,
            "dmca": false,
            "locked": false,
        })
    }

    pub fn row(&self, number: u64, with_path: bool) -> Value {
        let mut row = self.node(number);
        if with_path {
            row["path"] = format!("/{}", self.name(number)).into();
            row["path_complete"] = true.into();
        }
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_by_the_id_it_shows() {
        let many = Many { count: 10, seed: 7, at: 0 };
        let id = many.node(9)["id"].as_str().unwrap().to_owned();
        assert_eq!(canonical(&id).len(), 29);
        assert_eq!(many.find(&id), Some(9));
        assert_eq!(Many { count: 9, ..many }.find(&id), None);
    }
}
