//! Clauses in six languages, and true and altered quotes of them. `{a|b}` in a clause is `a` in the document; an altered quote
//! has one `b`: another word, party, number, date, unit or currency, or a negation more or less.

/// A language's clauses, one a line.
const FILES: [(&str, &str); 6] = [
    ("en", include_str!("en.txt")),
    ("de", include_str!("de.txt")),
    ("fr", include_str!("fr.txt")),
    ("es", include_str!("es.txt")),
    ("it", include_str!("it.txt")),
    ("pl", include_str!("pl.txt")),
];

/// Words of a part of a clause that is quoted by itself.
const PART: usize = 8;

pub struct Language {
    pub name: &'static str,
    pub clauses: Vec<Clause>,
}

pub struct Clause {
    parts: Vec<Part>,
}

enum Part {
    Plain(&'static str),
    Either(&'static str, &'static str),
}

pub fn languages() -> Vec<Language> {
    FILES.map(|(name, file)| Language { name, clauses: file.lines().map(Clause::parse).collect() }).into()
}

impl Clause {
    fn parse(line: &'static str) -> Clause {
        let mut parts = Vec::new();
        for (place, part) in line.split(['{', '}']).enumerate() {
            parts.push(match part.split_once('|') {
                Some((own, other)) if place % 2 == 1 => Part::Either(own, other),
                _ => Part::Plain(part),
            });
        }
        Clause { parts }
    }

    /// As it stands in the document.
    pub fn text(&self) -> String {
        self.with(None)
    }

    /// Its true quotes: all of it, and a part.
    pub fn quotes(&self) -> Vec<String> {
        let text = self.text();
        let words: Vec<&str> = text.split(' ').collect();
        let from = (words.len() / 3).min(words.len().saturating_sub(PART));
        let part = words[from..(from + PART).min(words.len())].join(" ");
        vec![text, part]
    }

    /// Its altered quotes: each is wrong in one place.
    pub fn altered(&self) -> Vec<String> {
        let places = self.parts.iter().enumerate();
        let either = places.filter(|(_, part)| matches!(part, Part::Either(..)));
        either.map(|(place, _)| self.with(Some(place))).collect()
    }

    fn with(&self, altered: Option<usize>) -> String {
        let part = |(place, part): (usize, &Part)| match part {
            Part::Plain(text) | Part::Either(text, _) if altered != Some(place) => *text,
            Part::Plain(text) | Part::Either(_, text) => *text,
        };
        self.parts.iter().enumerate().map(part).collect()
    }
}
