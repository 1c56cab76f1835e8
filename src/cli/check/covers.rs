//! What the rules cover of what is in Fastio now: a pattern that matches nothing is silent for ever.

use std::io;

use super::super::text::count;
use super::CheckReport;
use super::state::Known;
use crate::fastio::Profile;
use crate::feed::coverage::{Coverage, Matched, OfGlob, OfRule};

/// Reports what the rules cover in `profile`, and returns the rules that write beside a file that both cover.
pub fn covers(
    report: &mut CheckReport,
    profile: &Profile,
    covered: Result<Coverage<'_>, String>,
    known: &Known,
) -> io::Result<Vec<(String, String, String)>> {
    let covered = match covered {
        Ok(covered) => covered,
        Err(error) => {
            report.fail("sweep", format!("the files of {profile} cannot be listed: {error}"))?;
            return Ok(Vec::new());
        }
    };
    for one in &covered.rules {
        rule(report, &covered, one)?;
        spared(report, one, known)?;
    }
    let shared = covered.rules.iter().flat_map(|one| {
        let name = &one.rule.name;
        one.shared.iter().map(move |(other, path)| (name.clone(), (*other).to_owned(), path.clone()))
    });
    Ok(shared.collect())
}

fn rule(report: &mut CheckReport, all: &Coverage<'_>, one: &OfRule<'_>) -> io::Result<()> {
    let check = format!("rule {}", one.rule.name);
    let of = of(all);
    match one.covered {
        0 if all.files == 0 => report.ok(&check, "there is no file yet that it could cover")?,
        0 => {
            let words = format!("it covers none of {of}{}", why(one));
            if all.whole { report.fail(&check, words)? } else { report.warn(&check, words)? }
        }
        covered => report.ok(&check, format!("covers {covered} of {of}"))?,
    }
    for glob in one.globs.iter().filter(|_| all.files > 0) {
        pattern(report, all, one, glob)?;
    }
    let junk: u64 = one.junk.values().map(|matched| matched.files).sum();
    if junk > 0 {
        let words = format!(
            "{} left out by default, as junk or secrets; docket rules names them",
            count(junk, "file")
        );
        report.ok(&check, words)?;
    }
    for doubt in &one.rule.doubts {
        report.warn(&check, doubt)?;
    }
    Ok(())
}

/// What one glob matches now.
fn pattern(
    report: &mut CheckReport,
    all: &Coverage<'_>,
    one: &OfRule<'_>,
    glob: &OfGlob<'_>,
) -> io::Result<()> {
    let check = format!("rule {}", one.rule.name);
    let words = glob_words(all, glob);
    // Of a rule that covers nothing all is said already.
    let is_news =
        glob.matched.files == 0 && if glob.excludes { glob.is_missed(all.whole) } else { one.covered > 0 };
    if is_news {
        return report.warn(&check, format!("{words}{}", near(glob)));
    }
    if glob.matched.files > 0 || glob.excludes { report.ok(&check, words) } else { Ok(()) }
}

/// How many files a glob matches, and the first of them.
pub fn glob_words(all: &Coverage<'_>, glob: &OfGlob<'_>) -> String {
    let verb = if glob.excludes { "excludes" } else { "includes" };
    let text = glob.text;
    if glob.matched.files == 0 {
        return format!("`{text}` matches none of {}", of(all));
    }
    format!("`{text}` {verb} {}", matched_words(&glob.matched))
}

/// Files by their number, with the first of them.
pub fn matched_words(matched: &Matched) -> String {
    let (files, examples) = (count(matched.files, "file"), matched.examples.join(", "));
    let more = if matched.files > matched.examples.len() as u64 { ", …" } else { "" };
    format!("{files}: {examples}{more}")
}

/// Of how many files.
pub fn of(all: &Coverage<'_>) -> String {
    match all.whole {
        true => count(all.files, "file"),
        false => format!("the first {}", count(all.files, "file")),
    }
}

/// What the files are called that the rule's globs nearly cover.
fn why(one: &OfRule<'_>) -> String {
    let included = one.globs.iter().filter(|glob| !glob.excludes);
    let near: String = included.map(near).collect();
    match near.is_empty() {
        false => near,
        true if one.globs.iter().any(|glob| !glob.excludes && glob.matched.files > 0) => {
            ": what it includes it excludes again".to_owned()
        }
        true => ": correct include, or put files where it points".to_owned(),
    }
}

pub fn near(glob: &OfGlob<'_>) -> String {
    let each = glob
        .near
        .iter()
        .map(|(path, how)| format!("; `{}` does not match {path}: {}", glob.text, how.as_str()));
    each.collect()
}

/// Says which files are not run over because they were there before the rule.
fn spared(report: &mut CheckReport, one: &OfRule<'_>, known: &Known) -> io::Result<()> {
    let name = &one.rule.name;
    if !one.rule.spares_existing {
        return Ok(());
    }
    let files = match known.running.contains(name) {
        true => {
            known.spared.iter().find(|(rule, _)| rule == name).map_or(0, |(_, files)| files.unsigned_abs())
        }
        // The server has not met the rule: all that is there now will have been there before it.
        false => one.covered,
    };
    if files == 0 {
        return Ok(());
    }
    let files = count(files, "file");
    report.ok(
        "runs",
        format!(
            "{files} there before rule {name}: indexed and not run over; docket runs again --rule {name} says what running \
             over them would take"
        ),
    )
}
