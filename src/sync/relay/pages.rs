//! How many pages a PDF has, as far as that can be seen while it passes: its page objects stand in the open, unless they are
//! packed into streams, as programs do since PDF 1.5. A file made for the web says it at its beginning.

/// How much of the beginning is looked at for what a file made for the web says.
const BEGINNING: usize = 1024;

/// What is held of one piece for the next: longer than `/Type /Page` with its white space.
const HELD: usize = 32;

/// Counts pages.
#[derive(Debug, Default)]
pub(super) struct Pages {
    beginning: Vec<u8>,
    held: Vec<u8>,
    objects: u32,
    is_pdf: Option<bool>,
}

impl Pages {
    pub fn piece(&mut self, piece: &[u8]) {
        let is_pdf = *self.is_pdf.get_or_insert_with(|| {
            piece[..piece.len().min(BEGINNING)].windows(5).any(|bytes| bytes == b"%PDF-")
        });
        if !is_pdf {
            return;
        }
        let room = BEGINNING.saturating_sub(self.beginning.len()).min(piece.len());
        self.beginning.extend_from_slice(&piece[..room]);
        // What stands across two pieces is counted by both together, and what stands in one is not counted twice.
        let joint: Vec<u8> = [self.held.as_slice(), &piece[..piece.len().min(HELD)]].concat();
        let across = objects(&joint, |at, end| at < self.held.len() && end > self.held.len());
        self.objects = self.objects.saturating_add(across).saturating_add(objects(piece, |_, _| true));
        self.held = piece[piece.len().saturating_sub(HELD)..].to_vec();
    }

    /// None where it cannot be seen.
    pub fn count(&self) -> Option<u32> {
        linearized(&self.beginning).or(Some(self.objects)).filter(|pages| *pages > 0)
    }
}

/// Page objects in `bytes` of whose place `counts` approves.
fn objects(bytes: &[u8], counts: impl Fn(usize, usize) -> bool) -> u32 {
    let mut found = 0;
    let mut from = 0;
    while let Some(at) = find(&bytes[from..], b"/Type").map(|at| at + from) {
        from = at + b"/Type".len();
        let space = bytes[from..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let end = from + space + b"/Page".len();
        let is_page = bytes.get(from + space..end) == Some(b"/Page")
            // Not the tree of pages; and where the next byte has not come, it is the next piece's to say.
            && bytes.get(end).is_some_and(|byte| !byte.is_ascii_alphanumeric());
        if is_page && counts(at, end + 1) {
            found += 1;
        }
    }
    found
}

fn linearized(beginning: &[u8]) -> Option<u32> {
    let at = find(beginning, b"/Linearized")?;
    let rest = &beginning[at..];
    let rest = &rest[..find(rest, b">>")?];
    let number = rest[find(rest, b"/N ")? + 3..].trim_ascii_start();
    let digits = number.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&number[..digits]).ok()?.parse().ok()
}

fn find(bytes: &[u8], sought: &[u8]) -> Option<usize> {
    bytes.windows(sought.len()).position(|window| window == sought)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_counted_however_the_file_is_cut() {
        let pdf = b"%PDF-1.4\n1 0 obj<</Type/Pages/Count 2>>\n2 0 obj<</Type /Page>>\n3 0 obj<</Type/Page /X 1>> end of it";
        for step in [40, 41, 47, 64, 200] {
            let mut pages = Pages::default();
            pdf.chunks(step).for_each(|piece| pages.piece(piece));
            assert_eq!(pages.count(), Some(2), "{step}");
        }
        let mut pages = Pages::default();
        pages.piece(b"%PDF-1.5\n1 0 obj<</Linearized 1/L 999/N 297/T 5>>");
        assert_eq!(pages.count(), Some(297));
        let mut other = Pages::default();
        other.piece(b"PK /Type /Page /Type /Page ");
        assert_eq!(other.count(), None);
    }
}
