//! The project's File objects, as far as a rebuild asks for them: what each is called and how long it is.

use std::hash::{BuildHasher, RandomState};

use crate::openai::{File, FileId};

/// Some fifty bytes for each, 50 MB for a million. Ids are kept as hashes with a key of this process: two of a million are equal in one
/// rebuild of thirty million, and then one copy is left to a sweep.
#[derive(Debug, Default)]
pub struct Objects {
    rows: Vec<Row>,
    names: String,
    key: RandomState,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    id: u64,
    /// Where its name begins in all names, and how long it is.
    name: (u32, u16),
    /// None as the largest number, which is no length.
    bytes: u64,
}

const NO_LENGTH: u64 = u64::MAX;

impl Objects {
    /// Adds one. A name that is longer than any can be is left out, and with it what proves a copy of it.
    pub fn add(&mut self, file: &File) {
        let begin = u32::try_from(self.names.len());
        let (Ok(begin), Ok(length)) = (begin, u16::try_from(file.filename.len())) else { return };
        self.names.push_str(&file.filename);
        let id = self.key.hash_one(&file.id.0);
        self.rows.push(Row { id, name: (begin, length), bytes: file.bytes.unwrap_or(NO_LENGTH) });
    }

    /// To be called once all are added.
    pub fn close(&mut self) {
        self.rows.sort_unstable_by_key(|row| row.id);
    }

    /// The object of this id.
    pub fn get(&self, id: &FileId) -> Option<File> {
        let hash = self.key.hash_one(&id.0);
        let row = self.rows[self.rows.binary_search_by_key(&hash, |row| row.id).ok()?];
        let begin = row.name.0 as usize;
        Some(File {
            id: id.clone(),
            filename: self.names[begin..begin + usize::from(row.name.1)].to_owned(),
            bytes: Some(row.bytes).filter(|bytes| *bytes != NO_LENGTH),
            created_at: None,
            purpose: String::new(),
            status: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_found_by_its_id_and_no_other_is() {
        let file = |n: u64| File {
            id: FileId(format!("file-{n}")),
            filename: format!("Vertrag {n} ü.txt"),
            bytes: (n != 7).then_some(n),
            created_at: None,
            purpose: String::new(),
            status: None,
        };
        let mut objects = Objects::default();
        (0..1_000).rev().for_each(|n| objects.add(&file(n)));
        objects.close();
        assert!((0..1_000).all(|n| objects.get(&file(n).id) == Some(file(n))));
        assert_eq!(objects.get(&file(1_000).id), None);
    }
}
