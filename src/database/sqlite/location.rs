//! Where the database is: one plain file on a disk. What would keep the state elsewhere (in memory, behind another VFS, in
//! a file that nothing may write) is refused, because an acknowledgement promises that a delivery is on disk.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;

use crate::database::OpenError;

/// The parameters of SQLite's URLs that leave it a plain file that can be written.
const HARMLESS: [&str; 2] = ["mode=rw", "mode=rwc"];

/// Those that do not, which an error may name. Any other text may be a secret in the wrong place.
const REFUSED: [&str; 4] = ["vfs", "immutable", "cache", "mode"];

/// The absolute path of the file that `url` names, whether it is there or not.
///
/// # Errors
/// A `url` that is not `sqlite://PATH`, or names something else than one plain file.
pub fn path(url: &str) -> Result<PathBuf, OpenError> {
    let path = named(url)?;
    std::path::absolute(&path).map_err(|source| OpenError::Place { path, source })
}

/// `url` with its path relative to `folder`. What is no URL of ours stays as it is and is refused when it is opened.
pub fn relative_to(url: &str, folder: &Path) -> String {
    let Ok(named) = named(url) else { return url.to_owned() };
    match std::path::absolute(folder.join(named)) {
        Ok(path) => self::url(&path),
        Err(_) => url.to_owned(),
    }
}

/// The URL of a path: with what would end it, and what the driver would decode, escaped.
fn url(path: &Path) -> String {
    let mut url = "sqlite://".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'%' | b'?' | 0x80.. => url.push_str(&format!("%{byte:02X}")),
            byte => url.push(char::from(*byte)),
        }
    }
    url
}

/// The path in `url`, as it stands there.
fn named(url: &str) -> Result<PathBuf, OpenError> {
    let rest = url.strip_prefix("sqlite:").ok_or(OpenError::UnknownScheme)?;
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (path, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    if first.split_once('@').is_some_and(|(user, _)| user.contains(':')) {
        return Err(OpenError::NotPlain);
    }
    if path.is_empty() || path.starts_with(':') || path.starts_with("file:") || path.contains('\0') {
        return Err(OpenError::NotOneFile);
    }
    if let Some(odd) = parameters.split('&').find(|one| !one.is_empty() && !HARMLESS.contains(one)) {
        let name = odd.split('=').next().unwrap_or_default();
        let known = REFUSED.into_iter().find(|known| *known == name);
        return Err(OpenError::Parameter(known.unwrap_or("the one that is there")));
    }
    let decoded: Vec<u8> = percent_decode_str(path).collect();
    if decoded.contains(&0) || decoded.starts_with(b":") {
        return Err(OpenError::NotOneFile);
    }
    Ok(std::ffi::OsString::from_vec(decoded).into())
}

/// The file at `path` by its own name, with no symbolic link on the way: SQLite keeps its log beside that one.
///
/// # Errors
/// There is none, or no plain file.
pub fn found(path: &Path) -> Result<PathBuf, OpenError> {
    let missing = || OpenError::Missing(path.to_owned());
    let failed = |source: std::io::Error| match source.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => missing(),
        _ => OpenError::Place { path: path.to_owned(), source },
    };
    let is_link = path.symlink_metadata().map_err(failed)?.is_symlink();
    let real = path.canonicalize().map_err(|source| match source.kind() {
        ErrorKind::NotFound if is_link => OpenError::Dangling(path.to_owned()),
        _ => failed(source),
    })?;
    let kind = real.metadata().map_err(failed)?.file_type();
    let what = match kind {
        kind if kind.is_file() => return Ok(real),
        kind if kind.is_dir() => "a folder",
        kind if kind.is_fifo() => "a pipe",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    };
    Err(OpenError::NotAFile { path: path.to_owned(), what })
}

/// The file at `path`, made when it is missing: empty, and for our own user only, because it holds names, results and held
/// locks. Its log gets the same rights from SQLite.
///
/// # Errors
/// As [`found`], and when it cannot be made.
pub fn found_or_made(path: &Path) -> Result<PathBuf, OpenError> {
    match found(path) {
        Err(OpenError::Missing(_)) => {}
        found => return found,
    }
    match make(path) {
        Ok(()) => found(path),
        // Another program made it at this moment.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => found(path),
        Err(source) => Err(OpenError::Place { path: path.to_owned(), source }),
    }
}

/// Makes a file for our own user only, and never through a symbolic link.
pub fn make(path: &Path) -> std::io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map(drop)
}

/// The path of a file beside the one at `path`, whose name is longer by `suffix`.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_relative_to_the_settings() {
        let from = |url| relative_to(url, Path::new("/etc/docket"));
        assert_eq!(from("sqlite://docket.db"), "sqlite:///etc/docket/docket.db");
        assert_eq!(from("sqlite:state/docket.db"), "sqlite:///etc/docket/state/docket.db");
        assert_eq!(from("sqlite:///data/docket.db?mode=rwc"), "sqlite:///data/docket.db");
        assert_eq!(from("postgres://db/docket"), "postgres://db/docket");
        let odd = relative_to("sqlite://a%3Fb.db", Path::new("/50% é"));
        assert_eq!(path(&odd).unwrap(), Path::new("/50% é/a?b.db"));
    }

    #[test]
    fn only_one_plain_file_is_taken() {
        for url in
            ["sqlite::memory:", "sqlite://:memory:", "sqlite:", "sqlite://", "sqlite://file:x?mode=memory"]
        {
            assert!(matches!(path(url), Err(OpenError::NotOneFile)), "{url}");
        }
        assert!(matches!(path("sqlite://%3Amemory%3A"), Err(OpenError::NotOneFile)));
        for (url, name) in [
            ("sqlite://x.db?mode=memory", "mode"),
            ("sqlite://x.db?mode=ro", "mode"),
            ("sqlite:///x.db?mode=rwc&vfs=unix-none", "vfs"),
            ("sqlite:///x.db?immutable=1", "immutable"),
            ("sqlite:///x.db?cache=shared", "cache"),
        ] {
            assert!(matches!(path(url), Err(OpenError::Parameter(told)) if told == name), "{url}");
        }
        let secret = path("sqlite:///x.db?password=sk-1").unwrap_err().to_string();
        assert!(!secret.contains("sk-1") && secret.contains("mode=rwc"), "{secret}");
        assert_eq!(path("sqlite:///x.db?mode=rwc").unwrap(), Path::new("/x.db"));
    }

    #[test]
    fn nothing_is_made_through_a_link_that_leads_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let (link, target) = (folder.path().join("docket.db"), folder.path().join("elsewhere"));
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(matches!(found_or_made(&link), Err(OpenError::Dangling(_))));
        assert!(!target.exists());
        assert!(matches!(found_or_made(folder.path()), Err(OpenError::NotAFile { what: "a folder", .. })));
        std::fs::write(&target, "").unwrap();
        assert_eq!(found_or_made(&link).unwrap(), target.canonicalize().unwrap());
    }
}
