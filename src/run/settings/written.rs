//! `[rule.run]` as it is written, before anything of it is checked.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::super::action::Action;
use super::money::{TooLarge, default_max_runs_per_day, default_max_tokens_per_day};
use crate::result::render::Form;

/// `[rule.run]`, as it stands in `docket.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSettings {
    /// `responses`, `fastio` (Fastio's own AI), or `assistants` on a compatible server that still serves them.
    #[serde(default)]
    pub engine: EngineName,
    /// The model. No default, because models are retired. An assistant has one of its own.
    pub model: Option<String>,
    /// The assistant's id; only for the engine `assistants`.
    pub assistant: Option<String>,
    /// Who the model is to be and what it must heed.
    #[serde(default)]
    pub instructions: String,
    /// What is asked of each document.
    pub prompt: String,
    /// How the run gets at the document: `input_file`, `file_search`, `code_interpreter`. Default: whole while it is below
    /// 50 MB, else searched.
    #[serde(default)]
    pub attach: Vec<Attach>,
    /// What `file_search` searches: this `file` in this version, or the whole `store`.
    #[serde(default)]
    pub scope: Scope,
    /// When OpenAI is asked after Fastio, as in `{ when = ["no_answer", "unverified", "code_interpreter"], to = "responses" }`;
    /// only for the engine `fastio`. Without it Fastio alone is asked.
    pub escalate: Option<Escalate>,
    /// Servers whose tools a run may use: `fastio`, which is Fastio's own MCP server, of which it may only read.
    #[serde(default)]
    pub tools: Vec<ToolServer>,
    /// A JSON schema that the answer must fit, in OpenAI's strict form; relative to the settings file.
    pub schema: Option<PathBuf>,
    /// Where the result is written, beside the source file: `{stem}`, `{name}` and `{ext}` stand for its name without
    /// extension, its whole name and its extension. Ends in `.md`, `.docx`, `.html`, `.csv` or `.json`. Without it the result stays here.
    pub write_back: Option<String>,
    /// Hold the Fastio lock on the source file from start to delivery.
    #[serde(default)]
    pub lock: bool,
    /// Run over what was there before the rule, too, as it is indexed.
    #[serde(default)]
    pub existing: bool,
    /// What becomes of a result whose file is gone, or is where the rule does not apply any more: it is kept as it is, `mark`ed at its
    /// top, or removed.
    #[serde(default)]
    pub when_gone: WhenGone,
    /// What may be done with the file because of a result that may be relied on, as in
    /// `{ do = "move", when = { risk = "high" }, to = "/Escalated" }`: `move`, `share` and `lock`. Nothing else is ever done with it.
    #[serde(default)]
    pub actions: Vec<Action>,
    /// A table over all current results, such as `"overview.csv"`, in the rule's folder.
    pub digest: Option<String>,
    /// How the table is written: `comma`, `semicolon`, `xlsx` or `markdown`. Default: as the name's ending says, `.csv` with commas.
    pub digest_format: Option<Form>,
    /// How long the rule's runs must be quiet before the table is written. Seconds.
    #[serde(default = "default_digest_quiet_seconds")]
    pub digest_quiet_seconds: u32,
    /// How long the table waits at the longest for its files to be quiet. Seconds.
    #[serde(default = "default_digest_longest_seconds")]
    pub digest_longest_seconds: u32,
    /// What is done with a document that is too large for the model: `file_search` instead of the whole of it, or `fail`.
    /// Default: searched, unless `attach` is set and does not name `file_search`.
    pub too_large: Option<TooLarge>,
    /// What a result is with quotes whose own sentence also says otherwise: it needs `review`, or is `accept`ed.
    #[serde(default)]
    pub partial_quotes: PartialQuotes,
    /// Runs that may be begun within 24 hours. More are held until there is room.
    #[serde(default = "default_max_runs_per_day")]
    pub max_runs_per_day: u32,
    /// Tokens that runs may read and write within 24 hours. Runs beyond are held until there is room.
    #[serde(default = "default_max_tokens_per_day")]
    pub max_tokens_per_day: u64,
    /// Runs over one file that may be begun within an hour. More look like a loop with another program, and are held.
    #[serde(default = "default_max_runs_per_file_hour")]
    pub max_runs_per_file_hour: u32,
    /// Tokens that a run may write, its reasoning included. A run that needs more is held.
    pub max_output_tokens: Option<u32>,
    /// How OpenAI processes the runs: `auto`, `default`, `flex` (slower, at half the price), `priority`. Without it as the project is set.
    pub service_tier: Option<ServiceTier>,
    /// The same of runs over what was there before the rule. Default: as the others.
    pub backfill_service_tier: Option<ServiceTier>,
    /// How runs over what was there before the rule are asked: `batch`, with others in a batch of OpenAI's, at half the price and within a
    /// day. Without it each alone.
    pub backfill: Option<Backfill>,
    /// How long a run may take before it is cancelled. Seconds.
    #[serde(default = "default_deadline_seconds")]
    pub deadline_seconds: u32,
}

fn default_digest_quiet_seconds() -> u32 {
    60
}

/// While a contract is added each minute, the table grows all the same.
fn default_digest_longest_seconds() -> u32 {
    10 * 60
}

/// A person who saves now and then stays below it.
fn default_max_runs_per_file_hour() -> u32 {
    6
}

fn default_deadline_seconds() -> u32 {
    30 * 60
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineName {
    #[default]
    Responses,
    Assistants,
    Fastio,
}

/// A server whose tools a run may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolServer {
    Fastio,
}

/// What goes to OpenAI after Fastio was asked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Escalate {
    pub when: Vec<When>,
    /// Only `responses`.
    #[serde(default)]
    pub to: EngineName,
}

/// When Fastio's answer is not enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// There is none that could be a result, or it asks back.
    NoAnswer,
    /// A quote in it is not proven to be in the document.
    Unverified,
    /// The rule attaches the document for code, which Fastio does not run.
    CodeInterpreter,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attach {
    InputFile,
    FileSearch,
    CodeInterpreter,
}

impl Attach {
    pub fn as_str(self) -> &'static str {
        match self {
            Attach::InputFile => "input_file",
            Attach::FileSearch => "file_search",
            Attach::CodeInterpreter => "code_interpreter",
        }
    }
}

/// How OpenAI processes a response, in its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceTier {
    Auto,
    Default,
    Flex,
    Priority,
}

/// How runs over what was there before a rule are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backfill {
    Batch,
}

impl ServiceTier {
    pub fn as_str(self) -> &'static str {
        match self {
            ServiceTier::Auto => "auto",
            ServiceTier::Default => "default",
            ServiceTier::Flex => "flex",
            ServiceTier::Priority => "priority",
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    #[default]
    File,
    Store,
}

/// What becomes of a result whose file is gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenGone {
    Keep,
    #[default]
    Mark,
    Remove,
}

/// What is made of a quote whose words stand in the document, in a sentence that also says otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartialQuotes {
    #[default]
    Review,
    Accept,
}
