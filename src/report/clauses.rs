//! Finds the part of a statement that a finding speaks of: the condition, sort or limit at fault. Reads SQL as tokens only:
//! it points at text, and judges nothing.

use std::ops::Range;

use crate::finding::{Evidence, Quantity, RuleId};
use crate::plan::condition;
use crate::schema::quote_identifier;
use crate::sql::token::{Token, TokenKind, significant};

/// A statement as tokens without white space and comments.
pub(crate) struct Statement<'a> {
    source: &'a str,
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clause {
    /// A select list, FROM, SET, VALUES…
    Other,
    /// WHERE, ON, HAVING: a part is a conjunct or a disjunct.
    Condition,
    /// ORDER BY, GROUP BY: one part.
    Sort,
    /// LIMIT and OFFSET: one part each.
    Limit,
}

/// A part of a clause, as a range of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    clause: Clause,
    tokens: Range<usize>,
}

/// Qualifier and name, as the server knows them: lower-case unless quoted.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ColumnName {
    qualifier: Option<String>,
    name: String,
}

impl ColumnName {
    fn may_be(&self, other: &Self) -> bool {
        self.name == other.name
            && match (&self.qualifier, &other.qualifier) {
                (Some(one), Some(two)) => one == two || bare_alias(one) == bare_alias(two),
                (None, _) | (_, None) => true,
            }
    }
}

/// EXPLAIN numbers an alias that it meets twice: `o_1`.
fn bare_alias(alias: &str) -> &str {
    alias
        .trim_end_matches(|c: char| c.is_ascii_digit())
        .trim_end_matches('_')
}

impl<'a> Statement<'a> {
    /// Reads the tokens; anything is accepted.
    pub(crate) fn new(source: &'a str) -> Self {
        Self {
            source,
            tokens: significant(source),
        }
    }

    /// Byte ranges that the evidence speaks of: the conditions that use its columns, else the clause that the rule is about,
    /// else its relation.
    pub(crate) fn guilty(&self, rule: RuleId, evidence: &Evidence) -> Vec<Range<usize>> {
        let parts = self.parts();
        let needed = needed_columns(evidence);
        let using = parts
            .iter()
            .filter(|part| self.uses(part, &needed))
            .collect();
        let found = match rule {
            RuleId::LargeOffset => parts.iter().filter(|part| self.is_offset(part)).collect(),
            RuleId::SortSpill => first_with(using, &parts, Clause::Sort),
            RuleId::MissingIndex => using, // an index serves conditions and sorts
            _ => only(using, Clause::Condition),
        };
        let holds = |outer: &Part, inner: &Part| {
            outer != inner
                && outer.tokens.start <= inner.tokens.start
                && inner.tokens.end <= outer.tokens.end
        };
        let innermost = found
            .iter()
            .filter(|part| !found.iter().any(|other| holds(part, other)));
        let ranges: Vec<Range<usize>> = innermost
            .filter_map(|part| self.bytes(&part.tokens))
            .collect();
        if ranges.is_empty() {
            self.relation(evidence.relation.as_deref())
                .into_iter()
                .collect()
        } else {
            ranges
        }
    }

    fn is_offset(&self, part: &Part) -> bool {
        part.clause == Clause::Limit && self.keyword(part.tokens.start).as_deref() == Some("offset")
    }

    /// The innermost condition, sort or limit around an offset.
    pub(crate) fn part_at(&self, offset: usize) -> Option<Range<usize>> {
        let around = self
            .parts()
            .into_iter()
            .filter_map(|part| self.bytes(&part.tokens));
        around
            .filter(|range| range.contains(&offset))
            .min_by_key(ExactSizeIterator::len)
    }

    /// The bytes of the word at an offset, with what belongs to it: `o.total`, `@name`.
    pub(crate) fn word_at(&self, offset: usize) -> Option<Range<usize>> {
        let at = self
            .tokens
            .iter()
            .position(|token| token.span.contains(&offset))?;
        let mut end = at;
        while matches!(self.kind(end), Some(TokenKind::At | TokenKind::Colon))
            || self.is(end + 1, TokenKind::Dot)
        {
            end += if self.is(end + 1, TokenKind::Dot) {
                2
            } else {
                1
            };
        }
        self.bytes(&(at..(end + 1).min(self.tokens.len())))
    }

    fn kind(&self, index: usize) -> Option<TokenKind> {
        self.tokens.get(index).map(|token| token.kind)
    }

    fn is(&self, index: usize, kind: TokenKind) -> bool {
        self.kind(index) == Some(kind)
    }

    fn text(&self, index: usize) -> &'a str {
        self.tokens
            .get(index)
            .map_or("", |token| &self.source[token.span.clone()])
    }

    /// An identifier or keyword as the server knows it.
    fn name(&self, index: usize) -> Option<String> {
        match self.kind(index)? {
            TokenKind::Ident => Some(self.text(index).to_lowercase()),
            TokenKind::QuotedIdent { .. } => {
                Some(self.text(index).trim_matches('"').replace("\"\"", "\""))
            }
            _ => None, // the tokens of squawk are many; the others are no names
        }
    }

    /// A keyword: an identifier without quotes.
    fn keyword(&self, index: usize) -> Option<String> {
        self.is(index, TokenKind::Ident)
            .then(|| self.text(index).to_lowercase())
    }

    fn bytes(&self, part: &Range<usize>) -> Option<Range<usize>> {
        let first = self.tokens.get(part.start)?;
        let last = self.tokens.get(part.end.checked_sub(1)?)?;
        (part.start < part.end).then_some(first.span.start..last.span.end)
    }

    fn uses(&self, part: &Part, needed: &[ColumnName]) -> bool {
        part.clause != Clause::Limit
            && part
                .tokens
                .clone()
                .filter_map(|index| self.column(index))
                .any(|column| needed.iter().any(|other| column.may_be(other)))
    }

    /// What may be a column; a keyword passes as well, and meets no column.
    fn column(&self, index: usize) -> Option<ColumnName> {
        let name = self.name(index)?;
        let after = |kind| index > 0 && self.is(index - 1, kind);
        let is_other = after(TokenKind::Colon)
            || after(TokenKind::At)
            || self.is(index + 1, TokenKind::Dot)
            || self.is(index + 1, TokenKind::OpenParen);
        let qualifier = if after(TokenKind::Dot) {
            index.checked_sub(2).and_then(|before| self.name(before))
        } else {
            None
        };
        (!is_other).then_some(ColumnName { qualifier, name })
    }

    /// Where the relation is named: after FROM, JOIN, INTO or UPDATE.
    fn relation(&self, relation: Option<&str>) -> Option<Range<usize>> {
        // A quoted name may hold a dot: the name's end is compared, in the way that the evidence writes it.
        let relation = relation?;
        let mut in_from = false;
        for index in 0..self.tokens.len() {
            match self.keyword(index).as_deref() {
                Some("from" | "join" | "into" | "update") => in_from = true,
                Some("select" | "where" | "set" | "values" | "on") => in_from = false,
                Some(_) | None => {
                    let named = self
                        .name(index)
                        .map(|name| quote_identifier(&name))
                        .filter(|_| in_from);
                    let is_meant = |name: &String| {
                        relation
                            .strip_suffix(name.as_str())
                            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
                    };
                    if named.as_ref().is_some_and(is_meant) {
                        return self.bytes(&(index..index + 1));
                    }
                }
            }
        }
        None
    }

    /// The conditions, sort lists and limits, in subqueries too.
    fn parts(&self) -> Vec<Part> {
        let mut reader = PartReader {
            parts: Vec::new(),
            frames: vec![Frame::new(Clause::Other, 0)],
        };
        for index in 0..self.tokens.len() {
            if self.is(index, TokenKind::OpenParen) {
                let before = index.checked_sub(1).and_then(|before| self.keyword(before));
                let groups = matches!(
                    before.as_deref(),
                    Some("where" | "on" | "and" | "or" | "not")
                ) || (index > 0 && self.is(index - 1, TokenKind::OpenParen));
                reader.open(index, groups);
            } else if self.is(index, TokenKind::CloseParen) {
                reader.close(index);
            } else if self.is(index, TokenKind::Semi) {
                reader.enter(Clause::Other, index);
            } else if let Some(word) = self.keyword(index) {
                reader.word(index, &word, self.is(index + 1, TokenKind::OpenParen));
            }
        }
        reader.finish(self.tokens.len())
    }
}

/// Parts of one clause where there are any, else all.
fn only(parts: Vec<&Part>, clause: Clause) -> Vec<&Part> {
    let these: Vec<&Part> = parts
        .iter()
        .copied()
        .filter(|part| part.clause == clause)
        .collect();
    if these.is_empty() { parts } else { these }
}

/// Parts of one clause among those that were found, else among all.
fn first_with<'a>(found: Vec<&'a Part>, all: &'a [Part], clause: Clause) -> Vec<&'a Part> {
    if found.is_empty() {
        all.iter().filter(|part| part.clause == clause).collect()
    } else {
        only(found, clause)
    }
}

/// The columns of the condition, and of the index that is proposed.
fn needed_columns(evidence: &Evidence) -> Vec<ColumnName> {
    let mut needed = evidence
        .condition
        .as_deref()
        .map(columns)
        .unwrap_or_default();
    if let Some(Quantity::Text(key)) = evidence.get("index_key") {
        let key = key.split(" WHERE ").next().unwrap_or(key);
        needed.extend(columns(key));
    }
    needed
}

fn columns(deparsed: &str) -> Vec<ColumnName> {
    condition::parse(deparsed)
        .columns()
        .into_iter()
        .map(|(qualifier, name)| ColumnName {
            qualifier: qualifier.map(str::to_owned),
            name: name.to_owned(),
        })
        .collect()
}

/// One level of parentheses.
#[derive(Debug)]
struct Frame {
    clause: Clause,
    /// First token of the open part.
    start: usize,
    /// BETWEEN was met and its AND was not.
    between: bool,
}

impl Frame {
    fn new(clause: Clause, start: usize) -> Self {
        Self {
            clause,
            start,
            between: false,
        }
    }
}

/// Tells the clauses apart while the tokens go by.
struct PartReader {
    parts: Vec<Part>,
    frames: Vec<Frame>,
}

impl PartReader {
    fn open(&mut self, index: usize, groups: bool) {
        let clause = match self.frames.last() {
            Some(outer) if groups && outer.clause == Clause::Condition => Clause::Condition,
            Some(_) | None => Clause::Other,
        };
        self.frames.push(Frame::new(clause, index + 1));
    }

    fn close(&mut self, index: usize) {
        if self.frames.len() > 1 {
            self.end_part(index);
            self.frames.pop();
        }
    }

    fn word(&mut self, index: usize, word: &str, is_call: bool) {
        let entered = match word {
            "where" | "on" | "having" => Some(Clause::Condition),
            "order" | "group" => Some(Clause::Sort),
            "limit" | "offset" => Some(Clause::Limit),
            "left" | "right" if is_call => None,
            "select" | "from" | "join" | "left" | "right" | "inner" | "full" | "cross"
            | "union" | "intersect" | "except" | "returning" | "window" | "for" | "fetch"
            | "set" | "values" | "do" => Some(Clause::Other),
            _ => None, // no word that begins a clause
        };
        if let Some(clause) = entered {
            self.enter(clause, index);
            return;
        }
        let Some(frame) = self.frames.last_mut() else {
            return;
        };
        match word {
            "between" => frame.between = true,
            "and" if frame.between => frame.between = false,
            "and" | "or" if frame.clause == Clause::Condition => {
                self.enter(Clause::Condition, index);
            }
            _ => {} // part of an expression
        }
    }

    /// Ends the open part before the word at `index` and begins one. LIMIT and ORDER BY are shown with their word, a
    /// condition without its WHERE or AND.
    fn enter(&mut self, clause: Clause, index: usize) {
        self.end_part(index);
        let start = if clause == Clause::Condition {
            index + 1
        } else {
            index
        };
        if let Some(last) = self.frames.last_mut() {
            *last = Frame::new(clause, start);
        }
    }

    fn end_part(&mut self, end: usize) {
        if let Some(frame) = self
            .frames
            .last()
            .filter(|frame| frame.clause != Clause::Other && frame.start < end)
        {
            self.parts.push(Part {
                clause: frame.clause,
                tokens: frame.start..end,
            });
        }
    }

    fn finish(mut self, end: usize) -> Vec<Part> {
        while !self.frames.is_empty() {
            self.end_part(end);
            self.frames.pop();
        }
        self.parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(
        source: &str,
        rule: RuleId,
        condition: Option<&str>,
        relation: Option<&str>,
    ) -> Vec<String> {
        let evidence = Evidence {
            condition: condition.map(str::to_owned),
            relation: relation.map(str::to_owned),
            ..Evidence::default()
        };
        Statement::new(source)
            .guilty(rule, &evidence)
            .into_iter()
            .map(|range| source[range].to_owned())
            .collect()
    }

    #[test]
    fn the_condition_at_fault_is_marked() {
        let sql = "SELECT o.id, o.status FROM orders o JOIN customers c ON c.id = o.customer_id\n\
                   WHERE lower(c.email) = $1 AND o.placed_at BETWEEN $2 AND $3 -- AND email\nORDER BY o.status;";
        let seq = RuleId::SeqScan;
        assert_eq!(
            marked(sql, seq, Some("(lower((c.email)::text) = $1)"), None),
            ["lower(c.email) = $1"]
        );
        assert_eq!(
            marked(
                sql,
                seq,
                Some("((placed_at >= $2) AND (placed_at <= $3))"),
                None
            ),
            ["o.placed_at BETWEEN $2 AND $3"]
        );
        assert_eq!(
            marked(sql, RuleId::SortSpill, None, Some("orders")),
            ["ORDER BY o.status"]
        );
        assert_eq!(marked(sql, seq, None, Some("customers")), ["customers"]);
        assert_eq!(
            marked(
                "TABLE x; SELECT 1 FROM shop.\"Or.der\"",
                seq,
                None,
                Some("shop.\"Or.der\"")
            ),
            ["\"Or.der\""]
        );
        assert_eq!(
            marked(sql, seq, Some("(nothing = 1)"), None),
            Vec::<String>::new()
        );
    }

    #[test]
    fn the_smallest_part_is_marked() {
        let sql = "SELECT * FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.x = a.y AND b.z = 'it''s') AND (a.p = 1 OR a.q = @q)";
        assert_eq!(
            marked(sql, RuleId::SeqScan, Some("(z = 'it''s'::text)"), None),
            ["b.z = 'it''s'"]
        );
        assert_eq!(
            marked(sql, RuleId::SeqScan, Some("(a_1.q = 2)"), None),
            ["a.q = @q"]
        );
        assert_eq!(
            marked(
                "SELECT 1 LIMIT 10 OFFSET $1",
                RuleId::LargeOffset,
                None,
                None
            ),
            ["OFFSET $1"]
        );
        let sql = "SELECT 1 FROM a WHERE b LIKE 'x%' ORDER BY b";
        assert_eq!(
            marked(sql, RuleId::SeqScan, Some("(b ~~ 'x%'::text)"), None),
            ["b LIKE 'x%'"]
        );
        assert_eq!(
            marked(sql, RuleId::SortSpill, Some("a.b"), None),
            ["ORDER BY b"]
        );
    }

    #[test]
    fn what_a_proposed_index_serves_is_marked() {
        let sql = "SELECT 1 FROM p WHERE lower(mail) = $1 AND state = 'failed' ORDER BY made DESC";
        let evidence = Evidence::default().with(
            "index_key",
            Quantity::Text("(lower(mail), made) WHERE (state = 1)".to_owned()),
        );
        let ranges = Statement::new(sql).guilty(RuleId::MissingIndex, &evidence);
        let texts: Vec<&str> = ranges.into_iter().map(|range| &sql[range]).collect();
        assert_eq!(texts, ["lower(mail) = $1", "ORDER BY made DESC"]);
    }

    #[test]
    fn the_whole_word_is_found() {
        let sql = "SELECT o.totl FROM orders WHERE a = @name";
        let word = |text: &str| {
            Statement::new(sql)
                .word_at(sql.find(text).unwrap())
                .map(|range| &sql[range])
        };
        assert_eq!(word("o.totl"), Some("o.totl"));
        assert_eq!(word("orders"), Some("orders"));
        assert_eq!(word("@name"), Some("@name"));
        assert_eq!(Statement::new(sql).word_at(999), None);
        let part = Statement::new(sql).part_at(sql.find("@name").unwrap());
        assert_eq!(part.map(|range| &sql[range]), Some("a = @name"));
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
            "@",
            "between and or",
        ] {
            let evidence = Evidence {
                condition: Some(text.to_owned()),
                relation: Some(text.to_owned()),
                ..Evidence::default()
            };
            let statement = Statement::new(text);
            statement.guilty(RuleId::SeqScan, &evidence);
            statement.word_at(0);
            Statement::new("SELECT a FROM b WHERE c = 1").guilty(RuleId::SeqScan, &evidence);
        }
    }
}
