//! The formats: one file each, one line in [`FORMATS`]. Each reads a [`Report`] and knows no other format.

mod checkstyle;
mod github;
mod gitlab;
mod html;
pub mod json;
mod junit;
pub mod markdown;
mod sarif;
mod short;
mod sql;
pub mod terminal;
mod xml;

use std::fmt;
use std::io::{self, Write};

use super::Report;
use crate::finding::Finding;
use crate::visible::{Colors, Guard};
use terminal::TerminalStyle;

/// Every format: it drives `--format`, its help and its errors.
pub const FORMATS: &[&Format] = &[
    &terminal::FORMAT,
    &short::FORMAT,
    &json::FORMAT,
    &markdown::FORMAT,
    &html::FORMAT,
    &sarif::FORMAT,
    &junit::FORMAT,
    &github::FORMAT,
    &gitlab::FORMAT,
    &checkstyle::FORMAT,
    &sql::FORMAT,
];

/// A form that a report can take.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// As typed.
    pub name: &'static str,
    /// For `--help`: what reads it.
    pub about: &'static str,
    escaping: Escaping,
    render: Render,
}

/// Writes a report in a format. The style is for people at a terminal; other formats leave it alone.
type Render = fn(&Report, &TerminalStyle, &mut dyn Write) -> io::Result<()>;

/// Who keeps control characters out of what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escaping {
    /// The format itself, by rules of its own.
    Own,
    /// They are spelled out on the way.
    Visible,
    /// As [`Escaping::Visible`], but colours and links pass where they were asked for.
    Styled,
}

impl Format {
    /// The format of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        FORMATS.iter().copied().find(|format| format.name == name)
    }

    /// Writes a report so that nothing in it can be mistaken for the format's or the terminal's own signs.
    ///
    /// # Errors
    /// What `out` returns.
    pub fn write(
        &self,
        report: &Report,
        style: &TerminalStyle,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let colors = match (self.escaping, style.color) {
            (Escaping::Own, _) => return (self.render)(report, style, out),
            (Escaping::Styled, true) => style.docs.map_or(Colors::Kept, Colors::Linked),
            (Escaping::Styled, false) | (Escaping::Visible, _) => Colors::Shown,
        };
        let mut guard = Guard::new(out, colors);
        (self.render)(report, style, &mut guard)?;
        guard.flush()
    }
}

/// What a reviewer reads of a finding: what, what to do, and the statement that was measured to fix it.
fn in_words(found: &Finding) -> String {
    let mut text = found.message.clone();
    if !found.advice.is_empty() {
        text.push_str("\n\n");
        text.push_str(&found.advice);
    }
    if let Some(fix) = &found.fix {
        text.push_str("\n\n");
        text.push_str(&fix.sql);
    }
    text
}

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Format {}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_find_their_format() {
        for format in FORMATS {
            assert_eq!(Format::named(format.name), Some(*format));
            let same = FORMATS.iter().filter(|other| other.name == format.name);
            assert_eq!(same.count(), 1);
        }
        assert_eq!(Format::named("yaml"), None);
    }
}
