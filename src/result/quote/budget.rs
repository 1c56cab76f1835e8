//! How much is spent on the quotes of one answer, whatever the document and the answer are made to be.

use std::collections::HashMap;

use super::{Check, Document, Paragraph, Proof};

/// Quotes of one answer that are looked up. A long contract has some dozens of clauses that are worth quoting.
pub const MOST_QUOTES: usize = 1_000;

/// What one answer may cost, in steps: about two seconds of one core. A hundred quotes that are not in the longest
/// document that a run reads (24 MiB) cost half of it.
const STEPS: u64 = 4_000_000_000;

/// Bytes of the paragraphs that are kept with one answer: some two hundred of them.
const PARAGRAPHS: usize = 256 * 1024;

/// What is left for the quotes of one answer. A step is a byte that is searched, or a little more work.
#[derive(Debug)]
pub struct Budget {
    left: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Budget { left: STEPS }
    }
}

impl Budget {
    /// False when that is more than there is; then nothing is left.
    pub(super) fn take(&mut self, steps: usize) -> bool {
        let left = self.left.checked_sub(steps as u64);
        self.left = left.unwrap_or(0);
        left.is_some()
    }
}

/// Looks up the quotes of one answer, each with where it stands there; equal ones once.
pub fn look_up_all(document: &Document, quotes: Vec<(String, &str)>) -> Vec<Check> {
    look_up_within(document, quotes, &mut Budget::default())
}

fn look_up_within<'a>(
    document: &Document,
    quotes: Vec<(String, &'a str)>,
    budget: &mut Budget,
) -> Vec<Check> {
    let mut known: HashMap<&'a str, Proof> = HashMap::new();
    let check = |(place, (pointer, quote)): (usize, (String, &'a str))| {
        let proof = match known.get(quote) {
            Some(proof) => proof.clone(),
            None if place >= MOST_QUOTES => Proof::Unchecked,
            None => document.look_up(quote, budget),
        };
        known.insert(quote, proof.clone());
        Check { pointer, quote: quote.to_owned(), proof }
    };
    let mut checks: Vec<Check> = quotes.into_iter().enumerate().map(check).collect();
    let mut room = PARAGRAPHS;
    for check in &mut checks {
        let Proof::Found(place) = &mut check.proof else { continue };
        let bytes = place.paragraph.as_ref().map_or(0, Paragraph::bytes);
        match room.checked_sub(bytes) {
            Some(left) => room = left,
            None => place.paragraph = None,
        }
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked_up(document: &Document, quotes: &[String], budget: &mut Budget) -> Vec<Proof> {
        let quotes = quotes.iter().enumerate().map(|(place, quote)| (format!("/{place}"), quote.as_str()));
        look_up_within(document, quotes.collect(), budget).into_iter().map(|check| check.proof).collect()
    }

    /// Each place of the document holds the quote's letters, and its words only at the last look.
    fn resisting(number: usize) -> String {
        format!("{}aa", "a ".repeat(10 + number))
    }

    #[test]
    fn quotes_that_resist_cost_no_more_than_one_answer_may() {
        let document = Document::new(&"a ".repeat(100_000));
        let quotes: Vec<String> = (0..150).map(resisting).collect();
        let mut budget = Budget { left: 20_000_000 };
        let proofs = looked_up(&document, &quotes, &mut budget);
        assert_eq!(budget.left, 0);
        let checked = proofs.iter().filter(|proof| **proof == Proof::NotFound).count();
        assert!((1..10).contains(&checked), "each may cost 64 times the document: {checked}");
        assert!(proofs[checked..].iter().all(|proof| *proof == Proof::Unchecked));
    }

    #[test]
    fn the_same_quote_is_looked_up_once() {
        let document = Document::new(&"a ".repeat(100_000));
        let mut once = Budget::default();
        looked_up(&document, &[resisting(1)], &mut once);
        let mut often = Budget::default();
        let proofs = looked_up(&document, &vec![resisting(1); 500], &mut often);
        assert_eq!(often.left, once.left);
        assert!(proofs.iter().all(|proof| *proof == Proof::NotFound));
    }

    #[test]
    fn of_many_quotes_the_first_are_looked_up_and_the_others_said_to_be_unchecked() {
        let document = Document::new("The Supplier is liable without any limit.");
        let mut quotes = vec!["liable without any limit".to_owned(); 2];
        quotes.extend((0..MOST_QUOTES).map(|number| format!("another quote, number {number}")));
        quotes.push("liable without any limit".to_owned());
        let proofs = looked_up(&document, &quotes, &mut Budget::default());
        assert!(proofs[0].is_verified() && proofs.last().unwrap().is_verified());
        assert_eq!(proofs.iter().filter(|proof| **proof == Proof::Unchecked).count(), 2);
    }
}
