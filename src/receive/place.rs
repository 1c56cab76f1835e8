//! Which of the routes a request means whose path is not exactly one: a proxy that adds a prefix, a form that adds a slash.

/// Parts of a path that may stand before a route. A proxy adds one or two.
const MOST_PARTS: usize = 8;

/// The route of a webhook that `path` means: the same with a slash too many anywhere, or with a prefix before it.
pub(super) fn meant(path: &str) -> Option<&'static str> {
    const ROUTES: [(&str, &str); 2] = [("fastio", FASTIO), ("openai", OPENAI)];
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).take(MOST_PARTS + 1).collect();
    let [before @ .., "webhooks", sender] = &parts[..] else { return None };
    // What climbs out of a folder leads to another place than it looks.
    let is_odd = |part: &&str| part.starts_with('.') || part.contains('%');
    if parts.len() > MOST_PARTS || before.iter().any(is_odd) {
        return None;
    }
    ROUTES.into_iter().find(|(name, _)| name == sender).map(|(_, route)| route)
}

pub(super) const FASTIO: &str = "/webhooks/fastio";
pub(super) const OPENAI: &str = "/webhooks/openai";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_and_a_prefix_lead_to_the_same_route() {
        for path in [
            "/webhooks/fastio",
            "/webhooks/fastio/",
            "//webhooks//fastio//",
            "/docket/webhooks/fastio",
            "/a/b/webhooks/fastio/",
        ] {
            assert_eq!(meant(path), Some(FASTIO), "{path}");
        }
        assert_eq!(meant("/docket//webhooks/openai/"), Some(OPENAI));
        for path in [
            "/",
            "/webhooks",
            "/webhooks/",
            "/fastio",
            "/webhooks/fastio/x",
            "/webhooks/Fastio",
            "/webhooks/%66astio",
            "/../webhooks/fastio",
            "/%2e%2e/webhooks/fastio",
            "/1/2/3/4/5/6/7/webhooks/fastio",
        ] {
            assert_eq!(meant(path), None, "{path}");
        }
    }
}
