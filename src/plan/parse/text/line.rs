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
    /// Line of the input, from 0.
    pub(super) index: usize,
    pub(super) column: usize,
    pub(super) kind: Kind,
    pub(super) text: String,
    /// What is open at its end: kept while lines are appended, so that reading stays linear.
    open: Open,
    has_figures: bool,
}

/// Brackets and quotations that are open behind a text.
#[derive(Debug, Clone, Copy, Default)]
struct Open {
    depth: i64,
    quote: Option<u8>,
    single_quotes: usize,
    double_quotes: usize,
}

impl Open {
    fn read(&mut self, text: &str) {
        for byte in text.bytes() {
            self.single_quotes += usize::from(byte == b'\'');
            self.double_quotes += usize::from(byte == b'"');
            match (self.quote, byte) {
                (Some(open), _) if byte == open => self.quote = None,
                (Some(_), _) => {}
                (None, b'\'' | b'"') => self.quote = Some(byte),
                (None, b'(') => self.depth += 1,
                (None, b')') => self.depth -= 1,
                (None, _) => {}
            }
        }
    }
}

impl Logical {
    pub(super) fn new(index: usize, column: usize, kind: Kind, text: &str) -> Self {
        let mut open = Open::default();
        open.read(text);
        Self {
            index,
            column,
            kind,
            text: text.to_owned(),
            open,
            has_figures: title::has_figures(text),
        }
    }

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
        let is_title = matches!(self.kind, Kind::Arrow | Kind::Other) && !self.has_figures;
        is_title && title::has_figures(text) && !title::is_named(text)
    }

    /// A mailer breaks lines at a blank and drops it; a terminal breaks them anywhere. Between figures the words tell.
    fn lost_a_blank_before(&self, line: &str) -> bool {
        const WORDS: [&str; 8] = [
            "time=", "rows=", "loops=", "width=", "(actual ", "(cost=", "(never ", "(actual",
        ];
        let begins_a_figure = WORDS.iter().any(|word| line.starts_with(word));
        let start = self.text.get(..24).unwrap_or(&self.text);
        let of_figures = split_key(start)
            .is_some_and(|(key, _)| matches!(key, "Buffers" | "I/O Timings" | "WAL"));
        let between_counts = of_figures
            && self
                .text
                .ends_with(|c: char| c.is_ascii_digit() || c == ',')
            && line.starts_with(|c: char| c.is_ascii_lowercase());
        (begins_a_figure && !self.text.ends_with('(')) || between_counts
    }

    pub(super) fn append(&mut self, line: &str) {
        let is_open = self.open.single_quotes % 2 == 1 || self.open.double_quotes % 2 == 1;
        let before = self.text.len();
        if is_open && !self.has_figures {
            self.text.push('\n');
            self.text.push_str(line);
        } else if (line.starts_with([' ', '\t']) || self.lost_a_blank_before(line))
            && !self.text.ends_with(' ')
        {
            self.text.push(' ');
            self.text.push_str(line.trim_start());
        } else {
            self.text.push_str(line.trim_start());
        }
        self.open.read(&self.text[before..]);
        // A mark may lie across the break; beyond a title's length none comes.
        const LONGEST_TITLE: usize = 4_096;
        if !self.has_figures && self.text.len() <= LONGEST_TITLE {
            self.has_figures = title::has_figures(&self.text);
        }
    }
}

/// A quotation or a bracket is open, or a list goes on.
pub(super) fn is_incomplete(line: &Logical) -> bool {
    line.text.trim_end().ends_with(',') || line.open.depth > 0 || line.open.quote.is_some()
}
