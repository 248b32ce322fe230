//! What stands before every line of a plan that was quoted: `> ` of mails, `-- ` and `# ` of comments, `- ` of lists, `+` of
//! diffs, numbers of lines. Takes it off where a plan begins behind it.

use std::borrow::Cow;

use super::super::{text, xml, yaml};
use super::Line;

/// Lines without the marks before them.
pub(super) fn unquoted(lines: Vec<Line<'_>>) -> Vec<Line<'_>> {
    let mut bare: Vec<Line<'_>> = Vec::with_capacity(lines.len());
    let mut block: Option<Mark> = None;
    let mut missing = 0;
    for line in lines {
        let may_be_marked = line
            .text
            .trim_start()
            .starts_with(|c: char| c.is_ascii_digit() || ">-#/*+%;".contains(c));
        if block.is_none() && may_be_marked {
            block = Mark::ALL
                .into_iter()
                .find(|mark| begins_behind(*mark, &line.text));
            missing = 0;
        }
        let Some(mark) = block else {
            bare.push(line);
            continue;
        };
        match mark.behind(&line.text) {
            Some(rest) => {
                missing = 0;
                let rest = rest.into_owned();
                bare.push(line.with(rest));
            }
            // The rest of a line that a mailer cut stands without a mark; behind two such lines the quotation has ended.
            None => {
                missing += usize::from(!line.text.trim().is_empty());
                if missing > 1 {
                    block = None;
                }
                bare.push(line);
            }
        }
    }
    bare
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// `> `, `>> `, `> > `.
    Mail,
    /// `-- `.
    SqlComment,
    /// `# `.
    HashComment,
    /// `// `.
    SlashComment,
    /// ` * `.
    Star,
    /// `- `, but not the arrow.
    List,
    /// `+` of a diff.
    Added,
    /// `12: `, `12 | `.
    Number,
    /// `% ` and `;; `.
    OtherComment,
}

impl Mark {
    const ALL: [Self; 9] = [
        Self::Mail,
        Self::SqlComment,
        Self::HashComment,
        Self::SlashComment,
        Self::Star,
        Self::List,
        Self::Added,
        Self::Number,
        Self::OtherComment,
    ];

    /// What stands behind the mark; `None` for a line without it. A blank behind it goes with it.
    fn behind(self, line: &str) -> Option<Cow<'_, str>> {
        let trimmed = line.trim_start();
        let one_blank = |rest: &str| -> usize { usize::from(rest.starts_with(' ')) };
        let after = |marker: &str| {
            let rest = trimmed.strip_prefix(marker)?;
            Some(Cow::Borrowed(&rest[one_blank(rest)..]))
        };
        match self {
            Self::Mail => {
                let mut rest = trimmed.strip_prefix('>')?;
                while let Some(more) = rest.strip_prefix('>').or_else(|| rest.strip_prefix(" >")) {
                    rest = more;
                }
                Some(Cow::Borrowed(&rest[one_blank(rest)..]))
            }
            Self::SqlComment => after("--").filter(|rest| !rest.starts_with('-')),
            Self::HashComment => after("#"),
            Self::SlashComment => after("//"),
            Self::Star => after("*").filter(|rest| !rest.starts_with('*')),
            Self::List => {
                let rest = trimmed.strip_prefix("- ")?;
                Some(Cow::Borrowed(rest))
            }
            Self::Added => line
                .strip_prefix('+')
                .map(Cow::Borrowed)
                .filter(|rest| !rest.starts_with(['+', '-'])),
            Self::Number => {
                let digits = trimmed.bytes().take_while(u8::is_ascii_digit).count();
                let rest = trimmed[digits..].trim_start_matches(' ');
                let rest = rest
                    .strip_prefix([':', '|', '│', '\t'])
                    .filter(|_| digits > 0)?;
                Some(Cow::Borrowed(&rest[one_blank(rest)..]))
            }
            Self::OtherComment => after("%").or_else(|| after(";;")),
        }
    }
}

/// Whether a plan begins behind the mark, and does not begin without taking it off.
fn begins_behind(mark: Mark, line: &str) -> bool {
    let Some(rest) = mark.behind(line) else {
        return false;
    };
    let text = rest.trim_start();
    let is_value = |text: &str| {
        text.starts_with("[{\"Plan\"") || text == "[" || text == "[{" || xml::begins(text)
    };
    match mark {
        // A list's or a YAML sequence's mark looks alike.
        Mark::List => !yaml::begins(line.trim_start()) && text::is_named_title(text),
        Mark::Number => text::is_named_title(text) || is_value(text),
        _ => {
            text::is_named_title(text)
                || is_value(text)
                || yaml::begins(text)
                || super::is_heading(text)
        }
    }
}
