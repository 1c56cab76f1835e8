//! Who Docket is to OpenAI: Azure's header, and a workload's own identity instead of a key.

use std::fs;

use docket_sandbox::Options;
use docket_sandbox::openai::Login;
use tempfile::NamedTempFile;

use crate::harness::{Harness, ONE_STORE, OPENAI_HOST};

/// What the platform wrote for the workload. The stand-in looks only whether it has three parts.
const OWN: &str = "header.claims.signature-of-the-platform";

const HOUR_MS: i64 = 60 * 60 * 1000;

fn lets_in(login: Login) -> Options {
    Options { login, ..Options::default() }
}

fn workload(file: &NamedTempFile) -> String {
    format!(
        "[openai]
         identity = 'workload'
         identity_token_file = '{}'
         identity_provider = 'idp_1'
         service_account = 'sa_1'
         token_url = '{OPENAI_HOST}/oauth/token'
         {ONE_STORE}",
        file.path().display()
    )
}

fn own_token(text: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    fs::write(file.path(), format!("{text}\n")).unwrap();
    file
}

#[tokio::test]
async fn a_key_stands_in_the_header_that_azure_takes() {
    let settings = format!("[openai]\nkey_header = 'api-key'\n{ONE_STORE}");
    let h = Harness::between(&settings, lets_in(Login::ApiKey)).await;
    h.put("/a.txt", "the lease ends in March").await;
    h.converges().await;
    assert_eq!(h.held().await, ["/a.txt"]);
    h.finish().await;
}

#[tokio::test]
async fn a_workload_shows_a_token_for_its_identity_and_another_when_that_has_ended() {
    let file = own_token(OWN);
    let h = Harness::between(&workload(&file), lets_in(Login::Workload)).await;
    h.put("/a.txt", "the lease ends in March").await;
    h.converges().await;
    assert_eq!(h.asked("POST", "/oauth/token"), 1, "one token does for all requests");
    // It ends before its time: the stand-in's clock leaps, and ours does not.
    h.sandbox.openai_core().clock.shift(HOUR_MS);
    h.put("/b.txt", "the rent is 900").await;
    h.settle().await;
    assert_eq!((h.held().await.len(), h.asked("POST", "/oauth/token")), (2, 2));
    assert_eq!(h.pauses().await.len(), 0);
    h.finish_leaving(&["POST /v1/files is refused"]).await;
}

#[tokio::test]
async fn a_workload_shows_a_token_of_entras() {
    let file = own_token(OWN);
    let settings = format!(
        "[openai]
         identity = 'entra'
         identity_token_file = '{}'
         entra_tenant = 'tenant-1'
         entra_client = 'client-1'
         token_url = '{OPENAI_HOST}/tenant-1/oauth2/v2.0/token'
         {ONE_STORE}",
        file.path().display()
    );
    let h = Harness::between(&settings, lets_in(Login::Entra)).await;
    h.put("/a.txt", "the lease ends in March").await;
    h.converges().await;
    assert_eq!((h.held().await.len(), h.asked("POST", "/tenant-1/oauth2/v2.0/token")), (1, 1));
    h.finish().await;
}

#[tokio::test]
async fn an_identity_that_gets_no_token_holds_the_work_and_says_why_without_showing_it() {
    let file = own_token("no-signed-token-but-a-secret");
    let h = Harness::between(&workload(&file), lets_in(Login::Workload)).await;
    h.put("/a.txt", "the lease ends in March").await;
    h.take_in().await;
    while h.work_one().await {}
    let pauses = h.pauses().await;
    let reason = &pauses.iter().find(|pause| pause.target == "openai").expect("OpenAI is held").reason;
    assert!(reason.contains("gives no token for the workload's identity"), "{reason}");
    assert!(reason.contains("invalid_grant") && !reason.contains("no-signed-token"), "{reason}");
    assert_eq!(h.dead().await, Vec::<String>::new());
    // The platform writes one that is taken.
    fs::write(file.path(), OWN).unwrap();
    h.settle().await;
    assert_eq!(h.held().await, ["/a.txt"]);
    // And none at all is a reason too.
    fs::write(file.path(), "").unwrap();
    h.sandbox.openai_core().clock.shift(HOUR_MS);
    h.put("/b.txt", "the rent is 900").await;
    h.work_for_seconds(10).await;
    let pauses = h.pauses().await;
    let reason = &pauses.first().expect("OpenAI is held").reason;
    assert!(reason.contains("it is empty"), "{reason}");
    fs::write(file.path(), OWN).unwrap();
    h.settle().await;
    assert_eq!(h.held().await.len(), 2);
    h.finish_leaving(&["POST /oauth/token is refused (2 times)", "POST /v1/files is refused"]).await;
}
