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

/// Requests.
#[derive(Debug, Clone, Copy)]
pub struct Calls {
    pub fastio: u64,
    pub openai: u64,
    /// Of the bodies that OpenAI was sent.
    pub bytes: u64,
    pub uploads: u64,
}

impl Stands {
    /// Starts both, with these arguments of `docket sandbox`.
    pub fn start(base: &Base, arguments: &[&str]) -> anyhow::Result<Stands> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_docket"));
        command.args(["sandbox", "--fastio", "127.0.0.1:0", "--openai", "127.0.0.1:0", "--json"]);
        command.args(["--limits", "1000"]);
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

    /// Has OpenAI take a file out of its stores when it is deleted, as is documented. It was seen not to, which a peer may not bear.
    pub fn detach_what_is_deleted(&self) -> anyhow::Result<()> {
        http::must(self.openai, "POST", "/_sandbox/faults", r#"{"kind": "delete_detaches"}"#)?;
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

    /// Makes a file of so many bytes by a formula. Answers its node.
    pub fn generate_one(&self, path: &str, bytes: u64) -> anyhow::Result<String> {
        self.put(&format!("{path}?generate={bytes}&seed={bytes}"), "")
    }

    pub fn rename(&self, from: &str, to: &str) -> anyhow::Result<()> {
        let asked = json!({"workspace": COVERED, "from": from, "to": to}).to_string();
        http::must(self.fastio, "POST", "/_sandbox/move", &asked).map(drop)
    }

    pub fn trash(&self, path: &str) -> anyhow::Result<()> {
        http::must(self.fastio, "DELETE", &format!("/_sandbox/files/{COVERED}{path}"), "").map(drop)
    }

    /// What was asked so far counts no more.
    pub fn forget_calls(&self) -> anyhow::Result<()> {
        for address in [self.fastio, self.openai] {
            http::must(address, "DELETE", "/_sandbox/requests", "")?;
        }
        Ok(())
    }

    /// The number of the last request, of both together.
    pub fn newest(&self) -> anyhow::Result<u64> {
        let newest = |address| -> anyhow::Result<u64> {
            let said = http::must(address, "GET", &format!("/_sandbox/requests?since={}", u64::MAX), "")?;
            serde_json::from_str::<Value>(&said)?["newest"].as_u64().context("the newest request")
        };
        Ok(newest(self.fastio)? + newest(self.openai)?)
    }

    /// The requests to Fastio and to OpenAI that are remembered.
    pub fn requests(&self) -> anyhow::Result<[Vec<Value>; 2]> {
        let all = |address| -> anyhow::Result<Vec<Value>> {
            let said: Value = serde_json::from_str(&http::must(address, "GET", "/_sandbox/requests", "")?)?;
            Ok(said["requests"].as_array().cloned().unwrap_or_default())
        };
        Ok([all(self.fastio)?, all(self.openai)?])
    }

    /// How many there are, and how much was sent to OpenAI with them.
    pub fn calls(&self) -> anyhow::Result<Calls> {
        let [fastio, openai] = self.requests()?;
        let uploads =
            openai.iter().filter(|one| one["method"] == "POST" && one["path"] == "/v1/files").count();
        Ok(Calls {
            fastio: fastio.len() as u64,
            openai: openai.len() as u64,
            bytes: openai.iter().filter_map(|one| one["body_bytes"].as_u64()).sum(),
            uploads: uploads as u64,
        })
    }

    /// The stand-ins' time.
    pub fn now_ms(&self) -> anyhow::Result<i64> {
        let said: Value = serde_json::from_str(&http::must(self.openai, "GET", "/_sandbox/clock", "")?)?;
        said["now_ms"].as_i64().context("the time")
    }

    /// For how long no version of a file could be found, from when the first could until now. It is told by what its `source_id`
    /// ends with; without that there is only one. What was before `since` does not count.
    pub fn gap_ms(&self, source: Option<&str>, since: i64) -> anyhow::Result<i64> {
        let said: Value = serde_json::from_str(&http::must(self.openai, "GET", "/_sandbox/searchable", "")?)?;
        let plain = |id: &str| id.replace('-', "");
        let of_it = |one: &&Value| {
            let id = one["attributes"]["source_id"].as_str().unwrap_or_default();
            source.is_none_or(|source| plain(id).ends_with(&plain(source)))
        };
        let intervals = said["intervals"].as_array().into_iter().flatten().filter(of_it);
        let mut spans: Vec<(i64, i64)> = intervals
            .filter_map(|one| Some((one["from_ms"].as_i64()?, one["until_ms"].as_i64().unwrap_or(i64::MAX))))
            .filter(|(_, until)| *until >= since)
            .collect();
        spans.sort_unstable();
        anyhow::ensure!(!spans.is_empty(), "no version of the file was ever found");
        let (mut until, mut gap) = (spans[0].1, 0);
        for (from, to) in spans {
            gap += (from - until).max(0);
            until = until.max(to);
        }
        Ok(gap)
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
