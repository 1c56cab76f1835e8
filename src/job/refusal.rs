//! Refusals: who says so, what it is about and what follows, in one table. [`super::verdict`] turns what a row says into a
//! job's verdict; docs/states.md shows the same rows, and a test holds both together. Pure.
//!
//! The rows are tried from the top, and the first that fits counts.

use crate::http::Speaker;
use crate::{fastio, openai};

/// What a call is for, as far as that changes what its refusal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// The bytes of a file go to OpenAI.
    Upload,
    /// A vector store takes a file.
    Attach,
    /// A run begins: its conversation or its response is made.
    Run,
    Other,
}

/// Who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    OpenAi,
    Fastio,
    /// Something on the way to either of them, or a form that could be of any program.
    Stranger,
}

/// What is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    Key,
    Forbidden,
    Money,
    Storage,
    Model,
    Setting,
    Content,
    Absent,
    Request,
    Slow,
    Busy,
    Down,
    Unreadable,
    Refusal,
    /// Anything, in an answer that is not the service's.
    Anything,
}

/// What it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    Content,
    File,
    Request,
    /// This kind of call; the account where a plain question is refused too, the service where that is not answered.
    Work,
    Model,
    Rule,
    Account,
    Object,
    Service,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follows {
    /// The content is not sent again: the file is `skipped`.
    Final,
    /// What needs it is held at once, as one finding.
    Held,
    /// The file is tried again with growing waits; several different ones without a success in between hold it.
    HeldBySeveral,
    Retry,
    Wait,
    /// Three failures in a row hold the service.
    Outage,
    NotThere,
    Dead,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    pub who: Who,
    /// None where it does not matter.
    pub call: Option<Call>,
    pub said: Said,
    pub about: About,
    pub follows: Follows,
}

const fn row(who: Who, call: Option<Call>, said: Said, about: About, follows: Follows) -> Row {
    Row { who, call, said, about, follows }
}

/// The table.
pub const TABLE: [Row; 31] = [
    row(Who::Stranger, None, Said::Slow, About::Service, Follows::Wait),
    row(Who::Stranger, None, Said::Down, About::Service, Follows::Outage),
    row(Who::Stranger, Some(Call::Upload), Said::Content, About::File, Follows::Retry),
    row(Who::Stranger, None, Said::Anything, About::Work, Follows::HeldBySeveral),
    row(Who::OpenAi, Some(Call::Run), Said::Model, About::Model, Follows::Held),
    row(Who::OpenAi, Some(Call::Run), Said::Setting, About::Rule, Follows::Held),
    row(Who::OpenAi, Some(Call::Run), Said::Key, About::Work, Follows::Held),
    row(Who::OpenAi, Some(Call::Run), Said::Forbidden, About::Work, Follows::Held),
    row(Who::OpenAi, None, Said::Key, About::Work, Follows::HeldBySeveral),
    row(Who::OpenAi, None, Said::Forbidden, About::Work, Follows::HeldBySeveral),
    row(Who::OpenAi, None, Said::Money, About::Work, Follows::Held),
    row(Who::OpenAi, None, Said::Storage, About::Work, Follows::Held),
    row(Who::OpenAi, Some(Call::Upload), Said::Content, About::Content, Follows::Final),
    row(Who::OpenAi, Some(Call::Attach), Said::Content, About::Content, Follows::Final),
    row(Who::OpenAi, None, Said::Content, About::Request, Follows::Dead),
    row(Who::OpenAi, None, Said::Absent, About::Object, Follows::NotThere),
    row(Who::OpenAi, None, Said::Request, About::Request, Follows::Dead),
    row(Who::OpenAi, None, Said::Slow, About::Account, Follows::Wait),
    row(Who::OpenAi, None, Said::Busy, About::Object, Follows::Retry),
    row(Who::OpenAi, None, Said::Down, About::Service, Follows::Outage),
    row(Who::OpenAi, None, Said::Unreadable, About::Request, Follows::Retry),
    row(Who::Fastio, None, Said::Key, About::Account, Follows::Held),
    row(Who::Fastio, None, Said::Money, About::Account, Follows::Held),
    row(Who::Fastio, None, Said::Forbidden, About::File, Follows::Dead),
    row(Who::Fastio, None, Said::Absent, About::Object, Follows::NotThere),
    row(Who::Fastio, None, Said::Request, About::Request, Follows::Dead),
    row(Who::Fastio, None, Said::Refusal, About::Object, Follows::Dead),
    row(Who::Fastio, None, Said::Slow, About::Account, Follows::Wait),
    row(Who::Fastio, None, Said::Busy, About::Object, Follows::Retry),
    row(Who::Fastio, None, Said::Down, About::Service, Follows::Outage),
    row(Who::Fastio, None, Said::Unreadable, About::Request, Follows::Retry),
];

/// The row that counts. A combination that no client makes is taken for the last one, from which nothing is concluded.
pub fn find(who: Who, call: Call, said: Said) -> &'static Row {
    let fits = |row: &&Row| {
        row.who == who
            && row.call.is_none_or(|wanted| wanted == call)
            && (row.said == said || row.said == Said::Anything)
    };
    TABLE.iter().find(fits).unwrap_or(&TABLE[TABLE.len() - 1])
}

/// What a failure of OpenAI's means. `model` is the one that a run asked for.
pub fn openai(call: Call, error: &openai::Error, model: Option<&str>) -> &'static Row {
    use openai::ErrorKind;
    let said = match &error.kind {
        _ if call == Call::Run
            && (model.is_some_and(|model| error.is_about_model(model)) || error.is_about_background()) =>
        {
            Said::Model
        }
        _ if call == Call::Run && error.refused_setting().is_some() => Said::Setting,
        ErrorKind::Unauthorized | ErrorKind::Identity => Said::Key,
        ErrorKind::Forbidden => Said::Forbidden,
        ErrorKind::QuotaExhausted => Said::Money,
        ErrorKind::StorageFull => Said::Storage,
        ErrorKind::NotFound => Said::Absent,
        ErrorKind::TooLarge | ErrorKind::InputTooLarge => Said::Content,
        ErrorKind::Rejected { .. } if call == Call::Upload => Said::Content,
        ErrorKind::Rejected { code: Some(code) } if openai::is_about_content(code) => Said::Content,
        ErrorKind::Rejected { .. } | ErrorKind::StoreFull => Said::Request,
        ErrorKind::RateLimited { .. } => Said::Slow,
        ErrorKind::StillProcessing => Said::Busy,
        ErrorKind::Unavailable { .. } => Said::Down,
        ErrorKind::Content | ErrorKind::Unreadable => Said::Unreadable,
        ErrorKind::Stranger => Said::Refusal,
    };
    // What is final for a content has to be in the service's own words.
    let who = match error.speaker {
        Speaker::Service => Who::OpenAi,
        Speaker::Likely if said != Said::Content => Who::OpenAi,
        Speaker::Likely | Speaker::Stranger => Who::Stranger,
    };
    find(who, call, said)
}

/// What a failure of Fastio's means.
pub fn fastio(error: &fastio::Error) -> &'static Row {
    use crate::http::Retry;
    use fastio::ErrorKind;
    let said = match &error.kind {
        ErrorKind::Unauthorized => Said::Key,
        ErrorKind::Forbidden { .. } if error.retry() == Retry::Pause => Said::Key,
        ErrorKind::PaymentRequired => Said::Money,
        ErrorKind::Forbidden { .. } => Said::Forbidden,
        ErrorKind::NotFound => Said::Absent,
        ErrorKind::Rejected => Said::Request,
        ErrorKind::Stale { .. } | ErrorKind::Stranger => Said::Refusal,
        ErrorKind::RateLimited { .. } => Said::Slow,
        ErrorKind::Locked | ErrorKind::Conflict => Said::Busy,
        ErrorKind::Unavailable { .. } => Said::Down,
        ErrorKind::Unreadable => Said::Unreadable,
    };
    let who = if error.speaker == Speaker::Stranger { Who::Stranger } else { Who::Fastio };
    find(who, Call::Other, said)
}
