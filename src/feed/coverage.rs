//! What the rules cover of what is in Fastio now, and what their globs may have been meant to cover; for `docket check` and
//! `docket rules`. Only reads, and not for ever: a check is waited for.

use std::collections::BTreeMap;

use super::walk::Walk;
use crate::fastio::{Client, Inventoried, Profile};
use crate::rule::{Glob, LeftOut, NearMiss, Rule, Rules};

/// Pages of a workspace that are looked at: 10,000 files by its inventory.
const PAGES: usize = 20;

/// Tries for each page. Who checks can check again.
const TRIES: u16 = 2;

/// Examples of what a glob covers, or nearly covers.
const EXAMPLES: usize = 3;

/// What is in one workspace or share, by the rules for it.
#[derive(Debug)]
pub struct Coverage<'a> {
    pub files: u64,
    /// All files were looked at.
    pub whole: bool,
    pub rules: Vec<OfRule<'a>>,
}

/// One rule's part of it.
#[derive(Debug)]
pub struct OfRule<'a> {
    pub rule: &'a Rule,
    pub covered: u64,
    pub globs: Vec<OfGlob<'a>>,
    /// What it would cover and leaves out by default, by the line that does so.
    pub junk: BTreeMap<&'a str, Matched>,
    /// Other rules that cover a file which this one covers, each with the first such file.
    pub shared: Vec<(&'a str, String)>,
}

/// One glob's.
#[derive(Debug)]
pub struct OfGlob<'a> {
    pub text: &'a str,
    pub excludes: bool,
    pub matched: Matched,
    /// Paths that it would match were it written a little otherwise, and how.
    pub near: Vec<(String, NearMiss)>,
    glob: Glob,
}

/// Files that a glob matches: how many, and the first of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matched {
    pub files: u64,
    pub examples: Vec<String>,
}

impl Matched {
    fn add(&mut self, path: &str) {
        self.files += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(path.to_owned());
        }
    }
}

/// Looks through the files of `profile`.
///
/// # Errors
/// Why they cannot be listed, in words.
pub async fn coverage<'a>(
    fastio: &Client,
    profile: &Profile,
    rules: &'a Rules,
) -> Result<Coverage<'a>, String> {
    let of = rules.iter().filter(|rule| rule.profile == *profile).map(OfRule::new);
    let mut coverage = Coverage { files: 0, whole: false, rules: of.collect() };
    let mut walk = Walk::new(fastio, profile, TRIES, None);
    for _ in 0..PAGES {
        match walk.next().await.map_err(|error| error.to_string())? {
            None => {
                coverage.whole = true;
                break;
            }
            Some(rows) => coverage.page(&rows),
        }
    }
    Ok(coverage)
}

impl Coverage<'_> {
    fn page(&mut self, rows: &[Inventoried]) {
        for row in rows.iter().filter(|row| row.node.kind.has_content() && !row.node.trashed) {
            let Some(path) = &row.path else { continue };
            self.files += 1;
            let covering: Vec<&str> =
                self.rules.iter().filter(|one| one.covers(path)).map(OfRule::name).collect();
            for one in &mut self.rules {
                one.look(path);
                if !covering.contains(&one.name()) {
                    continue;
                }
                one.covered += 1;
                for other in &covering {
                    if *other != one.name() && one.shared.iter().all(|(known, _)| known != other) {
                        one.shared.push((*other, path.clone()));
                    }
                }
            }
        }
    }
}

impl<'a> OfRule<'a> {
    fn new(rule: &'a Rule) -> Self {
        let of = |excludes| {
            move |text: &'a String| {
                let glob = Glob::new(text)?;
                Some(OfGlob { text, excludes, matched: Matched::default(), near: Vec::new(), glob })
            }
        };
        let (included, excluded) = rule.globs();
        let globs =
            included.iter().filter_map(of(false)).chain(excluded.iter().filter_map(of(true))).collect();
        OfRule { rule, covered: 0, globs, junk: BTreeMap::new(), shared: Vec::new() }
    }

    fn name(&self) -> &'a str {
        &self.rule.name
    }

    fn look(&mut self, path: &str) {
        self.globs.iter_mut().for_each(|glob| glob.look(path));
        if let Some(LeftOut::Junk(line)) = self.rule.left_out(&self.rule.profile, path) {
            self.junk.entry(line).or_default().add(path);
        }
    }

    fn covers(&self, path: &str) -> bool {
        self.rule.covers(&self.rule.profile, path)
    }
}

impl OfGlob<'_> {
    /// Whether it is news that it matches nothing: there is something that it nearly matches, or it names a place that is
    /// not there. What names files by their kind may be for those that come; a list of which a part was read says nothing.
    pub fn is_missed(&self, whole: bool) -> bool {
        self.matched.files == 0 && (!self.near.is_empty() || (whole && self.glob.names_a_place()))
    }

    fn look(&mut self, path: &str) {
        if self.glob.matches(path) {
            self.matched.add(path);
        } else if self.matched.files == 0 && self.near.len() < EXAMPLES {
            self.near.extend(self.glob.nearly(path).map(|how| (path.to_owned(), how)));
        }
    }
}
