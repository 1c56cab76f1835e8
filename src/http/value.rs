//! What a JSON value means to a tolerant reader.
//!
//! A field of an unexpected type reads as absent and never fails the rest; numbers and flags that arrive as strings,
//! and strings that arrive as numbers, are taken for what they mean. What must be there is the caller's decision.

use serde_json::{Map, Value};

/// A JSON object whose fields are read by what they mean.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    /// None where `value` is not an object.
    pub fn of(value: &'a Value) -> Option<Self> {
        value.as_object().map(Fields)
    }

    /// A field; `null` counts as absent.
    pub fn get(self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub fn text(self, name: &str) -> Option<String> {
        text(self.get(name)?)
    }

    /// A text that identifies something, so an empty one is none.
    pub fn id(self, name: &str) -> Option<String> {
        self.text(name).filter(|id| !id.is_empty())
    }

    pub fn unsigned(self, name: &str) -> Option<u64> {
        unsigned(self.get(name)?)
    }

    pub fn signed(self, name: &str) -> Option<i64> {
        let value = self.get(name)?;
        match value {
            Value::String(text) => text.trim().parse().ok(),
            _ => value.as_i64().or_else(|| integral(value.as_f64()?)),
        }
    }

    pub fn number(self, name: &str) -> Option<f64> {
        match self.get(name)? {
            Value::String(text) => text.trim().parse().ok(),
            value => value.as_f64(),
        }
    }

    pub fn flag(self, name: &str) -> Option<bool> {
        flag(self.get(name)?)
    }

    pub fn object(self, name: &str) -> Option<Fields<'a>> {
        Fields::of(self.get(name)?)
    }

    pub fn list(self, name: &str) -> Option<&'a [Value]> {
        self.get(name)?.as_array().map(Vec::as_slice)
    }

    pub fn entries(self) -> impl Iterator<Item = (&'a String, &'a Value)> {
        self.0.iter()
    }
}

pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

pub fn unsigned(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        _ => value.as_u64().or_else(|| integral(value.as_f64()?).and_then(|whole| whole.try_into().ok())),
    }
}

/// Fastio writes `"yes"` and `"no"` in places (seen in its official command line client).
pub fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::Number(number) => number.as_f64().map(|number| number != 0.0),
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "ok" | "1" => Some(true),
            "false" | "no" | "" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// `64.0` as 64, where it is a whole number that a float holds exactly.
fn integral(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_read_in_every_dress() {
        let value =
            json!({"a": 5_000_000_000u64, "b": "5000000000", "c": 5e9, "d": "many", "e": -1, "f": null});
        let fields = Fields::of(&value).unwrap();
        for name in ["a", "b", "c"] {
            assert_eq!(fields.unsigned(name), Some(5_000_000_000), "{name}");
            assert_eq!(fields.signed(name), Some(5_000_000_000), "{name}");
        }
        for name in ["d", "e", "f", "g"] {
            assert_eq!(fields.unsigned(name), None, "{name}");
        }
        assert_eq!(fields.signed("e"), Some(-1));
        assert_eq!(fields.text("a").as_deref(), Some("5000000000"));
    }

    #[test]
    fn flags_are_read_in_every_dress() {
        for yes in [json!(true), json!("yes"), json!("true"), json!(1), json!("1")] {
            assert_eq!(flag(&yes), Some(true), "{yes}");
        }
        for no in [json!(false), json!("no"), json!("false"), json!(0), json!("")] {
            assert_eq!(flag(&no), Some(false), "{no}");
        }
        for neither in [json!("maybe"), json!([]), json!({})] {
            assert_eq!(flag(&neither), None, "{neither}");
        }
    }
}
