//! What a message says. Pure.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::settings::{Endpoint, Format, Kind};
use super::store::Item;

/// What the specification of Standard Webhooks allows a body, less what a header may add to it somewhere.
const MOST_BYTES: usize = 19_000;

/// News that are told one by one; the rest is counted.
const MOST_ITEMS: usize = 50;

/// Of a path, its end: what a person knows the file by.
const MOST_PATH: usize = 200;

/// The body of a message of this kind.
pub fn body(endpoint: &Endpoint, kind: Kind, items: &[Item], at: Timestamp) -> Vec<u8> {
    let mut shown = items.len().min(MOST_ITEMS);
    loop {
        let body = match endpoint.format {
            Format::Standard => standard(kind, items, shown, at),
            Format::Slack => slack(&endpoint.template, kind, items, shown),
        };
        let body = serde_json::to_vec(&body).expect("texts and numbers are JSON");
        if body.len() <= MOST_BYTES || shown == 0 {
            return body;
        }
        shown = shown * 3 / 4;
    }
}

/// What `docket notify test` sends.
pub fn test(endpoint: &Endpoint, at: Timestamp) -> Vec<u8> {
    let words = "Docket reaches this endpoint.";
    let body = match endpoint.format {
        Format::Standard => {
            json!({"type": "docket.test", "timestamp": at.to_string(), "data": {"message": words}})
        }
        Format::Slack => json!({"text": words}),
    };
    serde_json::to_vec(&body).expect("texts are JSON")
}

fn standard(kind: Kind, items: &[Item], shown: usize, at: Timestamp) -> Value {
    let told: Vec<Value> = items[..shown].iter().map(|item| told(kind, item)).collect();
    json!({
        "type": format!("docket.{}", kind.as_str()),
        "timestamp": at.to_string(),
        "data": {"count": items.len(), "items": told, "more": items.len() - shown},
    })
}

fn told(kind: Kind, item: &Item) -> Value {
    let mut fields = Map::new();
    let mut put =
        |name: &str, value: Option<Value>| value.and_then(|value| fields.insert(name.to_owned(), value));
    let time = |ms: i64| Some(Value::from(moment(ms).to_string()));
    match kind {
        Kind::RunDone | Kind::RunFailed | Kind::NeedsReview => {
            // Exact, and no float on its way.
            put("run", Some(item.about.clone().into()));
            put("rule", item.rule.clone().map(Value::from));
            put("file", item.path.as_deref().map(|path| end(path).into()));
            put("outcome", item.outcome.clone().map(Value::from));
        }
        Kind::CauseOpened | Kind::CauseClosed => drop(put("cause", Some(item.about.clone().into()))),
        Kind::SweepStopped => drop(put("sweep", Some(item.about.clone().into()))),
        Kind::Late | Kind::OnTime => drop(put("rule", Some(item.about.clone().into()))),
        Kind::StorageNear | Kind::StorageClear => {
            drop(put("storage", Some(item.about.clone().into())));
        }
        Kind::StoreFull => {
            let (store, next) = continued(&item.about);
            put("vector_store", Some(store.into()));
            put("next", Some(next.into()));
        }
    }
    put("since", item.since.and_then(time));
    put("at", time(item.made_at));
    fields.into()
}

fn slack(template: &str, kind: Kind, items: &[Item], shown: usize) -> Value {
    let mut lines: Vec<String> =
        items[..shown].iter().map(|item| format!("• {}", escaped(&line(kind, item)))).collect();
    if items.len() > shown {
        lines.push(format!("… and {} more", items.len() - shown));
    }
    let title = title(kind, items.len());
    // One after the other, so that what a name holds is not taken for a place to fill.
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let Some((name, behind)) = after.split_once('}') else {
            text.push('{');
            rest = after;
            continue;
        };
        match name {
            "title" => text.push_str(&title),
            "lines" => text.push_str(&lines.join("\n")),
            "count" => text.push_str(&items.len().to_string()),
            _ => {}
        }
        rest = behind;
    }
    text.push_str(rest);
    json!({ "text": text })
}

/// What a person reads first, and on a phone perhaps alone.
fn title(kind: Kind, count: usize) -> String {
    let runs = |one: &str, many: &str| match count {
        1 => format!("1 result {one}"),
        count => format!("{count} results {many}"),
    };
    match kind {
        Kind::RunDone => runs("is ready", "are ready"),
        Kind::NeedsReview => runs("needs review", "need review"),
        Kind::RunFailed if count == 1 => "1 run failed".to_owned(),
        Kind::RunFailed => format!("{count} runs failed"),
        Kind::CauseOpened => "Docket is held up: docket status says what to do".to_owned(),
        Kind::CauseClosed => "Docket goes on".to_owned(),
        Kind::SweepStopped => "A sweep stopped for a person: docket sweep --dry-run".to_owned(),
        Kind::Late => "Changes wait longer than was promised".to_owned(),
        Kind::OnTime => "Changes are searchable again in time".to_owned(),
        Kind::StorageNear => "OpenAI's storage is nearly full: docket status says what to do".to_owned(),
        Kind::StorageClear => "OpenAI's storage has room again".to_owned(),
        Kind::StoreFull => {
            "A vector store is full and continues in another one: an assistant of yours has to search both"
                .to_owned()
        }
    }
}

fn line(kind: Kind, item: &Item) -> String {
    let since = || {
        item.since
            .map_or_else(String::new, |since| format!(" since {}", moment(since).strftime("%F %H:%M UTC")))
    };
    match kind {
        Kind::RunDone | Kind::RunFailed | Kind::NeedsReview => {
            let file = item.path.as_deref().map_or("a file that is gone", end);
            match &item.rule {
                Some(rule) => format!("{file} (rule {rule}, run {})", item.about),
                None => format!("{file} (run {})", item.about),
            }
        }
        Kind::CauseOpened | Kind::Late | Kind::StorageNear => format!("{}{}", item.about, since()),
        Kind::CauseClosed | Kind::OnTime | Kind::StorageClear | Kind::SweepStopped | Kind::StoreFull => {
            item.about.clone()
        }
    }
}

/// A store that is full, and the one in which it continues, as a trigger writes them.
fn continued(about: &str) -> (&str, &str) {
    about.split_once(" continues in ").unwrap_or((about, ""))
}

/// The last characters of a path.
fn end(path: &str) -> &str {
    let Some((at, _)) = path.char_indices().rev().nth(MOST_PATH - 1) else { return path };
    &path[at..]
}

/// As Slack wants it, so that no name becomes a link or calls a channel; and on one line.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

fn moment(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::settings::{self, Settings};

    fn endpoint(more: &str) -> Endpoint {
        let text = format!("name = 'a'\nurl = 'https://example.com/'\n{more}");
        let settings: Settings = toml::from_str(&text).unwrap();
        let secret = |_: &str| Some("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned());
        settings::endpoints(&[settings], secret).unwrap().remove(0)
    }

    fn run(number: usize, path: &str) -> Item {
        Item {
            about: number.to_string(),
            since: None,
            made_at: 1_795_000_000_000,
            rule: Some("liability".to_owned()),
            path: Some(path.to_owned()),
            outcome: Some("needs_review".to_owned()),
        }
    }

    #[test]
    fn many_of_a_kind_are_one_message_of_bounded_length() {
        let items: Vec<Item> = (0..200).map(|number| run(number, &"/ä<b>".repeat(300))).collect();
        for format in ["secret_env = 'S'", "format = 'slack'"] {
            let body = body(&endpoint(format), Kind::NeedsReview, &items, Timestamp::UNIX_EPOCH);
            assert!(body.len() < 20_000, "{}", body.len());
            let text = String::from_utf8(body).unwrap();
            assert!(text.contains("200"), "{text}");
        }
        let one = body(&endpoint("secret_env = 'S'"), Kind::NeedsReview, &items[..1], Timestamp::UNIX_EPOCH);
        let one: Value = serde_json::from_slice(&one).unwrap();
        assert_eq!((&one["type"], &one["data"]["count"]), (&"docket.needs_review".into(), &1.into()));
        assert_eq!(one["data"]["items"][0]["run"], "0");
    }

    #[test]
    fn a_name_makes_no_link_calls_nobody_and_fills_no_place() {
        let endpoint = endpoint("format = 'slack'\ntemplate = \"{count}: {title}\\n{lines}\"");
        let items = [run(7, "/<!channel> & {title}\nmore.txt")];
        let body = body(&endpoint, Kind::NeedsReview, &items, Timestamp::UNIX_EPOCH);
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            body["text"],
            "1: 1 result needs review\n• /&lt;!channel&gt; &amp; {title} more.txt (rule liability, run 7)"
        );
    }
}
