//! What rules cover.

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
        for globs in ["", "include = ['**/*.txt', '/a/**', '!b']", "exclude = ['a/', '*']"] {
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
    let names: Vec<_> =
        rules.covering(&Profile::workspace("1"), "/x.txt").iter().map(|rule| rule.name.as_str()).collect();
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
    assert!(error("name = 'r'\nworkspace = '1'\nvector_store = 'vs_1'\ninclude = ['a{b']").contains("a{b"));
    assert!(matches!(Rules::new(vec![]), Err(RuleError::None)));
}

#[test]
fn junk_and_secrets_are_left_out_unless_the_settings_take_them_back() {
    let here = Profile::workspace("1");
    let plain = rule("include = ['/**']");
    for path in [
        "/A/._nda.pdf",
        "/A/~$nda.docx",
        "/desktop.ini",
        "/A/Desktop.INI",
        "/A/Thumbs.db",
        "/A/.DS_Store",
        "/__MACOSX/nda.pdf",
        "/prod.env",
        "/.env.local.txt",
        "/keys/id_rsa",
        "/keys/ID_RSA.txt",
        "/keys/server.PEM",
        "/keys/server.key",
        "/repo/.git/config.txt",
        "/repo/node_modules/x/README.md",
    ] {
        assert!(matches!(plain.left_out(&here, path), Some(LeftOut::Junk(_))), "{path}");
        assert!(covers(&rule("default_excludes = false"), path), "{path}");
    }
    for path in ["/A/nda.pdf", "/environment.md", "/Desktop/a.txt", "/key.pdf", "/.github.md", "/A/_nda.pdf"]
    {
        assert!(covers(&plain, path), "{path}");
    }
    let back = rule("exclude = ['!*.env', '/Drafts/']");
    assert!(covers(&back, "/prod.env") && !covers(&back, "/server.pem") && !covers(&back, "/Drafts/a.txt"));
    assert_eq!(back.left_out(&here, "/Drafts/a.txt"), Some(LeftOut::Excluded("/Drafts/")));
    let rules = Rules(vec![plain]);
    assert!(rules.why_not(&here, "/desktop.ini").contains("leaves it out by default, by `desktop.ini`"));
    assert_eq!(rules.why_not(&Profile::share("1"), "/a.txt"), UNCOVERED);
}

#[test]
fn whatever_changes_what_a_rule_covers_is_another_mark() {
    let mark = |globs: &str| rule(globs).fingerprint;
    let all = ["", "include = ['/a']", "exclude = ['/a']", "default_excludes = false"];
    for (place, one) in all.iter().enumerate() {
        for other in &all[place + 1..] {
            assert_ne!(mark(one), mark(other), "{one} and {other}");
        }
    }
    assert_eq!(mark("run.prompt = 'a'"), mark("run.prompt = 'b'"));
}
