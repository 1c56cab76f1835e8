//! What can be asked about Docket. The commands and the operator listener put the same questions and get the same answers, in rows: a command
//! that asks a server shows what it would have read itself.

pub mod audit;
pub mod events;
pub mod explain;
pub mod files;
pub mod imports;
pub mod jobs;
pub mod runs;
pub mod search;
pub mod status;
pub mod sweeps;
pub mod watch;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::range::{Bounds, bounds};
use super::status::About;
use crate::database::{Connection, Error};
use crate::rule::{Rule, Rules};

/// Rows of a list, where nobody says how many.
pub const USUAL: u32 = 50;

/// Rows that are answered at most at once.
pub const MOST: u32 = 500;

/// A question, as it stands behind the `?` of an address.
pub trait Question: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    type Answer: Serialize + DeserializeOwned + Send + 'static;

    /// Below `/api/v1`.
    fn path(&self) -> String;

    /// # Errors
    /// The database's. The inner one says what is wrong with the question.
    fn answer(
        &self,
        connection: &mut Connection,
        known: &Known,
    ) -> Result<Result<Self::Answer, Wrong>, Error>;
}

/// A question whose answer is a page of a list.
pub trait Listed: Question {
    type Row: Send;

    /// Goes on behind `after`, where that is one, with so many rows.
    fn go_on(&mut self, after: Option<String>, limit: u32);

    /// The rows of a page, and where the next one begins.
    fn take(page: &mut Self::Answer) -> (Vec<Self::Row>, Option<String>);
}

/// A question with these fields and those that turn its pages, which is [`Listed`]; its answer has `rows` and `next`.
macro_rules! listed {
    (
        $question:ident of $row:ident { $($(#[$own:meta])* $field:ident: $type:ty,)* }
        $(#[$of_behind:meta])*
        behind $behind:ty
    ) => {
        #[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize, utoipa::IntoParams)]
        #[serde(default, deny_unknown_fields)]
        #[into_params(parameter_in = Query)]
        pub struct $question {
            $($(#[$own])* pub $field: $type,)*
            /// What the page before had as `next`.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub after: Option<String>,
            $(#[$of_behind])*
            #[serde(skip_serializing_if = "Option::is_none")]
            pub behind: Option<$behind>,
            /// How many at most; 500 are, in any case.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub limit: Option<u32>,
        }

        impl super::Listed for $question {
            type Row = $row;

            fn go_on(&mut self, after: Option<String>, limit: u32) {
                if after.is_some() {
                    self.behind = None;
                    self.after = after;
                }
                self.limit = Some(limit);
            }

            fn take(page: &mut Self::Answer) -> (Vec<$row>, Option<String>) {
                (std::mem::take(&mut page.rows), page.next.take())
            }
        }
    };
}
use listed;

/// What is known besides the database.
#[derive(Debug, Clone)]
pub struct Known {
    pub about: About,
    /// Empty where the settings have none, or wrong ones.
    pub rules: Rules,
    /// Which server works on the database, in words.
    pub server: Option<String>,
    pub now: i64,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// There is no such thing.
    Nothing(String),
    /// It cannot be asked so.
    Asked(String),
}

impl Wrong {
    pub fn words(&self) -> &str {
        match self {
            Wrong::Nothing(words) | Wrong::Asked(words) => words,
        }
    }
}

impl Known {
    fn rule(&self, name: &str) -> Result<&Rule, Wrong> {
        rule_named(&self.rules, name)
    }
}

fn rule_named<'a>(rules: &'a Rules, name: &str) -> Result<&'a Rule, Wrong> {
    let names = || rules.iter().map(|rule| rule.name.as_str()).collect::<Vec<_>>().join(", ");
    let unknown = || Wrong::Asked(format!("no rule is called `{name}`; those there are: {}", names()));
    rules.named(name).ok_or_else(unknown)
}

/// Where a list goes on, as a text that says nothing to anybody but us.
fn cursor<T: Serialize>(place: &T) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(place).expect("a place is texts and numbers"))
}

fn place<T: DeserializeOwned>(cursor: Option<&str>) -> Result<Option<T>, Wrong> {
    let Some(cursor) = cursor else { return Ok(None) };
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    let place = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    place.map(Some).ok_or_else(|| Wrong::Asked("`after` is not what an answer had as `next`".to_owned()))
}

/// The time that a question is about.
fn range(since: Option<&String>, until: Option<&String>, now: i64) -> Result<Bounds, Wrong> {
    bounds((since.map(String::as_str), until.map(String::as_str)), now).map_err(Wrong::Asked)
}

/// As many as are asked for, within what is answered at once.
pub fn most(limit: Option<u32>) -> u32 {
    limit.unwrap_or(USUAL).clamp(1, MOST)
}

/// Leaves as many rows as were asked for, of which one more was read. The last of them, where there are more.
fn cut<T>(rows: &mut Vec<T>, limit: u32) -> Option<&T> {
    let limit = limit as usize;
    let more = rows.len() > limit;
    rows.truncate(limit);
    rows.last().filter(|_| more)
}

/// `return Ok(Err(…))` for what is wrong with a question.
macro_rules! ask {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(wrong) => return Ok(Err(wrong)),
        }
    };
}
use ask;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_what_is_none_is_said() {
        let text = cursor(&(5_i64, "a b".to_owned()));
        assert_eq!(place::<(i64, String)>(Some(&text)), Ok(Some((5, "a b".to_owned()))));
        assert_eq!(place::<i64>(None), Ok(None));
        for wrong in ["", "!", &cursor(&"text")] {
            assert!(matches!(place::<(i64, String)>(Some(wrong)), Err(Wrong::Asked(_))), "{wrong}");
        }
    }
}
