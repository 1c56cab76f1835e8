//! The stand-ins for Fastio and OpenAI, as a process of their own.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use anyhow::Context;
use serde_json::{Value, json};

use crate::http;
use crate::process::Process;
use crate::server::{Base, COVERED, listening};

pub struct Stands {
    _process: Process,
    pub fastio_url: String,
    pub openai_url: String,
    fastio: SocketAddr,
    openai: SocketAddr,
}

impl Stands {
    /// Starts both, with these arguments of `docket sandbox`.
    pub fn start(base: &Base, arguments: &[&str]) -> anyhow::Result<Stands> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_docket"));
        command.args(["sandbox", "--fastio", "127.0.0.1:0", "--openai", "127.0.0.1:0", "--json"]);
        command.args(arguments).env_clear().current_dir(&base.folder).stderr(Stdio::null());
        let (process, line) = listening(&mut command)?;
        let shown: Value = serde_json::from_str(&line)?;
        let url = |name: &str| shown[name].as_str().map(str::to_owned).context("the sandbox's addresses");
        let (fastio_url, openai_url) = (url("fastio_base_url")?, url("openai_base_url")?);
        Ok(Stands {
            _process: process,
            fastio: address(&fastio_url)?,
            openai: address(&openai_url)?,
            fastio_url,
            openai_url,
        })
    }

    /// Has both take so long for each answer, as services across a network do.
    pub fn take(&self, milliseconds: u32) -> anyhow::Result<()> {
        let fault = json!({"kind": "latency", "delay_ms": milliseconds}).to_string();
        for address in [self.fastio, self.openai] {
            http::must(address, "POST", "/_sandbox/faults", &fault)?;
        }
        Ok(())
    }

    /// Has OpenAI refuse the key from now on.
    pub fn refuse_key(&self) -> anyhow::Result<()> {
        http::must(self.openai, "POST", "/_sandbox/faults", r#"{"kind": "unauthorized"}"#)?;
        Ok(())
    }

    /// Puts so many files into the workspace that the rule covers, by a formula.
    pub fn generate(&self, files: usize) -> anyhow::Result<()> {
        let made = json!({"workspace": COVERED, "count": files, "seed": 1}).to_string();
        http::must(self.fastio, "POST", "/_sandbox/generate", &made)?;
        Ok(())
    }

    /// Puts a file with this text at a path, as a person does. Answers its node.
    pub fn put(&self, path: &str, text: &str) -> anyhow::Result<String> {
        let said = http::must(self.fastio, "PUT", &format!("/_sandbox/files/{COVERED}{path}"), text)?;
        let said: Value = serde_json::from_str(&said)?;
        said["node_id"].as_str().map(str::to_owned).with_context(|| format!("the file has no id: {said}"))
    }

    /// How many files the vector stores have completed.
    pub fn completed_count(&self) -> anyhow::Result<usize> {
        let said: Value = serde_json::from_str(&http::must(self.openai, "GET", "/v1/vector_stores", "")?)?;
        let stores = said["data"].as_array().into_iter().flatten();
        let completed = stores.filter_map(|store| store["file_counts"]["completed"].as_u64()).sum::<u64>();
        Ok(usize::try_from(completed)?)
    }

    /// The files that vector stores have completed, by their names, and when that was in microseconds of Unix time. The
    /// stand-in counts milliseconds: this is the middle of that one.
    pub fn completed(&self) -> anyhow::Result<Vec<(String, i64)>> {
        let said: Value = serde_json::from_str(&http::must(self.openai, "GET", "/_sandbox/searchable", "")?)?;
        let intervals = said["intervals"].as_array().into_iter().flatten();
        let completed = intervals.filter_map(|interval| {
            Some((interval["filename"].as_str()?.to_owned(), interval["from_ms"].as_i64()? * 1000 + 500))
        });
        Ok(completed.collect())
    }
}

fn address(url: &str) -> anyhow::Result<SocketAddr> {
    let host = url.trim_start_matches("http://").split('/').next().unwrap_or_default();
    host.parse().with_context(|| format!("{url} names no address"))
}
