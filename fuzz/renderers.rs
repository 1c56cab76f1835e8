//! Two renderers that nobody here wrote, and what may come out of them. The property tests look through them too.

use comrak::Options;

/// What results are made of in HTML. Nothing of it fetches, runs or asks.
const TAGS: [&str; 27] = [
    "p",
    "br",
    "hr",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "em",
    "strong",
    "ul",
    "ol",
    "li",
    "blockquote",
    "pre",
    "code",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "a",
    "del",
    "sup",
    "sub",
];

/// Every extension is on that GitHub, GitLab or an editor has, and HTML is let through.
fn options() -> Options<'static> {
    let mut options = Options::default();
    let extension = &mut options.extension;
    extension.table = true;
    extension.autolink = true;
    extension.tasklist = true;
    extension.strikethrough = true;
    extension.footnotes = true;
    extension.superscript = true;
    extension.math_dollars = true;
    extension.description_lists = true;
    options.parse.relaxed_autolinks = true;
    options.render.r#unsafe = true;
    options
}

pub fn rendered(markdown: &str) -> [String; 2] {
    let mut html = String::new();
    let all = pulldown_cmark::Options::all();
    pulldown_cmark::html::push_html(&mut html, pulldown_cmark::Parser::new_ext(markdown, all));
    [html, comrak::markdown_to_html(markdown, &options())]
}

/// Why this HTML does more than show text, if it does. Both renderers write a `<` of the text as `&lt;`.
pub fn fault(html: &str) -> Option<String> {
    for tag in html.split('<').skip(1) {
        let (inside, _) = tag.split_once('>')?;
        let name = inside.trim_start_matches('/').split([' ', '/', '\n']).next().unwrap_or_default();
        if !TAGS.contains(&name) {
            return Some(format!("<{inside}>"));
        }
        let href = inside.split_once("href=\"").map(|(_, rest)| rest.split('"').next().unwrap_or_default());
        if href.is_some_and(|href| !href.starts_with("https://") && !href.starts_with("mailto:"))
            || inside.contains("src=")
        {
            return Some(format!("<{inside}>"));
        }
    }
    let forged = html.chars().find(|c| "✔✓✅☑⚠\u{202e}\u{200b}\u{7}".contains(*c));
    forged
        .map(|sign| format!("{sign:?}"))
        .or_else(|| html.contains("UNVERIFIED").then(|| "UNVERIFIED".to_owned()))
}
