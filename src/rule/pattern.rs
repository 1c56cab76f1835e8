//! The patterns of a rule, and how names are compared with them: as people write them, and not byte by byte.
//!
//! - A name counts in its composed form (Unicode NFC), because a Mac writes `ä` as two characters where others write one.
//! - The last part of a pattern that has an extension is compared without case, because scanners and cameras write
//!   `SCAN001.PDF`. Folders keep theirs: `/Case` and `/case` may both be there.
//! - `**.pdf` is `**/*.pdf`: globs read it as one `*`, and who writes it means any depth.

use std::borrow::Cow;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use ignore::{Error, Match};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use super::letters;

/// A list of gitignore-style patterns.
#[derive(Debug, Clone)]
pub struct Patterns {
    set: Gitignore,
    /// As they are compared and as they were written, the defaults first.
    lines: Vec<(String, String)>,
    /// How many of them are defaults.
    defaults: usize,
}

/// The pattern that decides on a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deciding<'a> {
    /// As it was written.
    pub line: &'a str,
    pub is_default: bool,
}

impl Patterns {
    /// # Errors
    /// The first line that is no glob.
    pub fn new(lines: &[String]) -> Result<Self, (String, Error)> {
        Self::with_defaults(&[], lines)
    }

    /// `lines` after `defaults`, which are compared without case: an exception (`!…`) among the lines takes a default back.
    ///
    /// # Errors
    /// The first line that is no glob.
    pub fn with_defaults(defaults: &[&str], lines: &[String]) -> Result<Self, (String, Error)> {
        let mut builder = GitignoreBuilder::new("/");
        let mut all = Vec::with_capacity(defaults.len() + lines.len());
        builder.case_insensitive(true).map_err(|error| (String::new(), error))?;
        for line in defaults {
            builder.add_line(None, line).map_err(|error| ((*line).to_owned(), error))?;
            all.push(((*line).to_owned(), (*line).to_owned()));
        }
        builder.case_insensitive(false).map_err(|error| (String::new(), error))?;
        for line in lines {
            let mut meant = meant(line);
            // A range such as `Z-a` has no other case.
            if builder.add_line(None, &meant).is_err() {
                meant = composed(line).into_owned();
                builder.add_line(None, &meant).map_err(|error| (line.clone(), error))?;
            }
            all.push((meant, line.clone()));
        }
        let set = builder.build().map_err(|error| (lines.join(" "), error))?;
        Ok(Patterns { set, lines: all, defaults: defaults.len() })
    }

    /// Whether the file at `path`, or a folder above it, is one that the patterns name.
    pub fn matches(&self, path: &str) -> bool {
        self.deciding(path).is_some()
    }

    /// The pattern that names the file at `path`, or a folder above it. None where none does, or an exception says no.
    ///
    /// Walked here and not by `matched_path_or_any_parents`, which panics at a path that it takes for one outside, and to
    /// which a file called `.` lies in no folder.
    pub fn deciding(&self, path: &str) -> Option<Deciding<'_>> {
        let path = composed(path.trim_start_matches('/'));
        let (mut path, mut is_folder) = (&*path, false);
        loop {
            match self.set.matched(path, is_folder) {
                Match::None => {}
                Match::Whitelist(_) => return None,
                Match::Ignore(glob) => return Some(self.written(glob.original())),
            }
            let (folder, _) = path.rsplit_once('/')?;
            (path, is_folder) = (folder, true);
        }
    }

    fn written<'a>(&'a self, line: &'a str) -> Deciding<'a> {
        // The last of two that read the same decides.
        let place = self.lines.iter().rposition(|(meant, _)| meant == line);
        place.map_or(Deciding { line, is_default: false }, |place| Deciding {
            line: &self.lines[place].1,
            is_default: place < self.defaults,
        })
    }
}

/// A text in its composed form.
pub fn composed(text: &str) -> Cow<'_, str> {
    match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => Cow::Borrowed(text),
        IsNormalized::No | IsNormalized::Maybe => Cow::Owned(text.nfc().collect()),
    }
}

/// A pattern in the words of a glob.
pub fn meant(line: &str) -> String {
    let line = composed(line);
    // With the slash it would be folders below, and none of the files beside them.
    let line = line.strip_suffix('/').filter(|rest| rest.ends_with("**")).unwrap_or(&line);
    let (folders, name) = match line.rfind('/') {
        Some(slash) => line.split_at(slash + 1),
        None => ("", line),
    };
    let any_depth = name.strip_prefix("**").filter(|rest| rest.starts_with('.') && rest.len() > 1);
    let (star, name) = any_depth.map_or(("", name), |rest| ("**/*", rest));
    let in_any_case = !star.is_empty() || has_extension(name);
    format!("{}{star}{}", letters::spelt(folders, false), letters::spelt(name, in_any_case))
}

/// Whether the last part of a pattern names files by their extension. What begins with its only dot is a name.
fn has_extension(name: &str) -> bool {
    let name = name.strip_prefix('!').unwrap_or(name);
    name.rfind('.').is_some_and(|dot| dot > 0 && dot + 1 < name.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(line: &str, path: &str) -> bool {
        Patterns::new(&[line.to_owned()]).unwrap_or_else(|error| panic!("{line}: {error:?}")).matches(path)
    }

    #[test]
    fn a_name_is_the_same_composed_and_decomposed() {
        let (one, two) = ("/Vertr\u{e4}ge", "/Vertra\u{308}ge");
        for (pattern, path) in [(one, two), (two, one), (one, one), (two, two)] {
            assert!(matches(&format!("{pattern}/**"), &format!("{path}/nda.pdf")));
            assert!(matches(&format!("{pattern}/"), &format!("{path}/nda.pdf")));
        }
        assert!(matches("/\u{ac00}/**", "/\u{1100}\u{1161}/a.txt"), "Hangul");
        assert!(!matches("/Vertrage/**", "/Vertra\u{308}ge/nda.pdf"));
        assert!(matches("*.re\u{301}sume\u{301}", "/a.R\u{c9}SUM\u{c9}"));
    }

    #[test]
    fn what_has_an_extension_is_compared_without_case() {
        for (line, path) in [
            ("**/*.pdf", "/x/SCAN001.PDF"),
            ("*.PDF", "/x/scan.pdf"),
            ("/Contracts/*.{pdf,docx}", "/Contracts/A.DocX"),
            ("/Contracts/nda.pdf", "/Contracts/NDA.PDF"),
            ("*.[ch]", "/A.H"),
            ("*.[!ch]", "/A.X"),
            ("report-[a-z].pdf", "/REPORT-Q.PDF"),
            ("*.p?f", "/A.PDF"),
            ("a\\[x\\].pdf", "/A[x].PDF"),
            ("\u{e4}rger.pdf", "/\u{c4}RGER.PDF"),
            ("*.{\u{e9}t\u{e9},x}", "/a.\u{c9}T\u{c9}"),
            ("*.[\u{e4}x]", "/a.\u{c4}"),
        ] {
            assert!(matches(line, path), "{line} and {path} by {}", meant(line));
        }
        for (line, path) in [
            ("*.[!ch]", "/A.H"),
            ("/Case/*.pdf", "/case/a.pdf"),
            ("/Case/**", "/case/a.pdf"),
            ("/.env", "/.ENV"),
            ("*.pdf", "/a.pdfx"),
        ] {
            assert!(!matches(line, path), "{line} and {path} by {}", meant(line));
        }
    }

    #[test]
    fn a_letter_is_one_letter_in_whatever_script() {
        for (line, path) in [
            ("/Vertr?ge/**", "/Vertr\u{e4}ge/a.pdf"),
            ("/Vertr?ge/**", "/Vertra\u{308}ge/a.pdf"),
            ("/?/**", "/\u{5951}/a.pdf"),
            ("/?/**", "/\u{1f389}/a.pdf"),
            ("/Vertr[a\u{e4}]ge/**", "/Vertr\u{e4}ge/a.pdf"),
            ("/Vertr[a\u{e4}]ge/**", "/Vertrage/a.pdf"),
            ("/[\u{430}-\u{434}]/**", "/\u{432}/a.pdf"),
            ("/{[\u{e4}\u{f6}],x?}/**", "/x\u{fc}/a.pdf"),
            ("/[!_]/**", "/\u{5951}/a.pdf"),
            ("/[!_]/**", "/x/a.pdf"),
            ("/v[!0-9-]/**", "/v\u{1f389}/a.pdf"),
            ("/v[^]x]/**", "/v\u{e4}/a.pdf"),
        ] {
            assert!(matches(line, path), "{line} and {path} by {}", meant(line));
        }
        for (line, path) in [
            ("/v?/**", "/v12/a.pdf"),
            ("/?/**", "//a.pdf"),
            ("/?/**", "/\u{e4}\u{e4}/a.pdf"),
            ("/?/**", "/\u{5951}\u{7d04}/a.pdf"),
            ("/[!_]/**", "/_/a.pdf"),
            ("/[!_]/**", "/\u{e4}\u{e4}/a.pdf"),
            ("/v[!0-9-]/**", "/v-/a.pdf"),
            ("/v[!0-9-]/**", "/v5/a.pdf"),
            ("/v[^]x]/**", "/v]/a.pdf"),
            ("/v[!x]w", "/v/w"),
            ("/[\u{430}-\u{434}]/**", "/\u{435}/a.pdf"),
            ("/Vertr[a\u{e4}]ge/**", "/Vertr\u{f6}ge/a.pdf"),
        ] {
            assert!(!matches(line, path), "{line} and {path} by {}", meant(line));
        }
    }

    #[test]
    fn two_stars_before_an_extension_are_any_depth() {
        for path in ["/Contracts/a.pdf", "/Contracts/2026/deep/a.PDF"] {
            assert!(matches("/Contracts/**.pdf", path) && matches("**.pdf", path), "{path}");
        }
        assert!(!matches("/Contracts/**.pdf", "/Other/a.pdf"));
        assert!(matches("/Contracts/**/", "/Contracts/a.pdf") && !matches("/Contracts/**/", "/Contracts"));
    }

    #[test]
    fn an_exception_takes_a_default_back() {
        let lines = ["!*.key".to_owned(), "!/Mine/.git/".to_owned(), "*.txt".to_owned()];
        let patterns = Patterns::with_defaults(&["*.key", ".git/", "*.pem"], &lines).unwrap();
        for path in ["/talk.key", "/talk.KEY", "/Mine/.git/config"] {
            assert_eq!(patterns.deciding(path), None, "{path}");
        }
        let default = |line| Some(Deciding { line, is_default: true });
        assert_eq!(patterns.deciding("/x/.GIT/config"), default(".git/"));
        assert_eq!(patterns.deciding("/x/a.pem"), default("*.pem"));
        assert_eq!(patterns.deciding("/a.TXT"), Some(Deciding { line: "*.txt", is_default: false }));
    }

    proptest! {
        #[test]
        fn what_is_a_glob_stays_one_and_matches_all_that_it_matched(
            line in "[a-cA-C./*?]{1,8}", path in "[a-cA-C./]{1,8}",
        ) {
            let plain = |line: &str| {
                let mut builder = GitignoreBuilder::new("/");
                builder.add_line(None, line).ok()?;
                builder.build().ok()
            };
            let path = path.trim_start_matches('/');
            if let (Some(plain), Ok(ours)) = (plain(&line), Patterns::new(std::slice::from_ref(&line))) {
                prop_assert!(!plain.matched(path, false).is_ignore() || ours.matches(path), "{line} and {path}");
            }
        }
    }
}
