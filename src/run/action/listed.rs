//! What a rule lists: what may be done with a file because of its result, and when. Checked at the start. Pure.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fastio::path::is_said;
use crate::fastio::{Capability, LOCK_SECONDS, Profile, ProfileKind};
use crate::result::schema::Schema;

/// How long a file may be shared. Fastio takes a hundred years; what was found in a contract once is no reason for that.
const DAYS: RangeInclusive<u32> = 1..=3650;

/// How long a file may be locked, as Fastio has it.
const MINUTES: RangeInclusive<u32> = *LOCK_SECONDS.start() / 60..=*LOCK_SECONDS.end() / 60;

/// One entry of a rule's `actions`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// The file goes into this folder of its workspace.
    Move {
        #[serde(default)]
        when: When,
        to: String,
    },
    /// The people who are named here get a link to the file, of Fastio's kind "File Share".
    Share {
        #[serde(default)]
        when: When,
        with: Vec<String>,
        #[serde(default)]
        may: Capability,
        #[serde(default = "default_days")]
        days: u32,
    },
    /// Fastio's lock on the file is taken, and runs out by itself.
    Lock {
        #[serde(default)]
        when: When,
        #[serde(default = "default_minutes")]
        minutes: u32,
    },
}

fn default_days() -> u32 {
    14
}

fn default_minutes() -> u32 {
    60
}

/// Fields of the answer, each with the value that it must have, or a list of those that it may have. Without any it is always so.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct When(BTreeMap<String, Value>);

impl When {
    /// Whether an answer says so. Its `data` is null where the rule has no schema.
    fn holds(&self, data: &Value) -> bool {
        let says = |(field, wanted): (&String, &Value)| {
            let said = &data[field.as_str()];
            !said.is_null() && either(wanted).contains(&said)
        };
        self.0.iter().all(says)
    }

    /// `the answer says risk = "high"`.
    fn words(&self) -> String {
        if self.0.is_empty() {
            return "there is a result".to_owned();
        }
        let one = |(field, wanted): (&String, &Value)| {
            let values: Vec<String> = either(wanted).into_iter().map(Value::to_string).collect();
            format!("{field} = {}", values.join(" or "))
        };
        format!("the answer says {}", self.0.iter().map(one).collect::<Vec<_>>().join(", "))
    }

    fn check(&self, schema: Option<&Schema>) -> Result<(), String> {
        let Some(schema) = schema else {
            return match self.0.is_empty() {
                true => Ok(()),
                false => {
                    Err("`when` compares fields of the answer: it needs a schema that has them".to_owned())
                }
            };
        };
        for (field, wanted) in &self.0 {
            let values = either(wanted);
            if values.is_empty() {
                return Err(format!("`when` has no value for {field}"));
            }
            for value in values {
                match schema.takes(field, value) {
                    None => {
                        return Err(format!(
                            "`when` names {field}, which is no field of the schema's object"
                        ));
                    }
                    Some(false) => {
                        return Err(format!(
                            "`when` wants {field} = {value}, which the schema does not let it be"
                        ));
                    }
                    Some(true) => {}
                }
            }
        }
        Ok(())
    }
}

/// The values that a field may have.
fn either(wanted: &Value) -> Vec<&Value> {
    match wanted {
        Value::Array(values) => values.iter().collect(),
        one => vec![one],
    }
}

impl Action {
    fn when(&self) -> &When {
        match self {
            Action::Move { when, .. } | Action::Share { when, .. } | Action::Lock { when, .. } => when,
        }
    }

    /// Whether it is to be done because of this result.
    pub fn follows_from(&self, result: &Value) -> bool {
        self.when().holds(&result["data"])
    }

    /// Whether the file is somewhere else afterwards.
    pub fn is_move(&self) -> bool {
        matches!(self, Action::Move { .. })
    }

    /// What the audit log calls it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Action::Move { .. } => "move file",
            Action::Share { .. } => "share file",
            Action::Lock { .. } => "lock file",
        }
    }

    /// `move it to /Contracts/Escalated, because the answer says risk = "high"`.
    pub fn words(&self) -> String {
        let what = match self {
            Action::Move { to, .. } => format!("move it to {to}"),
            Action::Share { with, may, days, .. } => {
                format!("share it with {} for {days} days, who may {}", with.join(", "), may.as_str())
            }
            Action::Lock { minutes, .. } => format!("lock it for {minutes} minutes"),
        };
        format!("{what}, because {}", self.when().words())
    }

    /// # Errors
    /// Why it can never be done, in words.
    pub fn check(&self, profile: &Profile, schema: Option<&Schema>) -> Result<(), String> {
        self.when().check(schema)?;
        let within = |name: &str, value: &u32, range: &RangeInclusive<u32>| match range.contains(value) {
            true => Ok(()),
            false => Err(format!("{name} must be from {} to {}", range.start(), range.end())),
        };
        match self {
            Action::Move { to, .. } => {
                let path = to.strip_prefix('/').map(|path| path.strip_suffix('/').unwrap_or(path));
                match path.is_some_and(|path| path.is_empty() || is_said(path)) {
                    true => Ok(()),
                    false => {
                        Err("`to` is the path of a folder, from the top: \"/Contracts/Escalated\"".to_owned())
                    }
                }
            }
            Action::Share { .. } if profile.kind != ProfileKind::Workspace => {
                Err("Fastio makes such a link to a file of a workspace only, and the rule covers a share"
                    .to_owned())
            }
            Action::Share { with, .. } if with.is_empty() => {
                Err("`with` names nobody: give the addresses of those who get the link".to_owned())
            }
            Action::Share { with, days, .. } => match with.iter().find(|address| !is_address(address)) {
                Some(address) => Err(format!("`with` has {address:?}, which is no mail address")),
                None => within("days", days, &DAYS),
            },
            Action::Lock { minutes, .. } => within("minutes", minutes, &MINUTES),
        }
    }
}

fn is_address(text: &str) -> bool {
    let plain = !text.chars().any(|letter| letter.is_whitespace() || letter.is_control());
    plain
        && text
            .split_once('@')
            .is_some_and(|(who, at)| !who.is_empty() && at.contains('.') && !at.contains('@'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Schema {
        let text = json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["risk", "signed", "parties"],
            "properties": {
                "risk": {"$ref": "#/$defs/risk"},
                "signed": {"type": "boolean"},
                "parties": {"type": "integer"},
            },
            "$defs": {"risk": {"type": "string", "enum": ["low", "high", "critical"]}},
        });
        Schema::parse("risk", &text.to_string()).unwrap()
    }

    fn read(text: &str) -> Result<Action, String> {
        toml::from_str::<Action>(text).map_err(|error| error.message().to_owned())
    }

    fn fault(text: &str) -> String {
        let checked = |action: Action| action.check(&Profile::workspace("1"), Some(&schema()));
        read(text).and_then(checked).unwrap_err()
    }

    #[test]
    fn an_action_follows_from_what_the_answer_says() {
        let action =
            read("do = 'move'\nto = '/Escalated'\nwhen = { risk = ['high', 'critical'], signed = false }")
                .unwrap();
        action.check(&Profile::workspace("1"), Some(&schema())).unwrap();
        let follows = |data: Value| action.follows_from(&json!({"data": data}));
        assert!(follows(json!({"risk": "high", "signed": false})));
        assert!(!follows(json!({"risk": "high", "signed": true})));
        assert!(!follows(json!({"risk": "low", "signed": false})));
        assert!(!follows(json!({"risk": null, "signed": null})) && !follows(Value::Null));
        assert_eq!(
            action.words(),
            r#"move it to /Escalated, because the answer says risk = "high" or "critical", signed = false"#
        );
        let always = read("do = 'lock'").unwrap();
        assert!(always.follows_from(&json!({"text": "plain"})));
        assert_eq!(always.words(), "lock it for 60 minutes, because there is a result");
    }

    #[test]
    fn what_could_never_be_done_is_refused_with_why() {
        assert_eq!(
            fault("do = 'lock'\nwhen = { risque = 'high' }"),
            "`when` names risque, which is no field of the schema's object"
        );
        let other = "`when` wants risk = \"hihg\", which the schema does not let it be";
        assert_eq!(fault("do = 'lock'\nwhen = { risk = 'hihg' }"), other);
        assert!(fault("do = 'lock'\nwhen = { parties = '2' }").contains("parties = \"2\""));
        assert!(fault("do = 'lock'\nwhen = { risk = [] }").contains("no value"));
        assert!(fault("do = 'move'\nto = 'Escalated'").contains("from the top"));
        assert!(fault("do = 'move'\nto = '/a//b'").contains("from the top"));
        assert!(fault("do = 'share'\nwith = []").contains("nobody"));
        assert!(fault("do = 'share'\nwith = ['Legal <l@example.com>']").contains("no mail address"));
        assert!(fault("do = 'share'\nwith = ['l@example.com']\nmay = 'edit'").contains("edit"));
        assert!(fault("do = 'share'\nwith = ['l@example.com']\ndays = 0").contains("from 1 to 3650"));
        assert!(fault("do = 'lock'\nminutes = 61").contains("from 1 to 60"));
        assert!(fault("do = 'delete'").contains("delete"));
        let of_share = read("do = 'share'\nwith = ['l@example.com']").unwrap();
        assert!(of_share.check(&Profile::share("1"), None).unwrap_err().contains("of a workspace only"));
    }
}
