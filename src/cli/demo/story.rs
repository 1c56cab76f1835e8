//! What happens to three contracts, and what is made of three more, two of which swap their names. Each step changes something at Fastio, waits until Docket has nothing left to do,
//! and tells what the vector store says now.

use std::time::Instant;

use anyhow::{Context as _, ensure};

use super::super::failure::Failure;
use super::super::shown::Shown;
use super::super::text::{bytes, count, head, tail};
use super::beside::Beside;
use super::tell::{Teller, WIDTH};
use super::world::{Interval, World};
use crate::openai::Hit;

const NDA: &str = "/Contracts/mutual-nda.txt";
const NDA_RENAMED: &str = "/Contracts/harrow-lindqvist-nda.txt";
const SERVICES: &str = "/Contracts/services-agreement.txt";
const SERVICES_MOVED: &str = "/Contracts/Signed/services-agreement.txt";
const ORDER: &str = "/Contracts/saas-order-form.txt";

/// The legal example's contracts, where the second rule covers them.
pub const REVIEWED: [(&str, &str); 3] = [
    ("/Review/equipment-supply.txt", include_str!("../../../examples/legal/contracts/equipment-supply.txt")),
    ("/Review/mutual-nda.txt", include_str!("../../../examples/legal/contracts/mutual-nda.txt")),
    (
        "/Review/software-services.txt",
        include_str!("../../../examples/legal/contracts/software-services.txt"),
    ),
];
const OVERVIEW: &str = "/Review/liability overview.csv";

const NDA_TEXT: &str = include_str!("mutual-nda.txt");
const SERVICES_TEXT: &str = include_str!("services-agreement.txt");
const ORDER_TEXT: &str = include_str!("saas-order-form.txt");

/// The cap of liability, before and after the edit.
const OLD_CAP: &str = "five hundred thousand US dollars (USD 500,000)";
const NEW_CAP: &str = "two million US dollars (USD 2,000,000)";

pub async fn tell(world: &World<'_>, teller: &Teller, pages: Option<&str>) -> Result<(), Failure> {
    teller.say(teller.paint.bold("Docket: what is in Fastio can be searched at OpenAI, and stays right."))?;
    teller.say("Both are stand-ins here. The server, its webhooks and their signatures are real.")?;
    if let Some(pages) = pages {
        teller.say(Shown::from("Watch it in a browser at ") + teller.paint.mark(pages))?;
    }
    add(world, teller).await?;
    ask(world, teller).await?;
    edit(world, teller).await?;
    rename(world, teller).await?;
    relocate(world, teller).await?;
    delete(world, teller).await?;
    analyse(world, teller).await?;
    swap(world, teller).await?;
    Ok(())
}

async fn add(world: &World<'_>, teller: &Teller) -> Result<(), Failure> {
    teller.step(1, "Three contracts are uploaded to Fastio")?;
    let mut added = Vec::new();
    for (path, text) in [(NDA, NDA_TEXT), (SERVICES, SERVICES_TEXT), (ORDER, ORDER_TEXT)] {
        added.push((path, text, world.now()));
        world.put(path, text.to_owned()).await?;
    }
    world.settle().await?;
    let found = world.searchable().await?;
    for (path, text, at) in added {
        let from = open(&found, path)?.from_ms.context("it is not searchable")?;
        teller.file(path, &bytes(text.len() as u64), &format!("searchable after {} ms", from - at))?;
    }
    Ok(())
}

async fn ask(world: &World<'_>, teller: &Teller) -> Result<(), Failure> {
    const QUERY: &str = "limitation of liability for services";
    teller.step(2, &format!("A user searches the vector store: \"{QUERY}\""))?;
    let hits = world.search(QUERY).await?;
    let best = hits.first().context("nothing was found")?;
    quote(teller, best, OLD_CAP)?;
    Ok(())
}

async fn edit(world: &World<'_>, teller: &Teller) -> Result<(), Failure> {
    const QUERY: &str = "liability capped at two million US dollars";
    teller.step(3, "The cap in the services agreement is raised to two million")?;
    let old = open(&world.searchable().await?, SERVICES)?.file_id.clone();
    let text = SERVICES_TEXT.replace(OLD_CAP, NEW_CAP);
    let at = world.now();
    world.put(SERVICES, text).await?;
    world.settle().await?;
    let found = world.searchable().await?;
    let from = open(&found, SERVICES)?.from_ms.context("the new text is not searchable")?;
    let left = found.iter().find(|interval| interval.file_id == old).and_then(|interval| interval.until_ms);
    let left = left.context("the old copy is still in the vector store")?;
    let overlap = if left >= from {
        format!("The old one answered for {} ms more: the file was never missing.", left - from)
    } else {
        format!("For {} ms neither version could be found.", from - left)
    };
    teller.result(&format!("The new text is searchable after {} ms. {overlap}", from - at))?;
    let hits = world.search(QUERY).await?;
    quote(teller, hits.first().context("nothing was found")?, NEW_CAP)?;
    let stale = hits.iter().filter(|hit| squeezed(&hit.text).contains(OLD_CAP)).count();
    ensure_told(stale == 0, "the old cap can still be found")?;
    teller.result("The old cap is found nowhere any more.")?;
    Ok(())
}

async fn rename(world: &World<'_>, teller: &Teller) -> Result<(), Failure> {
    teller.step(4, "The NDA gets a better name")?;
    let before = Before { at: Instant::now(), uploads: world.uploads() };
    world.rename(NDA, NDA_RENAMED).await?;
    relabelled(world, teller, NDA_RENAMED, before).await
}

async fn relocate(world: &World<'_>, teller: &Teller) -> Result<(), Failure> {
    teller.step(5, "The services agreement moves into the folder Signed")?;
    let before = Before { at: Instant::now(), uploads: world.uploads() };
    world.rename(SERVICES, SERVICES_MOVED).await?;
    relabelled(world, teller, SERVICES_MOVED, before).await
}

async fn analyse(world: &World<'_>, teller: &Teller) -> Result<(), Failure> {
    teller.step(7, "Three contracts are dropped into Review, where a rule analyses each")?;
    for (path, text) in REVIEWED {
        world.put(path, text.to_owned()).await?;
    }
    world.settle().await?;
    let runs = world.runs().await?;
    for (run, result) in &runs {
        result["written"][0]["name"].as_str().context("a result was not written back")?;
        let took = run.ended_at.unwrap_or(run.created_at) - run.created_at;
        let quotes = result["quotes"].as_u64().unwrap_or(0);
        let proven = quotes - result["unverified"].as_u64().unwrap_or(0);
        let said = format!("{proven} of {} proven", count(quotes, "quote"));
        teller.file(&run.path, &format!("{took} ms"), &said)?;
    }
    ensure_told(world.was_locked(), "the contracts were not locked while they were analysed")?;
    teller.result(
        "Each was locked while the model worked on it, and its analysis stands beside it. The model is a stand-in too: it \
         follows plain rules.",
    )?;
    let table = world.content(OVERVIEW).await?;
    let clauses: u64 = runs.iter().filter_map(|(_, result)| result["quotes"].as_u64()).sum();
    teller.result(&format!(
        "{OVERVIEW}, {}, has all {clauses} clauses, one in each row. A part of each:",
        bytes(table.len() as u64)
    ))?;
    overview(teller, &table)
}

/// Between the two names that are swapped.
const BETWEEN: &str = "/Review/between.txt";

async fn swap(world: &World<'_>, teller: &Teller) -> Result<(), Failure> {
    let [(supply, _), _, (services, _)] = REVIEWED;
    teller.step(8, "The supply contract and the services contract swap their names")?;
    let before = [Beside::read(world, supply).await?, Beside::read(world, services).await?];
    let runs = world.responses();
    for (from, to) in [(supply, BETWEEN), (services, supply), (BETWEEN, services)] {
        world.rename(from, to).await?;
    }
    world.settle().await?;
    let after = [Beside::read(world, supply).await?, Beside::read(world, services).await?];
    for (when, [supply, services]) in [("Before:", &before), ("After:", &after)] {
        teller.aside(when)?;
        for beside in [supply, services] {
            let first = beside.quotes.first().context("a result quotes nothing")?;
            teller.quote(&beside.words(), &head(first, WIDTH - 8))?;
        }
    }
    let moved = before[0].quotes == after[1].quotes && before[1].quotes == after[0].quotes;
    ensure_told(moved, "the results did not go with their contracts")?;
    ensure_told(world.responses() == runs, "a contract was analysed once more for its new name")?;
    teller.result(
        "Each result went with its contract and bears its new name, and so does each row of the table. The contents are the same, so \
         nothing was run again.",
    )?;
    Ok(())
}

/// The columns of the table that fit on a line, and how wide each may be; as they stand in Fastio.
const SHOWN: [(&str, usize); 5] =
    [("file", 24), ("section", 7), ("category", 20), ("risk", 6), ("quote verified", 8)];

/// The batch table as it stands in Fastio, cut to the line.
fn overview(teller: &Teller, table: &str) -> Result<(), Failure> {
    let rows = rows(table.trim_start_matches('\u{feff}'));
    let header = rows.first().context("the table is empty")?;
    let places = SHOWN.map(|(name, _)| header.iter().position(|title| title == name));
    for row in &rows {
        let mut line = String::new();
        for ((name, width), place) in SHOWN.iter().zip(places) {
            let cell = place.and_then(|place| row.get(place)).map(String::as_str).unwrap_or_default();
            let cell = match *name {
                "file" => tail(cell.trim_start_matches("/Review/"), *width),
                "quote verified" => head(cell.strip_prefix("quote ").unwrap_or(cell), *width),
                _ => head(cell, *width),
            };
            line.push_str(&format!("{cell:<width$} "));
        }
        teller.aside(line.trim_end())?;
    }
    Ok(())
}

/// The fields of a CSV file (RFC 4180) whose fields hold no line breaks, as Docket writes them.
fn rows(table: &str) -> Vec<Vec<String>> {
    let row = |line: &str| {
        let (mut fields, mut quoted) = (vec![String::new()], false);
        for character in line.chars() {
            match character {
                '"' => quoted = !quoted,
                ',' if !quoted => fields.push(String::new()),
                other => fields.last_mut().expect("it begins with one").push(other),
            }
        }
        fields
    };
    table.lines().map(row).collect()
}

/// When a file was given another path, and how many uploads there had been.
struct Before {
    at: Instant,
    uploads: usize,
}

/// The same bytes under another path cost no upload.
async fn relabelled(world: &World<'_>, teller: &Teller, path: &str, before: Before) -> Result<(), Failure> {
    world.settle().await?;
    let took = before.at.elapsed().as_millis();
    open(&world.searchable().await?, path)?;
    let now = world.uploads();
    let uploads = match now - before.uploads {
        0 => format!("Its bytes are the same, so nothing was uploaded: {now} uploads, as before."),
        more => format!("{} came with it.", count(more as u64, "upload")),
    };
    teller.result(&format!("The vector store knows it as {path} after {took} ms. {uploads}"))?;
    Ok(())
}

async fn delete(world: &World<'_>, teller: &Teller) -> Result<(), Failure> {
    const QUERY: &str = "uptime credits of the subscription";
    teller.step(6, "The order form is deleted")?;
    let before = world.search(QUERY).await?;
    let best = before.first().context("nothing was found before the deletion")?;
    teller.aside(&format!("Until now, \"{QUERY}\" finds"))?;
    quote(teller, best, "promises an uptime")?;
    let gone = open(&world.searchable().await?, ORDER)?.file_id.clone();
    let at = world.now();
    world.delete(ORDER).await?;
    world.settle().await?;
    let found = world.searchable().await?;
    let until = found.iter().find(|interval| interval.file_id == gone).and_then(|interval| interval.until_ms);
    let until = until.context("it is still in the vector store")?;
    let after = world.search(QUERY).await?;
    ensure_told(after.is_empty(), "a search still finds it")?;
    teller.result(&format!("Gone after {} ms. The same question finds nothing now.", until - at))?;
    Ok(())
}

/// The one copy at `path` that can be found now.
fn open<'a>(found: &'a [Interval], path: &str) -> anyhow::Result<&'a Interval> {
    let mut open = found.iter().filter(|interval| interval.until_ms.is_none() && interval.path() == path);
    let first = open.next().with_context(|| format!("{path} is not in the vector store"))?;
    ensure!(open.next().is_none(), "{path} is in the vector store more than once");
    Ok(first)
}

/// The paragraph of a hit that holds `words`, else its first.
fn quote(teller: &Teller, hit: &Hit, words: &str) -> Result<(), Failure> {
    let paragraphs: Vec<String> = hit.text.split("\n\n").map(squeezed).collect();
    let found = paragraphs.iter().find(|paragraph| paragraph.contains(words));
    let paragraph = found.or(paragraphs.first()).cloned().unwrap_or_default();
    teller.quote(&format!("{} (score {:.2})", hit.filename, hit.score), &paragraph)?;
    Ok(())
}

/// Line breaks of the layout fall anywhere.
pub fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn ensure_told(holds: bool, otherwise: &str) -> anyhow::Result<()> {
    ensure!(holds, "{otherwise}");
    Ok(())
}
