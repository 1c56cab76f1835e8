//! What Docket's files are called.

use crate::hidden::is_hidden;

/// The longest name that is written, in bytes. Fastio takes 255 characters and file systems, to which people sync, 255
/// bytes; ` (20)` has to fit in too.
const LONGEST: usize = 245;

/// What a long name that code gave to its file keeps of it; the source's name comes before it.
const LONGEST_MADE: usize = 100;

/// The least that is kept of a part that is cut.
const LEAST: usize = 20;

/// How the name of a result may end, which says how it is written.
pub const RESULTS: [&str; 5] = ["md", "csv", "json", "docx", "html"];

/// A file's name that Docket writes, which ends in one of `endings`.
pub fn check_name(name: &str, endings: &[&str]) -> Result<(), String> {
    if name.trim().is_empty() || name.contains(['/', '\\']) || name.chars().any(char::is_control) {
        return Err(format!("`{name}` is not a file's name: it stands in a folder that is chosen for it"));
    }
    if name.contains('.') && endings.contains(&ending(name).as_str()) {
        return Ok(());
    }
    let (last, others) = endings.split_last().expect("each use names some");
    let others = others.iter().map(|ending| format!(".{ending}")).collect::<Vec<_>>().join(", ");
    Err(format!("`{name}` must end in {others} or .{last}, which says how it is written"))
}

/// What stands behind the last dot of a name, in small letters.
pub fn ending(name: &str) -> String {
    name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase()
}

/// How a result is named after its source file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    pub fn parse(text: &str) -> Result<Self, String> {
        if !["{stem}", "{name}"].iter().any(|part| text.contains(part)) {
            return Err(format!(
                "write_back: `{text}` is the same for every file: put {{stem}} or {{name}} into it"
            ));
        }
        let pattern = Pattern(text.to_owned());
        let name = pattern.name_for("example.pdf");
        if text.len() > LONGEST / 2 {
            return Err(format!(
                "write_back: `{text}` is too long: no room is left for the source's own name"
            ));
        }
        if name.contains(['{', '}']) {
            return Err(format!(
                "write_back: `{text}` may hold {{stem}}, {{name}} and {{ext}} and no other braces"
            ));
        }
        check_name(&name, &RESULTS).map_err(|why| format!("write_back: {why}"))?;
        if name == "example.pdf" || pattern.name_for("example.md") == "example.md" {
            return Err(format!("write_back: `{text}` would write over the source file"));
        }
        Ok(pattern)
    }

    /// The name of the result of the file called `source`: one that can be written, whatever that is called.
    pub fn name_for(&self, source: &str) -> String {
        let source = clean(source);
        let (stem, extension) = match source.rsplit_once('.') {
            Some((stem, extension)) if !stem.is_empty() => (stem, extension),
            _ => (source.as_str(), ""),
        };
        let whole = self.filled(&source, stem, extension);
        let over = whole.len().saturating_sub(LONGEST);
        if over == 0 {
            return whole;
        }
        let less = |part| cut(part, str::len(part).saturating_sub(over).max(LEAST));
        let name = self.filled(less(&source), less(stem), less(extension));
        // A pattern may hold the source's name many times over.
        let tail = self.tail();
        if name.len() <= LONGEST { name } else { cut(&name, LONGEST - tail.len()).to_owned() + tail }
    }

    fn filled(&self, source: &str, stem: &str, extension: &str) -> String {
        // A name could hold braces of its own, so each is put in once, from left to right.
        let mut name = String::new();
        let mut rest = self.0.as_str();
        while let Some(at) = rest.find('{') {
            let (before, after) = rest.split_at(at);
            name.push_str(before);
            let known = [("{stem}", stem), ("{name}", source), ("{ext}", extension)];
            let (length, value) = known
                .iter()
                .find(|(part, _)| after.starts_with(part))
                .map_or((1, "{"), |(part, value)| (part.len(), value));
            name.push_str(value);
            rest = &after[length..];
        }
        name + rest
    }

    /// Whether a result may be called `name`, with or without the number that a name gets when it is taken.
    pub fn may_have_named(&self, name: &str) -> bool {
        let tail = self.tail();
        let ends = |name: &str| name.len() > tail.len() && name.ends_with(tail);
        !tail.is_empty() && (ends(name) || unnumbered(name).is_some_and(|plain| ends(&plain)))
    }

    pub fn tail(&self) -> &str {
        self.0.rsplit_once('}').map_or("", |(_, tail)| tail)
    }
}

/// The name of a file that code made, beside its source: `nda.pdf` and `/mnt/data/caps.csv` make `nda.caps.csv`.
pub fn beside(source: &str, made: &str) -> String {
    let source = clean(source);
    let stem = source.rsplit_once('.').map_or(source.as_str(), |(stem, _)| stem);
    let made = made_name(made);
    format!("{}.{made}", cut(stem, LONGEST - made.len() - 1))
}

/// The last part of the path of a file that code made, as it may stand in a name or a sentence.
pub fn made_name(path: &str) -> String {
    let name = clean(path.rsplit(['/', '\\']).next().unwrap_or(path));
    if name.is_empty() {
        return "file".to_owned();
    }
    if name.len() <= LONGEST_MADE {
        return name;
    }
    match name.rsplit_once('.') {
        Some((stem, extension)) if extension.len() < LEAST => {
            format!("{}.{extension}", cut(stem, LONGEST_MADE - extension.len() - 1))
        }
        _ => cut(&name, LONGEST_MADE).to_owned(),
    }
}

/// `name (2)` to `name (20)`: a folder with more of them has another problem.
pub const MOST_NUMBERS: usize = 20;

/// `nda (2).md` for `nda.md` and 2: how a name is numbered when it is taken. The first is the name itself.
pub fn numbered(name: &str, number: usize) -> String {
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    if number == 1 { name.to_owned() } else { format!("{stem} ({number}).{extension}") }
}

/// `a/nda.md` for `a/nda (2).md`: how a name is numbered when it is taken.
pub fn unnumbered(path: &str) -> Option<String> {
    let (stem, extension) = path.rsplit_once('.')?;
    let (plain, number) = stem.strip_suffix(')')?.rsplit_once(" (")?;
    let is_number = !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| format!("{plain}.{extension}"))
}

/// The names that something has which is called so, or would be: the name without a number, and that with each.
pub fn alike(name: &str) -> Vec<String> {
    let plain = unnumbered(name).unwrap_or_else(|| name.to_owned());
    (1..=MOST_NUMBERS).map(|number| numbered(&plain, number)).collect()
}

/// A name that any system takes and that shows what it is: no path, no character that is not seen.
fn clean(name: &str) -> String {
    let bad = |c: char| is_hidden(c) || matches!(c, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|');
    name.chars().map(|c| if bad(c) { '_' } else { c }).collect::<String>().trim().to_owned()
}

/// The beginning of a text, of at most so many bytes.
pub fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_has_a_name_that_can_be_written_whatever_its_source_is_called() {
        let pattern = Pattern::parse("{stem}.analysis.md").unwrap();
        assert_eq!(pattern.name_for("nda.v2.pdf"), "nda.v2.analysis.md");
        assert_eq!(pattern.name_for("a/b\u{202e}\n.pdf"), "a_b__.analysis.md");
        for source in [
            "n".repeat(255),
            "ü".repeat(255),
            format!("{}.pdf", "n".repeat(251)),
            format!("a.{}", "x".repeat(253)),
        ] {
            let name = pattern.name_for(&source);
            assert!(name.len() <= LONGEST && name.ends_with(".analysis.md"), "{name}");
        }
        assert!(Pattern::parse(&format!("{{stem}}{}.md", "x".repeat(200))).is_err());
    }

    #[cfg(feature = "sandbox")]
    #[test]
    fn fastio_takes_the_name_of_a_result_whatever_its_source_is_called() {
        let patterns = [
            "{stem}.analysis.md",
            "{name}.{ext}.docx",
            "{stem}.html",
            &format!("{}.md", "{stem}".repeat(19)),
        ];
        let patterns = patterns.map(|pattern| Pattern::parse(pattern).unwrap());
        let sources = [
            format!("{}.txt", "n".repeat(246)),
            format!("{}.txt", "ü".repeat(251)),
            "n".repeat(255),
            format!("a.{}", "x".repeat(253)),
            "CON.txt".to_owned(),
            ".txt".to_owned(),
            " lead.txt".to_owned(),
            "a\"q.txt".to_owned(),
            "a\u{202e}\n\u{0}.pdf".to_owned(),
            "per%2Fcent.txt".to_owned(),
        ];
        for (pattern, source) in
            patterns.iter().flat_map(|pattern| sources.iter().map(move |source| (pattern, source)))
        {
            for number in [1, 20] {
                let name = numbered(&pattern.name_for(source), number);
                assert!(docket_sandbox::fastio::is_name(&name), "{source} became {name}");
                assert!(
                    name.len() <= 255 && name.ends_with(pattern.tail().rsplit_once('.').unwrap().1),
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn what_code_made_keeps_its_extension_and_no_path() {
        assert_eq!(beside("nda.pdf", "/mnt/data/caps.csv"), "nda.caps.csv");
        assert_eq!(beside("nda.pdf", "..\\..\\\u{202e}vsc.exe"), "nda._vsc.exe");
        assert_eq!(beside("nda", ""), "nda.file");
        let name = beside(&"n".repeat(255), &format!("{}.csv", "x".repeat(300)));
        assert!(name.len() <= LONGEST && name.ends_with("x.csv"), "{name}");
    }
}
