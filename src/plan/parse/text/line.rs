//! Lines of EXPLAIN's text format: what each is by its words, its column, and whether the next one goes on with it, because a
//! terminal, a mailer or a value with a line break in it cut it in two.

use super::{property, summary, title};

/// A tab is as wide as the editors that made it of blanks have it.
const TAB: usize = 4;

/// What a line is by its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `->  Seq Scan on t`.
    Arrow,
    /// `InitPlan 1 (returns $0)`, `SubPlan 2`, `CTE recent`.
    Subplan,
    /// A key that PostgreSQL prints.
    Known,
    /// `Something: …`.
    Key,
    /// The root, the rest of a line, or something that is not known.
    Other,
}

impl Kind {
    /// From a line without its indentation.
    pub(super) fn of(text: &str) -> Self {
        if text.starts_with("->") {
            return Self::Arrow;
        }
        if is_subplan(text) {
            return Self::Subplan;
        }
        let Some((key, _)) = split_key(text) else {
            return if summary::knows(text) {
                Self::Known
            } else {
                Self::Other
            };
        };
        if property::knows(key) || summary::knows(text) {
            Self::Known
        } else {
            Self::Key
        }
    }
}

fn is_subplan(text: &str) -> bool {
    let text = text.trim_end();
    if text.contains("(cost=") || text.contains("(actual ") {
        return false;
    }
    let name = |rest: &str| !rest.is_empty();
    match text
        .strip_prefix("InitPlan ")
        .or_else(|| text.strip_prefix("SubPlan "))
    {
        Some(rest) => name(rest) && !rest.contains(": "),
        None => text
            .strip_prefix("CTE ")
            .is_some_and(|rest| name(rest) && !rest.starts_with("Scan on ")),
    }
}

/// `Key: value`, the value without the blanks around it; `None` where the line has no key.
pub(super) fn split_key(text: &str) -> Option<(&str, &str)> {
    let (key, value) = text.split_once(':')?;
    let is_key = key.len() <= 48
        && key.starts_with(|c: char| c.is_ascii_uppercase())
        && key
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, ' ' | '/' | '-' | '_'));
    let parted = value.is_empty() || value.starts_with([' ', '\t']);
    (is_key && parted).then(|| (key, value.trim()))
}

/// Where a line begins.
pub(super) fn column(line: &str) -> usize {
    line.chars()
        .take_while(|c| c.is_whitespace())
        .map(|c| if c == '\t' { TAB } else { 1 })
        .sum()
}

/// A line as EXPLAIN wrote it.
#[derive(Debug)]
pub(super) struct Logical {
    pub(super) column: usize,
    pub(super) kind: Kind,
    pub(super) text: String,
}

impl Logical {
    /// Whether a line is the rest of this one.
    pub(super) fn goes_on(&self, next: Kind, text: &str) -> bool {
        match next {
            Kind::Arrow | Kind::Subplan | Kind::Known => false,
            Kind::Key => is_incomplete(self),
            Kind::Other if is_incomplete(self) => true,
            Kind::Other => {
                let is_value =
                    matches!(self.kind, Kind::Known | Kind::Key) && !title::is_target(text);
                is_value || self.was_cut_before(text)
            }
        }
    }

    /// A node's name that was cut before its figures, which stand in the next line.
    pub(super) fn was_cut_before(&self, text: &str) -> bool {
        let is_title =
            matches!(self.kind, Kind::Arrow | Kind::Other) && !title::has_figures(&self.text);
        is_title && title::has_figures(text) && !title::is_named(text)
    }

    pub(super) fn append(&mut self, line: &str) {
        let is_open = |quote: char| self.text.matches(quote).count() % 2 == 1;
        if (is_open('\'') || is_open('"')) && !title::has_figures(&self.text) {
            self.text.push('\n');
            self.text.push_str(line);
        } else if line.starts_with([' ', '\t']) && !self.text.ends_with(' ') {
            self.text.push(' ');
            self.text.push_str(line.trim_start());
        } else {
            self.text.push_str(line.trim_start());
        }
    }
}

/// A quotation or a bracket is open, or a list goes on.
pub(super) fn is_incomplete(line: &Logical) -> bool {
    if line.text.trim_end().ends_with(',') {
        return true;
    }
    let (mut depth, mut quote) = (0_i64, None);
    for byte in line.text.bytes() {
        match (quote, byte) {
            (Some(open), _) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'\'' | b'"') => quote = Some(byte),
            (None, b'(') => depth += 1,
            (None, b')') => depth -= 1,
            (None, _) => {}
        }
    }
    depth > 0 || quote.is_some()
}
