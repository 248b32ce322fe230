//! Bytes cut into lines, in pieces of any size. A line that is too long is passed over and counted.

use std::borrow::Cow;

/// The longest line that is read; the server's own limit for a statement is a gigabyte.
const LONGEST: usize = 16 << 20;

/// Cuts lines.
#[derive(Debug, Default)]
pub(in crate::trace) struct Lines {
    /// The beginning of a line whose end has not come.
    pending: Vec<u8>,
    /// The line that is coming is too long.
    skips: bool,
    /// Lines that were too long.
    pub(in crate::trace) too_long: u64,
}

impl Lines {
    /// Takes the next bytes and hands out the lines that they end.
    pub(in crate::trace) fn feed(&mut self, mut bytes: &[u8], take: &mut impl FnMut(&str)) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let line = &bytes[..end];
            bytes = &bytes[end + 1..];
            if std::mem::take(&mut self.skips) {
                continue;
            }
            if self.pending.is_empty() {
                hand_out(line, take);
            } else if self.hold(line) {
                let whole = std::mem::take(&mut self.pending);
                hand_out(&whole, take);
                self.pending = whole;
                self.pending.clear();
            } else {
                self.skips = false;
            }
        }
        if !self.skips {
            self.hold(bytes);
        }
    }

    /// What was left without an end: the file ends in the middle of a line, or has no last line feed.
    pub(in crate::trace) fn end(&mut self, take: &mut impl FnMut(&str)) {
        let last = std::mem::take(&mut self.pending);
        if !last.is_empty() {
            hand_out(&last, take);
        }
        self.skips = false;
    }

    /// Keeps a piece of a line; false where the line is too long, which is noted.
    fn hold(&mut self, piece: &[u8]) -> bool {
        if self.pending.len() + piece.len() > LONGEST {
            self.too_long += 1;
            self.skips = true;
            self.pending = Vec::new();
            return false;
        }
        self.pending.extend_from_slice(piece);
        true
    }
}

/// Logs hold what clients sent, in whatever encoding.
fn hand_out(line: &[u8], take: &mut impl FnMut(&str)) {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let text: Cow<'_, str> = match std::str::from_utf8(line) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(line),
    };
    take(&text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(bytes: &[u8], piece: usize) -> (Vec<String>, u64) {
        let mut lines = Lines::default();
        let mut found = Vec::new();
        let mut take = |line: &str| found.push(line.to_owned());
        for piece in bytes.chunks(piece) {
            lines.feed(piece, &mut take);
        }
        lines.end(&mut take);
        (found, lines.too_long)
    }

    #[test]
    fn lines_in_pieces_of_any_size() {
        for piece in [1, 2, 3, 5, 100] {
            let (found, too_long) = cut(b"one\r\ntwo\n\nthr\xffee", piece);
            assert_eq!(found, ["one", "two", "", "thr\u{fffd}ee"], "{piece}");
            assert_eq!(too_long, 0);
        }
    }

    #[test]
    fn a_line_too_long_is_counted_and_the_next_is_read() {
        let bytes = [&vec![b'x'; LONGEST + 5][..], b"\nnext\n"].concat();
        for piece in [1 << 16, bytes.len()] {
            let (found, too_long) = cut(&bytes, piece);
            if piece < bytes.len() {
                assert_eq!((found, too_long), (vec!["next".to_owned()], 1));
            } else {
                assert_eq!(found.len(), 2, "a line that is there anyway is read");
            }
        }
    }
}
