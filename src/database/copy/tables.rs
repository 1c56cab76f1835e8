//! What is copied, and what is not and why. A test fails when a table is in neither list.

use crate::database::statement::Sql;

/// One table that both engines have.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    pub name: &'static str,
    /// The columns of its key, by which its rows are in order.
    pub key: &'static [&'static str],
    pub place: Place,
    pub form: Form,
}

/// Where SQLite has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Database,
    Inbox,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Plain,
    /// Its key is a number that is never given again.
    Numbered,
    /// Behind its key its rows are in the order in which they came.
    InOrder,
    /// A number that triggers keep, in this column; 0 is as good as no row. It is not copied, but compared.
    Count(&'static str),
}

/// Columns that triggers keep, as they keep the numbers.
pub const DERIVED: [(&str, &str); 2] = [("run", "counted"), ("run_existing", "spared")];

/// Columns that say which server has a row in hand: none has, while its database is copied, and the numbers of the servers of another
/// database mean nothing. They are not copied.
const OF_SERVERS: [(&str, &str); 1] = [("job", "replica")];

const fn plain(name: &'static str, key: &'static [&'static str]) -> Table {
    Table { name, key, place: Place::Database, form: Form::Plain }
}

const fn numbered(name: &'static str, key: &'static [&'static str]) -> Table {
    Table { form: Form::Numbered, ..plain(name, key) }
}

const fn count(name: &'static str, key: &'static [&'static str], number: &'static str) -> Table {
    Table { form: Form::Count(number), ..plain(name, key) }
}

/// All that is copied, in this order: what refers to others comes after them, and `run_object` after what makes rows of it.
pub const TABLES: &[Table] = &[
    plain("receive_count", &["name", "label"]),
    numbered("history", &["history_id"]),
    plain("event", &["event_id"]),
    numbered("job", &["id"]),
    plain("pause", &["target"]),
    plain("file", &["source_id"]),
    plain("kept_out", &["source_id", "rule"]),
    numbered("copy", &["id"]),
    plain("file_out", &["rule", "source_id"]),
    plain("storage_seen", &["one"]),
    plain("storage_near", &["one"]),
    plain("vector_store", &["name"]),
    plain("full_store", &["vector_store"]),
    numbered("run", &["run_id"]),
    plain("own_file", &["owner"]),
    Table { form: Form::InOrder, ..plain("run_file", &["run_id"]) },
    plain("openai_webhook", &["webhook_id"]),
    plain("feed", &["feed"]),
    plain("feed_cursor", &["org"]),
    plain("feed_trail", &["org", "reached_at"]),
    plain("feed_search", &["profile"]),
    plain("relist", &["profile"]),
    plain("backfill", &["profile"]),
    plain("sweep", &["sweep"]),
    numbered("lost_upload", &["id"]),
    plain("clock", &["one"]),
    plain("running_rule", &["rule"]),
    plain("run_existing", &["rule", "source_id"]),
    plain("founding", &["founding"]),
    plain("swept_rule", &["rule"]),
    numbered("outside", &["outside_id"]),
    numbered("run_try", &["try_id"]),
    plain("model_pace", &["model"]),
    plain("model_limit", &["model"]),
    plain("known_rule", &["rule"]),
    plain("own_content", &["hash"]),
    plain("own_key", &["one"]),
    plain("digest_row", &["rule", "source_id"]),
    plain("digest_ask", &["rule"]),
    plain("shown_rule", &["rule"]),
    plain("question", &["definition"]),
    plain("run_object", &["kind", "object"]),
    numbered("erasure", &["erasure_id"]),
    numbered("audit", &["audit_id"]),
    numbered("bulk", &["bulk_id"]),
    plain("bulk_item", &["bulk_id", "item"]),
    plain("late", &["rule"]),
    numbered("news", &["news_id"]),
    numbered("import", &["import_id"]),
    plain("run_turn", &["run_id"]),
    plain("run_action", &["run_id", "action"]),
    numbered("batch", &["batch_id"]),
    plain("batch_run", &["run_id"]),
    // Last, so that no trigger makes news of the rows that are copied.
    plain("news_channel", &["endpoint", "kind"]),
    Table { place: Place::Inbox, ..numbered("inbox", &["inbox_id"]) },
];

/// What is only compared, when all is copied.
pub const COUNTS: &[Table] = &[
    count("job_count", &["state", "kind", "priority"], "jobs"),
    count("file_count", &["state"], "files"),
    count("copy_count", &["vector_store", "state"], "copies"),
    count("room_count", &["rule", "place"], "files"),
    count("event_count", &["kind"], "events"),
    count("run_count", &["word", "rule", "reason"], "runs"),
    count("run_existing_count", &["rule"], "files"),
];

/// Tables of which no row is copied, and why.
#[cfg(test)]
pub const OWN: &[(&str, &str)] = &[
    ("_sqlx_migrations", "SQLite: which migrations this file has had"),
    ("answer", "what was answered to a program within a day: a copy is another server, which was not asked"),
    ("sqlite_sequence", "SQLite: the last number of each table; it is set by itself when all is copied"),
    ("docket_migration", "PostgreSQL: which migrations this database has had"),
    ("replica", "PostgreSQL: which servers work on it, and none does while it is copied"),
    ("replica_lease", "PostgreSQL: for how long they do"),
    ("leader", "PostgreSQL: what one of them does at a time"),
    (
        "limit_bucket",
        "PostgreSQL: how much of OpenAI's limits was used in the last minute; a server on SQLite keeps that in its memory",
    ),
    ("job_count_part", "PostgreSQL: how a number has changed; its triggers write it when the rows come"),
    ("file_count_part", "likewise"),
    ("copy_count_part", "likewise"),
    ("room_count_part", "likewise"),
    ("event_count_part", "likewise"),
    ("run_count_part", "likewise"),
    ("run_existing_count_part", "likewise"),
];

/// The statements about one table. Their texts are made when a copy begins, and last as long as the process, which is that of a command.
#[derive(Debug, Clone)]
pub struct Statements {
    /// All rows, in order: takes how many.
    pub first: Sql,
    /// Those behind a key: takes its values, and how many.
    pub after: Sql,
    pub insert: Sql,
    /// Deletes some: takes how many.
    pub clear: Sql,
    /// How many rows there are.
    pub count: Sql,
    /// The last number that was given, where the key is a number.
    pub last: Sql,
    /// Both in this order: takes what [`Statements::last`] answers, so that the next number is a higher one.
    pub forget_last: Sql,
    pub set_last: Sql,
    /// Columns of a row that are compared: the first ones.
    pub columns: usize,
    /// Where the key stands in a row.
    pub key: Vec<usize>,
    /// Which columns of a row are inserted.
    pub inserted: Vec<usize>,
}

/// What a row's place in the order of arrival is called by each engine.
const ARRIVAL: (&str, &str) = ("rowid", "number");

impl Table {
    /// The statements, of a table that has these columns.
    pub fn statements(&self, columns: &[String]) -> Statements {
        let is_in_order = self.form == Form::InOrder;
        let is_left_out =
            |name: &str| OF_SERVERS.contains(&(self.name, name)) || (is_in_order && name == ARRIVAL.1);
        let columns: Vec<&str> =
            columns.iter().map(String::as_str).filter(|name| !is_left_out(name)).collect();
        let place =
            |name: &str| columns.iter().position(|column| *column == name).expect("a key is a column");
        let mut key: Vec<usize> = self.key.iter().map(|name| place(name)).collect();
        let (mut keys, mut read) = (self.key.to_vec(), columns.clone());
        if is_in_order {
            key.push(read.len());
            keys.push(ARRIVAL.0);
            read.push(ARRIVAL.0);
        }
        let is_derived = |name: &str| DERIVED.contains(&(self.name, name));
        let inserted: Vec<usize> = (0..columns.len()).filter(|at| !is_derived(columns[*at])).collect();
        let (name, order) = (self.name, keys.join(", "));
        let numbers = |from: usize, count: usize| {
            (from..from + count).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ")
        };
        let (condition, and) = match self.form {
            Form::Count(number) => (format!("WHERE {number} <> 0"), format!("AND {number} <> 0")),
            Form::Plain | Form::Numbered | Form::InOrder => (String::new(), String::new()),
        };
        let (select, number) = (read.join(", "), self.key[0]);
        let sequence = format!("pg_get_serial_sequence('{name}', '{number}')::regclass");
        let into = inserted.iter().map(|at| columns[*at]).collect::<Vec<_>>().join(", ");
        Statements {
            first: sql(format!("SELECT {select} FROM {name} {condition} ORDER BY {order} LIMIT $1")),
            after: sql(format!(
                "SELECT {select} FROM {name} WHERE ({order}) > ({}) {and} ORDER BY {order} LIMIT ${}",
                numbers(1, keys.len()),
                keys.len() + 1
            )),
            insert: sql(format!("INSERT INTO {name} ({into}) VALUES ({})", numbers(1, inserted.len()))),
            clear: sql(format!(
                "DELETE FROM {name} WHERE ({order}) IN (SELECT {order} FROM {name} ORDER BY {order} LIMIT $1)"
            )),
            count: sql(format!("SELECT count(*) FROM {name}")),
            last: of_each(
                format!(
                    "SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = '{name}'), 0),
                                coalesce((SELECT max({number}) FROM {name}), 0))"
                ),
                format!(
                    "SELECT greatest(coalesce(pg_sequence_last_value({sequence}), 0),
                                     coalesce((SELECT max({number}) FROM {name}), 0))"
                ),
            ),
            forget_last: of_each(
                format!("DELETE FROM sqlite_sequence WHERE name = '{name}'"),
                "SELECT 1".to_owned(),
            ),
            set_last: of_each(
                format!(
                    "INSERT INTO sqlite_sequence (name, seq) SELECT '{name}', $1 WHERE EXISTS (
                         SELECT 1 FROM sqlite_master WHERE name = '{name}' AND sql LIKE '%AUTOINCREMENT%')"
                ),
                format!("SELECT setval({sequence}, greatest(CAST($1 AS BIGINT), 1), CAST($1 AS BIGINT) > 0)"),
            ),
            columns: columns.len(),
            key,
            inserted,
        }
    }
}

/// Both engines take it, but for what a row's arrival is called.
fn sql(text: String) -> Sql {
    let postgres = text.replace(ARRIVAL.0, ARRIVAL.1);
    of_each(text, postgres)
}

fn of_each(sqlite: String, postgres: String) -> Sql {
    Sql::of_each(sqlite.leak(), postgres.leak())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::database::{postgres, sqlite};

    /// Names, and what of each must be: it is in the lists once, and there.
    #[test]
    fn a_table_is_copied_or_it_is_said_why_not() {
        let sqlite = sqlite::rows("SELECT name FROM sqlite_master WHERE type = 'table'");
        let postgres = postgres::testing::rows(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'",
        );
        let there: BTreeSet<String> = sqlite.into_iter().chain(postgres).collect();
        let copied = TABLES.iter().chain(COUNTS).map(|table| table.name);
        let listed: Vec<String> =
            copied.chain(OWN.iter().map(|(name, _)| *name)).map(str::to_owned).collect();
        let once: BTreeSet<String> = listed.iter().cloned().collect();
        assert_eq!(once.len(), listed.len(), "one is in two lists: {listed:?}");
        let in_no_list: Vec<_> = there.difference(&once).collect();
        assert_eq!(in_no_list, [""; 0], "whoever adds a table says whether `docket database copy` copies it");
        assert_eq!(once.difference(&there).collect::<Vec<_>>(), [""; 0], "these are not there any more");
    }

    #[test]
    fn the_rows_of_a_table_are_in_the_order_of_its_key() {
        for table in TABLES.iter().filter(|table| table.form != Form::InOrder) {
            let name = table.name;
            let key = format!("SELECT name FROM pragma_table_info('{name}') WHERE pk > 0 ORDER BY pk");
            assert_eq!(sqlite::rows(&key), table.key, "{name} of SQLite");
            let numbered = format!(
                "SELECT column_name FROM information_schema.columns WHERE table_name = '{name}' AND is_identity = 'YES'"
            );
            let key = if table.form == Form::Numbered { table.key } else { &[] };
            assert_eq!(postgres::testing::rows(&numbered), key, "{name}: what is numbered");
            let key = format!(
                "SELECT attname FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
                 WHERE indrelid = '{name}'::regclass AND indisprimary ORDER BY array_position(indkey, attnum)"
            );
            assert_eq!(postgres::testing::rows(&key), table.key, "{name}");
        }
    }
}
