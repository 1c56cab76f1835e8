//! What a benchmark says: its rows as they come, and at the end which promises hold.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::machine::Machine;

pub struct Report {
    name: &'static str,
    machine: Machine,
    json: bool,
    rows: Vec<Value>,
    promises: Vec<Promise>,
}

/// One line of the table of goals.
struct Promise {
    what: String,
    goal: String,
    measured: String,
    holds: Option<bool>,
}

impl Report {
    pub fn begin(name: &'static str, machine: Machine, json: bool) -> Report {
        let report = Report { name, machine, json, rows: Vec::new(), promises: Vec::new() };
        report.say(&format!("{name}: {}", report.machine));
        report
    }

    /// A line for who watches. `--json` has no such lines.
    pub fn say(&self, line: &str) {
        if !self.json {
            println!("{line}");
        }
    }

    /// A row of the table: as a line, and as fields.
    pub fn row(&mut self, line: &str, fields: Value) {
        self.say(line);
        self.rows.push(fields);
    }

    /// One of the goals: what was measured, and whether that is enough. `None` where this form of the benchmark is too short
    /// to judge it.
    pub fn judge(&mut self, what: &str, goal: &str, measured: String, holds: Option<bool>) {
        self.promises.push(Promise { what: what.to_owned(), goal: goal.to_owned(), measured, holds });
    }

    /// Prints the verdict.
    pub fn end(self) -> ExitCode {
        let broken = self.promises.iter().any(|promise| promise.holds == Some(false));
        if self.json {
            let promises: Vec<Value> = self.promises.iter().map(Promise::json).collect();
            let report = json!({
                "bench": self.name, "machine": self.machine.json(), "rows": self.rows,
                "promises": promises, "holds": !broken,
            });
            println!("{report:#}");
        } else {
            println!();
            for promise in &self.promises {
                println!("{promise}");
            }
        }
        if broken { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}

impl Promise {
    fn json(&self) -> Value {
        let Promise { what, goal, measured, holds } = self;
        json!({"what": what, "goal": goal, "measured": measured, "holds": holds})
    }
}

impl std::fmt::Display for Promise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let verdict = match self.holds {
            Some(true) => "holds",
            Some(false) => "DOES NOT HOLD",
            None => "not judged",
        };
        write!(f, "{verdict:<14} {}: {} (goal: {})", self.what, self.measured, self.goal)
    }
}
