//! One statement as squawk's typed tree. The parser and the tree are recursive, so a statement is read with a stack
//! that holds the deepest tree that its length allows.

use std::fmt;
use std::ops::Range;

use squawk_syntax::SourceFile;
use squawk_syntax::ast::{AstNode, Stmt};
use squawk_syntax::{SyntaxKind, SyntaxNode, SyntaxToken};

use super::token::{TokenKind, tokens};

/// Beyond this a tree needs more stack than [`STACK`] holds.
const MAX_BYTES: usize = 128 * 1024;

/// Parentheses, CASEs, NOTs and signs that may stand inside each other; PostgreSQL's own limit (`max_stack_depth`) is near.
const MAX_DEPTH: usize = 500;

/// What a parse and a walk of the tree need: a chain of `+ 1` is as deep as it is long.
pub(crate) const STACK: usize = 256 * 1024 * 1024;

/// The name that an item of FROM is given.
pub(crate) fn table_alias(item: &SyntaxNode) -> Option<SyntaxNode> {
    let mut children = item.children();
    let alias = children.find(|child| child.kind() == SyntaxKind::FROM_ALIAS)?;
    let mut names = alias.children();
    names.find(|child| child.kind() == SyntaxKind::TABLE_ALIAS)
}

/// Why a statement is not parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Excess {
    /// Longer than `MAX_BYTES`.
    Length,
    /// Nested deeper than `MAX_DEPTH`, at this token.
    Depth(Range<usize>),
}

impl Excess {
    /// The place to point at: the statement's first word, or the token that nests too deep.
    pub(crate) fn span(&self, sql: &str) -> Range<usize> {
        match self {
            Self::Length => {
                let word = sql.find(|c: char| !c.is_alphanumeric());
                0..word.unwrap_or(sql.len())
            }
            Self::Depth(span) => span.clone(),
        }
    }
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length => write!(f, "is longer than {} kB", MAX_BYTES / 1024),
            Self::Depth(_) => write!(f, "nests deeper than {MAX_DEPTH} levels"),
        }
    }
}

/// What makes a statement too large to be parsed.
pub(crate) fn excess(sql: &str) -> Option<Excess> {
    if sql.len() > MAX_BYTES {
        return Some(Excess::Length);
    }
    let mut open = 0_usize;
    let mut run = 0_usize;
    for token in tokens(sql).into_iter().filter(|token| !token.is_trivia()) {
        let word = &sql[token.span.clone()];
        match token.kind {
            TokenKind::OpenParen | TokenKind::OpenBracket => open += 1,
            TokenKind::CloseParen | TokenKind::CloseBracket => open = open.saturating_sub(1),
            TokenKind::Ident if word.eq_ignore_ascii_case("case") => open += 1,
            TokenKind::Ident if word.eq_ignore_ascii_case("end") => open = open.saturating_sub(1),
            _ => {}
        }
        // Signs and NOTs in a row nest; anything that is an operand ends the run.
        let is_prefix = match token.kind {
            TokenKind::Literal { .. }
            | TokenKind::PositionalParam { .. }
            | TokenKind::QuotedIdent { .. }
            | TokenKind::CloseParen
            | TokenKind::CloseBracket
            | TokenKind::Comma => false,
            TokenKind::Ident => word.eq_ignore_ascii_case("not"),
            _ => true,
        };
        run = if is_prefix { run + 1 } else { 0 };
        if open + run > MAX_DEPTH {
            return Some(Excess::Depth(token.span));
        }
    }
    None
}

/// Reads the only statement of a text. `None` where the parser reports an error, finds no statement or a second one, or
/// the text is too long to be parsed: what is not understood whole is not read at all.
pub(crate) fn read_statement<T: Send>(
    sql: &str,
    read: impl FnOnce(&Stmt) -> T + Send,
) -> Option<T> {
    if excess(sql).is_some() {
        return None;
    }
    let parse_and_read = || {
        let parse = SourceFile::parse(sql);
        if !parse.errors().is_empty() {
            return None;
        }
        let mut statements = parse
            .tree()
            .stmts()
            .filter(|statement| !matches!(statement, Stmt::EmptyStmt(_)));
        let only = statements.next()?;
        statements.next().is_none().then(|| read(&only))
    };
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .stack_size(STACK)
            .spawn_scoped(scope, parse_and_read)
            .ok()?
            .join()
            .ok()?
    })
}

/// Whether a statement is understood whole.
#[must_use]
pub fn is_understood(sql: &str) -> bool {
    read_statement(sql, |_| ()).is_some()
}

/// Where a node stands in the text.
pub(crate) fn span(node: &impl AstNode) -> Range<usize> {
    span_of(node.syntax())
}

/// As [`span`], of an untyped node.
pub(crate) fn span_of(node: &SyntaxNode) -> Range<usize> {
    let range = node.text_range();
    range.start().into()..range.end().into()
}

/// Where a token ends.
pub(crate) fn end(token: Option<SyntaxToken>) -> usize {
    token.map_or(0, |token| token.text_range().end().into())
}

/// Where a token begins.
pub(crate) fn start(token: Option<SyntaxToken>) -> Option<usize> {
    token.map(|token| token.text_range().start().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_whole_statement_is_understood() {
        assert!(is_understood("ALTER TABLE t ADD COLUMN a int; -- end"));
        for sql in [
            "",
            ";",
            "SELECT 1; SELECT 2",
            "ALTER TABLE t ADD",
            "SELEC 1",
        ] {
            assert!(!is_understood(sql), "{sql}");
        }
    }

    #[test]
    fn deep_and_long_statements_are_no_danger() {
        let deep = format!("SELECT {}1{}", "(".repeat(40_000), ")".repeat(40_000));
        let long = format!("SELECT 1{}", " + 1".repeat(30_000));
        let longer = format!("SELECT 1{}", " + 1".repeat(60_000));
        assert!(matches!(excess(&deep), Some(Excess::Depth(_))));
        assert!(!is_understood(&deep));
        assert!(is_understood(&long));
        assert!(!is_understood(&longer));
    }
}
