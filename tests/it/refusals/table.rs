//! The table of refusals in the code is the one in the documents.

use docket::job::refusal::TABLE;

#[test]
fn the_table_of_refusals_stands_in_the_documents_as_in_the_code() {
    let states = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/states.md")).unwrap();
    let head = "| who says so | in which call | what is said | what it is about | what follows |\n|---|---|---|---|---|\n";
    let rows: String = TABLE.iter().map(|row| row.line() + "\n").collect();
    assert!(states.contains(&format!("{head}{rows}\n")), "docs/states.md should have:\n{head}{rows}");
}
