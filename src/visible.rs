//! Text of others made harmless for a terminal: names, values, server messages, file contents. A control character is shown
//! as it would be written in a string (`\x1b`), so that nobody's data moves the cursor, sets the clipboard or turns a line
//! around.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

/// Text of one line: line breaks and tabs are shown as `\n` and `\t`, too.
#[must_use]
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, |character| {
        is_harmful(character) || matches!(character, '\n' | '\t')
    })
}

/// Text of several lines: line breaks and tabs stay.
#[must_use]
pub fn text(text: &str) -> Cow<'_, str> {
    escaped(text, is_harmful)
}

fn escaped(text: &str, is_shown: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&is_shown) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_shown(character) {
            push_escaped(&mut safe, character);
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

/// `\n`, `\x1b`, `\u{9b}`.
pub fn push_escaped(safe: &mut String, character: char) {
    match character {
        '\n' => safe.push_str("\\n"),
        '\r' => safe.push_str("\\r"),
        '\t' => safe.push_str("\\t"),
        ascii if ascii.is_ascii() => {
            let _ = write!(safe, "\\x{:02x}", u32::from(ascii));
        }
        other => {
            let _ = write!(safe, "\\u{{{:x}}}", u32::from(other));
        }
    }
}

/// Characters that do something instead of being seen: controls of both sets, line and paragraph separators, marks that turn
/// text around, tags and the byte order mark.
#[must_use]
pub fn is_harmful(character: char) -> bool {
    match character {
        '\n' | '\t' => false,
        control if control.is_control() => true,
        '\u{061c}' | '\u{200e}' | '\u{200f}' => true,
        '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{206f}' => true,
        '\u{feff}' | '\u{fff9}'..='\u{fffb}' => true,
        '\u{e0000}'..='\u{e007f}' => true,
        _ => false,
    }
}

/// What a program of ours may send to a terminal beside text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colors {
    /// `ESC [ … m` with digits and semicolons: colours and weight, nothing that moves or answers.
    Kept,
    /// The same, and links to pages below an address.
    Linked(Address),
    /// None.
    Shown,
}

/// An address below which links may reach a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address(&'static str);

/// How a terminal is told of a link (OSC 8): this, the address, the end, the text, and both again without an address.
const LINK: &str = "\x1b]8;;";
const LINK_END: &str = "\x1b\\";

impl Address {
    /// An address of pages, without a slash at its end; `None` where it is none, or has a sign that does not belong into one.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let is_known = ["https://", "http://", "file://"]
            .iter()
            .any(|scheme| text.len() > scheme.len() && text.starts_with(scheme));
        let address = text.trim_end_matches('/');
        (is_known && address.bytes().all(is_of_an_address)).then(|| Self(address.to_owned().leak()))
    }

    /// A text that a terminal shows as a link to a page below this address.
    #[must_use]
    pub fn link(self, page: &str, text: &str) -> String {
        format!("{LINK}{}/{page}{LINK_END}{text}{LINK}{LINK_END}", self.0)
    }

    /// The length of a link's beginning or end with which a text begins.
    fn begun(self, text: &str) -> Option<usize> {
        let rest = text.strip_prefix(LINK)?;
        let length = rest.find('\x1b')?;
        let (to, end) = rest.split_at(length);
        let below = to
            .strip_prefix(self.0)
            .and_then(|page| page.strip_prefix('/'));
        let is_ours = to.is_empty() || below.is_some_and(|page| page.bytes().all(is_of_an_address));
        (is_ours && end.starts_with(LINK_END)).then_some(LINK.len() + length + LINK_END.len())
    }
}

fn is_of_an_address(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&()*+,=%".contains(&byte)
}

/// Passes text on and shows whatever else would reach the terminal: the last guard, for what a writer forgot.
#[derive(Debug)]
pub struct Guard<W> {
    out: W,
    colors: Colors,
    /// The beginning of a character or of a colour that the next write goes on with.
    held: Vec<u8>,
}

impl<W: Write> Guard<W> {
    /// In front of `out`.
    pub fn new(out: W, colors: Colors) -> Self {
        Self {
            out,
            colors,
            held: Vec::new(),
        }
    }

    fn pass(&mut self, last: Last) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        let mut safe = String::with_capacity(held.len());
        let mut rest = held.as_slice();
        while !rest.is_empty() {
            let valid = match std::str::from_utf8(rest) {
                Ok(text) => text,
                Err(error) => {
                    let (valid, _) = rest.split_at(error.valid_up_to());
                    // Checked just now.
                    std::str::from_utf8(valid).unwrap_or_default()
                }
            };
            let taken = self.show(valid, last, &mut safe);
            rest = &rest[taken..];
            if taken < valid.len() {
                break;
            }
            let Some(byte) = rest.first() else { break };
            // At most three bytes can be the beginning of a character.
            if last == Last::No
                && rest.len() < 4
                && std::str::from_utf8(rest).is_err_and(|error| error.error_len().is_none())
            {
                break;
            }
            let _ = write!(safe, "\\x{byte:02x}");
            rest = &rest[1..];
        }
        let kept = rest.to_vec();
        self.out.write_all(safe.as_bytes())?;
        self.held = kept;
        Ok(())
    }

    /// Shows valid text; how much of it was taken: less than all where a colour may go on.
    fn show(&self, text: &str, last: Last, safe: &mut String) -> usize {
        let mut at = 0;
        while let Some(character) = text[at..].chars().next() {
            if !is_harmful(character) {
                safe.push(character);
                at += character.len_utf8();
                continue;
            }
            match (character, self.colors) {
                ('\x1b', Colors::Kept | Colors::Linked(_)) => match self.kept(&text[at..]) {
                    Color::Whole(length) => {
                        safe.push_str(&text[at..at + length]);
                        at += length;
                        continue;
                    }
                    Color::Begun if last == Last::No => return at,
                    Color::Begun | Color::No => {}
                },
                (_, Colors::Kept | Colors::Linked(_) | Colors::Shown) => {}
            }
            // A line that ends as on Windows ends here, too; whether it does, the next write may say.
            if character == '\r' && at + 1 == text.len() && last == Last::No {
                return at;
            }
            if !(character == '\r' && text[at + 1..].starts_with('\n')) {
                push_escaped(safe, character);
            }
            at += character.len_utf8();
        }
        at
    }

    /// What may pass of a text that begins with ESC.
    fn kept(&self, text: &str) -> Color {
        match (self.colors, color(text)) {
            (Colors::Linked(address), Color::No) => match address.begun(text) {
                Some(length) => Color::Whole(length),
                None if is_a_links_beginning(text) => Color::Begun,
                None => Color::No,
            },
            (_, color) => color,
        }
    }
}

/// A link that the next write may go on with.
fn is_a_links_beginning(text: &str) -> bool {
    /// Longer ones are not links of ours.
    const LONGEST: usize = 512;
    let is_open = |rest: &str| rest.find('\x1b').is_none() || rest.ends_with('\x1b');
    text.len() < LONGEST && (LINK.starts_with(text) || text.strip_prefix(LINK).is_some_and(is_open))
}

/// Whether more may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Yes,
    No,
}

enum Color {
    Whole(usize),
    Begun,
    No,
}

/// Longer ones are not colours of ours.
const LONGEST_COLOR: usize = 24;

fn color(text: &str) -> Color {
    let bytes = text.as_bytes();
    match bytes.get(1) {
        None => return Color::Begun,
        Some(b'[') => {}
        Some(_) => return Color::No,
    }
    for (at, byte) in bytes.iter().enumerate().skip(2).take(LONGEST_COLOR) {
        match byte {
            b'0'..=b'9' | b';' => {}
            b'm' => return Color::Whole(at + 1),
            _ => return Color::No,
        }
    }
    if bytes.len() < LONGEST_COLOR {
        Color::Begun
    } else {
        Color::No
    }
}

impl<W: Write> Write for Guard<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        self.pass(Last::No)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pass(Last::Yes)?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_are_shown_as_they_are_written() {
        assert_eq!(line("a\x1b]52;c;eA==\x07b"), "a\\x1b]52;c;eA==\\x07b");
        assert_eq!(line("a\u{9b}2Jb\r\n\tc"), "a\\u{9b}2Jb\\r\\n\\tc");
        assert_eq!(text("a\n\tb\u{202e}c\x7f"), "a\n\tb\\u{202e}c\\x7f");
        assert!(matches!(text("plain é 日本 ✓"), Cow::Borrowed(_)));
    }

    fn guarded(colors: Colors, writes: &[&[u8]]) -> String {
        let mut out = Vec::new();
        let mut guard = Guard::new(&mut out, colors);
        for bytes in writes {
            guard.write_all(bytes).unwrap();
        }
        guard.flush().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_guard_passes_colours_alone() {
        assert_eq!(
            guarded(
                Colors::Kept,
                &[b"\x1b[1;31mred\x1b[0m \x1b[2J \x1b]0;x\x07"]
            ),
            "\x1b[1;31mred\x1b[0m \\x1b[2J \\x1b]0;x\\x07"
        );
        assert_eq!(guarded(Colors::Shown, &[b"\x1b[31mred"]), "\\x1b[31mred");
        // However the text is cut into writes.
        let bytes = "é\x1b[31m日\u{9b}m\r\n".as_bytes();
        for cut in 0..bytes.len() {
            assert_eq!(
                guarded(Colors::Kept, &[&bytes[..cut], &bytes[cut..]]),
                "é\x1b[31m日\\u{9b}m\n",
                "{cut}"
            );
        }
        assert_eq!(guarded(Colors::Kept, &[b"a\xffb\x1b["]), "a\\xffb\\x1b[");
    }

    #[test]
    fn links_pass_below_one_address_alone() {
        let ours = Address::of("https://docs.example/pgproof/").unwrap();
        let link = ours.link("rules/seq-scan.html", "seq-scan");
        assert_eq!(
            link,
            "\x1b]8;;https://docs.example/pgproof/rules/seq-scan.html\x1b\\seq-scan\x1b]8;;\x1b\\"
        );
        let bytes = format!("a \x1b[1m{link}\x1b[0m é").into_bytes();
        for cut in 0..bytes.len() {
            let written = guarded(Colors::Linked(ours), &[&bytes[..cut], &bytes[cut..]]);
            assert_eq!(written.as_bytes(), bytes, "{cut}");
        }
        for foreign in [
            "\x1b]8;;https://docs.example.evil/rules.html\x1b\\seq-scan\x1b]8;;\x1b\\",
            "\x1b]8;;https://docs.example/pgproof-evil/rules.html\x1b\\",
            "\x1b]8;;https://docs.example/pgproof/a b\x1b\\",
            "\x1b]8;id=1;https://docs.example/pgproof/a\x1b\\",
            "\x1b]0;title\x07",
            "\x1b]8;;https://docs.example/pgproof/rules.html",
        ] {
            let written = guarded(Colors::Linked(ours), &[foreign.as_bytes()]);
            assert!(written.starts_with("\\x1b]"), "{written:?}");
        }
        assert!(guarded(Colors::Kept, &[link.as_bytes()]).starts_with("\\x1b]8"));
        for none in [
            "docs.example",
            "javascript:alert(1)",
            "https://",
            "https://a b",
            "https://a\x1b\\b",
            "https://é",
        ] {
            assert_eq!(Address::of(none), None, "{none}");
        }
    }
}
