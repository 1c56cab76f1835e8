//! The table of refusals in the code is the one in the documents.

use docket::job::refusal::{About, Call, Follows, Row, Said, TABLE, Who};

#[test]
fn the_table_of_refusals_stands_in_the_documents_as_in_the_code() {
    let states = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/states.md")).unwrap();
    let head = "| who says so | in which call | what is said | what it is about | what follows |\n|---|---|---|---|---|\n";
    let rows: String = TABLE.iter().map(|row| line(row) + "\n").collect();
    assert!(states.contains(&format!("{head}{rows}\n")), "docs/states.md should have:\n{head}{rows}");
}

/// A row as the documents have it.
fn line(row: &Row) -> String {
    let in_call = row.call.map_or("any", call);
    format!(
        "| {} | {in_call} | {} | {} | {} |",
        who(row.who),
        said(row.said),
        about(row.about),
        follows(row.follows)
    )
}

fn who(who: Who) -> &'static str {
    match who {
        Who::OpenAi => "OpenAI",
        Who::Fastio => "Fastio",
        Who::Stranger => "a stranger",
    }
}

fn call(call: Call) -> &'static str {
    match call {
        Call::Upload => "uploading a file",
        Call::Attach => "attaching a file",
        Call::Run => "beginning a run",
        Call::Other => "another",
    }
}

fn said(said: Said) -> &'static str {
    match said {
        Said::Key => "the key is not accepted (401, or a 403 about the key)",
        Said::Forbidden => "the key may not (403)",
        Said::Money => "no credit, no subscription (402, `insufficient_quota`)",
        Said::Storage => "the storage is full",
        Said::Model => "there is no such model, or it does not run in the background",
        Said::Setting => "a part of the request that the rule sets is refused",
        Said::Content => {
            "this content is refused (400, 413, 415, 422; attaching: `unsupported_file`, `invalid_file`)"
        }
        Said::Absent => "it is not there (404, or 400 that names it)",
        Said::Request => "the request is refused (other 4xx)",
        Said::Slow => "too fast (429)",
        Said::Busy => "busy, locked (409, 423)",
        Said::Down => "5xx, 408, no answer",
        Said::Unreadable => "an answer that cannot be used",
        Said::Refusal => "another refusal",
        Said::Anything => "anything: a page, JSON in no form of theirs",
    }
}

fn about(about: About) -> &'static str {
    match about {
        About::Content => "this content",
        About::File => "this file",
        About::Request => "this request",
        About::Work => "this kind of call; the account, if a plain question is refused too",
        About::Model => "this model",
        About::Rule => "this rule",
        About::Account => "the account",
        About::Object => "the object",
        About::Service => "the service",
    }
}

fn follows(follows: Follows) -> &'static str {
    match follows {
        Follows::Final => "final for this content: `skipped`",
        Follows::Held => "held as one finding",
        Follows::HeldBySeveral => {
            "growing waits, then dead; held if three different jobs meet it and none succeeds"
        }
        Follows::Retry => "growing waits, then dead",
        Follows::Wait => "a wait, as long as is asked for",
        Follows::Outage => "an outage after three in a row",
        Follows::NotThere => "not there; what is removed for it needs a second proof",
        Follows::Dead => "dead",
    }
}
