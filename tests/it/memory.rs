//! Memory grows neither with the size of files, of which eight of 512 MB flow through the server at once, whole or in segments, nor with
//! what a delivery's body holds.

use docket::clock::Clock;
use docket::receive::signature::{Scheme, sign};
use docket::sync::listing::{Filter, Standing};
use docket_sandbox::openai::Limits;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::harness::beside::Beside;
use crate::harness::program::{KEYS, Place, SECRET, WORKSPACE};
use crate::harness::records::Records;
use crate::workbook;

const FILES: usize = 8;
const BYTES: u64 = 512_000_000;

/// Of texts that are cut: more than a vector store takes in one file. A debug build looks at a tenth of that in the same time.
const CUT_BYTES: u64 = if cfg!(debug_assertions) { 60_000_000 } else { 600_000_000 };

/// What Docket promises, in kB; for texts that are cut, of which two at a time have buffers, and a debug build has the more.
const MOST_MEMORY: u64 = 100 * 1000;
const MOST_MEMORY_OF_CUT: u64 = 128 * 1000;

#[tokio::test(flavor = "multi_thread")]
async fn eight_files_of_512_mb_at_once_stay_under_100_mb() {
    // They go whole, which is what is measured.
    let limits = Limits { file_tokens: u64::MAX, ..Limits::default() };
    let copies =
        pass_through(BYTES, limits, &[("DOCKET_SYNC__SPLIT_TEXT_ABOVE_BYTES", "0")], MOST_MEMORY).await;
    assert_eq!(copies, FILES as i64);
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_texts_that_go_in_segments_at_once_stay_under_128_mb() {
    let all_at_once = ["UPLOADS", "ATTACHES", "ATTACHED_FILES"];
    let all_at_once = all_at_once.map(|limit| (format!("DOCKET_LIMITS__{limit}_PER_MINUTE"), "300000"));
    let settings: Vec<(&str, &str)> =
        all_at_once.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let copies = pass_through(CUT_BYTES, Limits::default().times(1_000), &settings, MOST_MEMORY_OF_CUT).await;
    // A segment has 4,000,000 bytes at most.
    assert!(copies >= FILES as i64 * i64::try_from(CUT_BYTES / 4_000_000).unwrap(), "{copies} copies");
}

/// Has so many bytes of text in each of the files pass through a server at once. Answers how many copies that makes.
/// The server's memory stays below `most_kb`.
async fn pass_through(bytes: u64, limits: Limits, settings: &[(&str, &str)], most_kb: u64) -> i64 {
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    let options = docket_sandbox::Options { limits, ..Default::default() };
    let sandbox = docket_sandbox::start(options, stop).await.unwrap();
    let place = Place::beside(&sandbox);
    let at = place.with(&[&KEYS[..], settings].concat());
    let (mut server, listens) = at.serve(&["--config", "docket.toml"]);
    let webhook = listens.url("/webhooks/fastio");

    let client = reqwest::Client::new();
    let mut puts = JoinSet::new();
    for seed in 0..FILES {
        let path = format!("/_sandbox/files/{WORKSPACE}/{seed}.txt?generate={bytes}&seed={seed}");
        let put = client.put(sandbox.fastio_url().join(&path).unwrap());
        puts.spawn(async move { put.send().await.unwrap().json::<Value>().await.unwrap() });
    }
    for file in puts.join_all().await {
        let sent = at.docket(&["send", "--url", &webhook, "--node", file["node_id"].as_str().unwrap()]);
        assert_eq!(sent.code, 0, "{sent:?}");
    }

    let all_indexed = async |records: &Records| match &records.copies().await[..] {
        [(state, copies)] if state == "indexed" && records.jobs().await.is_empty() => Some(*copies),
        _ => None,
    };
    let copies = Beside::of(&place.database_url()).await.until(all_indexed).await;
    let peak = peak_memory_kb(server.id());
    println!("peak memory of the server: {peak} kB");
    assert!(peak < most_kb, "{peak} kB");
    assert_eq!(server.stop(), 0);
    copies
}

/// What bodies may share, and as much again for six hundred connections and the database.
const MOST_MEMORY_FOR_BODIES_KB: u64 = 150 * 1000;

/// Six hundred bodies of 30,001 bytes at once, which a parser would make a hundred times as large.
#[tokio::test(flavor = "multi_thread")]
async fn signed_bodies_that_would_become_much_more_stay_what_they_are() {
    let place = Place::alone();
    let (mut server, listens) = place.with(&KEYS).serve(&["--config", "docket.toml"]);
    let webhook = listens.url("/webhooks/fastio");
    let client = reqwest::Client::new();
    let deliver = async |body: String| {
        let now = Clock::default().now() / 1000;
        let signed = sign(Scheme::FastioV1Base64, &SECRET.into(), now, body.as_bytes());
        let request = client.post(&webhook).header(signed[0].0, &signed[0].1).body(body);
        request.send().await.unwrap().status().as_u16()
    };
    let empty = "{},".repeat(9_999) + "{}";
    for (status, body) in [
        // Too many events.
        (400, &(|_| format!("[{empty}]")) as &dyn Fn(usize) -> String),
        // One event with much in it.
        (202, &|n| format!("{{\"id\": \"{n}\", \"x\": [{empty}]}}")),
    ] {
        let deliveries = (0..600).map(|n| deliver(body(n)));
        let answers = futures_util::future::join_all(deliveries).await;
        // On a busy machine a body may come too late, or wait too long for its turn.
        assert!(answers.iter().all(|answer| [status, 408, 503].contains(answer)), "{answers:?}");
        let right = answers.iter().filter(|answer| **answer == status).count();
        assert!(right > answers.len() / 2, "{right} are answered with {status}: {answers:?}");
    }
    let peak = peak_memory_kb(server.id());
    println!("peak memory of the server: {peak} kB");
    assert!(peak < MOST_MEMORY_FOR_BODIES_KB, "{peak} kB");
    assert_eq!(server.stop(), 0);
}

/// What one workbook may cost: its bytes, its stream, the texts that its cells share with where they end, and the text that it becomes.
/// Those that wait for their turn have their bytes.
const MOST_MEMORY_OF_WORKBOOKS_KB: u64 = 200 * 1000;

/// Workbooks of some kilobytes up to 8 MB, of which a reader that believes what they say would make gigabytes.
fn hostile_workbooks() -> Vec<(&'static str, Vec<u8>)> {
    let cell = |row: &str, cell: &str, inner: &str| {
        format!(
            "<table:table table:name=\"S\"><table:table-row {row}><table:table-cell {cell} office:value-type=\"string\">\
             <text:p>{inner}</text:p></table:table-cell></table:table-row></table:table>"
        )
    };
    let shared = |cells: u16, at: fn(u16) -> (u16, u16), text: u32| -> Vec<u8> {
        (0..cells).flat_map(|number| workbook::shared(at(number), text)).collect()
    };
    let all = "table:number-rows-repeated=\"1048576\"";
    let wide = "table:number-columns-repeated=\"16384\"";
    // A list of its sectors that names one of them two million times.
    let mut listed = workbook::xls(&[], &[("S", Vec::new())]);
    let sectors = u32::try_from(listed.len() / 512 - 1).unwrap();
    listed[68..72].copy_from_slice(&sectors.to_le_bytes());
    let next = |number: u32| if number == 16_000 { 0xffff_fffe } else { sectors + number + 1 };
    listed
        .extend((0..=16_000).flat_map(|number| [vec![0; 508], next(number).to_le_bytes().to_vec()].concat()));
    let long = "\u{4e16}".repeat(4_000);
    vec![
        ("wide.ods", workbook::ods(&cell(all, wide, "x"))),
        ("spaces.ods", workbook::ods(&cell("", "", "<text:s text:c=\"4294967295\"/>"))),
        ("comment.ods", workbook::ods(&format!("<!--{}-->", "<>".repeat(60_000_000)))),
        ("deep.ods", workbook::ods(&"<a>".repeat(40_000_000))),
        (
            "rows.ods",
            workbook::ods(&"<table:table table:name=\"S\"><table:table-row/></table:table>".repeat(500_000)),
        ),
        (
            "shared.xls",
            workbook::xls(&workbook::shared_texts(&[&long]), &[("S", shared(60_000, |row| (row, 0), 0))]),
        ),
        (
            "far.xls",
            workbook::xls(
                &workbook::shared_texts(&["x"]),
                &[("S", shared(2, |at| (at * 65_535, at * 255), 0))],
            ),
        ),
        (
            "texts.xls",
            workbook::xls(
                &workbook::shared_texts(&vec!["\u{e4}"; 2_000_000]),
                &[("S", shared(9, |row| (row, 0), 7))],
            ),
        ),
        ("listed.xls", listed),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn workbooks_that_would_become_gigabytes_stay_under_200_mb() {
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    let sandbox = docket_sandbox::start(docket_sandbox::Options::default(), stop).await.unwrap();
    let place = Place::beside(&sandbox);
    let at = place.with(&KEYS);
    let (mut server, listens) = at.serve(&["--config", "docket.toml"]);
    let client = reqwest::Client::new();
    let workbooks = hostile_workbooks();
    let names: Vec<&str> = workbooks.iter().map(|(name, _)| *name).collect();
    for (name, bytes) in workbooks {
        assert!(bytes.len() <= 8 * 1024 * 1024, "{name} has {} bytes, and is not read", bytes.len());
        let url = sandbox.fastio_url().join(&format!("/_sandbox/files/{WORKSPACE}/{name}")).unwrap();
        let file: Value = client.put(url).body(bytes).send().await.unwrap().json().await.unwrap();
        let webhook = listens.url("/webhooks/fastio");
        let sent = at.docket(&["send", "--url", &webhook, "--node", file["node_id"].as_str().unwrap()]);
        assert_eq!(sent.code, 0, "{sent:?}");
    }
    let all_judged = async |records: &Records| {
        let files = records.files(&Filter::default()).await;
        (files.len() == names.len() && records.jobs().await.is_empty()).then_some(files)
    };
    let files = Beside::of(&place.database_url()).await.until(all_judged).await;
    let peak = peak_memory_kb(server.id());
    println!("peak memory of the server: {peak} kB");
    assert!(peak < MOST_MEMORY_OF_WORKBOOKS_KB, "{peak} kB");
    let is = |state| files.iter().filter(|file| file.state == state).count();
    assert_eq!((is(Standing::Current), is(Standing::Skipped)), (4, 5), "{files:#?}");
    assert_eq!(server.stop(), 0);
}

/// The most memory that the process ever had resident.
fn peak_memory_kb(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}
