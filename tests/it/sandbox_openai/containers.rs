//! Containers and the files in them: put in by a person, or made by code.

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use super::{OpenAi, answered, openai};

impl OpenAi {
    async fn container(&self, more: Value) -> String {
        let mut request = json!({"name": "mine"});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (status, made) = self.post("containers", request).await;
        assert_eq!(status, 200, "{made}");
        made["id"].as_str().unwrap().to_owned()
    }

    /// The path and source of each file of a container, oldest first.
    async fn files_in(&self, container: &str) -> Vec<(String, String)> {
        let (_, page) = self.get(&format!("containers/{container}/files?order=asc&limit=100")).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|file| (text(&file["path"]), text(&file["source"])))
            .collect()
    }
}

fn named(path: &str, source: &str) -> (String, String) {
    (path.to_owned(), source.to_owned())
}

#[tokio::test]
async fn a_container_holds_what_was_put_in_and_what_code_made() {
    let openai = openai().await;
    let file = openai.upload("nda.txt", "The liability is capped.").await;
    let id = openai.container(json!({"file_ids": [file], "memory_limit": "4g"})).await;
    let part = Part::text("a,b").file_name("more.csv");
    let form = Form::new().part("file", part);
    let put = openai.request(Method::POST, &format!("containers/{id}/files")).multipart(form);
    let (status, put) = answered(put).await;
    assert_eq!((status.as_u16(), &put["bytes"], &put["source"]), (200, &json!(3), &json!("user")));
    let tools = json!([{"type": "code_interpreter", "container": id}]);
    let (_, response) =
        openai.post("responses", json!({"model": "sandbox-rules", "input": "Count", "tools": tools})).await;
    assert_eq!(response["output"][0]["container_id"], json!(id));
    let expected = [
        named("/mnt/data/nda.txt", "user"),
        named("/mnt/data/more.csv", "user"),
        named("/mnt/data/words.csv", "assistant"),
    ];
    assert_eq!(openai.files_in(&id).await, expected);
    let path = format!("containers/{id}/files/{}", put["id"].as_str().unwrap());
    assert_eq!(openai.get(&path).await.1, put);
    let content = openai.request(Method::GET, &format!("{path}/content")).send().await.unwrap();
    assert_eq!(content.text().await.unwrap(), "a,b");
    assert_eq!(openai.delete(&path).await.1["object"], "container.file.deleted");
    assert_eq!(openai.get(&path).await.0, 404);
}

#[tokio::test]
async fn what_a_run_is_shown_is_put_into_the_container_made_for_it() {
    let openai = openai().await;
    let file = openai.upload("nda.txt", "The liability is capped.").await;
    let tools = json!([{"type": "code_interpreter", "container": {"type": "auto", "file_ids": [file]}}]);
    let (_, response) =
        openai.post("responses", json!({"model": "sandbox-rules", "input": "Count", "tools": tools})).await;
    let id = response["output"][0]["container_id"].as_str().unwrap();
    let expected = [named("/mnt/data/nda.txt", "user"), named("/mnt/data/words.csv", "assistant")];
    assert_eq!(openai.files_in(id).await, expected);
}

#[tokio::test]
async fn a_container_holds_each_file_that_it_is_given_once_and_none_that_a_search_finds() {
    let openai = openai().await;
    let store = openai.store().await;
    let found = openai.upload("found.txt", "The liability is capped.").await;
    openai.attach(&store, &found).await;
    let (first, second) = (openai.upload("b.txt", "one").await, openai.upload("a.txt", "two").await);
    let shown = |id: &str| json!({"type": "input_file", "file_id": id});
    let content =
        json!([{"type": "input_text", "text": "liability"}, shown(&first), shown(&second), shown(&first)]);
    let container = json!({"type": "auto", "file_ids": [second, first]});
    let tools = json!([
        {"type": "file_search", "vector_store_ids": [store]},
        {"type": "code_interpreter", "container": container},
    ]);
    let input = json!([{"role": "user", "content": content}]);
    let (_, response) =
        openai.post("responses", json!({"model": "sandbox-rules", "input": input, "tools": tools})).await;
    let output = response["output"].as_array().unwrap();
    let id = output.iter().find_map(|item| item["container_id"].as_str()).unwrap();
    let expected = [
        named("/mnt/data/b.txt", "user"),
        named("/mnt/data/a.txt", "user"),
        named("/mnt/data/words.csv", "assistant"),
    ];
    assert_eq!(openai.files_in(id).await, expected);
}

#[tokio::test]
async fn a_file_of_a_container_is_read_whole_or_not_at_all() {
    let openai = openai().await;
    let id = openai.container(json!({})).await;
    for (length, status) in [(100_000, 200), (1_000_000, 400)] {
        let part = Part::text("x".repeat(length)).file_name("large.txt");
        let form = Form::new().part("file", part);
        let put = openai.request(Method::POST, &format!("containers/{id}/files")).multipart(form);
        let file = answered(put).await.1["id"].as_str().unwrap().to_owned();
        let path = format!("containers/{id}/files/{file}/content");
        let content = openai.request(Method::GET, &path).send().await.unwrap();
        assert_eq!(content.status(), status);
        if status == 200 {
            assert_eq!(content.content_length(), Some(length as u64));
            assert_eq!(content.text().await.unwrap().len(), length);
        }
    }
}

#[tokio::test]
async fn lists_of_containers_and_of_their_files_come_in_pages() {
    let openai = openai().await;
    openai.fault(json!({"kind": "bad_run", "code": "many_files", "count": 1}));
    let tools = json!([{"type": "code_interpreter", "container": {"type": "auto"}}]);
    let (_, response) =
        openai.post("responses", json!({"model": "sandbox-rules", "input": "Count", "tools": tools})).await;
    let id = response["output"][0]["container_id"].as_str().unwrap();
    let (mut seen, mut after) = (0, String::new());
    loop {
        let (_, page) = openai.get(&format!("containers/{id}/files?order=asc&limit=50{after}")).await;
        seen += page["data"].as_array().unwrap().len();
        if page["has_more"] == false {
            break;
        }
        after = format!("&after={}", page["last_id"].as_str().unwrap());
    }
    assert_eq!(seen, 125);
    let (_, page) = openai.get(&format!("containers/{id}/files")).await;
    assert_eq!(page["data"].as_array().unwrap().len(), 20, "where no limit is given");
    for _ in 0..3 {
        openai.container(json!({})).await;
    }
    let (_, page) = openai.get("containers?limit=2&name=mine").await;
    assert_eq!((page["data"].as_array().unwrap().len(), &page["has_more"]), (2, &json!(true)));
}

#[tokio::test]
async fn a_container_that_died_is_a_record_without_files() {
    let openai = openai().await;
    let id = openai.container(json!({})).await;
    openai.advance(20 * 60 * 1000);
    assert_eq!(openai.get(&format!("containers/{id}")).await.1["status"], "expired");
    assert_eq!(openai.get(&format!("containers/{id}/files")).await.0, 404);
    let tools = json!([{"type": "code_interpreter", "container": id}]);
    let (status, _) =
        openai.post("responses", json!({"model": "sandbox-rules", "input": "x", "tools": tools})).await;
    assert_eq!(status, 404);
    assert_eq!(openai.delete(&format!("containers/{id}")).await.1["object"], "container.deleted");
    assert_eq!(openai.get(&format!("containers/{id}")).await.0, 404);
}
