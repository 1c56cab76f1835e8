//! The model: a stand-in that follows plain rules and understands nothing. It says of itself what it is.
//!
//! It is a pure function from what a run shows it to what it answers. What a fault makes of the answer (an invented quote, a
//! refusal, an item of an unknown type …) is decided in [`super::compose`].

use serde_json::{Map, Value, json};

/// How deep a schema is followed; a recursive one ends there.
const MAX_DEPTH: usize = 12;

/// No answer has more findings than a person would read.
const MAX_FINDINGS: usize = 50;

/// What is looked for in a document when a schema asks for quotes.
const TELLING: [&str; 6] = ["liab", "indemn", "damages", "warrant", "hold harmless", "cap on"];

/// A document that a run shows the model.
#[derive(Debug, Clone)]
pub struct Document {
    pub file_id: String,
    pub filename: String,
    pub text: String,
}

/// Everything a run shows the model.
#[derive(Debug, Default)]
pub struct Prompt {
    /// The instructions and the texts of the input.
    pub texts: Vec<String>,
    pub documents: Vec<Document>,
    /// A JSON schema that the answer must fit.
    pub schema: Option<Value>,
}

/// How a run ends.
#[derive(Debug, Clone)]
pub enum Ending {
    Completed { text: String, cited: Vec<Document> },
    Refused { refusal: String },
    Incomplete { text: String, reason: String },
    Failed { code: String, message: String },
}

/// The model's answer.
pub fn answer(prompt: &Prompt) -> Ending {
    let findings: Vec<Finding<'_>> = prompt.documents.iter().flat_map(findings).take(MAX_FINDINGS).collect();
    let text = match &prompt.schema {
        Some(schema) => {
            let root = Instance { root: schema, findings: &findings };
            root.of(schema, Place { name: "", finding: None, depth: 0 }).to_string()
        }
        None => summary(prompt, &findings),
    };
    Ending::Completed { text, cited: prompt.documents.clone() }
}

/// The same answer with another text.
pub fn changed(ending: Ending, change: impl Fn(&str) -> String) -> Ending {
    match ending {
        Ending::Completed { text, cited } => Ending::Completed { text: change(&text), cited },
        other => other,
    }
}

/// What an invented quote says. No document does.
pub const INVENTED: &str =
    "The Supplier accepts unlimited liability for every loss of whatever kind, without exception.";

/// The same answer with its first quote made up.
pub fn invent(ending: Ending) -> Ending {
    let Ending::Completed { text, cited } = ending else { return ending };
    let text = match serde_json::from_str::<Value>(&text) {
        Ok(mut answer) => {
            invent_in(&mut answer, "");
            answer.to_string()
        }
        Err(_) => format!("{text}\n> {INVENTED}"),
    };
    Ending::Completed { text, cited }
}

/// Whether a quote was found and made up.
fn invent_in(value: &mut Value, name: &str) -> bool {
    match value {
        Value::String(text) if is_quote(name) => {
            INVENTED.clone_into(text);
            true
        }
        Value::Array(items) => items.iter_mut().any(|item| invent_in(item, name)),
        Value::Object(members) => members.iter_mut().any(|(name, member)| invent_in(member, name)),
        _ => false,
    }
}

/// A sentence worth quoting, exactly as the document has it.
#[derive(Debug, Clone, Copy)]
struct Finding<'a> {
    quote: &'a str,
    filename: &'a str,
    /// The number or heading that it stands under.
    section: &'a str,
}

fn findings(document: &Document) -> impl Iterator<Item = Finding<'_>> {
    let mut section = "";
    sentences(&document.text).filter_map(move |sentence| {
        section = heading(sentence).unwrap_or(section);
        // A number, or a heading on the line above, belongs to no sentence.
        let quote = sentence.strip_prefix(section).map_or(sentence, str::trim_start);
        let lower = quote.to_lowercase();
        let telling = quote.split_whitespace().count() > 3 && TELLING.iter().any(|word| lower.contains(word));
        telling.then_some(Finding { quote, filename: &document.filename, section })
    })
}

/// What a text says of where it stands: a line such as `# Title` or `7. Liability`, or a number such as `7.2` before a
/// sentence.
fn heading(text: &str) -> Option<&str> {
    let first = text.lines().next()?.trim();
    if first.starts_with('#') {
        return Some(first.trim_start_matches('#').trim());
    }
    let number = first.split_whitespace().next()?;
    let numbered = number.starts_with(|c: char| c.is_ascii_digit())
        && number.chars().all(|c| c.is_ascii_digit() || c == '.')
        && (number.contains('.') || first.split_whitespace().count() < 8);
    if !numbered {
        return None;
    }
    if first.split_whitespace().count() < 8 && !first.ends_with(['.', ';', ',']) {
        Some(first)
    } else {
        Some(number)
    }
}

/// What a word of an answer is chosen by: the first part that some word holds and the quote has a mark of.
const MARKS: [(&str, &[&str]); 16] = [
    ("unlimited", &["unlimited", "without limit", "nothing in this"]),
    ("indemni", &["indemn", "hold harmless"]),
    ("exclu", &["shall not be liable", "be liable for loss", "exclude", "no liability", "in no event"]),
    ("insurance", &["insurance"]),
    ("warrant", &["warrant"]),
    ("cap", &["cap ", "capped", "limits of", "limited to", "shall not exceed", "exceed", "at most"]),
    ("limitation", &["limit"]),
    ("damages", &["damages"]),
    ("high", &["unlimited", "without limit", "nothing in this", "indemn", "hold harmless", "any and all"]),
    ("medium", &["exclude", "shall not be liable", "no liability", "in no event", "consequential"]),
    ("low", &["limited to", "shall not exceed", "cap", "warrant"]),
    ("supplier", &["supplier", "provider", "vendor", "contractor"]),
    ("customer", &["customer", "client", "buyer"]),
    ("disclos", &["disclosing"]),
    ("recipient", &["receiving party", "recipient"]),
    ("both", &["each party", "either party", "neither party", "the parties"]),
];

/// Who says or owes something, by the first word in the quote that names a party.
const PARTIES: [&str; 14] = [
    "Supplier",
    "Customer",
    "Provider",
    "Client",
    "Contractor",
    "Vendor",
    "Buyer",
    "Receiving Party",
    "Disclosing Party",
    "Recipient",
    "Licensor",
    "Licensee",
    "Landlord",
    "Tenant",
];

fn party<'a>(quote: &str) -> &'a str {
    let first = PARTIES.iter().filter_map(|party| Some((quote.find(party)?, *party))).min();
    first.map_or("both parties", |(_, party)| party)
}

/// The first of `values` that suits the quote.
fn suiting<'a>(values: &'a [Value], quote: &str) -> Option<&'a Value> {
    let quote = quote.to_lowercase();
    let holds = |value: &Value, part: &str| value.as_str().unwrap_or_default().to_lowercase().contains(part);
    let mut marked = MARKS.iter().filter(|(_, marks)| marks.iter().any(|mark| quote.contains(mark)));
    marked.find_map(|(part, _)| values.iter().find(|value| holds(value, part)))
}

/// Sentences end with a full stop before white space, or with an empty line.
fn sentences(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        if rest.is_empty() {
            return None;
        }
        let stop = [(". ", 1), (".\n", 1), (".\r", 1), ("\n\n", 0), ("\n#", 0)]
            .into_iter()
            .filter_map(|(mark, kept)| rest.find(mark).map(|at| at + kept))
            .min()
            .unwrap_or(rest.len());
        let (sentence, after) = rest.split_at(stop);
        rest = after;
        Some(sentence.trim())
    })
}

fn summary(prompt: &Prompt, findings: &[Finding<'_>]) -> String {
    let mut lines = vec!["This is the sandbox's stand-in for a model; it follows plain rules.".to_owned()];
    let asked: usize = prompt.texts.iter().map(|text| text.split_whitespace().count()).sum();
    lines.push(format!("It was asked with {asked} words and shown {} documents.", prompt.documents.len()));
    for document in &prompt.documents {
        let words = document.text.split_whitespace().count();
        lines.push(format!("- {} ({words} words)", document.filename));
    }
    lines.extend(findings.iter().map(|finding| format!("> {} ({})", finding.quote, finding.filename)));
    lines.join("\n")
}

/// Makes a value that fits a schema.
struct Instance<'a> {
    root: &'a Value,
    findings: &'a [Finding<'a>],
}

/// Where in the instance a value stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    name: &'a str,
    finding: Option<Finding<'a>>,
    depth: usize,
}

impl<'a> Instance<'a> {
    fn of(&self, schema: &'a Value, place: Place<'a>) -> Value {
        if place.depth > MAX_DEPTH {
            return Value::Null;
        }
        let deeper = Place { depth: place.depth + 1, ..place };
        if schema.get("$ref").is_some() {
            return self.target(schema).map_or(Value::Null, |target| self.of(target, deeper));
        }
        if let Some(value) = schema.get("const") {
            return value.clone();
        }
        if let Some(values) = schema["enum"].as_array() {
            let suiting = place.finding.and_then(|finding| suiting(values, finding.quote));
            return suiting.or(values.first()).cloned().unwrap_or_default();
        }
        for choice in ["anyOf", "oneOf", "allOf"] {
            if let Some(first) = schema[choice].as_array().and_then(|schemas| schemas.first()) {
                return self.of(first, deeper);
            }
        }
        let kind = match &schema["type"] {
            Value::Array(kinds) => kinds.first().and_then(Value::as_str),
            kind => kind.as_str(),
        };
        match kind {
            Some("array") => self.array(schema, deeper),
            Some("string") => Value::from(text(place, self.findings)),
            Some("integer") => json!(schema["minimum"].as_i64().unwrap_or(0)),
            Some("number") => json!(schema["minimum"].as_f64().unwrap_or(0.0)),
            Some("boolean") => Value::Bool(false),
            Some("object") => self.object(schema, deeper),
            _ if schema["properties"].is_object() => self.object(schema, deeper),
            _ => Value::Null,
        }
    }

    /// What a reference within the schema points to.
    fn target(&self, schema: &Value) -> Option<&'a Value> {
        self.root.pointer(schema["$ref"].as_str()?.strip_prefix('#')?)
    }

    fn object(&self, schema: &'a Value, place: Place<'a>) -> Value {
        let members = schema["properties"].as_object().into_iter().flatten();
        let members = members.map(|(name, member)| (name.clone(), self.of(member, Place { name, ..place })));
        Value::Object(members.collect::<Map<String, Value>>())
    }

    /// One item for each finding where items hold quotes, else as few as the schema allows.
    fn array(&self, schema: &'a Value, place: Place<'a>) -> Value {
        let item = &schema["items"];
        let least = usize::try_from(schema["minItems"].as_u64().unwrap_or(0)).unwrap_or(0);
        let most =
            schema["maxItems"].as_u64().and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
        let shape = self.target(item).unwrap_or(item);
        let quotes = shape.to_string().to_lowercase().contains("quote") || is_quote(place.name);
        let mut items: Vec<Value> = Vec::new();
        if quotes && place.finding.is_none() {
            let found = self.findings.iter().take(most);
            items.extend(found.map(|finding| self.of(item, Place { finding: Some(*finding), ..place })));
        }
        while items.len() < least {
            items.push(self.of(item, place));
        }
        Value::Array(items)
    }
}

fn is_quote(name: &str) -> bool {
    ["quote", "excerpt", "passage", "verbatim"].iter().any(|word| name.to_lowercase().contains(word))
}

fn text(place: Place<'_>, findings: &[Finding<'_>]) -> String {
    let finding = place.finding.or_else(|| findings.first().copied());
    let name = place.name.to_lowercase();
    match finding {
        Some(finding) if is_quote(&name) => finding.quote.to_owned(),
        Some(finding) if name.contains("section") => finding.section.trim_end_matches('.').to_owned(),
        Some(finding) if name.contains("party") => party(finding.quote).to_owned(),
        Some(finding) if name.contains("file") || name.contains("document") => finding.filename.to_owned(),
        _ if is_quote(&name) => String::new(),
        Some(finding) if place.finding.is_some() && (name.contains("note") || name.contains("comment")) => {
            let lower = finding.quote.to_lowercase();
            let word = TELLING.iter().find(|word| lower.contains(**word)).copied().unwrap_or_default();
            format!("Found by the letters \"{word}\"; no model has read it.")
        }
        _ if name.contains("summary") => format!(
            "{} sentences speak of liability, indemnity, damages or warranty. This is the sandbox's stand-in for a model: it \
             follows plain rules and understands nothing.",
            findings.len()
        ),
        _ => format!("stand-in for {}", if name.is_empty() { "a text" } else { place.name }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Document, Ending, Prompt, answer, sentences};

    fn prompt(schema: Option<Value>) -> Prompt {
        let text = "# Agreement\n\nThe term is one year. The Supplier's liability is capped at EUR 1,000.\n\n\
                    The Customer shall indemnify\nthe Supplier. Done.";
        let document = Document { file_id: "file-1".into(), filename: "nda.md".into(), text: text.into() };
        Prompt { texts: vec!["Find it".into()], documents: vec![document], schema }
    }

    fn completed(prompt: &Prompt) -> String {
        match answer(prompt) {
            Ending::Completed { text, .. } => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_answer_says_what_it_is_and_quotes_exactly() {
        let text = completed(&prompt(None));
        assert!(text.starts_with("This is the sandbox's stand-in for a model"));
        assert!(text.contains("> The Supplier's liability is capped at EUR 1,000. (nda.md)"));
    }

    #[test]
    fn an_answer_fits_its_schema_with_one_item_for_each_finding() {
        let schema = json!({
            "type": "object", "additionalProperties": false, "required": ["clauses", "risk", "note"],
            "properties": {
                "clauses": {"type": "array", "items": {"$ref": "#/$defs/clause"}},
                "risk": {"type": "string", "enum": ["low", "high"]},
                "note": {"type": ["string", "null"]},
            },
            "$defs": {"clause": {
                "type": "object", "additionalProperties": false, "required": ["quote", "section"],
                "properties": {"quote": {"type": "string"}, "section": {"type": "integer", "minimum": 1}},
            }},
        });
        let answer: Value = serde_json::from_str(&completed(&prompt(Some(schema.clone())))).unwrap();
        assert!(jsonschema::is_valid(&schema, &answer), "{answer}");
        let quotes: Vec<&str> = answer["clauses"]
            .as_array()
            .unwrap()
            .iter()
            .map(|clause| clause["quote"].as_str().unwrap())
            .collect();
        assert_eq!(
            quotes,
            [
                "The Supplier's liability is capped at EUR 1,000.",
                "The Customer shall indemnify\nthe Supplier."
            ]
        );
    }

    #[test]
    fn sentences_end_with_a_stop_or_an_empty_line() {
        let found: Vec<&str> = sentences("# Title\n\nOne thing. EUR 1.50 is\ndue.\nEnd").collect();
        assert_eq!(found, ["# Title", "One thing.", "EUR 1.50 is\ndue.", "End"]);
    }
}
