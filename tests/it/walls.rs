//! The walls between the modules stand: each imports what ARCHITECTURE.md's code map says of it and nothing else, and no
//! two need each other. What is compiled for tests only may look over them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::documents::{ARCHITECTURE, files_under, root, rows, section};

type Imports = BTreeMap<String, BTreeSet<String>>;

/// What each module may import of ours, by the code map.
fn allowed() -> Imports {
    let modules = rows(section(ARCHITECTURE, "Code map")).into_iter().filter_map(|(path, cells)| {
        let module = module(Path::new(path.strip_prefix("src/")?));
        let words = cells[1].split('`').skip(1).step_by(2);
        Some((module, words.map(str::to_owned).collect()))
    });
    modules.collect()
}

/// What each module imports of ours.
fn actual() -> Imports {
    let src = root().join("src");
    let mut imports = Imports::new();
    for file in files_under(&src, "rs") {
        let path = file.strip_prefix(&src).unwrap();
        if path.file_stem().unwrap().to_str().unwrap().ends_with("tests") {
            continue;
        }
        let code = shipped(&std::fs::read_to_string(&file).unwrap());
        let own = module(path);
        let found = imports.entry(own.clone()).or_default();
        found.extend(imported(&code, depth(path)).into_iter().filter(|name| *name != own));
    }
    imports
}

/// The top-level module that a file below `src` belongs to.
fn module(path: &Path) -> String {
    let first = path.iter().next().unwrap().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// How many `super::` lead from a file to the crate.
fn depth(path: &Path) -> usize {
    let parts = path.iter().count();
    if path.ends_with("mod.rs") { parts - 1 } else { parts }
}

/// The code that is compiled into the program: no comments, and not the tests, which stand at a file's end.
fn shipped(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let is_tests = line == "#[cfg(test)]" && lines.peek().is_some_and(|next| next.ends_with(" {"));
        if is_tests && lines.peek().is_some_and(|next| next.contains("mod ")) {
            break;
        }
        code.push_str(line.split("//").next().unwrap());
        code.push('\n');
    }
    code
}

/// The names that stand directly below the crate in `code`, whether it is written `crate::` or as so many `super::`. The
/// program itself calls it `docket::`.
fn imported(code: &str, depth: usize) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for root in ["crate::".to_owned(), "docket::".to_owned(), "super::".repeat(depth)] {
        for (at, _) in code.match_indices(&root) {
            let is_whole =
                !code[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '$'));
            if is_whole {
                names.extend(below(&code[at + root.len()..]));
            }
        }
    }
    names
}

/// The names at the beginning of `rest`: one, or those of a list in braces.
fn below(rest: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let Some(list) = rest.strip_prefix('{') else { return vec![name(rest)] };
    let (mut names, mut open, mut from) = (Vec::new(), 0, 0);
    for (at, character) in list.char_indices() {
        match character {
            '{' => open += 1,
            '}' if open > 0 => open -= 1,
            ',' | '}' if open == 0 => {
                names.push(name(&list[from..at]));
                from = at + 1;
            }
            _ => {}
        }
        if character == '}' && open == 0 && from == at + 1 {
            break;
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

#[test]
fn the_reader_of_imports_finds_them_however_they_are_written() {
    let code = "use crate::{a, b::{c, d}, e as f};\nlet x = crate::g::h();\nuse super::super::i;\nuse super::j;\n\
                fn my_crate::k() {}\n// crate::l\n#[cfg(test)]\nmod tests {\nuse crate::m;\n}\n";
    let found: Vec<String> = imported(&shipped(code), 2).into_iter().collect();
    assert_eq!(found, ["a", "b", "e", "g", "i"]);
}

#[test]
fn every_module_imports_what_the_code_map_says_and_nothing_else() {
    let (allowed, actual) = (allowed(), actual());
    let mut faults = Vec::new();
    for module in allowed.keys().chain(actual.keys()).collect::<BTreeSet<_>>() {
        let none = BTreeSet::new();
        let may = allowed.get(module).unwrap_or(&none);
        let does = actual.get(module).unwrap_or(&none);
        faults.extend(does.difference(may).map(|name| format!("`{module}` must not import `{name}`")));
        faults.extend(may.difference(does).map(|name| format!("`{module}` no longer imports `{name}`")));
    }
    assert!(faults.is_empty(), "by the code map in ARCHITECTURE.md:\n{}", faults.join("\n"));
}

#[test]
fn no_two_modules_need_each_other() {
    let mut left = actual();
    while let Some(module) = left
        .iter()
        .find(|(_, imports)| imports.iter().all(|name| !left.contains_key(name)))
        .map(|(module, _)| module.clone())
    {
        left.remove(&module);
    }
    assert!(left.is_empty(), "these import one another in a circle: {left:?}");
}
