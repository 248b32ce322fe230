//! The lines of a statement that a finding is about, with the guilty part marked. What is guilty is `clauses`' to say.

use std::ops::Range;

use crate::catalog::Query;
use crate::catalog::query::source_offset;
use crate::finding::{Evidence, RuleId};

use super::clauses::Statement;
use crate::visible::{is_harmful, push_escaped};

/// A statement up to this many lines is shown whole.
const WHOLE: usize = 12;
/// Lines shown around a marked one in a longer statement.
const AROUND: usize = 1;
/// Lines shown of a longer statement with nothing marked.
const HEAD: usize = 6;
const TAB: &str = "    ";

/// A line of the statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// 1-based line in the file.
    pub(crate) number: u32,
    /// Without tabs and control characters.
    pub(crate) text: String,
    /// The guilty parts, as character positions in `text`.
    pub(crate) marks: Vec<Range<usize>>,
    /// Lines were left out before this one.
    pub(crate) gap_before: bool,
}

/// The excerpt for a finding of this rule with this evidence.
pub(crate) fn lines(query: &Query, rule: RuleId, evidence: &Evidence) -> Vec<Line> {
    if query.source.is_empty() {
        // A plan that was given without its statement.
        return Vec::new();
    }
    let guilty = guilty(query, rule, evidence);
    with_marks(&query.source, query.line, &guilty)
}

/// The guilty parts of a query's source, in bytes.
pub(crate) fn guilty(query: &Query, rule: RuleId, evidence: &Evidence) -> Vec<Range<usize>> {
    let statement = Statement::new(&query.source);
    match (rule, evidence.condition.as_deref()) {
        (RuleId::NPlusOne, Some(link)) => {
            driven_part(query, &statement, link).into_iter().collect()
        }
        (_, Some(_) | None) => statement.guilty(rule, evidence),
    }
}

/// The condition that another query's rows drive: `link` ends with the parameter, `ListCustomers.id -> $1`.
fn driven_part(query: &Query, statement: &Statement<'_>, link: &str) -> Option<Range<usize>> {
    let parameter = link
        .rsplit(' ')
        .next()
        .filter(|word| word.starts_with('$'))?;
    let is_whole =
        |at: &usize| !query.sql[at + parameter.len()..].starts_with(|c: char| c.is_ascii_digit());
    let at = query
        .sql
        .match_indices(parameter)
        .map(|(at, _)| at)
        .find(is_whole)?;
    statement.part_at(source_offset(&query.segments, at))
}

/// The excerpt with the word marked that stands at a character position (from 1) of `Query::sql`, as the server reports it.
pub(crate) fn at_position(query: &Query, position: u32) -> Vec<Line> {
    let word = word_at_position(query, position);
    with_marks(
        &query.source,
        query.line,
        &word.into_iter().collect::<Vec<_>>(),
    )
}

/// The word at a character position of `Query::sql`, in bytes of the source.
pub(crate) fn word_at_position(query: &Query, position: u32) -> Option<Range<usize>> {
    let characters = usize::try_from(position)
        .unwrap_or(usize::MAX)
        .saturating_sub(1);
    let offset = query
        .sql
        .char_indices()
        .nth(characters)
        .map_or(query.sql.len(), |(offset, _)| offset);
    Statement::new(&query.source).word_at(source_offset(&query.segments, offset))
}

fn with_marks(source: &str, first_line: u32, guilty: &[Range<usize>]) -> Vec<Line> {
    let mut all = Vec::new();
    let mut start = 0;
    for (index, raw) in source.split('\n').enumerate() {
        let number = first_line.saturating_add(u32::try_from(index).unwrap_or(u32::MAX));
        let marks = guilty
            .iter()
            .filter_map(|part| mark_in(raw, start, part))
            .collect();
        all.push(Line {
            number,
            text: clean(raw),
            marks,
            gap_before: false,
        });
        start += raw.len() + 1;
    }
    if all.len() <= WHOLE {
        all
    } else {
        shortened(all)
    }
}

/// The part of `guilty` (bytes of the statement) that lies in a line, as characters of the cleaned line.
fn mark_in(raw: &str, start: usize, guilty: &Range<usize>) -> Option<Range<usize>> {
    let from = guilty.start.max(start).checked_sub(start)?;
    let to = guilty.end.min(start + raw.len()).checked_sub(start)?;
    let part = raw.get(from..to)?;
    let trimmed = part.trim();
    if trimmed.is_empty() {
        return None;
    }
    let before = clean(&raw[..from + part.find(trimmed)?]).chars().count();
    Some(before..before + clean(trimmed).chars().count())
}

fn shortened(all: Vec<Line>) -> Vec<Line> {
    let marked: Vec<usize> = (0..all.len())
        .filter(|index| !all[*index].marks.is_empty())
        .collect();
    let is_shown = |index: usize| {
        index == 0
            || (marked.is_empty() && index < HEAD)
            || marked.iter().any(|mark| index.abs_diff(*mark) <= AROUND)
    };
    let mut kept: Vec<Line> = Vec::new();
    let mut last = 0;
    for (index, line) in all.into_iter().enumerate() {
        if is_shown(index) {
            kept.push(Line {
                gap_before: index > last + 1,
                ..line
            });
            last = index;
        }
    }
    kept
}

/// Text that cannot move the cursor: tabs as spaces, other control characters as they are written in a string.
pub(crate) fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    for character in text.trim_end_matches('\r').chars() {
        match character {
            '\t' => cleaned.push_str(TAB),
            harmful if harmful == '\n' || is_harmful(harmful) => {
                push_escaped(&mut cleaned, harmful)
            }
            printable => cleaned.push(printable),
        }
    }
    cleaned
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "one mark is meant")]
mod tests {
    use super::*;

    #[test]
    fn marks_count_characters_of_the_cleaned_line() {
        let source = "SELECT 'é'\n\tFROM a\n\tWHERE b = 1";
        let start = source.find("b = 1").unwrap();
        let shown = with_marks(source, 10, &[start..start + 5]);
        assert_eq!(shown[2].number, 12);
        assert_eq!(shown[2].text, "    WHERE b = 1");
        assert_eq!(shown[2].marks, vec![10..15]);
    }

    #[test]
    fn a_part_of_two_lines_is_marked_in_both() {
        let shown = with_marks("WHERE a\n  = 1 AND b", 1, &[6..13]);
        assert_eq!(
            shown
                .iter()
                .map(|line| line.marks.clone())
                .collect::<Vec<_>>(),
            [vec![6..7], vec![2..5]]
        );
    }

    #[test]
    fn long_statements_are_shortened() {
        let source: String =
            (10..40).map(|n| format!("line{n}\n")).collect::<String>() + "WHERE b = 1\nx";
        let start = source.find("b = 1").unwrap();
        let shown: Vec<(u32, bool)> = with_marks(&source, 1, &[start..start + 5])
            .iter()
            .map(|line| (line.number, line.gap_before))
            .collect();
        assert_eq!(shown, [(1, false), (30, true), (31, false), (32, false)]);
    }

    #[test]
    fn control_characters_cannot_reach_the_terminal() {
        assert_eq!(clean("a\tb\u{1b}[2Jc\r"), "a    b\\x1b[2Jc");
    }
}
