use super::super::Document;

fn found(document: &str, quote: &str) -> bool {
    Document::new(document).find(quote).is_verified()
}

/// Pages of `lines` lines each that say nothing twice, parted by what `end` makes of the page's number, with `clause` over
/// the end of the third.
fn paged(lines: usize, clause: [&str; 2], end: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for page in 1..=5 {
        if page == 4 {
            text += &format!("{}\n", clause[1]);
        }
        for line in 0..lines {
            text += &format!("Clause {} speaks of matter {}.\n", page * 100 + line, page * line + 7);
        }
        if page == 3 {
            text += &format!("{}\n", clause[0]);
        }
        text += &end(page);
    }
    text
}

const CLAUSE: [&str; 2] = ["The Supplier's total lia-", "bility is limited to EUR 50,000."];
const QUOTE: &str = "The Supplier's total liability is limited to EUR 50,000.";

#[test]
fn a_clause_goes_on_over_a_page_s_end() {
    for end in [
        "Page #\n",
        "\nPage # of 17\n\n",
        "- # -\n",
        "#\n",
        "\n#\n\u{c}",
        "Seite # von 5\n",
        "S. #/5\n",
        "– # –\n",
        "page # sur 5\n",
        "Página # de 5\n",
        "Pagina # di 5\n",
        "Strona # z 5\n",
        "[#]\n",
        "# / 5\n",
        "# of 5\n",
        "ACME Ltd. · Confidential\nPage # of 17\nMaster Services Agreement\n",
        "Confidential\n\n#\n\n\u{c}Master Services Agreement, version 3 of 2024\n\n",
        "\u{c}Master Services Agreement\n",
        "Master Services Agreement    Page # of 17\n",
        "Master Services Agreement | #\n",
        "Strictly private and confidential\n",
    ] {
        let document = paged(30, CLAUSE, |page| end.replace('#', &page.to_string()));
        assert!(found(&document, QUOTE), "{end:?}");
        assert!(!found(&document, "total liability is limited to EUR 5"), "{end:?}");
        let own = format!("liability {} limited", end.replace('#', "3").replace('\u{c}', " "));
        assert!(!found(&document, &own), "{own:?}");
    }
}

#[test]
fn a_quote_may_be_or_hold_what_is_furniture() {
    let document = paged(20, CLAUSE, |page| format!("ACME Ltd. is confidential\nPage {page} of 17\n"));
    for quote in [
        "ACME Ltd. is confidential",
        "total lia-\nACME Ltd. is confidential\nPage 3 of 17\nbility is limited",
        "Page 3 of 17\nbility is limited to EUR 50,000",
    ] {
        assert!(found(&document, quote), "{quote:?}");
    }
}

#[test]
fn text_and_its_numbers_are_never_furniture() {
    let numbers = ["The notice period is at least", "weeks from receipt."];
    for end in [
        "4\n",
        "4\nPage # of 5\n",
        "4\n#\n",
        "EUR 4#\nPage # of 5\n",
        "Fee: EUR 4#0\nPage # of 5\n",
        "but not\nPage # of 5\n",
        "Article #\n",
        "#.\n",
        "§ #\n",
        "Section # applies\n",
    ] {
        let document = paged(20, numbers, |page| end.replace('#', &page.to_string()));
        assert!(!found(&document, "The notice period is at least weeks from receipt."), "{end:?}");
    }
    let table = "1\nweeks of notice are\n2\nweeks of rest are\n3\nweeks of work are\n4\nweeks of leave\n";
    assert!(!found(table, "weeks of notice are weeks of rest are"));
    let once = "The notice period is\nPage 4 of 17\nfour weeks from receipt.";
    assert!(found(once, "The notice period is four weeks from receipt."));
    assert!(!found(
        "The notice is due on\nPage 4\nfour weeks from now.",
        "The notice is due on four weeks from now."
    ));
}

#[test]
fn numbers_of_lines_down_a_margin_are_skipped() {
    let lines = [
        "THE DEFENDANT, by its counsel, states",
        "as follows. The parties entered into an",
        "agreement on 4 May 2024 under which the",
        "Defendant was to deliver goods within",
        "4 weeks of each order, against payment",
        "of EUR 50,000. The Claimant never paid",
        "any part of it, and the Defendant gave",
        "notice of termination in due form. It",
        "is denied that the notice was late.",
        "The claim is to be dismissed.",
    ];
    let numbered = |every: usize, from: usize| -> String {
        let line = |(place, line): (usize, &&str)| {
            let number = place + from;
            if number.is_multiple_of(every) {
                format!("{number:>3}  {line}\n")
            } else {
                format!("     {line}\n")
            }
        };
        lines.iter().enumerate().map(line).collect()
    };
    let documents = [numbered(1, 1), numbered(1, 17), numbered(5, 1) + &numbered(5, 11)];
    for document in documents {
        for quote in [
            "deliver goods within 4 weeks of each order, against payment of EUR 50,000",
            "is denied that the notice was late",
        ] {
            assert!(found(&document, quote), "{quote:?} in {document}");
        }
        assert!(!found(&document, "deliver goods within weeks of each order"), "{document}");
    }
    let column: String =
        (1..=10).map(|number| format!("{number}\n")).chain(lines.map(|line| format!("{line}\n"))).collect();
    assert!(found(
        &format!("The claim is this and\n{column}"),
        "The claim is this and THE DEFENDANT, by its counsel"
    ));
    let list = "1 cat\n2 dogs\n3 horses\n4 cows in the stable\n";
    let amounts: String = (1..=12).map(|years| format!("{years} years are {}0 per cent\n", years)).collect();
    assert!(!found(&amounts, "years are 20 per cent years are 30 per cent"), "they are amounts");
    assert!(!found(list, "cat dogs horses cows in the stable"), "four lines are a list");
}

#[test]
fn what_a_page_s_end_hides_is_left_out_all_the_same() {
    let clause = ["The Supplier is liable for all damages,", "except those that it did not cause."];
    let document = paged(20, clause, |page| format!("ACME Ltd.\n\nPage {page} of 5\n\nMaster Agreement\n\n"));
    let super::super::Proof::Found(place) =
        Document::new(&document).find("The Supplier is liable for all damages")
    else {
        panic!("it is there")
    };
    assert_eq!(place.left_out.as_deref(), Some("except those that it did not cause"));
    assert_eq!(
        place.sentence.as_deref(),
        Some("The Supplier is liable for all damages, except those that it did not cause.")
    );
}
