//! What runs a run, by its settings.

use url::Url;

use super::{EngineName, RunSettings};

/// The host that shut the Assistants API down.
const OPENAI_HOST: &str = "api.openai.com";

/// What runs a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Engine {
    /// OpenAI's Responses API.
    Responses { model: String },
    /// Threads and runs of the Assistants API, version 2.
    Assistants { assistant: String, model: Option<String> },
    /// Fastio's own AI; with a model, OpenAI's Responses API after it, for what the rule escalates.
    Fastio { model: Option<String> },
}

impl Engine {
    pub fn as_str(&self) -> &'static str {
        match self {
            Engine::Responses { .. } => "responses",
            Engine::Assistants { .. } => "assistants",
            Engine::Fastio { .. } => "fastio",
        }
    }

    pub fn model(&self) -> Option<&str> {
        match self {
            Engine::Responses { model } => Some(model),
            Engine::Assistants { model, .. } | Engine::Fastio { model } => model.as_deref(),
        }
    }

    /// Reads and checks what the settings say of it.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(super) fn of(run: &RunSettings, openai: &Url) -> Result<Engine, String> {
        let model = run.model.clone().map(|model| model.trim().to_owned()).filter(|model| !model.is_empty());
        if run.escalate.is_some() && run.engine != EngineName::Fastio {
            return Err(
                "escalate says what Fastio cannot answer: it belongs to engine = \"fastio\"".to_owned()
            );
        }
        match run.engine {
            EngineName::Responses => {
                if run.assistant.is_some() {
                    return Err("assistant = \"…\" belongs to engine = \"assistants\"".to_owned());
                }
                let model = model.ok_or(
                    "model is missing: name one that your OpenAI project may use. There is no default, because models are \
                     retired",
                )?;
                Ok(Engine::Responses { model })
            }
            EngineName::Assistants => {
                if openai.host_str() == Some(OPENAI_HOST) {
                    return Err("engine = \"assistants\" cannot work with api.openai.com: OpenAI shut the Assistants API down \
                                on 2026-08-26. Use engine = \"responses\", or set OPENAI_BASE_URL to a compatible server that \
                                still serves assistants"
                        .to_owned());
                }
                let assistant = run.assistant.clone().filter(|id| !id.trim().is_empty());
                let assistant = assistant
                    .ok_or("assistant is missing: the id of the assistant, such as \"asst_abc123\"")?;
                Ok(Engine::Assistants { assistant, model })
            }
            EngineName::Fastio => fastio(run, model),
        }
    }
}

fn fastio(run: &RunSettings, model: Option<String>) -> Result<Engine, String> {
    if run.assistant.is_some() {
        return Err("assistant = \"…\" belongs to engine = \"assistants\"".to_owned());
    }
    let Some(escalate) = &run.escalate else {
        let of_openai = [("model", model.is_some()), ("attach", !run.attach.is_empty())];
        return match of_openai.into_iter().find(|(_, is_set)| *is_set) {
            Some((name, _)) => Err(format!(
                "{name} is for OpenAI, which is not asked: leave it out, or say when it is, as in escalate = {{ when = [\"no_answer\"] }}"
            )),
            None => Ok(Engine::Fastio { model: None }),
        };
    };
    if escalate.when.is_empty() {
        return Err(
            "escalate.when is empty: name what Fastio cannot answer, or leave escalate out".to_owned()
        );
    }
    if escalate.to != EngineName::Responses {
        return Err("escalate.to must be \"responses\"".to_owned());
    }
    let model = model.ok_or("model is missing: name the one that answers what Fastio cannot")?;
    Ok(Engine::Fastio { model: Some(model) })
}
