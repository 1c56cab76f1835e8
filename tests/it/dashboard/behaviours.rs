//! What a page never does: call unreadable what is not empty, send more than a page, name a command that is none, or round a number.

use reqwest::StatusCode;
use serde_json::json;

use super::pages::{MOST_BYTES, PAGES};
use super::{analysed, sent_to};
use crate::harness::program::Place;
use crate::harness::{Harness, ONE_STORE, WORKSPACE};

#[tokio::test]
async fn a_list_that_cannot_be_read_says_so_and_is_not_called_empty() {
    let h = Harness::start().await;
    let site = h.site(false).await;
    for (table, page, empty) in [("audit", "/log", "Nothing yet"), ("sweep", "/sweeps", "No sweep yet")] {
        assert!(site.page(page).await.contains(empty));
        h.meddle(&format!("ALTER TABLE {table} RENAME TO taken_away")).await;
        let failed = site.get(page, "").await;
        assert_eq!(
            (failed.status(), &failed.headers()["retry-after"]),
            (StatusCode::SERVICE_UNAVAILABLE, &"5".parse().unwrap())
        );
        let text = failed.text().await.unwrap();
        assert!(
            text.contains("the database cannot be read now") && text.contains(&format!("href=\"{page}\"")),
            "{text}"
        );
        assert!(!text.contains(empty), "{text}");
        h.meddle(&format!("ALTER TABLE taken_away RENAME TO {table}")).await;
        assert!(site.page(page).await.contains(empty), "it is there again");
    }
    h.finish().await;
}

#[tokio::test]
async fn a_result_of_many_findings_fits_a_page_and_no_list_reads_it() {
    let h = analysed().await;
    let around = "words ".repeat(150);
    let check = |number: usize| {
        json!({"pointer": format!("/clauses/{number}/quote"), "quote": "liability is capped", "proof": "found", "offset": 4,
               "length": 19, "line": 3, "paragraph": {"before": around, "quote": "liability is capped", "after": around}})
    };
    let result = json!({"data": {}, "checks": (0..400).map(check).collect::<Vec<_>>()}).to_string();
    h.meddle(&format!("UPDATE run SET result = '{result}' WHERE run_id = 1")).await;
    let site = h.site(false).await;
    let (list, run) = (site.page("/runs").await, site.page("/runs/1").await);
    assert!(list.len() < MOST_BYTES && run.len() < MOST_BYTES, "{} and {}", list.len(), run.len());
    assert!(
        !list.contains("liability is capped")
            && run.contains("more are in <a href=\"/runs/1/export?form=md\">")
    );
    assert!(site.get("/runs/1/export?form=json", "").await.text().await.unwrap().len() > result.len());
    h.finish().await;
}

#[tokio::test]
async fn each_page_names_the_command_that_says_the_same() {
    let h = analysed().await;
    let (site, place) = (h.site(false).await, Place::new());
    let mut named = std::collections::BTreeSet::new();
    for path in PAGES {
        let page = site.page(path).await;
        let (_, command) =
            page.split_once("<code id=\"command\">").unwrap_or_else(|| panic!("{path} names no command"));
        assert!(page.contains("data-copy=\"command\""), "{path}");
        let command = command.split("</code>").next().unwrap().replace("&#39;", "").replace("<", "");
        let words: Vec<String> = command.split_whitespace().skip(1).map(str::to_owned).collect();
        let is_option = |word: &String| word.starts_with("--");
        let (options, words): (Vec<String>, Vec<String>) = words.into_iter().partition(is_option);
        let known: Vec<&str> = words
            .iter()
            .map(String::as_str)
            .take_while(|word| word.chars().all(char::is_alphabetic))
            .collect();
        named.insert((known.iter().take(2).map(|word| (*word).to_owned()).collect::<Vec<_>>(), options));
    }
    for (words, options) in named {
        let asked: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
        let help = place.docket(&asked);
        assert_eq!(help.code, 0, "{words:?}: {help:?}");
        assert!(options.iter().all(|option| help.out.contains(option)), "{words:?} {options:?}: {help:?}");
    }
    h.finish().await;
}

#[tokio::test]
async fn a_confirmation_names_the_environment_and_ids_are_told_as_they_are() {
    let h = Harness::with(&format!("[operate]\nenvironment = 'production'\n{ONE_STORE}")).await;
    h.put("/a.txt", "a text").await;
    h.settle().await;
    let site = h.site(false).await;
    let files = site.page("/files").await;
    assert!(files.contains(">production</span>"), "{files}");
    // As text: as a number it would be rounded.
    let id = files.split("name=\"item\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(id.starts_with(&format!("workspace:{WORKSPACE}:")), "{id}");
    h.enqueue_hints(2).await;
    let ids: Vec<String> = h.jobs().await.iter().map(|job| job.job_id.to_string()).collect();
    let chosen = [("item", &*ids[0]), ("item", &*ids[1]), ("action", "discard job"), ("back", "/jobs")];
    let asked = site.post("/confirm", &chosen, "").await.text().await.unwrap();
    for words in [
        "<strong class=\"environment\">production</strong>",
        "2 jobs will be forgotten.",
        "This cannot be undone",
    ] {
        assert!(asked.contains(words), "no {words} in {asked}");
    }
    sent_to(&site.post("/act", &[&chosen[..], &[("number", "2")]].concat(), "").await);
    h.settle().await;
    h.finish().await;
}

#[tokio::test]
async fn what_fails_for_one_cause_is_one_line_with_what_to_do() {
    let h = Harness::start().await;
    h.enqueue_hints(3).await;
    h.meddle("UPDATE job SET state = 'dead', reason = 'no such response resp_00' || id").await;
    let page = h.site(false).await.page("/").await;
    let causes = page.split("id=\"causes\"").nth(1).unwrap().split("</section>").next().unwrap();
    assert!(causes.contains("3 jobs dead") && causes.contains("href=\"/jobs?state=dead&"), "{causes}");
    assert_eq!(causes.matches("no such response").count(), 1, "{causes}");
    h.meddle("DELETE FROM job").await;
    h.finish().await;
}
