//! Reads requests strictly: what the real API refuses, or is inferred to refuse, is refused here in the same words.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde_json::{Map, Value};

use super::error::ApiError;

/// OpenAI's documents: at most 16 pairs of metadata and at most 16 attributes.
pub const MAX_PAIRS: usize = 16;
/// OpenAI's documents: keys of metadata and attributes have at most 64 characters.
const MAX_KEY_CHARS: usize = 64;
/// OpenAI's OpenAPI document 2.3.0; the guide on file search says 256 for attributes.
const MAX_VALUE_CHARS: usize = 512;

/// A query string.
#[derive(Debug)]
pub struct Query(Vec<(String, String)>);

impl Query {
    pub fn parse(raw: &str) -> Query {
        Query(url::form_urlencoded::parse(raw.as_bytes()).into_owned().collect())
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn integer(&self, name: &str, low: i64, high: i64) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let number: i64 = text.parse().map_err(|_| {
            let message =
                format!("Invalid type for '{name}': expected an integer, but got '{text}' instead.");
            ApiError::invalid(name, message).code("invalid_type")
        })?;
        within(name, "integer", number, (low, high))?;
        Ok(Some(number))
    }

    /// A value that is one of `known`.
    pub fn one_of<'a>(
        &self,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Result<Option<&'a str>, ApiError> {
        self.get(name).map(|text| known_value(name, text, known)).transpose()
    }
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Query, Infallible> {
        Ok(Query::parse(head.uri.query().unwrap_or_default()))
    }
}

/// A JSON object as a request's body. Members that are null count as absent.
#[derive(Debug)]
pub struct Fields {
    members: Map<String, Value>,
    /// Where the object stands in the body, such as `files[2].`.
    at: String,
}

impl Fields {
    /// Reads a body that may have these members and no other. That unknown ones are refused is inferred from reports.
    pub fn parse(body: &[u8], known: &[&str]) -> Result<Fields, ApiError> {
        // The SDKs send no body at all where every member is optional.
        let value =
            if body.is_empty() { Ok(Value::Object(Map::new())) } else { serde_json::from_slice(body) };
        let value =
            value.map_err(|_| ApiError::plain("We could not parse the JSON body of your request."))?;
        Fields::of(value, String::new(), known)
    }

    pub fn of(value: Value, at: String, known: &[&str]) -> Result<Fields, ApiError> {
        let Value::Object(members) = value else {
            return Err(wrong_type(at.trim_end_matches('.'), "an object", &value));
        };
        if let Some(name) = members.keys().find(|name| !known.contains(&name.as_str())) {
            let param = format!("{at}{name}");
            let message = format!("Unknown parameter: '{param}'.");
            return Err(ApiError::invalid(&param, message).code("unknown_parameter"));
        }
        Ok(Fields { members, at })
    }

    /// An object of which any member may follow.
    pub fn any(value: Value, at: String) -> Result<Fields, ApiError> {
        match value {
            Value::Object(members) => Ok(Fields { members, at }),
            other => Err(wrong_type(at.trim_end_matches('.'), "an object", &other)),
        }
    }

    /// Whether the member was sent at all, null or not.
    pub fn sent(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    pub fn value(&self, name: &str) -> Option<&Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    pub fn param(&self, name: &str) -> String {
        format!("{}{name}", self.at)
    }

    pub fn required(&self, name: &str) -> Result<&Value, ApiError> {
        self.value(name).ok_or_else(|| {
            let param = self.param(name);
            let message = format!("Missing required parameter: '{param}'.");
            ApiError::invalid(&param, message).code("missing_required_parameter")
        })
    }

    pub fn text(&self, name: &str) -> Result<Option<&str>, ApiError> {
        self.typed(name, "a string", Value::as_str)
    }

    pub fn required_text(&self, name: &str) -> Result<&str, ApiError> {
        self.required(name)?;
        Ok(self.text(name)?.expect("a required member is there"))
    }

    pub fn flag(&self, name: &str) -> Result<Option<bool>, ApiError> {
        self.typed(name, "a boolean", Value::as_bool)
    }

    pub fn array(&self, name: &str) -> Result<Option<&Vec<Value>>, ApiError> {
        self.typed(name, "an array", Value::as_array)
    }

    pub fn integer(&self, name: &str, low: i64, high: i64) -> Result<Option<i64>, ApiError> {
        let number = self.typed(name, "an integer", Value::as_i64)?;
        number.map_or(Ok(()), |number| within(&self.param(name), "integer", number, (low, high)))?;
        Ok(number)
    }

    pub fn decimal(&self, name: &str, low: f64, high: f64) -> Result<Option<f64>, ApiError> {
        let number = self.typed(name, "a number", Value::as_f64)?;
        number.map_or(Ok(()), |number| within(&self.param(name), "decimal", number, (low, high)))?;
        Ok(number)
    }

    /// A text that is one of `known`.
    pub fn one_of<'a>(
        &self,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Result<Option<&'a str>, ApiError> {
        self.text(name)?.map(|text| known_value(&self.param(name), text, known)).transpose()
    }

    pub fn one_of_required<'a>(
        &self,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Result<&'a str, ApiError> {
        self.required(name)?;
        Ok(self.one_of(name, known)?.expect("a required member is there"))
    }

    /// An array of strings.
    pub fn texts(&self, name: &str) -> Result<Option<Vec<String>>, ApiError> {
        let Some(items) = self.array(name)? else { return Ok(None) };
        let text = |(number, item): (usize, &Value)| {
            let at = format!("{}[{number}]", self.param(name));
            item.as_str().map(str::to_owned).ok_or_else(|| wrong_type(&at, "a string", item))
        };
        items.iter().enumerate().map(text).collect::<Result<Vec<String>, ApiError>>().map(Some)
    }

    fn typed<'a, T>(
        &'a self,
        name: &str,
        expected: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(value) => {
                read(value).map(Some).ok_or_else(|| wrong_type(&self.param(name), expected, value))
            }
        }
    }

    /// `metadata`: up to 16 strings.
    pub fn metadata(&self) -> Result<Map<String, Value>, ApiError> {
        let Some(value) = self.value("metadata") else { return Ok(Map::new()) };
        let pairs = pairs(value, "metadata")?;
        match pairs.iter().find(|(_, value)| !value.is_string()) {
            None => Ok(pairs.clone()),
            Some((key, value)) => Err(wrong_type(&format!("metadata.{key}"), "a string", value)),
        }
    }

    /// `attributes`: up to 16 strings, numbers or booleans; or null.
    pub fn attributes(&self) -> Result<Option<Map<String, Value>>, ApiError> {
        let Some(value) = self.value("attributes") else { return Ok(None) };
        let at = self.param("attributes");
        let pairs = pairs(value, &at)?;
        let wrong = |value: &Value| !(value.is_string() || value.is_number() || value.is_boolean());
        match pairs.iter().find(|(_, value)| wrong(value)) {
            None => Ok(Some(pairs.clone())),
            Some((key, value)) => {
                Err(wrong_type(&format!("{at}.{key}"), "a string, a number or a boolean", value))
            }
        }
    }
}

/// An object of at most 16 pairs with short keys and texts.
fn pairs<'a>(value: &'a Value, at: &str) -> Result<&'a Map<String, Value>, ApiError> {
    let Some(pairs) = value.as_object() else { return Err(wrong_type(at, "an object", value)) };
    if pairs.len() > MAX_PAIRS {
        let message = format!(
            "Invalid '{at}': too many properties. Expected an object with at most {MAX_PAIRS} properties, but got an \
             object with {} properties instead.",
            pairs.len()
        );
        return Err(ApiError::invalid(at, message).code("object_above_max_properties"));
    }
    for (key, value) in pairs {
        too_long(key, &format!("{at}.{key}"), MAX_KEY_CHARS)?;
        value.as_str().map_or(Ok(()), |text| too_long(text, &format!("{at}.{key}"), MAX_VALUE_CHARS))?;
    }
    Ok(pairs)
}

fn too_long(text: &str, at: &str, most: usize) -> Result<(), ApiError> {
    let length = text.chars().count();
    if length <= most {
        return Ok(());
    }
    let message = format!(
        "Invalid '{at}': string too long. Expected a string with maximum length {most}, but got a string with length \
         {length} instead."
    );
    Err(ApiError::invalid(at, message).code("string_above_max_length"))
}

/// Refuses a number outside its range, as users of the SDKs report it.
fn within<T: PartialOrd + std::fmt::Display>(
    param: &str,
    kind: &str,
    number: T,
    (low, high): (T, T),
) -> Result<(), ApiError> {
    let (side, limit, sign) = match () {
        () if number > high => ("above maximum", high, "<="),
        () if number < low => ("below minimum", low, ">="),
        () => return Ok(()),
    };
    let message = format!(
        "Invalid '{param}': {kind} {side} value. Expected a value {sign} {limit}, but got {number} instead."
    );
    let code = format!("{kind}_{}_value", side.replace("imum", "").replace(' ', "_"));
    Err(ApiError::invalid(param, message).code(&code))
}

/// The one of `known` that a text is.
pub fn known_value<'a>(
    param: &str,
    text: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Result<&'a str, ApiError> {
    let known: Vec<&str> = known.into_iter().collect();
    known.iter().find(|one| **one == text).copied().ok_or_else(|| {
        let quoted: Vec<String> = known.iter().map(|one| format!("'{one}'")).collect();
        let supported = match &quoted[..] {
            [first, second] => format!("{first} and {second}"),
            [others @ .., last] if !others.is_empty() => format!("{}, and {last}", others.join(", ")),
            few => few.concat(),
        };
        let message = format!("Invalid value: '{text}'. Supported values are: {supported}.");
        ApiError::invalid(param, message).code("invalid_value")
    })
}

pub fn wrong_type(param: &str, expected: &str, value: &Value) -> ApiError {
    let got = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a decimal number",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    let message = format!("Invalid type for '{param}': expected {expected}, but got {got} instead.");
    ApiError::invalid(param, message).code("invalid_type")
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::Fields;

    fn refused(body: Value) -> (String, Option<String>) {
        let fields = Fields::parse(body.to_string().as_bytes(), &["attributes", "metadata", "limit"]);
        let error = fields.and_then(|fields| {
            fields.attributes()?;
            fields.metadata()?;
            fields.integer("limit", 1, 5)
        });
        let error = error.unwrap_err();
        (error.message, error.code)
    }

    #[test]
    fn unknown_members_and_wrong_types_are_refused_by_name() {
        assert_eq!(refused(json!({"colour": 1})).0, "Unknown parameter: 'colour'.");
        assert!(refused(json!({"limit": "x"})).0.contains("expected an integer, but got a string"));
        let (message, code) = refused(json!({"limit": 9}));
        assert!(message.ends_with("Expected a value <= 5, but got 9 instead."), "{message}");
        assert_eq!(code.as_deref(), Some("integer_above_max_value"));
        assert!(refused(json!([1])).0.contains("expected an object"));
    }

    #[test]
    fn attributes_have_their_documented_limits() {
        let many: Map<String, Value> = (0..17).map(|number| (number.to_string(), json!(1))).collect();
        assert_eq!(refused(json!({ "attributes": many })).1.unwrap(), "object_above_max_properties");
        assert_eq!(refused(json!({"attributes": {"k".repeat(65): 1}})).1.unwrap(), "string_above_max_length");
        assert_eq!(
            refused(json!({"attributes": {"k": "v".repeat(513)}})).1.unwrap(),
            "string_above_max_length"
        );
        assert_eq!(refused(json!({"attributes": {"k": [1]}})).1.unwrap(), "invalid_type");
        assert_eq!(refused(json!({"attributes": {"k": null}})).1.unwrap(), "invalid_type");
        assert_eq!(refused(json!({"metadata": {"k": 1}})).1.unwrap(), "invalid_type");
        let fits =
            json!({"attributes": {"k".repeat(64): "v".repeat(512), "n": 1.5, "b": true}, "metadata": null});
        assert!(
            Fields::parse(fits.to_string().as_bytes(), &["attributes", "metadata"])
                .unwrap()
                .attributes()
                .is_ok()
        );
    }
}
