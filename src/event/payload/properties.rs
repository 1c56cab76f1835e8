//! Whatever is delivered is events that can be recorded, or a reason; and a documented key says where, in any spelling.

use proptest::prelude::*;
use serde_json::json;

use super::tests::one_of;
use super::*;

fn any_json() -> impl Strategy<Value = Value> {
    let keys = prop::sample::select(vec![
        "event",
        "events",
        "data",
        "id",
        "event_id",
        "type",
        "object_id",
        "file_id",
        "file",
        "workspace_id",
        "share_id",
        "profile_id",
        "profile_type",
        "created",
        "timestamp",
        "x",
    ]);
    let texts = prop::sample::select(vec![
        "workspace_storage_file_added",
        "share_storage_file_moved",
        "file.deleted",
        "folder.moved",
        "workspace",
        "2026-09-25 21:40:11 UTC",
        "root",
        "share_imported_to_workspace",
        "",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        texts.prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map(keys.clone().prop_map(str::to_owned), inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_give_events_or_a_reason(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&body);
    }

    #[test]
    fn any_json_object_gives_events_that_can_be_recorded(value in any_json()) {
        let body = value.to_string();
        let parsed = parse(body.as_bytes());
        prop_assert_eq!(&parsed, &parse(body.as_bytes()));
        prop_assert_eq!(parsed.as_ref().map(Vec::len).ok(), count(body.as_bytes()).ok());
        for Parsed { event, also, .. } in parsed.into_iter().flatten() {
            prop_assert!(!event.id.is_empty());
            prop_assert_eq!(event.kind == Kind::Ignored, event.ignored_because.is_some());
            prop_assert_eq!(event.kind == Kind::Ignored, event.task().is_none());
            let harmless = matches!(names::meaning(&event.name), Some(Meaning::NoFile(_)));
            prop_assert!(harmless || event.task().is_some() || !also.is_empty(), "it comes to nothing: {:?}", event);
        }
    }

    #[test]
    fn a_documented_key_names_the_place_however_it_is_spelt_and_wherever_it_stands(
        name in prop::sample::select(vec![
            "workspace_storage_folder_deleted", "file.deleted", "folder.restored", "delete", "never heard of", "",
        ]),
        noun in prop::sample::select(vec!["object", "node", "file", "folder", "resource", "item", "entity"]),
        tree in prop::sample::select(vec!["workspace", "share"]),
        nested in any::<(bool, bool)>(),
        spelling in 0..5_usize,
        inside in prop::collection::vec(prop::sample::select(vec!["data", "payload", "attributes", "x"]), 0..3),
        apart in any::<bool>(),
    ) {
        let spelt = |noun: &str| spell(&[noun, "id"], spelling);
        let place = |noun: &str, id: &str, nested: bool| match nested {
            true => json!({spell(&[noun], spelling): {spell(&["id"], spelling): id}}),
            false => json!({spelt(noun): id}),
        };
        let node = place(noun, "2abcd-efghj", nested.0);
        let tree_id = place(tree, "4829105738291047362", nested.1);
        let mut body = node;
        if !apart {
            merge(&mut body, &tree_id);
        }
        for key in &inside {
            body = json!({*key: body});
        }
        merge(&mut body, &json!({spell(&["event", "type"], spelling): name, spell(&["event", "id"], spelling): "evt"}));
        if apart {
            merge(&mut body, &tree_id);
        }
        let event = one_of(&body);
        prop_assert_eq!(event.node, Some(NodeId::new("2abcd-efghj")), "{}", body);
        prop_assert_eq!(event.profile.map(|profile| profile.id), Some("4829105738291047362".to_owned()), "{}", body);
        prop_assert_eq!(event.id, "evt");
    }
}

fn merge(into: &mut Value, from: &Value) {
    into.as_object_mut().unwrap().extend(from.as_object().unwrap().clone());
}

/// `folder_id`, `folderId`, `FolderId`, `folder-id`, `FOLDER_ID`.
fn spell(words: &[&str], spelling: usize) -> String {
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    match spelling {
        0 => words.join("_"),
        1 => words[0].to_owned() + &words[1..].iter().map(|word| capital(word)).collect::<String>(),
        2 => words.iter().map(|word| capital(word)).collect(),
        3 => words.join("-"),
        _ => words.join("_").to_uppercase(),
    }
}
