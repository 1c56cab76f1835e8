//! Fastio's MCP server as a tool of runs: what of it may be used, and with which key. OpenAI is given the key, so it is one of its own that
//! may only read, and what it opens is what only reads.

use secrecy::ExposeSecret;

use super::Config;
use super::fault;
use crate::run::ToolServer;

/// How the tools of Fastio's server end that change something (its skill: each domain has one that reads and one that manages).
const CHANGES: &str = "_manage";

impl Config {
    /// What keeps runs from using Fastio's tools safely.
    pub(super) fn tool_faults(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if let Some(tool) = self.fastio.mcp_tools.iter().find(|tool| tool.ends_with(CHANGES)) {
            wrong.push(format!(
                "fastio.mcp_tools: {tool} changes what is in Fastio: a run may only read, so leave it out"
            ));
        }
        if self.fastio.mcp_tools.is_empty() {
            wrong.push(
                "fastio.mcp_tools is empty, which would be all of them: name those that may be used"
                    .to_owned(),
            );
        }
        if self.fastio.mcp_url.scheme() != "https" {
            wrong.push("fastio.mcp_url: OpenAI asks it over the network: begin with https://".to_owned());
        }
        let rules = self.rules().ok().and_then(|rules| self.runs(&rules).ok());
        let using = rules.iter().flatten().find(|definition| definition.tools.contains(&ToolServer::Fastio));
        if let Some(definition) = using {
            let why = match self.secrets.fastio_mcp_key() {
                None => Some("is not set".to_owned()),
                Some(_) if self.secrets.shares_its_key() => Some("is the same as FASTIO_API_KEY".to_owned()),
                Some(key) => fault::of_key(key.expose_secret()).map(|fault| fault.to_string()),
            };
            wrong.extend(why.map(|why| {
                format!(
                    "rule `{}`: tools = [\"fastio\"] gives FASTIO_MCP_KEY to OpenAI, and it {why}: make a key of Fastio's that may only \
                     read",
                    definition.rule.name
                )
            }));
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::Sources;
    use super::*;

    const RULE: &str = "[[rule]]\nname = 'r'\nworkspace = '1'\nvector_store = 'vs_1'\n";

    fn faults(settings: &str, keys: &[(&str, &str)]) -> Vec<String> {
        let text = format!("{settings}\n{RULE}[rule.run]\nmodel = 'm'\nprompt = 'p'\ntools = ['fastio']\n");
        let environment: BTreeMap<_, _> =
            keys.iter().map(|(name, key)| ((*name).to_owned(), (*key).to_owned())).collect();
        let sources = Sources { environment, ..Sources::default() };
        Config::from_text(&text, None, &sources).unwrap().tool_faults()
    }

    #[test]
    fn no_tool_that_manages_is_reachable_and_the_key_is_one_of_its_own() {
        let key = ("FASTIO_MCP_KEY", "fastio-reading-key-1234");
        assert_eq!(faults("", &[key]), Vec::<String>::new());
        for (settings, keys, told) in [
            ("", &[][..], "it is not set"),
            ("", &[key, ("FASTIO_API_KEY", key.1)], "is the same as FASTIO_API_KEY"),
            ("[fastio]\nmcp_tools = ['storage', 'storage_manage']", &[key], "storage_manage changes"),
            ("[fastio]\nmcp_tools = []", &[key], "which would be all of them"),
            ("[fastio]\nmcp_url = 'http://mcp.fast.io/mcp/tools'", &[key], "https://"),
        ] {
            let told_of = faults(settings, keys);
            assert!(told_of.len() == 1 && told_of[0].contains(told), "{told}: {told_of:?}");
            assert!(!told_of[0].contains(key.1));
        }
        let shown = super::super::FastioSettings::default().mcp_tools;
        assert!(!shown.is_empty() && shown.iter().all(|tool| !tool.ends_with(CHANGES)), "{shown:?}");
    }
}
