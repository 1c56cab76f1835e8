use super::super::{Document, Proof};

/// What is said to be left out of the quote, which is in the document.
fn left_out(document: &str, quote: &str) -> Option<String> {
    let proof = Document::new(document).find(quote);
    assert!(proof.is_verified(), "{quote:?} is not in {document:?}");
    proof.left_out().map(str::to_owned)
}

#[test]
fn a_quote_that_its_sentence_turns_round_is_partial() {
    for (document, quote, words) in [
        ("The Tenant is not permitted to terminate this lease.", "permitted to terminate this lease", "not"),
        (
            "The Tenant is **not** permitted to terminate this lease.",
            "permitted to terminate this lease",
            "not** ",
        ),
        (
            "The Tenant is not, under any circumstances and without consent, permitted to terminate this lease.",
            "permitted to terminate this lease",
            "not, under any circumstances and without consent",
        ),
        ("The Tenant shall never assign this lease to others.", "assign this lease to others", "never"),
        ("The Tenant isn’t permitted to terminate this lease.", "permitted to terminate this lease", "isn’t"),
        ("The Tenant cannot terminate this lease early.", "terminate this lease early", "cannot"),
        (
            "In no event shall the Supplier be liable for lost data.",
            "the Supplier be liable for lost data",
            "no event shall",
        ),
        (
            "Nothing in this Agreement limits the liability for fraud.",
            "limits the liability for fraud",
            "Nothing in this Agreement",
        ),
        ("Neither party is liable for loss of data.", "party is liable for loss of data", "Neither"),
        (
            "The Supplier may assign this contract, except to a competitor.",
            "The Supplier may assign this contract",
            "except to a competitor",
        ),
        (
            "The Supplier may assign this contract unless the Customer objects.",
            "The Supplier may assign this contract",
            "unless the Customer objects",
        ),
        (
            "Subject to clause 9, the Supplier is liable for all damages.",
            "the Supplier is liable for all damages",
            "Subject to clause 9",
        ),
        (
            "The fee is due at once, provided that the goods are accepted.",
            "The fee is due at once",
            "provided that the goods are accepted",
        ),
        (
            "The fee is due at once; this is subject to acceptance.",
            "The fee is due at once",
            "subject to acceptance",
        ),
        ("The Supplier pays all costs other than taxes.", "The Supplier pays all costs", "other than taxes"),
        ("Liability is limited to no more than EUR 10,000.", "more than EUR 10,000", "no"),
        (
            "The liability is unlimited subject to clause 9.",
            "The liability is unlimited subject",
            "subject to clause 9",
        ),
        ("Der Mieter darf den Vertrag nicht kündigen.", "Der Mieter darf den Vertrag", "nicht kündigen"),
        (
            "Der Mieter ist nicht berechtigt, den Vertrag zu kündigen.",
            "berechtigt, den Vertrag zu kündigen",
            "nicht",
        ),
        (
            "Der Anbieter haftet für leichte Fahrlässigkeit, soweit zulässig, nicht.",
            "Der Anbieter haftet für leichte Fahrlässigkeit",
            "soweit zulässig, nicht",
        ),
        ("Es besteht keine Haftung für mittelbare Schäden.", "Haftung für mittelbare Schäden", "keine"),
        (
            "Der Anbieter haftet für alle Schäden, es sei denn, er hat sie nicht verschuldet.",
            "Der Anbieter haftet für alle Schäden",
            "es sei denn, er hat sie nicht verschuldet",
        ),
        (
            "Vorbehaltlich Ziff. 9 haftet der Anbieter für alle Schäden.",
            "haftet der Anbieter für alle Schäden",
            "Vorbehaltlich Ziff. 9",
        ),
        (
            "Der Kunde darf Daten weitergeben, außer an Wettbewerber.",
            "Der Kunde darf Daten weitergeben",
            "außer an Wettbewerber",
        ),
        ("Le locataire ne peut pas résilier le bail.", "résilier le bail", "ne peut pas"),
        ("Le preneur n'est pas autorisé à céder le bail.", "autorisé à céder le bail", "n'est pas"),
        (
            "Le fournisseur est responsable de tout, sauf en cas de force majeure.",
            "Le fournisseur est responsable de tout",
            "sauf en cas de force majeure",
        ),
        (
            "Sous réserve de l'article 9, le vendeur garantit les vices cachés.",
            "le vendeur garantit les vices cachés",
            "Sous réserve de l'article 9",
        ),
        (
            "Le contrat est cessible à moins qu'une partie ne s'y oppose.",
            "Le contrat est cessible",
            "à moins qu'une partie ne s'y oppose",
        ),
        ("El arrendatario no podrá ceder el contrato.", "podrá ceder el contrato", "no"),
        (
            "El proveedor responderá de los daños, salvo en caso de fuerza mayor.",
            "El proveedor responderá de los daños",
            "salvo en caso de fuerza mayor",
        ),
        ("Il conduttore non può cedere il contratto.", "può cedere il contratto", "non"),
        (
            "Il fornitore risponde dei danni, a meno che il fatto sia imprevedibile.",
            "Il fornitore risponde dei danni",
            "a meno che il fatto sia imprevedibile",
        ),
        ("承租人不得转租该房屋及其附属设施。", "转租该房屋及其附属设施", "不得"),
        ("未经许可禁止转租该房屋及其设施。", "转租该房屋及其设施", "禁止"),
        ("لا يجوز للمستأجر إنهاء هذا العقد قبل انتهاء مدته.", "يجوز للمستأجر إنهاء هذا العقد", "لا"),
        ("Арендатор не вправе расторгнуть договор.", "вправе расторгнуть договор", "не"),
        ("O locatário não pode ceder o contrato.", "pode ceder o contrato", "não"),
        ("Najemca nie może przenieść umowy.", "może przenieść umowy", "nie"),
        (
            "Dostawca odpowiada za szkody, chyba że wynikają z siły wyższej.",
            "Dostawca odpowiada za szkody",
            "chyba że wynikają z siły wyższej",
        ),
    ] {
        assert_eq!(left_out(document, quote).as_deref(), Some(words.trim()), "{quote:?} of {document:?}");
    }
}

#[test]
fn a_quote_that_loses_nothing_of_its_meaning_is_whole() {
    for (document, quote) in [
        (
            "The Tenant is not permitted to terminate this lease.",
            "The Tenant is not permitted to terminate this lease",
        ),
        (
            "The Tenant is not permitted to sublet. The Tenant is permitted to terminate this lease.",
            "permitted to terminate this lease",
        ),
        (
            "It is permitted to sublet, with notice. It does not extend to assignment.",
            "It is permitted to sublet",
        ),
        ("The fee is EUR 100 a month and is paid in advance.", "The fee is EUR 100 a month"),
        (
            "Under Contract No. 5 the Supplier is liable for all damages.",
            "the Supplier is liable for all damages",
        ),
        ("The Supplier grants a non-exclusive licence to the software.", "licence to the software"),
        (
            "Damages, including but not limited to lost profit, are borne by the Supplier.",
            "are borne by the Supplier",
        ),
        ("No later than on 1 May the Supplier delivers the goods.", "the Supplier delivers the goods"),
        (
            "The Supplier shall not be liable for lost data, and its total liability is EUR 10,000.",
            "its total liability is EUR 10,000",
        ),
        (
            "The Tenant may not sublet; the Landlord may enter the premises.",
            "the Landlord may enter the premises",
        ),
        ("甲は不動産の賃貸借契約を締結する。", "の賃貸借契約を締結する"),
        ("Notwithstanding this, the Supplier delivers the goods.", "the Supplier delivers the goods"),
        (
            "Der Vermieter darf die Räume betreten. Der Mieter darf nicht untervermieten.",
            "darf die Räume betreten",
        ),
        ("Nicht nur der Verkäufer haftet für diese Schäden.", "der Verkäufer haftet für diese Schäden"),
    ] {
        assert_eq!(left_out(document, quote), None, "{quote:?} of {document:?}");
    }
}

#[test]
fn another_place_where_it_is_whole_proves_a_quote() {
    let document =
        Document::new("It is not permitted to sublet the flat.\nIt is permitted to sublet the flat.");
    let Proof::Found(place) = document.find("permitted to sublet the flat") else { panic!("it is there") };
    assert_eq!((place.line, place.left_out), (2, None));
}
