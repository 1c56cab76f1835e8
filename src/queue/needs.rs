//! What a job cannot do without: a set of causes, each of which may hold it. A cause is a text that its maker understands, such
//! as `openai`, `openai/vs_abc123` or `fastio/workspace:4829105738291047362`; the queue only compares them.
//!
//! Equal sets have equal texts, so that the jobs of one set stand together in an index. There are few sets.

use std::collections::BTreeSet;

/// How what begins that nothing holds, and by which the jobs of one of several that share the queue stand in a lane of their own.
const SHARE: &str = "share/";

/// What the causes have in common that let so many through within a while, and close and open by themselves.
const LIMIT: &str = "/limit:";

/// What the jobs name whose turns alternate with those of others of the same priority.
pub fn share(of: &str) -> String {
    format!("{SHARE}{}", of.split_whitespace().collect::<Vec<_>>().join("_"))
}

/// A set of causes as it stands in a row: in order, each between blanks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Needs(String);

impl Needs {
    pub fn of<'a>(causes: impl IntoIterator<Item = &'a str>) -> Self {
        let causes: BTreeSet<&str> = causes.into_iter().collect();
        Needs(format!(" {} ", causes.into_iter().collect::<Vec<_>>().join(" ")))
    }

    /// As a row holds it.
    pub fn stored(text: String) -> Self {
        Needs(text)
    }

    pub fn text(&self) -> &str {
        &self.0
    }

    pub fn causes(&self) -> impl Iterator<Item = &str> {
        self.0.split_whitespace()
    }

    /// Whose turn it is when this is claimed; empty for all that share with nobody.
    pub fn share(&self) -> &str {
        self.causes().find(|cause| cause.starts_with(SHARE)).unwrap_or_default()
    }

    pub fn has(&self, cause: &str) -> bool {
        self.causes().any(|own| own == cause)
    }

    /// The limits that have to have room.
    pub fn limits(&self) -> impl Iterator<Item = &str> {
        self.causes().filter(|cause| cause.contains(LIMIT))
    }

    /// Without those: once one had room, what comes next may not need it.
    pub fn without_limits(&self) -> Self {
        Needs::of(self.causes().filter(|cause| !cause.contains(LIMIT)))
    }

    pub fn with(&self, cause: &str) -> Self {
        Needs::of(self.causes().chain([cause]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_sets_have_equal_texts() {
        let needs = Needs::of(["openai", "fastio", "openai"]);
        assert_eq!(needs.text(), " fastio openai ");
        assert_eq!(
            needs.with("openai/vs_1").with("fastio/share:2"),
            needs.with("fastio/share:2").with("openai/vs_1")
        );
        assert_eq!(needs.with("openai"), needs);
        assert!(needs.has("fastio") && !needs.has("fast"));
        assert_eq!(Needs::of([]).causes().count(), 0);
        assert_eq!(needs.with("openai/limit:uploads").without_limits(), needs);
    }
}
