use proptest::prelude::*;

use super::*;

const CLAUSE: &str = "The Supplier's total liability under this non-exclusive Agreement shall not exceed EUR 10,000.50 \
                      (ten thousand) in any 12 months, except for “gross negligence” – or fraud.";

fn found(document: &str, quote: &str) -> bool {
    Document::new(document).find(quote).is_verified()
}

fn all(document: &str, quotes: &[&str], expected: bool) {
    for quote in quotes {
        assert_eq!(found(document, quote), expected, "{quote:?} in {document:?}");
    }
}

#[test]
fn a_document_holds_what_it_says() {
    let document = format!("Preamble.\n\n{CLAUSE} Annex.");
    all(
        &document,
        &[
            CLAUSE,
            "total liability under this non-exclusive Agreement",
            "shall not exceed EUR 10,000.50",
            "(ten thousand) in any 12 months",
            "\"The Supplier's total liability under this\"",
        ],
        true,
    );
}

#[test]
fn white_space_may_be_any_but_not_between_words_none() {
    let document = "The Supplier\u{a0}shall\r\n\r\n   indemnify (and hold harmless)\tthe Customer.";
    all(
        document,
        &[
            "The Supplier shall indemnify (and hold harmless) the Customer.",
            "The  Supplier\nshall indemnify ( and hold harmless )the Customer .",
        ],
        true,
    );
    all(
        document,
        &["The Supplier shallindemnify (and", "TheSupplier shall indemnify", "indem nify (and hold"],
        false,
    );
}

#[test]
fn white_space_makes_no_number_of_two_and_no_two_of_one() {
    all("The fee is 1. 5 days apply.", &["The fee is 1.5 days apply."], false);
    all("The fee is 1.5 days later.", &["The fee is 1. 5 days later.", "The fee is 1 .5 days later."], false);
    all("The fee is 10 000 euros.", &["The fee is 10000 euros."], false);
    all("The fee is 10\u{202f}000 euros.", &["The fee is 10 000 euros."], true);
    all("Section 1 2 applies here.", &["Section 12 applies here."], false);
    all("Price of € 5 and 7 % interest", &["Price of €5 and 7% interest"], true);
}

#[test]
fn a_word_broken_at_a_line_s_end_is_the_word() {
    let document =
        "Neither party limits its liabil-\nity for a non-\r\n  exclusive licence of the Élé-\nments.";
    all(
        document,
        &[
            "limits its liability for a non-exclusive licence",
            "limits its liabil-ity for a nonexclusive licence",
            "limits its liabil- ity for a non- exclusive licence of the Éléments.",
            "limits its liabil-\nity for a non-\nexclusive",
        ],
        true,
    );
    all(document, &["limits its liabil ity for a", "for a non exclusive licence"], false);
    all(
        "Its liability is capped here.",
        &["Its liabil-\nity is capped here.", "Its lia\u{ad}bility is capped"],
        true,
    );
    all("Its lia\u{ad}bil\u{ad}\nity is capped here.", &["Its liability is capped here."], true);
}

#[test]
fn a_hyphen_within_a_line_belongs_to_the_word() {
    all("They must re-sign the lease.", &["They must resign the lease."], false);
    all("They must resign the lease.", &["They must re-sign the lease."], false);
    all("Haupt- und Nebenpflichten gelten", &["Hauptund Nebenpflichten gelten"], false);
    all("The years 10-\n20 are excluded.", &["The years 1020 are excluded."], false);
    all("The years 10-\n20 are excluded.", &["The years 10-20 are excluded."], true);
}

#[test]
fn an_accent_without_a_letter_is_cut_from_none() {
    for text in ["'\n\u{300} to EUR 10,000 in all", "`\u{6dc} to EUR 10,000 in all"] {
        assert!(found(text, text), "{text:?}");
    }
    assert!(!found("cafe\u{301} in the old town", "\u{301} in the old town"), "that one is");
}

#[test]
fn ligatures_and_encodings_of_accents_do_not_matter() {
    all("The oﬃce bene\u{fb01}ts of the staﬀ", &["The office benefits of the staff"], true);
    all("The office benefits of staff", &["The o\u{fb03}ce bene\u{fb01}ts of staﬀ"], true);
    all(
        "Il est dégagé de toute responsabilité",
        &["Il est de\u{301}gage\u{301} de toute responsabilite\u{301}"],
        true,
    );
    all(
        "Việt Nam là một quốc gia",
        &["Vie\u{323}\u{302}t Nam là một", "Vie\u{302}\u{323}t Nam là một"],
        true,
    );
    all("Il est dégagé de tout", &["Il est degagé de tout", "Il est dégage"], false);
    all("The area is 10² metres", &["The area is 102 metres"], false);
}

#[test]
fn quotation_marks_and_dashes_may_be_of_another_kind_but_not_missing() {
    let document = "“Losses” means the Supplier’s losses — direct or ‘indirect’ – but not »remote« ones.";
    all(
        document,
        &[
            "\"Losses\" means the Supplier's losses - direct or 'indirect' - but not \"remote\" ones.",
            "''Losses'' means the Supplier`s losses–direct or \"indirect\" -- but not 'remote' ones.",
            "Losses” means the Supplier's losses",
            "“means the Supplier's losses”",
        ],
        true,
    );
    all(
        document,
        &["Losses means the Supplier's", "the Suppliers losses — direct", "losses direct or ‘indirect’"],
        false,
    );
    all("The gap is 5' wide at least.", &["The gap is 5\" wide at least."], false);
    all(
        "The gap is 5″ wide at least.",
        &["The gap is 5'' wide at least.", "The gap is 5\" wide at least."],
        true,
    );
}

#[test]
fn words_numbers_case_and_punctuation_must_be_the_same() {
    all(
        CLAUSE,
        &[
            "shall not exceed EUR 10,000.51",
            "shall not exceed EUR 10.000,50",
            "shall not exceed EUR 10000.50",
            "shall not exceed eur 10,000.50",
            "shall exceed EUR 10,000.50",
            "The Supplier's total liability under the non-exclusive",
            "total liability, under this",
            "The Suppliers total liability",
            "in any 12 months except for",
        ],
        false,
    );
}

#[test]
fn no_word_or_number_is_cut() {
    all(
        CLAUSE,
        &[
            "shall not exceed EUR 10",
            "shall not exceed EUR 10,000",
            "000.50 (ten thousand) in any",
            "50 (ten thousand) in any 12",
            "exclusive Agreement shall not",
            "total liability under this non",
            "upplier's total liability",
            "total liability under thi",
            "in any 12 mont",
            "2 months, except for",
            "The Supplier's total liability under this non-",
        ],
        false,
    );
    all("the Customer shall pay the Supplier's fees", &["the Customer shall pay the Supplier"], false);
    all("selon l'obligation du vendeur", &["obligation du vendeur"], true);
    all("The cap is EUR 10 000 in total.", &["The cap is EUR 10", "000 in total."], false);
    all("The discount is at most 5% a year", &["The discount is at most 5"], false);
    all("It fell to -5 degrees in winter", &["5 degrees in winter"], false);
    all("It fell to -5 degrees in winter", &["-5 degrees in winter", "−5 degrees in winter"], true);
    all(
        "It takes 3-5 working days here",
        &["5 working days here", "-5 working days here", "It takes about 3"],
        false,
    );
    all("It takes 3–5 working days here", &["5 working days here"], false);
    all("This Agreement—5 pages long here", &["5 pages long here"], true);
    all("See clause 4.5 days after receipt", &["5 days after receipt"], false);
    all("under the rules of Art.5 sentence 1", &["5 sentence 1 "], true);
    all("It has unlim-\nited liability here", &["ited liability here"], false);
    all("liability is capped at the cafe\u{301}", &["liability is capped at the cafe"], false);
    all("the 5th anniversary of the Agreement", &["anniversary of the Agreement"], true);
}

#[test]
fn a_bullet_is_not_a_minus_and_a_quote_may_stop_in_a_sentence() {
    let document =
        "- Supplier is liable for damages;\n- 5 days of notice are required\n—Customer pays all fees.";
    all(
        document,
        &[
            "Supplier is liable for damages",
            "- Supplier is liable for damages;",
            "5 days of notice are",
            "Customer pays all fees",
        ],
        true,
    );
}

#[test]
fn scripts_without_spaces_are_compared_without_them() {
    let document = "第5条 乙は、本契約に基づく\n損害賠償責任を負わない。ความรับผิด";
    all(document, &["本契約に基づく損害賠償責任を負わない", "第5条乙は、本契約に基づく"], true);
    all(document, &["本契約に基づく損害賠償責任を負う。"], false);
}

#[test]
fn what_proves_nothing_is_too_short() {
    let document = Document::new(CLAUSE);
    for quote in ["", "  ", "\"\"", "—", "the", "liability", "EUR 10,000", "Agreement", "…"] {
        assert_eq!(document.find(quote), Proof::TooShort, "{quote:?}");
    }
    assert_eq!(Document::new("").find("The Supplier's total liability"), Proof::NotFound);
    assert!(Document::new(" \n-").is_empty());
}

#[test]
fn a_later_occurrence_counts_when_the_first_is_cut() {
    let document = Document::new("The cap is EUR 100 for all.\nThe cap is EUR 10 for some.");
    let Proof::Found(place) = document.find("The cap is EUR 10") else { panic!("not found") };
    assert_eq!((place.line, place.offset), (2, 28));
}

#[test]
fn a_place_is_told_in_characters_lines_and_pages() {
    let document =
        Document::new("Überschrift\nSeite eins\u{c}Zweite Seite:\nDer Höchst\u{ad}betrag gilt.\u{c}Drei");
    let Proof::Found(place) = document.find("Der Höchstbetrag gilt") else { panic!("not found") };
    let paragraph = Paragraph {
        before: "Zweite Seite: ".to_owned(),
        quote: "Der Höchstbetrag gilt".to_owned(),
        after: ".".to_owned(),
    };
    let (pages, paragraph) = (Some((2, 2)), Some(paragraph));
    assert_eq!(place, Place { offset: 37, length: 22, line: 3, pages, paragraph, ..Place::default() });
    let pieces = [("Page one ends with the", Some((4, 4))), ("limit of liability here.", Some((5, 6)))];
    let document = Document::of(pieces.map(|(text, pages)| Piece { text, pages }));
    let Proof::Found(place) = document.find("ends with the limit of liability") else { panic!("not found") };
    assert_eq!(place.pages, Some((4, 6)));
    assert!(document.find("limit of liability here.").is_verified());
    let Proof::Found(place) = Document::new("Nothing is known of pages here").find("is known of pages")
    else {
        panic!("not found")
    };
    assert_eq!(place.pages, None);
}

#[test]
fn where_pieces_meet_white_space_is_uncertain_but_numbers_are_not_made() {
    let document = |one, other| Document::of([one, other].map(|text| Piece { text, pages: None }));
    let cut = document("The Supplier is lia", "ble for damages");
    assert!(cut.find("The Supplier is liable for damages").is_verified());
    let apart = document("The Supplier is", "liable for damages");
    assert!(apart.find("The Supplier is liable for damages").is_verified());
    let broken = document("The Supplier is lia-", "ble for damages");
    assert!(broken.find("The Supplier is liable for damages").is_verified());
    let digits = document("The Supplier pays 1", "0 euros a day");
    for quote in ["The Supplier pays 10 euros a day", "The Supplier pays 1 0 euros", "The Supplier pays 1"] {
        assert!(!digits.find(quote).is_verified(), "{quote}");
    }
}

#[test]
fn a_check_reads_back_as_it_was_written() {
    let [sentence, left_out] = ["It is not q.", "not"].map(|text| Some(text.to_owned()));
    let section = Some("§ 7 Liability".to_owned());
    let paragraph = Some(Paragraph { before: "It is ".into(), quote: "q".into(), after: ".".into() });
    let place =
        Place { offset: 1, length: 2, line: 3, pages: Some((4, 4)), section, sentence, left_out, paragraph };
    for proof in [Proof::Found(place), Proof::NotFound, Proof::TooShort, Proof::Unchecked] {
        let check = Check { pointer: "/quote".into(), quote: "q".into(), proof };
        let text = serde_json::to_string(&check).unwrap();
        assert_eq!(serde_json::from_str::<Check>(&text).unwrap(), check, "{text}");
    }
}

#[test]
fn a_large_document_is_searched_in_linear_time_even_when_it_resists() {
    let long = CLAUSE.repeat(5_000_000 / CLAUSE.len());
    let document = Document::new(&long);
    assert!(document.find("in any 12 months, except for \"gross negligence\"").is_verified());
    for _ in 0..20 {
        assert_eq!(document.find("shall not exceed EUR 10,000.51 (ten"), Proof::NotFound);
    }
    // Every place has the characters of the quote, and none its spaces at the end.
    let tedious = "ab ".repeat(300_000);
    let quote = format!("{}abab", "ab ".repeat(20_000));
    assert_eq!(Document::new(&tedious).find(&quote), Proof::NotFound);
}

/// Words as contracts have them; no two that could be one another's parts.
fn words() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[a-z]{3,9}|[0-9]{1,4}|[A-Z][a-z]{2,8}", 6..40)
}

proptest! {
    #[test]
    fn an_occurrence_is_found_however_its_lines_are_broken(
        words in words(),
        part in any::<(prop::sample::Index, prop::sample::Index)>(),
        gaps in prop::collection::vec(0..5_usize, 40),
        breaks in prop::collection::vec(any::<prop::sample::Index>(), 40),
    ) {
        let (from, to) = (part.0.index(words.len()), part.1.index(words.len()));
        let (from, to) = (from.min(to), from.max(to));
        let quote = words[from..=to].join(" ");
        let mut document = String::new();
        for (place, word) in words.iter().enumerate() {
            // Break words of letters over lines.
            if word.len() > 4 && word.chars().all(char::is_alphabetic) && gaps[place] % 2 == 0 {
                let at = 1 + breaks[place].index(word.len() - 1);
                document += &format!("{}-\n  {}", &word[..at], &word[at..]);
            } else {
                document += word;
            }
            document += [" ", "\n", "\u{a0}", " \r\n\t", "  "][gaps[place]];
        }
        let proof = Document::new(&document).find(&quote);
        let cut = words.get(to + 1).is_some_and(|w| w.len() == 3 && w.chars().all(char::is_numeric))
            || words[from].chars().all(char::is_numeric);
        prop_assert!(
            proof.is_verified() || proof == Proof::TooShort || cut,
            "{:?} in {:?}", quote, document
        );
    }

    #[test]
    fn any_changed_letter_or_digit_is_noticed(
        words in words(),
        place in any::<prop::sample::Index>(),
        other in "[a-zA-Z0-9]",
    ) {
        let document = words.join(" ");
        let mut changed: Vec<char> = document.chars().collect();
        let places: Vec<usize> = (0..changed.len()).filter(|place| changed[*place].is_alphanumeric()).collect();
        let place = places[place.index(places.len())];
        let other = other.chars().next().unwrap();
        prop_assume!(changed[place] != other);
        changed[place] = other;
        let quote: String = changed.into_iter().collect();
        prop_assert!(!found(&document, &quote), "{:?} in {:?}", quote, document);
    }

    #[test]
    fn any_dropped_or_doubled_word_is_noticed(words in words(), place in any::<prop::sample::Index>()) {
        let document = words.join(" ");
        let place = 1 + place.index(words.len() - 2);
        let (mut less, mut more) = (words.clone(), words.clone());
        less.remove(place);
        more.insert(place, words[place].clone());
        prop_assert!(!found(&document, &less.join(" ")) || less.join(" ") == document);
        prop_assert!(!found(&document, &more.join(" ")));
    }

    #[test]
    fn any_text_and_quote_give_a_verdict_that_points_into_the_text(
        text in "(?s)[a-c0-2 .,'\"\\-\n\u{ad}\u{301}é\u{fb01}“”–—第]{0,80}",
        quote in "(?s)[a-c0-2 .,'\"\\-\n\u{ad}\u{301}é\u{fb01}“”–—第]{0,30}",
    ) {
        if let Proof::Found(place) = Document::new(&text).find(&quote) {
            prop_assert!(place.offset + place.length <= text.chars().count() as u64);
        }
    }

    #[test]
    fn a_document_is_its_own_quote(text in "[a-zA-Z0-9é,.;:()'\"–\\- \n]{30,200}") {
        let proof = Document::new(&text).find(&text);
        prop_assert!(proof.is_verified() || proof == Proof::TooShort, "{:?} {:?}", proof, text);
    }
}
