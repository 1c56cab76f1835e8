//! What OpenAI's file search reads nothing of goes as a text that stands for it, and says so: what Fastio read out of it, a
//! workbook's sheets, notes and links.

use docket::sync::listing::{Filter, Standing};
use reqwest::Method;
use rust_xlsxwriter::Workbook;
use serde_json::{Value, json};

use crate::content::noise;
use crate::harness::{Harness, SWEEPING, WORKSPACE, World, contract, legal};
use crate::workbook;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0";

/// What `docket files` says of a text that Fastio read.
const READ_BY_FASTIO: &str = "what can be searched is the text that Fastio read out of it";

impl World {
    /// Fastio's AI is this far with the file, and has read this.
    async fn reads(&self, path: &str, state: &str, text: &str) {
        let url = format!("/_sandbox/texts/{WORKSPACE}{path}?state={state}");
        let url = self.sandbox.fastio_url().join(&url).unwrap();
        let put = reqwest::Client::new().put(url).body(text.to_owned()).send().await.unwrap();
        put.error_for_status().unwrap();
    }

    /// A person calls Fastio. Answers the node.
    async fn as_person(&self, path: &str, form: &[(&str, &str)]) -> String {
        let url = format!("{}/workspace/{WORKSPACE}/storage/{path}/", self.sandbox.fastio_url());
        let call = reqwest::Client::new().request(Method::POST, url).bearer_auth("a person").form(form);
        let answer: Value = call.send().await.unwrap().error_for_status().unwrap().json().await.unwrap();
        answer["node"]["id"].as_str().unwrap().to_owned()
    }

    /// `FILENAME: ATTRIBUTE` of each copy, sorted.
    async fn told(&self, attribute: &str) -> Vec<String> {
        let told = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let copies = self.copies().await.into_iter();
        let mut all: Vec<String> =
            copies.map(|copy| format!("{}: {}", copy.filename, told(&copy.attributes[attribute]))).collect();
        all.sort();
        all
    }
}

impl Harness {
    /// Does what is due now, and lets no time pass.
    async fn work(&self) {
        self.take_in().await;
        while self.work_one().await {}
    }

    /// What `docket files` says of the file beside its state.
    async fn says(&self, path: &str) -> (Standing, String) {
        let rows = self.records().files(&Filter::default()).await;
        let row = rows.into_iter().find(|row| row.path.as_deref() == Some(path)).unwrap();
        (row.state, row.reason.or(row.copy.note).unwrap_or_default())
    }
}

#[tokio::test]
async fn an_image_goes_as_the_text_that_fastio_read_out_of_it() {
    let h = Harness::with(SWEEPING).await;
    h.without_webhooks().await;
    h.put_bytes(WORKSPACE, "/scan.png", PNG.to_vec()).await;
    h.put_bytes(WORKSPACE, "/photo.png", [PNG, b"x"].concat()).await;
    h.reads("/scan.png", "pending", "").await;
    h.no_faults().await;
    for path in ["/scan.png", "/photo.png"] {
        h.webhook("workspace_storage_file_added", &h.node(path).await).await;
    }
    h.work().await;
    let (standing, why) = h.says("/scan.png").await;
    assert!(standing == Standing::Behind && why.contains("Fastio is still reading its text"), "{why}");

    h.reads("/scan.png", "ready", "Liability is capped at EUR 10,000.").await;
    h.settle().await;
    assert_eq!(h.text("scan.png.txt").await, "Liability is capped at EUR 10,000.");
    assert_eq!(h.told("text_by").await, ["scan.png.txt: fastio"]);
    assert_eq!(h.told("original").await, ["scan.png.txt: scan.png"]);
    assert_eq!(h.says("/scan.png").await, (Standing::Current, READ_BY_FASTIO.to_owned()));
    let none = "OpenAI's file search does not read .png files, and Fastio has read no text out of it";
    assert_eq!(h.says("/photo.png").await, (Standing::Skipped, none.to_owned()));

    // A list of files says nothing of what Fastio has read, and its AI may be switched off: what was read stays.
    h.reads("/scan.png", "disabled", "").await;
    assert_eq!(h.sweep().await.found.values().sum::<u64>(), 0);
    h.rename("/scan.png", "/signed.png").await;
    h.settle().await;
    assert_eq!((h.held().await, h.uploads().await), (vec!["/signed.png".to_owned()], 1));
    h.finish_leaving(&["skipped: /photo.png"]).await;
}

#[tokio::test]
async fn what_fastio_does_not_read_in_time_is_skipped_and_has_its_chance_later() {
    let h = Harness::start().await;
    h.put_bytes(WORKSPACE, "/scan.png", PNG.to_vec()).await;
    h.reads("/scan.png", "pending", "").await;
    h.settle().await;
    let (standing, why) = h.says("/scan.png").await;
    assert!(standing == Standing::Skipped && why.contains("Fastio has read no text out of it"), "{why}");
    h.reads("/scan.png", "ready", "Liability is capped.").await;
    h.webhook("workspace_storage_file_updated", &h.node("/scan.png").await).await;
    h.converges().await;
    assert_eq!(h.held().await, ["/scan.png"]);
    h.finish().await;
}

#[tokio::test]
async fn a_scan_that_holds_no_text_gives_way_to_what_fastio_read_of_it() {
    let h = Harness::start().await;
    h.put_bytes(WORKSPACE, "/scan.pdf", noise(4_000)).await;
    h.reads("/scan.pdf", "in_progress", "").await;
    h.work().await;
    let (standing, why) = h.says("/scan.pdf").await;
    assert!(standing == Standing::Unread && why.contains("can read nothing in it"), "{why}");
    h.reads("/scan.pdf", "ready", "Liability is capped at EUR 10,000.").await;
    h.converges().await;
    h.never_unsearchable("/scan.pdf").await;
    assert_eq!(h.told("text_by").await, ["scan.pdf.txt: fastio"]);
    assert_eq!(h.says("/scan.pdf").await, (Standing::Current, READ_BY_FASTIO.to_owned()));
    let uploads = h.uploads().await;
    h.webhook("workspace_storage_file_updated", &h.node("/scan.pdf").await).await;
    h.converges().await;
    assert_eq!(h.uploads().await, uploads, "it is not tried once more");

    h.put("/scan.pdf", "Now with a text of its own.").await;
    h.converges().await;
    h.never_unsearchable("/scan.pdf").await;
    assert_eq!(h.told("text_by").await, ["scan.pdf: -"]);
    h.finish().await;
}

/// Its bytes are sent first, because its name says nothing, and show then that OpenAI reads nothing in them.
#[tokio::test]
async fn an_edit_of_what_goes_as_fastios_text_is_found_all_the_time() {
    let mail = |word: &str| [&b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0"[..], word.as_bytes()].concat();
    let h = Harness::start().await;
    h.put_bytes(WORKSPACE, "/offer.msg", mail("first")).await;
    h.reads("/offer.msg", "ready", "Liability is capped at EUR 10,000.").await;
    h.converges().await;
    assert_eq!(h.text("offer.msg.txt").await, "Liability is capped at EUR 10,000.");
    h.put_bytes(WORKSPACE, "/offer.msg", mail("second")).await;
    h.reads("/offer.msg", "in_progress", "").await;
    h.work().await;
    assert_eq!(h.held().await, ["/offer.msg"], "what Fastio read of the first stays");
    h.reads("/offer.msg", "ready", "Liability is capped at EUR 20,000.").await;
    h.converges().await;
    h.never_unsearchable("/offer.msg").await;
    assert_eq!(h.text("offer.msg.txt").await, "Liability is capped at EUR 20,000.");
    h.finish().await;
}

#[tokio::test]
async fn a_workbook_goes_as_its_sheets_until_fastio_has_read_it() {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet().set_name("Rates").unwrap();
    sheet.write(0, 0, "Party").unwrap().write(0, 1, "Rate").unwrap();
    sheet.write(1, 0, "Acme, North").unwrap().write(1, 1, 12.5).unwrap();
    let h = Harness::start().await;
    h.put_bytes(WORKSPACE, "/rates.xlsx", book.save_to_buffer().unwrap()).await;
    h.put_bytes(WORKSPACE, "/broken.xlsx", noise(500)).await;
    h.settle().await;
    assert_eq!(h.text("rates.xlsx.txt").await, "## Rates\n\nParty,Rate\n\"Acme, North\",12.5");
    assert_eq!(h.told("text_by").await, ["rates.xlsx.txt: docket"]);
    assert!(h.says("/broken.xlsx").await.1.starts_with("the workbook cannot be read"));
    h.trash("/broken.xlsx").await;

    h.reads("/rates.xlsx", "ready", "Acme's northern branch is charged 12.5.").await;
    h.webhook("workspace_storage_file_updated", &h.node("/rates.xlsx").await).await;
    h.converges().await;
    h.never_unsearchable("/rates.xlsx").await;
    assert_eq!(h.told("text_by").await, ["rates.xlsx.txt: fastio"]);
    h.finish().await;
}

#[tokio::test]
async fn old_and_open_workbooks_are_found_by_what_stands_in_their_cells() {
    let texts = workbook::shared_texts(&["Party", "Acme, North", "liability is capped"]);
    let cells = [((0, 0), 0), ((1, 0), 1), ((1, 1), 2)];
    let cells: Vec<u8> = cells.into_iter().flat_map(|(at, text)| workbook::shared(at, text)).collect();
    let open = |row: &str| workbook::ods(&format!("<table:table table:name=\"Terms\">{row}</table:table>"));
    let row = "<table:table-row><table:table-cell office:value-type=\"string\"><text:p>liability is unlimited</text:p>\
               </table:table-cell></table:table-row>";
    let h = Harness::start().await;
    h.put_bytes(WORKSPACE, "/rates.xls", workbook::xls(&texts, &[("Rates", cells)])).await;
    h.put_bytes(WORKSPACE, "/terms.ods", open(row)).await;
    h.put_bytes(WORKSPACE, "/letter.xls", workbook::compound("WordDocument", b"a letter")).await;
    h.put_bytes(WORKSPACE, "/endless.ods", open("<table:table-row>")).await;
    h.put_bytes(WORKSPACE, "/nothing.ods", open("")).await;
    h.settle().await;
    assert_eq!(h.text("rates.xls.txt").await, "## Rates\n\nParty\n\"Acme, North\",liability is capped");
    assert_eq!(h.told("text_by").await, ["rates.xls.txt: docket", "terms.ods.txt: docket"]);
    let found = h.search("liability", None).await.rows;
    let mut paths: Vec<&str> = found.iter().filter_map(|row| row.path.as_deref()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["/rates.xls", "/terms.ods"]);
    for (path, why) in [
        ("/letter.xls", "the workbook cannot be read: there is no workbook in it"),
        ("/endless.ods", "the workbook cannot be read: its content is no XML"),
        ("/nothing.ods", "its sheets are empty"),
    ] {
        assert_eq!(h.says(path).await, (Standing::Skipped, why.to_owned()));
    }

    h.trash("/endless.ods").await;
    h.trash("/nothing.ods").await;
    h.reads("/letter.xls", "ready", "What Fastio read in the letter.").await;
    h.webhook("workspace_storage_file_updated", &h.node("/letter.xls").await).await;
    h.converges().await;
    assert_eq!(h.text("letter.xls.txt").await, "What Fastio read in the letter.");
    h.finish().await;
}

#[tokio::test]
async fn notes_and_links_are_held_as_text_from_their_making_to_their_end() {
    let h = Harness::with(SWEEPING).await;
    let note = [("name", "decisions.md"), ("content", "The cap is EUR 10,000.")];
    let note = h.as_person("root/createnote", &note).await;
    h.as_person("root/addlink", &[("type", "share"), ("share", "5510392857104938271")]).await;
    h.converges().await;
    assert_eq!(h.told("text_by").await, ["5510392857104938271.txt: docket", "decisions.md: -"]);
    assert_eq!(h.text("decisions.md").await, "The cap is EUR 10,000.");
    assert!(h.text("5510392857104938271.txt").await.contains("leads to the share 5510392857104938271"));
    assert_eq!(h.sweep().await.found.values().sum::<u64>(), 0, "a list shows them too");

    h.as_person(&format!("{note}/updatenote"), &[("content", "The cap is EUR 20,000.")]).await;
    h.converges().await;
    h.never_unsearchable("/decisions.md").await;
    assert_eq!(h.text("decisions.md").await, "The cap is EUR 20,000.");
    h.trash("/decisions.md").await;
    h.converges().await;
    assert_eq!(h.held().await, ["/5510392857104938271"]);
    h.finish().await;
}

#[tokio::test]
async fn a_result_over_what_fastio_read_says_so_at_its_top() {
    let h = Harness::with(&legal("")).await;
    h.without_webhooks().await;
    h.put_bytes(WORKSPACE, "/Contracts/nda.png", PNG.to_vec()).await;
    h.reads("/Contracts/nda.png", "ready", &contract(1)).await;
    h.no_faults().await;
    h.webhook("workspace_storage_file_added", &h.node("/Contracts/nda.png").await).await;
    h.converges().await;
    let analysis = h.read("/Contracts/nda.analysis.md").await;
    assert!(
        analysis.contains("What was read is the text that Fastio read out of the document"),
        "{analysis}"
    );
    assert_eq!(h.runs().await[0].outcome.as_deref(), Some("completed"), "its quotes are found there");
    h.finish().await;
}

#[tokio::test]
async fn what_openai_cannot_index_gives_way_to_what_fastio_read_of_it() {
    let h = Harness::start().await;
    let fault = json!({"kind": "index_failure", "code": "invalid_file", "count": 1});
    h.openai_fails(fault).await;
    h.put("/nda.pdf", "Liability is capped.").await;
    h.reads("/nda.pdf", "ready", "Liability is capped.").await;
    h.converges().await;
    assert_eq!(h.told("text_by").await, ["nda.pdf.txt: fastio"]);
    h.finish().await;
}
