//! Globs that surely mean something else than what was wished: they are refused with the right spelling, because one that
//! covers nothing is silent for ever.

#[cfg(test)]
mod tests;

use super::brackets;
use crate::hidden;

/// Looks at a glob without its `!`, and says what is wrong with it and how to write it.
type Check = fn(&str) -> Option<String>;

/// The first one that finds something is believed.
const CHECKS: [Check; 15] = [
    empty, unseen, blank, quoted, address, list, braces, foreign, backslash, regular, place, kinds, bracket,
    stars, extension,
];

/// What is wrong with a glob, and how to write it.
pub fn mistake(glob: &str) -> Option<String> {
    let text = glob.strip_prefix('!').unwrap_or(glob);
    comment(glob).or_else(|| CHECKS.iter().find_map(|check| check(text)))
}

/// What a glob may mean that was not wished, and how to write the other thing. It may be right, so it is no mistake.
pub fn doubt(glob: &str) -> Option<String> {
    let (class, right) = brackets::perhaps_name(glob)?;
    Some(format!(
        "`{glob}`: {class} stands for one letter of these, as globs have it; a name that holds the brackets is written {right}"
    ))
}

fn empty(text: &str) -> Option<String> {
    text.trim()
        .trim_matches('/')
        .is_empty()
        .then(|| "it covers nothing: remove it, or write /** for everything".to_owned())
}

fn comment(text: &str) -> Option<String> {
    let right = if text.trim_end_matches('/').contains('/') { "/" } else { "**/" };
    text.starts_with('#')
        .then(|| format!("what begins with # is a comment and covers nothing: write {right}{text}"))
}

/// Characters that a text gets on its way from a web page or an editor.
fn unseen(text: &str) -> Option<String> {
    // Persian words and emoji are written with these two.
    let is_unseen = |letter: char| hidden::is_hidden(letter) && !matches!(letter, '\u{200c}' | '\u{200d}');
    let right: String = text.chars().filter(|letter| !is_unseen(*letter)).collect();
    (right != text).then(|| {
        format!(
            "it holds a character that does not show: write {right}, or ? in its place if the name does hold it"
        )
    })
}

fn blank(text: &str) -> Option<String> {
    if text.starts_with(char::is_whitespace) {
        let rest = text.trim_start();
        return Some(format!(
            "it begins with a blank: write {rest}, or [ ]{rest} if the name does begin with one"
        ));
    }
    let rest = text.trim_end();
    (rest != text && !text.ends_with("\\ ")).then(|| {
        format!("it ends in a blank, which is not looked at: write {rest}, or {rest}[ ] if the name does")
    })
}

fn quoted(text: &str) -> Option<String> {
    const PAIRS: [(char, char); 7] =
        [('"', '"'), ('\'', '\''), ('`', '`'), ('“', '”'), ('„', '“'), ('‘', '’'), ('«', '»')];
    let inside = |(open, close)| text.strip_prefix(open)?.strip_suffix(close);
    let right = PAIRS.into_iter().find_map(inside)?;
    Some(format!("the quotation marks are part of it: write {right}"))
}

/// A place on a web page, on a machine or of a drive.
fn address(text: &str) -> Option<String> {
    if text.contains("://") {
        return Some(
            "it is an address, and paths begin at the top folder of the workspace: write /Folder/** with the folder's name"
                .to_owned(),
        );
    }
    let from_top = |rest: &str| format!("/{}", rest.replace('\\', "/").trim_start_matches('/'));
    let mut letters = text.chars();
    if letters.next().is_some_and(|letter| letter.is_ascii_alphabetic())
        && let Some(rest) = letters.as_str().strip_prefix(':')
        && rest.starts_with(['/', '\\'])
    {
        let right = from_top(rest);
        return Some(format!(
            "Fastio has no drives, and paths begin at the top folder of the workspace: write {right}"
        ));
    }
    let home =
        ["~/", "$HOME/", "${HOME}/", "%USERPROFILE%\\"].into_iter().find_map(|home| text.strip_prefix(home));
    let home = home.or((text == "~").then_some("**"))?;
    let right = from_top(home);
    Some(format!(
        "Fastio has no home folder, and paths begin at the top folder of the workspace: write {right}"
    ))
}

/// Several globs in one text.
fn list(text: &str) -> Option<String> {
    let (mut depth, mut parts) = (0_usize, vec![String::new()]);
    for letter in text.chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' | ';' | '|' | '\n' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().expect("it begins with one").push(letter);
    }
    let each: Vec<&str> = parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()).collect();
    let is_glob = |part: &&str| part.starts_with(['/', '*']) || part.starts_with("!");
    if let ([one], true) = (&each[..], parts.len() > 1) {
        return Some(format!("it ends in a comma, a semicolon or a bar: write {one}"));
    }
    let are_several = each.len() > 1 && each.iter().all(is_glob);
    are_several.then(|| format!("each glob is a text of its own: write \"{}\"", each.join("\", \"")))
}

/// Alternatives in braces that match nothing: with a blank before them, or from the top folder.
fn braces(text: &str) -> Option<String> {
    let (open, close) = text.find('{').zip(text.rfind('}')).filter(|(open, close)| open < close)?;
    let each: Vec<&str> = text[open + 1..close].split(',').collect();
    if each.iter().any(|one| one.starts_with('/')) {
        let all: Vec<String> = each
            .iter()
            .map(|one| format!("\"{}{}{}\"", &text[..open], one.trim(), &text[close + 1..]))
            .collect();
        return Some(format!("what begins at the top folder is a glob of its own: write {}", all.join(", ")));
    }
    let trimmed: Vec<&str> = each.iter().map(|one| one.trim()).collect();
    (trimmed != each).then(|| {
        let right = format!("{}{{{}}}{}", &text[..open], trimmed.join(","), &text[close + 1..]);
        format!("the blanks in the braces are part of what is matched: write {right}")
    })
}

/// Extensions in brackets, which stand for one letter of them.
fn kinds(text: &str) -> Option<String> {
    let (before, rest) = text.rsplit_once(".[")?;
    let inside = rest.strip_suffix(']')?;
    let each: Vec<&str> = inside.split(['|', ',']).map(str::trim).collect();
    let are_known = each.iter().all(|one| EXTENSIONS.contains(&one.to_ascii_lowercase().as_str()));
    are_known.then(|| {
        let right = if each.len() == 1 { inside.to_owned() } else { format!("{{{}}}", each.join(",")) };
        format!("[{inside}] stands for one letter of these, as globs have it: write {before}.{right}")
    })
}

/// What is written otherwise elsewhere: in a URL, in full width, as the other slash.
fn foreign(text: &str) -> Option<String> {
    const ALIKE: [(char, &str); 11] = [
        ('＊', "*"),
        ('∗', "*"),
        ('？', "?"),
        ('／', "/"),
        ('⁄', "/"),
        ('∕', "/"),
        ('＼', "/"),
        ('［', "["),
        ('］', "]"),
        ('｛', "{"),
        ('｝', "}"),
    ];
    if let Some((letter, right)) = ALIKE.into_iter().find(|(letter, _)| text.contains(*letter)) {
        return Some(format!(
            "{letter} is not {right}: write {}, or ? in its place if the name does hold it",
            text.replace(letter, right)
        ));
    }
    let decoded = percent_decoded(text).filter(|decoded| decoded != text)?;
    Some(format!(
        "names are not written as in a URL: write {decoded}, or {} if the name does hold the %",
        text.replace('%', "[%]")
    ))
}

/// The text with `%20` as a blank, and so on; none when that is no text.
fn percent_decoded(text: &str) -> Option<String> {
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::with_capacity(text.len()), 0);
    while let Some(&byte) = bytes.get(at) {
        let hex = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        let hex = hex.filter(|hex| byte == b'%' && hex.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let decoded = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(decoded.unwrap_or(byte));
        at += if decoded.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out).ok().filter(|text| !text.chars().any(char::is_control))
}

/// A backslash before what needs none.
fn backslash(text: &str) -> Option<String> {
    let (mut before, mut rest) = (None, text.chars().peekable());
    while let Some(letter) = rest.next() {
        if letter != '\\' {
            before = Some(letter);
            continue;
        }
        match rest.next() {
            // Between a folder and a star it stands for a slash.
            Some('*') if before.is_some_and(|before| before != '/') => {}
            // A regular expression's.
            Some('.') => {}
            Some(next) if next.is_ascii_punctuation() || next == ' ' => {
                before = Some(next);
                continue;
            }
            _ => {}
        }
        return Some(match regular(text) {
            Some(words) => words,
            None => format!(
                "\\ does not part folders: write {}",
                one_slash(text.replace('\\', "/").trim_end_matches('/'))
            ),
        });
    }
    None
}

/// A regular expression.
fn regular(text: &str) -> Option<String> {
    let is_one = text.contains("\\.")
        || text.starts_with('^')
        || text.starts_with("(?")
        || (text.ends_with('$') && text.contains('.'))
        || (text.contains('(') && text.contains('|'));
    is_one.then(|| {
        "it is a regular expression, and these are globs: write *.pdf for names that end so, {pdf,docx} for one or the \
         other, and /** for all that is below"
            .to_owned()
    })
}

/// Parts of a path that no path has.
fn place(text: &str) -> Option<String> {
    let plain = one_slash(text);
    let right = plain.trim_start_matches("./").replace("/./", "/");
    let is_odd = text.split('/').any(|part| part == "." || part == "..") || text.contains("//");
    is_odd.then(|| {
        format!("no path holds `//`, `.` or `..`: write the path from the top folder, as in {right}")
    })
}

/// A name in brackets.
fn bracket(text: &str) -> Option<String> {
    let (class, right) = brackets::name(text)?;
    Some(format!(
        "{class} stands for one letter of these, as globs have it: write {right} for a name that holds the brackets, or \
         braces and commas, as in {{A,B}}, if one of several is meant"
    ))
}

/// Stars that globs read otherwise than they look.
fn stars(text: &str) -> Option<String> {
    for part in text.split('/').filter(|part| part.contains("**") && *part != "**") {
        // `**.pdf` is taken as it is meant.
        let is_extension = part.strip_prefix("**.").is_some_and(|rest| !rest.contains("**"));
        if is_extension && text.ends_with(part) {
            continue;
        }
        let name = part.replace("**", "");
        let right = match (part.starts_with("**"), part.ends_with("**")) {
            (true, true) if name.trim_matches('*').is_empty() => "**".to_owned(),
            (true, false) => format!("**/*{name}"),
            (false, true) => format!("{name}/**"),
            _ => part.replace("**", "*/**/*"),
        };
        let right = text.replacen(part, &right, 1);
        return Some(format!("`**` stands for folders only where nothing else is beside it: write {right}"));
    }
    None
}

/// An extension in a place where it matches nothing.
fn extension(text: &str) -> Option<String> {
    let name = text.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let known = |extension: &str| {
        let extension = extension.to_ascii_lowercase();
        EXTENSIONS.contains(&extension.as_str())
    };
    if text.ends_with('/') && name.contains('*') && name.rsplit_once('.').is_some_and(|(_, end)| known(end)) {
        return Some(format!(
            "with the / at its end it names folders only: write {}",
            text.trim_end_matches('/')
        ));
    }
    if name.strip_prefix('.').is_some_and(known) {
        let folders = text.trim_end_matches('/').strip_suffix(name).unwrap_or_default();
        return Some(format!("it names a file that is called {name}: write {folders}*{name}"));
    }
    None
}

/// Of documents, as people write them after a dot.
const EXTENSIONS: [&str; 28] = [
    "pdf", "doc", "docx", "dot", "dotx", "odt", "rtf", "txt", "md", "csv", "tsv", "xls", "xlsx", "ods",
    "ppt", "pptx", "odp", "html", "htm", "xml", "json", "eml", "msg", "tex", "png", "jpg", "jpeg", "zip",
];

fn one_slash(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if !(letter == '/' && out.ends_with('/')) {
            out.push(letter);
        }
    }
    out
}
