//! UTF-8 in pieces, mended byte by byte: what is no character becomes as many question marks, a NUL becomes a space. So the
//! length stays what was announced, and a text of any size passes through.

/// Mends text that arrives in pieces, which may end inside a character.
#[derive(Debug, Default)]
pub struct Repair {
    /// The beginning of a character whose rest has not come yet.
    begun: Vec<u8>,
    tally: Tally,
}

/// What passed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    pub bytes: u64,
    /// Bytes of characters that have more than one, but for the first of each.
    pub wide: u64,
    /// Bytes that are of no character.
    pub bad: u64,
    pub nuls: u64,
    /// Control characters that no text has: all but tabs, line and page breaks, backspaces and escapes.
    pub controls: u64,
    /// Among so many bytes they were counted.
    counted: u64,
}

/// How far control characters are counted. What looks like text for so long is text, and counting each byte of half a
/// gigabyte takes longer than hashing it.
const COUNTED: u64 = 1024 * 1024;

impl Repair {
    /// Adds `piece`, mended, to `out`.
    pub fn piece(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        self.tally.bytes += piece.len() as u64;
        let joined;
        let mut rest = if self.begun.is_empty() {
            piece
        } else {
            self.begun.extend_from_slice(piece);
            joined = std::mem::take(&mut self.begun);
            joined.as_slice()
        };
        loop {
            match std::str::from_utf8(rest) {
                Ok(text) => return self.good(text, out),
                Err(error) => {
                    let (good, after) = rest.split_at(error.valid_up_to());
                    self.good(std::str::from_utf8(good).expect("it is valid up to there"), out);
                    let Some(bad) = error.error_len() else {
                        self.begun.extend_from_slice(after);
                        return;
                    };
                    self.bad(bad, out);
                    rest = &after[bad..];
                }
            }
        }
    }

    /// Whether `piece` is whole and sound as it is. It is counted then, and need not be gone through.
    pub fn is_sound(&mut self, piece: &[u8]) -> bool {
        if !self.begun.is_empty() || piece.contains(&0) {
            return false;
        }
        let Ok(text) = std::str::from_utf8(piece) else { return false };
        self.tally.bytes += piece.len() as u64;
        self.count(text);
        true
    }

    /// Adds what is left when nothing more comes.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        let left = std::mem::take(&mut self.begun).len();
        self.bad(left, out);
    }

    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// How many bytes were replaced.
    pub fn mended(&self) -> u64 {
        self.tally.bad + self.tally.nuls
    }

    fn good(&mut self, good: &str, out: &mut Vec<u8>) {
        let from = out.len();
        out.extend_from_slice(good.as_bytes());
        if self.count(good) {
            let nuls = out[from..].iter_mut().filter(|byte| **byte == 0);
            self.tally.nuls += nuls.map(|byte| *byte = b' ').count() as u64;
        }
    }

    /// Counts what is whole. True where there are NULs in it.
    fn count(&mut self, good: &str) -> bool {
        let bytes = good.as_bytes();
        if !bytes.is_ascii() {
            self.tally.wide += (bytes.len() - good.chars().count()) as u64;
        }
        let has_nuls = bytes.contains(&0);
        let room = usize::try_from(COUNTED - self.tally.counted.min(COUNTED)).unwrap_or(usize::MAX);
        let counted = &bytes[..bytes.len().min(room)];
        self.tally.counted += counted.len() as u64;
        self.tally.controls += counted.iter().filter(|byte| is_control(**byte)).count() as u64;
        has_nuls
    }

    fn bad(&mut self, bytes: usize, out: &mut Vec<u8>) {
        self.tally.bad += bytes as u64;
        out.resize(out.len() + bytes, b'?');
    }
}

impl Tally {
    /// Of `bytes`, which may end inside a character unless they are the whole.
    pub fn of(bytes: &[u8], is_whole: bool) -> Tally {
        let (mut repair, mut out) = (Repair::default(), Vec::with_capacity(bytes.len()));
        repair.piece(bytes, &mut out);
        if is_whole {
            repair.end(&mut out);
        }
        repair.tally
    }

    /// Whether what is broken is broken UTF-8 rather than another encoding. In old encodings of one byte a character of
    /// UTF-8 is rare, in those of two bytes one in seven (in GBK, where a first byte from C2 to DF meets a second
    /// from A1 to BF).
    pub fn is_utf8(&self) -> bool {
        self.bad <= 2 * self.wide
    }

    /// Whether there are more control characters than a text with a few slips in it has.
    pub fn is_noise(&self) -> bool {
        self.controls > 2 + self.counted / 50
    }
}

/// Whether no text has this character. White space, backspaces and what steers terminals stand in logs.
pub(super) fn is_control(byte: u8) -> bool {
    byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x08 | 0x0b | 0x1b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mend(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut repair, mut out) = (Repair::default(), Vec::new());
        pieces.iter().for_each(|piece| repair.piece(piece, &mut out));
        repair.end(&mut out);
        out
    }

    #[test]
    fn a_character_may_be_cut_anywhere() {
        let text = "aß€😀z".as_bytes();
        for at in 0..=text.len() {
            let (head, tail) = text.split_at(at);
            assert_eq!(mend(&[head, tail]), text);
        }
        let single: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(mend(&single), text);
    }

    #[test]
    fn what_is_broken_is_mended_where_it_stands_and_keeps_its_length() {
        let text = b"f\xc3\xbcr Sch\xc3\xa4den \xa7\xff\0 \xe2\x82";
        for at in 0..=text.len() {
            let (head, tail) = text.split_at(at);
            let mended = mend(&[head, tail]);
            assert_eq!(String::from_utf8(mended).unwrap(), "für Schäden ??  ??");
        }
    }
}
