//! Who sees what: signing in with a token, what each role sees, and what pages of others may not do.

use reqwest::header::SET_COOKIE;
use reqwest::{Response, StatusCode};

use super::{ADMIN, Site, VIEW, sent_to};
use crate::harness::Harness;

/// What a browser sends back of an answer's cookie.
fn kept(answer: &Response) -> String {
    let cookie = answer.headers()[SET_COOKIE].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

impl Site {
    async fn sign_in(&self, token: &str) -> String {
        let answer = self.post("/sign-in", &[("token", token), ("next", "/files?state=behind")], "").await;
        assert_eq!(sent_to(&answer), "/files?state=behind");
        kept(&answer)
    }
}

#[tokio::test]
async fn a_browser_gets_a_session_for_a_token_and_gives_it_back() {
    let h = Harness::start().await;
    let site = h.site(true).await;
    // Whoever is not known is sent there and back.
    assert_eq!(sent_to(&site.get("/jobs?state=dead", "").await), "/sign-in?next=%2Fjobs%3Fstate%3Ddead");
    let form = site.get("/sign-in?next=%2Fjobs", "").await.text().await.unwrap();
    assert!(form.contains(r#"name="token""#) && form.contains(r#"value="/jobs""#), "{form}");
    let wrong = site.post("/sign-in", &[("token", "a-guess")], "").await;
    assert_eq!(wrong.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!wrong.headers().contains_key(SET_COOKIE));
    assert!(wrong.text().await.unwrap().contains("not one of the tokens"));

    let right = site.post("/sign-in", &[("token", ADMIN), ("next", "//evil.example")], "").await;
    assert_eq!(sent_to(&right), "/", "nobody is sent elsewhere");
    let cookie = right.headers()[SET_COOKIE].to_str().unwrap();
    assert!(cookie.starts_with("docket=a.") && cookie.contains("; HttpOnly; SameSite=Strict"), "{cookie}");
    assert!(!cookie.contains(ADMIN) && !cookie.contains("Secure"), "{cookie}");
    let session = kept(&right);
    let page = site.get("/", &session).await.text().await.unwrap();
    assert!(page.contains("All is well.") && page.contains("Sign out"), "{page}");
    assert_eq!(sent_to(&site.get("/sign-in", &session).await), "/");
    for forged in [session.replace("=a.", "=v."), format!("{session}0"), "docket=".to_owned()] {
        assert_eq!(sent_to(&site.get("/", &forged).await), "/sign-in");
    }
    let out = site.post("/sign-out", &[], &session).await;
    assert_eq!(sent_to(&out), "/sign-in");
    assert!(out.headers()[SET_COOKIE].to_str().unwrap().starts_with("docket=; Path=/; Max-Age=0"));
    // Behind https a browser takes it from this host alone.
    let origin = site.base.replace("http://", "https://");
    let secure = site.post_from(&origin, "/sign-in", (&[("token", VIEW)], "")).await;
    let cookie = secure.headers()[SET_COOKIE].to_str().unwrap();
    assert!(cookie.starts_with("__Host-docket=v.") && cookie.ends_with("; Secure"), "{cookie}");
    h.finish().await;
}

#[tokio::test]
async fn who_only_looks_sees_files_and_runs_and_changes_nothing() {
    let h = Harness::start().await;
    h.put("/a.txt", "a text").await;
    h.settle().await;
    let site = h.site(true).await;
    let session = site.sign_in(VIEW).await;
    assert_eq!(sent_to(&site.get("/", &session).await), "/files");
    let files = site.get("/files", &session).await.text().await.unwrap();
    assert!(files.contains("/a.txt") && !files.contains("Try the chosen"), "{files}");
    assert!(!files.contains(r#"href="/jobs""#), "no page is named that is not seen: {files}");
    for path in ["/jobs", "/webhooks", "/settings", "/log", "/sweeps"] {
        let answer = site.get(path, &session).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path}");
        assert!(answer.text().await.unwrap().contains("this needs DOCKET_ADMIN_TOKEN"), "{path}");
    }
    let act = site.post("/act", &[("action", "retry job"), ("item", "1")], &session).await;
    assert_eq!(act.status(), StatusCode::FORBIDDEN);
    let admin = site.sign_in(ADMIN).await;
    assert_eq!(site.get("/jobs", &admin).await.status(), StatusCode::OK);
    h.finish().await;
}

#[tokio::test]
async fn a_page_of_another_origin_does_nothing_and_its_link_leads_here() {
    let h = Harness::start().await;
    let site = h.site(false).await;
    let fields = [("action", "retry job"), ("item", "1")];
    for origin in ["http://evil.example", "null"] {
        let answer = site.post_from(origin, "/act", (&fields, "")).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{origin}");
    }
    let from = |mode: &str, dest: &str| {
        let request = site.client.get(format!("{}/files", site.base)).header("sec-fetch-site", "cross-site");
        request.header("sec-fetch-mode", mode).header("sec-fetch-dest", dest).send()
    };
    assert_eq!(from("navigate", "document").await.unwrap().status(), StatusCode::OK);
    for (mode, dest) in [("no-cors", "image"), ("navigate", "iframe"), ("cors", "empty")] {
        assert_eq!(from(mode, dest).await.unwrap().status(), StatusCode::FORBIDDEN, "{mode} {dest}");
    }
    h.finish().await;
}
