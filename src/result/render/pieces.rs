//! A page of Markdown as the pieces it is made of, for what prints it in another form. Nothing that acts is among them, whatever the
//! Markdown says: a tag is text, a picture is its words, and a link leads where one may.

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, TextMergeStream};

use super::rewrite;

/// A piece of a page.
pub type Piece<'p> = Event<'p>;

/// The pieces of a page, in order.
pub fn pieces(markdown: &str) -> Vec<Piece<'_>> {
    // Whether each link that is open is one.
    let mut links = Vec::new();
    let parsed = TextMergeStream::new(Parser::new_ext(markdown, Options::ENABLE_TABLES));
    parsed.filter_map(|event| piece(event, &mut links)).collect()
}

fn piece<'p>(event: Event<'p>, links: &mut Vec<bool>) -> Option<Piece<'p>> {
    match event {
        Event::Html(text) | Event::InlineHtml(text) => Some(Event::Text(text)),
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            let leads = rewrite::allowed(&dest_url).is_some();
            links.push(leads);
            leads.then_some(Event::Start(Tag::Link { link_type, dest_url, title, id }))
        }
        Event::End(TagEnd::Link) => links.pop().unwrap_or(false).then_some(event),
        Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => None,
        other => Some(other),
    }
}

/// The words of a piece that is nothing but words.
pub fn words(piece: Piece<'_>) -> CowStr<'_> {
    match piece {
        Event::Text(text) | Event::InlineMath(text) | Event::DisplayMath(text) => text,
        _ => CowStr::Borrowed(""),
    }
}
