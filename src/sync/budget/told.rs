//! How budgets stand, for people and monitors: what is in, what is out, and of what.

use serde::{Deserialize, Serialize};

use super::scope::Scope;
use super::store::{Held, Usage};

/// All budgets, as the settings have them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Plan {
    pub scopes: Vec<Scope>,
    pub dollars_a_gigabyte_day: f64,
}

/// How one of them stands.
#[derive(Debug, Clone)]
pub struct Standing<'a> {
    pub scope: &'a Scope,
    pub held: Held,
    /// What vector stores keep of it costs a day, in millionths of a US dollar.
    pub cost: u64,
}

impl Plan {
    /// How each stands that says something: the project's limit always.
    pub fn standings(&self, usage: &Usage) -> Vec<Standing<'_>> {
        let standing = |scope| {
            let held = usage.of(scope);
            Standing { scope, held, cost: self.cost(&held) }
        };
        self.scopes.iter().map(standing).collect()
    }

    /// What is held of it costs so much a day, in millionths of a US dollar, without what is free.
    pub fn cost(&self, held: &Held) -> u64 {
        let gigabytes = held.held().stored.max(0) as f64 / 1e9;
        (gigabytes * self.dollars_a_gigabyte_day * 1e6) as u64
    }
}

impl Standing<'_> {
    /// How full it is, in hundredths of what is nearest to its end.
    pub fn percent(&self) -> i64 {
        let (held, most) = (self.held.held(), self.scope.most);
        let of = |held: i64, most: Option<i64>| {
            most.map(|most| {
                i64::try_from(i128::from(held) * 100 / i128::from(most.max(1))).unwrap_or(i64::MAX)
            })
        };
        [of(held.files, most.files), of(held.bytes, most.bytes), of(held.stored, most.stored)]
            .into_iter()
            .flatten()
            .max()
            .unwrap_or_default()
    }

    /// Why something of it is out, in words; none where nothing is.
    pub fn why_out(&self) -> Option<&'static str> {
        match (self.held.wanted.files > 0, self.held.out.files > 0) {
            (true, _) => Some("files that are wanted do not fit beside what is pinned or in use"),
            (false, true) => Some("what is used least makes room for what is used"),
            (false, false) => None,
        }
    }
}
