//! What a key may do, as Fastio tells it.

use serde_json::Value;

use super::answer::Opened;
use super::{Client, Error, Profile};

/// The scopes of a key, such as `workspace:4829105738291047362:rw` or `user:*:rw`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scopes(Vec<String>);

/// Whether a key may write somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writes {
    Yes,
    No,
    /// None of its scopes is of a form that is documented and names the place.
    Unsaid,
}

impl Client {
    /// The key's scopes: `GET auth/scopes/`. The path and the scopes' form are in Fastio's API reference; where in the
    /// answer they stand is not, so they are taken wherever they are.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn scopes(&self) -> Result<Scopes, Error> {
        let Opened { envelope, .. } = self.call("reading the key's scopes", &["auth", "scopes"], &[]).await?;
        let mut scopes = Vec::new();
        envelope.whole().into_iter().for_each(|value| collect(value, &mut scopes));
        Ok(Scopes(scopes))
    }
}

fn collect(value: &Value, scopes: &mut Vec<String>) {
    match value {
        Value::String(text) if mode(text).is_some() => scopes.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| collect(value, scopes)),
        Value::Object(fields) => fields.values().for_each(|value| collect(value, scopes)),
        _ => {}
    }
}

/// Of `entity:id:mode`: what it is about, and whether that may be written.
fn mode(scope: &str) -> Option<(&str, bool)> {
    let (entity, mode) = scope.rsplit_once(':')?;
    let writes = match mode {
        "r" => false,
        "rw" | "rwa" => true,
        _ => return None,
    };
    entity.split_once(':').filter(|(kind, id)| !kind.is_empty() && !id.is_empty())?;
    Some((entity, writes))
}

impl Scopes {
    /// Whether the key may write in `profile`.
    pub fn write(&self, profile: &Profile) -> Writes {
        let place = profile.to_string();
        let of_kind = format!("{}:*", profile.kind.as_str());
        let known: Vec<(&str, bool)> = self.0.iter().filter_map(|scope| mode(scope)).collect();
        let covers = |entity: &str| entity == place || entity == of_kind || entity == "user:*";
        if known.iter().any(|(entity, writes)| *writes && covers(entity)) {
            Writes::Yes
        } else if known.iter().any(|(entity, _)| !covers(entity) && !entity.starts_with("workspace:"))
            || known.is_empty()
        {
            // An organisation's, for one: whether this workspace is in it, the scope does not say.
            Writes::Unsaid
        } else {
            Writes::No
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_s_scopes_are_found_wherever_the_answer_has_them() {
        let workspace = Profile::workspace("1");
        for (answer, writes) in [
            (json!({"scopes": ["user:*:rw"]}), Writes::Yes),
            (json!({"token": {"scopes": ["workspace:1:r", "workspace:1:rw"]}}), Writes::Yes),
            (json!(["workspace:1:r"]), Writes::No),
            (json!({"scopes": ["workspace:2:rw"]}), Writes::No),
            (json!({"scopes": ["user:*:r"]}), Writes::No),
            (json!({"scopes": ["org:7:rw"]}), Writes::Unsaid),
            (json!({"scopes": "everything"}), Writes::Unsaid),
        ] {
            let mut scopes = Vec::new();
            collect(&answer, &mut scopes);
            assert_eq!(Scopes(scopes).write(&workspace), writes, "{answer}");
        }
    }
}
