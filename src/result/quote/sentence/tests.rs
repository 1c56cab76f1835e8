use super::super::{Document, Proof};

/// The sentence that stands beside the quote, which is in the document.
fn sentence(document: &str, quote: &str) -> Option<String> {
    let Proof::Found(place) = Document::new(document).find(quote) else {
        panic!("{quote:?} is not in {document:?}")
    };
    place.sentence
}

#[test]
fn a_sentence_goes_on_after_abbreviations_and_numbers() {
    for (document, quote) in [
        (
            "It ends. The Supplier is liable under Art. 5 and No. 3 of Annex B. 7 for all damages. It begins.",
            "liable under Art. 5 and No. 3",
        ),
        (
            "Er endet. Der Anbieter haftet gem. § 5 Abs. 2 Nr. 3 BGB, z. B. für Vorsatz, ab dem 3. März 2024. Er beginnt.",
            "haftet gem. § 5 Abs. 2 Nr. 3",
        ),
        (
            "Il finit. Le vendeur, cf. art. 5, garantit la chose à M. Dupont. Il commence.",
            "garantit la chose à",
        ),
        ("It ends. The fee is 1.5 per cent. p.a. of EUR 10,000.50 at most! It begins.", "of EUR 10,000.50"),
        ("It ends. ACME Ltd. is liable for all of the damages? It begins.", "liable for all of the damages"),
    ] {
        let found = sentence(document, quote).unwrap();
        let whole = &document[document.find(". ").unwrap() + 2
            ..document.rfind(" It ").or(document.rfind(" Er ")).or(document.rfind(" Il ")).unwrap()];
        assert_eq!(found, whole);
    }
}

#[test]
fn a_sentence_ends_where_its_text_does() {
    for (document, quote, whole) in [
        (
            "Term\n\nThe contract runs for one year. It is renewed.",
            "contract runs for one",
            "The contract runs for one year.",
        ),
        (
            "7. Liability\n\nThe Supplier is liable for all damages, as agreed.\n\n8. Term\n",
            "liable for all damages",
            "The Supplier is liable for all damages, as agreed.",
        ),
        (
            "LIABILITY\nThe Supplier is liable for all damages that it causes to the Customer.\nTERM\nOne year.",
            "liable for all damages",
            "The Supplier is liable for all damages that it causes to the Customer.",
        ),
        (
            "The parties agree\nthat the Supplier\nis liable for all damages.",
            "is liable for all damages",
            "The parties agree that the Supplier is liable for all damages.",
        ),
        (
            "The parties\n\nagree that the Supplier\n\nis liable for all damages.",
            "is liable for all damages",
            "The parties agree that the Supplier is liable for all damages.",
        ),
        (
            "(a) the fee is due at once;\n(b) the goods are paid on delivery; and\n(c) the rest is paid.",
            "goods are paid on delivery",
            "(b) the goods are paid on delivery; and",
        ),
        (
            "• The fee is due at once\n• The goods are paid on delivery\n• The rest is paid",
            "goods are paid on delivery",
            "• The goods are paid on delivery",
        ),
        (
            "- The fee is due;\n- The goods are paid on delivery;\n- The rest is paid",
            "goods are paid on delivery",
            "- The goods are paid on delivery;",
        ),
        (
            "He says “It is so.” The Supplier is liable for all damages. So.",
            "liable for all damages",
            "The Supplier is liable for all damages.",
        ),
        (
            "甲は支払う。乙は本契約に基づく損害賠償責任を負わない。丙は知る。",
            "本契約に基づく損害賠償責任",
            "乙は本契約に基づく損害賠償責任を負わない。",
        ),
        (
            "The liabil-\nity of the Sup\u{ad}plier is lim-\nited to EUR 10.",
            "liability of the Supplier",
            "The liability of the Supplier is limited to EUR 10.",
        ),
    ] {
        assert_eq!(sentence(document, quote).as_deref(), Some(whole), "{document:?}");
    }
}

#[test]
fn what_leads_into_a_list_belongs_to_each_item() {
    let document = "5. Duties\n\nThe Supplier shall not:\n\n(a) disclose the data to others;\n(b) assign this contract to a competitor; or\n(c) stop.";
    let Proof::Found(place) = Document::new(document).find("assign this contract to a competitor") else {
        panic!("it is there")
    };
    assert_eq!(
        place.sentence.as_deref(),
        Some("The Supplier shall not: … (b) assign this contract to a competitor; or")
    );
    assert_eq!(place.left_out.as_deref(), Some("not: … (b)"));
}

#[test]
fn a_quote_that_is_the_whole_sentence_has_none_beside_it() {
    for (document, quote) in [
        (
            "It ends. The Supplier is liable for all damages. It begins.",
            "The Supplier is liable for all damages",
        ),
        (
            "It ends.\n(a) The Supplier is liable for all damages;\n(b) It begins.",
            "The Supplier is liable for all damages",
        ),
        ("7.2 The Supplier is liable for all damages.", "The Supplier is liable for all damages."),
        (
            "It ends. “The Supplier is liable for all damages.” It begins.",
            "The Supplier is liable for all damages",
        ),
    ] {
        assert_eq!(sentence(document, quote), None, "{document:?}");
    }
}

#[test]
fn a_sentence_without_end_is_cut_where_it_is_looked_at() {
    let document =
        format!("{}The Supplier is liable {}", "and so on ".repeat(1_000), "and so on ".repeat(1_000));
    let found = sentence(&document, "The Supplier is liable").unwrap();
    assert!(found.starts_with('…'), "{found}");
    assert!(found.ends_with('…') && found.chars().count() < super::BEFORE + super::AFTER + 40, "{found}");
}
