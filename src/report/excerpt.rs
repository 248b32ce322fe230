//! The lines of a statement that a finding is about, with the guilty part marked. Reads SQL as words and symbols only:
//! it points at text, it understands nothing.

use std::ops::Range;

use crate::finding::{Evidence, RuleId};

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

/// The excerpt of a statement whose first token stands in line `first_line`, for a finding with this evidence.
pub(crate) fn lines(source: &str, first_line: u32, rule: RuleId, evidence: &Evidence) -> Vec<Line> {
    with_marks(source, first_line, &guilty(source, rule, evidence))
}

/// The excerpt with the word at a character position (from 1) of the statement marked. `sql` is what the server saw, with
/// the same lines as `source`.
pub(crate) fn at_position(source: &str, first_line: u32, sql: &str, position: u32) -> Vec<Line> {
    let offset = sql.char_indices().nth(position.saturating_sub(1) as usize).map_or(sql.len(), |(offset, _)| offset);
    let line = sql[..offset].matches('\n').count();
    let word = tokens(sql).into_iter().find(|token| token.range.contains(&offset)).map(|token| &sql[token.range]);
    let start = source.split_inclusive('\n').take(line).map(str::len).sum::<usize>();
    let end = source[start..].find('\n').map_or(source.len(), |length| start + length);
    let mark = word.and_then(|word| source[start..end].find(word).map(|at| start + at..start + at + word.len()));
    with_marks(source, first_line, &mark.into_iter().collect::<Vec<_>>())
}

fn with_marks(source: &str, first_line: u32, guilty: &[Range<usize>]) -> Vec<Line> {
    let mut all = Vec::new();
    let mut start = 0;
    for (index, raw) in source.split('\n').enumerate() {
        let number = first_line.saturating_add(u32::try_from(index).unwrap_or(u32::MAX));
        let marks = guilty.iter().filter_map(|part| mark_in(raw, start, part)).collect();
        all.push(Line { number, text: clean(raw), marks, gap_before: false });
        start += raw.len() + 1;
    }
    if all.len() <= WHOLE { all } else { shortened(all) }
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
    let marked: Vec<usize> = (0..all.len()).filter(|index| !all[*index].marks.is_empty()).collect();
    let wanted = |index: usize| {
        index == 0 || (marked.is_empty() && index < HEAD) || marked.iter().any(|mark| index.abs_diff(*mark) <= AROUND)
    };
    let mut kept: Vec<Line> = Vec::new();
    let mut last = 0;
    for (index, line) in all.into_iter().enumerate() {
        if wanted(index) {
            kept.push(Line { gap_before: index > last + 1, ..line });
            last = index;
        }
    }
    kept
}

/// Text that cannot move the cursor: tabs as spaces, other control characters as `�`.
pub(crate) fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    for character in text.trim_end_matches('\r').chars() {
        match character {
            '\t' => cleaned.push_str(TAB),
            control if control.is_control() => cleaned.push('\u{fffd}'),
            printable => cleaned.push(printable),
        }
    }
    cleaned
}

/// Byte ranges of the statement that the evidence speaks of: the conditions that use its columns, else the clause that
/// the rule is about, else its relation.
fn guilty(source: &str, rule: RuleId, evidence: &Evidence) -> Vec<Range<usize>> {
    let segments = segments(source);
    let wanted = evidence.condition.as_deref().map(columns).unwrap_or_default();
    let mut found: Vec<&Segment> = segments.iter().filter(|segment| segment.uses(&wanted)).collect();
    if found.is_empty() {
        let clause = match rule {
            RuleId::LargeOffset => Some(Clause::Limit),
            RuleId::SortSpill => Some(Clause::Sort),
            _ => None, // the other rules are about conditions and relations
        };
        found = segments.iter().filter(|segment| Some(segment.clause) == clause).collect();
    }
    let inner: Vec<Range<usize>> = found
        .iter()
        .filter(|segment| !found.iter().any(|other| segment.strictly_holds(other)))
        .map(|segment| segment.range.clone())
        .collect();
    if inner.is_empty() { relation_at(source, evidence.relation.as_deref()) } else { inner }
}

/// Where the relation is named: after FROM, JOIN, INTO or UPDATE.
fn relation_at(source: &str, relation: Option<&str>) -> Vec<Range<usize>> {
    let Some(relation) = relation else { return Vec::new() };
    let name = unquoted(relation.rsplit('.').next().unwrap_or(relation));
    let tokens = tokens(source);
    let mut in_from = false;
    for token in &tokens {
        let text = &source[token.range.clone()];
        match token.kind {
            TokenKind::Word => match text.to_ascii_lowercase().as_str() {
                "from" | "join" | "into" | "update" => in_from = true,
                "select" | "where" | "set" | "values" | "on" => in_from = false,
                word if in_from && word == name => return vec![token.range.clone()],
                _ => {}
            },
            TokenKind::Quoted if in_from && unquoted(text) == name => return vec![token.range.clone()],
            TokenKind::Quoted | TokenKind::String | TokenKind::Symbol => {}
        }
    }
    Vec::new()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TokenKind {
    Word,
    Quoted,
    String,
    Symbol,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    kind: TokenKind,
    range: Range<usize>,
}

/// Words, quoted identifiers, strings and single symbols; no space, no comments.
fn tokens(sql: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = sql[at..].chars().next() {
        let rest = &sql[at..];
        let (kind, length) = if first.is_whitespace() {
            (None, first.len_utf8())
        } else if rest.starts_with("--") {
            (None, rest.find('\n').unwrap_or(rest.len()))
        } else if rest.starts_with("/*") {
            (None, block_comment(rest))
        } else if first == '\'' {
            (Some(TokenKind::String), quoted_length(rest, '\''))
        } else if first == '"' {
            (Some(TokenKind::Quoted), quoted_length(rest, '"'))
        } else if let Some(length) = dollar_quoted(rest) {
            (Some(TokenKind::String), length)
        } else if first.is_alphanumeric() || first == '_' {
            let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(rest.len());
            (Some(TokenKind::Word), length)
        } else {
            (Some(TokenKind::Symbol), first.len_utf8())
        };
        tokens.extend(kind.map(|kind| Token { kind, range: at..at + length }));
        at += length;
    }
    tokens
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        let here = &rest[at..];
        if here.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += here.chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn quoted_length(rest: &str, quote: char) -> usize {
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        if character == quote && characters.next_if(|(_, next)| *next == quote).is_none() {
            return at + 1;
        }
    }
    rest.len()
}

fn dollar_quoted(rest: &str) -> Option<usize> {
    let body = rest.strip_prefix('$')?;
    let tag = &body[..body.find('$')?];
    let plain = tag.chars().all(|c| c.is_alphanumeric() || c == '_') && !tag.starts_with(|c: char| c.is_ascii_digit());
    if !plain {
        return None;
    }
    let fence = &rest[..tag.len() + 2];
    let end = rest[fence.len()..].find(fence)?;
    Some(end + 2 * fence.len())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clause {
    /// A select list, FROM, SET, VALUES…
    Other,
    /// WHERE, ON, HAVING: one segment a conjunct or disjunct.
    Condition,
    /// ORDER BY, GROUP BY: one segment.
    Sort,
    /// LIMIT and OFFSET: one segment each.
    Limit,
}

/// A part of a clause.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Segment {
    clause: Clause,
    range: Range<usize>,
    columns: Vec<ColumnName>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct ColumnName {
    qualifier: Option<String>,
    name: String,
}

impl Segment {
    fn uses(&self, wanted: &[ColumnName]) -> bool {
        self.clause != Clause::Limit
            && self.columns.iter().any(|column| wanted.iter().any(|other| column.may_be(other)))
    }

    fn strictly_holds(&self, other: &Self) -> bool {
        self.range != other.range && self.range.start <= other.range.start && other.range.end <= self.range.end
    }
}

impl ColumnName {
    /// EXPLAIN numbers an alias that it meets twice (`o_1`).
    fn may_be(&self, other: &Self) -> bool {
        let plain = |name: &str| name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('_').to_owned();
        self.name == other.name
            && match (&self.qualifier, &other.qualifier) {
                (Some(a), Some(b)) => a == b || plain(a) == plain(b),
                (None, _) | (_, None) => true,
            }
    }
}

/// The columns that a condition uses, as EXPLAIN prints it: not functions, not types after `::`.
fn columns(text: &str) -> Vec<ColumnName> {
    columns_of(text, &tokens(text))
}

fn columns_of(text: &str, tokens: &[Token]) -> Vec<ColumnName> {
    let symbol = |index: Option<usize>, symbol: &str| {
        index.and_then(|index| tokens.get(index)).is_some_and(|token| &text[token.range.clone()] == symbol)
    };
    let mut columns = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let word = &text[token.range.clone()];
        let name = match token.kind {
            TokenKind::Word if word.starts_with(|c: char| c.is_ascii_digit()) => continue,
            TokenKind::Word => word.to_lowercase(),
            TokenKind::Quoted => unquoted(word),
            TokenKind::String | TokenKind::Symbol => continue,
        };
        let is_cast = symbol(index.checked_sub(1), ":");
        let is_parameter = symbol(index.checked_sub(1), "$") || symbol(index.checked_sub(1), "@");
        let is_qualifier = symbol(Some(index + 1), ".");
        let is_call = symbol(Some(index + 1), "(");
        let is_keyword = token.kind == TokenKind::Word && NOT_COLUMNS.contains(&name.as_str());
        if is_cast || is_parameter || is_qualifier || is_call || is_keyword {
            continue;
        }
        let qualifier = (index >= 2 && symbol(Some(index - 1), "."))
            .then(|| unquoted(&text[tokens[index - 2].range.clone()]).to_lowercase());
        columns.push(ColumnName { qualifier, name });
    }
    columns
}

fn unquoted(name: &str) -> String {
    name.strip_prefix('"')
        .and_then(|inner| inner.strip_suffix('"'))
        .map_or_else(|| name.to_owned(), |inner| inner.replace("\"\"", "\""))
}

/// Words that stand in conditions and are no columns; types of several words among them.
const NOT_COLUMNS: &[&str] = &[
    "all",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "between",
    "by",
    "case",
    "character",
    "current_date",
    "current_timestamp",
    "day",
    "desc",
    "distinct",
    "double",
    "else",
    "end",
    "exists",
    "false",
    "first",
    "from",
    "ilike",
    "in",
    "interval",
    "is",
    "last",
    "like",
    "not",
    "null",
    "nulls",
    "on",
    "or",
    "order",
    "precision",
    "select",
    "similar",
    "some",
    "subplan",
    "hashed",
    "initplan",
    "then",
    "to",
    "true",
    "varying",
    "when",
    "where",
    "with",
    "without",
    "zone",
];

/// One level of parentheses while the clauses are told apart.
#[derive(Debug)]
struct Frame {
    clause: Clause,
    /// First token of the open segment.
    start: Option<usize>,
    /// BETWEEN was met and its AND was not.
    between: bool,
}

/// What a word does to the clauses.
enum Step {
    Enter(Clause),
    /// AND, OR.
    Split,
    Between,
    Stay,
}

fn step(word: &str, is_call: bool) -> Step {
    match word {
        "where" | "on" | "having" => Step::Enter(Clause::Condition),
        "order" | "group" => Step::Enter(Clause::Sort),
        "limit" | "offset" => Step::Enter(Clause::Limit),
        "left" | "right" if is_call => Step::Stay,
        "select" | "from" | "join" | "left" | "right" | "inner" | "full" | "cross" | "union" | "intersect"
        | "except" | "returning" | "window" | "for" | "fetch" | "set" | "values" | "do" => Step::Enter(Clause::Other),
        "and" | "or" => Step::Split,
        "between" => Step::Between,
        _ => Step::Stay,
    }
}

/// The conditions, sort lists and limits of a statement, in subqueries too.
fn segments(source: &str) -> Vec<Segment> {
    let tokens = tokens(source);
    let text = |index: usize| tokens.get(index).map_or("", |token: &Token| &source[token.range.clone()]);
    let mut segments = Vec::new();
    let mut frames = vec![Frame { clause: Clause::Other, start: None, between: false }];
    let close = |frame: &mut Frame, end: usize, segments: &mut Vec<Segment>| {
        let Some(start) = frame.start.take().filter(|start| *start < end) else { return };
        if frame.clause != Clause::Other {
            let range = tokens[start].range.start..tokens[end - 1].range.end;
            segments.push(Segment { clause: frame.clause, range, columns: columns_of(source, &tokens[start..end]) });
        }
    };
    for index in 0..tokens.len() {
        let word = text(index).to_ascii_lowercase();
        if word == "(" {
            let groups = index > 0
                && matches!(text(index - 1).to_ascii_lowercase().as_str(), "where" | "on" | "and" | "or" | "not" | "(");
            let clause = match frames.last() {
                Some(outer) if groups && outer.clause == Clause::Condition => Clause::Condition,
                Some(_) | None => Clause::Other,
            };
            frames.push(Frame { clause, start: Some(index + 1), between: false });
            continue;
        }
        if word == ")" && frames.len() > 1 {
            if let Some(mut frame) = frames.pop() {
                close(&mut frame, index, &mut segments);
            }
            continue;
        }
        let Some(frame) = frames.last_mut() else { continue };
        if tokens[index].kind != TokenKind::Word {
            continue;
        }
        match step(&word, text(index + 1) == "(") {
            Step::Enter(clause) => {
                close(frame, index, &mut segments);
                // LIMIT and OFFSET are shown with their word, ORDER BY too; a condition without its WHERE.
                let start = if clause == Clause::Condition { index + 1 } else { index };
                *frame = Frame { clause, start: Some(start), between: false };
            }
            Step::Split if frame.between => frame.between = false,
            Step::Split if frame.clause == Clause::Condition => {
                close(frame, index, &mut segments);
                frame.start = Some(index + 1);
            }
            Step::Between => frame.between = true,
            Step::Split | Step::Stay => {}
        }
    }
    for frame in frames.iter_mut().rev() {
        close(frame, tokens.len(), &mut segments);
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(source: &str, rule: RuleId, condition: Option<&str>, relation: Option<&str>) -> Vec<String> {
        let evidence = Evidence {
            condition: condition.map(str::to_owned),
            relation: relation.map(str::to_owned),
            ..Evidence::default()
        };
        guilty(source, rule, &evidence).into_iter().map(|range| source[range].to_owned()).collect()
    }

    #[test]
    fn the_condition_at_fault_is_marked() {
        let sql = "SELECT o.id, o.status FROM orders o JOIN customers c ON c.id = o.customer_id\n\
                   WHERE lower(c.email) = $1 AND o.placed_at BETWEEN $2 AND $3\nORDER BY o.status";
        let seq = RuleId::SeqScan;
        assert_eq!(marked(sql, seq, Some("(lower((c.email)::text) = $1)"), None), ["lower(c.email) = $1"]);
        assert_eq!(
            marked(sql, seq, Some("((placed_at >= $2) AND (placed_at <= $3))"), None),
            ["o.placed_at BETWEEN $2 AND $3"]
        );
        assert_eq!(marked(sql, RuleId::SortSpill, None, Some("orders")), ["ORDER BY o.status"]);
        assert_eq!(marked(sql, seq, None, Some("customers")), ["customers"]);
        assert_eq!(marked(sql, seq, Some("(nothing = 1)"), None), Vec::<String>::new());
    }

    #[test]
    fn the_smallest_part_is_marked() {
        let sql =
            "SELECT * FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.x = a.y AND b.z = 'it''s') AND (a.p = 1 OR a.q = 2)";
        assert_eq!(marked(sql, RuleId::SeqScan, Some("(z = 'it''s'::text)"), None), ["b.z = 'it''s'"]);
        assert_eq!(marked(sql, RuleId::SeqScan, Some("(q = 2)"), None), ["a.q = 2"]);
        assert_eq!(marked("SELECT 1 LIMIT 10 OFFSET $1", RuleId::LargeOffset, None, None), ["LIMIT 10", "OFFSET $1"]);
    }

    #[test]
    fn marks_count_characters_of_the_cleaned_line() {
        let evidence = Evidence { condition: Some("(b = 1)".to_owned()), ..Evidence::default() };
        let shown = lines("SELECT 'é'\n\tFROM a\n\tWHERE b = 1", 10, RuleId::SeqScan, &evidence);
        assert_eq!(shown[2].number, 12);
        assert_eq!(shown[2].text, "    WHERE b = 1");
        assert_eq!(shown[2].marks, vec![10..15]);
    }

    #[test]
    fn long_statements_are_shortened() {
        let source: String = (0..30).map(|n| format!("line{n}\n")).collect::<String>() + "WHERE b = 1\nx";
        let evidence = Evidence { condition: Some("(b = 1)".to_owned()), ..Evidence::default() };
        let shown: Vec<(u32, bool)> =
            lines(&source, 1, RuleId::SeqScan, &evidence).iter().map(|line| (line.number, line.gap_before)).collect();
        assert_eq!(shown, [(1, false), (30, true), (31, false), (32, false)]);
    }

    #[test]
    fn nothing_panics() {
        for text in [
            "",
            "(",
            ")",
            "((",
            "'",
            "\"",
            "$",
            "$$",
            "$a$",
            "/*",
            "/* /* */",
            "--",
            "é(ß",
            "a.",
            ".a",
            "between and or",
        ] {
            let evidence =
                Evidence { condition: Some(text.to_owned()), relation: Some(text.to_owned()), ..Evidence::default() };
            lines(text, 1, RuleId::SeqScan, &evidence);
            at_position(text, 1, text, 3);
            lines("SELECT a FROM b WHERE c = 1", 1, RuleId::SeqScan, &evidence);
        }
    }

    #[test]
    fn the_servers_position_is_found_in_the_source() {
        let shown =
            at_position("SELECT id\nFROM orders WHERE totl = @total", 5, "SELECT id\nFROM orders WHERE totl = $1", 29);
        assert_eq!(shown[1].marks, vec![18..22]);
    }
}
