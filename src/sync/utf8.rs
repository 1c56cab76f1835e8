//! Text in pieces: is it UTF-8, and if not, what is it in UTF-8?

use chardetng::{EncodingDetector, Utf8Detection};
use encoding_rs::Encoding;

/// Checks text that arrives in pieces, which may end inside a character.
#[derive(Debug, Default)]
pub struct Utf8 {
    /// The beginning of a character whose rest has not come yet.
    begun: Vec<u8>,
}

/// The text is not UTF-8.
#[derive(Debug, PartialEq, Eq)]
pub struct NotUtf8;

impl Utf8 {
    pub fn piece(&mut self, mut piece: &[u8]) -> Result<(), NotUtf8> {
        while !self.begun.is_empty() {
            let Some((first, rest)) = piece.split_first() else { return Ok(()) };
            self.begun.push(*first);
            piece = rest;
            match std::str::from_utf8(&self.begun) {
                Ok(_) => self.begun.clear(),
                Err(error) if error.error_len().is_some() => return Err(NotUtf8),
                Err(_) => {}
            }
        }
        match std::str::from_utf8(piece) {
            Ok(_) => Ok(()),
            Err(error) if error.error_len().is_some() => Err(NotUtf8),
            Err(error) => {
                self.begun.extend_from_slice(&piece[error.valid_up_to()..]);
                Ok(())
            }
        }
    }

    pub fn end(&self) -> Result<(), NotUtf8> {
        if self.begun.is_empty() { Ok(()) } else { Err(NotUtf8) }
    }
}

/// `bytes` in UTF-8: by their byte order mark, else by what a browser would guess.
pub fn to_utf8(bytes: &[u8]) -> String {
    let encoding = match Encoding::for_bom(bytes) {
        Some((encoding, _)) => encoding,
        None => {
            let mut detector = EncodingDetector::new(chardetng::Iso2022JpDetection::Allow);
            detector.feed(bytes, true);
            detector.guess(None, Utf8Detection::Allow)
        }
    };
    encoding.decode(bytes).0.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pieces: &[&[u8]]) -> Result<(), NotUtf8> {
        let mut utf8 = Utf8::default();
        pieces.iter().try_for_each(|piece| utf8.piece(piece))?;
        utf8.end()
    }

    #[test]
    fn a_character_may_be_cut_anywhere() {
        let text = "aß€😀z".as_bytes();
        for at in 0..=text.len() {
            let (head, tail) = text.split_at(at);
            assert_eq!(check(&[head, tail]), Ok(()));
        }
        let single: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(check(&single), Ok(()));
    }

    #[test]
    fn what_is_not_utf8_is_found_wherever_it_is_cut() {
        let text = b"caf\xe9 au lait";
        for at in 0..=text.len() {
            let (head, tail) = text.split_at(at);
            assert_eq!(check(&[head, tail]), Err(NotUtf8));
        }
        assert_eq!(check(&["€".as_bytes().split_at(2).0]), Err(NotUtf8), "cut short at the end");
    }

    #[test]
    fn old_encodings_become_utf8() {
        assert_eq!(to_utf8(b"caf\xe9 au lait, d\xe9j\xe0 vu"), "café au lait, déjà vu");
        assert_eq!(to_utf8(b"\xff\xfeh\0i\0"), "hi");
    }
}
