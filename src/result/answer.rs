//! Judges an answer: it has to fit the schema, and each of its quotes is looked up in the document's own text.

use serde_json::Value;

use super::plain::make_plain;
use super::quote::{Check, Document, MOST_QUOTES, Piece, Proof};
use super::schema::Schema;

/// A document's text as a service read it, in pieces with the pages they stand on where those are known.
pub struct Text(pub Vec<(String, Option<(u32, u32)>)>);

impl Text {
    fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        self.0.iter().map(|(text, pages)| Piece { text, pages: *pages })
    }
}

/// What is known of an answer once it was checked.
pub struct Judged {
    /// The answer as data; none for a rule without a schema.
    pub data: Option<Value>,
    pub checks: Vec<Check>,
    /// How many of the quotes were not looked up, and why, if any.
    pub unchecked: Option<String>,
    /// What a reader of the result must know, as sentences.
    pub notes: Vec<String>,
}

impl Judged {
    /// An answer to a rule without a schema.
    pub fn free_text() -> Judged {
        let note =
            "The rule has no schema, so nothing in the answer is marked as a quote and none was checked.";
        Judged { data: None, checks: Vec::new(), unchecked: None, notes: vec![note.to_owned()] }
    }

    /// How many quotes are not proven to be in the document.
    pub fn unverified(&self) -> usize {
        self.checks.iter().filter(|check| !check.proof.is_verified()).count()
    }

    /// How many quotes leave out words of their own sentence that say otherwise.
    pub fn partial(&self) -> usize {
        self.checks.iter().filter(|check| check.proof.left_out().is_some()).count()
    }
}

/// Reads an answer that has to fit `schema`, or says why it cannot be a result.
pub fn read(schema: &Schema, text: &str) -> Result<Value, String> {
    let mut data = json(text).map_err(|error| format!("the answer is not JSON: {error}"))?;
    make_plain(&mut data);
    schema.validate(&data).map_err(|problems| format!("the answer does not fit the schema: {problems}"))?;
    Ok(data)
}

/// The one JSON value of `text`. The same value several times over is one, as where a server sends an answer twice; and so is
/// one in a Markdown fence, as servers without structured output were seen to send it.
fn json(text: &str) -> Result<Value, serde_json::Error> {
    let whole = serde_json::from_str(text);
    if whole.is_ok() {
        return whole;
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    if let Some(Ok(first)) = values.next()
        && values.all(|other| other.is_ok_and(|other| other == first))
    {
        return Ok(first);
    }
    let fenced = text.trim().strip_prefix("```").and_then(|text| text.strip_suffix("```"));
    let fenced = fenced.map(|text| text.strip_prefix("json").unwrap_or(text));
    fenced.and_then(|text| serde_json::from_str(text).ok()).map_or(whole, Ok)
}

/// Looks the quotes of `data` up in the document's text, or says of each that it was not: `document` is then why there is
/// no text.
pub fn judge(schema: &Schema, data: Value, document: Result<Text, String>) -> Judged {
    let (checks, why) = match document {
        Ok(text) => (schema.check(&data, &Document::of(text.pieces())), None),
        Err(why) => (unchecked(schema, &data), Some(why)),
    };
    let count = checks.iter().filter(|check| check.proof == Proof::Unchecked).count();
    let unchecked = (count > 0).then(|| match why {
        Some(why) => format!("No quote could be checked: {why}"),
        None => format!(
            "{count} of {} quotes were not checked: of one answer the first {MOST_QUOTES} are, for as long as looking for \
             them may take",
            checks.len()
        ),
    });
    let notes = unchecked.iter().map(|unchecked| format!("{unchecked}.")).collect();
    Judged { data: Some(data), checks, unchecked, notes }
}

fn unchecked(schema: &Schema, data: &Value) -> Vec<Check> {
    let unchecked = |(pointer, quote): (String, &str)| Check {
        pointer,
        quote: quote.to_owned(),
        proof: Proof::Unchecked,
    };
    schema.quotes(data).into_iter().map(unchecked).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::json as read;

    #[test]
    fn one_value_is_read_however_often_it_comes() {
        for text in [
            "{\"a\":[1]}",
            "{\"a\":[1]}{\"a\":[1]}",
            "{\"a\":[1]}\n{ \"a\": [1] } ",
            "```json\n{\"a\":[1]}\n```",
        ] {
            assert_eq!(read(text).unwrap(), json!({"a": [1]}), "{text}");
        }
        for text in
            ["", "{", "{\"a\":1}{\"a\":2}", "{\"a\":1}, {\"a\":1}", "{\"a\":1} and more", "```", "``````"]
        {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
