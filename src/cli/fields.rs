//! What there is to say about one thing: names in a column, and beside each its value, wrapped at a terminal.

use super::shown::Shown;
use super::table::Mood;
use super::text::{Paint, prose, terminal_width, wrap};

/// Before the names.
const INDENT: usize = 2;

/// Before a point.
const POINT: &str = "→ ";

/// Names and their values, line by line.
#[derive(Debug)]
pub struct Fields {
    lines: Vec<Shown>,
    paint: Paint,
    /// Where the values begin.
    column: usize,
}

impl Fields {
    /// With room for the longest of the names.
    pub fn new(longest_name: usize, paint: Paint) -> Self {
        Fields { lines: Vec::new(), paint, column: INDENT + longest_name + 2 }
    }

    pub fn paint(&self) -> Paint {
        self.paint
    }

    /// What the following lines are about.
    pub fn title(&mut self, title: impl Into<Shown>) {
        self.lines.push(self.paint.bold(title));
    }

    /// A value that is one line.
    pub fn line(&mut self, name: &str, value: impl Into<Shown>) {
        let name = Shown::default().padded(INDENT) + name;
        self.lines.push(name.padded(self.column) + value);
    }

    /// A value of words.
    pub fn words(&mut self, name: &str, mood: Mood, words: &str) {
        let lines = match terminal_width() {
            Some(width) => wrap(words, width.saturating_sub(self.column)),
            None => vec![prose(words)],
        };
        for (place, line) in lines.into_iter().enumerate() {
            self.line(if place == 0 { name } else { "" }, self.paint.mood(mood, line));
        }
    }

    /// A sentence above all else.
    pub fn sentence(&mut self, words: &str) {
        let lines = wrap(words, terminal_width().unwrap_or(usize::MAX));
        self.lines.extend(lines.into_iter().map(|line| self.paint.bold(line)));
    }

    /// Words that stand for themselves.
    pub fn point(&mut self, words: &str) {
        let before = Shown::default().padded(INDENT);
        let room = terminal_width().map_or(usize::MAX, |width| width.saturating_sub(INDENT + POINT.len()));
        for (place, line) in wrap(words, room).into_iter().enumerate() {
            let point = if place == 0 { POINT } else { "  " };
            self.lines.push(before.clone() + point + line);
        }
    }

    /// Lines of another kind, or none for a gap.
    pub fn extend(&mut self, lines: impl IntoIterator<Item = Shown>) {
        self.lines.extend(lines);
    }

    pub fn into_lines(self) -> Vec<Shown> {
        self.lines
    }
}
