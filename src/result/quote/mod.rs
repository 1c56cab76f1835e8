//! Whether a quote stands in a document. This is what a reader relies on, so it is strict where it counts.
//!
//! A quote is found when the document has the same words, numbers and punctuation in the same order. It may differ in:
//!
//! - white space: any amount and kind, line breaks too, and none at all next to punctuation;
//! - hyphenation: a hyphen at a line's end between letters may be there or not;
//! - forms of the same characters (`kind`), and how letters with accents are encoded;
//! - quotation marks and dashes: which ones, not whether; and quotation marks around the quote as a whole;
//! - what stands on each page of the document and is no part of its text (`furniture`).
//!
//! It may not differ in anything else: not in case, not in a word, a digit or a decimal point, and it must not cut a word
//! or number, since `exclusive` is not what a document says that has `non-exclusive`, nor `EUR 10` where it has
//! `EUR 10,000`. What stops inside of a sentence is still a quote; where the sentence goes on to say otherwise it is a partial
//! one (`sentence`, `partial`).
//!
//! A document is prepared once, in time and memory linear in its length, and then asked about many quotes, each in time
//! linear in the document, also where its text is made to defeat the search (`search`).

mod budget;
mod furniture;
mod kind;
mod normal;
mod paragraph;
mod partial;
mod same;
mod search;
mod section;
mod sentence;
mod source;
#[cfg(test)]
mod tests;
mod words;

use serde::{Deserialize, Serialize};

use budget::Budget;
pub use budget::{MOST_QUOTES, look_up_all};
pub use paragraph::Paragraph;

use search::{Characters, Found, Quote, Search};
use source::Source;

/// Letters and digits that a quote needs at least; a Chinese or Japanese character counts for two. Fewer prove nothing:
/// they stand somewhere in any document.
pub const LEAST_CHARACTERS: usize = 10;

/// Places of a quote that are looked at for one where it is not cut out of a sentence that says otherwise.
const MOST_PLACES: usize = 16;

/// What looking at the sentence around one place costs, in the steps of a [`Budget`].
const SENTENCE: usize = 100_000;

/// A document's text, prepared.
pub struct Document {
    source: Source,
    whole: Characters,
    /// The same without page furniture, where there is any.
    body: Option<Characters>,
}

/// Part of a document's text, with the pages it stands on where they are known.
#[derive(Debug, Clone, Copy)]
pub struct Piece<'a> {
    pub text: &'a str,
    pub pages: Option<(u32, u32)>,
}

/// What is known of a quote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "proof", rename_all = "snake_case")]
pub enum Proof {
    /// It is in the document.
    Found(Place),
    NotFound,
    /// It has less than [`LEAST_CHARACTERS`] or is one word. It may be in the document, which would mean nothing.
    TooShort,
    /// It was not looked up: there is no text to look in, or there are too many quotes.
    Unchecked,
}

/// Where a quote stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Characters of the document's text before it. Pieces count as if one followed the other.
    pub offset: u64,
    /// Characters of the document's text that it takes.
    pub length: u64,
    /// From 1.
    pub line: u64,
    /// The first and last page it may stand on, where pages are known: from the pieces, or from form feeds in the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<(u32, u32)>,
    /// What the heading above it says, such as `§ 7 Liability` or `7.2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section: Option<String>,
    /// The whole sentence, or sentences, that it stands in, where they say more than it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sentence: Option<String>,
    /// The words of that sentence that the quote leaves out and that say otherwise: a negation or an exception.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
    /// The paragraph that it stands in, where that says more than it does, and is not too long to be kept beside those of the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paragraph: Option<Paragraph>,
}

/// One quote of a result, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Where it stands in the result: a JSON pointer, such as `/findings/3/quote`.
    pub pointer: String,
    pub quote: String,
    #[serde(flatten)]
    pub proof: Proof,
}

impl Proof {
    /// Whether its words are in the document.
    pub fn is_verified(&self) -> bool {
        matches!(self, Proof::Found(_))
    }

    /// Why a quote is not proven, or not as a whole. What the document says besides goes through `cut`.
    pub fn words(&self, cut: impl Fn(&str) -> String) -> String {
        match self {
            Proof::Found(place) => match &place.left_out {
                Some(words) => format!("its sentence also says “{}”", cut(words)),
                None => "it is in the document".to_owned(),
            },
            Proof::NotFound => "it is not in the document as it stands here".to_owned(),
            Proof::TooShort => "it is too short to prove anything".to_owned(),
            Proof::Unchecked => "it was not looked up".to_owned(),
        }
    }

    /// The words that its own sentence adds, and that say otherwise.
    pub fn left_out(&self) -> Option<&str> {
        let Proof::Found(place) = self else { return None };
        place.left_out.as_deref()
    }
}

impl Document {
    pub fn new(text: &str) -> Document {
        Document::of([Piece { text, pages: None }])
    }

    /// Where two pieces meet, white space may have been lost or not; a quote may run across.
    pub fn of<'a>(pieces: impl IntoIterator<Item = Piece<'a>>) -> Document {
        let mut source = Source::of(pieces);
        let whole = source.characters();
        source.furniture = furniture::find(&source);
        source.sections = section::sections(&source.body());
        let body = (!source.furniture.is_empty()).then(|| source.characters());
        Document { source, whole, body }
    }

    /// Whether there is any text at all. A scanned document has none, and no quote from it can be proven.
    pub fn is_empty(&self) -> bool {
        self.whole.is_empty()
    }

    /// Looks for one quote.
    pub fn find(&self, quote: &str) -> Proof {
        self.look_up(quote, &mut Budget::default())
    }

    /// Looks for `quote` for as long as `budget` lasts: in the text as it stands, and then in what is left of it without page
    /// furniture. A place where it is not cut out of a sentence that says otherwise counts before one where it is.
    fn look_up(&self, quote: &str, budget: &mut Budget) -> Proof {
        if !budget.take(quote.len()) {
            return Proof::Unchecked;
        }
        let quote = Quote::read(quote);
        if quote.is_too_short() {
            return Proof::TooShort;
        }
        let mut partial = None;
        for text in [Some(&self.whole), self.body.as_ref()].into_iter().flatten() {
            let mut search = Search::new(text, &quote);
            for _ in 0..MOST_PLACES {
                match search.next(budget) {
                    Found::Place(first, last) => {
                        budget.take(SENTENCE);
                        let place = self.source.place(first, last);
                        if place.left_out.is_none() {
                            return Proof::Found(place);
                        }
                        partial.get_or_insert(place);
                    }
                    Found::Nothing => break,
                    Found::Spent => return partial.map_or(Proof::Unchecked, Proof::Found),
                }
            }
            if let Some(place) = partial {
                return Proof::Found(place);
            }
        }
        Proof::NotFound
    }
}

impl std::fmt::Debug for Document {
    /// Without the text.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Document").field("characters", &self.whole.len()).finish_non_exhaustive()
    }
}
