//! What stands beside a contract, read from Fastio alone: whose name it bears, and whether the contract says what it quotes.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::story::squeezed;
use super::world::World;

/// A contract, and the result beside it.
pub struct Beside {
    path: String,
    result: String,
    /// The document that the result names.
    title: String,
    /// What it says to stand in the document.
    pub quotes: Vec<String>,
    document: String,
}

impl Beside {
    pub async fn read(world: &World<'_>, path: &str) -> Result<Beside> {
        let stem = path.strip_suffix(".txt").context("a contract is a text")?;
        let result = format!("{stem}.analysis.md");
        let page = world.content(&result).await?;
        let title = page.lines().next().and_then(|line| line.strip_prefix("# ")).unwrap_or_default();
        let quotes =
            page.split('“').skip(1).filter_map(|part| part.split_once("” ✔")).map(|(quote, _)| plain(quote));
        Ok(Beside {
            path: path.to_owned(),
            title: title.to_owned(),
            quotes: quotes.collect(),
            document: squeezed(&world.content(path).await?),
            result,
        })
    }

    /// Whether it is about this contract: it bears its name, and quotes it.
    pub fn is_true(&self) -> bool {
        self.path.ends_with(&format!("/{}", self.title))
            && !self.quotes.is_empty()
            && self.quotes.iter().all(|quote| self.document.contains(quote.as_str()))
    }

    /// Which result it is, in words.
    pub fn words(&self) -> String {
        format!("{} is about {}", self.result, self.title)
    }

    pub fn json(&self) -> Value {
        json!({"path": self.path, "result": self.result, "about": self.title, "quotes": self.quotes.len(),
               "true": self.is_true()})
    }
}

/// The words that a reader of the Markdown sees.
fn plain(markdown: &str) -> String {
    squeezed(&markdown.replace('\\', "").replace("&lt;", "<").replace("&amp;", "&"))
}
