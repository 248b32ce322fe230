//! Short texts that are copied as one piece of constant length: a copy of unknown length is a call, and a text is many
//! words.

/// A text of at most [`Word::ROOM`] bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    bytes: [u8; Self::ROOM],
    /// The length, and [`PLAIN`].
    length: u8,
}

/// Set in a word's length where it is made of ASCII letters and digits alone, at least one.
const PLAIN: u8 = 0x80;
/// What turns a plain word's capitals into small letters, and leaves the rest of it as it is.
const SMALL: u8 = 0x20;

impl Word {
    /// Bytes that fit: the longest of the tables' words, with a byte for the length, in 32.
    pub const ROOM: usize = 31;

    /// Panics, while it compiles, on a longer text.
    #[must_use]
    const fn new(text: &str) -> Self {
        let text = text.as_bytes();
        let mut bytes = [0; Self::ROOM];
        let mut at = 0;
        let mut plain = !text.is_empty();
        while at < text.len() {
            bytes[at] = text[at];
            plain &= text[at].is_ascii_alphanumeric();
            at += 1;
        }
        Self {
            bytes,
            length: text.len() as u8 | if plain { PLAIN } else { 0 },
        }
    }

    /// A table of texts.
    #[must_use]
    pub const fn all<const N: usize>(texts: &[&str]) -> [Self; N] {
        let mut words = [Self {
            bytes: [0; Self::ROOM],
            length: 0,
        }; N];
        let mut at = 0;
        while at < N {
            words[at] = Self::new(texts[at]);
            at += 1;
        }
        words
    }

    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length()).unwrap_or(&self.bytes)
    }

    #[inline]
    const fn length(&self) -> usize {
        (self.length & !PLAIN) as usize
    }

    /// Appends it.
    #[inline]
    pub fn put(&self, out: &mut Vec<u8>) {
        put_padded(&self.bytes, self.length(), out);
    }

    /// Appends it in lower case with everything but ASCII letters and digits left out: for addresses and slugs.
    #[inline]
    pub fn put_plain(&self, out: &mut Vec<u8>) {
        if self.length & PLAIN != 0 {
            let mut small = self.bytes;
            for byte in &mut small {
                *byte |= SMALL;
            }
            put_padded(&small, self.length(), out);
            return;
        }
        let mut plain = [0; Self::ROOM];
        let mut length = 0;
        for byte in self.as_bytes() {
            // Written in any case, kept where it counts.
            plain[length] = byte.to_ascii_lowercase();
            length += usize::from(byte.is_ascii_alphanumeric());
        }
        if length == 0 {
            // Nothing of it is ASCII: a name in another script.
            plain[0] = b'u';
            length = 1;
        }
        put_padded(&plain, length, out);
    }
}

/// Appends the first `length` of some bytes: all of them are copied, and the rest is taken back.
#[inline]
pub(crate) fn put_padded<const N: usize>(bytes: &[u8; N], length: usize, out: &mut Vec<u8>) {
    let end = out.len() + length;
    out.extend_from_slice(bytes);
    out.truncate(end);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_written_as_they_are() {
        const WORDS: [Word; 5] = Word::all(&["", "O'Conner", "São", "三浦", "AZaz09"]);
        let mut shown = Vec::new();
        let mut plain = Vec::new();
        for word in &WORDS {
            shown.push(b'/');
            word.put(&mut shown);
            plain.push(b'/');
            word.put_plain(&mut plain);
        }
        assert_eq!(
            String::from_utf8(shown).unwrap(),
            "//O'Conner/São/三浦/AZaz09"
        );
        assert_eq!(String::from_utf8(plain).unwrap(), "/u/oconner/so/u/azaz09");
    }
}
