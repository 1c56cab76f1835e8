//! Brackets in a glob: a class of letters, or a name that has brackets in it. `/[OLD] Contracts/**` is well formed, matches
//! a folder called `O Contracts`, and is never meant so.

/// A pair of brackets that is not escaped.
struct Pair {
    open: usize,
    close: usize,
}

/// The pair of brackets that is surely part of a name, as it stands, and the glob with it escaped.
pub fn name(glob: &str) -> Option<(&str, String)> {
    told(glob, |glob, pair| is_name(inside(glob, pair), is_alone(glob, pair)))
}

/// The pair that may be part of a name.
pub fn perhaps_name(glob: &str) -> Option<(&str, String)> {
    told(glob, |glob, pair| {
        let inside = inside(glob, pair);
        is_alone(glob, pair) && inside.chars().count() >= 2 && inside.chars().all(char::is_alphanumeric)
    })
}

fn told(glob: &str, is_wanted: impl Fn(&str, &Pair) -> bool) -> Option<(&str, String)> {
    let wanted: Vec<Pair> = pairs(glob).into_iter().filter(|pair| is_wanted(glob, pair)).collect();
    let first = wanted.first()?;
    // All such pairs at once, from the last, so that the places of the others stay.
    let mut right = glob.to_owned();
    for pair in wanted.iter().rev() {
        right.insert(pair.close, '\\');
        right.insert(pair.open, '\\');
    }
    Some((&glob[first.open..=first.close], right))
}

fn inside<'g>(glob: &'g str, pair: &Pair) -> &'g str {
    &glob[pair.open + 1..pair.close]
}

fn pairs(glob: &str) -> Vec<Pair> {
    let (mut pairs, mut open, mut escaped) = (Vec::new(), None, false);
    for (at, letter) in glob.char_indices() {
        match (letter, open) {
            _ if escaped => escaped = false,
            ('\\', None) => escaped = true,
            ('[', None) => open = Some(at),
            // A bracket that stands first in a class is itself.
            (']', Some(begin))
                if at > begin + 1 && !(at == begin + 2 && glob[begin + 1..].starts_with(['!', '^'])) =>
            {
                pairs.push(Pair { open: begin, close: at });
                open = None;
            }
            _ => {}
        }
    }
    pairs
}

/// Whether what is around the brackets is what is around a word.
fn is_alone(glob: &str, pair: &Pair) -> bool {
    // What follows a dot is a class of extensions.
    let begins = glob[..pair.open].chars().next_back().is_none_or(|letter| "/ -_(,!".contains(letter));
    let ends = glob[pair.close + 1..].chars().next().is_none_or(|letter| "/ -_).,".contains(letter));
    begins && ends
}

/// `*.[ch]`, `[Cc]ontracts`, `[0-9]`, `[a-zA-Z_]`, `[!x]` and `[ ]` are classes as people mean them. `[OLD]`, `[2024]`,
/// `[to do]`, `[2024-05]` and the `[1]` of a second download are names.
fn is_name(inside: &str, is_alone: bool) -> bool {
    if inside.starts_with(['!', '^']) {
        return false;
    }
    let letters: Vec<char> = inside.chars().collect();
    if let [one] = letters[..] {
        return one.is_alphanumeric();
    }
    let is_word = letters.iter().any(|letter| letter.is_alphanumeric());
    if is_word && letters.iter().any(|letter| letter.is_whitespace()) {
        return true;
    }
    let mut sorted: Vec<char> = letters.iter().copied().filter(|letter| *letter != '-').collect();
    sorted.sort_unstable();
    let (is_in_order, all) = (sorted == letters, sorted.len());
    sorted.dedup();
    // In a class the second of two is for nothing.
    let has_twice = sorted.len() < all;
    match ranges(&letters) {
        Ranges::Impossible => is_word,
        Ranges::Some => has_twice,
        Ranges::None if !letters.iter().all(|letter| letter.is_alphanumeric()) => false,
        Ranges::None => has_twice || (is_alone && all >= 3) || (all >= 4 && !is_in_order),
    }
}

enum Ranges {
    None,
    Some,
    /// One that goes from a digit to a letter, or back.
    Impossible,
}

fn ranges(letters: &[char]) -> Ranges {
    let kind = |letter: char| (letter.is_ascii_digit(), letter.is_lowercase(), letter.is_uppercase());
    let mut found = Ranges::None;
    for triple in letters.windows(3) {
        let [from, '-', to] = *triple else { continue };
        if !from.is_alphanumeric() || !to.is_alphanumeric() {
            continue;
        }
        if from >= to || kind(from) != kind(to) {
            return Ranges::Impossible;
        }
        found = Ranges::Some;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_brackets_is_told_from_a_class() {
        for (glob, right) in [
            ("/[OLD] Contracts/**", "/\\[OLD\\] Contracts/**"),
            ("/Contracts [2024]/", "/Contracts \\[2024\\]/"),
            ("/[A] and [B]/**", "/\\[A\\] and \\[B\\]/**"),
            ("/report[1].pdf", "/report\\[1\\].pdf"),
            ("/report[final].pdf", "/report\\[final\\].pdf"),
            ("/[to do]/**", "/\\[to do\\]/**"),
            ("/[2024-05]/**", "/\\[2024-05\\]/**"),
            ("/[2020-2024]/**", "/\\[2020-2024\\]/**"),
            ("/[Q1-Q4]/*.pdf", "/\\[Q1-Q4\\]/*.pdf"),
            ("![OLD]/**", "!\\[OLD\\]/**"),
        ] {
            let (_, told) = name(glob).unwrap_or_else(|| panic!("{glob} is refused"));
            assert_eq!(told, right);
            assert_eq!(name(&told), None, "{told}");
        }
        for class in [
            "*.[ch]",
            "/[Cc]ontracts/**",
            "/20[0-9][0-9]/**",
            "/v[12].txt",
            "/[a-zA-Z0-9_]*",
            "/[!x]/**",
            "/a[ ]/**",
            "/[[]OLD[]]/**",
            "/\\[OLD\\]/**",
            "/[*]/**",
            "/gr[ae]y/**",
            "/[aeiou]*.txt",
            "/[A-C]/**",
            "/a[!]b",
        ] {
            assert_eq!(name(class), None, "{class}");
        }
        assert!(perhaps_name("/[AB]/**").is_some() && perhaps_name("/[Cc]ontracts/**").is_none());
    }
}
