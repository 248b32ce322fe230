//! What clients put around a plan: psql's heading, rulers, borders, line ends and row counts, the quotes of a CSV cell.
//! Takes it off and keeps the numbers of the lines; reads nothing.

use std::borrow::Cow;

/// A line of the input without its frame.
#[derive(Debug, Clone)]
pub(super) struct Line<'a> {
    /// From 0.
    pub(super) index: usize,
    /// Its text; empty where it was frame alone.
    pub(super) text: Cow<'a, str>,
    /// A heading, a row count or a client's word: what came before has ended.
    pub(super) ends: bool,
}

const BORDERS: [char; 3] = ['|', '│', '║'];

/// The lines of an input without the frames of psql (aligned, unaligned, wrapped at the border, ASCII or Unicode).
pub(super) fn lines(text: &str) -> Vec<Line<'_>> {
    let framed =
        text.lines().any(|line| is_heading(line) || is_ruler(line)) || goes_on_in_most_lines(text);
    text.lines()
        .enumerate()
        .map(|(index, line)| clean(index, line, framed))
        .collect()
}

/// psql marks every line of a cell but the last one; its heading may not have been copied.
fn goes_on_in_most_lines(text: &str) -> bool {
    let (marked, all) = text.lines().fold((0, 0), |(marked, all), line| {
        (
            marked + usize::from(line.trim_end().ends_with(['+', '↵'])),
            all + usize::from(!line.trim().is_empty()),
        )
    });
    all > 2 && marked * 2 > all
}

fn clean(index: usize, line: &str, framed: bool) -> Line<'_> {
    let ends = is_heading(line) || is_count(line) || is_client_word(line);
    if ends || is_ruler(line) {
        return Line {
            index,
            text: Cow::Borrowed(""),
            ends,
        };
    }
    let mut bare = strip_borders(line);
    if !framed {
        return Line {
            index,
            text: Cow::Borrowed(bare),
            ends,
        };
    }
    // Trailing blanks stay: where a line was cut in two, one of them may be the plan's.
    if let Some(continued) = bare.trim_end().strip_suffix(['+', '↵']) {
        bare = continued.trim_end();
    }
    // psql's old-ascii style marks the lines that go on at their beginning.
    let text = match bare.strip_prefix(':').or_else(|| bare.strip_prefix(" :")) {
        Some(rest) => Cow::Owned(format!(" {rest}")),
        None => Cow::Borrowed(bare),
    };
    Line { index, text, ends }
}

/// `QUERY PLAN`, with or without borders, dashes and quotes.
fn is_heading(line: &str) -> bool {
    let line = line.trim();
    let frame = |c: char| c == '-' || c == '"' || c.is_whitespace() || BORDERS.contains(&c);
    line.contains("QUERY PLAN") && line.trim_matches(frame) == "QUERY PLAN"
}

fn is_ruler(line: &str) -> bool {
    let line = line.trim();
    line.chars().nth(2).is_some()
        && line.chars().all(|c| {
            c == '-' || c == '+' || c == '|' || c == '\u{200b}' || ('─'..='╬').contains(&c)
        })
}

/// `(7 rows)`, in whatever language.
fn is_count(line: &str) -> bool {
    let inner = line
        .trim()
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'));
    inner
        .and_then(|inner| inner.split_once(' '))
        .is_some_and(|(number, word)| {
            !number.is_empty()
                && number.bytes().all(|byte| byte.is_ascii_digit())
                && word.chars().all(char::is_alphabetic)
        })
}

/// What psql and its like say after a plan.
fn is_client_word(line: &str) -> bool {
    let line = line.trim();
    line == "EXPLAIN" || (line.starts_with("Time: ") && line.contains(" ms"))
}

/// Without `|`, `│` or `║` at both ends.
fn strip_borders(line: &str) -> &str {
    let inside = line
        .trim()
        .strip_prefix(BORDERS)
        .and_then(|body| body.strip_suffix(BORDERS));
    inside.unwrap_or_else(|| line.trim_end_matches('\r'))
}

/// A text whose lines or whose whole are a CSV cell (pgAdmin, `COPY … CSV`), with the quotes taken off.
pub(super) fn unquoted(text: &str) -> Cow<'_, str> {
    let first = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !is_heading(line))
        .unwrap_or_default();
    let Some(inside) = first.strip_prefix('"') else {
        return Cow::Borrowed(text);
    };
    let opens = inside.trim_start().starts_with(['[', '{', '<', '-']) || inside.ends_with('"');
    if !opens {
        return Cow::Borrowed(text);
    }
    let mut bare = String::with_capacity(text.len());
    let mut within = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if within && chars.peek() == Some(&'"') => {
                chars.next();
                bare.push('"');
            }
            '"' => within = !within,
            other => bare.push(other),
        }
    }
    Cow::Owned(bare)
}

#[cfg(test)]
mod tests {
    use crate::plan::parse::any;

    #[test]
    fn psql_frames_are_taken_off() {
        let plain = "               QUERY PLAN               \n----------------------------------------\n [                                     +\n   {                                   +\n     \"Plan\": {                         +\n       \"Node Type\": \"Result\"           +\n     }                                 +\n   }                                   +\n ]\n(1 row)\n";
        assert_eq!(any(plain).map(|plans| plans.len()), Ok(1));
        let bordered = "+----------------+\n|   QUERY PLAN   |\n+----------------+\n| [{\"Plan\": {\"Node Type\": \"Result\"}}] |\n+----------------+\n(1 row)\n";
        assert_eq!(any(bordered).map(|plans| plans.len()), Ok(1));
        assert!(any("hello").is_err());
    }

    #[test]
    fn quotes_of_a_cell_are_taken_off() {
        let cell = "\"QUERY PLAN\"\n\"[\n  {\n    \"\"Plan\"\": {\"\"Node Type\"\": \"\"Result\"\"}\n  }\n]\"\n";
        assert_eq!(any(cell).map(|plans| plans.len()), Ok(1));
        let rows = "\"Seq Scan on \"\"T\"\" t  (cost=0.00..1.00 rows=1 width=4)\"\n\"  Filter: (\"\"A\"\" = 1)\"\n";
        let plans = any(rows).unwrap();
        assert_eq!(plans[0].root().relation.as_ref().unwrap().name, "T");
        assert_eq!(
            plans[0].root().conditions.filter.as_deref(),
            Some("(\"A\" = 1)")
        );
    }
}
