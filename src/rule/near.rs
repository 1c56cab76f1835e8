//! One glob by itself, and what it would match were it written a little otherwise: for telling a person why a rule covers
//! nothing.

use unicode_normalization::UnicodeNormalization;

use super::junk::JUNK;
use super::pattern::{Patterns, composed, meant};

/// Parts of a path that are longer are not looked at for slips of the pen.
const LONGEST_PART: usize = 64;

/// Where both are shorter every other name would be one.
const SHORTEST_PART: usize = 3;

/// Up to this length one slip is a slip, and beyond two are.
const SHORT_PART: usize = 5;

/// How a path differs from what a glob matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NearMiss {
    Case,
    Form,
    Blank,
    Brackets,
    Deeper,
    Slip,
    Several,
}

impl NearMiss {
    pub fn as_str(self) -> &'static str {
        match self {
            NearMiss::Case => "upper and lower case differ",
            NearMiss::Form => "it is written with other characters that look the same (Unicode normal forms)",
            NearMiss::Blank => "a name in it begins or ends with a blank",
            NearMiss::Brackets => "[ ] stands for one letter in a glob, and for itself as \\[ \\]",
            NearMiss::Deeper => {
                "it lies deeper; **/ before the last part, or before the whole, stands for any folders"
            }
            NearMiss::Slip => "it is spelt nearly so",
            NearMiss::Several => "it differs in case, blanks, brackets or Unicode form",
        }
    }
}

/// What is done to a path before it is matched.
type First = fn(&str) -> String;

/// A glob of a rule.
#[derive(Debug)]
pub struct Glob {
    set: Patterns,
    /// Its parts that are names and no patterns, and the extension it asks for.
    names: Vec<String>,
    extension: Option<String>,
    names_a_place: bool,
    is_junk: bool,
    /// Written otherwise: how, what it is then, and what is done to a path first.
    others: Vec<(NearMiss, Patterns, First)>,
}

impl Glob {
    /// None for one that is not a glob.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.strip_prefix('!').unwrap_or(text);
        let brackets = text.replace('[', "\\[").replace(']', "\\]");
        let compatible: String = text.nfkc().collect();
        let candidates: [(NearMiss, Option<Patterns>, First); 7] = [
            (NearMiss::Case, in_any_case(text), str::to_owned),
            (NearMiss::Form, one(&compatible), |path| path.nfkc().collect()),
            (NearMiss::Blank, one(text), trimmed),
            (NearMiss::Brackets, one(&brackets), str::to_owned),
            (NearMiss::Deeper, one(&anywhere(text)), str::to_owned),
            (NearMiss::Deeper, below(text).and_then(|text| one(&text)), str::to_owned),
            (NearMiss::Several, in_any_case(&brackets), |path| trimmed(&path.nfkc().collect::<String>())),
        ];
        let others =
            candidates.into_iter().filter_map(|(how, set, first)| Some((how, set?, first))).collect();
        let is_name = |part: &&str| !part.is_empty() && !part.contains(['*', '?', '[', '{', '\\']);
        let names = text.split('/').filter(is_name).map(|name| composed(name).into_owned()).collect();
        let extension = text.rsplit_once("*.").map(|(_, extension)| extension);
        let extension = extension.filter(|extension| {
            extension.len() >= SHORTEST_PART && extension.bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
        // What it is about, without `all that is below`.
        let mut about = text.split('/').rev().filter(|part| !matches!(*part, "" | "*" | "**"));
        let names_a_place = about.next().is_some_and(|part| is_name(&part));
        let is_junk = JUNK.iter().any(|line| line.eq_ignore_ascii_case(text.trim_start_matches("**/")));
        let extension = extension.map(str::to_owned);
        Some(Glob { set: one(text)?, names, extension, names_a_place, is_junk, others })
    }

    /// Whether it names a file or a folder, rather than a kind of file, and none of what is left out by default.
    pub fn names_a_place(&self) -> bool {
        self.names_a_place && !self.is_junk
    }

    pub fn matches(&self, path: &str) -> bool {
        self.set.matches(path)
    }

    /// How a path that it does not match is nearly one that it does.
    pub fn nearly(&self, path: &str) -> Option<NearMiss> {
        let mut others = self.others.iter();
        let other = others.find(|(_, set, first)| set.matches(&first(path))).map(|(how, ..)| *how);
        other.or_else(|| self.is_slip(path).then_some(NearMiss::Slip))
    }

    /// Whether it would match had one part of the path the glob's spelling.
    fn is_slip(&self, path: &str) -> bool {
        let path = composed(path);
        let parts: Vec<&str> = path.split('/').collect();
        let spelt = |place: usize, name: &str| {
            let mut parts = parts.clone();
            parts[place] = name;
            self.matches(&parts.join("/"))
        };
        let slip = |(place, part): (usize, &&str)| {
            self.names.iter().any(|name| is_near(name, part) && spelt(place, name))
        };
        if parts.iter().enumerate().any(slip) {
            return true;
        }
        let Some((wanted, (stem, extension))) = self.extension.as_ref().zip(path.rsplit_once('.')) else {
            return false;
        };
        is_near(wanted, extension) && self.matches(&format!("{stem}.{wanted}"))
    }
}

fn one(text: &str) -> Option<Patterns> {
    Patterns::new(&[text.to_owned()]).ok()
}

fn in_any_case(text: &str) -> Option<Patterns> {
    Patterns::with_defaults(&[&meant(text)], &[]).ok()
}

/// The glob for what lies under any folders.
fn anywhere(text: &str) -> String {
    format!("**/{}", text.trim_start_matches('/'))
}

/// The glob with any folders before its last part, where that is none already.
fn below(text: &str) -> Option<String> {
    let (folders, name) = text.trim_end_matches('/').rsplit_once('/')?;
    (!folders.ends_with("**") && !name.is_empty() && name != "**").then(|| format!("{folders}/**/{name}"))
}

fn trimmed(path: &str) -> String {
    path.split('/').map(str::trim).collect::<Vec<_>>().join("/")
}

/// Whether two names differ by a slip or two: a letter too many, one missing, another one, or two exchanged.
fn is_near(one: &str, other: &str) -> bool {
    let lengths = [one.chars().count(), other.chars().count()];
    let [shorter, longer] = [lengths[0].min(lengths[1]), lengths[0].max(lengths[1])];
    if shorter < 2 || !(SHORTEST_PART..=LONGEST_PART).contains(&longer) {
        return false;
    }
    let small = |text: &str| text.to_lowercase().chars().collect::<Vec<char>>();
    let (one, other) = (small(one), small(other));
    // 2025 is no slip for 2026.
    let letters = |text: &[char]| text.iter().copied().filter(|c| !c.is_numeric()).collect::<Vec<char>>();
    if letters(&one) == letters(&other) {
        return false;
    }
    let most = if one.len().max(other.len()) <= SHORT_PART { 1 } else { 2 };
    distance(&one, &other) <= most
}

/// How many slips make one text of the other (optimal string alignment).
fn distance(one: &[char], other: &[char]) -> usize {
    let mut rows: Vec<Vec<usize>> = vec![(0..=other.len()).collect()];
    for (i, letter) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, against) in other.iter().enumerate() {
            let change = rows[i][j] + usize::from(letter != against);
            let mut least = change.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *letter == other[j - 1] && one[i - 1] == *against {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_glob_nearly_matches_is_told_with_the_reason() {
        for (glob, path, how) in [
            ("/case/**", "/Case/a.pdf", Some(NearMiss::Case)),
            ("/Of\u{fb01}ce/**", "/Office/a.pdf", Some(NearMiss::Form)),
            ("/Contracts/**", "/Contracts /a.pdf", Some(NearMiss::Blank)),
            ("/[OLD] Contracts/**", "/[OLD] Contracts/a.pdf", Some(NearMiss::Brackets)),
            ("/Contracts/**", "/Legal/Contracts/a.pdf", Some(NearMiss::Deeper)),
            ("/[old] contracts/**", "/[OLD] Contracts /a.pdf", Some(NearMiss::Several)),
            ("Contracts/*.pdf", "/Legal/Contracts/a.pdf", Some(NearMiss::Deeper)),
            ("/Contracts/*.pdf", "/Contracts/2026/a.pdf", Some(NearMiss::Deeper)),
            ("/Contracs/**", "/Contracts/a.pdf", Some(NearMiss::Slip)),
            ("/Contracts/Draft/", "/Contracts/Drafts/a.pdf", Some(NearMiss::Slip)),
            ("**/Verträage/**", "/x/Vertra\u{308}ge/a.pdf", Some(NearMiss::Slip)),
            ("*.pfd", "/x/a.pdf", Some(NearMiss::Slip)),
            ("/Contracts/**", "/Invoices/a.pdf", None),
            ("/2025/**", "/2026/a.pdf", None),
            ("*.md", "/a.mp", None),
            ("/HRR/**", "/HR/a.txt", Some(NearMiss::Slip)),
            ("/HR/**", "/HQ/a.txt", None),
        ] {
            let parsed = Glob::new(glob).unwrap();
            assert!(!parsed.matches(path), "{glob}");
            assert_eq!(parsed.nearly(path), how, "{glob} and {path}");
        }
        assert!(Glob::new("/Contracts/**").unwrap().matches("/Contracts/2026/nda.pdf"));
        let is_place = |glob| Glob::new(glob).unwrap().names_a_place();
        for place in ["/HR/**", "Drafts/", "/a/b.txt", "/HR/*", "**/Old/**"] {
            assert!(is_place(place), "{place}");
        }
        for kind in ["*.bak", "**/*.analysis.md", "/Contracts/overview*.csv", "**/.DS_Store", "/**"] {
            assert!(!is_place(kind), "{kind}");
        }
    }
}
