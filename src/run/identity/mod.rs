//! Which rule is which, whatever it is called. Runs and results are kept by the name of their rule; a rule that gets another name
//! takes them along, so that nothing is run over again and no second result is written beside the first.
//!
//! A rule is the same as one of the last start when both have the same `id`, or else when it came, one went, and both take the
//! same files to the same place and run the same over them; where that is true of several at once it is true of none.

mod store;

use std::collections::BTreeMap;

use crate::database::{Connection, Database, Error};
use crate::rule::Rules;

pub use store::Known;

/// Gives what is kept of rules that have another name since the last start to their new names, and writes down which there are.
///
/// # Errors
/// Our database's.
pub async fn settle(database: &Database, rules: &Rules, now: i64) -> Result<(), Error> {
    let ours: Vec<Known> = rules
        .iter()
        .map(|rule| Known { rule: rule.name.clone(), id: rule.id.clone(), what: rule.what.clone() })
        .collect();
    let write = move |tx: &mut Connection| {
        let renamed = renamed(&store::known(tx)?, &ours);
        for (old, new) in in_order(renamed.clone()) {
            store::rename(tx, (&old, &new), now)?;
        }
        store::keep(tx, &ours, now)?;
        Ok(renamed)
    };
    for (old, new) in database.write(write).await? {
        tracing::info!(rule = new, before = old, "this rule has another name and keeps its runs and results");
    }
    Ok(())
}

/// Where rules take each other's names, what is kept of one of them waits under this name, which no rule can have in the settings.
const ASIDE: &str = "\u{1}";

/// The renames, each after the one that frees its new name. So only a circle of names needs [`ASIDE`], and nothing stays under it:
/// the name that it waits for is free by then.
fn in_order(mut renamed: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut ordered = Vec::with_capacity(renamed.len() + 1);
    while !renamed.is_empty() {
        let is_free = |new: &String| renamed.iter().all(|(old, _)| old != new);
        match renamed.iter().position(|(_, new)| is_free(new)) {
            Some(place) => ordered.push(renamed.remove(place)),
            None => {
                let old = std::mem::replace(&mut renamed[0].0, ASIDE.to_owned());
                ordered.push((old, ASIDE.to_owned()));
            }
        }
    }
    ordered
}

/// Rules by what they are.
type Alike<'a> = BTreeMap<&'a str, Vec<&'a Known>>;

/// The rules that have another name than at the last start: which, and which one now.
fn renamed(known: &[Known], ours: &[Known]) -> Vec<(String, String)> {
    let mut renamed = Vec::new();
    let (mut came, mut went) = (Alike::new(), Alike::new());
    let by_id =
        |own: &Known| own.id.as_ref().and_then(|id| known.iter().find(|one| one.id.as_ref() == Some(id)));
    for own in ours {
        match by_id(own) {
            Some(before) if before.rule != own.rule => renamed.push((before.rule.clone(), own.rule.clone())),
            Some(_) => {}
            None if known.iter().all(|one| one.rule != own.rule) => {
                came.entry(&own.what).or_default().push(own)
            }
            None => {}
        }
    }
    let is_here =
        |one: &Known| ours.iter().any(|own| own.rule == one.rule || (own.id.is_some() && own.id == one.id));
    for one in known.iter().filter(|one| !is_here(one)) {
        went.entry(&one.what).or_default().push(one);
    }
    for (what, came) in came {
        if let ([own], Some([before])) = (came.as_slice(), went.get(what).map(Vec::as_slice))
            && (own.id.is_none() || before.id.is_none())
        {
            renamed.push((before.rule.clone(), own.rule.clone()));
        }
    }
    renamed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(rules: &[(&str, Option<&str>, &str)]) -> Vec<Known> {
        let one = |(rule, id, what): &(&str, Option<&str>, &str)| Known {
            rule: (*rule).to_owned(),
            id: id.map(str::to_owned),
            what: (*what).to_owned(),
        };
        rules.iter().map(one).collect()
    }

    #[test]
    fn a_rule_is_known_again_by_its_id_or_by_what_it_is() {
        let renamed = |before: &[_], now: &[_]| {
            let pairs = renamed(&known(before), &known(now));
            pairs.into_iter().map(|(old, new)| format!("{old}>{new}")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(renamed(&[("a", None, "1")], &[("b", None, "1")]), "a>b");
        assert_eq!(renamed(&[("a", None, "1")], &[("b", None, "2")]), "", "another rule");
        assert_eq!(
            renamed(&[("a", None, "1")], &[("a", None, "1"), ("b", None, "1")]),
            "",
            "one more like it"
        );
        let two = [("a", None, "1"), ("b", None, "1")];
        assert_eq!(
            renamed(&two, &[("c", None, "1"), ("d", None, "1")]),
            "",
            "which is which cannot be known"
        );
        assert_eq!(renamed(&two, &[("c", None, "1")]), "");
        assert_eq!(
            renamed(&[("a", Some("x"), "1")], &[("b", Some("x"), "2")]),
            "a>b",
            "whatever else changed"
        );
        assert_eq!(
            renamed(&[("a", Some("x"), "1")], &[("b", Some("y"), "1")]),
            "",
            "it says that it is another"
        );
        assert_eq!(renamed(&[("a", None, "1")], &[("b", Some("y"), "1")]), "a>b");
        let (here, swapped) =
            ([("a", Some("x"), "1"), ("b", Some("y"), "2")], [("b", Some("x"), "1"), ("a", Some("y"), "2")]);
        assert_eq!(renamed(&here, &swapped), "a>b b>a");
        assert_eq!(renamed(&[], &[("a", None, "1")]), "", "the first start");
    }

    #[test]
    fn each_name_is_free_before_another_rule_takes_it() {
        let in_order = |renamed: &[(&str, &str)]| {
            let owned = renamed.iter().map(|(old, new)| ((*old).to_owned(), (*new).to_owned())).collect();
            let pairs = in_order(owned).into_iter().map(|(old, new)| format!("{old}>{new}"));
            pairs.collect::<Vec<_>>().join(" ").replace(ASIDE, "aside")
        };
        assert_eq!(in_order(&[("a", "b")]), "a>b");
        assert_eq!(in_order(&[("a", "b"), ("b", "c")]), "b>c a>b");
        assert_eq!(in_order(&[("a", "b"), ("b", "a")]), "a>aside b>a aside>b");
        assert_eq!(
            in_order(&[("a", "b"), ("b", "a"), ("c", "d"), ("d", "c"), ("e", "f")]),
            "e>f a>aside b>a aside>b c>aside d>c aside>d"
        );
    }
}
