//! The tools: few, each for one thing that somebody wants to know or do. What they take is described by the structs that it is read into.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use utoipa::{PartialSchema, ToSchema};

use crate::operate::guard::Role;
use crate::sync::listing::Standing;

/// A file.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OfFile {
    /// The file's path, such as `/Contracts/nda.pdf`, or its `id` from another answer.
    pub file: String,
    /// `next` of the answer before, to go on.
    pub after: Option<String>,
}

/// Some files.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FindFiles {
    /// A path, a folder, a glob such as `/Contracts/*.pdf` or `*nda*`, or an id.
    pub place: Option<String>,
    /// Only files that stand so. `behind` is not searchable as it is now; `unread` holds no text that can be found; `out` has left OpenAI
    /// to keep within a budget.
    #[schema(inline)]
    pub state: Option<Standing>,
    /// Only files that this rule covers.
    pub rule: Option<String>,
    /// `next` of the answer before, to go on.
    pub after: Option<String>,
}

/// What to search for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchFor {
    /// A question, or words.
    pub query: String,
    /// Only in the stores of this rule, and only files that it covers.
    pub rule: Option<String>,
    /// `next` of the answer before, to go on.
    pub after: Option<String>,
}

/// Some runs.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ListRuns {
    /// Only runs of this rule.
    pub rule: Option<String>,
    /// Only runs that stand so: `running`, `needs_review`, `completed`, `accepted`, `rejected`, `held`, `failed` and so on.
    pub state: Option<String>,
    /// `next` of the answer before, to go on.
    pub after: Option<String>,
}

/// A run, by its number, or by its file.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GetResult {
    /// The run's number.
    pub run: Option<i64>,
    /// Instead of `run`: the path or id of a file, of which the newest run is meant.
    pub file: Option<String>,
    /// With `file`: the newest run of this rule.
    pub rule: Option<String>,
    /// `next` of the answer before, to go on.
    pub after: Option<String>,
}

/// Runs that wait for a person's verdict.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NeedsReview {
    /// Only runs of this rule.
    pub rule: Option<String>,
    /// `next` of the answer before, to go on.
    pub after: Option<String>,
}

/// Nothing.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Nothing {}

/// A run that is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartRun {
    /// The file's path or id. It has to be current.
    pub file: String,
    /// The rule that is to be run over it; needed only where several are.
    pub rule: Option<String>,
    /// A text of your own for this order, such as a UUID: told again with the same, it is done once.
    pub idempotency_key: String,
    /// Why, for the log.
    pub why: Option<String>,
    /// The person on whose behalf this is done.
    pub name: Option<String>,
}

/// What is to be looked at.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SyncNow {
    /// The path or id of a known file. Without it all of Fastio is listed once more, behind live traffic.
    pub file: Option<String>,
    /// A text of your own for this order, such as a UUID: told again with the same, it is done once.
    pub idempotency_key: String,
    /// Why, for the log.
    pub why: Option<String>,
    /// The person on whose behalf this is done.
    pub name: Option<String>,
}

/// What Fastio is to fetch.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportUrl {
    /// The address. It has to be public, and `https`.
    pub url: String,
    /// The path of the folder that it goes to, which has to be there; the top folder without it.
    pub folder: Option<String>,
    /// What the file is to be called; as the address ends without it.
    pub file_name: Option<String>,
    /// The id of the workspace; needed only where the rules name several.
    pub workspace: Option<String>,
    /// A text of your own for this order, such as a UUID: told again with the same, it is done once.
    pub idempotency_key: String,
    /// Why, for the log.
    pub why: Option<String>,
}

/// What a person says of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It may be relied on.
    Accept,
    /// It may not.
    Reject,
    /// What was said is taken back.
    Withdraw,
}

/// A verdict.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// The run's number.
    pub run: i64,
    /// What the person says of its answer.
    #[schema(inline)]
    pub verdict: Verdict,
    /// The person's reason, which stands in the result. Needed to accept or reject.
    pub why: Option<String>,
    /// The person whose verdict this is.
    pub name: Option<String>,
    /// A text of your own for this order, such as a UUID: told again with the same, it is done once.
    pub idempotency_key: String,
}

macro_rules! tools {
    ($($tool:ident $name:literal $takes:ty, $role:ident, $title:literal, $about:literal;)+) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Tool {
            $($tool,)+
        }

        impl Tool {
            /// In the order in which they are listed: what is asked first comes first.
            pub const ALL: &[Tool] = &[$(Tool::$tool,)+];

            pub fn name(self) -> &'static str {
                match self { $(Tool::$tool => $name,)+ }
            }

            /// The least that a client has to be.
            pub fn role(self) -> Role {
                match self { $(Tool::$tool => Role::$role,)+ }
            }

            fn words(self) -> (&'static str, &'static str) {
                match self { $(Tool::$tool => ($title, $about),)+ }
            }

            fn takes(self) -> Value {
                match self { $(Tool::$tool => schema::<$takes>(),)+ }
            }
        }
    };
}
tools! {
    IsCurrent "is_current" OfFile, Viewer, "Is this file current?",
        "Says in one sentence whether what can be searched of a file is what the file is now in Fastio, and if not, why not and since when. \
         Also: its version and hash, the rules that cover it, and the runs over it with their numbers for get_result. Ask this first.";
    FindFiles "find_files" FindFiles, Viewer, "Find files",
        "Lists files by path, folder, glob, rule or state, each with how it stands, its version and its hash. Not for what is in them: that is \
         search.";
    FileTimeline "file_timeline" OfFile, Viewer, "How a file came to where it is",
        "Lists what happened to one file, the newest first: what was received, every attempt, what was waited for and what failed.";
    Search "search" SearchFor, Viewer, "Search in the files",
        "Finds passages in the files as an assistant would, each with its file's version and whether that is current. Passages of files that \
         are gone or replaced are left out.";
    ListRuns "list_runs" ListRuns, Viewer, "List runs",
        "Lists the analyses that rules run over files, those that changed last first, each with its state, file, version and hash.";
    GetResult "get_result" GetResult, Viewer, "Read a run's result",
        "Gives the answer of one run over a file, by the run's number or by its file, with the quotes in it that are not proven. While the run \
         goes on, it says so.";
    NeedsReview "needs_review" NeedsReview, Viewer, "What waits for a verdict",
        "Lists runs whose answers a person has to look at, with the reason. review tells what the person says.";
    Status "status" Nothing, Viewer, "Is all well?",
        "Says whether Docket is well or needs a person, with what to do, and how many files, jobs and runs stand how.";
    StartRun "start_run" StartRun, Admin, "Start a run",
        "Runs a rule over one file as it is now, again if it was before: the answer takes the place of the present one. It costs money at \
         OpenAI. get_result reads the answer.";
    SyncNow "sync_now" SyncNow, Admin, "Look at a file now",
        "Has a known file looked at now, tried again if it was given up, and brought back if it is out of OpenAI; without a file, all of Fastio is listed and compared.";
    ImportUrl "import_url" ImportUrl, Admin, "Import from an address",
        "Has Fastio fetch what is at a public address into a folder. It is synced like any file, and the same again is the same import.";
    Review "review" Review, Admin, "Tell a person's verdict",
        "Writes down that a person accepts or rejects a run's answer, which then stands at the top of the result. Only on a person's word.";
}

impl Tool {
    pub fn named(name: &str) -> Option<Tool> {
        Tool::ALL.iter().copied().find(|tool| tool.name() == name)
    }

    /// As `tools/list` has it. The hints are what a host asks a person by before it calls.
    pub fn describe(self) -> Value {
        let (title, about) = self.words();
        let is_read = self.role() == Role::Viewer;
        json!({
            "name": self.name(),
            "title": title,
            "description": about,
            "inputSchema": self.takes(),
            "annotations": {
                "title": title,
                "readOnlyHint": is_read,
                // A run's answer takes the place of the one before, and so does a verdict.
                "destructiveHint": matches!(self, Tool::StartRun | Tool::Review),
                // Told again with the same key it is done once.
                "idempotentHint": true,
                // Fastio and OpenAI are asked for it.
                "openWorldHint": matches!(self, Tool::Search | Tool::StartRun | Tool::SyncNow | Tool::ImportUrl),
            },
        })
    }
}

/// The arguments of a call.
///
/// # Errors
/// What is wrong with them, in words for who called.
pub fn arguments<T: DeserializeOwned>(given: &Map<String, Value>) -> Result<T, String> {
    serde_json::from_value(Value::Object(given.clone()))
        .map_err(|error| format!("the arguments are wrong: {error}"))
}

/// The JSON Schema of what a tool takes. An argument that may be left out is left out and not null, which hosts read better.
fn schema<T: PartialSchema>() -> Value {
    let mut schema = serde_json::to_value(T::schema()).expect("a schema is JSON");
    if let Some(object) = schema.as_object_mut() {
        object.remove("description");
        object.entry("properties").or_insert_with(|| json!({}));
        object.insert("additionalProperties".to_owned(), json!(false));
    }
    for property in schema["properties"].as_object_mut().into_iter().flat_map(Map::values_mut) {
        let parts =
            ["oneOf", "allOf"].iter().find_map(|name| property[name].as_array()).cloned().unwrap_or_default();
        let about = parts.iter().chain([&*property]).rev().find_map(|part| part["description"].as_str());
        let about = about.map(str::to_owned);
        // A word of several.
        if let Some(choice) = parts.into_iter().find(|part| part["enum"].is_array()) {
            *property = choice;
        }
        if let Some(kind) = property["type"].as_array().and_then(|all| all.iter().find(|one| *one != "null"))
        {
            property["type"] = kind.clone();
        }
        if let Some(about) = about {
            property["description"] = json!(about);
        }
        if let Some(property) = property.as_object_mut() {
            property.remove("default");
        }
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever changes what agents see sees it here: `INSTA_UPDATE=always cargo test --lib operate::mcp` writes it anew.
    #[test]
    fn the_tools_are_what_agents_were_told() {
        let all: Vec<Value> = Tool::ALL.iter().map(|tool| tool.describe()).collect();
        insta::assert_snapshot!(serde_json::to_string_pretty(&all).unwrap());
    }

    #[test]
    fn a_schema_is_flat_and_what_is_unknown_is_refused() {
        for tool in Tool::ALL {
            let schema = tool.describe()["inputSchema"].clone();
            assert_eq!((&schema["type"], &schema["additionalProperties"]), (&json!("object"), &json!(false)));
            for (name, property) in schema["properties"].as_object().unwrap() {
                assert!(property["type"].is_string(), "{} {name}: {property}", tool.name());
                assert!(property["description"].is_string(), "{} {name}", tool.name());
            }
        }
        let wrong = arguments::<OfFile>(json!({"file": "/a", "path": "/b"}).as_object().unwrap());
        assert!(wrong.unwrap_err().contains("unknown field `path`"));
    }
}
