//! Findings as rows: for a spreadsheet or a table in Markdown, of one result or of many.

use serde_json::Value;

use super::mark::Marks;
use super::{escape, seen, value_text};
use crate::result::quote::Check;
use crate::result::schema::{Cell, Column, Row, Schema, Table};

/// What opens a CSV file: without it Excel takes UTF-8 for the machine's old code page.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Ends each line (RFC 4180).
const LINE_END: &str = "\r\n";

/// The findings of one result.
pub fn csv(schema: &Schema, result: &Value, checks: &[Check]) -> Option<String> {
    let grid = Grid::of(schema);
    let marks = Marks::of(schema, result, checks);
    (!schema.tables().is_empty()).then(|| {
        let rows = grid.rows(result).into_iter().map(|found| grid.fields(&found, &marks));
        lines([grid.header()].into_iter().chain(rows), ',')
    })
}

/// A table of Markdown; the cells are Markdown.
pub fn table(header: Vec<String>, rows: Vec<Vec<String>>) -> String {
    let width = header.len();
    let line = |mut cells: Vec<String>| {
        cells.resize(width, String::new());
        format!("| {} |\n", cells.join(" | "))
    };
    let rule = format!("|{}\n", " --- |".repeat(width));
    let rows: String = rows.into_iter().map(line).collect();
    format!("{}{rule}{rows}", line(header))
}

/// The rows of one table of a result in Markdown. `None` without any.
pub fn section(schema: &Schema, table: &Table, result: &Value, marks: &Marks<'_>) -> Option<String> {
    let grid = Grid { schema, tables: vec![table.clone()], columns: table.columns.clone() };
    let rows = grid
        .rows(result)
        .into_iter()
        .enumerate()
        .map(|(number, found)| [vec![(number + 1).to_string()], grid.cells(&found, marks)].concat());
    let rows: Vec<Vec<String>> = rows.collect();
    let header = || ["#".to_owned()].into_iter().chain(grid.titles()).collect();
    (!rows.is_empty()).then(|| self::table(header(), rows))
}

/// All tables of a schema as one: its columns are those of all of them, by name.
pub struct Grid<'s> {
    schema: &'s Schema,
    tables: Vec<Table>,
    columns: Vec<Column>,
}

/// A row, and the table it is from.
pub struct TableRow<'v> {
    table: usize,
    row: Row<'v>,
}

impl<'s> Grid<'s> {
    pub fn of(schema: &'s Schema) -> Self {
        let tables = match schema.tables() {
            [] => vec![schema.whole()],
            tables => tables.to_vec(),
        };
        let mut columns: Vec<Column> = Vec::new();
        for column in tables.iter().flat_map(|table| &table.columns) {
            match columns.iter_mut().find(|known| known.name == column.name) {
                Some(known) => {
                    known.quote |= column.quote;
                    known.number &= column.number;
                }
                None => columns.push(column.clone()),
            }
        }
        Grid { schema, tables, columns }
    }

    pub fn rows<'v>(&self, result: &'v Value) -> Vec<TableRow<'v>> {
        let tables = self.tables.iter().enumerate();
        let rows = tables.flat_map(|(place, table)| {
            self.schema.rows(table, result).into_iter().map(move |row| TableRow { table: place, row })
        });
        rows.collect()
    }

    /// Where there are several tables, each row says of which it is.
    fn has_lists(&self) -> bool {
        self.tables.len() > 1
    }

    fn list(&self, found: &TableRow<'_>) -> Option<&str> {
        self.has_lists().then(|| self.tables[found.table].pointer.trim_start_matches('/'))
    }

    /// The cell for each column of the grid, where the row's table has it.
    fn own_cells<'f, 'v>(
        &'f self,
        found: &'f TableRow<'v>,
    ) -> impl Iterator<Item = (&'f Column, Option<&'f Cell<'v>>)> {
        let columns = &self.tables[found.table].columns;
        self.columns.iter().map(move |column| {
            let place = columns.iter().position(|own| own.name == column.name);
            (column, place.and_then(|place| found.row.cells.get(place)))
        })
    }

    pub fn header(&self) -> Vec<String> {
        let mut header: Vec<String> = self.has_lists().then(|| "list".to_owned()).into_iter().collect();
        for column in &self.columns {
            header.push(column.name.clone());
            if column.quote {
                header.push(format!("{} verified", column.name));
                header.push(format!("{} place", column.name));
            }
        }
        header
    }

    /// Of which columns of the header the cells are numbers.
    pub fn numbers(&self) -> Vec<bool> {
        let list = self.has_lists().then_some(false);
        let columns = self.columns.iter().flat_map(|column| match column.quote {
            true => vec![false; 3],
            false => vec![column.number],
        });
        list.into_iter().chain(columns).collect()
    }

    /// For CSV: each quote is followed by whether and where it was found.
    pub fn fields(&self, found: &TableRow<'_>, marks: &Marks<'_>) -> Vec<String> {
        let mut fields: Vec<String> = self.list(found).map(str::to_owned).into_iter().collect();
        for (column, cell) in self.own_cells(found) {
            let value = cell.and_then(|cell| cell.value).filter(|value| !value.is_null());
            fields.push(value.map(|value| one_line(&value_text(value))).unwrap_or_default());
            if column.quote {
                let (verified, place) = match cell {
                    Some(cell) => proof(cell, marks),
                    None => Default::default(),
                };
                fields.extend([verified, place]);
            }
        }
        fields
    }

    pub fn titles(&self) -> Vec<String> {
        let list = self.has_lists().then(|| "List".to_owned());
        list.into_iter().chain(self.columns.iter().map(|column| super::title(&column.path))).collect()
    }

    /// For Markdown: each quote with its mark.
    pub fn cells(&self, found: &TableRow<'_>, marks: &Marks<'_>) -> Vec<String> {
        let mut cells: Vec<String> = self.list(found).map(escape::inline).into_iter().collect();
        for (_, cell) in self.own_cells(found) {
            let value = cell.and_then(|cell| Some((cell, cell.value.filter(|value| !value.is_null())?)));
            cells.push(match value {
                None => String::new(),
                Some((cell, value)) => super::marked(value, &cell.pointer, marks),
            });
        }
        cells
    }
}

/// What others wrote, on one line: line breaks are the layout's, not the text's. The result on record has them.
pub fn one_line(text: &str) -> String {
    seen::shown(&text.split_whitespace().collect::<Vec<_>>().join(" ")).into_owned()
}

/// Whether and where a quote was found; of a list of quotes, whether all were, and where each.
fn proof(cell: &Cell<'_>, marks: &Marks<'_>) -> (String, String) {
    let pointers: Vec<String> = match cell.value {
        None | Some(Value::Null) => return Default::default(),
        Some(Value::Array(list)) => {
            (0..list.len()).map(|place| format!("{}/{place}", cell.pointer)).collect()
        }
        Some(_) => vec![cell.pointer.clone()],
    };
    let mut words = pointers.iter().map(|pointer| marks.word(pointer));
    let word = match words.next() {
        Some(first) if first == "yes" => words.find(|word| word != "yes").unwrap_or(first),
        first => first.unwrap_or_default(),
    };
    let places: Vec<String> =
        pointers.iter().map(|pointer| marks.place(pointer).unwrap_or_default()).collect();
    (word, places.join("; "))
}

/// A CSV whose columns this character parts.
pub fn lines(rows: impl Iterator<Item = Vec<String>>, separator: char) -> String {
    let mut text = String::from(BYTE_ORDER_MARK);
    rows.for_each(|row| text += &line(&row, separator));
    text
}

/// A CSV with a line of words above it.
pub fn headed(words: &str, table: &str) -> String {
    let table = table.strip_prefix(BYTE_ORDER_MARK).unwrap_or(table);
    format!("{BYTE_ORDER_MARK}{}{table}", line(&[words.to_owned()], ','))
}

/// One line of a CSV.
pub fn line(row: &[String], separator: char) -> String {
    let fields: Vec<String> = row.iter().map(|field| escape::field(field, separator)).collect();
    fields.join(separator.encode_utf8(&mut [0; 4])) + LINE_END
}
