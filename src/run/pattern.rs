//! What Docket's files are called.

/// A file's name that Docket writes.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    if name.trim().is_empty() || name.contains(['/', '\\']) || name.chars().any(char::is_control) {
        return Err(format!("`{name}` is not a file's name: it stands in a folder that is chosen for it"));
    }
    let known = ["md", "csv", "json"];
    match name.rsplit_once('.') {
        Some((_, extension)) if known.contains(&extension.to_ascii_lowercase().as_str()) => Ok(()),
        _ => Err(format!("`{name}` must end in .md, .csv or .json, which says how it is written")),
    }
}

/// How a result is named after its source file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if !["{stem}", "{name}"].iter().any(|part| text.contains(part)) {
            return Err(format!(
                "write_back: `{text}` is the same for every file: put {{stem}} or {{name}} into it"
            ));
        }
        let pattern = Pattern(text.to_owned());
        let name = pattern.name_for("example.pdf");
        if name.contains(['{', '}']) {
            return Err(format!(
                "write_back: `{text}` may hold {{stem}}, {{name}} and {{ext}} and no other braces"
            ));
        }
        check_name(&name).map_err(|why| format!("write_back: {why}"))?;
        if name == "example.pdf" || pattern.name_for("example.md") == "example.md" {
            return Err(format!("write_back: `{text}` would write over the source file"));
        }
        Ok(pattern)
    }

    /// The name of the result of the file called `source`.
    pub fn name_for(&self, source: &str) -> String {
        let (stem, extension) = match source.rsplit_once('.') {
            Some((stem, extension)) if !stem.is_empty() => (stem, extension),
            _ => (source, ""),
        };
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

    pub(super) fn tail(&self) -> &str {
        self.0.rsplit_once('}').map_or("", |(_, tail)| tail)
    }
}
