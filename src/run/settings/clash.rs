//! Names that two rules would both write into one folder. What a rule covers is tried with names of files that its globs may mean.

use super::Definition;

/// What a file may be called, whatever the globs say.
const NAMES: [&str; 4] = ["example.pdf", "example.docx", "example.txt", "example.md"];

/// Two rules, and a name that both write.
#[derive(Debug, PartialEq, Eq)]
pub enum Clash {
    /// For one and the same file, or for their tables: which of them gets it would be chance.
    Sure(String),
    /// For two files of one folder that are called alike.
    Possible(String),
}

impl Clash {
    pub fn of(one: &Definition, other: &Definition) -> Option<Clash> {
        if one.rule.profile != other.rule.profile {
            return None;
        }
        let table = |definition: &Definition| definition.digest.as_ref().map(|digest| digest.name.clone());
        if one.folder == other.folder
            && let Some(name) = table(one).filter(|name| table(other).as_ref() == Some(name))
        {
            return Some(Clash::Sure(Self::both(one, other, &name)));
        }
        let paths = [one, other].map(|covering| covered(covering, [one, other]));
        let meet = |same: bool| {
            let pairs = paths[0].iter().flat_map(|path| paths[1].iter().map(move |other| (path, other)));
            let mut met = pairs.filter(|(path, other)| (path == other) == same);
            met.find_map(|(path, beside)| {
                let (name, other) = (written(one, path)?, written(other, beside)?);
                (name == other).then_some(name)
            })
        };
        if let Some(name) = meet(true) {
            return Some(Clash::Sure(Self::both(one, other, &name)));
        }
        let name = meet(false)?;
        Some(Clash::Possible(format!(
            "rules `{}` and `{}` may both write {name}, for two files that are called alike: the second result gets the name with \
             (2). A write_back of its own for each, or one with {{name}} in it, keeps them apart",
            one.rule.name, other.rule.name
        )))
    }

    /// That both write the same name beside the file called `source`, if they do.
    pub fn beside(one: &Definition, other: &Definition, source: &str) -> Option<String> {
        let name =
            |definition: &Definition| definition.write_back.as_ref().map(|pattern| pattern.name_for(source));
        name(one).filter(|written| Some(written) == name(other).as_ref())
    }

    pub fn both(one: &Definition, other: &Definition, written: &str) -> String {
        format!(
            "rules `{}` and `{}` both write {written}; which of them gets the name is chance: give each a write_back and digest of \
             its own, or let them cover different files",
            one.rule.name, other.rule.name
        )
    }
}

/// The path of the result of the file at `path`.
fn written(definition: &Definition, path: &str) -> Option<String> {
    let (folder, name) = path.rsplit_once('/')?;
    Some(format!("{folder}/{}", definition.write_back.as_ref()?.name_for(name)))
}

/// Paths of files that a rule covers, in the folders of both.
fn covered(covering: &Definition, both: [&Definition; 2]) -> Vec<String> {
    let folder =
        |definition: &Definition| definition.folder.iter().flat_map(|name| ["/", name]).collect::<String>();
    let globs = both.iter().flat_map(|definition| definition.rule.globs().0);
    let mut paths: Vec<String> = globs.filter_map(|glob| sample(glob)).collect();
    let named: Vec<&str> = paths.iter().filter_map(|path| path.rsplit('/').next()).collect();
    let names = || NAMES.iter().chain(&named);
    let placed =
        both.map(folder).into_iter().flat_map(|folder| names().map(move |name| format!("{folder}/{name}")));
    let placed: Vec<String> = placed.collect();
    paths.extend(placed);
    paths.retain(|path| covering.rule.covers(&covering.rule.profile, path));
    paths
}

/// A path that a glob means, where that can be told.
fn sample(glob: &str) -> Option<String> {
    if glob.contains(['[', '{', '\\']) || glob.starts_with('!') {
        return None;
    }
    let parts = glob.trim_start_matches('/').split('/').filter(|part| *part != "**");
    let names = parts.map(|part| part.replace("**", "*").replace('*', "example").replace('?', "x"));
    Some(names.fold(String::new(), |path, name| path + "/" + &name)).filter(|path| !path.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::tests::read_all;
    use super::*;

    fn clash(globs: [&str; 2], patterns: [&str; 2]) -> Option<Clash> {
        let rule = |name: &str, globs: &str, pattern: &str| {
            format!(
                "[[rule]]\nname = '{name}'\nworkspace = '1'\nvector_store = 'vs_1'\n{globs}\n[rule.run]\nmodel = 'm'\n\
                 prompt = 'p'\nwrite_back = '{pattern}'\n"
            )
        };
        let definitions = read_all(&(rule("r", globs[0], patterns[0]) + &rule("s", globs[1], patterns[1])));
        Clash::of(&definitions[0], &definitions[1])
    }

    const SAME: [&str; 2] = ["{stem}.a.md"; 2];

    #[test]
    fn one_name_beside_one_file_is_sure() {
        for globs in [
            ["", ""],
            ["include = ['/C/**']", "include = ['*.pdf']"],
            ["include = ['/C/NDA/**']", "include = ['/C/**']"],
            ["include = ['*.eml']", "include = ['/Mail/**']"],
            ["include = ['/C/nda.rtf']", "include = ['*.rtf']"],
        ] {
            assert!(matches!(clash(globs, SAME), Some(Clash::Sure(_))), "{globs:?}");
        }
    }

    #[test]
    fn one_name_beside_files_that_are_called_alike_is_possible() {
        let globs = ["include = ['/C/**/*.pdf']", "include = ['/C/**/*.docx']"];
        assert!(matches!(clash(globs, SAME), Some(Clash::Possible(_))));
        assert_eq!(clash(globs, ["{name}.a.md"; 2]), None);
    }

    #[test]
    fn rules_that_never_meet_may_use_one_pattern() {
        for globs in [
            ["include = ['/C/**']", "include = ['/D/**']"],
            ["include = ['/C/NDA/**']", "include = ['/C/**']\nexclude = ['/C/NDA/**']"],
        ] {
            assert_eq!(clash(globs, SAME), None, "{globs:?}");
        }
        assert_eq!(clash(["", ""], ["{stem}.a.md", "{stem}.b.md"]), None);
    }
}
