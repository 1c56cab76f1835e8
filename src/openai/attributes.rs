//! The labels on a file in a vector store, by which a search can be narrowed.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// At most 16 entries with keys of at most 64 characters (OpenAI's OpenAPI document).
pub type Attributes = BTreeMap<String, AttributeValue>;

/// A text (at most 512 characters by the OpenAPI document, 256 by the guide), a number or a flag.
///
/// Numbers compare by value: a compatible server was measured to send `64.0` back for `64`.
#[derive(Debug, Clone, PartialEq)]
pub enum AttributeValue {
    Text(String),
    Number(f64),
    Flag(bool),
}

/// From here on a float no longer holds every whole number, so none is taken for one.
const EXACT_WHOLE_NUMBERS: f64 = 9_007_199_254_740_992.0;

impl AttributeValue {
    /// None for `null`. A list or object, which is not documented, is kept as its JSON text.
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Null => None,
            Value::Bool(flag) => Some(AttributeValue::Flag(*flag)),
            Value::Number(number) => {
                number.as_f64().filter(|number| number.is_finite()).map(AttributeValue::Number)
            }
            Value::String(text) => Some(AttributeValue::Text(text.clone())),
            Value::Array(_) | Value::Object(_) => Some(AttributeValue::Text(value.to_string())),
        }
    }
}

/// The attributes of an answer, where `null` and absent mean none.
pub(super) fn read(value: Option<&Value>) -> Attributes {
    let fields = value.and_then(Value::as_object).into_iter().flatten();
    fields.filter_map(|(key, value)| Some((key.clone(), AttributeValue::read(value)?))).collect()
}

impl Serialize for AttributeValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            AttributeValue::Text(text) => serializer.serialize_str(text),
            AttributeValue::Flag(flag) => serializer.serialize_bool(*flag),
            AttributeValue::Number(number) if number.fract() == 0.0 && number.abs() < EXACT_WHOLE_NUMBERS => {
                serializer.serialize_i64(*number as i64)
            }
            AttributeValue::Number(number) => serializer.serialize_f64(*number),
        }
    }
}

impl<'de> Deserialize<'de> for AttributeValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        AttributeValue::read(&value).ok_or_else(|| serde::de::Error::custom("an attribute is null"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sixty_four_is_sixty_four_however_it_is_written() {
        let whole: AttributeValue = serde_json::from_str("64").unwrap();
        let float: AttributeValue = serde_json::from_str("64.0").unwrap();
        assert_eq!(whole, float);
        assert_eq!(serde_json::to_string(&float).unwrap(), "64");
    }

    #[test]
    fn numbers_keep_their_value_when_written() {
        let written = |number| serde_json::to_string(&AttributeValue::Number(number)).unwrap();
        assert_eq!(written(1.5), "1.5");
        assert_eq!(written(-3.0), "-3");
        assert_eq!(written(1_790_372_411_000.0), "1790372411000");
        assert_eq!(written(1e300).parse(), Ok(1e300));
    }

    #[test]
    fn attributes_of_any_form_are_read() {
        let value = json!({"a": "x", "b": 1.5, "c": true, "d": null, "e": ["x"]});
        let text = |text: &str| AttributeValue::Text(text.to_owned());
        let expected = [
            ("a", text("x")),
            ("b", AttributeValue::Number(1.5)),
            ("c", AttributeValue::Flag(true)),
            ("e", text("[\"x\"]")),
        ];
        assert_eq!(read(Some(&value)), expected.map(|(key, value)| (key.to_owned(), value)).into());
        assert_eq!(read(Some(&Value::Null)), Attributes::new());
        assert_eq!(read(None), Attributes::new());
    }
}
