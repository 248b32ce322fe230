//! A statement's text with its constants left out, hashed in one pass: texts of one skeleton have one normal form, but for
//! constants that belong to the structure. What is not plain (several statements, prefixed strings, dollar quotes) has no
//! skeleton, and the lexer reads it.

use std::ops::Range;

/// What was found; kept from one text to the next, so that nothing is allocated for each.
#[derive(Debug, Default)]
pub struct Skeleton {
    /// The hash of everything that is no literal.
    pub hash: u128,
    /// Where the literals are.
    pub literals: Vec<Range<usize>>,
    /// Where the comments are, without their marks.
    pub comments: Vec<Range<usize>>,
}

/// Two multiplicative hashes with different constants, side by side.
#[derive(Debug, Clone, Copy)]
struct Hash(u64, u64);

impl Hash {
    const fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f)
    }

    fn word(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(29) ^ word).wrapping_mul(0x9fb2_1c65_1e98_df25);
        self.1 = (self.1.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn byte(&mut self, byte: u8) {
        self.word(u64::from(byte));
    }

    /// Eight at a time; the number of those that are left stands with them, so that no two names are one.
    fn bytes(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.word(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        last[7] = 0x80 | rest.len() as u8;
        self.word(u64::from_le_bytes(last));
    }

    fn value(self) -> u128 {
        (u128::from(self.0) << 64) | u128::from(self.1)
    }
}

/// Marks that no text of SQL holds.
const STRING: u8 = 0xff;
const INTEGER: u8 = 0xfe;
const DECIMAL: u8 = 0xfd;

const fn is_name(byte: u8) -> bool {
    NAMES[byte as usize]
}

const NAMES: [bool; 256] = {
    let mut names = [false; 256];
    let mut at = 0;
    while at < names.len() {
        let byte = at as u8;
        names[at] = byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80;
        at += 1;
    }
    names
};

impl Skeleton {
    /// Reads a text; false where it has none.
    pub fn read(&mut self, text: &str) -> bool {
        self.literals.clear();
        self.comments.clear();
        let bytes = text.as_bytes();
        let mut hash = Hash::new();
        let mut at = 0;
        // A gap between tokens counts once, and not at the ends.
        let mut gap = false;
        let mut any = false;
        while let Some(byte) = bytes.get(at).copied() {
            let start = at;
            if matches!(byte, b' ' | b'\n' | b'\t' | b'\r' | b'\x0b' | b'\x0c') {
                gap = true;
                at += 1;
                continue;
            }
            let next = bytes.get(at + 1).copied();
            if matches!((byte, next), (b'-', Some(b'-')) | (b'/', Some(b'*'))) {
                let Some(end) = self.comment(bytes, at) else {
                    return false;
                };
                (at, gap) = (end, true);
                continue;
            }
            if byte == b';' {
                // Of several statements each has its own form.
                let rest = &text[at + 1..];
                if !rest.trim().is_empty() {
                    return false;
                }
                break;
            }
            if std::mem::take(&mut gap) && any {
                hash.byte(b' ');
            }
            any = true;
            match byte {
                b'\'' => {
                    let before = start.checked_sub(1).map(|before| bytes[before]);
                    if before
                        .is_some_and(|before| is_name(before) || matches!(before, b'&' | b'\''))
                    {
                        return false;
                    }
                    let Some(end) = end_of_string(bytes, start) else {
                        return false;
                    };
                    self.literals.push(start..end);
                    hash.byte(STRING);
                    at = end;
                }
                b'"' => {
                    let Some(close) = memchr::memchr(b'"', &bytes[start + 1..]) else {
                        return false;
                    };
                    at = start + 1 + close + 1;
                    hash.bytes(&bytes[start..at]);
                }
                b'$' => {
                    at += 1;
                    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                        at += 1;
                    }
                    // A dollar quote, or what the lexer alone knows.
                    if at == start + 1 || bytes.get(at).copied().is_some_and(is_name) {
                        return false;
                    }
                    hash.bytes(&bytes[start..at]);
                }
                b'0'..=b'9' => {
                    let Some((end, mark)) = number(bytes, start) else {
                        return false;
                    };
                    self.literals.push(start..end);
                    hash.byte(mark);
                    at = end;
                }
                byte if is_name(byte) => {
                    while bytes.get(at).copied().is_some_and(is_name) {
                        at += 1;
                    }
                    hash.bytes(&bytes[start..at]);
                }
                byte => {
                    hash.byte(byte);
                    at += 1;
                }
            }
        }
        self.hash = hash.value();
        any
    }

    /// Notes a comment, and returns where it ends; comments in comments are the lexer's.
    fn comment(&mut self, bytes: &[u8], start: usize) -> Option<usize> {
        let inner = start + 2;
        if bytes[start] == b'-' {
            let end = memchr::memchr2(b'\n', b'\r', &bytes[inner..])
                .map_or(bytes.len(), |end| inner + end);
            self.comments.push(inner..end);
            return Some(end);
        }
        let end = inner + memchr::memmem::find(&bytes[inner..], b"*/")?;
        if memchr::memmem::find(&bytes[inner..end], b"/*").is_some() {
            return None;
        }
        self.comments.push(inner..end);
        Some(end + 2)
    }
}

fn end_of_string(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        let quote = at + memchr::memchr(b'\'', &bytes[at..])?;
        if bytes.get(quote + 1) != Some(&b'\'') {
            return Some(quote + 1);
        }
        at = quote + 2;
    }
}

/// Digits with at most one point among them; everything else that a number may be is the lexer's.
fn number(bytes: &[u8], start: usize) -> Option<(usize, u8)> {
    let before = start.checked_sub(1).map(|before| bytes[before]);
    if before == Some(b'.') {
        return None;
    }
    let digits = |mut at: usize| {
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        at
    };
    let mut end = digits(start);
    let mut mark = INTEGER;
    if bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
        end = digits(end + 1);
        mark = DECIMAL;
    }
    let follows = bytes.get(end).copied();
    (!follows.is_some_and(|byte| is_name(byte) || byte == b'.')).then_some((end, mark))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::normal::normal;

    fn hash(text: &str) -> Option<u128> {
        let mut skeleton = Skeleton::default();
        skeleton.read(text).then_some(skeleton.hash)
    }

    #[test]
    fn texts_that_differ_in_constants_alone_have_one() {
        let first = hash("SELECT a FROM b WHERE c = 'x' AND d = 1");
        assert!(first.is_some());
        assert_eq!(
            first,
            hash(" SELECT a  FROM b -- why\n WHERE c = 'it''s' /* x */ AND d = 23 ; ")
        );
        for other in [
            "SELECT a FROM b WHERE c = 1 AND d = 1",
            "SELECT a FROM b WHERE c = 'x' AND d = 1.5",
            "SELECT a FROM b WHERE c='x' AND d = 1",
            "SELECT a FROM b WHERE c = 'x' AND \"d\" = 1",
            "SELECT a FROM b WHERE c = 'x' AND d = $1",
        ] {
            assert_ne!(first, hash(other), "{other}");
        }
    }

    #[test]
    fn what_is_not_plain_has_none() {
        for text in [
            "SELECT 1; SELECT 2",
            "SELECT E'a\\'b'",
            "SELECT $x$a$x$",
            "SELECT 1e5",
            "SELECT .5",
            "SELECT 'a",
            "SELECT \"a",
            "SELECT 1 /* a /* b */ */",
            "SELECT /* a",
            "",
            " ; ",
        ] {
            assert_eq!(hash(text), None, "{text}");
        }
    }

    #[test]
    fn its_literals_are_the_lexers() {
        for text in [
            "SELECT a, 12, 'x''y', 0.5 FROM t1 WHERE b2 = 7 AND c IN (1,2) -- 'no' 5\n ORDER BY 1",
            "INSERT INTO t VALUES (1, 'a'), (2, 'b') /*a='1'*/",
            "SELECT x[1:2], y::varchar(20), $1, $23 FROM \"t 5\" LIMIT 3;",
        ] {
            let mut skeleton = Skeleton::default();
            assert!(skeleton.read(text));
            for place in normal(text).places {
                assert!(skeleton.literals.contains(&place), "{text}: {place:?}");
            }
        }
    }
}
