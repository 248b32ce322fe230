//! psql's tables and records, and their likes: headings, rulers, borders of every style, marks where a line was wrapped or a
//! value goes on, `QUERY PLAN | …` of the expanded display. Gives the cells' own lines.

use std::borrow::Cow;

use super::super::text;
use super::{BORDERS, Line, is_client_word, is_count, is_heading, is_ruler};

const HEADING: &str = "QUERY PLAN";
/// Marks of a line that was wrapped, in the ASCII and the Unicode style.
const WRAPPED: [char; 2] = ['.', '…'];
/// Marks of a value that goes on behind a line break.
const GOES_ON: [char; 2] = ['+', '↵'];

/// The lines of the cells, with what is frame alone made empty.
pub(super) fn cells(lines: Vec<Line<'_>>) -> Vec<Line<'_>> {
    let is_framed = |line: &Line<'_>| is_heading(&line.text) || is_ruler(&line.text);
    let has_frame = lines.iter().any(is_framed) || goes_on_in_most_lines(&lines);
    let wrap_width = width_of_wrapped_lines(&lines);
    let is_of_record = |line: &Line<'_>| is_record(&line.text) || is_record_head(&line.text);
    if !has_frame && wrap_width.is_none() && !lines.iter().any(is_of_record) {
        return plain(lines);
    }
    let mut cells = Cells {
        done: Vec::with_capacity(lines.len()),
        pending: None,
        layout: Layout::Table(Table {
            ruler: None,
            margin: None,
            right_border_only: false,
        }),
        has_frame,
        wrap_width,
        within_record: false,
    };
    for line in lines {
        cells.take(line);
    }
    cells.flush();
    cells.done
}

/// Only what clients say is taken out.
fn plain(lines: Vec<Line<'_>>) -> Vec<Line<'_>> {
    lines
        .into_iter()
        .map(|line| {
            let ends = is_count(&line.text) || is_client_word(&line.text);
            if ends {
                return line.frame(true);
            }
            let bare = strip_borders(&line.text);
            if bare.len() == line.text.len() {
                return line;
            }
            let bare = bare.to_owned();
            line.with(bare)
        })
        .collect()
}

/// psql marks every line of a cell but the last one; its heading may not have been copied.
fn goes_on_in_most_lines(lines: &[Line<'_>]) -> bool {
    let (marked, all) = lines.iter().fold((0, 0), |(marked, all), line| {
        let text = line.text.trim_end().trim_end_matches(BORDERS).trim_end();
        (
            marked + usize::from(text.ends_with(GOES_ON)),
            all + usize::from(!line.text.trim().is_empty()),
        )
    });
    all > 2 && marked * 2 > all
}

/// The width at which a table without a ruler was wrapped: its longest lines all end with a mark, and are cut inside a node's
/// figures or go on behind a mark.
fn width_of_wrapped_lines(lines: &[Line<'_>]) -> Option<usize> {
    // A heading, a ruler or a record's head tells the width itself.
    let inside: Vec<&str> = lines
        .iter()
        .filter(|line| !is_ruler(&line.text))
        .map(|line| inside_borders(line.text.trim_end_matches('\r')).0)
        .collect();
    let width = |text: &str| text.chars().count();
    let longest = inside.iter().map(|text| width(text)).max()?;
    let mut evidence = false;
    for pair in inside.windows(2) {
        let [line, next] = pair else { continue };
        // With borders every line has the whole width; a mark stands in its last place.
        if width(line) != longest || !(line.ends_with(WRAPPED) || line.ends_with(' ')) {
            continue;
        }
        let open = |text: &str| {
            text.matches('(').count() > text.matches(')').count()
                || text.matches('"').count() % 2 == 1
        };
        evidence |= open(line) || next.starts_with(WRAPPED);
    }
    evidence.then_some(longest)
}

/// `QUERY PLAN | Limit …` of the expanded display, with any separator.
fn is_record(line: &str) -> bool {
    record_value(line).is_some()
}

/// A record's line: the column (in characters) at which its value begins, and whether the layout has separators of its own.
fn record_value(line: &str) -> Option<RecordStart> {
    let (inside, bordered) = inside_borders(line);
    let indent = inside.chars().take_while(|c| c.is_whitespace()).count();
    let rest = inside.trim_start().strip_prefix(HEADING)?;
    if rest.trim().is_empty() {
        return None;
    }
    let column = indent + HEADING.chars().count();
    let mut chars = rest.chars();
    let first = chars.next()?;
    if first == ' ' {
        let second = chars.next()?;
        let padded = rest.trim_start_matches(' ');
        if let Some(after) = padded.strip_prefix(BORDERS) {
            let blanks = rest.chars().count() - padded.chars().count();
            let blank = usize::from(after.starts_with(' '));
            return Some(RecordStart {
                column: column + blanks + 1 + blank,
                bordered,
                aligned: true,
            });
        }
        // A ruler or a sentence about query plans is no record.
        let value = rest.trim_start();
        let is_value = value.starts_with(['[', '{', '<', '-'])
            || second == ' '
            || text::begins(value)
            || text::is_figure_line(value);
        return is_value.then_some(RecordStart {
            column: column + 1,
            bordered,
            aligned: true,
        });
    }
    let is_separator =
        !first.is_alphanumeric() && !matches!(first, '"' | '\'' | '_' | ':' | ')' | '.');
    is_separator.then_some(RecordStart {
        column: column + 1,
        bordered,
        aligned: false,
    })
}

/// A plan in a column of another name, as pg_store_plans has it: `plan | Limit …`.
fn other_column(line: &str) -> Option<RecordStart> {
    let (inside, bordered) = inside_borders(line);
    let (name, value) = inside.split_once(BORDERS)?;
    let is_name =
        !name.trim().is_empty() && name.trim().chars().all(|c| c.is_alphanumeric() || c == '_');
    let text = value.trim();
    let is_plan = text::is_named_title(text.trim_end_matches(GOES_ON).trim_end())
        || text.starts_with("[{\"Plan\"")
        || text.trim_end_matches(GOES_ON).trim_end() == "[";
    (is_name && is_plan).then_some(RecordStart {
        column: name.chars().count() + 2,
        bordered,
        aligned: true,
    })
}

#[derive(Clone, Copy)]
struct RecordStart {
    column: usize,
    bordered: bool,
    /// Values that go on stand below their first line.
    aligned: bool,
}

/// `-[ RECORD 1 ]---`, `* Record 1`, with borders and in any language.
fn is_record_head(line: &str) -> bool {
    let line = line.trim();
    if let Some(words) = line.strip_prefix("* ") {
        let mut words = words.split_whitespace();
        let named = words
            .next()
            .is_some_and(|word| word.chars().all(char::is_alphabetic));
        return named
            && words
                .next()
                .is_some_and(|word| word.bytes().all(|b| b.is_ascii_digit()))
            && words.next().is_none();
    }
    let Some((before, rest)) = line.split_once("[ ") else {
        return false;
    };
    let Some((name, after)) = rest.split_once(" ]") else {
        return false;
    };
    let is_frame = |text: &str| {
        text.chars()
            .all(|c| matches!(c, '-' | '+' | '|') || ('─'..='╬').contains(&c))
    };
    !before.is_empty()
        && is_frame(before)
        && is_frame(after)
        && name.ends_with(|c: char| c.is_ascii_digit())
}

fn inside_borders(line: &str) -> (&str, bool) {
    let trimmed = line.trim_end();
    let inside = trimmed
        .strip_prefix(BORDERS)
        .and_then(|body| body.strip_suffix(BORDERS));
    match inside {
        Some(inside) => (inside, true),
        None => (line, false),
    }
}

/// Without `|`, `│` or `║` at both ends.
fn strip_borders(line: &str) -> &str {
    let inside = line
        .trim()
        .strip_prefix(BORDERS)
        .and_then(|body| body.strip_suffix(BORDERS));
    inside.unwrap_or_else(|| line.trim_end_matches('\r'))
}

enum Layout {
    Table(Table),
    Record(RecordStart),
}

struct Table {
    /// Characters of the ruler below the heading, without its corners.
    ruler: Option<usize>,
    /// Blanks before each cell; known from the first one.
    margin: Option<usize>,
    /// DBeaver's copies: a border at the right only.
    right_border_only: bool,
}

/// A cell's line that may go on.
struct Pending<'a> {
    line: Line<'a>,
    /// It ended with a mark, or fills its column to the last character.
    open: Open,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    /// Wrapped: the next line is its rest.
    Wrapped,
    /// It fills the column; the old ASCII style has no marks.
    Full,
    No,
}

struct Cells<'a> {
    done: Vec<Line<'a>>,
    pending: Option<Pending<'a>>,
    layout: Layout,
    has_frame: bool,
    wrap_width: Option<usize>,
    /// Behind the head of a record.
    within_record: bool,
}

impl<'a> Cells<'a> {
    fn flush(&mut self) {
        if let Some(pending) = self.pending.take() {
            self.done.push(pending.line);
        }
    }

    fn frame(&mut self, line: Line<'a>, ends: bool) {
        self.flush();
        self.done.push(line.frame(ends));
    }

    fn take(&mut self, line: Line<'a>) {
        if is_heading(&line.text) {
            let text = line.text.trim_end();
            let right_border_only =
                text.ends_with(BORDERS) && !text.trim_start().starts_with(BORDERS);
            self.layout = Layout::Table(Table {
                ruler: None,
                margin: None,
                right_border_only,
            });
            return self.frame(line, true);
        }
        if is_record_head(&line.text) {
            self.within_record = true;
            return self.frame(line, false);
        }
        if is_ruler(&line.text) {
            if let Layout::Table(table) = &mut self.layout {
                table.ruler.get_or_insert_with(|| ruler_width(&line.text));
            }
            return self.frame(line, false);
        }
        if is_count(&line.text) || is_client_word(&line.text) {
            return self.frame(line, true);
        }
        let named = record_value(&line.text).or_else(|| {
            self.within_record
                .then(|| other_column(&line.text))
                .flatten()
        });
        if let Some(start) = named {
            return self.record(line, start);
        }
        match &self.layout {
            Layout::Record(start) => {
                let start = *start;
                self.record_goes_on(line, start);
            }
            Layout::Table(_) => self.cell(line),
        }
    }

    /// A record's first line.
    fn record(&mut self, line: Line<'a>, start: RecordStart) {
        self.flush();
        self.layout = Layout::Record(start);
        let (inside, _) = inside_borders(&line.text);
        let value: String = inside.chars().skip(start.column).collect();
        self.value(line, value, start);
    }

    /// Holds a value back until it is known whether it goes on.
    fn value(&mut self, line: Line<'a>, value: String, start: RecordStart) {
        let bare = value.trim_end();
        if let Some(before) = bare.strip_suffix(GOES_ON).filter(|_| start.aligned) {
            let text = before.trim_end().to_owned();
            self.done.push(line.with(text));
            return;
        }
        // One character behind the cell is kept free for a mark.
        let value = if start.bordered && value.ends_with(' ') {
            value[..value.len() - 1].to_owned()
        } else {
            value
        };
        self.pending = Some(Pending {
            line: line.with(value),
            open: Open::No,
        });
    }

    fn record_goes_on(&mut self, line: Line<'a>, start: RecordStart) {
        let (inside, _) = inside_borders(&line.text);
        let prefix: String = inside.chars().take(start.column).collect();
        let is_below = start.aligned
            && !inside.trim().is_empty()
            && prefix
                .chars()
                .all(|c| c.is_whitespace() || matches!(c, '|' | '│' | '║' | ':' | ';' | '.' | '…'));
        if !is_below {
            self.flush();
            if self.within_record && line.text.contains(BORDERS) {
                // Another column of the record.
                self.done.push(line.frame(true));
                return;
            }
            if !line.text.trim().is_empty() && start.aligned {
                self.layout = Layout::Table(Table {
                    ruler: None,
                    margin: None,
                    right_border_only: false,
                });
            }
            self.done.push(line);
            return;
        }
        let value: String = inside.chars().skip(start.column).collect();
        let marked = prefix.ends_with(WRAPPED) || prefix.trim_end().ends_with(';');
        let unmarked = prefix.trim().is_empty();
        let is_text = |pending: &Pending<'_>| {
            let text = pending.line.text.trim_start();
            !text.starts_with(['[', '{', '<', ']', '}', '"', '-']) || text.starts_with("->")
        };
        let goes_on = marked || (unmarked && self.pending.as_ref().is_some_and(is_text));
        match self.pending.take() {
            Some(pending) if goes_on => {
                let so_far = pending.line.text.as_ref();
                let so_far = so_far
                    .strip_suffix(WRAPPED)
                    .filter(|_| prefix.ends_with(WRAPPED))
                    .unwrap_or(so_far);
                let whole = format!("{so_far}{value}");
                let first = pending.line;
                self.value(first, whole, start);
            }
            Some(pending) => {
                self.done.push(pending.line);
                self.value(line, value, start);
            }
            None => self.value(line, value, start),
        }
    }

    /// A line of an aligned table.
    fn cell(&mut self, line: Line<'a>) {
        let Layout::Table(table) = &mut self.layout else {
            return;
        };
        let (inside, bordered) = inside_borders(line.text.trim_end_matches('\r'));
        let inside = match inside.trim_end().strip_suffix(BORDERS) {
            Some(cut) if table.right_border_only => cut,
            Some(_) | None => inside,
        };
        if inside.trim().is_empty() {
            self.flush();
            self.done.push(line.frame(false));
            return;
        }
        let has_ruler = table.ruler.is_some();
        let wrapped = self.wrap_width.is_some();
        let margin = *table.margin.get_or_insert_with(|| {
            usize::from(inside.starts_with(' ') && (bordered || has_ruler || wrapped))
        });
        let chars: Vec<char> = inside.chars().collect();
        let mark_at = match (table.ruler, self.wrap_width) {
            (Some(ruler), _) if bordered => Some(ruler.saturating_sub(1)),
            (Some(ruler), _) if margin > 0 => Some(ruler.saturating_sub(1)),
            (Some(ruler), _) => Some(ruler),
            (None, Some(width)) => Some(width.saturating_sub(1)),
            (None, None) => None,
        };
        let cell = Cell::of(&chars, mark_at, self.has_frame);
        let left_mark = chars.first().copied();
        let goes_on = self
            .pending
            .as_ref()
            .is_some_and(|pending| match pending.open {
                Open::Wrapped => true,
                Open::Full => fills_up(
                    &pending.line.text,
                    &cell.text[margin.min(cell.text.len())..],
                ),
                Open::No => false,
            });
        let body: String = match left_mark {
            Some(mark) if goes_on && WRAPPED.contains(&mark) => cell.text.chars().skip(1).collect(),
            // The old ASCII style marks a line behind a break at its beginning.
            Some(':') => format!(" {}", cell.text.chars().skip(1).collect::<String>()),
            Some(_) if goes_on => cell.text.chars().skip(margin).collect(),
            Some(_) | None => cell.text.clone(),
        };
        let line = match self.pending.take() {
            Some(pending) if goes_on => {
                let whole = format!("{}{body}", pending.line.text);
                pending.line.with(whole)
            }
            Some(pending) => {
                self.done.push(pending.line);
                line.with_same_or(body)
            }
            None => line.with_same_or(body),
        };
        if cell.open == Open::No {
            self.done.push(line);
        } else {
            self.pending = Some(Pending {
                line,
                open: cell.open,
            });
        }
    }
}

/// A cell's text without its mark.
struct Cell {
    text: String,
    open: Open,
}

impl Cell {
    fn of(chars: &[char], mark_at: Option<usize>, has_frame: bool) -> Self {
        let text = |end: usize| chars[..end.min(chars.len())].iter().collect::<String>();
        let Some(at) = mark_at else {
            let whole = text(chars.len());
            let bare = whole.trim_end();
            // Trailing blanks stay: where a line was cut in two, one of them may be the plan's.
            return match bare.strip_suffix(GOES_ON).filter(|_| has_frame) {
                Some(before) => Self {
                    text: before.trim_end().to_owned(),
                    open: Open::No,
                },
                None => Self {
                    text: whole,
                    open: Open::No,
                },
            };
        };
        // Longer than its ruler: somebody edited it.
        if chars.len() > at + 2 {
            return Self {
                text: text(chars.len()),
                open: Open::No,
            };
        }
        match chars.get(at) {
            Some(mark) if GOES_ON.contains(mark) => Self {
                text: text(at).trim_end().to_owned(),
                open: Open::No,
            },
            Some(mark) if WRAPPED.contains(mark) => Self {
                text: text(at),
                open: Open::Wrapped,
            },
            Some(' ') | None if chars.len() >= at && at > 0 && !text(at).trim_end().is_empty() => {
                let is_full =
                    chars.get(at - 1).is_some_and(|c| *c != ' ') || chars.get(at) == Some(&' ');
                Self {
                    text: text(at),
                    open: if is_full { Open::Full } else { Open::No },
                }
            }
            Some(_) | None => Self {
                text: text(chars.len()),
                open: Open::No,
            },
        }
    }
}

/// Whether a line at the margin is the rest of one that fills its column: nothing but a plan's first lines and what stands
/// below its tree begins there.
fn fills_up(full: &str, next: &str) -> bool {
    // JSON has no line breaks inside its texts.
    let is_open = |quote: char| {
        let mut escaped = false;
        let quotes = full.chars().filter(|c| {
            let counts = *c == quote && !escaped;
            escaped = *c == '\\' && !escaped;
            counts
        });
        quotes.count() % 2 == 1
    };
    if full.trim_start().starts_with('"') && is_open('"') {
        return true;
    }
    if is_open('\'') && !full.trim_start().starts_with('"') {
        return true;
    }
    let is_text = !full
        .trim_start()
        .starts_with(['[', '{', '<', ']', '}', '"'])
        && !next.starts_with(['[', '{', '<', ']', '}', '-']);
    is_text
        && next.starts_with(|c: char| !c.is_whitespace())
        && !text::begins(next)
        && !text::is_below_the_tree(next)
}

fn ruler_width(line: &str) -> usize {
    let trimmed = line.trim_end();
    let body = trimmed.trim_matches(|c: char| {
        matches!(c, '+' | '|') || ('┌'..='┼').contains(&c) || ('╒'..='╬').contains(&c)
    });
    body.chars().count()
}

impl<'a> Line<'a> {
    /// The same line with another text.
    pub(super) fn with(mut self, text: String) -> Self {
        self.text = Cow::Owned(text);
        self
    }

    /// Borrows on where the text is the line's own.
    fn with_same_or(self, text: String) -> Self {
        if self.text == text {
            self
        } else {
            self.with(text)
        }
    }

    /// Nothing but frame.
    pub(super) fn frame(mut self, ends: bool) -> Self {
        self.text = Cow::Borrowed("");
        self.ends = ends;
        self
    }
}
