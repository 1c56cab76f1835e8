//! Changes are learnt without webhooks: from the change feed, from Fastio's events where the feed is refused, and from
//! sweeps where those are refused too.

use docket::feed::follow::Next;
use docket::feed::store::Way;
use serde_json::json;

use crate::harness::{FOLLOWING, Harness};

const FEED: &str = "/current/org/**";
const INVENTORY: &str = "/current/workspace/4829105738291047362/storage/inventory/";
const SEARCH: &str = "/current/events/search/";

/// Every kind of change that Fastio tells of.
async fn change_everything(h: &Harness) {
    h.put("/Contracts/nda.txt", "Confidential.").await;
    h.put("/Contracts/msa.txt", "Master services.").await;
    h.put("/old.txt", "Old.").await;
}

async fn change_everything_again(h: &Harness) {
    h.put("/Contracts/nda.txt", "Confidential, amended.").await;
    h.rename("/Contracts/msa.txt", "/Contracts/master.txt").await;
    h.trash("/old.txt").await;
    h.put("/new.txt", "New.").await;
    h.rename("/Contracts", "/Agreements").await;
}

async fn follow(h: &Harness) -> docket::feed::follow::Step {
    h.feed.follow_once().await.unwrap()
}

#[tokio::test]
async fn without_webhooks_the_change_feed_keeps_everything_in_line() {
    let h = Harness::with(FOLLOWING).await;
    h.without_webhooks().await;
    h.put("/before.txt", "There before the feed was followed.").await;
    let first = follow(&h).await;
    assert_eq!((first.way, first.relisted), (Some(Way::Changes), 1), "the first step lists everything");
    h.converges().await;

    change_everything(&h).await;
    assert!(follow(&h).await.recorded.new >= 3);
    h.converges().await;
    change_everything_again(&h).await;
    follow(&h).await;
    h.converges().await;
    assert_eq!(h.held().await.len(), 4);

    let quiet = follow(&h).await;
    assert_eq!((quiet.recorded.new, quiet.next), (0, Next::Interval));
    assert!(h.jobs().await.is_empty());
    h.finish().await;
}

#[tokio::test]
async fn what_webhook_and_feed_both_report_is_one_event() {
    let h = Harness::with(FOLLOWING).await;
    h.put("/a.txt", "A").await;
    h.take_in().await;
    follow(&h).await;
    h.converges().await;

    for (name, webhook_first) in [("/b.txt", true), ("/c.txt", false)] {
        let before = h.number("SELECT count(*) FROM event").await;
        h.put(name, name).await;
        if webhook_first {
            h.take_in().await;
        }
        follow(&h).await;
        h.take_in().await;
        assert_eq!(h.number("SELECT count(*) FROM event").await, before + 1);
        assert_eq!(h.jobs().await.len(), 1);
        h.converges().await;
    }
    // The overlap reads them all once more.
    let events = h.number("SELECT count(*) FROM event").await;
    let again = follow(&h).await;
    assert!(again.recorded.duplicate >= 2 && again.recorded.new == 0, "{again:?}");
    assert_eq!(h.number("SELECT count(*) FROM event").await, events);
    assert!(h.jobs().await.is_empty());
    h.finish().await;
}

#[tokio::test]
async fn the_overlap_moves_on() {
    let h = Harness::with(FOLLOWING).await;
    h.without_webhooks().await;
    follow(&h).await;
    for round in 0..10 {
        h.put(&format!("/{round}.txt"), "text").await;
        assert_eq!(follow(&h).await.recorded.new, 1);
        h.pass(60_000);
    }
    // Two minutes of overlap at one change a minute.
    assert!(follow(&h).await.recorded.duplicate <= 4);
    assert!(h.number("SELECT count(*) FROM feed_trail").await <= 8);
    h.finish().await;
}

#[tokio::test]
async fn a_lost_cursor_lists_everything_again() {
    let h = Harness::with(FOLLOWING).await;
    h.without_webhooks().await;
    change_everything(&h).await;
    follow(&h).await;
    h.converges().await;

    change_everything_again(&h).await;
    h.purge("/new.txt").await;
    h.meddle("UPDATE feed_cursor SET cursor = 'gone'").await;
    h.meddle("DELETE FROM feed_trail").await;
    assert_eq!(follow(&h).await.relisted, 1);
    h.converges().await;
    h.put("/later.txt", "Later.").await;
    assert_eq!(follow(&h).await.recorded.new, 1, "and the feed goes on from there");
    h.finish().await;
}

#[tokio::test]
async fn a_listing_that_fails_after_a_lost_cursor_is_tried_again() {
    let h = Harness::with(FOLLOWING).await;
    h.without_webhooks().await;
    h.put("/a.txt", "A").await;
    h.fastio_fails(json!({ "kind": "server_error", "path": INVENTORY, "count": 1 })).await;
    assert_eq!(follow(&h).await.relisted, 0);
    assert!(h.jobs().await.is_empty());
    assert_eq!(follow(&h).await.relisted, 1);
    h.finish().await;
}

#[tokio::test]
async fn a_feed_that_fails_is_taken_up_where_it_was() {
    let h = Harness::with(FOLLOWING).await;
    h.without_webhooks().await;
    follow(&h).await;
    h.put("/a.txt", "A").await;
    h.fastio_fails(json!({ "kind": "server_error", "path": FEED, "count": 2 })).await;
    for _ in 0..2 {
        h.feed.follow_once().await.unwrap_err();
    }
    let step = follow(&h).await;
    assert_eq!((step.way, step.recorded.new), (Some(Way::Changes), 1));
    h.finish().await;
}

#[tokio::test]
async fn where_the_feed_is_refused_events_are_searched() {
    let h = Harness::with(FOLLOWING).await;
    h.without_webhooks().await;
    h.fastio_refuses(FEED).await;
    h.put("/before.txt", "There before.").await;
    let first = follow(&h).await;
    assert_eq!((first.way, first.relisted), (Some(Way::Search), 1));
    h.converges().await;

    change_everything(&h).await;
    follow(&h).await;
    h.converges().await;
    change_everything_again(&h).await;
    follow(&h).await;
    h.converges().await;
    let quiet = follow(&h).await;
    assert_eq!((quiet.way, quiet.recorded.new), (Some(Way::Search), 0));

    // The key was given what it lacked.
    h.no_faults().await;
    h.without_webhooks().await;
    h.put("/widened.txt", "Widened.").await;
    h.pass(60 * 60 * 1000);
    assert_eq!(follow(&h).await.way, Some(Way::Changes));
    h.finish().await;
}

#[tokio::test]
async fn a_search_goes_on_after_pages_that_are_empty() {
    let h = Harness::with(FOLLOWING).await;
    h.without_webhooks().await;
    h.fastio_refuses(FEED).await;
    follow(&h).await;
    h.put("/wanted.txt", "Below a heap of downloads.").await;
    let state = h.database.read(docket::feed::store::state).await.unwrap();
    assert_eq!(state.unwrap().way(), Way::Search);
    for round in 0..300 {
        h.put("/busy.txt", &format!("round {round}")).await;
    }
    assert!(follow(&h).await.recorded.new > 250);
    h.converges().await;
    // Of shares there is nothing, page after page: that is no end until Fastio says so.
    let requests = h.fastio_requests().await;
    let searches = |category: &str| {
        let wanted = json!(["category", category]);
        let asked = |request: &&serde_json::Value| request["query"].as_array().unwrap().contains(&wanted);
        requests.iter().filter(asked).count()
    };
    assert!(searches("share") >= 2 && searches("workspace") >= 2, "{}", searches("share"));
    h.finish().await;
}

#[tokio::test]
async fn where_both_are_refused_sweeps_find_every_change() {
    let h = Harness::with(FOLLOWING).await;
    h.without_webhooks().await;
    h.fastio_refuses(FEED).await;
    h.fastio_refuses(SEARCH).await;
    assert_eq!(follow(&h).await.way, Some(Way::Sweeps));
    change_everything(&h).await;
    h.feed.sweep_if_due().await.unwrap().expect("there was no sweep before");
    h.converges().await;

    change_everything_again(&h).await;
    h.purge("/new.txt").await;
    assert_eq!(follow(&h).await.recorded.new, 0);
    assert!(h.feed.sweep_if_due().await.unwrap().is_none(), "it is too early");
    h.pass(61 * 60 * 1000);
    h.feed.sweep_if_due().await.unwrap().expect("alone they come every hour");
    h.finish().await;
}

#[tokio::test]
async fn a_workspace_that_goes_out_of_sight_loses_nothing() {
    let h = Harness::with(FOLLOWING).await;
    h.without_webhooks().await;
    change_everything(&h).await;
    follow(&h).await;
    h.converges().await;
    let held = h.held().await;

    h.hide_workspace().await;
    follow(&h).await;
    h.settle().await;
    assert_eq!(h.held().await, held);

    h.show_workspace().await;
    h.put("/back.txt", "Back.").await;
    assert_eq!(follow(&h).await.relisted, 1, "what came into sight is listed");
    h.finish().await;
}
