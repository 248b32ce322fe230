//! Lines that fit: a writer that breaks what is wider than the page between words, under where the line began. What a page
//! lays out itself (tables, excerpts) fits already and passes as it is.

use std::io::{self, Write};

/// What is below a broken line's beginning.
const HANGING: usize = 2;
/// Room that is left to a line, however deep it is set.
const LEAST_ROOM: usize = 24;

/// Passes whole lines on, broken to a width.
pub struct Wrapped<'w> {
    out: &'w mut dyn Write,
    width: usize,
    held: Vec<u8>,
}

impl<'w> Wrapped<'w> {
    /// In front of `out`. To be flushed: a line without its end is held back.
    pub fn new(out: &'w mut dyn Write, width: usize) -> Self {
        Self {
            out,
            width,
            held: Vec::new(),
        }
    }
}

impl Write for Wrapped<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        while let Some(end) = self.held.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.held.drain(..=end).collect();
            let text = String::from_utf8_lossy(&line);
            for part in lines(text.trim_end_matches('\n'), self.width) {
                writeln!(self.out, "{part}")?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let rest = std::mem::take(&mut self.held);
        self.out.write_all(&rest)?;
        self.out.flush()
    }
}

/// A line as lines of at most `width` columns; a word that is wider stays whole.
pub fn lines(line: &str, width: usize) -> Vec<String> {
    if textwrap::core::display_width(line) <= width {
        return vec![line.trim_end().to_owned()];
    }
    let indent = line.chars().take_while(|c| *c == ' ').count();
    let first = " ".repeat(indent.min(width.saturating_sub(LEAST_ROOM)));
    below(&first, first.len() + HANGING, line.trim(), width)
}

/// A text after `first`, its further lines set in by `rest` columns.
pub fn below(first: &str, rest: usize, text: &str, width: usize) -> Vec<String> {
    let rest = " ".repeat(rest.min(width.saturating_sub(LEAST_ROOM)));
    let options = textwrap::Options::new(width)
        .initial_indent(first)
        .subsequent_indent(&rest)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .break_words(false);
    textwrap::wrap(text, options)
        .iter()
        .map(|line| line.trim_end().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_broken_between_words_under_their_beginning() {
        let mut out = Vec::new();
        let mut page = Wrapped::new(&mut out, 30);
        write!(page, "  short\n    a line that is ").unwrap();
        write!(page, "longer than thirty columns\nno end").unwrap();
        page.flush().unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "  short\n    a line that is longer than\n      thirty columns\nno end"
        );
    }

    #[test]
    fn a_deep_line_keeps_room_and_a_wide_word_stays_whole() {
        let deep = format!("{}one two three four five six", " ".repeat(50));
        assert!(
            lines(&deep, 40)
                .iter()
                .all(|line| textwrap::core::display_width(line) <= 40)
        );
        assert_eq!(lines("abcdefghij", 4), ["abcdefghij"]);
    }
}
