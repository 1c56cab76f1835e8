//! Things by id, in the order they were put there, and OpenAI's way of paging through them.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::error::ApiError;
use super::read::Query;

/// Things of one kind. A thing that was removed leaves its place behind, so that a list which is being paged through
/// goes on from a cursor whose thing is gone meanwhile (inferred; the documents do not say).
#[derive(Debug)]
pub struct Shelf<T> {
    things: BTreeMap<u64, T>,
    places: HashMap<String, u64>,
    next: u64,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Shelf { things: BTreeMap::new(), places: HashMap::new(), next: 0 }
    }
}

impl<T> Shelf<T> {
    pub fn put(&mut self, id: &str, thing: T) {
        self.things.insert(self.next, thing);
        self.places.insert(id.to_owned(), self.next);
        self.next += 1;
    }

    pub fn get(&self, id: &str) -> Option<&T> {
        self.things.get(self.places.get(id)?)
    }

    pub fn get_mut(&mut self, id: &str) -> Option<&mut T> {
        self.things.get_mut(self.places.get(id)?)
    }

    pub fn take(&mut self, id: &str) -> Option<T> {
        self.things.remove(self.places.get(id)?)
    }

    pub fn is_empty(&self) -> bool {
        self.things.is_empty()
    }

    /// Oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.things.values()
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.things.values_mut()
    }

    /// One page of those that `show` shows, as OpenAI's list endpoints answer it.
    pub fn page(&self, ask: &PageRequest, show: impl Fn(&T) -> Option<Value>) -> Result<Value, ApiError> {
        let (low, high) = self.bounds(ask)?;
        let within = self.things.range(low..high).map(|(_, thing)| thing);
        let from_its_end = ask.ascending == (ask.before.is_some() && ask.after.is_none());
        let found: Vec<Value> = if from_its_end {
            within.rev().filter_map(show).take(ask.limit + 1).collect()
        } else {
            within.filter_map(show).take(ask.limit + 1).collect()
        };
        Ok(listed(found, ask, from_its_end == ask.ascending))
    }

    /// The places between the cursors: from the first to before the second.
    fn bounds(&self, ask: &PageRequest) -> Result<(u64, u64), ApiError> {
        let place = |name: &str, cursor: &Option<String>| match cursor {
            None => Ok(None),
            Some(id) => self.places.get(id).map(|place| Some(*place)).ok_or_else(|| {
                ApiError::invalid(name, format!("Invalid '{name}': no object has the id '{id}'."))
                    .code("invalid_value")
            }),
        };
        let (after, before) = (place("after", &ask.after)?, place("before", &ask.before)?);
        let (above, below) = if ask.ascending { (after, before) } else { (before, after) };
        let low = above.map_or(0, |place| place + 1);
        Ok((low, below.unwrap_or(self.next).max(low)))
    }
}

/// Cuts to the limit, brings into the asked order and wraps.
fn listed(mut found: Vec<Value>, ask: &PageRequest, reversed: bool) -> Value {
    let has_more = found.len() > ask.limit;
    found.truncate(ask.limit);
    if reversed {
        found.reverse();
    }
    list(found, has_more)
}

/// A list as OpenAI wraps it. The document calls both ids required strings, so an empty list has empty ones; reports of the
/// real service show null there.
pub fn list(data: Vec<Value>, has_more: bool) -> Value {
    let id = |item: Option<&Value>| item.and_then(|item| item["id"].as_str()).unwrap_or_default().to_owned();
    let (first_id, last_id) = (id(data.first()), id(data.last()));
    json!({"object": "list", "data": data, "first_id": first_id, "last_id": last_id, "has_more": has_more})
}

/// What a list request asks for.
#[derive(Debug)]
pub struct PageRequest {
    pub limit: usize,
    pub ascending: bool,
    pub after: Option<String>,
    pub before: Option<String>,
}

impl PageRequest {
    /// Reads `limit`, `order`, `after` and `before` as most endpoints do.
    pub fn usual(query: &Query) -> Result<PageRequest, ApiError> {
        PageRequest::read(query, 20, 100)
    }

    /// The same with the endpoint's own default and largest limit.
    pub fn read(query: &Query, default: u32, most: u32) -> Result<PageRequest, ApiError> {
        let limit = query.integer("limit", 1, most.into())?.unwrap_or(default.into());
        let limit = usize::try_from(limit).expect("checked to be positive");
        let ascending = query.one_of("order", ["asc", "desc"])? == Some("asc");
        let cursor = |name| query.get(name).filter(|id| !id.is_empty()).map(str::to_owned);
        Ok(PageRequest { limit, ascending, after: cursor("after"), before: cursor("before") })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{PageRequest, Shelf};
    use crate::openai::read::Query;

    fn shelf() -> Shelf<u32> {
        let mut shelf = Shelf::default();
        (1..=7).for_each(|number| shelf.put(&number.to_string(), number));
        shelf
    }

    fn page(shelf: &Shelf<u32>, query: &str) -> (Vec<String>, bool) {
        let ask = PageRequest::read(&Query::parse(query), 3, 100).unwrap();
        let page = shelf.page(&ask, |number| Some(json!({"id": number.to_string()}))).unwrap();
        let ids = page["data"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned());
        (ids.collect(), page["has_more"] == Value::Bool(true))
    }

    fn ids(numbers: &[u32]) -> Vec<String> {
        numbers.iter().map(u32::to_string).collect()
    }

    #[test]
    fn pages_follow_their_cursor_in_both_orders() {
        let shelf = shelf();
        assert_eq!(page(&shelf, ""), (ids(&[7, 6, 5]), true));
        assert_eq!(page(&shelf, "after=5"), (ids(&[4, 3, 2]), true));
        assert_eq!(page(&shelf, "after=2"), (ids(&[1]), false));
        assert_eq!(page(&shelf, "order=asc&after=3"), (ids(&[4, 5, 6]), true));
        assert_eq!(page(&shelf, "order=asc&before=3"), (ids(&[1, 2]), false));
        assert_eq!(page(&shelf, "before=2&limit=2"), (ids(&[4, 3]), true));
    }

    #[test]
    fn a_cursor_outlives_its_thing() {
        let mut shelf = shelf();
        shelf.take("5");
        assert_eq!(page(&shelf, "after=5"), (ids(&[4, 3, 2]), true));
    }

    #[test]
    fn limits_and_cursors_are_checked() {
        let refused = |query: &str| PageRequest::read(&Query::parse(query), 20, 100).unwrap_err().message;
        assert!(refused("limit=101").contains("<= 100"));
        assert!(refused("limit=0").contains(">= 1"));
        assert!(refused("limit=many").contains("expected an integer"));
        assert!(refused("order=up").contains("'asc' and 'desc'"));
        let ask = PageRequest::read(&Query::parse("after=99"), 20, 100).unwrap();
        assert!(shelf().page(&ask, |_| None).unwrap_err().message.contains("'99'"));
    }
}
