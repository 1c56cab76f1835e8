//! What a character is to the comparison of quotes.
//!
//! Unicode has many characters for one letter: of another width, position in a word, or font. Those that mean the same text
//! are one. Not so what NFKC takes for the same and a reader does not: `10²` is not `102`, `½` no `12`, `①` no `1`.

/// What a character is to the comparison.
pub enum Kind {
    Plain,
    Space {
        breaks_line: bool,
    },
    Dash {
        hyphen: bool,
        long: bool,
    },
    SoftHyphen,
    Mark {
        double: bool,
    },
    /// It is written for these.
    Letters(&'static str),
    /// It is written for two letters, and the next one says which.
    Capital(Capital),
    /// A form of the characters that Unicode's compatibility decomposition has for it.
    Form,
    /// It prints nothing and takes no room.
    Nothing,
}

/// A letter that is written as two, of which the second may be a capital or not.
#[derive(Debug, Clone, Copy)]
pub enum Capital {
    Ae,
    Oe,
    /// `ß`: as two letters only among capitals, where it has to be. `Maße` is not `Masse`.
    Eszett,
}

impl Capital {
    /// Its spelling after so many capitals and before `next`.
    pub fn spelling(self, capitals: usize, next: Option<char>) -> &'static str {
        let lower = next.is_some_and(char::is_lowercase);
        match self {
            Capital::Ae if lower => "Ae",
            Capital::Ae => "AE",
            Capital::Oe if lower => "Oe",
            Capital::Oe => "OE",
            Capital::Eszett => {
                let upper = capitals > 1 || (capitals == 1 && next.is_some_and(char::is_uppercase));
                if upper && !lower { "SS" } else { "ß" }
            }
        }
    }
}

pub fn kind(character: char) -> Kind {
    match character {
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
            Kind::Space { breaks_line: true }
        }
        '-' | '\u{2010}' | '\u{2011}' | '\u{2212}' | '\u{fe63}' | '\u{ff0d}' => {
            Kind::Dash { hyphen: true, long: false }
        }
        '\u{2012}' | '\u{2013}' => Kind::Dash { hyphen: false, long: false },
        '\u{2014}' | '\u{2015}' | '\u{fe58}' => Kind::Dash { hyphen: false, long: true },
        // A library that reads PDFs writes U+0002 for the hyphen of a broken word.
        '\u{ad}' | '\u{2}' => Kind::SoftHyphen,
        '\''
        | '`'
        | '\u{b4}'
        | '\u{2bc}'
        | '\u{2018}'..='\u{201b}'
        | '\u{2032}'
        | '\u{2035}'
        | '\u{2039}'
        | '\u{203a}'
        | '\u{ff07}' => Kind::Mark { double: false },
        '"'
        | '\u{ab}'
        | '\u{bb}'
        | '\u{201c}'..='\u{201f}'
        | '\u{2033}'
        | '\u{2036}'
        | '\u{301d}'..='\u{301f}'
        | '\u{ff02}' => Kind::Mark { double: true },
        'æ' => Kind::Letters("ae"),
        'œ' => Kind::Letters("oe"),
        'Æ' => Kind::Capital(Capital::Ae),
        'Œ' => Kind::Capital(Capital::Oe),
        'ß' => Kind::Capital(Capital::Eszett),
        'ẞ' => Kind::Letters("SS"),
        '\u{2025}' => Kind::Letters(".."),
        '\u{2026}' => Kind::Letters("..."),
        form if is_form(form) => Kind::Form,
        radical if let Some(ideograph) = ideograph(radical) => Kind::Letters(ideograph),
        // A font's own picture, such as the bullet of a list.
        '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}' => Kind::Space { breaks_line: false },
        _ if character.is_whitespace() => Kind::Space { breaks_line: false },
        nothing if is_nothing(nothing) => Kind::Nothing,
        _ => Kind::Plain,
    }
}

/// Forms that mean the same text: of letters within a word, of another width, font or size, for vertical writing, and radicals
/// that are drawn as the character itself. Superscripts, subscripts, fractions, and numbers in circles or brackets are none.
fn is_form(character: char) -> bool {
    matches!(
        character,
        // Ligatures of Latin, Armenian and Hebrew, and wide letters of the latter.
        '\u{132}' | '\u{133}' | '\u{17f}' | '\u{1c4}'..='\u{1cc}' | '\u{1f1}'..='\u{1f3}' | '\u{fb00}'..='\u{fb4f}'
            // The micro sign, and Roman numbers.
            | '\u{b5}' | '\u{2160}'..='\u{217f}'
            // Kangxi radicals, and the two others that Unicode calls forms.
            | '\u{2e9f}' | '\u{2ef3}' | '\u{2f00}'..='\u{2fd5}'
            // Arabic letters by their place in a word. U+FEFF is a byte order mark.
            | '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}'
            // Vertical, small, wide and narrow. Some of these are dashes and marks, which is looked at first.
            | '\u{fe10}'..='\u{fe19}' | '\u{fe30}'..='\u{fe48}' | '\u{fe50}'..='\u{fe6b}'
            | '\u{ff01}'..='\u{ff9f}' | '\u{ffe0}'..='\u{ffe2}' | '\u{ffe4}'..='\u{ffe6}'
            // Letters and digits of mathematical fonts.
            | '\u{1d400}'..='\u{1d7ff}'
    )
}

/// The character that a radical of the supplement block is drawn as, where it is one of its own
/// (Unicode's EquivalentUnifiedIdeograph).
fn ideograph(radical: char) -> Option<&'static str> {
    const RADICALS: &str = "⺁厂⺇几⺈刀⺊卜⺌小⺒巳⺓幺⺜日⺝月⺠民⺧牛⺩王⺫目⺬示⺮竹⺶羊⺼肉⺾艹⻁虎⻃覀⻄西⻅见⻆角⻉贝⻊足⻋车\
                            ⻌辶⻑長⻓长⻔门⻖阝⻗雨⻘青⻙韦⻚页⻛风⻜飞⻝食⻟飠⻠饣⻢马⻣骨⻤鬼⻥鱼⻦鸟⻧卤⻨麦⻩黄⻪黾⻬齐⻭歯⻮齿⻯竜⻰龙";
    if !matches!(radical, '\u{2e80}'..='\u{2ef2}') {
        return None;
    }
    let after = &RADICALS[RADICALS.find(radical)? + radical.len_utf8()..];
    after.char_indices().nth(1).map(|(end, _)| &after[..end])
}

/// What prints nothing and takes no room: controls, joiners and parters of letters, marks of direction, selectors of a
/// variant, tags; and the stroke that makes an Arabic word longer.
fn is_nothing(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{34f}' | '\u{61c}' | '\u{640}' | '\u{feff}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::super::Document;

    fn same(one: &str, other: &str) -> bool {
        let found = |document: &str, quote: &str| Document::new(document).find(quote).is_verified();
        let both = found(one, other);
        assert_eq!(both, found(other, one), "{one:?} and {other:?}");
        both
    }

    #[test]
    fn forms_of_the_same_characters_are_the_same_text() {
        for (one, other) in [
            ("⽢⽅のは責任を負わない", "甘方のは責任を負わない"),
            ("⻚⾯⻓度不得超过⼗⾴", "页面长度不得超过十頁"),
            ("ﻻ ﻳﺘﺤﻤﻞ ﺍﻟﻤﻮﺭﺩ ﺍﻟﻤﺴﺆﻭﻟﻴﺔ", "لا يتحمل المورد المسؤولية"),
            ("يتحمـــل المورد المسؤولية", "يتحمل المورد المسؤولية"),
            ("Ｔｈｅ　ｃａｐ　ｉｓ　ＥＵＲ　１０，０００．５０", "The cap is EUR 10,000.50"),
            ("ﾃﾞｰﾀの損害は賠償しない", "データの損害は賠償しない"),
            ("￥１００，０００を限度とする", "¥100,000を限度とする"),
            ("the cap\u{fe0e} is\u{e0100} EUR\u{200d} 10,000", "the cap is EUR 10,000"),
            ("the li\u{200c}abi\u{34f}lity is capped", "the liability is capped"),
            ("la manœuvre du cœur de l’ŒUVRE, Œuvre", "la manoeuvre du coeur de l'OEUVRE, Oeuvre"),
            ("Æquitas, ÆQUITAS, ex æquo et bono", "Aequitas, AEQUITAS, ex aequo et bono"),
            ("and so on … to the end", "and so on ... to the end"),
            ("DIE STRASSE IST GROSS", "DIE STRAẞE IST GROẞ"),
            ("DIE STRASSE IST GROSS", "DIE STRAßE IST GROß"),
            ("𝐓𝐡𝐞 𝑐𝑎𝑝 𝗂𝗌 EUR 𝟏𝟎,𝟎𝟎𝟎", "The cap is EUR 10,000"),
            ("Annex Ⅳ applies to 5 µm", "Annex IV applies to 5 μm"),
            ("the lia\u{2}\nbility is capped", "the liability is capped"),
            ("\u{f0b7} the liability is capped", "the liability is capped"),
        ] {
            assert!(same(one, other), "{one:?} and {other:?}");
        }
    }

    #[test]
    fn what_only_looks_alike_to_a_program_is_not_the_same_text() {
        for (one, other) in [
            ("The area is 10² metres", "The area is 102 metres"),
            ("The level is 10₂ in all", "The level is 102 in all"),
            ("It takes ½ of a year", "It takes 12 of a year"),
            ("It takes 1½ of a year", "It takes 11/2 of a year"),
            ("as told in ① of the list", "as told in 1 of the list"),
            ("as told in ⑴ of the list", "as told in (1) of the list"),
            ("The area is 10 ㎡ in all", "The area is 10 m2 in all"),
            ("Die Maße sind bekannt", "Die Masse sind bekannt"),
            ("Er trinkt in Maßen Wein", "Er trinkt in Massen Wein"),
            ("DIE MAßE sind bekannt", "DIE MASE sind bekannt"),
            ("the cap is EUR 10,000", "the cap is EUR 10 000"),
            ("ＥＵＲ １０，０００ in all", "EUR 10.000 in all"),
            ("Straße und Weg", "STRASSE und Weg"),
        ] {
            assert!(!same(one, other), "{one:?} and {other:?}");
        }
    }
}
