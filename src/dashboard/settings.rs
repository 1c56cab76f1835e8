//! The settings as they were loaded, with where each came from. Secrets are told as set or not.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::Dashboard;
use super::page::{Cell, Frame, Table, TableRow, show};
use crate::listen::problem::Problem;
use crate::operate::api::SettingView;
use crate::operate::guard::Admin;
use crate::rule::{Rule, Target};

#[derive(Template)]
#[template(path = "settings.html")]
struct Page {
    frame: Frame,
    settings: Table,
    rules: Table,
}

pub async fn page(Admin(who): Admin, State(dashboard): State<Dashboard>) -> Result<Response, Problem> {
    let line = |setting: &SettingView| {
        let mood = if setting.from == "default" { "faint" } else { "" };
        TableRow::new([
            Cell::new(&*setting.name),
            Cell::new(&*setting.value),
            Cell { mood, ..Cell::new(&*setting.from) },
        ])
    };
    let rule = |rule: &Rule| {
        let (include, exclude) = rule.globs();
        let target = match &rule.target {
            Target::Id(id) => id.0.clone(),
            Target::Create { create } => format!("made as \"{create}\""),
        };
        let next = rule.next.iter().map(|id| format!(", then {id}"));
        let target = target + &next.collect::<String>();
        TableRow::new([
            Cell::new(&*rule.name),
            Cell::new(rule.profile.to_string()),
            Cell::new(include.join(" ")),
            Cell::new(exclude.join(" ")),
            Cell::new(target),
            Cell::new(if rule.runs { "yes" } else { "no" }),
        ])
    };
    show(&Page {
        frame: dashboard.frame(who, ("/settings", "Settings"), "docket check"),
        settings: Table {
            caption: "Settings as loaded",
            head: vec!["setting", "value", "from"],
            rows: dashboard.settings.iter().map(line).collect(),
            chosen: "",
        },
        rules: Table {
            caption: "Rules",
            head: vec!["rule", "of", "include", "exclude", "vector store", "runs"],
            rows: dashboard.rules.iter().map(rule).collect(),
            chosen: "",
        },
    })
}
