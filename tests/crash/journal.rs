//! Reads along in the journal of OpenAI's stand-in, which keeps only the newest requests.

use anyhow::Context;

use crate::check::twice::{Doing, doings};
use crate::stands::{Stand, Stands};

pub struct Journal {
    stands: Stands,
    since: u64,
    doings: Vec<Doing>,
}

impl Journal {
    pub fn new(stands: Stands) -> Journal {
        Journal { stands, since: 0, doings: Vec::new() }
    }

    /// Takes in what has ended, up to the first request that is still being answered.
    pub async fn read(&mut self) -> anyhow::Result<()> {
        let page = self.stands.journal(Stand::Openai, self.since).await?;
        let requests = page["requests"].as_array().context("a journal has requests")?;
        let ended = requests.iter().take_while(|request| request["outcome"] != "open");
        for request in ended {
            let number = request["seq"].as_u64().context("a request has a number")?;
            anyhow::ensure!(number == self.since + 1, "the sandbox has forgotten requests before {number}");
            self.since = number;
            self.doings.extend(doings(request));
        }
        Ok(())
    }

    /// What was made, as far as it was read.
    pub fn doings(&self) -> &[Doing] {
        &self.doings
    }
}
