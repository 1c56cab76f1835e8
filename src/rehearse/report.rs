//! What a rehearsal found, as it can be sent to others: findings, the forms of answers, limits; no key, no content, no name.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

use super::finding::{Answer, Finding};
use super::webhook::Shown;
use super::{Plan, Removed, shape};
use crate::hidden::escaped;
use crate::http::witness::Seen;

/// Headers that say what is left of a limit, or how soon to come back.
const LIMITS: [&str; 4] = ["x-ve-limit-", "x-rate-limit-", "x-ratelimit-limit-", "retry-after"];

/// What was found.
#[derive(Debug, Serialize)]
pub struct Report {
    pub docket: &'static str,
    /// Unix milliseconds.
    pub began: i64,
    pub took_milliseconds: i64,
    pub fastio: String,
    pub openai: String,
    pub calls: usize,
    /// What the runs took.
    pub tokens: u64,
    pub findings: Vec<Finding>,
    /// As they were said last.
    pub limits: BTreeMap<String, String>,
    /// How answers are worded, each kind of call and status once.
    pub answers: Vec<Form>,
    pub webhook: Option<Shown>,
    pub removed: usize,
    /// What could not be removed, with what to do.
    pub left: Vec<String>,
}

/// How a call was answered.
#[derive(Debug, Serialize)]
pub struct Form {
    pub call: String,
    pub status: Option<u16>,
    pub body: Value,
}

impl Report {
    pub(super) fn of(
        (plan, began, ended): (&Plan, i64, i64),
        (findings, seen): (Vec<Finding>, &[Seen]),
        webhook: Option<Shown>,
        (removed, tokens): (Removed, u64),
    ) -> Self {
        let mut limits = BTreeMap::new();
        let mut answers: Vec<Form> = Vec::new();
        for one in seen {
            for (name, value) in one.head.iter().flat_map(|head| &head.headers) {
                if LIMITS.iter().any(|limit| name.as_str().starts_with(limit)) {
                    limits.insert(name.to_string(), value.to_str().unwrap_or_default().to_owned());
                }
            }
            let call = format!("{} {}", one.method, shape::path(&one.path));
            let status = one.status().map(|status| status.as_u16());
            if !answers.iter().any(|form| form.call == call && form.status == status) {
                answers.push(Form { call, status, body: one.body.as_ref().map_or(Value::Null, shape::of) });
            }
        }
        Report {
            docket: env!("CARGO_PKG_VERSION"),
            began,
            took_milliseconds: ended - began,
            fastio: plan.fastio.server(),
            openai: plan.openai.server(),
            calls: seen.len(),
            tokens,
            findings,
            limits,
            answers,
            webhook,
            removed: removed.count,
            left: removed.left,
        }
    }

    /// How many assumptions were answered so.
    pub fn count(&self, answer: Answer) -> usize {
        self.findings.iter().filter(|finding| finding.answer == answer).count()
    }

    /// The same to read, in Markdown.
    pub fn markdown(&self) -> String {
        let mut page = format!(
            "# Rehearsal of Docket {} with {} and {}\n\n{} hold, {} differ, {} are unknown; {} calls in {} s, {} tokens.\n",
            self.docket,
            self.fastio,
            self.openai,
            self.count(Answer::Holds),
            self.count(Answer::Differs),
            self.count(Answer::Unknown),
            self.calls,
            self.took_milliseconds / 1000,
            self.tokens,
        );
        page += "\n| assumption | answer | what the service did | what follows | relied on by |\n|---|---|---|---|---|\n";
        for finding in &self.findings {
            let answer = match finding.answer {
                Answer::Holds => "holds",
                Answer::Differs => "**differs**",
                Answer::Unknown => "unknown",
            };
            let cells =
                [finding.assumption, answer, &finding.seen, &finding.follows, &finding.code.join(", ")];
            let cells = cells.map(cell);
            let _ = writeln!(page, "| {} |", cells.join(" | "));
        }
        let blocks = [
            ("Limits", serde_json::to_value(&self.limits)),
            ("The webhook that came", serde_json::to_value(&self.webhook)),
            ("What could not be removed", serde_json::to_value(&self.left)),
            ("How answers are worded", serde_json::to_value(&self.answers)),
        ];
        for (title, value) in blocks {
            let text = value.and_then(|value| serde_json::to_string_pretty(&value)).unwrap_or_default();
            let _ = write!(page, "\n## {title}\n\n```json\n{}\n```\n", escaped(&text));
        }
        page
    }
}

/// One cell of a table: one line, and nothing in it that would end the cell.
fn cell(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    escaped(&line.replace('|', "\\|").replace('<', "&lt;"))
}
