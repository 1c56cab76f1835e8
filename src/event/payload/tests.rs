use serde_json::json;

use super::*;

pub(super) fn one_of(value: &Value) -> Event {
    let mut parsed = parse(value.to_string().as_bytes()).unwrap();
    assert_eq!(parsed.len(), 1);
    parsed.remove(0).event
}

const CREATED_MS: i64 = 1_790_372_411_000;

fn expected() -> Event {
    Event {
        id: "evt_1".into(),
        kind: Kind::Added,
        subject: Subject::File,
        name: "workspace_storage_file_added".into(),
        profile: Some(Profile::workspace("4829105738291047362")),
        node: Some(NodeId::new("2abcd-efghj")),
        occurred_at: Some(CREATED_MS),
        ignored_because: None,
    }
}

fn flat() -> Value {
    json!({"event_id": "evt_1", "event": "workspace_storage_file_added", "created": "2026-09-25 21:40:11 UTC",
           "workspace_id": "4829105738291047362", "object_id": "2abcd-efghj"})
}

#[test]
fn a_flat_event_is_read() {
    assert_eq!(one_of(&flat()), expected());
}

#[test]
fn an_event_wrapped_in_event_is_the_same() {
    assert_eq!(one_of(&json!({"event": flat()})), expected());
    assert_eq!(one_of(&json!({"type": "delivery", "id": "dlv_1", "event": flat()})), expected());
}

#[test]
fn a_row_as_the_change_feed_has_it_is_the_same() {
    let row = json!({"event_id": "evt_1", "event": "workspace_storage_file_added", "profile_type": "workspace",
                     "profile_id": "4829105738291047362", "object_id": "2abcd-efghj",
                     "created": "2026-09-25 21:40:11 UTC"});
    assert_eq!(one_of(&row), expected());
}

#[test]
fn a_dotted_event_with_data_is_read() {
    for (name_key, id_key, node_key) in
        [("event", "id", "file_id"), ("type", "event_id", "node_id"), ("type", "id", "object_id")]
    {
        let event = one_of(&json!({name_key: "file.uploaded", id_key: "evt_1", "timestamp": 1_790_372_411,
            "data": {node_key: "2abcd-efghj", "workspace_id": 4_829_105_738_291_047_362_u64, "version": "3x"}}));
        assert_eq!(event, Event { name: "file.uploaded".into(), ..expected() });
    }
    let nested = json!({"event": "file.uploaded", "id": "evt_1", "timestamp": "2026-09-25T21:40:11Z",
        "data": {"id": "other", "type": "file", "file": {"id": "2abcd-efghj"}, "workspace": {"id": "4829105738291047362"}}});
    assert_eq!(one_of(&nested), Event { name: "file.uploaded".into(), ..expected() });
}

#[test]
fn a_batch_is_one_event_each() {
    let second = json!({"event_id": "evt_2", "event": "share_storage_file_deleted", "share_id": "55", "object_id": "2b"});
    for batch in [json!([flat(), second]), json!({"events": [flat(), second]})] {
        let parsed = parse(batch.to_string().as_bytes()).unwrap();
        assert_eq!(parsed[0].event, expected());
        let event = &parsed[1].event;
        assert_eq!((event.id.as_str(), event.kind), ("evt_2", Kind::Deleted));
        assert_eq!(event.task(), Some(Task::File { profile: Profile::share("55"), node: NodeId::new("2b") }));
        assert_eq!(serde_json::from_str::<Value>(&parsed[1].payload).unwrap(), second);
    }
}

#[test]
fn a_batch_may_name_the_workspace_once() {
    let batch = json!({"id": "dlv", "workspace_id": "77", "events": [
        {"event": "file.modified", "file_id": "2a"}, {"event": "file.modified", "file_id": "2b"}]});
    let parsed = parse(batch.to_string().as_bytes()).unwrap();
    assert_eq!(parsed[0].event.profile, Some(Profile::workspace("77")));
    assert_ne!(parsed[0].event.id, parsed[1].event.id);
    assert!(parsed[1].event.has_made_id());
}

#[test]
fn two_events_under_one_id_stay_two_and_a_repeat_stays_one() {
    let event =
        |node: &str| json!({"id": "dlv", "event": "file.modified", "workspace_id": "7", "file_id": node});
    let ids = |batch: Value| -> Vec<String> {
        parse(batch.to_string().as_bytes()).unwrap().into_iter().map(|parsed| parsed.event.id).collect()
    };
    assert_eq!(ids(json!([event("2a"), event("2b")])), ["dlv", "dlv#1"]);
    assert_eq!(ids(json!([event("2a"), event("2a")])), ["dlv", "dlv"]);
}

#[test]
fn an_id_that_is_the_files_own_is_not_the_events() {
    let body = json!({"event": "file.modified", "id": "2a", "file_id": "2a", "workspace_id": "7"});
    assert!(one_of(&body).has_made_id());
}

#[test]
fn every_documented_name_has_its_meaning() {
    use Kind::{Added, Deleted, Modified, Moved};
    let file = |kind| Some(Meaning::Happened(kind, Subject::File));
    let folder = |kind| Some(Meaning::Happened(kind, Subject::Folder));
    for tree in ["workspace", "share"] {
        for (suffix, meaning) in [
            ("file_added", file(Added)),
            ("file_copied", file(Added)),
            ("file_restored", file(Added)),
            ("file_sync_added", file(Added)),
            ("file_updated", file(Modified)),
            ("file_version_restored", file(Modified)),
            ("file_sync_updated", file(Modified)),
            ("file_moved", file(Moved)),
            ("file_deleted", file(Deleted)),
            ("folder_created", folder(Added)),
            ("folder_updated", folder(Modified)),
            ("folder_moved", folder(Moved)),
            ("folder_deleted", folder(Deleted)),
            ("folder_anything_else", folder(Modified)),
        ] {
            assert_eq!(names::meaning(&format!("{tree}_storage_{suffix}")), meaning, "{suffix}");
        }
        for suffix in ["lock_overridden", "download_token_created", "zip_downloaded"] {
            let meaning = names::meaning(&format!("{tree}_storage_{suffix}"));
            assert!(matches!(meaning, Some(Meaning::NoFile(_))), "{suffix}");
        }
    }
    for (name, meaning) in [
        ("file.uploaded", file(Added)),
        ("file.added", file(Added)),
        ("file.modified", file(Modified)),
        ("file.updated", file(Modified)),
        ("file.deleted", file(Deleted)),
        ("folder.moved", folder(Moved)),
        ("share_imported_to_workspace", Some(Meaning::WorkspaceChanged)),
        ("workspace_storage_file_purged_for_good", None),
        ("", None),
    ] {
        assert_eq!(names::meaning(name), meaning, "{name}");
    }
    for name in ["file.accessed", "workspace.member_added", "comment_created", "import_source_sync_failed"] {
        assert!(matches!(names::meaning(name), Some(Meaning::NoFile(_))), "{name}");
    }
}

#[test]
fn an_imported_share_is_a_look_at_the_whole_workspace() {
    let event = one_of(&json!({"event_id": "e", "event": "share_imported_to_workspace", "share_id": "55",
        "workspace_id": "77", "object_id": "2a"}));
    assert_eq!(event.task(), Some(Task::Folder { profile: Profile::workspace("77"), node: NodeId::root() }));
}

#[test]
fn the_one_payload_that_fastio_prints_is_read() {
    let printed = json!({"eventType": "upload", "workspaceId": "4829105738291047362", "fileId": "2abcd-efghj",
        "fileName": "large-video.mp4", "fileSize": 2_457_600_000_u64, "userId": "9876543210987654321",
        "timestamp": "2026-09-25T21:40:11Z", "eventId": "evt_1"});
    assert_eq!(one_of(&printed), Event { name: "upload".into(), ..expected() });
    for (name, kind) in
        [("modification", Kind::Modified), ("deletion", Kind::Deleted), ("delete", Kind::Deleted)]
    {
        let event = one_of(&json!({"eventType": name, "shareId": "55", "folderId": "2b"}));
        assert_eq!((event.kind, event.profile), (kind, Some(Profile::share("55"))));
        assert_eq!(event.node, Some(NodeId::new("2b")));
    }
}

#[test]
fn a_place_is_a_look_whatever_the_event_is_called() {
    let file = Task::File { profile: Profile::workspace("7"), node: NodeId::new("2a") };
    for name in [json!("moon_landed"), json!("file.scanned"), json!(""), json!(null), json!(42), json!(["x"])]
    {
        let event = one_of(&json!({"event": name, "workspace_id": "7", "file_id": "2a"}));
        assert_eq!(event.task(), Some(file.clone()), "{name}");
    }
    // Known to change no file.
    for name in ["file.accessed", "access", "comment_created", "workspace_storage_lock_overridden"] {
        assert_eq!(
            one_of(&json!({"event": name, "workspace_id": "7", "file_id": "2a"})).task(),
            None,
            "{name}"
        );
    }
}

#[test]
fn an_event_that_names_a_workspace_and_nothing_in_it_is_a_look_at_the_workspace() {
    let whole = Task::Relist { profile: Some(Profile::workspace("7")) };
    for event in [
        json!({"event": "folder.moved", "workspace_id": "7"}),
        json!({"event": "file.added", "workspace_id": "7", "file_id": "../../user"}),
        json!({"event": "file.added", "workspace_id": "7", "file": "nda.pdf"}),
        json!({"event": "moon_landed", "data": {"workspace": {"id": 7}}}),
    ] {
        let parsed = parse(event.to_string().as_bytes()).unwrap().remove(0);
        assert_eq!((parsed.event.task(), parsed.also), (None, vec![whole.clone()]), "{event}");
        assert!(parsed.event.ignored_because.unwrap().contains("listed as a whole"));
    }
}

#[test]
fn an_event_that_names_both_trees_is_a_look_in_both() {
    let body =
        json!({"event": "file.added", "workspace_id": "7", "share_id": "55", "file_id": "2a"}).to_string();
    let parsed = parse(body.as_bytes()).unwrap().remove(0);
    let file = |profile| Task::File { profile, node: NodeId::new("2a") };
    assert_eq!(parsed.event.task(), Some(file(Profile::workspace("7"))));
    assert_eq!(parsed.also, [file(Profile::share("55"))]);
}

#[test]
fn what_names_nothing_is_kept_with_the_reason_and_asks_for_a_look_at_everything() {
    let reason = |value: Value| {
        let parsed = parse(value.to_string().as_bytes()).unwrap().remove(0);
        assert_eq!((parsed.event.task(), parsed.also), (None, vec![EVERYWHERE]), "{value}");
        parsed.event.ignored_because.unwrap()
    };
    insta::assert_snapshot!(reason(json!({})), @"it has no event name and names no workspace or share");
    insta::assert_snapshot!(reason(json!({"event": "moon_landed"})), @"it names no workspace or share");
    insta::assert_snapshot!(reason(json!({"event": "file.added", "file_id": "2a"})), @"it names no workspace or share");
    insta::assert_snapshot!(reason(json!([])), @"it is an empty list of events");
    insta::assert_snapshot!(reason(json!(["x"])), @"it is not a JSON object");
    let accessed = parse(br#"{"event": "file.accessed"}"#).unwrap().remove(0);
    assert_eq!(
        (accessed.event.ignored_because.as_deref(), accessed.also),
        (Some("reading changes no file"), vec![])
    );
}

#[test]
fn what_strict_json_refuses_hides_no_place() {
    for (broken, shown) in [
        (r#""name":"\ud83d.pdf""#, "half a surrogate pair"),
        (r#""size":1e400"#, "a number beyond every float"),
        (r#""version":123456789012345678901234567890"#, "a number beyond 64 bits"),
        (r#""file_id":"2b""#, "a key that stands twice"),
        ("\"name\":\"a\tb\"", "a bare control character"),
    ] {
        let body = format!(r#"{{{broken},"event":"file.added","workspace_id":"7","file_id":"2a"}}"#);
        let event = parse(format!("\u{feff}{body}").as_bytes()).unwrap().remove(0).event;
        let file = Task::File { profile: Profile::workspace("7"), node: NodeId::new("2a") };
        assert_eq!(event.task(), Some(file), "{shown}");
    }
    let long = br#"{"event":"file.added","workspace_id":48291057382910473621,"file_id":"2a"}"#;
    let profile = parse(long).unwrap().remove(0).event.profile;
    assert_eq!(profile, Some(Profile::workspace("48291057382910473621")), "twenty digits are an id too");
}

#[test]
fn what_is_no_delivery_is_refused() {
    assert_eq!(parse(b""), Err(Unreadable::NotJson));
    assert_eq!(parse(b"{\"event\":"), Err(Unreadable::NotJson));
    assert_eq!(parse(b"\xff\xfe"), Err(Unreadable::NotJson));
    assert_eq!(parse(b"42"), Err(Unreadable::NotAnObject));
    assert_eq!(parse("[".repeat(100_000).as_bytes()), Err(Unreadable::NotJson));
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(200), "]".repeat(200));
    assert_eq!(parse(deep.as_bytes()), Err(Unreadable::NotJson));
    let many = Value::Array(vec![json!({}); MAX_EVENTS + 1]).to_string();
    assert_eq!(parse(many.as_bytes()), Err(Unreadable::TooManyEvents));
    for body in [&b""[..], b"{\"event\":", b"\xff\xfe", b"42", b"null", b"[{},", many.as_bytes()] {
        assert_eq!(count(body).err(), parse(body).err(), "{}", String::from_utf8_lossy(body));
    }
}

#[test]
fn events_are_counted_as_they_are_parsed() {
    let event = r#"{"event": "file.added"}"#;
    for body in [
        event.to_owned(),
        "{}".to_owned(),
        "[]".to_owned(),
        format!("[{event}, 1, null, {event}]"),
        format!(r#"{{"id": "x", "events": [{event}, {event}], "data": {{"events": [1, 2, 3]}}}}"#),
        r#"{"events": {"a": 1}}"#.to_owned(),
        r#"{"events": [1, 2], "events": 3}"#.to_owned(),
        r#"{"events": 3, "ev\u0065nts": [1, 2]}"#.to_owned(),
        r#"{"events": []}"#.to_owned(),
    ] {
        assert_eq!(count(body.as_bytes()), parse(body.as_bytes()).map(|parsed| parsed.len()), "{body}");
    }
}

#[test]
fn times_are_read_in_every_form() {
    let at = |time: Value| one_of(&json!({"event": "file.added", "created": time})).occurred_at;
    for time in [
        json!("2026-09-25 21:40:11 UTC"),
        json!("2026-09-25 21:40:11"),
        json!("2026-09-25T21:40:11Z"),
        json!("2026-09-25T23:40:11+02:00"),
        json!("1790372411"),
        json!(1_790_372_411),
        json!(1_790_372_411_000_i64),
        json!(1_790_372_411.0),
    ] {
        assert_eq!(at(time.clone()), Some(CREATED_MS), "{time}");
    }
    for time in [json!("yesterday"), json!(1e300), json!(null), json!({}), json!("NaN")] {
        assert_eq!(at(time.clone()), None, "{time}");
    }
}

#[test]
fn what_is_kept_is_bounded() {
    let long = "x".repeat(100_000);
    let parsed = parse(
        json!({"event_id": long, "event": long, "object_id": format!("{long}y")}).to_string().as_bytes(),
    )
    .unwrap();
    assert!(parsed[0].payload.len() < 100 && parsed[0].payload.contains("too long to keep"));
    let event = &parsed[0].event;
    assert!(event.id.starts_with("long-sha256:") && event.name.len() == 100 && event.node.is_none());
}
