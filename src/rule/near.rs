//! One glob by itself, and what it would match were it written a little otherwise: for telling a person why a rule covers
//! nothing.

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use unicode_normalization::UnicodeNormalization;

/// How a path differs from what a glob matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NearMiss {
    Case,
    Form,
    Blank,
    Brackets,
    Deeper,
    Several,
}

impl NearMiss {
    pub fn as_str(self) -> &'static str {
        match self {
            NearMiss::Case => "upper and lower case differ",
            NearMiss::Form => "the same letters are composed in another way (Unicode normal forms)",
            NearMiss::Blank => "a name in it begins or ends with a blank",
            NearMiss::Brackets => "[ ] stands for one letter in a glob, and for itself as \\[ \\]",
            NearMiss::Deeper => {
                "it lies deeper; without the / at its front, or with **/, the glob matches anywhere"
            }
            NearMiss::Several => "it differs in case, blanks, brackets or Unicode form",
        }
    }
}

/// What is done to a path before it is matched.
type First = fn(&str) -> String;

/// A glob of a rule.
#[derive(Debug)]
pub struct Glob {
    set: Gitignore,
    /// Written otherwise: how, what it is then, and what is done to a path first.
    others: Vec<(NearMiss, Gitignore, First)>,
}

impl Glob {
    /// None for one that is not a glob.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.strip_prefix('!').unwrap_or(text);
        let brackets = text.replace('[', "\\[").replace(']', "\\]");
        let loose = composed(&brackets);
        let candidates: [(NearMiss, Option<Gitignore>, First); 6] = [
            (NearMiss::Case, one(text, true), str::to_owned),
            (NearMiss::Form, one(&composed(text), false), composed),
            (NearMiss::Blank, one(text, false), trimmed),
            (NearMiss::Brackets, one(&brackets, false), str::to_owned),
            (
                NearMiss::Deeper,
                one(&format!("**{text}"), false).filter(|_| text.starts_with('/')),
                str::to_owned,
            ),
            (NearMiss::Several, one(&loose, true), |path| trimmed(&composed(path))),
        ];
        let others =
            candidates.into_iter().filter_map(|(how, set, first)| Some((how, set?, first))).collect();
        Some(Glob { set: one(text, false)?, others })
    }

    pub fn matches(&self, path: &str) -> bool {
        matches(&self.set, path)
    }

    /// How a path that it does not match is nearly one that it does.
    pub fn nearly(&self, path: &str) -> Option<NearMiss> {
        let mut others = self.others.iter();
        others.find(|(_, set, first)| matches(set, &first(path))).map(|(how, ..)| *how)
    }
}

fn one(text: &str, any_case: bool) -> Option<Gitignore> {
    let mut builder = GitignoreBuilder::new("/");
    builder.case_insensitive(any_case).ok()?;
    builder.add_line(None, text).ok()?;
    builder.build().ok()
}

fn matches(set: &Gitignore, path: &str) -> bool {
    set.matched_path_or_any_parents(path, false).is_ignore()
}

fn composed(text: &str) -> String {
    text.nfc().collect()
}

fn trimmed(path: &str) -> String {
    path.split('/').map(str::trim).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_glob_nearly_matches_is_told_with_the_reason() {
        for (glob, path, how) in [
            ("/case/**", "/Case/a.pdf", Some(NearMiss::Case)),
            ("**/*.pdf", "/x/SCAN001.PDF", Some(NearMiss::Case)),
            ("/Entwu\u{308}rfe/**", "/Entw\u{fc}rfe/a.pdf", Some(NearMiss::Form)),
            ("/Contracts/**", "/Contracts /a.pdf", Some(NearMiss::Blank)),
            ("/[OLD] Contracts/**", "/[OLD] Contracts/a.pdf", Some(NearMiss::Brackets)),
            ("/Contracts/**", "/Legal/Contracts/a.pdf", Some(NearMiss::Deeper)),
            ("/[old] contracts/**", "/[OLD] Contracts /a.pdf", Some(NearMiss::Several)),
            ("/Contracts/**", "/Invoices/a.pdf", None),
        ] {
            let parsed = Glob::new(glob).unwrap();
            assert!(!parsed.matches(path), "{glob}");
            assert_eq!(parsed.nearly(path), how, "{glob} and {path}");
        }
        assert!(Glob::new("/Contracts/**").unwrap().matches("/Contracts/2026/nda.pdf"));
    }
}
