//! One table over the findings of many results, made in parts so that not all results are held at once.

use serde::Deserialize;

use super::grid::{self, Grid};
use super::mark::{Count, Marks};
use super::{Entry, MAY_BE_MISSING, escape, sheet, verdict};
use crate::result::schema::Schema;

/// How the table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// CSV, its columns parted by commas.
    Comma,
    /// CSV, its columns parted by semicolons, as spreadsheets take it where the comma stands in numbers.
    Semicolon,
    Xlsx,
    Markdown,
}

impl Form {
    /// How the names of tables may end.
    pub const ENDINGS: [&str; 3] = ["csv", "xlsx", "md"];

    /// The form of a table whose name ends so, where nothing else is said.
    pub fn by(ending: &str) -> Option<Form> {
        [Form::Comma, Form::Xlsx, Form::Markdown].into_iter().find(|form| form.ending() == ending)
    }

    pub fn ending(self) -> &'static str {
        match self {
            Form::Comma | Form::Semicolon => "csv",
            Form::Xlsx => "xlsx",
            Form::Markdown => "md",
        }
    }
}

/// The rows of some files.
#[derive(Debug, Default)]
pub struct Part {
    /// The rows of each file, under its path.
    files: Vec<(String, Vec<Vec<String>>)>,
    count: Count,
}

/// The findings of many results, one row each; a file without any has one row too, so that none is missing.
pub fn digest(schema: &Schema, form: Form, entries: &[Entry<'_>]) -> Vec<u8> {
    Part::of(schema, form, entries).whole(schema, form)
}

impl Part {
    pub fn of(schema: &Schema, form: Form, entries: &[Entry<'_>]) -> Part {
        let grid = Grid::of(schema);
        let mut part = Part::default();
        for entry in entries {
            let nothing = serde_json::Value::Null;
            let marks = Marks::of(schema, entry.result.unwrap_or(&nothing), entry.checks);
            part.count = part.count + marks.count();
            part.files.push((entry.file.to_owned(), rows(&grid, form, entry, &marks)));
        }
        part
    }

    /// This part with another.
    pub fn and(mut self, other: Part) -> Part {
        self.files.extend(other.files);
        Part { files: self.files, count: self.count + other.count }
    }

    /// How many files there are.
    pub fn files(&self) -> usize {
        self.files.len()
    }

    /// The table, by path.
    pub fn whole(mut self, schema: &Schema, form: Form) -> Vec<u8> {
        self.files.sort_by(|one, other| one.0.cmp(&other.0));
        let (files, verdict) = (self.files.len(), verdict(self.count));
        let rows = self.files.into_iter().flat_map(|(_, rows)| rows);
        let grid = Grid::of(schema);
        let header = header(&grid, form);
        match form {
            Form::Comma => grid::lines([header].into_iter().chain(rows), ',').into_bytes(),
            Form::Semicolon => grid::lines([header].into_iter().chain(rows), ';').into_bytes(),
            Form::Xlsx => {
                let numbers = [vec![false, false, true], grid.numbers(), vec![false, false]].concat();
                sheet::workbook(&header, &numbers, rows)
            }
            Form::Markdown => {
                let table = grid::table(header, rows.collect());
                format!("# Overview of {files} files\n\n{verdict}{MAY_BE_MISSING}\n\n{table}").into_bytes()
            }
        }
    }
}

fn header(grid: &Grid<'_>, form: Form) -> Vec<String> {
    let (first, middle, last) = match form {
        Form::Markdown => (["File", "Run", "Finding"], grid.titles(), ["Verdict", "Remark"]),
        _ => (["file", "run", "finding"], grid.header(), ["verdict", "remark"]),
    };
    first.into_iter().map(str::to_owned).chain(middle).chain(last.map(str::to_owned)).collect()
}

/// The rows of one file: one for each finding, or one that says that there is none.
fn rows(grid: &Grid<'_>, form: Form, entry: &Entry<'_>, marks: &Marks<'_>) -> Vec<Vec<String>> {
    let width = header(grid, form).len();
    let text = match form {
        Form::Markdown => escape::inline,
        _ => grid::one_line,
    };
    let head = |number: String| vec![text(entry.file), text(entry.state), number];
    let found = entry.result.map(|result| grid.rows(result)).unwrap_or_default();
    let mut rows: Vec<Vec<String>> = match found.len() {
        0 => {
            let none = match entry.result {
                _ if entry.unread => "not read",
                Some(_) => "none",
                None => "",
            };
            vec![head(none.to_owned())]
        }
        _ => found
            .iter()
            .enumerate()
            .map(|(number, found)| {
                let cells = match form {
                    Form::Markdown => grid.cells(found, marks),
                    _ => grid.fields(found, marks),
                };
                [head((number + 1).to_string()), cells].concat()
            })
            .collect(),
    };
    rows.iter_mut().for_each(|row| row.resize(width, String::new()));
    // Once for each file: they are about all of its rows.
    rows[0][width - 2] = entry.judgement.map(|judgement| text(&judgement.sentence())).unwrap_or_default();
    rows[0][width - 1] = text(entry.remark.unwrap_or_default());
    rows
}
