//! What a person wants imported, checked before anybody is asked: Fastio fetches public addresses over HTTPS on port 443 only, and
//! what could reach into somebody's network is refused here too. Pure. No refusal repeats the address, which may hold a secret.

use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};
use url::{Host, Url};

use crate::fastio::Profile;
use crate::notify::may_be_public;

/// Bytes of an address. Signed ones have about 2,000; Fastio documents no limit.
const LONGEST_URL: usize = 4_096;

/// The longest name that Fastio takes, in characters.
const LONGEST_NAME: usize = 255;

/// More than Fastio's trees are deep or a terminal is wide.
const LONGEST_FOLDER: usize = 1_024;

/// Characters by which a part of a query is known again; a shorter one is no secret.
const SECRET_PART: usize = 6;

const REPEATED: &str = "its words repeat the address, and are left out";

/// Ends of names that lead nowhere but in somebody's own network (RFC 6761, 6762, 8375, and what ICANN reserved for it).
const PRIVATE_NAMES: [&str; 13] = [
    "internal",
    "local",
    "localhost",
    "localdomain",
    "lan",
    "home",
    "home.arpa",
    "corp",
    "intranet",
    "private",
    "test",
    "invalid",
    "onion",
];

/// What is fetched, and where it goes. Its `Debug` shows no query.
#[derive(Clone, PartialEq, Eq)]
pub struct Wish {
    pub profile: Profile,
    /// A path that begins with a slash; `/` is the top folder.
    pub folder: String,
    pub name: String,
    url: Url,
}

/// As it is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub url: &'a str,
    /// The top folder without one.
    pub folder: Option<&'a str>,
    /// The end of the address without one.
    pub name: Option<&'a str>,
}

/// Why it is refused, and what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("this is no whole address: begin with https:// and a host's name")]
    NoUrl,
    #[error("the address has more than {} bytes: give a shorter one", LONGEST_URL)]
    LongUrl,
    #[error("Fastio fetches addresses that begin with https:// only")]
    NotHttps,
    #[error("Fastio fetches from port 443 only: leave the port out")]
    Port,
    #[error("the address has a user name or a password in it: give one that is public without them")]
    Credentials,
    #[error("the host is this machine's, or in a private network: Fastio fetches what anybody can reach")]
    Private,
    #[error("the address does not end in a file's name: add one with --name (`name` in the API)")]
    NoName,
    #[error(
        "a file's name has 1 to {} characters, none of them a slash or a control character, and is not `.` or `..`",
        LONGEST_NAME
    )]
    Name,
    #[error(
        "a folder is a path such as /Contracts/2026, of at most {} bytes, without `.` or `..` in it",
        LONGEST_FOLDER
    )]
    Folder,
}

impl std::fmt::Debug for Wish {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wish")
            .field("profile", &self.profile)
            .field("url", &shown(&self.url))
            .finish_non_exhaustive()
    }
}

impl Wish {
    /// # Errors
    /// What is wrong with it, in words for who asked.
    pub fn new(profile: Profile, asked: &Asked<'_>) -> Result<Wish, Unfit> {
        let url = address(asked.url)?;
        let name = match asked.name.map(str::trim) {
            Some(name) => name.to_owned(),
            None => last_of(&url).ok_or(Unfit::NoName)?,
        };
        let is_plain = |name: &str| {
            !matches!(name, "" | "." | "..") && !name.contains('/') && !name.chars().any(char::is_control)
        };
        if !is_plain(&name) || name.chars().count() > LONGEST_NAME {
            return Err(if asked.name.is_some() { Unfit::Name } else { Unfit::NoName });
        }
        let parts: Vec<&str> = asked
            .folder
            .unwrap_or_default()
            .split('/')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .collect();
        let folder = format!("/{}", parts.join("/"));
        if folder.len() > LONGEST_FOLDER || !parts.iter().all(|part| is_plain(part)) {
            return Err(Unfit::Folder);
        }
        Ok(Wish { profile, folder, name, url })
    }

    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// The address for people and logs: without its query, in which a secret may stand.
    pub fn shown(&self) -> String {
        shown(&self.url)
    }

    /// Equal for two wishes that are one import.
    pub fn key(&self) -> String {
        let mut hash = Sha256::new();
        for part in [&self.profile.to_string(), &self.folder, &self.name, self.url.as_str()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hex::encode(hash.finalize())
    }
}

/// What others say, unless they repeat the address's query, or the beginning of something in it: what they say may have been cut.
pub fn without_query<'a>(url: &str, text: &'a str) -> &'a str {
    let Ok(url) = Url::parse(url) else { return text };
    let raw = url.query().into_iter().flat_map(|query| query.split(['&', '='])).map(str::to_owned);
    let read = url.query_pairs().map(|(_, value)| value.into_owned());
    let repeats = |part: String| {
        let beginning: String = part.chars().take(SECRET_PART).collect();
        beginning.len() >= SECRET_PART && text.contains(&beginning)
    };
    if raw.chain(read).any(repeats) { REPEATED } else { text }
}

fn shown(url: &Url) -> String {
    let mut bare = url.clone();
    bare.set_query(None);
    if url.query().is_some() { format!("{bare}?…") } else { bare.to_string() }
}

fn address(text: &str) -> Result<Url, Unfit> {
    let text = text.trim();
    if text.len() > LONGEST_URL {
        return Err(Unfit::LongUrl);
    }
    let mut url = Url::parse(text).ok().filter(Url::has_host).ok_or(Unfit::NoUrl)?;
    if url.scheme() != "https" {
        return Err(Unfit::NotHttps);
    }
    if url.port().is_some() {
        return Err(Unfit::Port);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Unfit::Credentials);
    }
    if is_private(&url) {
        return Err(Unfit::Private);
    }
    // No server is ever sent it.
    url.set_fragment(None);
    Ok(url)
}

/// Addresses in any spelling are numbers by now: the parser reads `0x7f.1`, `2130706433` and `017700000001` as browsers do. What a
/// name leads to is Fastio's to look up and refuse.
fn is_private(url: &Url) -> bool {
    let is_inner = match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            let ends = |end: &&str| name.strip_suffix(*end).is_some_and(|rest| rest.ends_with('.'));
            !name.contains('.') || PRIVATE_NAMES.iter().any(ends)
        }
        _ => false,
    };
    is_inner || !may_be_public(url)
}

/// The last part of the path, as it is read.
fn last_of(url: &Url) -> Option<String> {
    let last = url.path_segments()?.next_back()?;
    percent_decode_str(last).decode_utf8().ok().map(|name| name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(url: &str, folder: Option<&str>, name: Option<&str>) -> Result<Wish, Unfit> {
        Wish::new(Profile::workspace("1"), &Asked { url, folder, name })
    }

    #[test]
    fn what_fastio_could_not_or_should_not_fetch_is_refused_in_whatever_spelling() {
        for (url, why) in [
            ("nda.pdf", Unfit::NoUrl),
            ("mailto:a@example.com", Unfit::NoUrl),
            ("http://files.example.com/nda.pdf", Unfit::NotHttps),
            ("ftp://files.example.com/nda.pdf", Unfit::NotHttps),
            ("https://files.example.com:8443/nda.pdf", Unfit::Port),
            ("https://me:secret@files.example.com/nda.pdf", Unfit::Credentials),
            ("https://me@files.example.com/nda.pdf", Unfit::Credentials),
            ("https://files.example.com/", Unfit::NoName),
            ("https://files.example.com/a/..%2f", Unfit::NoName),
        ] {
            assert_eq!(wish(url, None, None).unwrap_err(), why, "{url}");
        }
        for host in [
            "localhost",
            "LOCALHOST.",
            "a.localhost",
            "intranet",
            "db.internal",
            "metadata.google.internal.",
            "printer.local",
            "router.home.arpa",
            "127.0.0.1",
            "127.1",
            "0x7f.0.0.1",
            "2130706433",
            "017700000001",
            "0",
            "10.1.2.3",
            "169.254.169.254",
            "192.168.0.1",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[fe80::1]",
            "[fd00:ec2::254]",
            "１２７.0.0.1",
        ] {
            assert_eq!(
                wish(&format!("https://{host}/a.pdf"), None, None).unwrap_err(),
                Unfit::Private,
                "{host}"
            );
        }
        let long = format!("https://files.example.com/{}", "a".repeat(LONGEST_URL));
        assert_eq!(wish(&long, None, None).unwrap_err(), Unfit::LongUrl);
        assert!(wish("https://1.1.1.1:443/a.pdf", None, None).is_ok(), "443 said aloud is no other port");
    }

    #[test]
    fn a_file_is_called_as_its_address_ends_or_as_it_is_said_and_lies_where_it_is_said() {
        let made =
            wish("https://files.example.com/a/Lease%20(2).pdf?sig=1#top", Some("Contracts//2026/"), None)
                .unwrap();
        assert_eq!((made.folder.as_str(), made.name.as_str()), ("/Contracts/2026", "Lease (2).pdf"));
        assert_eq!(made.url(), "https://files.example.com/a/Lease%20(2).pdf?sig=1");
        let made = wish("https://files.example.com/", None, Some("lease.pdf")).unwrap();
        assert_eq!((made.folder.as_str(), made.name.as_str()), ("/", "lease.pdf"));
        for name in ["", "a/b", "..", "a\nb", &"a".repeat(256)] {
            assert_eq!(wish("https://files.example.com/a", None, Some(name)).unwrap_err(), Unfit::Name);
        }
        for folder in ["/a/../b", "/a\u{7}", &"a/".repeat(600)] {
            assert_eq!(wish("https://files.example.com/a", Some(folder), None).unwrap_err(), Unfit::Folder);
        }
    }

    #[test]
    fn the_same_is_one_import_and_anything_else_is_another() {
        let key = |url: &str, folder: &str, name: &str| wish(url, Some(folder), Some(name)).unwrap().key();
        let first = key("https://files.example.com/a", "/b", "c");
        assert_eq!(first, key(" HTTPS://FILES.example.com:443/a#x", "b/", " c "));
        for other in [
            key("https://files.example.com/a?v=2", "/b", "c"),
            key("https://files.example.com/a", "/", "c"),
            key("https://files.example.com/a", "/b", "d"),
        ] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn no_secret_of_an_address_is_shown() {
        let made = wish("https://files.example.com/a.pdf?sig=s3cret", None, None).unwrap();
        assert_eq!(made.shown(), "https://files.example.com/a.pdf?…");
        assert!(!format!("{made:?}").contains("s3cret"));
        for said in
            [&format!("cannot fetch {}", made.url()), "s3cret does not fit", "cannot fetch a.pdf?sig=s3cret…"]
        {
            assert_eq!(without_query(made.url(), said), REPEATED);
        }
        let said = "https://files.example.com/a.pdf answered with 403";
        assert_eq!(without_query(made.url(), said), said);
        assert_eq!(without_query("https://a.example/b?c=%73%33cret%21", "it says s3cret!"), REPEATED);
    }
}
