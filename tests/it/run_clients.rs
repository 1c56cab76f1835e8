//! What a run needs of OpenAI and Fastio, against the stand-ins; where they have no such thing, against a small server that
//! answers as told.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use docket::fastio::{self, Extract, NodeId, Profile, UploadState, VersionId};
use docket::openai::{
    self, About, AssistantId, Attachment, Attributes, ContainerId, FileId, Format, Item, NewFile,
    NewResponse, NewRun, NewThread, Order, RunStatus, Status, Tool, VectorStoreId,
};
use docket::result::quote::{Document, Piece};
use docket::result::schema::Schema;
use docket_sandbox::{Options, Sandbox, start};
use futures_util::{TryStreamExt, stream};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::clients::server::{Act, Server, answer};

const CONTRACT: &str = "Section 1. The Supplier's total liability is limited to EUR 10,000.\n\nSection 2. The Customer \
                        shall indemnify the Supplier against all claims.\n";

const SCHEMA: &str = r#"{"type": "object", "additionalProperties": false, "required": ["findings"], "properties": {
    "findings": {"type": "array", "items": {"type": "object", "additionalProperties": false,
        "required": ["clause", "quote"], "properties": {
            "clause": {"type": "string"}, "quote": {"type": "string", "x-docket": "quote"}}}}}}"#;

struct World {
    sandbox: Sandbox,
    openai: openai::Client,
    fastio: fastio::Client,
    profile: Profile,
}

async fn world(options: Options) -> World {
    let sandbox = start(options, CancellationToken::new()).await.unwrap();
    let openai = openai::Client::new(&sandbox.openai_url(), "sk-test".into(), None, None).unwrap();
    let fastio = fastio::Client::new(&sandbox.fastio_url(), "fastio-test".into()).unwrap();
    World { sandbox, openai, fastio, profile: Profile::workspace("4829105738291047362") }
}

impl World {
    /// Uploads and attaches a text. The stand-in indexes it at once.
    async fn indexed(&self, name: &str, text: &'static str) -> (VectorStoreId, FileId) {
        let new = NewFile { filename: name, mime_type: "text/plain", length: text.len() as u64 };
        let content = stream::iter([Ok::<_, std::io::Error>(Bytes::from(text))]);
        let file = self.openai.upload(new, content).await.unwrap().id;
        let store = self.openai.create_vector_store("s", &BTreeMap::new()).await.unwrap().id;
        self.openai.attach(&store, &file, &Attributes::new()).await.unwrap();
        (store, file)
    }

    async fn put(&self, path: &str, text: &str) -> NodeId {
        let url =
            self.sandbox.fastio_url().join(&format!("/_sandbox/files/4829105738291047362{path}")).unwrap();
        let answer = reqwest::Client::new().put(url).body(text.to_owned()).send().await.unwrap();
        let answer: Value = answer.error_for_status().unwrap().json().await.unwrap();
        NodeId::new(answer["node_id"].as_str().unwrap())
    }

    async fn sent(&self, name: &str, bytes: Bytes) -> fastio::UploadId {
        let length = bytes.len() as u64;
        let upload = self.fastio.open_upload(name, length).await.unwrap();
        let content = stream::iter([Ok::<_, std::io::Error>(bytes)]);
        self.fastio.send_upload(&upload, length, content).await.unwrap();
        upload
    }

    async fn upload(&self, text: &str) -> fastio::UploadId {
        let upload = self.sent("result.md", Bytes::from(text.to_owned())).await;
        let state = self.fastio.upload_state(&upload, Duration::from_secs(5)).await.unwrap();
        assert_eq!(state, UploadState::Stored);
        upload
    }

    async fn read(&self, node: &NodeId) -> String {
        let download = self.fastio.download(&self.profile, node, None).await.unwrap();
        let pieces: Vec<Bytes> = download.body.try_collect().await.unwrap();
        String::from_utf8(pieces.concat()).unwrap()
    }

    fn openai_fault(&self, fault: Value) {
        self.sandbox.openai_core().faults.add_json(fault).unwrap();
    }
}

#[tokio::test]
async fn a_run_in_a_conversation_is_followed_to_its_proven_end() {
    let world = world(Options { index_delay: Duration::from_secs(60), ..Options::default() }).await;
    let (store, file) = world.indexed("nda.txt", CONTRACT).await;
    let schema = Schema::parse("liability.json", SCHEMA).unwrap();
    let metadata: BTreeMap<String, String> = [("docket_run".to_owned(), "1".to_owned())].into();
    let conversation = world.openai.create_conversation(&metadata).await.unwrap();
    let tools =
        [Tool::FileSearch { stores: vec![store.clone()], matching: Attributes::new(), max_results: 5 }];
    let new = NewResponse {
        model: "sandbox-rules",
        instructions: Some("Quote exactly."),
        conversation: Some(&conversation),
        text: "Extract every liability clause.",
        files: std::slice::from_ref(&file),
        tools: &tools,
        format: Some(Format { name: schema.name(), schema: schema.sent() }),
        max_output_tokens: Some(4000),
        max_tool_calls: Some(10),
        mcp: None,
        service_tier: None,
        metadata: metadata.clone(),
    };
    let begun = world.openai.create_response(&new).await.unwrap();
    assert_eq!(begun.status, Status::Queued);
    assert_eq!(begun.conversation, Some(conversation.clone()));
    assert!(
        world
            .openai
            .conversation_items(&conversation, Order::OldestFirst, None)
            .await
            .unwrap()
            .items
            .is_empty()
    );
    world.sandbox.openai_core().clock.shift(60_000);
    let ended = world.openai.response(&begun.id).await.unwrap();
    assert_eq!((&ended.status, &ended.metadata), (&Status::Completed, &metadata));
    assert!(ended.usage.unwrap().total_tokens > 0);
    assert_eq!(ended.output.citations[0].filename, "nda.txt");

    let result: Value = serde_json::from_str(&ended.output.text).unwrap();
    schema.validate(&result).unwrap();
    let text = world.openai.store_text(&store, &file, 1 << 20).await.unwrap();
    assert!(text.complete);
    let document = Document::of(text.pieces.iter().map(|text| Piece { text, pages: None }));
    let checks = schema.check(&result, &document);
    assert!(!checks.is_empty() && checks.iter().all(|check| check.proof.is_verified()), "{checks:?}");

    // After a lost reply the same answer is found in the conversation.
    let items = world.openai.conversation_items(&conversation, Order::OldestFirst, None).await.unwrap().items;
    assert_eq!(Item::output(&items).text, ended.output.text);
    let newest =
        world.openai.conversation_items(&conversation, Order::NewestFirst, None).await.unwrap().items;
    assert_eq!(newest[0].role.as_deref(), Some("assistant"));
    // What has ended stays as it ended.
    assert_eq!(world.openai.cancel_response(&begun.id).await.unwrap().status, Status::Completed);
}

#[tokio::test]
async fn a_run_can_be_cancelled_and_its_other_ends_are_told_apart() {
    let world = world(Options { index_delay: Duration::from_secs(60), ..Options::default() }).await;
    let new = NewResponse { model: "sandbox-rules", text: "Hello", ..NewResponse::default() };
    let begun = world.openai.create_response(&new).await.unwrap();
    assert_eq!(world.openai.cancel_response(&begun.id).await.unwrap().status, Status::Cancelled);
    assert_eq!(world.openai.response(&begun.id).await.unwrap().status, Status::Cancelled);

    let end = async |code: &str| {
        world.openai_fault(json!({"kind": "bad_run", "code": code, "count": 1}));
        let begun = world.openai.create_response(&new).await.unwrap();
        world.sandbox.openai_core().clock.shift(120_000);
        world.openai.response(&begun.id).await.unwrap()
    };
    let failed = end("server_error").await;
    assert!(failed.status == Status::Failed && failed.error.unwrap().about() == About::Service);
    assert_eq!(end("invalid_prompt").await.error.unwrap().about(), About::Content);
    let cut = end("max_output_tokens").await;
    assert_eq!((cut.status, cut.incomplete.as_deref()), (Status::Incomplete, Some("max_output_tokens")));
    assert!(!cut.output.text.is_empty());
    let refused = end("refusal").await;
    assert_eq!(refused.status, Status::Completed);
    assert!(refused.output.refusal.is_some() && refused.output.text.is_empty());

    let gone = world.openai.response(&openai::ResponseId("resp_unknown".into())).await.unwrap_err();
    assert!(gone.is_not_found());
}

#[tokio::test]
async fn files_that_code_made_are_listed_and_fetched_within_a_limit() {
    let page = json!({"data": [{"id": "cfile_1", "path": "/mnt/data/caps.csv", "bytes": 10, "source": "assistant"}],
        "has_more": false});
    let server = Server::start(move |request| {
        Act::Answer(match request.line.as_str() {
            line if line.ends_with("/content") => answer(200, &[], "0123456789"),
            line if line.contains("cntr_gone") => {
                answer(404, &[], r#"{"error": {"message": "Container not found"}}"#)
            }
            _ => answer(200, &[], page.to_string()),
        })
    })
    .await;
    let client = openai::Client::new(server.url(), "sk-test".into(), None, None).unwrap();
    let container = ContainerId("cntr_1".into());
    let files = client.container_files(&container, None).await.unwrap().items;
    assert_eq!((files[0].name(), files[0].source.as_deref()), ("caps.csv", Some("assistant")));
    let download = client.container_file(&container, &files[0].id, 10).await.unwrap();
    assert_eq!(download.length, Some(10));
    let pieces: Vec<Bytes> = download.body.try_collect().await.unwrap();
    assert_eq!(pieces.concat(), b"0123456789");
    let too_large = client.container_file(&container, &files[0].id, 9).await.unwrap_err();
    assert_eq!(too_large.kind, openai::ErrorKind::TooLarge);
    assert!(client.container_files(&ContainerId("cntr_gone".into()), None).await.unwrap_err().is_not_found());
    assert_eq!(server.lines()[1], "GET /base/containers/cntr_1/files/cfile_1/content");
}

#[tokio::test]
async fn an_unannounced_file_is_cut_off_at_the_limit() {
    let body = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n0123456789".to_vec();
    let server = Server::start(move |_| Act::Answer(body.clone())).await;
    let client = openai::Client::new(server.url(), "sk-test".into(), None, None).unwrap();
    let download = client.container_file(&ContainerId("cntr_1".into()), "cfile_1", 9).await.unwrap();
    assert_eq!(download.length, None);
    let error = download.body.try_collect::<Vec<Bytes>>().await.unwrap_err();
    assert_eq!(error.kind, openai::ErrorKind::TooLarge);
}

#[tokio::test]
async fn a_store_s_text_is_read_page_by_page_up_to_a_limit() {
    let page = |text: &str, next: Option<&str>| {
        json!({"data": [{"type": "text", "text": text}], "has_more": next.is_some(), "next_page": next})
            .to_string()
    };
    let (first, second) = (page("one ", Some("p2")), page("two", None));
    let server = Server::start(move |request| {
        Act::Answer(answer(200, &[], if request.line.ends_with("?page=p2") { &second } else { &first }))
    })
    .await;
    let client = openai::Client::new(server.url(), "sk-test".into(), None, None).unwrap();
    let (store, file) = (VectorStoreId("vs_1".into()), FileId("file-1".into()));
    let text = client.store_text(&store, &file, 1000).await.unwrap();
    assert_eq!((text.pieces.concat().as_str(), text.complete), ("one two", true));
    let text = client.store_text(&store, &file, 2).await.unwrap();
    assert_eq!((text.pieces.concat().as_str(), text.complete), ("one ", false));
}

#[tokio::test]
async fn threads_speak_the_second_version_and_lose_their_marks() {
    let server = Server::start(|request| {
        let body = match request.line.as_str() {
            "POST /base/threads" => json!({"id": "thread_1"}),
            line if line.contains("/messages?") => json!({"has_more": false, "data": [
                {"id": "msg_1", "role": "assistant", "content": [{"type": "text", "text": {
                    "value": "Capped【4:0†nda】.", "annotations": [{"type": "file_citation", "text": "【4:0†nda】",
                        "file_citation": {"file_id": "file-1"}}]}}]}]}),
            line if line.contains("/runs?") => json!({"data": [{"id": "run_1", "status": "queued"}]}),
            line if line.ends_with("/cancel") => json!({"id": "run_1", "status": "cancelling"}),
            line if line.starts_with("GET") => json!({"id": "run_1", "status": "failed",
                "last_error": {"code": "rate_limit_exceeded", "message": "Slow down"},
                "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}}),
            _ => json!({"id": "run_1", "status": "queued"}),
        };
        Act::Answer(answer(200, &[], body.to_string()))
    })
    .await;
    let client = openai::Client::new(server.url(), "sk-test".into(), None, None).unwrap();
    let threads = client.threads();
    let attachment = Attachment { file: FileId("file-1".into()), file_search: true, code_interpreter: true };
    let new = NewThread { text: "Read it.", attachments: &[attachment], metadata: BTreeMap::new() };
    let thread = threads.create(&new).await.unwrap();
    let assistant = AssistantId("asst_1".into());
    let new = NewRun {
        assistant: &assistant,
        model: None,
        additional_instructions: None,
        format: None,
        max_completion_tokens: None,
        metadata: BTreeMap::new(),
    };
    let run = threads.start(&thread, &new).await.unwrap();
    assert_eq!(threads.runs(&thread).await.unwrap()[0].id, run.id);
    let looked = threads.run(&thread, &run.id).await.unwrap();
    assert_eq!(looked.status, RunStatus::Failed);
    assert!(matches!(looked.error.unwrap().about(), About::Service | About::Limit { .. }));
    assert_eq!(looked.usage.unwrap().input_tokens, 7);
    assert_eq!(threads.cancel(&thread, &run.id).await.unwrap().status, RunStatus::Cancelling);
    let output = threads.output(&thread, &run.id).await.unwrap();
    assert_eq!((output.text.as_str(), output.citations.len()), ("Capped[1].", 1));
    let requests = server.requests();
    assert!(requests.iter().all(|request| request.header("openai-beta") == Some("assistants=v2")));
    assert!(
        requests
            .last()
            .unwrap()
            .line
            .starts_with("GET /base/threads/thread_1/messages?run_id=run_1&order=asc")
    );
}

#[tokio::test]
async fn a_lock_is_held_renewed_and_released_by_its_token() {
    let world = world(Options::default()).await;
    let node = world.put("/nda.txt", CONTRACT).await;
    let (fastio, profile) = (&world.fastio, &world.profile);
    assert!(!fastio.lock_state(profile, &node).await.unwrap().locked);
    let lock = fastio.lock(profile, &node, 60, "docket").await.unwrap();
    let state = fastio.lock_state(profile, &node).await.unwrap();
    assert!(state.locked && state.holder.is_some());
    assert_eq!(state.device.as_deref(), Some("docket"));
    assert!(fastio.node(profile, &node).await.unwrap().locked);

    let other = fastio::Client::new(&world.sandbox.fastio_url(), "somebody-else".into()).unwrap();
    let refused = other.lock(profile, &node, 60, "other").await.unwrap_err();
    assert_eq!(refused.kind, fastio::ErrorKind::Locked);
    let guess = SecretString::from("guessed-token");
    assert_eq!(other.unlock(profile, &node, &guess).await.unwrap_err().kind, fastio::ErrorKind::Locked);

    world.sandbox.fastio_core().clock.shift(50_000);
    let renewed = fastio.renew_lock(profile, &node, &lock.token).await.unwrap();
    assert!(renewed > lock.expires_at, "{renewed:?} {:?}", lock.expires_at);
    fastio.unlock(profile, &node, &lock.token).await.unwrap();
    assert!(!fastio.lock_state(profile, &node).await.unwrap().locked);
    assert!(fastio.unlock(profile, &node, &lock.token).await.unwrap_err().is_not_found());
    assert!(fastio.renew_lock(profile, &node, &lock.token).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn a_lock_s_token_is_read_wherever_it_stands_and_never_printed() {
    const TOKEN: &str = "lock+token/never printed";
    let node = NodeId::new("2a");
    for body in [
        json!({"result": true, "lock_token": TOKEN}),
        json!({"result": "yes", "response": {"lock": {"token": TOKEN, "expires_at": 1_790_372_411}}}),
        json!({"result": true, "lock_info": {"lock_token": TOKEN}}),
        json!({"result": true, "response": {"token": TOKEN}}),
    ] {
        let server = Server::answering(200, &[], body.to_string()).await;
        let client = fastio::Client::new(server.url(), "fastio-test".into()).unwrap();
        let lock = client.lock(&Profile::workspace("1"), &node, 1, "docket").await.unwrap();
        assert_eq!(lock.token.expose_secret(), TOKEN, "{body}");
        assert!(!format!("{lock:?}").contains("never"));
        assert!(server.requests()[0].text().starts_with("duration=60&client_info="));
    }
    let told = json!({"result": false, "error": {"code": 1, "text":
        format!("no {TOKEN} in DELETE ?lock_token=lock%2Btoken%2Fnever+printed")}});
    let server = Server::answering(409, &[], told.to_string()).await;
    let client = fastio::Client::new(server.url(), "fastio-test".into()).unwrap();
    let error = client.unlock(&Profile::workspace("1"), &node, &TOKEN.into()).await.unwrap_err();
    assert_eq!(error.kind, fastio::ErrorKind::Locked);
    assert!(!format!("{error} {error:?}").contains("never"), "{error:?}");
    let [request] = &server.requests()[..] else { panic!() };
    assert!(request.line.ends_with("/storage/2a/lock/?lock_token=lock%2Btoken%2Fnever+printed"));
    assert!(request.body.is_empty());
}

#[tokio::test]
async fn a_result_is_placed_beside_its_source_and_then_becomes_versions() {
    let world = world(Options::default()).await;
    let source = world.put("/Contracts/nda.txt", CONTRACT).await;
    let (fastio, profile) = (&world.fastio, &world.profile);
    let folder = fastio.node(profile, &source).await.unwrap().parent.unwrap();
    assert_eq!(fastio.child(profile, &folder, "nda.analysis.md").await.unwrap(), None);

    let upload = world.upload("# One").await;
    let written = fastio.add_file(profile, &folder, "nda.analysis.md", &upload).await.unwrap();
    assert_eq!((written.name.as_str(), &written.parent), ("nda.analysis.md", &Some(folder.clone())));
    let again = fastio.add_file(profile, &folder, "twice.md", &upload).await;
    let found = fastio.child(profile, &folder, "nda.analysis.md").await.unwrap().unwrap();
    assert_eq!((&found.id, &found.version), (&written.id, &written.version));
    assert_eq!(fastio.child(profile, &folder, "NDA.analysis.md").await.unwrap(), None);
    assert!(again.is_ok() || again.unwrap_err().kind == fastio::ErrorKind::Conflict);

    let first = written.version.unwrap();
    let second =
        fastio.add_version(profile, &written.id, &first, &world.upload("# Two").await).await.unwrap();
    assert_eq!(second.id, written.id);
    assert_eq!(world.read(&written.id).await, "# Two");

    // A person edits it; we have read the version before that.
    world.put("/Contracts/nda.analysis.md", "# Mine").await;
    let second = second.version.unwrap();
    let upload = world.upload("# Three").await;
    let stale = fastio.add_version(profile, &written.id, &second, &upload).await.unwrap_err();
    let current = fastio.node(profile, &written.id).await.unwrap().version;
    let told = match &stale.kind {
        fastio::ErrorKind::Stale { current } => current.clone().map(|version| NodeId::new(version.0)),
        kind => panic!("{kind:?}"),
    };
    assert_eq!(told, current.map(|version: VersionId| NodeId::new(version.0)));
    assert_eq!(world.read(&written.id).await, "# Mine");
    // The same upload can still go elsewhere.
    fastio.add_file(profile, &folder, "nda.analysis (2).md", &upload).await.unwrap();
}

#[tokio::test]
async fn an_upload_is_listed_until_it_has_its_bytes_and_is_ended_alone() {
    let world = world(Options::default()).await;
    let (fastio, profile) = (&world.fastio, &world.profile);
    // More than Fastio takes in one call.
    let large = Bytes::from(vec![b'x'; 5 * 1024 * 1024]);
    let upload = world.sent("large.csv", large.clone()).await;
    let written = fastio.add_file(profile, &NodeId::root(), "placed.csv", &upload).await.unwrap();
    assert_eq!((written.name.as_str(), written.size), ("placed.csv", Some(large.len() as u64)));
    // Placed, a session can go, and its file stays.
    fastio.cancel_upload(&upload).await.unwrap();
    assert!(fastio.cancel_upload(&upload).await.unwrap_err().is_not_found());
    assert_eq!(fastio.node(profile, &written.id).await.unwrap().size, written.size);

    let (one, two) =
        (fastio.open_upload("one.csv", 10).await.unwrap(), fastio.open_upload("two.csv", 1).await.unwrap());
    let names =
        async || fastio.open_uploads().await.unwrap().into_iter().map(|open| open.name).collect::<Vec<_>>();
    assert_eq!(names().await, ["one.csv", "two.csv"]);
    fastio.cancel_upload(&two).await.unwrap();
    assert_eq!(names().await, ["one.csv"]);
    let broken = stream::iter([Ok(Bytes::from("ab")), Err(std::io::Error::other("the source broke"))]);
    let error = fastio.send_upload(&one, 10, broken).await.unwrap_err();
    assert!(error.to_string().contains("the source broke"), "{error}");
}

#[tokio::test]
async fn an_upload_s_words_are_read_as_the_documents_that_disagree_want() {
    let upload = fastio::UploadId("5u".into());
    for (status, expected) in [
        ("stored", UploadState::Stored),
        ("complete", UploadState::Stored),
        ("assembling", UploadState::Underway),
        ("a new word", UploadState::Underway),
        ("store_failed", UploadState::Failed("store_failed: No room.".into())),
    ] {
        let session = json!({"status": status, "status_message": "No room.", "new_file_id": null});
        let server =
            Server::answering(200, &[], json!({"result": true, "session": session}).to_string()).await;
        let client = fastio::Client::new(server.url(), "fastio-test".into()).unwrap();
        assert_eq!(client.upload_state(&upload, Duration::from_secs(600)).await.unwrap(), expected);
        assert_eq!(server.lines(), ["GET /base/upload/5u/details/?wait=45"]);
    }
}

#[tokio::test]
async fn the_text_that_fastio_read_is_fetched_piece_by_piece() {
    let world = world(Options::default()).await;
    let long = format!("{}{CONTRACT}", "All of this is filling.\n".repeat(20_000));
    let node = world.put("/long.txt", &long).await;
    let text = world.fastio.text(&world.profile, &node, 10 << 20).await.unwrap();
    assert!(text.indexed && text.complete && text.version.is_some());
    assert_eq!(text.pieces.iter().map(|piece| piece.text.as_str()).collect::<String>(), long);
    let pieces = text.pieces.iter().map(|piece| Piece { text: &piece.text, pages: piece.pages });
    let proof = Document::of(pieces).find("The Supplier’s total liability is limited to EUR 10,000.");
    assert!(proof.is_verified());
    let part = world.fastio.text(&world.profile, &node, 1000).await.unwrap();
    assert!(!part.complete && part.pieces.len() < text.pieces.len());
    let empty =
        json!({"result": true, "chunks": [], "indexed": false, "complete": false, "next_cursor": null});
    let server = Server::answering(200, &[], empty.to_string()).await;
    let client = fastio::Client::new(server.url(), "fastio-test".into()).unwrap();
    assert_eq!(client.text(&world.profile, &node, 1000).await.unwrap(), Extract::default());
}
