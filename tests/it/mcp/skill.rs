//! The skill: an agent that knows nothing else does what it says, and it works.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Agent;
use crate::api::{ADMIN, World};
use crate::harness::{Harness, contract, legal};

/// The blocks of one language in a text, without what they are indented by.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let inner = text.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap());
    inner.map(|block| block.lines().map(str::trim).collect::<Vec<_>>().join("\n")).collect()
}

/// The skill as an agent gets it: listed, looked at, read, and held to its hash.
async fn loaded(agent: &mut Agent) -> String {
    let listed = agent.ask("skills/list", json!({})).await;
    let entry = &listed["skills"][0];
    let uri = entry["uri"].as_str().unwrap();
    assert_eq!(agent.ask("skills/get", json!({"uri": uri})).await["skill"], *entry);
    let read = agent.ask("resources/read", json!({"uri": uri})).await;
    let text = read["contents"][0]["text"].as_str().unwrap().to_owned();
    let digest = format!("sha256:{}", hex::encode(Sha256::digest(&text)));
    assert_eq!(entry["resources"], json!([{"uri": uri, "digest": digest, "size": text.len()}]));
    text
}

#[tokio::test]
async fn an_agent_that_knows_only_the_skill_reads_an_analysis_of_the_present_version() {
    let h = Harness::with(&legal("")).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.settle().await;
    let mut agent = h.agent().await;
    let skill = loaded(&mut agent).await;
    let steps = blocks(&skill, "json");
    assert_eq!(steps.len(), 4, "three steps and a search");
    let mut answers = Vec::new();
    for step in steps {
        let step = step
            .replace("\"PATH\"", "\"/Contracts/nda.txt\"")
            .replace("\"KEY\"", "\"0192f0c1-9b1e-7c3a-8a00-000000000002\"")
            .replace("\"QUERY\"", "\"liability of the supplier\"");
        let step: Value = serde_json::from_str(&step).unwrap();
        let told = agent.call(step["name"].as_str().unwrap(), step["arguments"].clone()).await;
        assert!(!told.is_error, "{step}: {told:#?}");
        answers.push(told);
        // Some seconds.
        h.settle().await;
    }
    assert!(answers[0].head["sentence"].as_str().unwrap().contains("is current"), "{:#?}", answers[0]);
    assert_eq!(answers[2].head["is_of_searchable_version"], true, "{:#?}", answers[2]);
    assert_eq!(answers[2].head["run"]["run"], answers[1].head["run"]);
    assert!(!answers[3].data.is_empty() && answers[3].head["passages"][0]["is_of_present_version"] == true);
    h.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_skills_commands_work_as_they_stand() {
    let mut world = World::start().await;
    let operate = world.operate.clone();
    let at = world.at(&[("DOCKET_SERVER", &operate), ("DOCKET_ADMIN_TOKEN", ADMIN)]);
    let skill = include_str!("../../../skill/SKILL.md");
    let commands: Vec<String> = blocks(skill, "sh").join("\n").lines().map(str::to_owned).collect();
    assert!(commands.len() > 3);
    for command in commands {
        let typed = command.replace("PATH", "/Contracts/1.txt").replace("QUERY", "liability");
        let words: Vec<&str> = typed.split_whitespace().skip(1).collect();
        let run = at.docket(&words);
        assert!(run.code == 0 && !run.out.is_empty(), "{typed}: {run:?}");
    }
    assert_eq!(world.server.stop(), 0);
}
