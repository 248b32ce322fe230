//! Files whose statements stand below header lines of a tool's own: cut at the headers, each statement with its line.

use crate::source::Source;

/// A header, and what follows it up to the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Section<'a> {
    /// The header's text behind its mark.
    pub(super) header: &'a str,
    /// Everything to the next header.
    pub(super) body: &'a str,
    /// 1-based line of the body's first line.
    pub(super) line: u32,
}

/// Cuts a file at the lines that `header` reads as one.
pub(super) fn sections<'a>(
    source: &'a Source,
    header: impl Fn(&'a str) -> Option<&'a str>,
) -> Vec<Section<'a>> {
    let text: &str = &source.text;
    let mut found: Vec<Section<'a>> = Vec::new();
    let (mut offset, mut number) = (0, 0);
    let mut body_start = None;
    for line in text.split_inclusive('\n') {
        number += 1;
        let start = offset;
        offset += line.len();
        if let Some(own) = header(line.trim()) {
            if let (Some(last), Some(from)) = (found.last_mut(), body_start) {
                last.body = &text[from..start];
            }
            found.push(Section {
                header: own.trim(),
                body: "",
                line: number + 1,
            });
            body_start = Some(offset);
        }
    }
    if let (Some(last), Some(from)) = (found.last_mut(), body_start) {
        last.body = &text[from..];
    }
    found
}

impl Section<'_> {
    /// The statements of the body, each with the line of its first word.
    pub(super) fn statements(&self) -> Vec<(u32, &str)> {
        let mut found = Vec::new();
        let mut first = None;
        let mut end = 0;
        for token in crate::sql::token::tokens(self.body) {
            if token.is_trivia() {
                continue;
            }
            if token.kind == crate::sql::token::TokenKind::Semi {
                if let Some(start) = first.take() {
                    found.push((self.line_at(start), &self.body[start..end]));
                }
                continue;
            }
            first.get_or_insert(token.span.start);
            end = token.span.end;
        }
        if let Some(start) = first {
            found.push((self.line_at(start), &self.body[start..end]));
        }
        found
    }

    fn line_at(&self, offset: usize) -> u32 {
        let lines = self.body[..offset].matches('\n').count();
        self.line + u32::try_from(lines).unwrap_or(0)
    }
}

/// The text of a line comment.
pub(super) fn comment(line: &str) -> Option<&str> {
    line.strip_prefix("--").map(str::trim_start)
}
