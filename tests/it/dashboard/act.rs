//! What a person does in the pages is done once, written down, and told as it is.

use docket::audit;
use docket::sync::listing::{Filter, Standing};
use reqwest::StatusCode;

use super::{analysed, sent_to};
use crate::budget::within;
use crate::harness::Harness;

impl Harness {
    async fn deeds(&self) -> Vec<audit::Row> {
        self.database
            .read(|connection| audit::page(connection, (i64::MIN, i64::MAX), None, 100))
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn an_answer_is_accepted_or_rejected_with_a_reason_and_taken_back() {
    let h = analysed().await;
    let site = h.site(false).await;
    let say = async |fields: &[(&str, &str)]| {
        site.post("/act", &[fields, &[("item", "2"), ("back", "/runs/2")]].concat(), "").await
    };
    assert!(site.page("/runs/2").await.contains("id=\"reject\""));
    let without = say(&[("action", "reject run")]).await;
    assert_eq!(without.status(), StatusCode::BAD_REQUEST);
    assert!(without.text().await.unwrap().contains("say why it is rejected"));
    assert_eq!(h.deeds().await, []);
    let rejected = say(&[("action", "reject run"), ("why", "made up"), ("name", "Kim")]).await;
    assert_eq!(sent_to(&rejected), "/runs/2");
    h.settle().await;
    assert!(site.page("/runs/2").await.contains("by Kim: made up"));
    assert!(h.read("/Contracts/b.analysis.md").await.contains("Rejected on"), "the file says so as well");
    sent_to(&say(&[("action", "accept run"), ("why", "read it"), ("name", "Lee")]).await);
    h.settle().await;
    let page = site.page("/runs/2").await;
    assert!(page.contains("Accepted on") && page.contains("by Lee: read it"), "{page}");
    assert!(page.contains("<blockquote>"), "the answer is kept: {page}");
    sent_to(&say(&[("action", "withdraw verdict")]).await);
    h.settle().await;
    assert!(!site.page("/runs/2").await.contains("id=\"judgement\""));
    // Whoever comes too late is told what is so.
    let late = say(&[("action", "withdraw verdict")]).await;
    assert_eq!(late.status(), StatusCode::CONFLICT);
    assert!(late.text().await.unwrap().contains("nothing was done, because it has ended as needs review"));
    let deeds = h.deeds().await;
    let told: Vec<(&str, Option<&str>)> =
        deeds.iter().map(|one| (&*one.action, one.name.as_deref())).collect();
    assert_eq!(told, [("withdraw verdict", None), ("accept run", Some("Lee")), ("reject run", Some("Kim"))]);
    assert!(deeds.iter().all(|one| one.who == "this machine" && one.about == "run:2"));
    let log = site.page("/log").await;
    assert!(log.contains("made up") && log.contains("run:2"), "{log}");
    h.finish().await;
}

#[tokio::test]
async fn what_is_confirmed_for_many_is_what_is_done_by_a_job_that_can_be_stopped() {
    let h = Harness::start().await;
    h.enqueue_hints(250).await;
    let ids: Vec<String> = h.jobs().await.iter().map(|job| job.job_id.to_string()).collect();
    let site = h.site(false).await;
    let chosen: Vec<(&str, &str)> = ids.iter().map(|id| ("item", id.as_str())).collect();
    let ask = [&chosen[..], &[("action", "discard job"), ("back", "/jobs")]].concat();
    let page = site.post("/confirm", &ask, "").await.text().await.unwrap();
    for words in ["250 jobs will be forgotten.", "This cannot be undone", "Yes, all 250", "and 230 more"] {
        assert!(page.contains(words), "no {words} in {page}");
    }
    assert_eq!(h.jobs().await.len(), 250, "nothing is done before it is confirmed");
    let other = site.post("/act", &[&ask[..], &[("number", "249")]].concat(), "").await.text().await.unwrap();
    assert!(other.contains("there were 249, and there are 250 now. Nothing was done."), "{other}");
    assert_eq!(h.jobs().await.len(), 250);

    let done = site.post("/act", &[&ask[..], &[("number", "250"), ("why", "old")]].concat(), "").await;
    assert_eq!(sent_to(&done), "/bulk/1");
    assert!(site.page("/bulk/1").await.contains("0 of 250"));
    // One is gone meanwhile, and its outcome says so.
    let gone: i64 = ids[7].parse().unwrap();
    h.database.write(move |tx| docket::queue::store::discard(tx, gone)).await.unwrap();
    assert!(h.work_one().await);
    assert_eq!(h.jobs().await.len(), 0);
    let page = site.page("/bulk/1").await;
    for words in ["250 of 250", "Done to 249; 1 are left as they are", "it is there no more", "Why: old."] {
        assert!(page.contains(words), "no {words} in {page}");
    }
    let stopped = site.post("/bulk/1/stop", &[], "").await;
    assert_eq!(stopped.status(), StatusCode::CONFLICT);
    let deeds = h.deeds().await;
    assert_eq!((deeds.len(), deeds[0].number, &*deeds[0].about), (1, 250, "bulk:1"));
    h.finish().await;
}

#[tokio::test]
async fn a_bulk_action_that_is_stopped_leaves_the_rest() {
    let h = Harness::start().await;
    h.enqueue_hints(2).await;
    let ids: Vec<String> = h.jobs().await.iter().map(|job| job.job_id.to_string()).collect();
    let site = h.site(false).await;
    let chosen = [("item", &*ids[0]), ("item", &*ids[1]), ("action", "discard job"), ("number", "2")];
    let begun = site.post("/act", &chosen, "").await;
    let bulk = sent_to(&begun).to_owned();
    assert_eq!(sent_to(&site.post(&format!("{bulk}/stop"), &[], "").await), bulk);
    assert!(h.work_one().await);
    assert_eq!(h.jobs().await.len(), 2, "nothing more is done");
    assert!(site.page(&bulk).await.contains("stopped"));
    h.settle().await;
    h.finish().await;
}

#[tokio::test]
async fn a_file_that_was_given_up_is_tried_again_from_its_page() {
    let h = Harness::start().await;
    h.put("/empty.txt", "").await;
    h.settle().await;
    let site = h.site(false).await;
    let list = site.page("/files?state=skipped").await;
    let id = list.split("name=\"item\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let again = site.post("/act", &[("action", "retry file"), ("item", id), ("back", "/files")], "").await;
    assert_eq!(sent_to(&again), "/files");
    assert_eq!(h.jobs().await.len(), 1);
    h.settle().await;
    // All that were given up, by the filter.
    let all = [("action", "retry file"), ("all", "yes"), ("which", "path=%2Fempty.txt")];
    let page = site.post("/confirm", &all, "").await.text().await.unwrap();
    assert!(page.contains("1 file that were given up will be tried again."), "{page}");
    let begun = site.post("/act", &[&all[..], &[("number", "1")]].concat(), "").await;
    assert_eq!(sent_to(&begun), "/bulk/1");
    assert_eq!(h.settle().await, 2, "the bulk action, and the file");
    let none = [("action", "retry file"), ("all", "yes"), ("which", "path=%2Fnowhere")];
    assert_eq!(site.post("/confirm", &none, "").await.status(), StatusCode::BAD_REQUEST);
    h.finish_leaving(&["skipped: /empty.txt"]).await;
}

#[tokio::test]
async fn all_that_died_of_one_cause_are_tried_again_or_discarded_and_no_other() {
    let h = Harness::start().await;
    h.enqueue_hints(6).await;
    h.meddle(
        "UPDATE job SET state = 'dead', updated_at = 1, due_at = id,
             reason = CASE id % 3 WHEN 0 THEN 'it has no text' ELSE 'no such file file-12345' || id END",
    )
    .await;
    let site = h.site(false).await;
    let page = site.page("/").await;
    let person = page.split("id=\"person\"").nth(1).unwrap().split("</section>").next().unwrap();
    assert!(person.contains("4 jobs died of: no such file …"), "{person}");
    let which = person.split("name=\"which\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let which = which.replace("&amp;", "&");
    let shown = site.page(&format!("/jobs?{which}")).await;
    assert_eq!(shown.matches("name=\"item\"").count(), 4, "{shown}");
    assert!(shown.contains("to all dead jobs of this cause…"), "{shown}");
    let all = |action| [("action", action), ("all", "yes"), ("which", which.as_str()), ("back", "/")];
    let page = site.post("/confirm", &all("retry job"), "").await.text().await.unwrap();
    assert!(page.contains("4 jobs will be due now"), "{page}");
    let begun = site.post("/act", &[&all("retry job")[..], &[("number", "4")]].concat(), "").await;
    assert_eq!(sent_to(&begun), "/bulk/1");
    assert!(h.work_one().await);
    let of = |jobs: &[docket::queue::store::JobRow], state: &str, reason: &str| {
        let is_so = |job: &&docket::queue::store::JobRow| {
            job.state == state && job.reason.as_deref().is_some_and(|words| words.starts_with(reason))
        };
        jobs.iter().filter(is_so).count()
    };
    let jobs = h.jobs().await;
    let told = (of(&jobs, "waiting", "no such file"), of(&jobs, "dead", "it has no text"));
    assert_eq!((told, jobs.len()), ((4, 2), 6), "{jobs:?}");
    let deeds = h.deeds().await;
    assert_eq!(deeds[0].filter.as_deref(), Some("state=dead cause=no such file …"));
    let none = site.post("/confirm", &all("discard job"), "").await;
    assert_eq!(none.status(), StatusCode::BAD_REQUEST, "none of them is dead any more");
    h.meddle("DELETE FROM job").await;
    h.finish().await;
}

#[tokio::test]
async fn what_is_out_says_why_on_its_page_and_is_brought_back_there() {
    let h = Harness::with(&within("files = 1", "")).await;
    h.comes("/1.txt").await;
    h.comes("/2.txt").await;
    let site = h.site(false).await;
    let overview = site.page("/").await;
    for words in ["rule all", "100 % of 1 file", "what is used least makes room for what is used"] {
        assert!(overview.contains(words), "no {words} in {overview}");
    }
    let list = site.page("/files?state=out").await;
    assert!(
        list.contains("/1.txt") && !list.contains("/2.txt") && list.contains("Bring all of these back"),
        "{list}"
    );
    let out = Filter { standing: Some(Standing::Out), ..Filter::default() };
    let id = h.records().files(&out).await.remove(0).source_id;
    let page = site.page(&format!("/file?id={id}")).await;
    for words in ["It is out of OpenAI", "rule all is at its budget of 1 file", "Bring it back"] {
        assert!(page.contains(words), "no {words} in {page}");
    }
    let done = site.post("/act", &[("action", "bring file"), ("item", &id), ("back", "/files")], "").await;
    assert_eq!(sent_to(&done), "/files");
    h.settle().await;
    assert_eq!(h.held().await, ["/1.txt"]);
    let deeds = h.deeds().await;
    assert_eq!((deeds.len(), &*deeds[0].action, &*deeds[0].about), (1, "bring file", &*format!("file:{id}")));
    h.finish_leaving(&["out: /2.txt"]).await;
}
