//! What is refused with the right spelling, and what is not.

use super::*;

#[test]
fn what_covers_nothing_is_told_with_the_right_spelling() {
    for (glob, right) in [
        ("", "/**"),
        ("  ", "/**"),
        ("!", "/**"),
        ("/", "/**"),
        ("#1/**", "/#1/**"),
        ("#notes.txt", "**/#notes.txt"),
        ("/Contracts/** ", "write /Contracts/**,"),
        (" /Contracts/**", "write /Contracts/**,"),
        ("! *.md", "write *.md,"),
        ("\u{a0}/Contracts/**", "write /Contracts/**,"),
        ("/Con\u{200b}tracts/**", "write /Contracts/**,"),
        ("\u{feff}/Contracts/**", "write /Contracts/**,"),
        ("\"/Contracts/**\"", "write /Contracts/**"),
        ("“/Contracts/**”", "write /Contracts/**"),
        ("Contracts\\2026\\**", "Contracts/2026/**"),
        ("Contracts\\*.pdf", "write Contracts/*.pdf"),
        ("\\Contracts\\", "write /Contracts"),
        ("\\\\server\\share\\*", "write /server/share/*"),
        ("C:\\Contracts\\**", "write /Contracts/**"),
        ("c:/Contracts/**", "write /Contracts/**"),
        ("~/Contracts/**", "write /Contracts/**"),
        ("https://go.fast.io/workspace/Contracts", "/Folder/**"),
        ("/My%20Contracts/**", "write /My Contracts/**, or /My[%]20Contracts/**"),
        ("/Vertr%C3%A4ge/**", "write /Verträge/**,"),
        ("＊.pdf", "write *.pdf,"),
        ("./Contracts/**", "as in Contracts/**"),
        ("/Contracts//**", "as in /Contracts/**"),
        ("///Contracts/**", "as in /Contracts/**"),
        ("/Contracts/../HR/**", "`..`"),
        ("/Contracts**", "write /Contracts/**"),
        ("/a**b.pdf", "write /a*/**/*b.pdf"),
        ("/Contracts/***", "write /Contracts/**"),
        ("*.pdf, *.docx", "write \"*.pdf\", \"*.docx\""),
        ("/A/**;/B/**", "write \"/A/**\", \"/B/**\""),
        ("*.pdf|*.txt", "write \"*.pdf\", \"*.txt\""),
        (".*\\.pdf", "regular expression"),
        ("^/Contracts/", "regular expression"),
        ("/Contracts/.*\\.(pdf|docx)$", "regular expression"),
        ("*.pdf,", "write *.pdf"),
        ("/A/**; ", "write /A/**"),
        ("{/A/**,/B/**}", "write \"/A/**\", \"/B/**\""),
        ("*.{pdf, docx}", "write *.{pdf,docx}"),
        ("/A/*.[pdf|docx]", "write /A/*.{pdf,docx}"),
        ("*.[PDF]", "write *.PDF"),
        ("*.pdf/", "write *.pdf"),
        (".pdf", "write *.pdf"),
        ("/Contracts/.PDF", "write /Contracts/*.PDF"),
        ("/[OLD] Contracts/**", "write /\\[OLD\\] Contracts/**"),
    ] {
        let told = mistake(glob).unwrap_or_else(|| panic!("{glob} is refused"));
        assert!(told.contains(right), "{glob}: {told}");
    }
}

#[test]
fn a_glob_that_may_be_right_is_none_of_them() {
    for glob in [
        "/**",
        "*.md",
        "!*.md",
        "/a b/**",
        "/#1/**",
        "\\#1",
        "\\[OLD\\] x/**",
        "My\\ Contracts/**",
        "/Draft \\(old\\)/**",
        "**/*.pdf",
        "**.pdf",
        "/Contracts/**.pdf",
        "/Contracts/*.{pdf,docx}",
        "/{A,B c}/**",
        "/Contracts/**/",
        "*.[ch]",
        "Drafts/",
        "Contracts/",
        "a.b",
        "~$*",
        "/100% sure/**",
        "/a, b/**",
        "/Smith; Jones/**",
        ".env",
        ".git/",
        "/v2.1/",
        "/Costs $/**",
        "/Draft (2)/*.pdf",
        "/\u{627}\u{200c}\u{628}/**",
    ] {
        assert_eq!((mistake(glob), doubt(glob)), (None, None), "{glob}");
    }
    assert_eq!(mistake("/[AB]/**"), None);
    assert!(doubt("/[AB]/**").unwrap().contains("/\\[AB\\]/**"));
}
