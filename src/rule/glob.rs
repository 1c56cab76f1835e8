//! Globs that surely mean something else than what was wished: they are refused with the right spelling, because one that
//! covers nothing is silent for ever.

/// What is wrong with a glob, and how to write it.
pub fn mistake(glob: &str) -> Option<String> {
    let text = glob.strip_prefix('!').unwrap_or(glob);
    if text.trim().is_empty() {
        return Some("it is empty and covers nothing: remove it, or write /** for everything".to_owned());
    }
    if glob.starts_with('#') {
        let right = if glob.trim_end_matches('/').contains('/') { "/" } else { "**/" };
        return Some(format!("what begins with # is a comment and covers nothing: write {right}{glob}"));
    }
    if text.starts_with(char::is_whitespace) {
        let rest = text.trim_start();
        return Some(format!(
            "it begins with a blank: write {rest}, or [ ]{rest} if the name does begin with one"
        ));
    }
    if text.ends_with(char::is_whitespace) && !text.ends_with("\\ ") {
        let rest = text.trim_end();
        return Some(format!(
            "it ends in a blank, which is not looked at: write {rest}, or {rest}[ ] if the name does"
        ));
    }
    if let Some(right) = without_backslashes(text) {
        return Some(format!("\\ does not part folders: write {right}"));
    }
    let right = text.trim_start_matches("./").replace("//", "/");
    if text.split('/').any(|part| part == "." || part == "..") || text.contains("//") {
        return Some(format!(
            "no path holds `//`, `.` or `..`: write the path from the top folder, as in {right}"
        ));
    }
    None
}

/// What a glob may mean that was not wished, and how to write the other thing. It may be right, so it is no mistake.
pub fn doubt(glob: &str) -> Option<String> {
    let (class, right) = word_in_brackets(glob)?;
    Some(format!(
        "`{glob}`: {class} stands for one letter of these, as globs have it; a name that holds the brackets is written {right}"
    ))
}

/// The glob with slashes, when it has a backslash before what needs none.
fn without_backslashes(glob: &str) -> Option<String> {
    let mut rest = glob.chars().peekable();
    while let Some(letter) = rest.next() {
        if letter == '\\' {
            match rest.next() {
                Some('#' | '!' | '*' | '?' | '[' | ']' | '{' | '}' | '\\' | ' ') => {}
                _ => return Some(glob.replace('\\', "/").replace("//", "/")),
            }
        }
    }
    None
}

/// A class of letters that stands alone, as a word does, such as `[OLD]` in `/[OLD] Contracts/**`; and the glob with its
/// brackets escaped. `*.[ch]`, `[Cc]ontracts` and `[0-9]` are classes as people mean them.
fn word_in_brackets(glob: &str) -> Option<(&str, String)> {
    let mut from = 0;
    while let Some(open) = glob.get(from..)?.find('[').map(|at| from + at) {
        let close = open + glob[open..].find(']')?;
        let inside = &glob[open + 1..close];
        // What follows a dot is a class of extensions.
        let begins = glob[..open].chars().next_back().is_none_or(|letter| "/ -_(,".contains(letter));
        let ends = glob[close + 1..].chars().next().is_none_or(|letter| "/ -_).,".contains(letter));
        let escaped = glob[..open].ends_with('\\');
        let word = inside.chars().count() >= 2 && inside.chars().all(char::is_alphanumeric);
        if !escaped && word && begins && ends {
            let right = format!("{}\\[{inside}\\]{}", &glob[..open], &glob[close + 1..]);
            return Some((&glob[open..=close], right));
        }
        from = close + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_covers_nothing_is_told_with_the_right_spelling() {
        for (glob, right) in [
            ("", "/**"),
            ("  ", "/**"),
            ("!", "/**"),
            ("#1/**", "/#1/**"),
            ("#notes.txt", "**/#notes.txt"),
            ("/Contracts/** ", "write /Contracts/**,"),
            (" /Contracts/**", "write /Contracts/**,"),
            ("Contracts\\2026\\**", "Contracts/2026/**"),
            ("\\\\server\\share\\*", "write /server/share/*"),
            ("./Contracts/**", "as in Contracts/**"),
            ("/Contracts//**", "as in /Contracts/**"),
        ] {
            let told = mistake(glob).unwrap_or_else(|| panic!("{glob} is refused"));
            assert!(told.contains(right), "{glob}: {told}");
        }
    }

    #[test]
    fn a_glob_that_may_be_right_is_none_of_them() {
        for glob in [
            "/**",
            "*.md",
            "!*.md",
            "/a b/**",
            "/#1/**",
            "\\#1",
            "\\[OLD\\] x/**",
            "**/*.pdf",
            "Drafts/",
            "a.b",
        ] {
            assert_eq!((mistake(glob), doubt(glob)), (None, None), "{glob}");
        }
        for glob in ["*.[ch]", "/[Cc]ontracts/**", "/20[0-9][0-9]/**", "/v[12].txt"] {
            assert_eq!(doubt(glob), None, "{glob}");
        }
        for (glob, right) in [
            ("/[OLD] Contracts/**", "/\\[OLD\\] Contracts/**"),
            ("/Contracts [2024]/", "/Contracts \\[2024\\]/"),
        ] {
            assert!(doubt(glob).unwrap().contains(right), "{glob}");
        }
    }
}
