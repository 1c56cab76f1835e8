//! Words that the reading of sentences and pages knows, in the languages of contracts: English, German, French, Spanish,
//! Italian, Portuguese, Polish and Dutch, a line or more each; and those that deny or except in Arabic and Russian.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Words and phrases, in lower case and composed characters.
pub struct Phrases(HashMap<&'static str, Vec<Vec<&'static str>>>);

pub type List = LazyLock<Phrases>;

impl Phrases {
    /// Those of a text that has commas and line ends between them.
    fn of(text: &'static str) -> Phrases {
        let mut phrases: HashMap<_, Vec<Vec<_>>> = HashMap::new();
        for phrase in text.split([',', '\n']) {
            let words: Vec<&str> = phrase.split_whitespace().collect();
            if let Some(first) = words.first() {
                phrases.entry(*first).or_default().push(words);
            }
        }
        Phrases(phrases)
    }

    /// Whether `word` is one.
    pub fn has(&self, word: &str) -> bool {
        self.0.get(word).is_some_and(|phrases| phrases.iter().any(|phrase| phrase.len() == 1))
    }

    /// How many words the longest takes that `words` begin with.
    pub fn begin<'w>(&self, words: impl Iterator<Item = &'w str> + Clone) -> Option<usize> {
        let phrases = self.0.get(words.clone().next()?)?;
        let fits = |phrase: &&Vec<&str>| phrase.iter().copied().eq(words.clone().take(phrase.len()));
        phrases.iter().filter(fits).map(Vec::len).max()
    }
}

/// Words that deny. Those that begin with one of [`DENYING`] do too.
pub static NEGATIONS: List = LazyLock::new(|| {
    Phrases::of(
        "no, not, never, neither, nor, none, nothing, nobody, nowhere, cannot, prohibited, forbidden, precluded, barred, excluded
        nicht, nichts, nie, niemals, niemand, weder, keinesfalls, keineswegs, untersagt, verboten, unzulässig, ausgeschlossen
        ne, pas, jamais, aucun, aucune, aucunement, nullement, interdit, interdite, interdits, interdites
        exclu, exclue, exclus, exclues
        nunca, jamás, nadie, ni, tampoco, prohibido, prohibida, prohibidos, prohibidas
        excluido, excluida, excluidos, excluidas
        non, nulla, niente, nemmeno, neppure, vietato, vietata, vietati, vietate, escluso, esclusa, esclusi, escluse
        não, nem, proibido, proibida, vedado, vedada, excluído, excluída
        nigdy, żaden, żadna, żadne, żadnego, żadnej, żadnych, ani, zabrania, zabronione, zabroniony, wyłączona, wyłączone
        niet, geen, nooit, niets, niemand, verboden, uitgesloten
        لا, لن, لم, ليس, ليست
        не, нет, ни, никогда, никто, ничто, запрещено, исключено",
    )
});

/// Beginnings of words that deny, such as `keine`, `n'est` and `ningún`.
pub const DENYING: [&str; 6] = ["kein", "n'", "ningun", "ningún", "nessun", "nenhum"];

/// Characters of Chinese that deny what follows.
pub const DENYING_CHARACTERS: [char; 8] = ['不', '未', '勿', '毋', '禁', '无', '無', '没'];

/// What makes an exception or a condition.
pub static EXCEPTIONS: List = LazyLock::new(|| {
    Phrases::of(
        "except, excepting, excluding, unless, subject to, other than, with the exception, to the exclusion, to the extent
        provided that, provided however, provided always, provided only, on condition that, only if, only where, only when
        only to the extent, but only, but not, save for, save that, save as, save where, save to, save in
        außer, ausser, ausgenommen, es sei denn, sofern, soweit, vorbehaltlich, vorausgesetzt, mit ausnahme, abgesehen von
        unter der bedingung, unter dem vorbehalt, unter vorbehalt, nur wenn, nur falls, jedoch nicht, aber nicht, aber nur
        jedoch nur
        sauf, excepté, exceptée, hormis, à moins, sous réserve, à l'exception, à l'exclusion, à condition, pourvu que
        mais pas, mais non, mais seulement, dans la mesure où
        excepto, salvo, exceptuando, exceptuado, a menos que, a no ser que, a excepción, con excepción, con la excepción
        siempre que, siempre y cuando, a condición de, pero no, pero solo, pero sólo, en la medida en que
        eccetto, eccettuato, eccettuati, tranne, a meno che, ad eccezione, fatto salvo, fatta salva, fatti salvi, fatte salve
        fatta eccezione, fuorché, purché, a condizione, ma non, ma solo, nella misura in cui
        exceto, a não ser que, com exceção, com a exceção, desde que, ressalvado, ressalvada, ressalvados, mas não, sob reserva
        chyba że, z wyjątkiem, z zastrzeżeniem, pod warunkiem, o ile, oprócz, poza, ale nie, lecz nie
        tenzij, behalve, mits, met uitzondering, onder voorbehoud, maar niet, voor zover
        إلا, باستثناء, ما لم, ما عدا, بشرط, شريطة
        кроме, если не, за исключением, при условии, если только",
    )
});

/// What denies nothing, though a word of it does elsewhere.
pub static HARMLESS: List = LazyLock::new(|| {
    Phrases::of(
        "no less than, no fewer than, no more than, no greater than, no later than, no longer than, not less than
        not fewer than, not more than, not greater than, not later than, not earlier than, not only, not merely, not just
        not limited to, not be limited to
        nicht nur, nicht weniger als, nicht mehr als, nicht später als, nicht beschränkt auf, nicht abschließend
        non seulement, pas seulement
        no solo, no sólo, no menos de, no más de, no limitado a
        non solo, non meno di, non più di, non limitato a
        não só, não apenas, não menos de, não limitado a
        nie tylko, nie mniej niż, nie więcej niż, nie później niż
        niet alleen",
    )
});

/// What parts two statements that stand on their own.
pub static AND: List = LazyLock::new(|| {
    Phrases::of(
        "and, but, however, und, aber, jedoch, et, mais, y, pero, e, ed, ma, mas, i, a, ale, oraz, lecz, en, maar",
    )
});

/// What a statement of its own begins with.
pub static SUBJECTS: List = LazyLock::new(|| {
    Phrases::of(
        "the, a, an, it, its, he, she, they, this, that, these, those, such, any, each, every, all, his, her, their
        der, die, das, den, dem, ein, eine, er, sie, es, dieser, diese, dieses, sein, seine, ihr, ihre, jeder, jede
        le, la, les, un, une, il, elle, ils, elles, ce, cette, ces, son, sa, ses, leur, chaque, tout, toute
        el, los, las, una, este, esta, estos, estas, su, sus, cada
        lo, gli, i, questo, questa, ogni, ciascuna
        o, os, as, um, uma, seu, sua",
    )
});

/// Words that no sentence and no heading ends with.
pub static INNER: List = LazyLock::new(|| {
    Phrases::of(
        "a, an, the, of, to, for, by, with, from, in, on, at, as, and, or, nor, not, no, shall, may, must, will, be, is, are, was
        any, all, each, such, its, their, his, her, this, that, these, which, who, than, under, between, per, unless, except, if
        der, die, das, den, dem, des, ein, eine, einer, eines, einem, einen, und, oder, nicht, kein, keine, von, vom, zu, zum
        zur, für, mit, bei, auf, im, am, aus, nach, durch, über, unter, als, ist, sind, wird, werden, soll, kann, darf, sowie
        le, la, les, un, une, du, de, et, ou, ne, pas, à, au, aux, par, pour, sur, dans, est, sont, doit, peut, que, qui
        el, los, las, una, y, o, ni, del, al, con, por, para, sin, se, es, son, debe, puede, su, sus, lo
        il, gli, i, e, di, da, della, dei, delle, alla, nel, nella, non, è, sono, deve, può, che, per
        w, z, na, do, lub, oraz, nie, od, przez, dla, się, jest, są, że",
    )
});

/// Abbreviations that a sentence goes on after, without their dot.
pub static SHORT: List = LazyLock::new(|| {
    Phrases::of(
        "no, nos, art, arts, approx, cf, ch, chap, cl, dr, ed, eds, fig, hon, incl, jr, lit, max, min, mr, mrs, ms, op, para
        paras, pp, prof, pt, rev, sec, sect, st, tel, viz, vol, vs
        abb, abs, anl, aufl, ausg, bd, bek, betr, bl, bspw, bzw, ca, dipl, einschl, evtl, exkl, ff, gem, geb, ggf, grds, hrsg
        inkl, insb, kap, lt, mind, mio, mrd, mwst, nr, nrn, rdn, sog, str, tit, vgl, ziff, zzgl, zit
        al, alin, mme, mlle, núm, num, pág, pag, sr, sra, dña, avv, dott, sig, capo
        ust, pkt, poz, rozp, ul, tj, tzw, zm, dz, ww, np",
    )
});

/// Months, where the day before them has a dot.
pub static MONTHS: List = LazyLock::new(|| {
    Phrases::of(
        "januar, jänner, februar, märz, april, mai, juni, juli, august, september, oktober, november, dezember
        stycznia, lutego, marca, kwietnia, maja, czerwca, lipca, sierpnia, września, października, listopada, grudnia",
    )
});

/// What a page is called in its own number.
pub static PAGE: List = LazyLock::new(|| {
    Phrases::of(
        "page, pages, pg, p, seite, s, blatt, bl, pagina, página, pág, pag, fls, folha, folio, feuille, hoja, strona, str
        sida, side, sivu, strana, bladzijde, blz, sayfa",
    )
});

/// What stands between a page's number and how many there are.
pub static OF: List = LazyLock::new(|| Phrases::of("of, von, aus, sur, de, di, z, ze, van, av, af"));

/// Parts of a text that are numbered as pages are.
pub static PARTS: List = LazyLock::new(|| {
    Phrases::of(
        "article, articles, section, sections, clause, clauses, exhibit, annex, appendix, schedule, part, chapter, paragraph
        item, step, no, version
        artikel, abschnitt, ziffer, anlage, anhang, kapitel, teil, absatz, nummer, nr, punkt, klausel
        annexe, chapitre, partie, artículo, cláusula, sección, anexo, capítulo, parte
        articolo, clausola, sezione, allegato, capitolo, artigo, secção, artykuł, rozdział, załącznik, ustęp, paragraf",
    )
});

#[cfg(test)]
mod tests {
    use unicode_normalization::UnicodeNormalization;

    use super::*;

    #[test]
    fn words_are_in_lower_case_and_composed() {
        let lists = [
            &NEGATIONS,
            &EXCEPTIONS,
            &HARMLESS,
            &AND,
            &SUBJECTS,
            &INNER,
            &SHORT,
            &MONTHS,
            &PAGE,
            &OF,
            &PARTS,
        ];
        for word in lists.iter().flat_map(|list| list.0.values().flatten().flatten()) {
            assert_eq!(word.to_lowercase().nfc().collect::<String>(), *word);
        }
        let words = ["provided", "that", "it"].into_iter();
        assert_eq!(
            (EXCEPTIONS.begin(words), NEGATIONS.has("not"), EXCEPTIONS.has("provided")),
            (Some(2), true, false)
        );
    }
}
