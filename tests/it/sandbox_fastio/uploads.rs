//! Uploads and notes: every way to write.

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use super::{Fastio, WS, at, good, refused};

fn single(name: &str, text: &str) -> Form {
    Form::new()
        .text("name", name.to_owned())
        .text("size", text.len().to_string())
        .text("action", "create")
        .text("instance_id", WS)
        .text("folder_id", "root")
        .text("profile_type", "workspace")
        .part("chunk", Part::bytes(text.as_bytes().to_vec()).file_name(name.to_owned()))
}

impl Fastio {
    async fn upload(&self, form: Form) -> Value {
        let created = good(self.api(Method::POST, "upload/").multipart(form)).await;
        assert!(created["new_file_id"].is_null());
        let id = created["id"].as_str().unwrap();
        self.get(&format!("upload/{id}/details/?wait=60")).await["session"].clone()
    }

    async fn open(&self, form: &[(&str, &str)]) -> String {
        self.post("upload/", form).await["id"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn an_upload_of_the_same_name_is_a_new_version_in_place() {
    let fastio = Fastio::start().await;
    let first = fastio.upload(single("a.txt", "one")).await;
    assert_eq!(first["status"], "complete");
    let second = fastio.upload(single("a.txt", "two")).await;
    assert_eq!(first["new_file_id"], second["new_file_id"]);
    let node = first["new_file_id"].as_str().unwrap();
    assert_eq!(fastio.get(&at(node, "versions")).await["count"], 2);
    fastio.post(&at("root", "createfolder"), &[("name", "b")]).await;
    let beside = fastio.upload(single("b", "text")).await["new_file_id"].as_str().unwrap().to_owned();
    assert_eq!(fastio.get(&at(&beside, "details")).await["node"]["name"], "b (2)");
    let wrong = single("c.txt", "three").text("hash", "00000000").text("hash_algo", "crc32c");
    assert_eq!(refused(fastio.api(Method::POST, "upload/").multipart(wrong)).await, (406, 10_778));
    let larger = single("d.txt", &"x".repeat(4 * 1024 * 1024 + 1));
    assert_eq!(refused(fastio.api(Method::POST, "upload/").multipart(larger)).await.0, 413);
}

#[tokio::test]
async fn a_stream_ends_by_itself() {
    let fastio = Fastio::start().await;
    let target = [("instance_id", WS), ("action", "create"), ("folder_id", "root")];
    let id = fastio.open(&[&[("stream", "true"), ("name", "s.txt")], &target[..]].concat()).await;
    let body = "streamed";
    let crc = format!("{:08x}", crc32c::crc32c(body.as_bytes()));
    let path = format!("upload/{id}/stream/?hash={crc}&hash_algo=crc32c");
    let session = good(fastio.api(Method::POST, &path).body(body)).await;
    let node = session["session"]["new_file_id"].as_str().unwrap().to_owned();
    assert_eq!(fastio.get(&at(&node, "details")).await["node"]["size"], 8);
}

#[tokio::test]
async fn chunks_arrive_in_any_order_and_must_add_up() {
    let fastio = Fastio::start().await;
    let size = (1024 * 1024 + 10).to_string();
    let form = [("name", "c.bin"), ("size", &size), ("action", "create"), ("instance_id", WS)];
    let id = fastio.open(&form).await;
    let chunk = |id: &str, order: u32, bytes: usize| {
        let part = Part::bytes(vec![b'x'; bytes]).file_name("chunk.bin");
        let path = format!("upload/{id}/chunk/?order={order}&size={bytes}");
        fastio.api(Method::POST, &path).multipart(Form::new().part("chunk", part))
    };
    good(chunk(&id, 2, 10)).await;
    assert_eq!(refused(fastio.api(Method::POST, &format!("upload/{id}/complete/"))).await.0, 406);
    good(chunk(&id, 1, 1024 * 1024)).await;
    let done = good(fastio.api(Method::POST, &format!("upload/{id}/complete/"))).await;
    assert_eq!(done["session"]["status"], "complete");
    fastio.delete(&format!("upload/{id}/")).await;
    assert_eq!(refused(fastio.api(Method::GET, &format!("upload/{id}/details/"))).await, (404, 10_508));

    let short = fastio.open(&form).await;
    good(chunk(&short, 2, 10)).await;
    fastio.delete(&format!("upload/{short}/chunk/?order=2")).await;
    good(chunk(&short, 1, 1024 * 1024)).await;
    assert_eq!(fastio.get("upload/details/").await["sessions"][0]["chunks"], json!({"1": 1024 * 1024}));
    let complete = fastio.api(Method::POST, &format!("upload/{short}/complete/"));
    assert_eq!(refused(complete).await, (406, 10_522));
    let session = fastio.get(&format!("upload/{short}/details/")).await;
    assert_eq!(session["session"]["status"], "assembly_failed");
}

#[tokio::test]
async fn an_update_with_a_stale_version_is_refused_and_tells_the_current_one() {
    let fastio = Fastio::start().await;
    let read = fastio.put("r.md", "one").await;
    let node = read["node_id"].as_str().unwrap();
    let detached = |text: &str| {
        Form::new()
            .text("name", "r.md")
            .text("size", text.len().to_string())
            .part("chunk", Part::bytes(text.as_bytes().to_vec()).file_name("r.md"))
    };
    let id = fastio.upload(detached("mine")).await["id"].as_str().unwrap().to_owned();
    let from = json!({"type": "upload", "upload": {"id": id}}).to_string();
    let form = [("from", from.as_str()), ("if_version_id", read["version"].as_str().unwrap())];
    let updated = fastio.post(&at(node, "update"), &form).await;
    assert_eq!(updated["node"]["size"], 4);

    let stale = fastio.api(Method::POST, &at(node, "update")).form(&form).send().await.unwrap();
    assert_eq!(stale.status(), 409);
    let body: Value = stale.json().await.unwrap();
    assert_eq!(body["error"]["params"][0]["reason"], "conflict_version_mismatch");
    assert_eq!(body["error"]["params"][0]["current_version_id"], updated["node"]["version"]);

    let added = fastio.post(&at("root", "addfile"), &[("name", "first.md"), ("from", &from)]).await;
    assert_eq!(added["node"]["name"], "first.md");
}

#[tokio::test]
async fn a_note_is_written_read_and_renamed_beside_one_of_its_name() {
    let fastio = Fastio::start().await;
    let path = at("root", "createnote");
    let note = fastio.post(&path, &[("name", "x.md"), ("content", "# A\u{7}\n")]).await;
    let node = note["node"]["id"].as_str().unwrap();
    assert_eq!(note["node"]["type"], "note");
    let other = fastio.post(&path, &[("name", "x.md"), ("content", "other")]).await;
    assert_eq!(other["node"]["name"], "x (2).md");
    let read = fastio.get(&at(node, "readnote")).await;
    assert_eq!((&read["content"], &read["note"]["name"]), (&json!("# A\n"), &json!("x.md")));
    let version = note["node"]["version"].as_str().unwrap();
    fastio.post(&at(node, "updatenote"), &[("content", "# B"), ("if_version_id", version)]).await;
    let stale = [("content", "# C"), ("if_version_id", version)];
    assert_eq!(refused(fastio.api(Method::POST, &at(node, "updatenote")).form(&stale)).await.0, 409);
    let file = fastio.put_id("plain.md", "text").await;
    assert_eq!(refused(fastio.api(Method::GET, &at(&file, "readnote"))).await, (400, 1605));
    let update = fastio.api(Method::POST, &at(&file, "updatenote")).form(&[("content", "x")]);
    assert_eq!(refused(update).await, (406, 153_548));
    let bad = fastio.api(Method::POST, &path).form(&[("name", "x.txt"), ("content", "x")]);
    assert_eq!(refused(bad).await.0, 406);
}

#[tokio::test]
async fn a_batch_places_what_it_can_and_says_what_it_cannot() {
    let fastio = Fastio::start().await;
    let manifest = json!([
        {"index": 0, "filename": "a.txt"},
        {"index": 1, "filename": "b.txt", "relative_path": "one/two/"},
        {"index": 2, "filename": "c.txt", "hash_algo": "md5", "hash": "00"},
        {"index": 3, "filename": "d.txt", "relative_path": "../"},
    ]);
    let part = |text: &str| Part::bytes(text.as_bytes().to_vec()).file_name("x");
    let form = Form::new()
        .text("instance_id", WS)
        .text("manifest", manifest.to_string())
        .part("file_0", part("first"))
        .part("file_1", part("second"))
        .part("file_2", part("third"))
        .part("file_3", part("fourth"));
    let done = good(fastio.api(Method::POST, "upload/batch/").multipart(form)).await;
    let counts = (&done["count_total"], &done["count_succeeded"], &done["count_errored"]);
    assert_eq!(counts, (&json!(4), &json!(2), &json!(2)));
    assert_eq!(
        (&done["results"][2]["status"], &done["results"][2]["error_code"]),
        (&json!("error"), &json!(10_778))
    );
    let node = done["results"][1]["node_id"].as_str().unwrap();
    assert_eq!(fastio.get(&at(node, "details")).await["node"]["size"], 6);
    let state = fastio.state().await;
    let paths: Vec<&Value> = state["files"].as_array().unwrap().iter().map(|file| &file["path"]).collect();
    assert_eq!(paths, ["/a.txt", "/one/two/b.txt"]);
}

#[tokio::test]
async fn files_have_the_sizes_of_a_real_plan() {
    let fastio = Fastio::start().await;
    let limits = fastio.get("upload/limits/").await["limits"].clone();
    assert_eq!((&limits["max_file_size"], &limits["max_chunk_size"]), (&json!(1 << 30), &json!(100 << 20)));
    let large = vec![b'x'; 9 * 1024 * 1024];
    let put = fastio.control(Method::PUT, &format!("files/{WS}/large.txt")).body(large);
    assert_eq!(good(put).await["size"], 9 * 1024 * 1024);
    let beyond = [("name", "x"), ("size", "1073741825"), ("action", "create"), ("instance_id", WS)];
    assert_eq!(refused(fastio.api(Method::POST, "upload/").form(&beyond)).await.0, 413);
}

#[tokio::test]
async fn a_client_that_sends_too_much_reads_why_it_was_refused() {
    let fastio = Fastio::start().await;
    // The form takes far less, and the client has not sent half of it when that is clear.
    let form = [("name", "x.md".to_owned()), ("content", "x".repeat(20 * 1024 * 1024))];
    let note = fastio.api(Method::POST, &at("root", "createnote")).form(&form);
    assert_eq!(refused(note).await, (413, 1656));
}

#[tokio::test]
async fn a_content_that_is_there_is_named_by_its_hash() {
    let fastio = Fastio::start().await;
    let put = fastio.put("a.txt", "the same").await;
    let hash = json!({"type": "hash", "hash": {"hash": put["sha256"], "hash_type": "sha256"}}).to_string();
    let added = fastio.post(&at("root", "addfile"), &[("name", "b.txt"), ("from", &hash)]).await;
    assert_eq!(added["node"]["size"], 8);
    let unknown = json!({"type": "hash", "hash": {"hash": "00", "hash_type": "md5"}}).to_string();
    let form = [("name", "c.txt"), ("from", unknown.as_str())];
    assert_eq!(refused(fastio.api(Method::POST, &at("root", "addfile")).form(&form)).await.0, 404);
}
