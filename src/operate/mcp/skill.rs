//! The skill that comes with the program, `skill/SKILL.md`, as a resource and by the skills extension of the protocol: how an agent works
//! with Docket. Facts are from the extension's specification ("Skills", SEP-2640, final).

use std::sync::LazyLock;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::message::{Fault, INVALID_PARAMS};

/// What it is called among a server's capabilities.
pub const EXTENSION: &str = "io.modelcontextprotocol/skills";

const URI: &str = "skill://docket/SKILL.md";
const TEXT: &str = include_str!("../../../skill/SKILL.md");

/// What stands at the top of the file, as JSON.
static FRONTMATTER: LazyLock<Map<String, Value>> =
    LazyLock::new(|| frontmatter(TEXT).expect("a test reads it"));

/// The frontmatter of a skill. Of YAML it may have what reads the same without a parser: `name: text`, and JSON on one line.
fn frontmatter(text: &str) -> Option<Map<String, Value>> {
    let (top, _) = text.strip_prefix("---\n")?.split_once("\n---\n")?;
    let field = |line: &str| {
        let (name, value) = line.split_once(": ")?;
        let value = match value.starts_with(['{', '"']) {
            true => serde_json::from_str(value).ok()?,
            false => json!(value),
        };
        Some((name.to_owned(), value))
    };
    top.lines().map(field).collect()
}

pub fn resource() -> Value {
    json!({
        "uri": URI, "name": FRONTMATTER["name"], "description": FRONTMATTER["description"], "mimeType": "text/markdown",
        "size": TEXT.len(),
    })
}

/// Its entry: the frontmatter as it stands, and all of its files with their hashes.
pub fn entry() -> Value {
    let digest = format!("sha256:{}", hex::encode(Sha256::digest(TEXT)));
    json!({
        "uri": URI,
        "frontmatter": *FRONTMATTER,
        "resources": [{"uri": URI, "digest": digest, "size": TEXT.len()}],
    })
}

/// # Errors
/// There is no such skill.
pub fn get(uri: &str) -> Result<Value, Fault> {
    known(uri).map(|()| json!({"skill": entry()}))
}

/// # Errors
/// There is no such resource.
pub fn read(uri: &str) -> Result<Value, Fault> {
    known(uri).map(|()| json!({"contents": [{"uri": URI, "mimeType": "text/markdown", "text": TEXT}]}))
}

fn known(uri: &str) -> Result<(), Fault> {
    match uri {
        URI => Ok(()),
        _ => Err(Fault {
            data: Some(json!({"uri": uri})),
            ..Fault::new(INVALID_PARAMS, format!("there is no such resource here; there is {URI}"))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tool::Tool;
    use super::*;

    #[test]
    fn the_skill_is_in_the_published_format_and_names_the_tools_that_there_are() {
        let name = FRONTMATTER["name"].as_str().unwrap();
        assert_eq!(format!("skill://{name}/SKILL.md"), URI, "the folder is called as the skill");
        assert!(FRONTMATTER["description"].as_str().unwrap().len() <= 1024);
        assert_eq!(FRONTMATTER["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(FRONTMATTER["license"], "MIT-0", "what is published there is under that licence");
        let claw = &FRONTMATTER["metadata"]["openclaw"];
        assert!(claw["requires"]["anyBins"].as_array().unwrap().contains(&json!("docket")));
        for variable in claw["envVars"].as_array().unwrap() {
            assert!(
                TEXT.matches(variable["name"].as_str().unwrap()).count() > 1,
                "{variable} is not explained"
            );
        }
        for tool in Tool::ALL {
            assert!(TEXT.contains(&format!("`{}`", tool.name())), "{} is not in it", tool.name());
        }
        let named = TEXT.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
        let tools: Vec<&str> = named.map(|(name, _)| name).filter(|name| !name.contains(' ')).collect();
        assert!(tools.iter().all(|name| Tool::named(name).is_some()), "{tools:?}");
    }

    #[test]
    fn its_hash_is_of_the_bytes_that_are_served() {
        let served = read(URI).unwrap()["contents"][0]["text"].as_str().unwrap().to_owned();
        let file = &entry()["resources"][0];
        assert_eq!(file["digest"], format!("sha256:{}", hex::encode(Sha256::digest(&served))));
        assert_eq!(file["size"], served.len());
        assert_eq!(get("skill://other/SKILL.md").unwrap_err().code, INVALID_PARAMS);
    }
}
