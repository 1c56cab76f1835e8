//! How the SQLite text of a statement becomes PostgreSQL's. All that is changed stands here; a statement that needs more has a text of
//! its own beside it.
//!
//! Statements are written so that both take them wherever that costs SQLite nothing: `IS DISTINCT FROM`, `CAST($1 AS TEXT)` where
//! nothing else says what a parameter is, `CAST(value AS BIGINT)` for a list of numbers. PostgreSQL's schema has functions for what it
//! lacks.

use std::borrow::Cow;

use crate::database::statement::Sql;

/// Words that stand for others.
const WORDS: [(&str, &str); 6] = [
    ("instr(", "strpos("),
    // Which table is read first is SQLite's to be told, and so is the index.
    ("CROSS JOIN", "JOIN"),
    (" GLOB value", " ~ glob_regex(value)"),
    // To SQLite capital letters are small ones there.
    (" LIKE ", " ILIKE "),
    // Keeps SQLite from an index.
    ("+profile", "profile"),
    ("ORDER BY rowid", "ORDER BY number"),
];

/// What comes before the name of an index, which PostgreSQL finds by itself.
const INDEXED: &str = "INDEXED BY ";

/// A list, and what it is read as: `json_each($1)`.
const LIST: &str = "json_each(";

/// The text of `sql` for PostgreSQL.
pub fn postgres(sql: Sql) -> Cow<'static, str> {
    if let Some(own) = sql.postgres() {
        return Cow::Borrowed(own);
    }
    let mut text = sql.text().to_owned();
    for (ours, theirs) in WORDS {
        text = text.replace(ours, theirs);
    }
    while let Some(at) = text.find(INDEXED) {
        let name = at + INDEXED.len();
        let end = text[name..]
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .map_or(text.len(), |end| name + end);
        text.replace_range(at..end, "");
    }
    Cow::Owned(lists(&text))
}

/// Reads each list as an array of texts, whose only column is `value`.
fn lists(text: &str) -> String {
    let (mut made, mut left) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = left.split_once(LIST) {
        let Some((list, behind)) = after.split_once(')') else { break };
        made.push_str(before);
        made.push_str(&format!("unnest({list}::text[]) AS json_each (value)"));
        left = behind;
    }
    made.push_str(left);
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sqlites_alone_is_said_as_postgresql_has_it() {
        let made = |text| postgres(Sql::listed(text)).into_owned();
        assert_eq!(
            made(
                "SELECT a FROM t INDEXED BY t_a WHERE a IN (SELECT value FROM json_each($2)) AND instr(b, $1) > 0"
            ),
            "SELECT a FROM t  WHERE a IN (SELECT value FROM unnest($2::text[]) AS json_each (value)) AND strpos(b, $1) > 0"
        );
        assert_eq!(made("SELECT 1 FROM t CROSS JOIN u ON u.a = t.a"), "SELECT 1 FROM t JOIN u ON u.a = t.a");
        assert_eq!(postgres(Sql::of_each("SELECT 1", "SELECT 2")), "SELECT 2");
    }
}
