//! The way to PostgreSQL and back, typed as the guide has it.

use tokio::task::block_in_place;

use super::check::{ENVIRONMENT, Right};
use crate::harness::cluster::cluster;
use crate::harness::program::At;

const GUIDE: &str = include_str!("../../../docs/postgresql.md");

/// The commands under a heading of the guide.
fn commands(heading: &str) -> &'static str {
    let (_, section) = GUIDE.split_once(&format!("\n## {heading}\n")).unwrap();
    let (_, block) = section.split_once("```sh\n").unwrap();
    block.split("```").next().unwrap()
}

/// Types the commands, of which the last goes on, and stops that. Answers what the others said.
fn typed(at: &At<'_>, commands: &str) -> String {
    let before = commands.strip_suffix("docket serve\n").unwrap();
    let run = at.shell(before);
    assert_eq!(run.code, 0, "{commands}: {run:?}");
    let exports: String =
        before.lines().filter(|line| line.starts_with("export ")).map(|line| format!("{line}\n")).collect();
    let mut server = at.start_shell(&format!("{exports}exec docket serve"));
    server.listens();
    assert_eq!(server.stop(), 0);
    run.said()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_to_postgresql_and_back_is_as_the_guide_has_it() {
    let right = Right::set_up().await;
    let database = right.place.made_database().await;
    database.execute("INSERT INTO openai_webhook VALUES ('wh_1', 5)").await;
    cluster().sql("postgres", "CREATE DATABASE docket");
    let (host, folder) =
        (format!("127.0.0.1:{}", cluster().port()), right.place.path("").display().to_string());
    let here = |commands: &str| commands.replace("HOST", &host).replace("/var/lib/docket/", &folder);
    let to = here(commands("To PostgreSQL"));
    let said = block_in_place(|| typed(&right.place.with(&ENVIRONMENT), &to));
    assert!(said.contains("openai_webhook") && said.contains("durability"), "{said}");
    // The settings name that one now.
    let url = format!("postgres://docket@{host}/docket");
    let environment = [&[("DATABASE_URL", url.as_str())][..], &ENVIRONMENT].concat();
    let back = here(commands("And back to SQLite"));
    let said = block_in_place(|| typed(&right.place.with(&environment), &back));
    assert!(said.contains("openai_webhook") && said.contains("writable, SQLite"), "{said}");
}
