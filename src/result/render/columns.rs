//! How wide the columns of a page's tables are, where the page has to say so: a number needs less room than a quote.

use pulldown_cmark::{Event, Tag, TagEnd};

use super::pieces::Piece;

/// Room for a character, in twentieths of a point: those of a sans-serif type of eleven points are a little narrower on the average.
const CHARACTER: usize = 135;

/// What stands to the left and to the right of a cell's text.
const MARGINS: usize = 180;

/// The longest word that a column grows for, in characters. A longer one is broken.
const LONGEST_WORD: usize = 16;

/// The longest text that is told from a longer one.
const LONGEST_TEXT: usize = 400;

/// What the texts of a column need, in characters.
#[derive(Debug, Default, Clone)]
struct Need {
    word: usize,
    text: usize,
}

/// The widths of the columns of each table of a page, in order. Those of a table come to `room`, in twentieths of a point.
pub fn widths(pieces: &[Piece<'_>], room: usize) -> Vec<Vec<usize>> {
    let (mut tables, mut needs, mut column, mut cell) = (Vec::new(), Vec::<Need>::new(), 0, String::new());
    // Titles are bold, and wider by a tenth.
    let mut bold = 0;
    for piece in pieces {
        match piece {
            Event::Start(Tag::Table(columns)) => needs = vec![Need::default(); columns.len().max(1)],
            Event::Start(Tag::TableHead) => (column, bold) = (0, 1),
            Event::Start(Tag::TableRow) => (column, bold) = (0, 0),
            Event::Start(Tag::TableCell) => cell.clear(),
            Event::Text(text) | Event::Code(text) => cell += text,
            Event::End(TagEnd::TableCell) => {
                if let Some(need) = needs.get_mut(column) {
                    let word = cell.split_whitespace().map(|word| word.chars().count()).max().unwrap_or(0);
                    need.word = need.word.max((word + bold).clamp(1, LONGEST_WORD));
                    need.text = need.text.max(cell.chars().count().min(LONGEST_TEXT));
                }
                column += 1;
            }
            Event::End(TagEnd::Table) => tables.push(shared(&needs, room)),
            _ => {}
        }
    }
    tables
}

/// Each column has room for its longest word, and what is left goes to those whose texts need more, as much as they do.
fn shared(needs: &[Need], room: usize) -> Vec<usize> {
    let least: Vec<usize> = needs.iter().map(|need| need.word * CHARACTER + MARGINS).collect();
    let sum: usize = least.iter().sum();
    let Some(left) = room.checked_sub(sum) else {
        return least.iter().map(|width| width * room / sum).collect();
    };
    let more: Vec<usize> = needs.iter().map(|need| need.text.saturating_sub(need.word) * CHARACTER).collect();
    let wanted: usize = more.iter().sum();
    // What nothing wants, all get.
    let share = |(least, more): (&usize, &usize)| match wanted {
        0 => least + left / needs.len(),
        wanted => least + more * left / wanted,
    };
    least.iter().zip(&more).map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::render::pieces::pieces;

    #[test]
    fn a_quote_gets_the_room_that_numbers_and_single_words_do_not_need() {
        let quote = "the total liability of each party is limited to EUR 250,000 ".repeat(4);
        let page = format!(
            "| # | Category | Quote | Risk |\n|---|---|---|---|\n| 1 | liability cap | {quote} | high |\n"
        );
        let widths = widths(&pieces(&page), 9_600);
        let [number, category, quote, risk] = widths[0][..] else { panic!("{widths:?}") };
        assert!(number < 500 && risk < 1_000 && category < 2_200, "{widths:?}");
        assert!(quote > 5_500, "{widths:?}");
        assert!((9_590..=9_600).contains(&(number + category + quote + risk)), "{widths:?}");
    }

    #[test]
    fn however_many_columns_there_are_they_fit_the_page() {
        for columns in [1, 2, 7, 40, 200] {
            let row = "| incomprehensibilities and more ".repeat(columns);
            let page = format!("{row}|\n{}|\n{row}|\n", "|---".repeat(columns));
            let widths = widths(&pieces(&page), 9_600);
            assert_eq!((widths.len(), widths[0].len()), (1, columns));
            let sum: usize = widths[0].iter().sum();
            assert!(sum <= 9_600 && sum + columns >= 9_600, "{columns}: {widths:?}");
        }
    }
}
