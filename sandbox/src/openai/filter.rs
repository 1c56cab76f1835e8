//! Attribute filters of a search: one comparison, or several joined by `and` or `or`.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::error::ApiError;
use super::read::{Fields, wrong_type};

/// Deeper nesting than any real filter; it keeps a hostile one from exhausting the stack.
const MAX_DEPTH: usize = 16;

#[derive(Debug, Clone)]
pub enum Filter {
    Compare { how: Comparison, key: String, value: Value },
    All(Vec<Filter>),
    Any(Vec<Filter>),
}

#[derive(Debug, Clone, Copy)]
pub enum Comparison {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    In,
    NotIn,
}

impl Filter {
    pub fn read(value: &Value) -> Result<Filter, ApiError> {
        Filter::at(value, "filters.", 0)
    }

    fn at(value: &Value, at: &str, depth: usize) -> Result<Filter, ApiError> {
        if depth > MAX_DEPTH {
            return Err(ApiError::invalid("filters", "The filter is nested too deeply."));
        }
        let fields = Fields::of(value.clone(), at.to_owned(), &["type", "key", "value", "filters"])?;
        let how = match fields.required_text("type")? {
            joined @ ("and" | "or") => {
                fields.required("filters")?;
                let parts = fields.array("filters")?.into_iter().flatten().enumerate();
                let parts = parts
                    .map(|(number, part)| Filter::at(part, &format!("{at}filters[{number}]."), depth + 1))
                    .collect::<Result<Vec<Filter>, ApiError>>()?;
                return Ok(if joined == "and" { Filter::All(parts) } else { Filter::Any(parts) });
            }
            "eq" => Comparison::Equal,
            "ne" => Comparison::NotEqual,
            "gt" => Comparison::Greater,
            "gte" => Comparison::GreaterOrEqual,
            "lt" => Comparison::Less,
            "lte" => Comparison::LessOrEqual,
            "in" => Comparison::In,
            "nin" => Comparison::NotIn,
            other => {
                let message = format!("Invalid value: '{other}' is no filter type.");
                return Err(ApiError::invalid(&format!("{at}type"), message).code("invalid_value"));
            }
        };
        let (key, value) = (fields.required_text("key")?.to_owned(), fields.required("value")?.clone());
        if matches!(how, Comparison::In | Comparison::NotIn) != value.is_array() || value.is_object() {
            return Err(wrong_type(&format!("{at}value"), "a value that fits the type", &value));
        }
        Ok(Filter::Compare { how, key, value })
    }

    /// Whether a file with these attributes is meant. An attribute that is not there equals nothing.
    pub fn admits(&self, attributes: &Map<String, Value>) -> bool {
        match self {
            Filter::All(parts) => parts.iter().all(|part| part.admits(attributes)),
            Filter::Any(parts) => parts.iter().any(|part| part.admits(attributes)),
            Filter::Compare { how, key, value } => {
                let order = |wanted: &Value| attributes.get(key).and_then(|has| compare(has, wanted));
                let among = || {
                    value
                        .as_array()
                        .is_some_and(|all| all.iter().any(|one| order(one) == Some(Ordering::Equal)))
                };
                match how {
                    Comparison::Equal => order(value) == Some(Ordering::Equal),
                    Comparison::NotEqual => order(value) != Some(Ordering::Equal),
                    Comparison::Greater => order(value) == Some(Ordering::Greater),
                    Comparison::GreaterOrEqual => {
                        matches!(order(value), Some(Ordering::Greater | Ordering::Equal))
                    }
                    Comparison::Less => order(value) == Some(Ordering::Less),
                    Comparison::LessOrEqual => matches!(order(value), Some(Ordering::Less | Ordering::Equal)),
                    Comparison::In => among(),
                    Comparison::NotIn => !among(),
                }
            }
        }
    }
}

/// Values of different types do not compare.
fn compare(has: &Value, wanted: &Value) -> Option<Ordering> {
    match (has, wanted) {
        (Value::String(has), Value::String(wanted)) => Some(has.cmp(wanted)),
        (Value::Number(has), Value::Number(wanted)) => has.as_f64()?.partial_cmp(&wanted.as_f64()?),
        (Value::Bool(has), Value::Bool(wanted)) => Some(has.cmp(wanted)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Filter;

    fn admits(filter: Value) -> bool {
        let attributes = json!({"rule": "contracts", "pages": 12, "signed": true});
        Filter::read(&filter).unwrap().admits(attributes.as_object().unwrap())
    }

    #[test]
    fn comparisons_follow_the_attribute() {
        assert!(admits(json!({"type": "eq", "key": "rule", "value": "contracts"})));
        assert!(admits(json!({"type": "eq", "key": "pages", "value": 12.0})));
        assert!(admits(json!({"type": "gte", "key": "pages", "value": 12})));
        assert!(!admits(json!({"type": "gt", "key": "pages", "value": 12})));
        assert!(admits(json!({"type": "lt", "key": "pages", "value": 13})));
        assert!(admits(json!({"type": "in", "key": "rule", "value": ["nda", "contracts"]})));
        assert!(admits(json!({"type": "nin", "key": "rule", "value": ["nda"]})));
        assert!(admits(json!({"type": "ne", "key": "absent", "value": 1})));
        assert!(!admits(json!({"type": "eq", "key": "absent", "value": 1})));
    }

    #[test]
    fn filters_are_joined_and_checked() {
        let yes = json!({"type": "eq", "key": "signed", "value": true});
        let no = json!({"type": "eq", "key": "signed", "value": false});
        assert!(admits(json!({"type": "or", "filters": [no, yes]})));
        assert!(!admits(json!({"type": "and", "filters": [no, yes]})));
        for wrong in
            [json!({"type": "like", "key": "a", "value": 1}), json!({"type": "in", "key": "a", "value": 1})]
        {
            assert_eq!(Filter::read(&wrong).unwrap_err().status.as_u16(), 400);
        }
    }
}
