//! True and altered quotes of clauses in six languages, in text as it is read out of documents: no altered one is accepted.
//! `scripts/bench quotes` tells how many there are and how long it takes.

use docket::result::quote::Document;

#[path = "../../benches/quotes/corpus.rs"]
mod corpus;
#[path = "../../benches/quotes/form.rs"]
mod form;

/// Of a hundred true quotes so many are found at least.
const FOUND: usize = 99;

#[test]
fn no_altered_quote_is_accepted_and_nearly_all_true_ones_are_found() {
    let (mut quotes, mut missed) = (0, Vec::new());
    for (seed, language) in corpus::languages().iter().enumerate() {
        let clauses: Vec<String> = language.clauses.iter().map(corpus::Clause::text).collect();
        for form in form::FORMS {
            let document = Document::new(&form.document(&clauses, seed as u64));
            for clause in &language.clauses {
                for altered in clause.altered() {
                    let accepted = document.find(&altered).is_verified();
                    assert!(!accepted, "{} {}: {altered}", language.name, form.name());
                }
                let own = clause.quotes();
                quotes += own.len();
                missed.extend(own.into_iter().filter(|quote| !document.find(quote).is_verified()));
            }
        }
    }
    assert!(
        quotes >= 300 && missed.len() * 100 <= quotes * (100 - FOUND),
        "{} of {quotes}: {missed:#?}",
        missed.len()
    );
}
