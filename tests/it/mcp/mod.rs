//! Agents that drive Docket: its tools, what they answer, and the skill that tells how to use them.

mod http;
mod skill;
mod stdio;
mod tools;

use docket::app::api_beside;
use docket::operate::Token;
use docket::operate::guard::Who;
use docket::operate::mcp::Mcp;
use docket::operate::mcp::message::{Era, Incoming};
use docket::operate::query::Known;
use docket::operate::status::About;
use docket::sync::budget::Plan;
use serde_json::{Value, json};

use crate::harness::Harness;

/// One that calls tools, and counts how often.
struct Agent {
    mcp: Mcp,
    calls: usize,
}

/// What a tool answered.
#[derive(Debug)]
struct Told {
    /// The object at its top.
    head: Value,
    /// The texts of documents, each with its fence.
    data: Vec<String>,
    is_error: bool,
    bytes: usize,
}

impl Told {
    fn of(result: &Value) -> Told {
        let content = result["content"].as_array().unwrap_or_else(|| panic!("{result:#}"));
        let mut texts = content.iter().map(|block| block["text"].as_str().unwrap().to_owned());
        let bytes = texts.clone().map(|text| text.len()).sum();
        let head = serde_json::from_str(&texts.next().unwrap()).unwrap();
        Told { head, data: texts.collect(), is_error: result["isError"] == true, bytes }
    }

    /// What stands within the fence of the only text.
    fn text(&self) -> &str {
        let [text] = self.data.as_slice() else { panic!("{self:#?}") };
        let (_, inner) = text.split_once("<<<DATA ").unwrap();
        let (_, inner) = inner.split_once('\n').unwrap();
        inner.rsplit_once("\nDATA ").unwrap().0
    }
}

impl Harness {
    /// An agent at the database, as one that starts `docket mcp` is.
    async fn agent(&self) -> Agent {
        let about = About {
            version: "1".to_owned(),
            database: "docket.db".into(),
            rules: Vec::new(),
            storage: Plan::default(),
        };
        let server = Some("a server".to_owned());
        let known = Known { about, rules: self.rules().clone(), server, now: self.clock.now() };
        Agent { mcp: Mcp::new(api_beside(&self.config, &self.database, known).unwrap()), calls: 0 }
    }
}

impl Agent {
    async fn ask(&mut self, method: &str, params: Value) -> Value {
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        let Ok(Incoming::Call(call)) = Incoming::read(message.as_bytes()) else { panic!("{message}") };
        self.mcp.answer(&call, Era::Legacy, Who(Token::ThisMachine)).await.unwrap()
    }

    async fn call(&mut self, name: &str, arguments: Value) -> Told {
        self.calls += 1;
        Told::of(&self.ask("tools/call", json!({"name": name, "arguments": arguments})).await)
    }
}
