//! The paragraph around a quote, for whoever reads whether it says what it is quoted for. Nothing is concluded from it.

use serde::{Deserialize, Serialize};

use super::sentence::{Context, GAP, flat};

/// Characters of a paragraph that are kept before and after a quote. Who needs more opens the document.
const BEFORE: usize = 600;
const AFTER: usize = 400;

/// No text is wrapped at so many characters: a longer line is a paragraph of its own.
const WRAPPED: usize = 160;

/// The text around a quote, and the quote as it stands there; white space is one blank.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paragraph {
    pub before: String,
    pub quote: String,
    pub after: String,
}

impl Paragraph {
    /// None where the quote is all of it.
    pub fn around(context: &Context) -> Option<Paragraph> {
        let Context { text, quote, begins, ends } = context;
        let breaks = breaks(text);
        let begin = breaks.iter().rev().find(|(_, end)| *end <= quote.start).map(|(_, end)| *end);
        let end = breaks.iter().find(|(begin, _)| *begin >= quote.end).map(|(begin, _)| *begin);
        let before = flat(text[begin.unwrap_or(0)..quote.start].trim_start());
        let after = flat(text[quote.end..end.unwrap_or(text.len())].trim_end());
        let before = match before.char_indices().rev().nth(BEFORE) {
            Some((cut, _)) => format!("{GAP}{}", &before[cut..]),
            None if begin.is_none() && !begins => format!("{GAP}{before}"),
            None => before,
        };
        let after = match after.char_indices().nth(AFTER) {
            Some((cut, _)) => format!("{}{GAP}", &after[..cut]),
            None if end.is_none() && !ends => format!("{after}{GAP}"),
            None => after,
        };
        let says = |text: &str| text.contains(char::is_alphanumeric);
        let more = says(&before) || says(&after);
        more.then(|| Paragraph { before, quote: flat(&text[quote.clone()]), after })
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        self.before.len() + self.quote.len() + self.after.len()
    }
}

/// Between paragraphs, each from where one ends to where the next begins: empty lines; and line ends too, where lines are so long that
/// nobody wrapped them.
fn breaks(text: &str) -> Vec<(usize, usize)> {
    let is_long = text.lines().any(|line| line.chars().count() > WRAPPED);
    let (mut breaks, mut at) = (Vec::new(), 0);
    let mut last: Option<(usize, bool)> = None;
    for line in text.split_inclusive(['\n', '\u{c}']) {
        let begin = at;
        at += line.len();
        if line.trim().is_empty() {
            last = last.map(|(end, _)| (end, true));
            continue;
        }
        if let Some((end, is_empty)) = last
            && (is_empty || is_long)
        {
            breaks.push((end, begin));
        }
        last = Some((begin + line.trim_end().len(), line.ends_with('\u{c}')));
    }
    breaks
}

#[cfg(test)]
mod tests {
    use crate::result::quote::{Document, Proof};

    fn paragraph(document: &str, quote: &str) -> Option<[String; 3]> {
        let Proof::Found(place) = Document::new(document).find(quote) else { panic!("not in the document") };
        place.paragraph.map(|around| [around.before, around.quote, around.after])
    }

    fn parts(before: &str, quote: &str, after: &str) -> Option<[String; 3]> {
        Some([before, quote, after].map(str::to_owned))
    }

    const QUOTE: &str = "liable for damages";

    #[test]
    fn a_paragraph_goes_from_one_empty_line_to_the_next() {
        let text = "7 Liability\n\nEach party pays. The Supplier is liable for\ndamages, without limit.\nThat ends.\n \nNext.";
        assert_eq!(
            paragraph(text, QUOTE),
            parts("Each party pays. The Supplier is ", QUOTE, ", without limit. That ends.")
        );
        assert_eq!(paragraph("One.\n\nliable for damages\n\nTwo.", QUOTE), None);
    }

    #[test]
    fn a_line_that_nobody_wrapped_is_a_paragraph() {
        let long = "word ".repeat(60);
        let text = format!("{long}\nIt is liable for damages here.\n{long}");
        assert_eq!(paragraph(&text, QUOTE), parts("It is ", QUOTE, " here."));
    }

    #[test]
    fn a_paragraph_without_end_is_cut_on_both_sides() {
        let long = "word ".repeat(10_000);
        let [before, _, after] = paragraph(&format!("{long}liable for damages {long}"), QUOTE).unwrap();
        assert!(before.starts_with('…') && after.ends_with('…'));
        assert!(before.chars().count() < 610 && after.chars().count() < 410);
    }
}
