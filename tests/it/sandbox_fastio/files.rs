//! Files and folders.

use std::time::Duration;

use docket_sandbox::Options;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Fastio, WS, at, good, refused};

#[tokio::test]
async fn a_key_is_asked_for_everywhere_and_the_envelope_is_the_documented_one() {
    let fastio = Fastio::start().await;
    let check = good(fastio.api(Method::GET, "user/auth/check/")).await;
    assert_eq!((&check["result"], &check["status"]), (&json!(true), &json!("ok")));
    let url = fastio.sandbox.fastio_url().join("user/auth/check").unwrap();
    let reply = fastio.http.get(url).send().await.unwrap();
    assert_eq!(reply.status(), 401);
    assert!(reply.headers().contains_key("x-ve-reqid") && reply.headers().contains_key("x-ve-limit-expires"));
    let body: Value = reply.json().await.unwrap();
    assert_eq!(body["error"]["resource"], "GET User Auth Check");
    assert_eq!((&body["current_api_version"], &check["current_api_version"]), (&json!("1.0"), &json!("1.0")));
    assert_eq!(refused(fastio.api(Method::GET, "nothing/here/")).await, (404, 9992));
    assert_eq!(refused(fastio.api(Method::GET, &at("root", "list"))).await.0, 404, "no such workspace yet");
}

#[tokio::test]
async fn a_file_keeps_its_node_through_its_versions() {
    let fastio = Fastio::start().await;
    let first = fastio.put("Contracts/nda.txt", "one").await;
    let node = first["node_id"].as_str().unwrap();
    let details = fastio.get(&at(node, "details")).await;
    assert_eq!(details["format"], "single");
    let shown = &details["node"];
    assert_eq!(node.len(), 34, "29 characters, hyphens after every fifth");
    assert_eq!((&shown["id"], &shown["version"]), (&json!(node), &first["version"]));
    assert_eq!((&shown["size"], &shown["hash_algo"]), (&json!(3), &json!("md5")));
    assert_eq!(shown["hash"], "f97c5d29941bfb1b2fdab0874906ab82");
    assert!(shown.get("deleted").is_none() && shown["lock_info"].is_null());

    let second = fastio.put("Contracts/nda.txt", "two").await;
    assert_eq!(second["node_id"], first["node_id"]);
    assert_ne!(second["version"], first["version"]);
    let bare = node.replace('-', "").to_uppercase();
    let versions = fastio.get(&at(&bare, "versions")).await;
    assert_eq!(versions["versions"].as_array().unwrap().len(), 2);
    let old = first["version"].as_str().unwrap();
    fastio.post(&at(node, "restore-version"), &[("version_id", old)]).await;
    let now = fastio.get(&format!("{}?output=terse", at(node, "details"))).await;
    assert_eq!(now["node"]["version"], first["version"]);
    assert!(now["node"].get("hash").is_none(), "the hash is for full output only");
    let events = fastio.events().await;
    let storage: Vec<&str> =
        events.iter().map(|name| name.strip_prefix("workspace_storage_").unwrap()).collect();
    assert_eq!(storage, ["folder_created", "file_added", "file_updated", "file_version_restored"]);
}

#[tokio::test]
async fn the_stand_in_knows_when_a_file_was_in_the_trash_itself_or_with_a_folder() {
    let fastio = Fastio::start().await;
    fastio.put("Drafts/old/a.txt", "one").await;
    let absences = || async {
        let state = fastio.state().await;
        let spans = state["files"][0]["absences"].as_array().unwrap().clone();
        spans.iter().map(|span| (span[0].is_i64(), span[1].is_i64())).collect::<Vec<_>>()
    };
    let trash = |path: &str| good(fastio.control(Method::DELETE, &format!("files/{WS}/{path}")));
    let restore = |path: &str| {
        good(fastio.control(Method::POST, "restore").json(&json!({"workspace": WS, "path": path})))
    };
    assert_eq!(absences().await, []);
    trash("Drafts").await;
    assert_eq!(absences().await, [(true, false)], "with the folder above its own");
    restore("Drafts").await;
    assert_eq!(absences().await, [(true, true)]);
    trash("Drafts/old/a.txt").await;
    trash("Drafts").await;
    assert_eq!(absences().await, [(true, true), (true, false)], "it is gone once");
    restore("Drafts").await;
    assert_eq!(absences().await, [(true, true), (true, false)], "it was trashed by itself, and stays there");
    restore("Drafts/old/a.txt").await;
    assert_eq!(absences().await, [(true, true), (true, true)]);
}

#[tokio::test]
async fn a_download_is_read_with_a_key_or_with_a_token_for_one_version() {
    let fastio = Fastio::start().await;
    let first = fastio.put("a.txt", "one").await;
    fastio.put("a.txt", "two").await;
    let node = first["node_id"].as_str().unwrap();
    let with_key = fastio.api(Method::GET, &at(node, "read")).send().await.unwrap();
    assert_eq!(with_key.headers()["content-length"], "3");
    assert_eq!(with_key.text().await.unwrap(), "two");

    let old = first["version"].as_str().unwrap();
    let token = fastio.get(&format!("{}?version_id={old}", at(node, "requestread"))).await;
    let token = token["token"].as_str().unwrap();
    let read = |token: &str| {
        let url = fastio.sandbox.fastio_url().join(&format!("{}?token={token}", at(node, "read"))).unwrap();
        fastio.http.get(url)
    };
    assert_eq!(read(token).send().await.unwrap().text().await.unwrap(), "one");
    assert_eq!(refused(read("guess")).await.0, 401);
    assert_eq!(fastio.events().await.last().unwrap(), "workspace_storage_download_token_created");
    let journal = good(fastio.control(Method::GET, "requests")).await.to_string();
    assert!(!journal.contains(token), "the journal holds no tokens");
}

#[tokio::test]
async fn a_generated_file_streams_what_its_hashes_say() {
    let fastio = Fastio::start().await;
    let put = fastio.control(Method::PUT, &format!("files/{WS}/big.txt?generate=3000000&seed=4"));
    let file = good(put).await;
    let node = file["node_id"].as_str().unwrap();
    let bytes = fastio.api(Method::GET, &at(node, "read")).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(bytes.len(), 3_000_000);
    let details = fastio.get(&at(node, "details")).await;
    assert_eq!(details["node"]["crc32c"], format!("{:08x}", crc32c::crc32c(&bytes)));
}

#[tokio::test]
async fn moving_renaming_trashing_and_restoring_say_what_they_did() {
    let fastio = Fastio::start().await;
    let node = fastio.put_id("Inbox/a.txt", "text").await;
    let made = fastio.post(&at("root", "createfolder"), &[("name", "Done")]).await;
    let done = made["node"]["id"].as_str().unwrap();
    let again = fastio.post(&at("root", "createfolder"), &[("name", "Done")]).await;
    assert_eq!(again["node"]["id"], made["node"]["id"], "making a folder twice makes one");

    let moved = fastio.post(&at(&node, "move"), &[("parent", done)]).await;
    assert_eq!(moved["node"]["parent"], done);
    fastio.post(&at(&node, "update"), &[("name", "b.txt")]).await;
    let copied = fastio.post(&at(&node, "copy"), &[("parent", "root")]).await;
    assert_ne!(copied["node"]["id"], json!(node));
    fastio.delete(&at(&node, "delete")).await;
    let trashed = fastio.get(&at(&node, "details")).await;
    assert_eq!(
        (&trashed["node"]["parent"], &trashed["node"]["deleted_from"]),
        (&json!("trash"), &json!(done))
    );
    assert_eq!(refused(fastio.api(Method::GET, &at(&node, "read"))).await, (404, 133_123));
    let restored = fastio.post(&at(&node, "restore"), &[]).await;
    assert_eq!(restored["node"]["parent"], done);
    assert!(restored["node"].get("deleted").is_none());

    let storage: Vec<String> =
        fastio.events().await.iter().skip(3).map(|name| name.replace("workspace_storage_", "")).collect();
    assert_eq!(storage, ["file_moved", "file_updated", "file_copied", "file_deleted", "file_restored"]);
    let before = fastio.events().await.len();
    fastio.delete(&at(&node, "purge")).await;
    assert_eq!(fastio.events().await.len(), before, "a purge makes no event");
    assert_eq!(refused(fastio.api(Method::GET, &at(&node, "details"))).await, (404, 133_123));
}

#[tokio::test]
async fn what_happens_to_a_folder_happens_to_all_in_it_and_is_told_once() {
    let fastio = Fastio::start().await;
    let inside = fastio.put_id("A/B/deep.txt", "deep").await;
    fastio.put("top.txt", "top").await;
    let before = fastio.events().await.len();
    let moved = json!({"workspace": WS, "from": "A", "to": "C/A2"});
    good(fastio.control(Method::POST, "move").json(&moved)).await;
    let events = fastio.events().await;
    let told: Vec<&str> = events[before..].iter().map(|name| &name["workspace_storage_".len()..]).collect();
    assert_eq!(told, ["folder_created", "folder_updated", "folder_moved"]);
    let inventory = fastio.get(&format!("workspace/{WS}/storage/inventory/?type=file&include=path")).await;
    let paths: Vec<&str> = inventory["nodes"]["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["path"].as_str().unwrap())
        .collect();
    assert_eq!(paths, ["/C/A2/B/deep.txt", "/top.txt"]);

    good(fastio.control(Method::DELETE, &format!("files/{WS}/C"))).await;
    assert!(fastio.get(&at(&inside, "details")).await["node"].get("deleted").is_some());
    let inventory = fastio.get(&format!("workspace/{WS}/storage/inventory/")).await;
    assert_eq!(inventory["nodes"]["count"], 1);
    assert_eq!(fastio.get(&at("trash", "list")).await["nodes"]["count"], 1);
    good(fastio.control(Method::POST, "restore").json(&json!({"workspace": WS, "path": "C"}))).await;
    let read = fastio.api(Method::GET, &at(&inside, "read")).send().await.unwrap();
    assert_eq!(read.text().await.unwrap(), "deep");
    let refused = refused(fastio.api(Method::GET, &format!("workspace/{WS}/storage/inventory/?output=full")));
    assert_eq!(refused.await.0, 406);
}

#[tokio::test]
async fn a_folder_is_listed_page_by_page_in_any_order() {
    let fastio = Fastio::start().await;
    for number in 0..103 {
        fastio.put(&format!("f{number:03}.txt"), "x").await;
    }
    for sort in
        ["sort_by=name", "sort_by=name&sort_dir=desc", "sort_by=created", "sort_by=type&sort_dir=desc"]
    {
        let first = fastio.get(&format!("{}?page_size=100&{sort}", at("root", "list"))).await;
        assert_eq!((&first["nodes"]["count"], &first["pagination"]["has_more"]), (&json!(100), &json!(true)));
        let cursor = first["pagination"]["next_cursor"].as_str().unwrap();
        let rest = fastio.get(&format!("{}?page_size=100&{sort}&cursor={cursor}", at("root", "list"))).await;
        assert_eq!(rest["nodes"]["count"], 3, "{sort}");
        let mut names: Vec<&str> = [&first, &rest]
            .iter()
            .flat_map(|page| page["nodes"]["items"].as_array().unwrap())
            .map(|node| node["name"].as_str().unwrap())
            .collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 103, "{sort}");
    }
    assert_eq!(refused(fastio.api(Method::GET, &format!("{}?page_size=7", at("root", "list")))).await.0, 406);
}

#[tokio::test]
async fn many_nodes_are_asked_for_at_once() {
    let fastio = Fastio::start().await;
    let (one, two) = (fastio.put_id("a.txt", "a").await, fastio.put_id("b.txt", "b").await);
    let strange = "2zzzz-zzzzz-zzzzz-zzzzz-zzzzz-zzzz";
    let some = fastio.get(&at(&format!("{one},{two},{strange},nonsense"), "details")).await;
    assert_eq!((&some["format"], some["nodes"].as_array().unwrap().len()), (&json!("multi"), 2));
    let codes: Vec<&Value> = some["errors"].as_array().unwrap().iter().map(|error| &error["code"]).collect();
    assert_eq!(codes, [133_123, 191_878]);
    let none = fastio.api(Method::GET, &at(&format!("{strange},{strange}"), "details")).send().await.unwrap();
    assert_eq!(none.status(), 404);
    assert_eq!(none.json::<Value>().await.unwrap()["errors"].as_array().unwrap().len(), 1);
    let many = vec!["2a"; 1].into_iter().map(str::to_owned).chain((0..25).map(|n| format!("2b{n}")));
    let many = many.collect::<Vec<String>>().join(",");
    assert_eq!(refused(fastio.api(Method::GET, &at(&many, "details"))).await, (400, 115_519));
}

#[tokio::test]
async fn a_share_has_the_same_storage_under_its_own_events() {
    let fastio = Fastio::start().await;
    let put = fastio.control(Method::PUT, "files/share:5510392857104938271/a.txt").body("text");
    let node = good(put).await["node_id"].as_str().unwrap().to_owned();
    let details = fastio.get(&format!("share/5510392857104938271/storage/{node}/details/")).await;
    assert_eq!(details["node"]["name"], "a.txt");
    assert_eq!(fastio.events().await, ["share_storage_file_added"]);
    assert_eq!(refused(fastio.api(Method::GET, &at(&node, "details"))).await.0, 404);
}

#[tokio::test]
async fn files_are_found_by_name_and_by_text() {
    let fastio = Fastio::start().await;
    let node = fastio.put_id("Contracts/nda.txt", "The supplier shall keep secrets.").await;
    fastio.put("other.txt", "nothing").await;
    for query in [
        "search=nda",
        "search=SUPPLIER",
        "search=*.txt&name_match=glob&limit=1",
        "search=shall&search_in=content",
    ] {
        let found = fastio.get(&format!("workspace/{WS}/storage/search/?{query}")).await;
        assert_eq!(found["files"][&node]["path"], "/Contracts/nda.txt", "{query}: {found}");
    }
    let content = fastio.get(&at(&node, "content")).await;
    assert_eq!(content["chunks"][0]["text"], "The supplier shall keep secrets.");
    assert_eq!(content["complete"], true);
    let recent = fastio.get(&format!("workspace/{WS}/storage/recent/?type=file")).await;
    assert_eq!(recent["nodes"]["items"][0]["name"], "other.txt");
}

#[tokio::test]
async fn the_same_changes_make_the_same_ids() {
    let (one, two) = (Fastio::start().await, Fastio::start().await);
    assert_eq!(one.put_id("a.txt", "a").await, two.put_id("a.txt", "a").await);
    assert_eq!(one.put("a.txt", "b").await["version"], two.put("a.txt", "b").await["version"]);
}

#[tokio::test]
async fn its_ai_reads_each_file_after_a_while_and_of_what_is_no_text_the_words_in_it() {
    let fastio = Fastio::of(Options { read_delay: Some(Duration::from_secs(3)), ..Options::default() }).await;
    let read = async |path: &str, bytes: &[u8]| {
        let put = fastio.control(Method::PUT, &format!("files/{WS}/{path}")).body(bytes.to_vec());
        let node = good(put).await["node_id"].as_str().unwrap().to_owned();
        let look = async || {
            let details = fastio.get(&format!("workspace/{WS}/storage/{node}/details/?output=full")).await;
            let content = fastio.get(&format!("workspace/{WS}/storage/{node}/content/")).await;
            (details["node"]["ai"]["state"].clone(), content["chunks"][0]["text"].clone())
        };
        assert_eq!(look().await, (json!("pending"), Value::Null));
        fastio.sandbox.fastio_core().clock.shift(3_000);
        look().await
    };
    let image = b"\x89PNG\r\n\x1a\n\0\xffLiability is capped.\0";
    assert_eq!(read("scan.png", image).await, (json!("ready"), json!("Liability is capped.")));
    assert_eq!(read("nda.txt", b"The cap.").await, (json!("ready"), json!("The cap.")));
    assert_eq!(read("photo.png", b"\x89PNG\xff\0").await, (json!("failed"), Value::Null));
    assert_eq!(read("rates.xlsx", b"PK\x03\x04 a long enough line\xff").await.0, json!("failed"));
}
