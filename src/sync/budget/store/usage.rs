//! The statements on `room_count`, `storage_seen` and `storage_near`: how much is held.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::database::{Connection, Error, Row, from_row, params, statements};
use crate::sync::budget::amount::Amount;
use crate::sync::budget::scope::{Of, Scope};

/// What is held for a rule, and what is out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// At OpenAI, or on its way there, and to stay.
    pub staying: Amount,
    /// Still at OpenAI, and to go.
    pub leaving: Amount,
    pub out: Amount,
    /// Out although it was changed or asked for.
    pub wanted: Amount,
}

impl Held {
    /// What is at OpenAI.
    pub fn held(&self) -> Amount {
        self.staying + self.leaving
    }

    /// All that is out.
    pub fn all_out(&self) -> Amount {
        self.out + self.wanted
    }

    fn add(&mut self, other: &Held) {
        self.staying += other.staying;
        self.leaving += other.leaving;
        self.out += other.out;
        self.wanted += other.wanted;
    }
}

/// What all rules hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// By rule; copies of which the rule is not known are under the empty name.
    pub rules: BTreeMap<String, Held>,
    /// What the project holds beside that, and when it was seen.
    pub strangers: Option<(Amount, i64)>,
}

struct Count {
    rule: String,
    place: String,
    amount: Amount,
}

from_row!(row => Count { rule, place, amount: amount(row)? });

pub(super) fn amount(row: &Row<'_>) -> Result<Amount, Error> {
    Ok(Amount { files: row.get("files")?, bytes: row.get("bytes")?, stored: row.get("stored")? })
}

impl Usage {
    /// What counts for `scope`.
    pub fn of(&self, scope: &Scope) -> Held {
        let mut sum = Held::default();
        self.rules.iter().filter(|(rule, _)| scope.has(rule)).for_each(|(_, held)| sum.add(held));
        if let (Of::Project, Some((strangers, _))) = (&scope.of, self.strangers) {
            sum.staying += strangers;
        }
        sum
    }
}

/// What is held now.
pub fn usage(connection: &mut Connection) -> Result<Usage, Error> {
    let mut usage = Usage::default();
    for Count { rule, place, amount } in connection.all(USAGE, &[])? {
        let held = usage.rules.entry(rule).or_default();
        let of = match place.as_str() {
            "in" => &mut held.staying,
            "leaving" => &mut held.leaving,
            "out" => &mut held.out,
            _ => &mut held.wanted,
        };
        *of = amount;
    }
    let seen: Option<(i64, i64, i64)> = connection.first(STRANGERS, &[])?;
    usage.strangers = seen.map(|(files, bytes, seen_at)| (Amount { files, bytes, stored: 0 }, seen_at));
    Ok(usage)
}

/// Writes down what the project holds, as a whole list of it says, of which Docket's own is no part.
pub fn saw(connection: &mut Connection, (files, bytes): (u64, u64), now: i64) -> Result<(), Error> {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    connection.run(SAW, params![number(files), number(bytes), now]).map(drop)
}

/// Since when what the project holds is near to what it may hold.
pub fn near(connection: &mut Connection) -> Result<Option<i64>, Error> {
    connection.first(NEAR, &[])
}

/// Writes down that it is, or is not any more.
pub(in crate::sync::budget) fn set_near(tx: &mut Connection, is_near: bool, now: i64) -> Result<(), Error> {
    match is_near {
        true => tx.run(COMES_NEAR, params![now]),
        false => tx.run(IS_CLEAR, &[]),
    }
    .map(drop)
}

statements! {
    USAGE = "SELECT rule, place, files, bytes, stored FROM room_count";
    STRANGERS = "SELECT files, bytes, seen_at FROM storage_seen";
    SAW = "
        INSERT INTO storage_seen (one, files, bytes, seen_at)
        SELECT 1, CASE WHEN $1 > own.files THEN $1 - own.files ELSE 0 END,
               CASE WHEN $2 > own.bytes THEN $2 - own.bytes ELSE 0 END, $3
        FROM (SELECT CAST(coalesce(sum(files), 0) AS BIGINT) AS files, CAST(coalesce(sum(bytes), 0) AS BIGINT) AS bytes
              FROM room_count
              WHERE place IN ('in', 'leaving')) AS own
        WHERE true
        ON CONFLICT (one) DO UPDATE SET files = excluded.files, bytes = excluded.bytes, seen_at = excluded.seen_at";
    NEAR = "SELECT since FROM storage_near";
    COMES_NEAR = "INSERT INTO storage_near (one, since) VALUES (1, $1) ON CONFLICT DO NOTHING";
    IS_CLEAR = "DELETE FROM storage_near";
}
