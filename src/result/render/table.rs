//! Tables that others wrote, read and written anew cell by cell.

use super::{grid, seen};

/// A table of which each cell is text. Which character parts its columns is what its first line has most of.
pub fn harmless(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default();
    let many = |separator: &char| first.matches(*separator).count();
    let separator = [',', ';', '\t'].into_iter().rev().max_by_key(many).unwrap_or(',');
    let mut table = String::with_capacity(text.len());
    for row in rows(text, separator) {
        let cells: Vec<String> = row.iter().map(|cell| seen::shown(cell).into_owned()).collect();
        table += &grid::line(&cells, separator);
    }
    table
}

/// The cells of each row (RFC 4180). A quotation mark that is never closed closes with the text.
fn rows(text: &str, separator: char) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let (mut quoted, mut begun) = (false, false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        begun = true;
        match character {
            '"' if quoted && characters.next_if_eq(&'"').is_some() => cell.push('"'),
            '"' if quoted => quoted = false,
            '"' if cell.is_empty() => quoted = true,
            '\r' if !quoted && characters.peek() == Some(&'\n') => {}
            '\n' | '\r' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
                begun = false;
            }
            end if end == separator && !quoted => row.push(std::mem::take(&mut cell)),
            other => cell.push(other),
        }
    }
    if begun {
        row.push(cell);
        rows.push(row);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn a_table_stays_the_table_it_was() {
        let table = "file,words\r\n\"a, b\",1\r\n\"say \"\"no\"\"\",-2.5\r\n,\r\n";
        assert_eq!(harmless(table), table);
        assert_eq!(harmless("a;b\n1,5;2"), "a;b\r\n\"1,5\";2\r\n");
        assert_eq!(harmless(""), "");
    }

    #[test]
    fn no_cell_of_it_is_a_formula() {
        assert_eq!(
            harmless("a,b\n=1,\"+1\n=2\"\n@x,\"never closed"),
            "a,b\r\n'=1,\"+1\n'=2\"\r\n'@x,never closed\r\n"
        );
    }
}
