//! `docket rules`: what each rule's patterns match of what is in Fastio now, and what is left out by default. It only asks
//! Fastio, and for no more of a workspace than a person waits for.

use clap::Args;
use serde_json::{Value, json};

use super::check::{glob_words, matched_words, near, of};
use super::failure::{Failure, Outcome};
use super::fields::Fields;
use super::shown::Shown;
use super::table::Mood;
use super::text::Paint;
use super::{Form, output, rule_named};
use crate::config::Config;
use crate::fastio::Client;
use crate::feed::coverage::{Coverage, OfRule, coverage};
use crate::rule::{JUNK, Rule, Target};

#[derive(Debug, Args)]
pub struct Arguments {
    /// One rule only
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    #[command(flatten)]
    form: Form,
}

pub async fn run(arguments: Arguments, config: &Config) -> Result<Outcome, Failure> {
    let Arguments { rule: wanted, form } = arguments;
    let rules = config.rules().map_err(Failure::usage)?;
    let profiles = match &wanted {
        Some(name) => vec![rule_named(&rules, name)?.profile.clone()],
        None => rules.profiles(),
    };
    let is_wanted = |rule: &Rule| wanted.as_ref().is_none_or(|name| rule.name == *name);
    let key = config.secrets.fastio_api_key().map_err(Failure::usage)?;
    let client = Client::new(&config.fastio.base_url, key).map_err(Failure::from_error)?;
    let (mut rows, mut lines) = (Vec::new(), Vec::new());
    for profile in &profiles {
        let covered = coverage(&client, profile, &rules).await;
        let covered = covered
            .map_err(|error| Failure::Failed(format!("the files of {profile} cannot be listed: {error}")))?;
        for one in covered.rules.iter().filter(|one| is_wanted(one.rule)) {
            match form.json {
                true => rows.push(row(&covered, one)),
                false => lines.extend(page(&covered, one)),
            }
        }
    }
    if form.json {
        output::json(&rows)?
    } else {
        output::lines(lines)?
    }
    Ok(Outcome::Done)
}

fn page(all: &Coverage<'_>, one: &OfRule<'_>) -> Vec<Shown> {
    let rule = one.rule;
    let mut fields = Fields::new("left out".len(), Paint::stdout());
    fields.title(rule.name.clone());
    fields.line("in", rule.profile.to_string());
    let store = match &rule.target {
        Target::Id(id) => id.0.clone(),
        Target::Create { create } => format!("\"{create}\", created once"),
    };
    fields.line("store", store);
    for next in &rule.next {
        fields.line("then", next.0.clone());
    }
    let covered = if one.covered == 0 && all.files > 0 { Mood::Bad } else { Mood::Plain };
    fields.words("covers", covered, &format!("{} of {}", one.covered, of(all)));
    if rule.globs().0.is_empty() {
        fields.line("include", "everything");
    }
    for glob in &one.globs {
        let name = if glob.excludes { "exclude" } else { "include" };
        let is_news =
            glob.matched.files == 0 && all.files > 0 && (!glob.excludes || glob.is_missed(all.whole));
        let mood = if is_news { Mood::Bad } else { Mood::Plain };
        fields.words(name, mood, &format!("{}{}", glob_words(all, glob), near(glob)));
    }
    for doubt in &rule.doubts {
        fields.words("doubt", Mood::Plain, doubt);
    }
    if !rule.default_excludes {
        fields.line("left out", "nothing by default (default_excludes = false)");
        return fields.into_lines();
    }
    for (line, matched) in &one.junk {
        fields.words("left out", Mood::Plain, &format!("`{line}` {}", matched_words(matched)));
    }
    let others: Vec<&str> = JUNK.iter().copied().filter(|line| !one.junk.contains_key(line)).collect();
    let words = format!(
        "by default and not there now: {}. An exclude of `!` and one of them takes it in; default_excludes = false takes all in",
        others.join(" ")
    );
    fields.words("left out", Mood::Plain, &words);
    fields.into_lines()
}

fn row(all: &Coverage<'_>, one: &OfRule<'_>) -> Value {
    let globs = one.globs.iter().map(|glob| {
        let near = glob.near.iter().map(|(path, how)| json!({"path": path, "why": how.as_str()}));
        json!({
            "pattern": glob.text,
            "excludes": glob.excludes,
            "files": glob.matched.files,
            "examples": glob.matched.examples,
            "near": near.collect::<Vec<_>>(),
        })
    });
    let left_out = one.junk.iter().map(
        |(line, matched)| json!({"pattern": line, "files": matched.files, "examples": matched.examples}),
    );
    json!({
        "rule": one.rule.name,
        "profile": one.rule.profile.to_string(),
        "vector_store": one.rule.target,
        "vector_stores_next": one.rule.next,
        "files": all.files,
        "whole": all.whole,
        "covers": one.covered,
        "patterns": globs.collect::<Vec<_>>(),
        "default_excludes": if one.rule.default_excludes { JUNK } else { &[] },
        "left_out": left_out.collect::<Vec<_>>(),
        "doubts": one.rule.doubts,
    })
}
