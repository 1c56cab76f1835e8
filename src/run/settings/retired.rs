//! What others' guides put into `[rule.run]` and what OpenAI does not have any more, or not for documents: refused with what to write
//! instead.

/// What is wrong with the table, if it names such a thing.
pub fn refused(run: &toml::Table) -> Option<String> {
    let text = |name: &str| run.get(name).and_then(toml::Value::as_str);
    if text("engine") == Some("agents") {
        // Its official libraries of November 2026, and OpenAI's questions and answers on the beta.
        return Some(
            "engine = \"agents\" cannot be used: OpenAI's Agents API has no file_search, takes no document as input and only mounts files \
             for an environment of its own, so that nothing shows what an answer rests on. Use engine = \"responses\", and put what the \
             agent is told into instructions"
                .to_owned(),
        );
    }
    if let Some(id) = text("prompt").filter(|prompt| prompt.trim().starts_with("pmpt_")) {
        return Some(format!(
            "prompt = \"{}\" is the id of a prompt at OpenAI, and those end on 2026-11-30: write the prompt's own text there, and what it \
             tells the model to be into instructions",
            id.trim()
        ));
    }
    let retired = [
        (
            "assistant_id",
            "OpenAI shut the Assistants API down on 2026-08-26: use engine = \"responses\" with model, instructions and prompt; \
          for a compatible server that still serves assistants write engine = \"assistants\" and assistant = \"asst_…\"",
        ),
        (
            "prompt_id",
            "reusable prompts of OpenAI end on 2026-11-30: write the prompt's own text as prompt = \"…\"",
        ),
        (
            "agent",
            "OpenAI's Agents API cannot read a vector store: use engine = \"responses\" with instructions and prompt",
        ),
        (
            "agent_id",
            "OpenAI's Agents API cannot read a vector store: use engine = \"responses\" with instructions and prompt",
        ),
        (
            "workflow_id",
            "OpenAI's Agent Builder ends on 2026-11-30: use engine = \"responses\" with instructions and prompt",
        ),
    ];
    let found = retired.into_iter().find(|(name, _)| run.contains_key(*name));
    found.map(|(name, why)| format!("{name} is no setting: {why}"))
}
