//! Tables for people: one line per row. At a terminal they are no wider than it: what does not fit is cut with `…`, and a
//! reason is wrapped below its row. Elsewhere, where a program reads them, nothing is cut.

use super::shown::Shown;
use super::text::{Paint, ends, head, prose, tail, terminal_width, wrap};

pub use crate::operate::words::{Mood, mood};

/// The least that a column which gives way keeps.
const NARROWEST: usize = 12;

/// Before what stands below a row.
const BELOW: usize = 4;

/// What becomes of a text that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// It is never cut: short words and numbers.
    Nowhere,
    End,
    Start,
    Middle,
    /// It is put below its row whole, in as many lines as it takes. Only of the last column.
    Below,
}

/// A column: its title, how it is cut, and how wide it may be at a terminal in any case.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub title: &'static str,
    pub cut: Cut,
    pub widest: usize,
    pub right: bool,
}

impl Column {
    pub const fn new(title: &'static str, cut: Cut) -> Self {
        Column { title, cut, widest: usize::MAX, right: false }
    }

    pub const fn widest(self, widest: usize) -> Self {
        Column { widest, ..self }
    }

    pub const fn right(self) -> Self {
        Column { right: true, ..self }
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

    /// The lines, for a terminal like the one that is there, or whole where there is none.
    pub fn render(&self, paint: Paint) -> Vec<Shown> {
        match terminal_width() {
            Some(width) => self.render_in(width, paint),
            None => self.lines(None, paint),
        }
    }

    /// The lines on a page of this width.
    pub fn render_in(&self, width: usize, paint: Paint) -> Vec<Shown> {
        self.lines(Some(width), paint)
    }

    fn lines(&self, width: Option<usize>, paint: Paint) -> Vec<Shown> {
        let (widths, beside) = self.layout(width);
        let titles = self.columns.iter().take(beside);
        let titles: Vec<Shown> = titles.map(|column| paint.dim(column.title.to_uppercase())).collect();
        let mut lines = vec![self.line(&titles, &widths)];
        let room = width.map_or(usize::MAX, |width| width.saturating_sub(self.indent + BELOW));
        for row in &self.rows {
            let cells = row.iter().zip(&self.columns).zip(&widths).take(beside);
            let cells: Vec<Shown> = cells
                .map(|(((text, mood), column), width)| paint.mood(*mood, cut(text, column.cut, *width)))
                .collect();
            lines.push(self.line(&cells, &widths));
            for (text, mood) in &row[beside..] {
                let below = wrap(text, room).into_iter();
                lines.extend(below.map(|line| blank(self.indent + BELOW) + paint.mood(*mood, line)));
            }
        }
        lines
    }

    fn line(&self, cells: &[Shown], widths: &[usize]) -> Shown {
        let cells = cells.iter().zip(&self.columns).zip(widths).map(|((cell, column), width)| {
            let cell = cell.clone();
            if column.right { cell.indented_to(*width) } else { cell.padded(*width) }
        });
        (blank(self.indent) + Shown::join(cells, GAP)).trimmed()
    }

    /// How wide each column is, and how many stand beside each other; what is left stands below. A column is as wide as it
    /// needs, and where that is more than there is, those that can be cut give way, the widest first.
    fn layout(&self, width: Option<usize>) -> (Vec<usize>, usize) {
        let needed = |(place, column): (usize, &Column)| {
            let cells = self.rows.iter().map(|row| cut(&row[place].0, column.cut, usize::MAX).width());
            cells.chain([column.title.len()]).max().unwrap_or(0)
        };
        let mut widths: Vec<usize> = self.columns.iter().enumerate().map(needed).collect();
        let all = widths.len();
        let Some(width) = width else { return (widths, all) };
        for (width, column) in widths.iter_mut().zip(&self.columns) {
            *width = (*width).min(column.widest);
        }
        let room = width.saturating_sub(self.indent);
        let taken = |widths: &[usize]| widths.iter().sum::<usize>() + GAP.len() * (widths.len() - 1);
        let last_gives_way = self.columns.last().is_some_and(|last| last.cut == Cut::Below);
        let beside = all - usize::from(last_gives_way && taken(&widths) > room);
        let gives = |place: usize, width: usize| {
            !matches!(self.columns[place].cut, Cut::Nowhere | Cut::Below) && width > NARROWEST
        };
        while taken(&widths[..beside]) > room {
            let giving = (0..beside).filter(|place| gives(*place, widths[*place]));
            let Some(widest) = giving.max_by_key(|place| widths[*place]) else { break };
            widths[widest] -= 1;
        }
        (widths, beside)
    }
}

/// Between two columns.
const GAP: &str = "  ";

fn blank(width: usize) -> Shown {
    Shown::default().padded(width)
}

fn cut(text: &str, cut: Cut, width: usize) -> Shown {
    match cut {
        Cut::Nowhere => text.into(),
        Cut::End => head(text, width).into(),
        Cut::Start => tail(text, width).into(),
        Cut::Middle => ends(text, width).into(),
        Cut::Below => prose(text).into(),
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

    const OFF: Paint = Paint::off();

    #[test]
    fn a_table_fits_in_wide_scripts_too() {
        let path = "/契約/二〇二六年/秘密保持契約書（最終版）.pdf";
        let table = table(path, "責任の制限に関する条項が見つかりませんでした。もう一度お試しください。");
        for width in [24, 40, 60] {
            let lines = table.render_in(width, OFF);
            assert!(lines.iter().all(|line| line.width() <= width), "{width}: {lines:#?}");
        }
    }

    fn table(path: &str, reason: &str) -> Table {
        let mut table = Table::new(&[
            Column::new("state", Cut::Nowhere),
            Column::new("path", Cut::Start),
            Column::new("reason", Cut::Below),
        ]);
        table.row([state("dead"), plain(path), plain(reason)]);
        table
    }

    fn text(lines: Vec<Shown>) -> Vec<String> {
        lines.iter().map(|line| line.as_str().to_owned()).collect()
    }

    #[test]
    fn what_does_not_fit_is_cut_or_wrapped_below_its_row() {
        let shown =
            text(table("/contracts/2026/nda.txt", "it has no text and never will").render_in(24, OFF));
        let expected =
            ["STATE  PATH", "dead   …cts/2026/nda.txt", "    it has no text and", "    never will"];
        assert_eq!(shown, expected);
        let shown = text(table("/nda.txt", "it has no text").render_in(80, OFF));
        assert_eq!(shown, ["STATE  PATH      REASON", "dead   /nda.txt  it has no text"]);
    }

    #[test]
    fn nothing_is_cut_where_there_is_no_terminal() {
        let (path, reason) = (format!("/{}", "x".repeat(400)), "a long reason ".repeat(90));
        let shown = text(table(&path, &reason).lines(None, OFF));
        assert_eq!(shown.len(), 2);
        assert!(shown[1].contains(&path) && shown[1].ends_with(reason.trim_end()), "{}", shown[1]);
    }

    /// Columns as a terminal counts them: two for each of these characters.
    #[test]
    fn wide_characters_take_two_columns() {
        let mut table = Table::new(&[Column::new("path", Cut::Start), Column::new("size", Cut::Nowhere)]);
        table.row([plain("契約書"), plain("1 B")]);
        table.row([plain("abcdef"), plain("2 B")]);
        assert_eq!(text(table.render_in(80, OFF)), ["PATH    SIZE", "契約書  1 B", "abcdef  2 B"]);
    }

    #[test]
    fn a_name_can_neither_add_a_row_nor_colour_one() {
        let shown = text(table("/a\ndead  /forged\x1b[31m", "no").render_in(80, OFF));
        assert_eq!(shown[1], "dead   /a\\u{a}dead  /forged\\u{1b}[31m  no");
        assert_eq!(shown.len(), 2);
    }
}
