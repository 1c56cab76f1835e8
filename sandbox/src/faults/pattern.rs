//! Which request paths a fault is for: a glob when it has a `*` (`*` within one segment, `**` across segments), else a
//! prefix that ends at a segment.

/// Whether `path` is meant by `pattern`.
pub fn matches(pattern: &str, path: &str) -> bool {
    if pattern.contains('*') {
        return glob(pattern.as_bytes(), path.as_bytes());
    }
    match path.strip_prefix(pattern) {
        Some(rest) => rest.is_empty() || rest.starts_with('/') || pattern.ends_with('/'),
        None => false,
    }
}

fn glob(pattern: &[u8], path: &[u8]) -> bool {
    match pattern {
        [] => path.is_empty(),
        [b'*', b'*', rest @ ..] => (0..=path.len()).any(|skipped| glob(rest, &path[skipped..])),
        [b'*', rest @ ..] => {
            let segment = path.iter().position(|byte| *byte == b'/').unwrap_or(path.len());
            (0..=segment).any(|skipped| glob(rest, &path[skipped..]))
        }
        [byte, rest @ ..] => path.first() == Some(byte) && glob(rest, &path[1..]),
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_prefix_ends_at_a_segment() {
        assert!(matches("/v1/files", "/v1/files"));
        assert!(matches("/v1/files", "/v1/files/file-1"));
        assert!(!matches("/v1/files", "/v1/filesystem"));
        assert!(matches("/v1/", "/v1/filesystem"));
    }

    #[test]
    fn one_star_stays_in_its_segment_and_two_do_not() {
        assert!(matches("/v1/vector_stores/*/files", "/v1/vector_stores/vs_1/files"));
        assert!(!matches("/v1/vector_stores/*/files", "/v1/vector_stores/vs_1/files/file-1"));
        assert!(matches("/v1/**/files/*", "/v1/vector_stores/vs_1/files/file-1"));
        assert!(matches("**", "/anything/at/all"));
    }
}
