use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::{Extraction, Hash, Missing, Node, NodeKind, page, several};
use crate::fastio::envelope::Envelope;
use crate::fastio::{NodeId, VersionId};
use crate::http::{Head, Reply};

fn envelope(value: Value) -> Envelope {
    let head = Head { status: StatusCode::OK, headers: HeaderMap::new() };
    Envelope::open(&Reply { head, body: value.to_string().into(), room: None }).unwrap()
}

#[test]
fn a_file_with_everything_documented_is_read() {
    let node = Node::read(
        &json!({"id": "2abcd-efghj", "name": "Report.pdf", "type": "file", "parent": "2zzzz-folder",
        "size": 5_000_000_000u64, "hash": "D41D8CD98F00B204E9800998ECF8427E", "hash_algo": "MD5",
        "mimetype": "application/pdf", "mimecategory": "document", "version": "3abcd-efghj",
        "created": "2026-09-25 21:40:11 UTC", "modified": "2026-09-25 21:40:11 UTC", "restricted": false, "dmca": false,
        "locked": true, "lock_info": {}, "virus": {"status": "clean", "infected": false}, "ai": {"state": "ready"},
        "crc32c": "00000000", "new_in_2027": [1],
        "actor": {"human": {"id": "1"}, "agent": {"name": "docket", "verified": false}}}),
    );
    let expected = Node {
        id: NodeId::new("2abcdefghj"),
        kind: NodeKind::File,
        name: "Report.pdf".into(),
        parent: Some(NodeId::new("2zzzzfolder")),
        size: Some(5_000_000_000),
        hash: Some(Hash { algorithm: "md5".into(), value: "d41d8cd98f00b204e9800998ecf8427e".into() }),
        mimetype: Some("application/pdf".into()),
        version: Some(VersionId("3abcd-efghj".into())),
        created_at: Some(1_790_372_411_000),
        modified_at: Some(1_790_372_411_000),
        trashed: false,
        restricted: false,
        dmca: false,
        infected: false,
        locked: true,
        agent: Some(r#"{"agent":{"name":"docket","verified":false},"human":{"id":"1"}}"#.into()),
        extraction: Extraction::There,
        share: None,
    };
    assert_eq!(node, Some(expected));
}

#[test]
fn who_made_it_is_an_agent_only_where_one_is_named() {
    let agent = |actor: Value| Node::read(&json!({"id": "2a", "actor": actor})).unwrap().agent;
    assert!(agent(json!({"user": "1", "agent_name": "docket"})).is_some());
    for nobody in [
        json!({"user": "1"}),
        json!({"agent": {"name": ""}}),
        json!({"agent_name": null}),
        json!("docket"),
        json!(null),
    ] {
        assert_eq!(agent(nobody.clone()), None, "{nobody}");
    }
    assert_eq!(agent(json!({"agent_name": "d".repeat(2_000)})), None);
}

#[test]
fn only_an_id_must_be_there() {
    let node = Node::read(&json!({"id": "2a", "type": "whiteboard", "size": "12", "hash": "ab"})).unwrap();
    assert_eq!((node.kind, node.size, node.hash), (NodeKind::Other, Some(12), None));
    for value in [json!({}), json!({"id": ""}), json!({"id": null}), json!("2a"), json!(null)] {
        assert_eq!(Node::read(&value), None, "{value}");
    }
}

#[test]
fn a_node_at_the_top_has_no_parent() {
    for value in
        [json!({"id": "2a", "parent": "root"}), json!({"id": "2a", "parent": null}), json!({"id": "2a"})]
    {
        assert_eq!(Node::read(&value).unwrap().parent, None, "{value}");
    }
}

#[test]
fn a_trashed_node_says_so_in_one_way_or_another() {
    let trashed = |value: Value| Node::read(&value).unwrap().trashed;
    assert!(trashed(json!({"id": "2a", "deleted": "2026-09-25 21:40:11 UTC"})));
    assert!(trashed(json!({"id": "2a", "deleted": true})));
    assert!(trashed(json!({"id": "2a", "deleted_from": "2zzzz"})));
    assert!(trashed(json!({"id": "2a", "parent": "trash"})));
    assert!(!trashed(json!({"id": "2a", "deleted": false, "deleted_from": null})));
    assert!(!trashed(json!({"id": "2a", "deleted": ""})));
}

#[test]
fn a_virus_is_seen_in_both_fields() {
    let infected = |virus: Value| Node::read(&json!({"id": "2a", "virus": virus})).unwrap().infected;
    assert!(infected(json!({"infected": "yes"})));
    assert!(infected(json!({"status": "Infected"})));
    assert!(!infected(json!({"status": "pending", "infected": null})));
}

#[test]
fn a_page_is_found_wherever_its_nodes_are() {
    let nodes = json!([{"id": "2a"}, {"id": "2b"}]);
    for value in [
        json!({"result": true, "nodes": {"count": 2, "items": nodes},
            "pagination": {"has_more": true, "next_cursor": "c", "page_size": 500}}),
        json!({"result": "yes", "response": {"nodes": nodes, "pagination": {"has_more": "yes", "next_cursor": "c"}}}),
        json!({"items": nodes, "pagination": {"next_cursor": "c"}}),
    ] {
        let page = page(&envelope(value)).unwrap();
        assert_eq!((page.items.len(), page.next.as_deref()), (2, Some("c")));
    }
}

#[test]
fn the_last_page_has_no_next_whatever_cursor_it_shows() {
    let last = json!({"nodes": [], "pagination": {"has_more": false, "next_cursor": "c"}});
    assert_eq!(page(&envelope(last)).unwrap().next, None);
    assert_eq!(page(&envelope(json!({"nodes": {"items": []}}))).unwrap().next, None);
}

#[test]
fn a_listing_read_in_part_never_looks_complete() {
    for value in
        [json!({"nodes": [], "pagination": {"has_more": true, "next_cursor": null}}), json!({"result": true})]
    {
        assert!(page(&envelope(value.clone())).is_err(), "{value}");
    }
}

#[test]
fn an_entry_that_cannot_be_read_hides_nothing_but_itself() {
    let nodes = json!([{"id": "2a"}, {"name": "no id"}, {"id": ["2b"]}, {"id": ""}, null, 7, {"id": "2c", "name": {}}]);
    let page = page(&envelope(json!({ "nodes": nodes }))).unwrap();
    assert_eq!((page.items.len(), page.unreadable), (2, 5));
}

#[test]
fn several_nodes_come_in_both_formats() {
    let (found, missing) = several(&envelope(json!({"format": "single", "node": {"id": "2a"}}))).unwrap();
    assert_eq!((found.len(), missing.len()), (1, 0));
    let (found, missing) = several(&envelope(json!({"format": "multi", "nodes": [{"id": "2a"}, {"id": "2b"}],
        "errors": [{"node_id": "2c", "code": 133123, "message": "Not found."}, {"node_id": "2d", "code": "146950"}]})))
    .unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(missing, [Missing::NotFound(Some(NodeId::new("2c"))), Missing::Failed("146950".into())]);
    assert!(several(&envelope(json!({"result": true}))).is_err());
}
