//! How the text of a file is cut before it is indexed.

use serde_json::{Value, json};

use super::error::ApiError;
use super::read::Fields;

/// OpenAI's OpenAPI document: the limits of the static strategy.
const TOKENS: (i64, i64) = (100, 4_096);

/// Tokens per chunk, and how many of them the next chunk repeats.
#[derive(Debug, Clone, Copy)]
pub struct Chunking {
    tokens: i64,
    overlap: i64,
}

impl Default for Chunking {
    /// OpenAI's OpenAPI document.
    fn default() -> Chunking {
        Chunking { tokens: 800, overlap: 400 }
    }
}

impl Chunking {
    /// Reads `chunking_strategy`.
    pub fn read(fields: &Fields) -> Result<Chunking, ApiError> {
        let Some(value) = fields.value("chunking_strategy") else { return Ok(Chunking::default()) };
        let at = format!("{}.", fields.param("chunking_strategy"));
        let strategy = Fields::of(value.clone(), at.clone(), &["type", "static"])?;
        if strategy.one_of_required("type", ["auto", "static"])? == "auto" {
            return Ok(Chunking::default());
        }
        let sizes = strategy.required("static")?.clone();
        let sizes =
            Fields::of(sizes, format!("{at}static."), &["max_chunk_size_tokens", "chunk_overlap_tokens"])?;
        let (low, high) = TOKENS;
        sizes.required("max_chunk_size_tokens")?;
        let tokens = sizes.integer("max_chunk_size_tokens", low, high)?.unwrap_or(low);
        sizes.required("chunk_overlap_tokens")?;
        let overlap = sizes.integer("chunk_overlap_tokens", 0, tokens / 2)?.unwrap_or(0);
        Ok(Chunking { tokens, overlap })
    }

    pub fn show(self) -> Value {
        json!({"type": "static", "static": {
            "max_chunk_size_tokens": self.tokens, "chunk_overlap_tokens": self.overlap,
        }})
    }

    /// Cuts a text into overlapping chunks. Four tokens are taken as three words, which is about right for English. An empty
    /// text is one empty chunk: the file's name can still be found.
    pub fn cut(self, text: &str) -> Vec<&str> {
        let in_words = |tokens: i64| usize::try_from(tokens * 3 / 4).unwrap_or(0);
        let (size, step) = (in_words(self.tokens).max(1), in_words(self.tokens - self.overlap).max(1));
        let starts: Vec<usize> =
            text.split_whitespace().map(|word| word.as_ptr().addr() - text.as_ptr().addr()).collect();
        let mut cut = Vec::new();
        let mut first = 0;
        loop {
            let begin = starts.get(first).copied().unwrap_or(0);
            let end = starts.get(first + size).copied().unwrap_or(text.len());
            cut.push(text[begin..end].trim_end());
            if first + size >= starts.len() {
                return cut;
            }
            first += step;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Chunking;

    #[test]
    fn chunks_overlap_and_cover_the_text() {
        let text = (0..1_000).map(|number| number.to_string()).collect::<Vec<_>>().join(" ");
        let cut = Chunking { tokens: 400, overlap: 200 }.cut(&text);
        assert!(cut[0].starts_with("0 1") && cut[0].ends_with(" 299"));
        assert!(cut[1].starts_with("150 "));
        assert!(cut.last().unwrap().ends_with(" 999"));
        assert_eq!(Chunking::default().cut(""), [""]);
    }
}
