//! Where a text is cut that is too large for a vector store: at its own seams, so that each segment can be read by itself.
//! Pure, and no more is held than the segment that is being made.

use std::mem;

use super::text::characters;

/// The largest segment. OpenAI takes 5,000,000 tokens in one file, and a token stands for one byte at least, so none of this
/// size is ever refused for its tokens.
pub const LARGEST: usize = 4_000_000;

/// How much of the end of one segment the next one begins with, where that helps a reader.
const OVERLAP: usize = 400;

/// How far back it is looked whether a line is blank.
const BLANK: usize = 64;

/// What a text is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seams {
    /// Records with quoted fields, which may hold line breaks. The first one names the columns and stands in each segment.
    Records,
    /// Lines that mean something by themselves.
    Lines,
    /// Paragraphs, which go on in each other: a segment begins with the end of the one before.
    Prose,
}

impl Seams {
    /// By the extension of the file's name, in lower case.
    pub fn of(extension: &str) -> Seams {
        match extension {
            "csv" | "tsv" => Seams::Records,
            "adoc" | "asciidoc" | "eml" | "htm" | "html" | "markdown" | "md" | "org" | "rst" | "tex"
            | "text" | "txt" | "xhtml" => Seams::Prose,
            _ => Seams::Lines,
        }
    }
}

/// Cuts a text in UTF-8 that comes in pieces.
#[derive(Debug)]
pub struct Cutter {
    seams: Seams,
    /// Bytes in one segment.
    most: usize,
    header: Option<Vec<u8>>,
    /// What is being made.
    segment: Vec<u8>,
    /// How much of that stands in the one before, or in each.
    begins: usize,
    /// Where the last of each kind ends in it; 0 where there is none.
    paragraph: usize,
    line: usize,
    space: usize,
    /// Within quotes.
    quoted: bool,
}

impl Cutter {
    pub fn new(seams: Seams, most: usize) -> Self {
        Cutter {
            seams,
            most: most.max(16),
            header: None,
            segment: room(most),
            begins: 0,
            paragraph: 0,
            line: 0,
            space: 0,
            quoted: false,
        }
    }

    /// The segments that are whole now.
    pub fn push(&mut self, piece: &[u8]) -> Vec<Vec<u8>> {
        let mut whole = Vec::new();
        for byte in piece {
            self.take(*byte);
            while self.segment.len() >= self.most {
                whole.extend(self.cut());
            }
        }
        whole
    }

    /// What is left when nothing more comes.
    pub fn end(self) -> Option<Vec<u8>> {
        is_worth_reading(&self.segment[self.begins..]).then_some(self.segment)
    }

    fn take(&mut self, byte: u8) {
        if self.seams == Seams::Records && byte == b'"' {
            let begins_field = matches!(self.segment.last(), None | Some(b',' | b';' | b'\t' | b'\n'));
            self.quoted = !self.quoted && (begins_field || self.segment.len() == self.begins);
        }
        self.segment.push(byte);
        let end = self.segment.len();
        if end > self.most {
            return;
        }
        match byte {
            b'\n' if self.quoted => self.space = end,
            b'\n' => {
                if is_blank_line(&self.segment[self.begins..end - 1]) {
                    self.paragraph = end;
                }
                self.line = end;
                if self.seams == Seams::Records && self.header.is_none() {
                    // One that fills a segment names no columns.
                    self.header = Some(if end <= self.most / 4 { self.segment.clone() } else { Vec::new() });
                }
            }
            b' ' | b'\t' if self.seams == Seams::Prose => self.space = end,
            _ => {}
        }
    }

    /// The segment up to its last seam; what comes behind that begins the next one.
    fn cut(&mut self) -> Option<Vec<u8>> {
        let at = self.seam();
        let rest = self.segment.split_off(at);
        let mut next = room(self.most);
        match self.seams {
            Seams::Records => next.extend(self.header.iter().flatten()),
            Seams::Lines => {}
            Seams::Prose => next.extend(overlap(&self.segment[self.begins..], OVERLAP.min(self.most / 8))),
        }
        let is_read = is_worth_reading(&self.segment[self.begins..]);
        self.begins = next.len();
        let whole = mem::replace(&mut self.segment, next);
        (self.paragraph, self.line, self.space, self.quoted) = (0, 0, 0, false);
        // The first record is in the first segment, or names no columns.
        self.header.get_or_insert_default();
        for byte in rest {
            self.take(byte);
        }
        is_read.then_some(whole)
    }

    fn seam(&self) -> usize {
        let half = self.begins + (self.most - self.begins) / 2;
        let good = [self.paragraph, self.line, self.space].into_iter().find(|at| *at > half);
        let any = [self.line, self.space].into_iter().find(|at| *at > self.begins);
        let seam = match self.seams {
            Seams::Prose => good.or(any),
            Seams::Records | Seams::Lines => any,
        };
        seam.unwrap_or_else(|| {
            // Before the last letter, of which more bytes may come.
            let head = &self.segment[self.begins + 1..self.most];
            let last = head.iter().rposition(|byte| (byte & 0xc0) != 0x80);
            last.map_or(self.most, |last| self.begins + 1 + last)
        })
    }
}

/// A buffer for a segment, which never grows: one that did would hold half as much again meanwhile.
fn room(most: usize) -> Vec<u8> {
    Vec::with_capacity(most + 1)
}

/// A segment of white space is none that a vector store takes.
fn is_worth_reading(text: &[u8]) -> bool {
    characters(text) > 0
}

/// Whether a line break that follows ends a line in which nothing stands.
fn is_blank_line(before: &[u8]) -> bool {
    let end = &before[before.len().saturating_sub(BLANK)..];
    end.iter().rev().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r')) == Some(&b'\n')
}

/// The end of a segment from the beginning of a line or a word on.
fn overlap(text: &[u8], most: usize) -> &[u8] {
    let end = &text[text.len().saturating_sub(most)..];
    let behind = |seam: u8| {
        let seams = end.iter().enumerate().filter(move |(_, byte)| **byte == seam);
        seams.map(|(at, _)| &end[at + 1..]).find(|rest| is_worth_reading(rest))
    };
    behind(b'\n').or_else(|| behind(b' ')).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(seams: Seams, most: usize, text: &str) -> Vec<String> {
        let mut cutter = Cutter::new(seams, most);
        let mut all: Vec<Vec<u8>> = text.as_bytes().chunks(7).flat_map(|piece| cutter.push(piece)).collect();
        all.extend(cutter.end());
        all.into_iter()
            .map(|segment| String::from_utf8(segment).expect("it is cut between letters"))
            .collect()
    }

    #[test]
    fn each_part_of_a_table_has_its_columns_and_whole_records() {
        let table =
            "party,clause\nAcme,\"capped,\nat fees\"\nBolt,\"says \"\"none\"\"\"\nCord,5\" pipe\nDune,none\n";
        let expected = [
            "party,clause\nAcme,\"capped,\nat fees\"\n",
            "party,clause\nBolt,\"says \"\"none\"\"\"\nCord,5\" pipe\n",
            "party,clause\nDune,none\n",
        ];
        assert_eq!(cut(Seams::Records, 52, table), expected);
    }

    #[test]
    fn a_line_stays_whole_and_one_that_is_too_long_is_cut_between_letters() {
        assert_eq!(
            cut(Seams::Lines, 24, "{\"a\":\"one\"}\n{\"b\":\"two\"}\n{\"c\":3}\n"),
            ["{\"a\":\"one\"}\n{\"b\":\"two\"}\n", "{\"c\":3}\n"]
        );
        let long = "ä".repeat(20);
        assert_eq!(cut(Seams::Lines, 16, &long).concat(), long);
    }

    #[test]
    fn prose_is_cut_between_paragraphs_and_goes_on_with_their_end() {
        let text =
            "The first clause is about a cap.\n\nThe second clause is about notice.\n\nThe third is short.\n";
        let parts = cut(Seams::Prose, 64, text);
        assert_eq!(parts[0], "The first clause is about a cap.\n\n");
        assert!(parts[1].starts_with("cap.\n\nThe second"), "{parts:?}");
    }

    #[test]
    fn white_space_alone_is_no_segment() {
        let parts = cut(Seams::Lines, 16, &format!("a\n{}b\n", "\n".repeat(64)));
        let letters: Vec<&str> = parts.iter().map(|part| part.trim()).collect();
        assert_eq!(letters, ["a", "b"]);
    }

    proptest! {
        #[test]
        fn no_segment_is_too_large_and_nothing_is_lost(text in "[a\"é, \n]{0,400}", most in 16_usize..80) {
            for seams in [Seams::Records, Seams::Lines, Seams::Prose] {
                let parts = cut(seams, most, &text);
                prop_assert!(parts.iter().all(|part| part.len() <= most), "{parts:?}");
                let letters = |text: &str| text.chars().filter(|letter| letter.is_alphabetic()).count();
                let there: usize = parts.iter().map(|part| letters(part)).sum();
                prop_assert!(there >= letters(&text), "{parts:?}");
            }
            prop_assert_eq!(
                cut(Seams::Lines, most, &text).concat().replace(char::is_whitespace, ""),
                text.replace(char::is_whitespace, "")
            );
        }
    }
}
