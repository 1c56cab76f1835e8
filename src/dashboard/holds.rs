//! What each rule's vector stores hold, as Docket, Fastio and OpenAI count it, side by side.

use super::form::link;
use super::page::{Cell, Table, TableRow};
use crate::feed::sweep::Counted;
use crate::operate::status::Status;
use crate::operate::words::{count, dollars, spent_words, stamp, when};
use crate::rule::Rule;
use crate::sync::store::Chains;

/// What each rule's vector store has in it, and what its runs took within a day.
pub fn table(
    rules: &[&Rule],
    stores: &Chains,
    copies: &[(String, String, i64)],
    (seen, now): (&Status, i64),
) -> Table {
    let swept = seen.sweep.as_ref().and_then(|sweep| Some((sweep.ended_at, sweep.report()?.counted)));
    let row = |(rule, id, is_first): &(&Rule, Option<String>, bool)| {
        let number = |searchable: bool| -> i64 {
            let of_it = copies.iter().filter(|(store, ..)| Some(store) == id.as_ref());
            of_it.filter(|(_, state, _)| (state == "indexed") == searchable).map(|(.., copies)| copies).sum()
        };
        let spent = seen.spent.iter().find(|spent| spent.rule == rule.name);
        let money = spent.map_or_else(String::new, |spent| match spent.cost {
            0 => spent_words(spent),
            cost => format!("{}: {}", dollars(cost.unsigned_abs()), spent_words(spent)),
        });
        let counted = swept.as_ref().and_then(|(at, counted)| Some((*at, *counted.get(id.as_ref()?)?)));
        let [fastio, listed, agree] = match counted {
            Some((at, counted)) => [
                Cell::new(counted.fastio.to_string()),
                Cell::new(counted.told.unwrap_or(counted.listed).to_string()),
                Cell {
                    title: stamp(at),
                    ..Cell::new(format!("{}: {}", when(at.min(now), now), agreement(&counted)))
                },
            ],
            None => [Cell::new("–"), Cell::new("–"), Cell::new("no sweep has compared them yet")],
        };
        TableRow::new([
            Cell::link(&rule.name, link("/files", &[("rule", &rule.name)])),
            Cell::new(id.clone().unwrap_or_else(|| "not made yet".to_owned())),
            Cell::new(number(true).to_string()),
            Cell::new(number(false).to_string()),
            fastio,
            listed,
            agree,
            Cell::new(match (is_first, money.is_empty()) {
                (false, _) => String::new(),
                (true, true) => "nothing".to_owned(),
                (true, false) => money,
            }),
        ])
    };
    // A line for each of a rule's stores.
    let places: Vec<(&Rule, Option<String>, bool)> = rules
        .iter()
        .flat_map(|rule| {
            let stores: Vec<Option<String>> = stores.of(rule).iter().map(|id| Some(id.0.clone())).collect();
            let stores = if stores.is_empty() { vec![None] } else { stores };
            stores.into_iter().enumerate().map(|(place, store)| (*rule, store, place == 0))
        })
        .collect();
    Table {
        caption: "What each rule holds (rules of one vector store share its numbers)",
        head: vec![
            "rule",
            "vector store",
            "searchable",
            "on the way",
            "in Fastio",
            "in the store",
            "at the last sweep",
            "runs within 24 hours",
        ],
        rows: places.iter().map(row).collect(),
        chosen: "",
    }
}

/// Whether all sides counted the same, and else why not.
fn agreement(counted: &Counted) -> String {
    let Counted { fastio, listed, told, ours } = *counted;
    let mut differences = Vec::new();
    if let Some(told) = told.filter(|told| *told != listed) {
        differences.push(format!("the store says that it has {told} and lists {listed}"));
    }
    if ours != listed {
        differences.push(format!("of {listed} in the store {ours} were searchable copies of ours: the rest was on its way, or a stranger's"));
    }
    if fastio > ours {
        differences
            .push(format!("not held, because skipped or on the way: {}", count(fastio - ours, "file")));
    } else if fastio < ours {
        differences.push(format!("to be removed: {}", count(ours - fastio, "copy")));
    }
    if differences.is_empty() { "all agree".to_owned() } else { differences.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_differ_are_explained() {
        let all = Counted { fastio: 3, listed: 3, told: Some(3), ours: 3 };
        assert_eq!(agreement(&all), "all agree");
        let skipped = Counted { fastio: 4, ..all };
        assert_eq!(agreement(&skipped), "not held, because skipped or on the way: 1 file");
        let strange = Counted { listed: 5, told: Some(4), ..all };
        assert_eq!(
            agreement(&strange),
            "the store says that it has 4 and lists 5; of 5 in the store 3 were searchable copies of ours: the rest was on its way, or a \
             stranger's"
        );
    }
}
