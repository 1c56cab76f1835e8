//! `[rule.run]`: what is run over a rule's files, checked once at the start, and the hash that names it.

mod clash;
mod digest;
mod engine;
mod money;
mod retired;
mod written;

use std::path::Path;
use std::sync::Arc;

use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::action::Action;
use super::{Runs, frame};
use crate::fastio::Profile;
use crate::result::name::Pattern;
use crate::result::schema::Schema;
use crate::rule::{Rule, RuleSettings, Rules};
use crate::setting_error;

pub use clash::Clash;
pub use digest::Digest;
pub use engine::Engine;
pub use money::{Price, TooLarge};
pub use written::{
    Attach, Backfill, EngineName, PartialQuotes, RunSettings, Scope, ServiceTier, ToolServer, When, WhenGone,
};

/// The least that OpenAI takes as `max_output_tokens` (its OpenAPI document).
const LEAST_TOKENS: u32 = 16;

/// What is run over a rule's files, checked.
#[derive(Debug, Clone)]
pub struct Definition {
    /// The rule it belongs to.
    pub rule: Rule,
    pub engine: Engine,
    pub instructions: String,
    pub prompt: String,
    pub attach: Vec<Attach>,
    pub scope: Scope,
    /// When OpenAI is asked after Fastio; never where it is empty.
    pub escalate: Vec<When>,
    pub tools: Vec<ToolServer>,
    /// Fastio's MCP server, where `tools` names it and its key is set.
    pub mcp: Option<Mcp>,
    pub schema: Option<Arc<Schema>>,
    pub write_back: Option<Pattern>,
    pub lock: bool,
    /// What may be done with the file because of a result.
    pub actions: Vec<Action>,
    /// Whether what was there before the rule is run over unasked.
    pub existing: bool,
    pub when_gone: WhenGone,
    pub digest: Option<Digest>,
    pub digest_quiet_ms: i64,
    pub digest_longest_ms: i64,
    pub too_large: TooLarge,
    pub partial_quotes: PartialQuotes,
    pub max_runs_per_day: u32,
    pub max_tokens_per_day: u64,
    pub max_runs_per_file_hour: u32,
    pub max_output_tokens: Option<u32>,
    pub service_tier: Option<ServiceTier>,
    /// Of runs over what was there before the rule.
    pub backfill_service_tier: Option<ServiceTier>,
    /// Whether those are asked in batches.
    pub in_batches: bool,
    /// What the model's tokens cost, where the settings say so.
    pub price: Option<Price>,
    pub deadline_ms: i64,
    /// The folders, from the root, that every glob of the rule begins with: the rule's own folder.
    pub folder: Vec<String>,
    /// Names all that shapes the result. Limits, locks and places do not, and are not in it.
    pub hash: String,
}

/// Fastio's MCP server, as OpenAI asks it on a run's behalf.
#[derive(Debug, Clone)]
pub struct Mcp {
    pub url: Url,
    /// A key of its own, which may only read: whoever runs the model has it.
    pub key: SecretString,
    /// What may be used without asking a person.
    pub tools: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("rule `{rule}`: [rule.run]: {message}")]
    Unreadable { rule: String, message: String },
    #[error("rule `{rule}`: [rule.run]: {what}")]
    Unsound { rule: String, what: String },
    #[error("{0}")]
    Clash(String),
}

/// Reads and checks `[rule.run]` of every rule that has one.
///
/// # Errors
/// The first that cannot work, alone or beside the others, and why.
pub fn definitions(
    settings: &[RuleSettings],
    rules: &Rules,
    places: (&Path, &Url),
) -> Result<Vec<Definition>, SettingsError> {
    let found = each(settings, rules, places)?;
    for (number, one) in found.iter().enumerate() {
        for other in &found[number + 1..] {
            if let Some(Clash::Sure(why)) = Clash::of(one, other) {
                return Err(SettingsError::Clash(why));
            }
        }
    }
    Ok(found)
}

fn each(
    settings: &[RuleSettings],
    rules: &Rules,
    (folder, openai): (&Path, &Url),
) -> Result<Vec<Definition>, SettingsError> {
    let mut found = Vec::new();
    for (settings, rule) in settings.iter().zip(rules.iter()) {
        let Some(table) = &settings.run else { continue };
        if let Some(what) = retired::refused(table) {
            return Err(SettingsError::Unsound { rule: rule.name.clone(), what });
        }
        let run: RunSettings =
            table.clone().try_into().map_err(|error: toml::de::Error| SettingsError::Unreadable {
                rule: rule.name.clone(),
                message: setting_error::words(error.message()),
            })?;
        let definition = Definition::new(run, (settings, rule), (folder, openai))
            .map_err(|what| SettingsError::Unsound { rule: rule.name.clone(), what })?;
        found.push(definition);
    }
    Ok(found)
}

impl Definition {
    fn new(
        run: RunSettings,
        (settings, rule): (&RuleSettings, &Rule),
        (folder, openai): (&Path, &Url),
    ) -> Result<Self, String> {
        let engine = Engine::of(&run, openai)?;
        if rule.keeps_out && !matches!(engine, Engine::Fastio { model: Some(_) }) {
            return Err(
                "sync = \"on_escalation\" keeps the rule's files out of OpenAI until Fastio's AI cannot answer: it needs \
                 engine = \"fastio\" with escalate, as in escalate = { when = [\"no_answer\", \"unverified\"] }"
                    .to_owned(),
            );
        }
        if run.prompt.trim().is_empty() {
            return Err("prompt is empty: say what is asked of each document".to_owned());
        }
        if matches!(engine, Engine::Assistants { .. }) && run.scope == Scope::Store {
            return Err("scope = \"store\" needs engine = \"responses\": an assistant searches the thread's own store".to_owned());
        }
        let is_of_responses = !matches!(engine, Engine::Assistants { .. } | Engine::Fastio { model: None });
        if !run.tools.is_empty() && !is_of_responses {
            return Err("tools are what a response may use: they need engine = \"responses\"".to_owned());
        }
        if run.service_tier.or(run.backfill_service_tier).is_some() && !is_of_responses {
            return Err(
                "service_tier is how OpenAI processes a response: it needs engine = \"responses\"".to_owned()
            );
        }
        if run.backfill.is_some() && run.backfill_service_tier.is_some() {
            return Err(
                "backfill = \"batch\" has a price of its own: leave backfill_service_tier out".to_owned()
            );
        }
        if run.max_output_tokens.is_some_and(|tokens| tokens < LEAST_TOKENS) {
            return Err(format!("max_output_tokens must be at least {LEAST_TOKENS}"));
        }
        for (name, value) in [
            ("deadline_seconds", run.deadline_seconds.into()),
            ("max_runs_per_file_hour", run.max_runs_per_file_hour.into()),
            ("max_runs_per_day", run.max_runs_per_day.into()),
            ("max_tokens_per_day", run.max_tokens_per_day),
        ] {
            if value == 0 {
                return Err(format!("{name} must be at least 1"));
            }
        }
        let (schema, schema_text) = match run.schema.as_deref() {
            Some(path) => {
                schema(&folder.join(path)).map(|(schema, text)| (Some(Arc::new(schema)), Some(text)))?
            }
            None => (None, None),
        };
        let write_back = run.write_back.as_deref().map(Pattern::parse).transpose()?;
        let digest = Digest::of(&run)?;
        if digest.is_some() && schema.as_ref().is_none_or(|schema| schema.tables().is_empty()) {
            return Err(
                "digest is a table over findings: it needs a schema that has a list of objects".to_owned()
            );
        }
        let too_large = TooLarge::of(&run);
        let mut definition = Definition {
            rule: rule.clone(),
            engine,
            instructions: run.instructions,
            prompt: run.prompt,
            attach: run.attach,
            scope: run.scope,
            escalate: run.escalate.map(|escalate| escalate.when).unwrap_or_default(),
            tools: run.tools,
            mcp: None,
            schema,
            write_back,
            lock: run.lock,
            actions: run.actions,
            existing: run.existing,
            digest,
            when_gone: run.when_gone,
            digest_quiet_ms: i64::from(run.digest_quiet_seconds) * 1000,
            digest_longest_ms: i64::from(run.digest_longest_seconds.max(run.digest_quiet_seconds)) * 1000,
            too_large,
            partial_quotes: run.partial_quotes,
            max_runs_per_day: run.max_runs_per_day,
            max_tokens_per_day: run.max_tokens_per_day,
            max_runs_per_file_hour: run.max_runs_per_file_hour,
            max_output_tokens: run.max_output_tokens,
            service_tier: run.service_tier,
            backfill_service_tier: run.backfill_service_tier.or(run.service_tier),
            in_batches: run.backfill == Some(Backfill::Batch),
            price: None,
            deadline_ms: i64::from(run.deadline_seconds) * 1000,
            folder: common_folder(&settings.include),
            hash: String::new(),
        };
        for (number, action) in (1..).zip(&definition.actions) {
            let checked = action.check(&rule.profile, definition.schema.as_deref());
            checked.map_err(|why| format!("action {number} ({}): {why}", action.as_str()))?;
        }
        if definition.in_batches
            && let Some(fault) = Runs::batch_fault(&definition)
        {
            return Err(fault.to_owned());
        }
        definition.hash = definition.hashed(schema_text.as_deref());
        Ok(definition)
    }

    pub fn profile(&self) -> &Profile {
        &self.rule.profile
    }

    /// Whether OpenAI is asked after Fastio when this is so.
    pub fn escalates(&self, when: When) -> bool {
        self.escalate.contains(&when)
    }

    /// What a person should know about this rule at the start.
    pub fn warnings(&self) -> Vec<String> {
        let away = self.folders_moved_to().filter(|to| {
            let example = format!("{}/example.pdf", to.trim_end_matches('/'));
            !self.rule.covers(&self.rule.profile, &example)
        });
        let away = away.map(|to| {
            format!(
                "rule `{}` moves files to {to}, where it does not cover them: they leave its vector store there, and with their results is \
                 done what when_gone says",
                self.rule.name
            )
        });
        self.covers_its_own().into_iter().chain(away).collect()
    }

    /// Where its actions move files.
    pub fn folders_moved_to(&self) -> impl Iterator<Item = &str> {
        self.actions.iter().filter_map(|action| match action {
            Action::Move { to, .. } => Some(to.as_str()),
            Action::Share { .. } | Action::Lock { .. } => None,
        })
    }

    fn covers_its_own(&self) -> Option<String> {
        let pattern = self.write_back.as_ref()?;
        let folder: String = self.folder.iter().flat_map(|name| ["/", name]).collect();
        let example = format!("{folder}/{}", pattern.name_for("example.pdf"));
        self.rule.covers(&self.rule.profile, &example).then(|| {
            format!(
                "rule `{}` covers its own results, such as {example}. Docket leaves what it wrote alone, but a result that \
                 a person edits is run over like any other file: exclude it, as in exclude = [\"**/*{}\"]",
                self.rule.name,
                pattern.tail()
            )
        })
    }

    /// One hash for one question.
    fn hashed(&self, schema: Option<&str>) -> String {
        let attach: Vec<&str> = self.attach.iter().map(|attach| attach.as_str()).collect();
        let assistant = match &self.engine {
            Engine::Assistants { assistant, .. } => Some(assistant.as_str()),
            Engine::Responses { .. } | Engine::Fastio { .. } => None,
        };
        let mut asked = serde_json::json!({
            "frame": frame::VERSION,
            "engine": self.engine.as_str(),
            "model": self.engine.model(),
            "assistant": assistant,
            "instructions": self.instructions,
            "prompt": self.prompt,
            "attach": attach,
            "scope": matches!(self.scope, Scope::Store),
            "schema": schema,
        });
        if !self.tools.is_empty() {
            asked["tools"] = serde_json::json!(self.tools);
        }
        if !self.escalate.is_empty() {
            asked["escalate"] = serde_json::json!(self.escalate);
        }
        hex::encode(&Sha256::digest(asked.to_string().as_bytes())[..16])
    }
}

/// The schema in the file at `path`, and its text.
fn schema(path: &Path) -> Result<(Schema, String), String> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        format!("the schema {} cannot be read: {error}; it must be UTF-8", path.display())
    })?;
    // Some editors begin a file with a byte order mark, which no reader of JSON takes.
    let text = text.trim_start_matches('\u{feff}').to_owned();
    let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("result");
    match Schema::parse(name, &text) {
        Ok(schema) => Ok((schema, text)),
        Err(problems) => Err(format!("the schema {} cannot be used: {problems}", path.display())),
    }
}

/// The name that a part of a glob stands for; none when it stands for several.
fn unescaped(part: &str) -> Option<String> {
    let (mut name, mut rest) = (String::with_capacity(part.len()), part.chars());
    while let Some(letter) = rest.next() {
        match letter {
            '*' | '?' | '[' | '{' => return None,
            '\\' => name.extend(rest.next()),
            _ => name.push(letter),
        }
    }
    Some(name)
}

/// The folders that every one of the globs begins with, before the first wildcard.
fn common_folder(include: &[String]) -> Vec<String> {
    let fixed = |glob: &String| -> Vec<String> {
        let Some(rest) = glob.strip_prefix('/') else { return Vec::new() };
        let mut parts: Vec<&str> = rest.split('/').collect();
        parts.pop();
        let plain = parts.into_iter().map(unescaped);
        plain.map_while(|part| part).collect()
    };
    let mut globs = include.iter().filter(|glob| !glob.starts_with('!')).map(fixed);
    let mut common = globs.next().unwrap_or_default();
    for other in globs {
        let same = common.iter().zip(&other).take_while(|(one, two)| one == two).count();
        common.truncate(same);
    }
    common
}

#[cfg(test)]
pub(super) mod tests;
