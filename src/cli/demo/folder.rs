//! A directory that is gone when the demo is.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Names that are tried: one that was killed may have left its own behind, and numbers of processes come round again.
const TRIES: u32 = 100;

/// Removes the directory and all in it when it is dropped.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// A new directory that only this user can look into, with a name short enough to be typed.
    pub fn make(name: &str) -> io::Result<Self> {
        let names = (0..TRIES).map(|number| match number {
            0 => format!("{name}-{}", std::process::id()),
            more => format!("{name}-{}-{more}", std::process::id()),
        });
        for name in names {
            let path = std::env::temp_dir().join(name);
            match DirBuilder::new().mode(0o700).create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made.map(|()| Folder(path)),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is in the temporary directory, which the system clears.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
