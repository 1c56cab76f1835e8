//! The states of cloud sources in words: what each means, and what to do. docs/states.md has the same tables. Fastio's newest
//! client names the states; it says little of what they mean, so the words are ours.

/// What a state is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    Account,
    Drives,
    Source,
}

/// Every state that is known.
pub const STATES: [(About, &str, &str); 20] = [
    (About::Account, "provisioning", "waits for a person to open the link and agree"),
    (About::Account, "active", "connected"),
    (About::Account, "error", "was not connected: begin anew with `docket sources connect`"),
    (About::Account, "revoked", "is connected no more: connect it anew"),
    (About::Drives, "never_refreshed", "Fastio has not looked for drives yet: ask again in a minute"),
    (About::Drives, "refreshing", "Fastio is looking for drives: ask again in a minute"),
    (About::Drives, "ready", "these are its drives"),
    (About::Drives, "empty", "it has no drive"),
    (
        About::Drives,
        "requires_site_path",
        "a SharePoint site has to be named: add the source in Fastio's own settings",
    ),
    (About::Drives, "permission_denied", "the account may not list drives: ask who administers it"),
    (About::Drives, "failed", "Fastio could not look for drives: try again, or connect the account anew"),
    (About::Source, "pending", "Fastio has not begun"),
    (About::Source, "discovering", "Fastio is looking through it"),
    (About::Source, "syncing", "its files are being fetched"),
    (About::Source, "synced", "in line"),
    (About::Source, "paused", "stopped until `docket sources resume`"),
    (About::Source, "error", "Fastio cannot sync it: `docket sources jobs` says more"),
    (About::Source, "disconnecting", "is being cut off"),
    (About::Source, "disconnected", "cut off: nothing is fetched any more"),
    (
        About::Source,
        "suspended_plan",
        "Fastio's plan does not cover it any more: change the plan, then resume it",
    ),
];

/// A state in words. One that came after this version stands for itself.
pub fn words(about: About, state: &str) -> &str {
    let known = STATES.iter().find(|(of, word, _)| *of == about && *word == state);
    known.map_or(state, |(_, _, words)| words)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = include_str!("../../../docs/states.md");

    #[test]
    fn every_state_stands_in_the_documents_with_its_words() {
        for (_, state, words) in STATES {
            assert!(DOCUMENT.contains(&format!("| `{state}` | {words} |")), "{state}");
        }
        assert_eq!(words(About::Source, "hibernating"), "hibernating");
        assert_ne!(words(About::Drives, "failed"), words(About::Source, "error"));
    }
}
