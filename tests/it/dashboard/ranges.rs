//! Each list can be of a time, which stands in its address.

use reqwest::StatusCode;

use super::sent_to;
use crate::harness::{Harness, contract, legal};

const DAY: i64 = 24 * 60 * 60 * 1000;

#[tokio::test]
async fn each_list_is_of_the_time_that_stands_in_its_address() {
    let h = Harness::with(&legal("")).await;
    let site = h.site(false).await;
    let life = async |name: &str, run: &str| {
        h.put(&format!("/Contracts/{name}.txt"), &contract(name.len())).await;
        h.settle().await;
        h.sweep().await;
        let accept = [("action", "accept run"), ("item", run), ("why", name), ("back", "/runs")];
        sent_to(&site.post("/act", &accept, "").await);
        h.settle().await;
    };
    life("old", "1").await;
    h.pass(3 * DAY);
    let between = h.clock.now();
    h.pass(60 * 60 * 1000);
    life("newer", "2").await;

    let since = between.to_string();
    for (list, old, new) in [
        ("/files", "/Contracts/old.txt", "/Contracts/newer.txt"),
        ("/webhooks", "/Contracts/old.txt", "/Contracts/newer.txt"),
        ("/runs", "/Contracts/old.txt", "/Contracts/newer.txt"),
        ("/log", ">old<", ">newer<"),
    ] {
        for (range, has_old, has_new) in [
            ("", true, true),
            ("?since=24h", false, true),
            ("?until=24h", true, false),
            (&format!("?since={since}"), false, true),
            (&format!("?until={since}"), true, false),
            ("?since=30d&until=7d", false, false),
        ] {
            let page = site.page(&format!("{list}{range}")).await;
            assert_eq!((page.contains(old), page.contains(new)), (has_old, has_new), "{list}{range}: {page}");
        }
        let none = site.page(&format!("{list}?since=30d&until=7d")).await;
        assert!(none.contains("class=\"empty\"") && none.contains(&format!("href=\"{list}\"")), "{none}");
        let wrong = site.get(&format!("{list}?since=yesterday"), "").await;
        assert_eq!(wrong.status(), StatusCode::BAD_REQUEST, "{list}");
        assert!(wrong.text().await.unwrap().contains("is no time: write 24h or 7d"), "{list}");
    }
    let sweeps = |page: String| page.matches("nothing differed").count();
    assert_eq!(sweeps(site.page("/sweeps").await), 2);
    assert_eq!(sweeps(site.page("/sweeps?since=24h").await), 1);
    // What is due is a list of a time, too, and what is done to all of it is of that time.
    assert!(site.page("/jobs?since=1h").await.contains("No such job is, or was, due in this time."));
    let runs = site.page("/runs?since=24h&state=accepted").await;
    assert!(runs.contains("docket runs list --state &#39;accepted&#39; --since &#39;24h&#39;"), "{runs}");
    let all = [("action", "run again"), ("all", "yes"), ("which", "since=24h")];
    let asked = site.post("/confirm", &all, "").await.text().await.unwrap();
    assert!(asked.contains("1 run will be made once more"), "{asked}");
    h.finish().await;
}
