//! What a person says of an answer stands with it, wherever it is read, and is said of no other.

use docket::database::Connection;
use docket::result::judgement::{Judgement, Said};
use docket::run::RunId;

use crate::harness::{Harness, contract, legal};

const NOTE: &str = "checked with Lee\u{202e} ✔ <img src=x> =1+1";

impl Harness {
    /// Says so of a run's answer, as `docket runs accept` and `reject` do, or takes back what was said, as `withdraw` does.
    pub async fn judge(&self, run: i64, said: Option<Said>) -> bool {
        let now = self.clock.now();
        let judgement = said.map(|said| {
            let (by, note) = ("Kim".to_owned(), NOTE.to_owned());
            Judgement { said, by, note, at: now }
        });
        let definitions = self.work.runs.definitions().to_vec();
        let judge = move |tx: &mut Connection| {
            docket::run::judge(tx, &definitions, (RunId(run), judgement.as_ref()), now)
        };
        let is_kept = self.database.write(judge).await.unwrap();
        self.settle().await;
        is_kept
    }

    /// Runs the rule over a file that has a result, as `docket runs again --file` does.
    async fn run_again(&self, path: &'static str) {
        let (definition, now) = (self.work.runs.definition("liability").unwrap().clone(), self.clock.now());
        let want = move |tx: &mut Connection| {
            let indexed = docket::run::file(tx, &definition, path)?.unwrap();
            let judgement = docket::run::judgement_of(tx, (&definition, &indexed))?;
            assert_eq!(judgement.map(|judgement| judgement.said), Some(Said::Accepted));
            docket::run::want_one(tx, (&definition, &indexed), now)
        };
        assert!(self.database.write(want).await.unwrap());
        self.settle().await;
    }

    /// The runs that stand so, as `docket status` counts them.
    async fn count(&self, word: &str) -> i64 {
        let counts = self.database.read(docket::run::store::counts).await.unwrap();
        counts.into_iter().find(|(name, _)| name == word).map_or(0, |(_, runs)| runs)
    }

    /// What the table says of the first finding in a file.
    async fn row(&self, path: &str) -> String {
        let table = self.read("/Contracts/overview.csv").await;
        let found = table.lines().find(|line| line.starts_with(path)).map(str::to_owned);
        found.unwrap_or_else(|| panic!("{path} is not in {table}"))
    }

    /// The first words of a result that a reader sees.
    async fn first_words(&self, path: &str) -> String {
        self.read(path).await.lines().skip(2).take(3).collect::<Vec<_>>().join("\n")
    }
}

async fn analysed(settings: &str) -> Harness {
    let h = Harness::with(settings).await;
    h.put("/Contracts/a.txt", &contract(1)).await;
    h.settle().await;
    h
}

#[tokio::test]
async fn what_a_person_says_of_an_answer_is_the_first_thing_to_be_read() {
    let h = analysed(&legal("digest = 'overview.csv'")).await;
    assert!(h.judge(1, Some(Said::Accepted)).await);
    let page = h.read("/Contracts/a.analysis.md").await;
    let said = page.lines().nth(2).unwrap();
    assert!(said.starts_with("> **Accepted on 20") && said.contains(" by Kim:** checked with Lee"), "{page}");
    for harmless in ["‹U+202E›", "(tick)", "&lt;img src=x"] {
        assert!(said.contains(harmless), "{harmless} in {said}");
    }
    assert!(page.contains("limited to EUR 10,000"), "the answer is kept: {page}");
    let row = h.row("/Contracts/a.txt").await;
    assert!(row.contains(".txt,accepted,1,") && row.contains("Accepted on 20"), "{row}");
    assert_eq!((h.count("accepted").await, h.count("completed").await), (1, 0));

    assert!(h.judge(1, Some(Said::Rejected)).await, "it can be changed");
    let first = h.first_words("/Contracts/a.analysis.md").await;
    assert!(first.starts_with("> **⚠ Rejected on 20") && first.contains("Do not rely on"), "{first}");
    assert!(h.row("/Contracts/a.txt").await.contains(".txt,rejected,1,"));
    assert_eq!((h.count("rejected").await, h.count("accepted").await), (1, 0));

    assert!(h.judge(1, None).await, "and taken back");
    assert!(h.first_words("/Contracts/a.analysis.md").await.starts_with("> ✔"));
    assert!(h.row("/Contracts/a.txt").await.contains(".txt,completed,1,"));
    assert!(!h.judge(1, None).await);
    assert_eq!(h.responses().await.len(), 1);
    h.finish().await;
}

#[tokio::test]
async fn what_a_person_says_stands_in_every_form_of_a_result() {
    for (ending, words) in
        [("html", "<strong>Accepted on 20"), ("csv", "Accepted on 20"), ("json", "\"verdict\": {\"at\":")]
    {
        let settings = legal("").replace("analysis.md", &format!("analysis.{ending}"));
        let h = analysed(&settings).await;
        assert!(h.judge(1, Some(Said::Accepted)).await);
        let page = h.read(&format!("/Contracts/a.analysis.{ending}")).await;
        assert!(page.contains(words) && page.contains("checked with Lee"), "{page}");
        assert!(!page.contains('\u{202e}') && (ending != "html" || !page.contains("<img")), "{page}");
        h.finish().await;
    }
}

#[tokio::test]
async fn an_old_verdict_is_said_of_no_other_answer() {
    let settings = legal("digest = 'overview.csv'");
    let mut h = analysed(&settings).await;
    h.put("/Contracts/b.txt", &contract(2)).await;
    h.settle().await;
    assert!(h.judge(1, Some(Said::Accepted)).await);

    // It goes where its document goes.
    for (from, to) in [("a", "c"), ("b", "a"), ("c", "b")] {
        h.rename(&format!("/Contracts/{from}.txt"), &format!("/Contracts/{to}.txt")).await;
    }
    h.converges().await;
    let (swapped, own) = (h.read("/Contracts/a.analysis.md").await, h.read("/Contracts/b.analysis.md").await);
    assert!(!swapped.contains("Accepted") && swapped.contains("EUR 20,000"), "{swapped}");
    assert!(own.contains("**Accepted on") && own.contains("EUR 10,000"), "{own}");
    assert!(!h.row("/Contracts/a.txt").await.contains("accepted"));
    assert!(h.row("/Contracts/b.txt").await.contains(",accepted,"));

    // Another question is not answered by it.
    h.restart(&settings.replace("Extract every", "Find each")).await;
    h.settle().await;
    let first = h.first_words("/Contracts/b.analysis.md").await;
    assert!(
        first.contains("asks something else") && first.contains("**What follows was accepted on"),
        "{first}"
    );
    assert!(h.row("/Contracts/b.txt").await.contains(",completed,"));
    h.restart(&settings).await;
    h.settle().await;
    assert!(h.first_words("/Contracts/b.analysis.md").await.starts_with("> **Accepted on"));

    // Neither is another version; and what comes back has its own.
    h.put("/Contracts/b.txt", &contract(3)).await;
    h.settle().await;
    let newer = h.read("/Contracts/b.analysis.md").await;
    assert!(newer.contains("EUR 30,000") && !newer.contains("ccepted on"), "{newer}");
    assert_eq!(h.count("accepted").await, 0);
    h.put("/Contracts/b.txt", &contract(1)).await;
    h.settle().await;
    assert!(h.first_words("/Contracts/b.analysis.md").await.starts_with("> **Accepted on"));

    // Nor is what the model says when it is asked once more.
    h.run_again("/Contracts/b.txt").await;
    let once_more = h.read("/Contracts/b.analysis.md").await;
    assert!(once_more.contains("EUR 10,000") && !once_more.contains("ccepted on"), "{once_more}");
    assert!(h.row("/Contracts/b.txt").await.contains(",completed,"));
    h.finish().await;
}

#[tokio::test]
async fn a_verdict_is_written_over_no_persons_edit() {
    let h = analysed(&legal("digest = 'overview.csv'")).await;
    h.put("/Contracts/a.analysis.md", "checked by Kim").await;
    h.settle().await;
    assert!(h.judge(1, Some(Said::Accepted)).await);
    assert_eq!(h.read("/Contracts/a.analysis.md").await, "checked by Kim");
    assert!(h.row("/Contracts/a.txt").await.contains("Accepted on 20"));
    assert!(!h.paths().await.contains(&"/Contracts/a.analysis (2).md".to_owned()));
    h.finish().await;
}

#[tokio::test]
async fn what_has_no_answer_cannot_be_accepted() {
    let h = Harness::with(&legal("")).await;
    h.openai_fails(serde_json::json!({"kind": "bad_run", "code": "refusal", "count": 1})).await;
    h.put("/Contracts/a.txt", &contract(1)).await;
    h.settle().await;
    assert_eq!(h.outcomes().await, ["refused"]);
    assert!(!h.judge(1, Some(Said::Accepted)).await);
    assert!(!h.judge(99, Some(Said::Accepted)).await);
    h.finish().await;
}
