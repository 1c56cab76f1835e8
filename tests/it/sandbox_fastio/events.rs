//! The change feed, event search and the long poll.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Fastio, WS, at, refused};

impl Fastio {
    async fn feed(&self, cursor: Option<&str>, limit: u16) -> Value {
        let org = self.state().await["org_id"].as_str().unwrap().to_owned();
        let mut query = vec![("limit", limit.to_string())];
        query.extend(cursor.map(|cursor| ("cursor", cursor.to_owned())));
        let path = format!("org/{org}/events/changes/");
        super::good(self.api(Method::GET, &path).query(&query)).await
    }
}

#[tokio::test]
async fn the_feed_starts_at_its_head_and_tells_every_change_after_it() {
    let fastio = Fastio::start().await;
    fastio.put("before.txt", "x").await;
    let start = fastio.feed(None, 250).await;
    assert!(start["changes"].as_array().unwrap().is_empty());
    assert_eq!(start["profiles"]["items"], json!([{"id": WS, "type": "workspace"}]));
    let cursor = start["cursor"].as_str().unwrap();
    assert!(cursor.contains('+'), "a cursor must be encoded: {cursor}");

    let node = fastio.put_id("a.txt", "a").await;
    fastio.get(&at(&node, "requestread")).await;
    fastio.put("a.txt", "b").await;
    let page = fastio.feed(Some(cursor), 1).await;
    assert_eq!(page["changes"][0]["event"], "workspace_storage_file_added");
    assert_eq!(page["changes"][0]["object_id"], json!(node));
    assert_eq!((&page["changes"][0]["profile_id"], &page["has_more"]), (&json!(WS), &json!(true)));
    let rest = fastio.feed(page["cursor"].as_str(), 1).await;
    assert_eq!(rest["changes"][0]["event"], "workspace_storage_file_updated", "a download is no change");
    assert_eq!(rest["has_more"], false);
    let end = fastio.feed(rest["cursor"].as_str(), 250).await;
    assert_eq!((&end["changes"], &end["cursor"]), (&json!([]), &rest["cursor"]));

    let share = fastio.control(Method::PUT, "profiles/share:5510392857104938271");
    super::good(share).await;
    let later = fastio.feed(rest["cursor"].as_str(), 250).await;
    assert_ne!(later["profiles"]["version"], end["profiles"]["version"]);
}

#[tokio::test]
async fn a_cursor_that_was_encoded_twice_is_refused() {
    let fastio = Fastio::start().await;
    let org = fastio.state().await["org_id"].as_str().unwrap().to_owned();
    let path = format!("org/{org}/events/changes/");
    let with = |query: &str| fastio.api(Method::GET, &format!("{path}?{query}"));
    assert_eq!(refused(with("cursor=%252B%252F")).await, (406, 158_008));
    assert_eq!(refused(with("limit=1001")).await, (406, 207_321));
    let other = fastio.api(Method::GET, "org/1/events/changes/");
    assert_eq!(refused(other).await, (403, 135_626));
}

#[tokio::test]
async fn event_search_removes_rows_after_it_has_cut_the_page() {
    let fastio = Fastio::start().await;
    for number in 0..4 {
        fastio.put(&format!("{number}.txt"), "x").await;
        fastio.put(&format!("{number}.txt"), "y").await;
    }
    let search = format!("events/search/?workspace_id={WS}&event=workspace_storage_file_added&limit=3");
    let (mut found, mut pages, mut cursor) = (0, Vec::new(), None);
    loop {
        let mut request = fastio.api(Method::GET, &search);
        if let Some(cursor) = cursor.take() {
            request = request.query(&[("cursor", cursor)]);
        }
        let page: Value = super::good(request).await;
        let count = page["events"].as_array().unwrap().len();
        pages.push(count);
        found += count;
        if page["pagination"]["has_more"] == false {
            break;
        }
        cursor = page["pagination"]["next_cursor"].as_str().map(str::to_owned);
    }
    assert_eq!((found, pages.len()), (4, 3), "{pages:?}: short pages, none of them the last");
    let nobody = fastio.get(&format!("events/search/?workspace_id={WS}&category=share")).await;
    assert!(nobody["events"].as_array().unwrap().is_empty());
    assert_eq!(refused(fastio.api(Method::GET, "events/search/")).await.0, 406);
    let newest = fastio.get(&format!("events/search/?workspace_id={WS}&limit=1")).await;
    let id = newest["events"][0]["event_id"].as_str().unwrap();
    fastio.post(&format!("event/{id}/ack/"), &[]).await;
    let details = fastio.get(&format!("event/{id}/details/")).await;
    assert_eq!(
        (&details["event"]["event_id"], &details["event"]["acknowledged"]),
        (&json!(id), &json!(true))
    );
}

#[tokio::test]
async fn a_long_poll_answers_when_something_happens() {
    let fastio = Fastio::start().await;
    let start = fastio.get(&format!("activity/poll/{WS}/")).await;
    let since = start["lastactivity"].as_str().unwrap();
    let path = format!("activity/poll/{WS}/?wait=95&lastactivity={since}");
    let (answer, node) = tokio::join!(fastio.get(&path), fastio.put_id("a.txt", "x"));
    assert_eq!(answer["activity"], json!([format!("storage:{node}")]));
}
