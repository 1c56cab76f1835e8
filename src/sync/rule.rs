//! Rules: which files go to which vector store.

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use serde::Deserialize;

use crate::fastio::Profile;
use crate::openai::VectorStoreId;

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
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
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
    include: Option<Gitignore>,
    exclude: Gitignore,
}

#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    #[error("there is no rule: add a [[rule]] with a name, a workspace and a vector_store")]
    None,
    #[error("two rules are called `{0}`: give each its own name")]
    SameName(String),
    #[error("a rule has an empty name")]
    NoName,
    #[error("rule `{0}` needs either workspace = \"…\" or share = \"…\", not both")]
    Profile(String),
    #[error("rule `{0}`: vector_store must be an id such as \"vs_abc123\", or {{ create = \"name\" }}")]
    Target(String),
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
        let profile = match (workspace, share) {
            (Some(id), None) if !id.is_empty() => Profile::workspace(id),
            (None, Some(id)) if !id.is_empty() => Profile::share(id),
            _ => return Err(RuleError::Profile(name)),
        };
        let names_one = match &vector_store {
            Target::Id(id) => id.0.starts_with("vs_"),
            Target::Create { create } => !create.trim().is_empty(),
        };
        if !names_one {
            return Err(RuleError::Target(name));
        }
        let include = if include.is_empty() { None } else { Some(globs(&name, &include)?) };
        let exclude = globs(&name, &exclude)?;
        Ok(Rule { name, profile, target: vector_store, runs: run.is_some(), include, exclude })
    }

    /// Whether the rule covers the file at `path` (from the root of its workspace or share, such as `/a/b.pdf`).
    pub fn covers(&self, profile: &Profile, path: &str) -> bool {
        let matched = |globs: &Gitignore| globs.matched_path_or_any_parents(path, false).is_ignore();
        self.profile == *profile && self.include.as_ref().is_none_or(matched) && !matched(&self.exclude)
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
        assert!(error("name = 'r'\nvector_store = 'vs_1'").contains("needs either workspace"));
        assert!(error("name = 'r'\nworkspace = '1'\nvector_store = 'mine'").contains("an id such as"));
        assert!(
            error("name = 'r'\nworkspace = '1'\nvector_store = 'vs_1'\ninclude = ['a{b']").contains("a{b")
        );
        assert!(matches!(Rules::new(vec![]), Err(RuleError::None)));
    }
}
