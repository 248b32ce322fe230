//! What a statement is: its kind, whether it writes, what it returns and what its parameters meet, read off squawk's
//! syntax tree. The server has the last word on everything else.

use std::borrow::Cow;
use std::ops::Range;

use squawk_syntax::ast::{AstNode, ColumnName, NameRef, Stmt};
use squawk_syntax::{SourceFile, SyntaxKind, SyntaxNode};

use super::query::StatementKind;
use crate::sql::token::{LiteralKind, Token, TokenKind, tokens};
use crate::sql::tree;

/// A statement as far as its syntax tells.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Statement {
    pub(super) kind: StatementKind,
    pub(super) writes: bool,
    pub(super) columns: Columns,
    /// For each parameter number the column or clause that it meets.
    pub(super) meets: Vec<(u16, String)>,
}

/// The names of a statement's output columns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Columns {
    pub(super) names: Vec<String>,
    /// Whether these are all: `*` and unnamed expressions are the server's to name.
    pub(super) complete: bool,
}

/// A mistake at bytes of the statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) help: Option<&'static str>,
    /// A statement that is right, and has no plan.
    pub(super) has_no_plan: bool,
}

impl Mistake {
    fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            span,
            message: message.into(),
            help: None,
            has_no_plan: false,
        }
    }
}

/// Reads one statement. To be called with [`tree::STACK`].
pub(super) fn read(sql: &str) -> Result<Statement, Mistake> {
    if let Some(excess) = tree::excess(sql) {
        let message = format!("the statement {excess}");
        return Err(Mistake::new(excess.span(sql), message));
    }
    let parse = SourceFile::parse(&plain_strings(sql));
    if let Some(error) = parse.errors().first() {
        return Err(syntax_mistake(
            sql,
            error.message(),
            usize::from(error.range().start()),
        ));
    }
    let mut statements = parse.tree().stmts();
    let Some(statement) = statements.next() else {
        return Err(Mistake::new(0..sql.len(), "there is no statement here"));
    };
    if let Some(second) = statements.next() {
        let start = usize::from(second.syntax().text_range().start()).min(sql.len());
        return Err(Mistake::new(
            start..sql.len(),
            "syntax error: a second statement begins here",
        ));
    }
    let node = statement.syntax();
    let kind = kind(&statement).ok_or_else(|| {
        let word = format!("{:?}", node.kind()).replace('_', " ");
        let mut mistake = Mistake::new(
            0..first_word(sql),
            format!("{word} statements cannot be audited"),
        );
        mistake.has_no_plan = true;
        mistake.help = Some(
            "only SELECT, INSERT, UPDATE, DELETE, MERGE and VALUES have plans: write `-- @skip: reason` above it, or name its \
             file in `exclude` of pgproof.toml",
        );
        mistake
    })?;
    Ok(Statement {
        kind,
        writes: writes(node),
        columns: columns(node),
        meets: meets(node),
    })
}

/// The text with every E'' string that goes on over a line break as one plain string of the same length: the parser's own
/// lexer ends it too early.
fn plain_strings(sql: &str) -> Cow<'_, str> {
    let is_long = |token: &Token| {
        matches!(
            token.kind,
            TokenKind::Literal {
                kind: LiteralKind::EscStr { terminated: true }
            }
        ) && sql[token.span.clone()].contains('\n')
    };
    let mut plain = Cow::Borrowed(sql);
    for token in tokens(sql).into_iter().filter(is_long) {
        let inner = token.span.start + 2..token.span.end - 1;
        let filler = "x".repeat(inner.len());
        plain.to_mut().replace_range(inner, &filler);
    }
    plain
}

fn first_word(sql: &str) -> usize {
    sql.find(|c: char| !c.is_alphanumeric())
        .unwrap_or(sql.len())
}

/// Squawk's message in words that a person knows, at the token where it stopped: ``syntax error at `FROM`: expected `)` ``.
fn syntax_mistake(sql: &str, message: &str, at: usize) -> Mistake {
    let at = floor(sql, at);
    let token = tokens(&sql[at..])
        .into_iter()
        .find(|token| !token.is_trivia());
    let span = token.map(|token| at + token.span.start..at + token.span.end);
    let place = match &span {
        Some(span) if span.len() <= 40 => format!("at `{}`", &sql[span.clone()]),
        Some(_) => "here".to_owned(),
        None => "at the end".to_owned(),
    };
    // What was found instead is the place.
    let expected = [", found ", ", got "].iter().fold(message, |text, found| {
        text.split(found).next().unwrap_or(text)
    });
    let words: Vec<String> = expected
        .trim_end_matches('.')
        .split(' ')
        .map(plain_word)
        .collect();
    let mut detail = words.join(" ");
    if detail.starts_with("Expected") {
        detail.replace_range(..1, "e");
    }
    if detail == "expected command" {
        "expected a statement".clone_into(&mut detail);
    }
    Mistake::new(
        span.unwrap_or(sql.len()..sql.len()),
        format!("syntax error {place}: {detail}"),
    )
}

/// The byte offset, moved to where a character begins.
fn floor(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// `R_PAREN` → `` `)` ``, `FROM_KW` → FROM; any other word stays.
fn plain_word(word: &str) -> String {
    let (bare, comma) = word
        .strip_suffix(',')
        .map_or((word, ""), |bare| (bare, ","));
    let sign = match bare {
        "L_PAREN" => "`(`",
        "R_PAREN" => "`)`",
        "L_BRACK" => "`[`",
        "R_BRACK" => "`]`",
        "COMMA" => "`,`",
        "SEMICOLON" => "`;`",
        "EQ" => "`=`",
        "DOT" => "`.`",
        "COLON" => "`:`",
        "STAR" => "`*`",
        "IDENT" => "a name",
        "STRING" => "a string",
        "INT_NUMBER" => "a number",
        _ => match bare.strip_suffix("_KW") {
            Some(keyword) => keyword,
            None => bare,
        },
    };
    format!("{sign}{comma}")
}

/// Keeps the recursive parser from its stack's end.
fn kind(statement: &Stmt) -> Option<StatementKind> {
    Some(match statement {
        Stmt::Select(_) | Stmt::CompoundSelect(_) | Stmt::ParenSelect(_) | Stmt::Table(_) => {
            StatementKind::Select
        }
        Stmt::Values(_) => StatementKind::Values,
        Stmt::Insert(_) => StatementKind::Insert,
        Stmt::Update(_) => StatementKind::Update,
        Stmt::Delete(_) => StatementKind::Delete,
        Stmt::Merge(_) => StatementKind::Merge,
        _ => return None,
    })
}

/// The statement itself, a data-modifying CTE, or a row lock: a READ ONLY transaction refuses all three.
fn writes(statement: &SyntaxNode) -> bool {
    statement.descendants().any(|node| {
        matches!(
            node.kind(),
            SyntaxKind::INSERT
                | SyntaxKind::UPDATE
                | SyntaxKind::DELETE
                | SyntaxKind::MERGE
                | SyntaxKind::LOCKING_CLAUSE
        )
    })
}

fn child(node: &SyntaxNode, kind: SyntaxKind) -> Option<SyntaxNode> {
    node.children().find(|child| child.kind() == kind)
}

fn columns(statement: &SyntaxNode) -> Columns {
    let mut node = statement.clone();
    loop {
        let clause = child(&node, SyntaxKind::RETURNING_CLAUSE)
            .or_else(|| child(&node, SyntaxKind::SELECT_CLAUSE));
        if let Some(clause) = clause {
            return child(&clause, SyntaxKind::TARGET_LIST)
                .map(|list| named_targets(&list))
                .unwrap_or_default();
        }
        // The first arm of a UNION names the columns.
        let inner = match node.kind() {
            SyntaxKind::PAREN_SELECT | SyntaxKind::COMPOUND_SELECT | SyntaxKind::PAREN_EXPR => node
                .children()
                .find(|child| child.kind() != SyntaxKind::WITH_CLAUSE),
            SyntaxKind::INSERT | SyntaxKind::UPDATE | SyntaxKind::DELETE | SyntaxKind::MERGE => {
                return Columns {
                    names: Vec::new(),
                    complete: true,
                };
            }
            _ => None,
        };
        match inner {
            Some(inner) => node = inner,
            None => return Columns::default(),
        }
    }
}

fn named_targets(list: &SyntaxNode) -> Columns {
    let mut columns = Columns {
        names: Vec::new(),
        complete: true,
    };
    for target in list
        .children()
        .filter(|node| node.kind() == SyntaxKind::TARGET)
    {
        match target_name(&target) {
            Some(name) => columns.names.push(name),
            None => columns.complete = false,
        }
    }
    columns
}

/// As PostgreSQL names a column (`FigureColname`), where it needs no catalog for it.
fn target_name(target: &SyntaxNode) -> Option<String> {
    if let Some(alias) = child(target, SyntaxKind::AS_NAME) {
        return alias
            .children()
            .find_map(ColumnName::cast)
            .map(|name| name.text());
    }
    let mut node = target.children().next()?;
    loop {
        node = match node.kind() {
            SyntaxKind::NAME_REF | SyntaxKind::FIELD_EXPR => return last_name(&node),
            SyntaxKind::CALL_EXPR | SyntaxKind::PAREN_EXPR | SyntaxKind::INDEX_EXPR => {
                node.children().next()?
            }
            _ => return None,
        };
    }
}

/// `o.customer_id` → `customer_id`; `None` for `o.*`.
fn last_name(node: &SyntaxNode) -> Option<String> {
    match node.kind() {
        SyntaxKind::NAME_REF => NameRef::cast(node.clone()).map(|name| name.text()),
        SyntaxKind::FIELD_EXPR => {
            // The base and the field; of `o.*` the base alone.
            let parts: Vec<SyntaxNode> = node.children().collect();
            (parts.len() == 2)
                .then(|| {
                    parts
                        .last()
                        .cloned()
                        .and_then(NameRef::cast)
                        .map(|name| name.text())
                })
                .flatten()
        }
        _ => None,
    }
}

/// The column or clause that each parameter meets, by its first occurrence that tells.
fn meets(statement: &SyntaxNode) -> Vec<(u16, String)> {
    let mut found: Vec<(u16, String)> = Vec::new();
    for literal in statement
        .descendants()
        .filter(|node| node.kind() == SyntaxKind::LITERAL)
    {
        let text = literal.text().to_string();
        let Some(number) = text
            .strip_prefix('$')
            .and_then(|digits| digits.parse().ok())
        else {
            continue;
        };
        if found.iter().any(|(known, _)| *known == number) {
            continue;
        }
        if let Some(name) = met_by(&literal) {
            found.push((number, name));
        }
    }
    found
}

fn met_by(literal: &SyntaxNode) -> Option<String> {
    let mut below = literal.clone();
    loop {
        let node = below.parent()?;
        match node.kind() {
            SyntaxKind::LIMIT_CLAUSE | SyntaxKind::FETCH_CLAUSE => return Some("limit".to_owned()),
            SyntaxKind::OFFSET_CLAUSE => return Some("offset".to_owned()),
            SyntaxKind::BETWEEN_EXPR => return column_of(&node.children().next()?),
            SyntaxKind::BIN_EXPR if !is_concatenation(&node) => {
                return node
                    .children()
                    .find(|side| *side != below)
                    .and_then(|side| column_of(&side));
            }
            SyntaxKind::SET_SINGLE_COLUMN => {
                return target_column(&child(&node, SyntaxKind::COLUMN_TARGET)?);
            }
            SyntaxKind::SET_EXPR_LIST => {
                let place = node.children().position(|sibling| sibling == below)?;
                return target_at(
                    &child(&node.parent()?, SyntaxKind::COLUMN_TARGET_LIST)?,
                    place,
                );
            }
            SyntaxKind::ROW => {
                let place = node.children().position(|sibling| sibling == below)?;
                let insert = node
                    .ancestors()
                    .find(|ancestor| ancestor.kind() == SyntaxKind::INSERT)?;
                return target_at(&child(&insert, SyntaxKind::COLUMN_TARGET_LIST)?, place);
            }
            SyntaxKind::PAREN_EXPR
            | SyntaxKind::CAST_EXPR
            | SyntaxKind::TUPLE_EXPR
            | SyntaxKind::ANY_FN
            | SyntaxKind::ALL_FN
            | SyntaxKind::SOME_FN
            | SyntaxKind::CALL_EXPR
            | SyntaxKind::ARG_LIST
            | SyntaxKind::ARG
            | SyntaxKind::SET_EXPR
            | SyntaxKind::BIN_EXPR => below = node,
            _ => return None,
        }
    }
}

/// `'%' || $1`: what it is compared with stands further out.
fn is_concatenation(node: &SyntaxNode) -> bool {
    child(node, SyntaxKind::CUSTOM_OP).is_some_and(|operator| operator.text() == "||")
}

/// The one column in `email`, `o.email`, `lower(email)`, `(email)::text`.
fn column_of(node: &SyntaxNode) -> Option<String> {
    match node.kind() {
        SyntaxKind::NAME_REF | SyntaxKind::FIELD_EXPR => last_name(node),
        SyntaxKind::PAREN_EXPR | SyntaxKind::CAST_EXPR => column_of(&node.children().next()?),
        SyntaxKind::CALL_EXPR => {
            let arguments = child(node, SyntaxKind::ARG_LIST)?;
            let mut columns = arguments
                .children()
                .filter_map(|argument| column_of(&argument.children().next()?));
            columns.next().filter(|_| columns.next().is_none())
        }
        _ => None,
    }
}

fn target_at(list: &SyntaxNode, place: usize) -> Option<String> {
    target_column(&list.children().nth(place)?)
}

fn target_column(target: &SyntaxNode) -> Option<String> {
    let name = child(target, SyntaxKind::COLUMN_NAME_REF)?
        .text()
        .to_string();
    Some(
        match name
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
        {
            Some(quoted) => quoted.replace("\"\"", "\""),
            None => name.to_lowercase(),
        },
    )
}
