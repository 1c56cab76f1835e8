//! The text of a statement, and the list that a file keeps of its own.

/// The text of one statement. Only [`statements!`](crate::database::statements) makes one, so a test prepares each.
///
/// Parameters are `$1`, `$2`, …, the same one as often as it is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sql {
    text: &'static str,
    postgres: Option<&'static str>,
    /// How many parameters it has.
    pub(super) parameters: usize,
    pub(super) is_in_order: bool,
}

impl Sql {
    #[doc(hidden)]
    pub const fn listed(text: &'static str) -> Self {
        Sql::of(text, None)
    }

    #[doc(hidden)]
    pub const fn of_each(text: &'static str, postgres: &'static str) -> Self {
        Sql::of(text, Some(postgres))
    }

    const fn of(text: &'static str, postgres: Option<&'static str>) -> Self {
        let Parameters { highest, is_in_order } = parameters(text);
        Sql { text, postgres, parameters: highest, is_in_order }
    }

    pub fn text(self) -> &'static str {
        self.text
    }

    /// Its text for PostgreSQL, where it has one of its own.
    pub(super) fn postgres(self) -> Option<&'static str> {
        self.postgres
    }
}

/// Declares the statements of a file as constants, and makes the test that prepares each of them: a misspelt table is a failing
/// test and not a failing night, and so is a statement that reads a whole table.
///
/// The text is SQLite's. PostgreSQL's is made of it (`database/postgres/dialect`), unless it has one of its own beside it.
///
/// ```text
/// statements! {
///     /// The oldest rows.
///     OLDEST = "SELECT id FROM inbox ORDER BY id LIMIT $1";
///     SPARE = "UPDATE OR IGNORE t SET a = $1", postgres: "UPDATE t SET a = $1 WHERE …";
/// }
/// ```
#[macro_export]
macro_rules! statements {
    ($($(#[$about:meta])* $name:ident = $text:expr $(, postgres: $postgres:expr)?;)+) => {
        $($(#[$about])* const $name: $crate::database::Sql = $crate::statements!(@ $text $(, $postgres)?);)+

        #[cfg(test)]
        #[test]
        fn every_statement_can_be_prepared() {
            $crate::database::prepare(module_path!(), &[$((stringify!($name), $name)),+]);
        }
    };
    (@ $text:expr) => { $crate::database::Sql::listed($text) };
    (@ $text:expr, $postgres:expr) => { $crate::database::Sql::of_each($text, $postgres) };
}
pub use statements;

struct Parameters {
    highest: usize,
    /// They stand for the first time in the order of their numbers.
    is_in_order: bool,
}

const fn parameters(text: &str) -> Parameters {
    let (text, mut at, mut highest, mut is_in_order) = (text.as_bytes(), 0, 0, true);
    while at < text.len() {
        let mut number = 0;
        if text[at] == b'$' {
            while at + 1 < text.len() && text[at + 1].is_ascii_digit() {
                at += 1;
                number = 10 * number + (text[at] - b'0') as usize;
            }
        }
        if number > highest + 1 {
            is_in_order = false;
        }
        if number > highest {
            highest = number;
        }
        at += 1;
    }
    Parameters { highest, is_in_order }
}
