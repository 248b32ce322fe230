//! JSON as it survives logs and terminals: where it ends in a text, line breaks that fell into strings, a tail that is
//! missing. Reads nothing.

/// How far a JSON value goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Its last bracket closes in this line (counted from 0), before this offset in it.
    Whole { line: usize, end: usize },
    /// The text ends first.
    Truncated,
}

/// Where the value that begins with a bracket at the start of the first line ends.
pub(super) fn extent<'a>(lines: impl Iterator<Item = &'a str>) -> Extent {
    let mut scan = Scan::default();
    for (line, text) in lines.enumerate() {
        let start = text.len() - text.trim_start().len();
        for (offset, byte) in text.bytes().enumerate().skip(start) {
            scan.step(byte);
            if scan.open.is_empty() && !scan.in_string {
                return Extent::Whole {
                    line,
                    end: offset + 1,
                };
            }
        }
        scan.step(b'\n');
    }
    Extent::Truncated
}

/// Without the line breaks inside strings: JSON has none there, so a terminal or a mailer put them.
pub(super) fn without_breaks_in_strings(text: &str) -> String {
    let mut scan = Scan::default();
    let mut whole = String::with_capacity(text.len());
    for c in text.chars() {
        if scan.in_string && (c == '\n' || c == '\r') {
            continue;
        }
        let mut buffer = [0; 4];
        c.encode_utf8(&mut buffer)
            .bytes()
            .for_each(|byte| scan.step(byte));
        whole.push(c);
    }
    whole
}

/// A value that lost its end, cut after its last whole member and closed.
pub(super) fn closed(text: &str) -> Option<String> {
    let mut scan = Scan::default();
    let mut end = None;
    for (offset, byte) in text.bytes().enumerate() {
        let was_in_string = scan.in_string;
        scan.step(byte);
        match byte {
            b',' if !was_in_string => end = Some(offset),
            b']' | b'}' if !was_in_string => end = Some(offset + 1),
            _ => {}
        }
    }
    let whole = &text[..end?];
    let mut scan = Scan::default();
    whole.bytes().for_each(|byte| scan.step(byte));
    Some(
        whole
            .chars()
            .chain(scan.open.iter().rev().map(|bracket| char::from(*bracket)))
            .collect(),
    )
}

/// Brackets and strings, byte by byte.
#[derive(Default)]
struct Scan {
    /// The closing brackets that are due.
    open: Vec<u8>,
    in_string: bool,
    escaped: bool,
}

impl Scan {
    fn step(&mut self, byte: u8) {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return;
        }
        match byte {
            b'"' => self.in_string = true,
            b'[' => self.open.push(b']'),
            b'{' => self.open.push(b'}'),
            b']' | b'}' => {
                self.open.pop();
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_and_tails() {
        let whole = |line, end| Extent::Whole { line, end };
        assert_eq!(extent(r#"[{"a": "]"}] x"#.lines()), whole(0, 12));
        assert_eq!(extent("  [{\"a\":\n\"]\"}] x".lines()), whole(1, 5));
        assert_eq!(extent(r#"[{"a": "]"}"#.lines()), Extent::Truncated);
        assert_eq!(
            without_breaks_in_strings("{\"a\":\n \"b\nc\"}"),
            "{\"a\":\n \"bc\"}"
        );
        assert_eq!(
            closed(r#"[{"a": 1, "b": [{"c": 2, "d": "x"#).as_deref(),
            Some(r#"[{"a": 1, "b": [{"c": 2}]}]"#)
        );
        assert_eq!(
            closed(r#"[{"a": 1, "b": [{"c"#).as_deref(),
            Some(r#"[{"a": 1}]"#)
        );
        assert_eq!(closed("[{"), None);
    }
}
