//! Rules: which files go to which vector store.

mod glob;
mod near;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::fastio::Profile;
use crate::openai::VectorStoreId;
use crate::result::name::unnumbered;

pub use near::{Glob, NearMiss};

/// A rule as it stands in `docket.toml` (`[[rule]]`).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSettings {
    /// What the rule is called, in attributes, logs and commands.
    pub name: String,
    /// The workspace whose files it covers; or `share`.
    pub workspace: Option<String>,
    /// The share whose files it covers; or `workspace`.
    pub share: Option<String>,
    /// Gitignore-style globs over the path. Default: everything.
    #[serde(default)]
    pub include: Vec<String>,
    /// Globs that take files out again.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// `"vs_…"`, or `{ create = "name" }`: made once, then remembered.
    pub vector_store: Target,
    /// `[rule.run]`: what is run over each new version once it is indexed. Without it nothing is.
    pub run: Option<toml::Table>,
}

/// The vector store a rule fills.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged, expecting = "write an id such as 'vs_abc123', or { create = 'name' }")]
pub enum Target {
    Id(VectorStoreId),
    Create { create: String },
}

/// A rule, checked.
#[derive(Debug, Clone)]
pub struct Rule {
    pub name: String,
    pub profile: Profile,
    pub target: Target,
    /// Whether something is run over its files.
    pub runs: bool,
    /// Whether that leaves alone what was there before.
    pub spares_existing: bool,
    /// Names all that says which files go where: another one means that some may have to come or go.
    pub fingerprint: String,
    /// What its globs may mean that was not wished, in words.
    pub doubts: Vec<String>,
    /// How the names of its results end, if it writes some.
    results: Option<String>,
    include: Option<Gitignore>,
    exclude: Gitignore,
    /// As they stand in the settings.
    lines: (Vec<String>, Vec<String>),
}

#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    #[error("there is no rule: add a [[rule]] with a name, a workspace and a vector_store")]
    None,
    #[error("two rules are called `{0}`: give each its own name")]
    SameName(String),
    #[error("a rule has an empty name")]
    NoName,
    #[error(
        "rule `{0}` says nothing of whose files it covers: add workspace = \"…\" or share = \"…\", with the id"
    )]
    NoProfile(String),
    #[error("rule `{0}` has both workspace and share: keep one of them, and make a second rule of the other")]
    TwoProfiles(String),
    #[error("rule `{0}`: vector_store must be an id such as \"vs_abc123\", or {{ create = \"name\" }}")]
    Target(String),
    #[error("rule `{rule}`: the glob `{glob}` cannot be meant: {what}")]
    Meant { rule: String, glob: String, what: String },
    #[error(
        "rule `{0}`: include has only exceptions (`!…`) and so covers nothing: put what it covers before them"
    )]
    Exceptions(String),
    #[error("rule `{rule}`: `{glob}` is not a glob: {source}")]
    Glob { rule: String, glob: String, source: ignore::Error },
}

impl Rule {
    /// Checks what the settings say.
    pub fn new(settings: RuleSettings) -> Result<Self, RuleError> {
        let RuleSettings { name, workspace, share, include, exclude, vector_store, run } = settings;
        if name.trim().is_empty() {
            return Err(RuleError::NoName);
        }
        let said = |id: Option<String>| id.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
        let profile = match (said(workspace), said(share)) {
            (Some(id), None) => Profile::workspace(id),
            (None, Some(id)) => Profile::share(id),
            (None, None) => return Err(RuleError::NoProfile(name)),
            (Some(_), Some(_)) => return Err(RuleError::TwoProfiles(name)),
        };
        let names_one = match &vector_store {
            Target::Id(id) => id.0.starts_with("vs_"),
            Target::Create { create } => !create.trim().is_empty(),
        };
        if !names_one {
            return Err(RuleError::Target(name));
        }
        for line in include.iter().chain(&exclude) {
            if let Some(what) = glob::mistake(line) {
                return Err(RuleError::Meant { rule: name, glob: line.clone(), what });
            }
        }
        if !include.is_empty() && include.iter().all(|line| line.starts_with('!')) {
            return Err(RuleError::Exceptions(name));
        }
        let doubts = include.iter().chain(&exclude).filter_map(|line| glob::doubt(line)).collect();
        let results = run.as_ref().and_then(results);
        let fingerprint = fingerprint(&(profile.to_string(), &vector_store, &include, &exclude, &results));
        let lines = (include, exclude);
        let include = if lines.0.is_empty() { None } else { Some(globs(&name, &lines.0)?) };
        let exclude = globs(&name, &lines.1)?;
        let existing = run.as_ref().and_then(|run| run.get("existing")?.as_bool()).unwrap_or(false);
        let (runs, spares_existing) = (run.is_some(), run.is_some() && !existing);
        let target = vector_store;
        Ok(Rule {
            name,
            profile,
            target,
            runs,
            spares_existing,
            fingerprint,
            doubts,
            results,
            include,
            exclude,
            lines,
        })
    }

    /// Whether the rule covers the file at `path` (from the root of its workspace or share, such as `/a/b.pdf`).
    pub fn covers(&self, profile: &Profile, path: &str) -> bool {
        let path = path.trim_start_matches('/');
        let excluded = |path: &str| match_file(&self.exclude, path);
        self.profile == *profile
            && self.include.as_ref().is_none_or(|include| match_file(include, path))
            && !excluded(path)
            && !self.unnumbered_result(path).is_some_and(|path| excluded(&path))
    }

    /// What it includes and what it excludes, as written.
    pub fn globs(&self) -> (&[String], &[String]) {
        (&self.lines.0, &self.lines.1)
    }

    /// The path of a result without the number it got because its name was taken: who excludes `*.analysis.md` means
    /// `nda.analysis (2).md` too.
    fn unnumbered_result(&self, path: &str) -> Option<String> {
        let tail = self.results.as_deref()?;
        unnumbered(path).filter(|plain| plain.ends_with(tail))
    }
}

/// How the names of a rule's results end, by its `write_back`.
fn results(run: &toml::Table) -> Option<String> {
    let (_, tail) = run.get("write_back")?.as_str()?.rsplit_once('}')?;
    Some(tail.to_owned()).filter(|tail| !tail.is_empty())
}

fn fingerprint(places: &impl Serialize) -> String {
    let text = serde_json::to_string(places).expect("texts and lists of texts are JSON");
    hex::encode(&Sha256::digest(text.as_bytes())[..16])
}

/// Whether the globs match the file, or a folder above it.
///
/// Walked here and not by `matched_path_or_any_parents`, which panics at a path that it takes for one outside, and to
/// which a file called `.` lies in no folder.
fn match_file(globs: &Gitignore, path: &str) -> bool {
    let (mut path, mut is_folder) = (path, false);
    loop {
        match globs.matched(path, is_folder) {
            Match::None => {}
            matched => return matched.is_ignore(),
        }
        let Some((folder, _)) = path.rsplit_once('/') else { return false };
        (path, is_folder) = (folder, true);
    }
}

fn globs(rule: &str, lines: &[String]) -> Result<Gitignore, RuleError> {
    let mut builder = GitignoreBuilder::new("/");
    let failed =
        |glob: &str, source| RuleError::Glob { rule: rule.to_owned(), glob: glob.to_owned(), source };
    for line in lines {
        builder.add_line(None, line).map_err(|source| failed(line, source))?;
    }
    builder.build().map_err(|source| failed(&lines.join(" "), source))
}

/// All rules, in the order of the settings. Where two rules send a file to one store, the first gives it its name.
#[derive(Debug, Clone)]
pub struct Rules(Vec<Rule>);

impl Rules {
    /// Checks the rules together.
    pub fn new(settings: Vec<RuleSettings>) -> Result<Self, RuleError> {
        if settings.is_empty() {
            return Err(RuleError::None);
        }
        let mut rules: Vec<Rule> = Vec::with_capacity(settings.len());
        for one in settings {
            let rule = Rule::new(one)?;
            if rules.iter().any(|other| other.name == rule.name) {
                return Err(RuleError::SameName(rule.name));
            }
            rules.push(rule);
        }
        Ok(Rules(rules))
    }

    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.0.iter()
    }

    /// Whether any rule could cover a file of `profile`.
    pub fn concern(&self, profile: &Profile) -> bool {
        self.0.iter().any(|rule| rule.profile == *profile)
    }

    /// The rules that run something over a file.
    pub fn running(&self, profile: &Profile, path: &str) -> impl Iterator<Item = &Rule> {
        self.0.iter().filter(move |rule| rule.runs && rule.covers(profile, path))
    }

    /// The rules that cover a file, at most one for each vector store.
    pub fn covering(&self, profile: &Profile, path: &str) -> Vec<&Rule> {
        let mut found: Vec<&Rule> = Vec::new();
        for rule in self.0.iter().filter(|rule| rule.covers(profile, path)) {
            if !found.iter().any(|other| other.target == rule.target) {
                found.push(rule);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn settings(text: &str) -> RuleSettings {
        toml::from_str(text).unwrap()
    }

    fn rule(globs: &str) -> Rule {
        Rule::new(settings(&format!("name = 'r'\nworkspace = '1'\nvector_store = 'vs_1'\n{globs}"))).unwrap()
    }

    fn covers(rule: &Rule, path: &str) -> bool {
        rule.covers(&Profile::workspace("1"), path)
    }

    #[test]
    fn without_globs_a_rule_covers_its_whole_workspace_and_no_other() {
        let rule = rule("");
        assert!(covers(&rule, "/deep/down/a.pdf"));
        assert!(!rule.covers(&Profile::workspace("2"), "/a.pdf"));
        assert!(!rule.covers(&Profile::share("1"), "/a.pdf"));
    }

    #[test]
    fn globs_are_gitignores() {
        let rule =
            rule("include = ['/Contracts/**', '*.md']\nexclude = ['**/*.analysis.md', '/Contracts/Drafts/']");
        assert!(covers(&rule, "/Contracts/2026/nda.pdf"));
        assert!(covers(&rule, "/elsewhere/readme.md"));
        assert!(!covers(&rule, "/elsewhere/nda.pdf"));
        assert!(!covers(&rule, "/Contracts/nda.analysis.md"));
        assert!(!covers(&rule, "/Contracts/Drafts/nda.pdf"), "a folder's files are excluded with it");
        assert!(!covers(&rule, "/Old/Contracts/nda.pdf"), "a leading slash anchors");
    }

    #[test]
    fn who_excludes_results_means_those_with_a_number_too() {
        let globs = "include = ['/C/**']\nexclude = ['**/*.analysis.md', '/C/plain.txt']\nrun.write_back = '{stem}.analysis.md'";
        let rule = rule(globs);
        assert!(!covers(&rule, "/C/nda.analysis.md") && !covers(&rule, "/C/nda.analysis (2).md"));
        assert!(!covers(&rule, "/C/nda.analysis (12).md"));
        assert!(covers(&rule, "/C/nda (2).pdf") && covers(&rule, "/C/nda.analysis (x).md"));
        assert!(covers(&rule, "/C/plain (2).txt"), "it is no result");
    }

    #[test]
    fn no_name_takes_a_file_out_of_the_folder_it_is_in() {
        let rule = rule("exclude = ['/Private/']");
        for name in [".", "..", "unnamed", "a/b.txt", "./a.txt", "../a.txt", "\\", "\0", " ", "\n"] {
            assert!(!covers(&rule, &format!("/Private/{name}")), "{name:?}");
            assert!(covers(&rule, &format!("/Public/{name}")), "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn a_rule_has_an_answer_to_any_path(path in "[/.\\\\\\x00 a]{0,12}|\\PC*") {
            for globs in ["", "include = ['**/*.txt', '/a/**', '!b']", "exclude = ['a/', '*', '/']"] {
                covers(&rule(globs), &path);
            }
        }
    }

    #[test]
    fn one_file_may_go_to_several_stores_but_to_each_once() {
        let rules = Rules::new(vec![
            settings("name = 'a'\nworkspace = '1'\nvector_store = 'vs_1'"),
            settings("name = 'b'\nworkspace = '1'\nvector_store = 'vs_1'"),
            settings("name = 'c'\nworkspace = '1'\nvector_store = { create = 'all' }"),
            settings("name = 'd'\nshare = '1'\nvector_store = 'vs_3'"),
        ])
        .unwrap();
        let names: Vec<_> = rules
            .covering(&Profile::workspace("1"), "/x.txt")
            .iter()
            .map(|rule| rule.name.as_str())
            .collect();
        assert_eq!(names, ["a", "c"]);
    }

    #[test]
    fn a_mistake_is_named() {
        let error = |text: &str| Rule::new(settings(text)).unwrap_err().to_string();
        assert!(error("name = 'r'\nvector_store = 'vs_1'").contains("add workspace"));
        let two = "name = 'r'\nworkspace = '1'\nshare = '2'\nvector_store = 'vs_1'";
        assert!(error(two).contains("both workspace and share"));
        for (glob, told) in [("'#1/**'", "/#1/**"), ("''", "/**"), ("'!a'", "only exceptions")] {
            let text = format!("name = 'r'\nworkspace = '1'\nvector_store = 'vs_1'\ninclude = [{glob}]");
            assert!(error(&text).contains(told), "{glob}");
        }
        assert!(error("name = 'r'\nworkspace = '1'\nvector_store = 'mine'").contains("an id such as"));
        assert!(
            error("name = 'r'\nworkspace = '1'\nvector_store = 'vs_1'\ninclude = ['a{b']").contains("a{b")
        );
        assert!(matches!(Rules::new(vec![]), Err(RuleError::None)));
    }
}
