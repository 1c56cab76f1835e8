//! Tables for people: one line per row, no wider than the terminal, what does not fit cut with `…`.

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, CellAlignment, Color, Table as Comfy};

use super::text::{Paint, ends, head, tail};

/// The width where there is no terminal to ask, and the widest that is still easy to read.
const WIDTH: usize = 100;
const WIDEST: usize = 160;

/// The least that a column which gives way keeps.
const NARROWEST: usize = 12;

/// How wide standard output is, when it is a terminal.
pub fn terminal_width() -> Option<usize> {
    Comfy::new().width().map(|width| usize::from(width).min(WIDEST))
}

/// Where a text that does not fit is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Never: short words and numbers.
    Nowhere,
    End,
    Start,
    Middle,
}

/// A column: its title, how it is cut, and how wide it may be in any case.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub title: &'static str,
    pub cut: Cut,
    pub widest: usize,
    pub right: bool,
}

impl Column {
    pub const fn new(title: &'static str, cut: Cut) -> Self {
        Column { title, cut, widest: WIDEST, right: false }
    }

    pub const fn widest(self, widest: usize) -> Self {
        Column { widest, ..self }
    }

    pub const fn right(self) -> Self {
        Column { right: true, ..self }
    }
}

/// What a cell's colour says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mood {
    #[default]
    Plain,
    Good,
    Waiting,
    Bad,
    Faint,
}

/// The mood of a state's word, whichever table it is from.
pub fn mood(state: &str) -> Mood {
    match state {
        "indexed" | "completed" | "present" | "ok" | "yes" => Mood::Good,
        "dead" | "FAIL" | "failed" | "no" | "refused" | "needs_review" => Mood::Bad,
        "gone" | "ignored" | "skipped" | "superseded" | "cancelled" => Mood::Faint,
        "wanted" | "starting" | "answered" | "ending" | "held" | "waiting" | "running" | "uploading"
        | "uploaded" | "attached" | "retiring" => Mood::Waiting,
        _ => Mood::Plain,
    }
}

/// Rows under titles.
#[derive(Debug)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<(String, Mood)>>,
    indent: usize,
}

impl Table {
    pub fn new(columns: &[Column]) -> Self {
        Table { columns: columns.to_vec(), rows: Vec::new(), indent: 0 }
    }

    pub fn indented(self, indent: usize) -> Self {
        Table { indent, ..self }
    }

    pub fn row(&mut self, cells: impl Into<Vec<(String, Mood)>>) {
        self.rows.push(cells.into());
    }

    /// The lines, for a terminal like the one that is there.
    pub fn render(&self, paint: Paint) -> String {
        self.render_in(terminal_width().unwrap_or(WIDTH), paint)
    }

    pub fn render_in(&self, width: usize, paint: Paint) -> String {
        let widths = self.widths(width);
        let mut table = Comfy::new();
        table.load_style(NOTHING);
        if paint.is_on() {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        table.set_header(self.columns.iter().map(|column| {
            let cell = Cell::new(column.title.to_uppercase());
            let cell = if column.right { cell.set_alignment(CellAlignment::Right) } else { cell };
            if paint.is_on() { cell.add_attribute(Attribute::Dim) } else { cell }
        }));
        for row in &self.rows {
            table.add_row(row.iter().zip(&self.columns).zip(&widths).map(
                |(((text, mood), column), width)| {
                    let cell = Cell::new(cut(text, column.cut, *width));
                    let cell = if column.right { cell.set_alignment(CellAlignment::Right) } else { cell };
                    if paint.is_on() { coloured(cell, *mood) } else { cell }
                },
            ));
        }
        let last = self.columns.len() - 1;
        for (place, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, if place == last { 0 } else { GAP }));
        }
        let indent = " ".repeat(self.indent);
        let lines = table.lines().map(|line| format!("{indent}{}\n", line.trim_end()));
        lines.collect()
    }

    /// How wide each column may be: what it needs, and where that is too much the columns that can be cut give way, the
    /// widest first.
    fn widths(&self, width: usize) -> Vec<usize> {
        let needed = |place: usize| {
            let cells = self.rows.iter().map(|row| row[place].0.chars().count());
            cells.chain([self.columns[place].title.chars().count()]).max().unwrap_or(0)
        };
        let mut widths: Vec<usize> =
            self.columns.iter().enumerate().map(|(place, column)| needed(place).min(column.widest)).collect();
        let room = width.saturating_sub(self.indent + usize::from(GAP) * (self.columns.len() - 1));
        while widths.iter().sum::<usize>() > room {
            let gives =
                |place: &usize| self.columns[*place].cut != Cut::Nowhere && widths[*place] > NARROWEST;
            let Some(widest) = (0..widths.len()).filter(gives).max_by_key(|place| widths[*place]) else {
                break;
            };
            widths[widest] -= 1;
        }
        widths
    }
}

/// Between two columns.
const GAP: u16 = 2;

fn cut(text: &str, cut: Cut, width: usize) -> String {
    match cut {
        Cut::Nowhere => head(text, WIDEST),
        Cut::End => head(text, width),
        Cut::Start => tail(text, width),
        Cut::Middle => ends(text, width),
    }
}

fn coloured(cell: Cell, mood: Mood) -> Cell {
    match mood {
        Mood::Plain => cell,
        Mood::Good => cell.fg(Color::DarkGreen),
        Mood::Waiting => cell.fg(Color::DarkYellow),
        Mood::Bad => cell.fg(Color::DarkRed),
        Mood::Faint => cell.add_attribute(Attribute::Dim),
    }
}

/// A cell without a colour.
pub fn plain(text: impl Into<String>) -> (String, Mood) {
    (text.into(), Mood::Plain)
}

/// A cell that says how something is, coloured by it.
pub fn state(text: impl Into<String>) -> (String, Mood) {
    let text = text.into();
    let mood = mood(&text);
    (text, mood)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_that_can_be_cut_give_way() {
        let mut table = Table::new(&[
            Column::new("state", Cut::Nowhere),
            Column::new("path", Cut::Start),
            Column::new("reason", Cut::End),
        ]);
        table.row([
            state("dead"),
            plain(format!("/{}/nda.txt", "x".repeat(60))),
            plain("a long reason ".repeat(9)),
        ]);
        let off = Paint::off();
        let shown = table.render_in(60, off);
        assert!(shown.lines().all(|line| line.chars().count() <= 60), "{shown}");
        assert!(shown.contains("nda.txt") && shown.contains('…') && shown.starts_with("STATE"), "{shown}");
        let wide = table.render_in(300, off);
        assert!(!wide.contains('…'), "{wide}");
    }
}
