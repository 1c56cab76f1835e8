//! Clauses as a document: plain text, text as it is read out of a PDF, and as it is read out of a DOCX. The same seed makes
//! the same document.

use fastrand::Rng;

/// Characters of a line of plain text, and of one on a PDF's page.
const WIDE: usize = 88;
const NARROW: usize = 58;

/// Lines of a PDF's page.
const PAGE: usize = 24;

/// What stands at the end of a page and at the beginning of the next: `#` is the page's number.
const PAGE_ENDS: [&str; 8] = [
    "ACME Ltd. · Confidential\nPage # of 40\nMaster Services Agreement\n",
    "\nSeite # von 40\n\n",
    "Page # sur 40\nContrat-cadre de prestations\n",
    "- # -\n",
    "Página # de 40\n\nContrato marco\n\n",
    "\n#\n\u{c}Contratto quadro di servizi\n",
    "Strona # z 40\n",
    "Master Services Agreement | #\n",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Text,
    Pdf,
    Docx,
}

pub const FORMS: [Form; 3] = [Form::Text, Form::Pdf, Form::Docx];

impl Form {
    pub fn name(self) -> &'static str {
        match self {
            Form::Text => "text",
            Form::Pdf => "pdf",
            Form::Docx => "docx",
        }
    }

    /// A document of these clauses, in an order of its own.
    pub fn document(self, clauses: &[String], seed: u64) -> String {
        let mut random = Rng::with_seed(seed);
        let mut clauses: Vec<&String> = clauses.iter().collect();
        random.shuffle(&mut clauses);
        let numbered = |(place, clause): (usize, &&String)| format!("{}. {clause}", place + 1);
        let paragraphs: Vec<String> = clauses.iter().enumerate().map(numbered).collect();
        match self {
            Form::Text => {
                let lines = paragraphs.iter().map(|text| wrapped(text, WIDE, None).join("\n") + "\n\n");
                lines.collect()
            }
            Form::Pdf => pdf(&paragraphs, &mut random),
            Form::Docx => paragraphs.iter().map(|text| docx(text, &mut random) + "\n").collect(),
        }
    }
}

/// Narrow lines with words broken at their ends, ligatures, and pages with furniture.
fn pdf(paragraphs: &[String], random: &mut Rng) -> String {
    let end = PAGE_ENDS[random.usize(..PAGE_ENDS.len())];
    let (mut text, mut lines) = (String::new(), 0);
    for paragraph in paragraphs {
        for line in wrapped(paragraph, NARROW, Some(random)) {
            text += &(line + "\n");
            lines += 1;
            if lines % PAGE == 0 {
                text += &end.replace('#', &(lines / PAGE).to_string());
            }
        }
    }
    [("ffi", "ﬃ"), ("ffl", "ﬄ"), ("fi", "ﬁ"), ("fl", "ﬂ"), ("ff", "ﬀ")]
        .iter()
        .fold(text, |text, (letters, ligature)| text.replace(letters, ligature))
}

/// The text in lines of so many characters at most, with words broken where `random` is given and says so.
fn wrapped(text: &str, width: usize, mut random: Option<&mut Rng>) -> Vec<String> {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split(' ') {
        let room = width.saturating_sub(line.chars().count() + 1);
        if line.is_empty() || word.chars().count() <= room {
            line += if line.is_empty() { "" } else { " " };
            line += word;
            continue;
        }
        let letters: Vec<char> = word.chars().collect();
        let mut rest = word.to_owned();
        if let Some(random) = random.as_mut()
            && letters.len() >= 8
            && room >= 5
            && letters.iter().all(|c| c.is_alphabetic())
            && random.bool()
        {
            let head = random.usize(3..(room - 1).min(letters.len() - 3).max(4));
            line += &format!(" {}-", letters[..head].iter().collect::<String>());
            rest = letters[head..].iter().collect();
        }
        lines.push(std::mem::replace(&mut line, rest));
    }
    lines.push(line);
    lines
}

/// One line, with what a word processor puts in: spaces that do not break, soft hyphens, curly marks.
fn docx(text: &str, random: &mut Rng) -> String {
    let text = text.replacen(". ", ".\t", 1).replace('\'', "’");
    let mut words = Vec::new();
    for word in text.split(' ') {
        let letters: Vec<char> = word.chars().collect();
        if letters.len() > 9 && letters.iter().all(|c| c.is_alphabetic()) && random.bool() {
            let head = random.usize(3..letters.len() - 3);
            words.push([&letters[..head], &['\u{ad}'], &letters[head..]].concat().iter().collect());
        } else {
            words.push(word.to_owned());
        }
    }
    let mut line = String::new();
    for word in words {
        let space = match line.chars().last() {
            None => "",
            Some(last) if last.is_ascii_digit() => "\u{a0}",
            Some(_) => " ",
        };
        line += space;
        line += &word;
    }
    line
}
