//! What a catalog's statements say of the data by their constants: `status = 'queued'`, `mode IN ('AIR', 'MAIL')`,
//! `shipped <= '1998-09-02'`. Each constant with the tables that its column may belong to, through aliases, CTEs and derived
//! tables; which of them has the column is the schema's to say. Pure.

mod literals;
mod relations;

use squawk_syntax::ast::AstNode as _;
use squawk_syntax::ast::{self, BinOp, Expr, Stmt};
use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::documents::{self, Member};
use super::names::unquote_lower;
use super::parts;
use super::tree::read_statement;
use literals::is_now;
use relations::{BLOCKS, block_of, relations_of, target_of};

pub use literals::array_items;
pub(super) use literals::{literal, literals};

/// A column compared with a constant, or set to one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Constant {
    /// Tables that the column may belong to, the nearest first: names as the catalog keeps them, with the schema in front
    /// where it was written.
    pub tables: Vec<Vec<String>>,
    pub column: String,
    /// What is said of it.
    pub said: ValueHint,
}

/// What a comparison says of a column's values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ValueHint {
    /// Some rows have this value: it is searched for, or stored.
    Has(String),
    /// Some rows have this value, and those are left out.
    Excludes(String),
    /// `LIKE 'abc%'`: some rows match.
    Like(String),
    /// Some rows lie on this side of a constant.
    Lies(Side, String),
    /// Some rows lie on this side of `now()`.
    LiesOfNow(Side),
    /// Some rows have no value.
    IsNull,
    /// Some rows have one.
    IsPresent,
    /// Some rows have this in their list.
    Element(String),
    /// Some rows have this list or document in theirs.
    Contains(String),
    /// Some rows have this in their document.
    Member(Member),
}

/// Which side of a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// `<`.
    Below,
    /// `<=`.
    UpTo,
    /// `>`.
    Above,
    /// `>=`.
    From,
}

impl Side {
    fn turned(self) -> Self {
        match self {
            Self::Below => Self::Above,
            Self::UpTo => Self::From,
            Self::Above => Self::Below,
            Self::From => Self::UpTo,
        }
    }

    /// Whether what lies there is less than the bound.
    #[must_use]
    pub fn is_below(self) -> bool {
        match self {
            Self::Below | Self::UpTo => true,
            Self::Above | Self::From => false,
        }
    }
}

/// The constants of several statements, each once, in an order that does not depend on theirs.
#[must_use]
pub fn of_all<'a>(statements: impl Iterator<Item = &'a str>) -> Vec<Constant> {
    let mut found: Vec<Constant> = statements.flat_map(of_statement).collect();
    found.sort();
    found.dedup();
    found
}

/// The constants of a statement; none where it is not understood whole.
#[must_use]
pub fn of_statement(sql: &str) -> Vec<Constant> {
    read_statement(sql, |statement: &Stmt| {
        let root = statement.syntax().clone();
        let mut found = Vec::new();
        for node in root.descendants() {
            read_node(&node, &root, &mut found);
        }
        found
    })
    .unwrap_or_default()
}

fn read_node(node: &SyntaxNode, root: &SyntaxNode, found: &mut Vec<Constant>) {
    if let Some(comparison) = ast::BinExpr::cast(node.clone()) {
        read_comparison(&comparison, root, found);
        documents::read(&comparison, root, found);
        parts::read_comparison(&comparison, root, found);
    } else if let Some(call) = ast::CallExpr::cast(node.clone()) {
        parts::read_call(&call, root, found);
    } else if let Some(between) = ast::BetweenExpr::cast(node.clone()) {
        read_between(&between, root, found);
    } else if let Some(set) = ast::SetSingleColumn::cast(node.clone()) {
        read_assignment(&set, root, found);
    } else if let Some(insert) = ast::Insert::cast(node.clone()) {
        read_insert(&insert, found);
    }
}

fn read_comparison(comparison: &ast::BinExpr, root: &SyntaxNode, found: &mut Vec<Constant>) {
    let (Some(left), Some(operator), Some(right)) =
        (comparison.lhs(), comparison.op(), comparison.rhs())
    else {
        return;
    };
    for (column, other, is_turned) in [(&left, &right, false), (&right, &left, true)] {
        let Some(column) = Column::of(column) else {
            continue;
        };
        for said in said_by(&operator, other, is_turned) {
            found.push(column.constant(root, said));
        }
    }
}

/// What an operator with a constant on its other side says; nothing where there is none.
pub(super) fn said_by(operator: &BinOp, other: &Expr, is_turned: bool) -> Vec<ValueHint> {
    let each = |said: fn(String) -> ValueHint| literals(other).into_iter().map(said).collect();
    let lies = |side: Side| {
        let side = if is_turned { side.turned() } else { side };
        match literal(other) {
            Some(text) => vec![ValueHint::Lies(side, text)],
            None if is_now(other) => vec![ValueHint::LiesOfNow(side)],
            None => Vec::new(),
        }
    };
    match operator {
        BinOp::Eq(_) | BinOp::In(_) | BinOp::IsNotDistinctFrom(_) => each(ValueHint::Has),
        BinOp::Neq(_) | BinOp::Neqb(_) | BinOp::NotIn(_) | BinOp::IsDistinctFrom(_) => {
            each(ValueHint::Excludes)
        }
        BinOp::Like(_) | BinOp::Ilike(_) if !is_turned => {
            literal(other).map(ValueHint::Like).into_iter().collect()
        }
        BinOp::Is(_) if is_null(other) => vec![ValueHint::IsNull],
        BinOp::IsNot(_) if is_null(other) => vec![ValueHint::IsPresent],
        BinOp::LAngle(_) => lies(Side::Below),
        BinOp::Lteq(_) => lies(Side::UpTo),
        BinOp::RAngle(_) => lies(Side::Above),
        BinOp::Gteq(_) => lies(Side::From),
        _ => Vec::new(),
    }
}

fn is_null(expression: &Expr) -> bool {
    use squawk_syntax::ast::LitKind;
    matches!(expression, Expr::Literal(literal) if matches!(literal.kind(), Some(LitKind::Null(_))))
}

fn read_between(between: &ast::BetweenExpr, root: &SyntaxNode, found: &mut Vec<Constant>) {
    let Some(column) = between.target().and_then(|target| Column::of(&target)) else {
        return;
    };
    for (bound, side) in [(between.start(), Side::From), (between.end(), Side::UpTo)] {
        let said = match bound {
            Some(bound) if is_now(&bound) => Some(ValueHint::LiesOfNow(side)),
            Some(bound) => literal(&bound).map(|text| ValueHint::Lies(side, text)),
            None => None,
        };
        found.extend(said.map(|said| column.constant(root, said)));
    }
}

/// `SET status = 'done'`: what is stored is there.
fn read_assignment(set: &ast::SetSingleColumn, root: &SyntaxNode, found: &mut Vec<Constant>) {
    let column = set.column_target().and_then(|target| target.name());
    let value = set.set_expr().and_then(|value| value.expr());
    let (Some(column), Some(value)) = (column, value) else {
        return;
    };
    let Some(name) = words(column.syntax()).into_iter().next() else {
        return;
    };
    let written = set
        .syntax()
        .ancestors()
        .find(|node| BLOCKS.contains(&node.kind()))
        .and_then(|block| target_of(&block));
    let column = Column {
        qualifier: None,
        name,
        at: set.syntax().clone(),
    };
    if let (Some(text), Some(target)) = (literal(&value), written) {
        let mut constant = column.constant(root, ValueHint::Has(text));
        constant.tables = vec![target.table];
        found.push(constant);
    }
}

fn read_insert(insert: &ast::Insert, found: &mut Vec<Constant>) {
    let (Some(target), Some(list)) = (target_of(insert.syntax()), insert.column_target_list())
    else {
        return;
    };
    let columns: Vec<Option<String>> = list
        .syntax()
        .children()
        .map(|column| words(&column).into_iter().next())
        .collect();
    let own = |node: &SyntaxNode| block_of(node).as_ref() == Some(insert.syntax());
    let rows = insert.syntax().descendants().filter_map(ast::Row::cast);
    for row in rows.filter(|row| own(row.syntax())) {
        for (column, value) in columns.iter().zip(row.exprs()) {
            if let (Some(column), Some(text)) = (column, literal(&value)) {
                found.push(Constant {
                    tables: vec![target.table.clone()],
                    column: column.clone(),
                    said: ValueHint::Has(text),
                });
            }
        }
    }
}

/// A column as a statement names it.
pub(super) struct Column {
    qualifier: Option<String>,
    name: String,
    at: SyntaxNode,
}

impl Column {
    /// A column, below casts, parentheses and changes of case.
    pub(super) fn of(expression: &Expr) -> Option<Self> {
        match expression {
            Expr::NameRef(name) => Some(Self {
                qualifier: None,
                name: words(name.syntax()).into_iter().next()?,
                at: name.syntax().clone(),
            }),
            Expr::FieldExpr(field) => {
                let parts = words(field.syntax());
                let [.., qualifier, name] = &parts[..] else {
                    return None;
                };
                Some(Self {
                    qualifier: Some(qualifier.clone()),
                    name: name.clone(),
                    at: field.syntax().clone(),
                })
            }
            Expr::ParenExpr(inner) => Self::of(&inner.expr()?),
            Expr::CastExpr(cast) => Self::of(&cast.expr()?),
            Expr::CallExpr(call) => {
                let name = call.expr()?.syntax().text().to_string().to_lowercase();
                let mut arguments = call.arg_list()?.args();
                let inner = arguments
                    .next()?
                    .syntax()
                    .descendants()
                    .find_map(Expr::cast)?;
                let changes_case = matches!(name.trim(), "lower" | "upper");
                (changes_case && arguments.next().is_none())
                    .then(|| Self::of(&inner))
                    .flatten()
            }
            _ => None,
        }
    }

    /// Whether its table is written before it.
    pub(super) fn is_qualified(&self) -> bool {
        self.qualifier.is_some()
    }

    pub(super) fn constant(&self, root: &SyntaxNode, said: ValueHint) -> Constant {
        let mut tables: Vec<Vec<String>> = Vec::new();
        for block in self.at.ancestors() {
            // What a CTE reads is all that it sees.
            if block.kind() == SyntaxKind::WITH_TABLE {
                break;
            }
            if !BLOCKS.contains(&block.kind()) {
                continue;
            }
            for relation in relations_of(&block, root) {
                let qualifier = self.qualifier.as_ref();
                if qualifier.is_some_and(|qualifier| *qualifier != relation.alias) {
                    continue;
                }
                for table in relation.tables {
                    if !tables.contains(&table) {
                        tables.push(table);
                    }
                }
            }
            // An alias of an inner query hides the same one of an outer query.
            if self.qualifier.is_some() && !tables.is_empty() {
                break;
            }
        }
        Constant {
            tables,
            column: self.name.clone(),
            said,
        }
    }
}

/// The names of a path, as the catalog keeps them.
fn words(node: &SyntaxNode) -> Vec<String> {
    let is_word = |kind: SyntaxKind| {
        !kind.is_trivia()
            && !matches!(
                kind,
                SyntaxKind::DOT
                    | SyntaxKind::ONLY_KW
                    | SyntaxKind::STAR
                    | SyntaxKind::AS_KW
                    | SyntaxKind::L_PAREN
                    | SyntaxKind::R_PAREN
            )
    };
    node.descendants_with_tokens()
        .filter_map(|element| element.into_token())
        .filter(|token| is_word(token.kind()))
        .map(|token| unquote_lower(token.text()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `table.column said`, the tables that come into question before the column.
    fn shown(sql: &str) -> Vec<String> {
        let name = |tables: &[Vec<String>]| {
            let names: Vec<String> = tables.iter().map(|table| table.join(".")).collect();
            names.join("|")
        };
        of_statement(sql)
            .iter()
            .map(|constant| {
                let said = match &constant.said {
                    ValueHint::Has(text) => format!("= {text}"),
                    ValueHint::Excludes(text) => format!("<> {text}"),
                    ValueHint::Like(text) => format!("~ {text}"),
                    ValueHint::Lies(side, text) => format!("{side:?} {text}"),
                    ValueHint::LiesOfNow(side) => format!("{side:?} now"),
                    ValueHint::IsNull => "is null".to_owned(),
                    ValueHint::IsPresent => "is there".to_owned(),
                    ValueHint::Element(text) => format!("has {text}"),
                    ValueHint::Contains(text) => format!("@> {text}"),
                    ValueHint::Member(member) => shown_member(member),
                };
                format!("{}.{} {said}", name(&constant.tables), constant.column)
            })
            .collect()
    }

    fn shown_member(member: &Member) -> String {
        let path: Vec<&str> = member
            .path
            .iter()
            .map(|step| match step {
                documents::Step::Key(key) => key.as_str(),
                documents::Step::Item => "[]",
            })
            .collect();
        let said = match member.said.as_deref() {
            Some(ValueHint::Has(text)) => format!(" = {text}"),
            Some(ValueHint::Lies(side, text)) => format!(" {side:?} {text}"),
            Some(other) => format!(" {other:?}"),
            None => String::new(),
        };
        let read_as = member.read_as.as_deref();
        let cast = read_as.map_or(String::new(), |name| format!("::{name}"));
        format!("/ {}{cast}{said}", path.join("/"))
    }

    #[test]
    fn members_of_documents_and_elements_of_lists() {
        assert_eq!(
            shown(
                "SELECT body->'at'->>'city' FROM notes n WHERE body->>'mood' = 'calm' AND n.body ? 'draft' \
                 AND (body->>'stars')::int > 3 AND body @> '{\"by\": {\"id\": 7}}' AND body #>> '{owner,0}' IN ('ann') \
                 AND 'red' = ANY (marks) AND marks @> ARRAY['blue'] AND marks && '{green}' AND pinned IS NOT NULL"
            ),
            [
                "notes.body / at/city",
                "notes.body / mood = \"calm\"",
                "notes.body / mood",
                "notes.body / draft",
                "notes.body / stars::int Above 3",
                "notes.body / stars::int",
                "notes.body @> {\"by\": {\"id\": 7}}",
                "notes.body / owner/[] = \"ann\"",
                "notes.body / owner/[]",
                "notes.marks has red",
                "notes.marks has blue",
                "notes.marks @> {green}",
                "notes.pinned is there",
            ]
        );
    }

    #[test]
    fn comparisons_with_constants() {
        assert_eq!(
            shown(
                "SELECT count(*) FILTER (WHERE p.kind = 'book') FROM shop.parcels p WHERE mode IN ('AIR', 'MAIL') \
                 AND lower(p.\"Region\") = 'north' AND weight > 2.5 AND 7 >= weight AND shipped <= date '1998-09-02' \
                 AND status <> ALL ($1) AND state = ANY ('{open,held}') AND name LIKE 'pro%' AND p.level = -3::int"
            ),
            [
                "shop.parcels.kind = book",
                "shop.parcels.mode = AIR",
                "shop.parcels.mode = MAIL",
                "shop.parcels.Region = north",
                "shop.parcels.weight Above 2.5",
                "shop.parcels.weight UpTo 7",
                "shop.parcels.shipped UpTo 1998-09-02",
                "shop.parcels.state = open",
                "shop.parcels.state = held",
                "shop.parcels.name ~ pro%",
                "shop.parcels.level = -3",
            ]
        );
    }

    #[test]
    fn a_column_is_looked_for_where_its_alias_says() {
        assert_eq!(
            shown(
                "WITH late AS (SELECT * FROM jobs WHERE run_at < now() - interval '1 day') \
                 SELECT 1 FROM late l JOIN queues q ON q.id = l.queue AND q.kind = 'fast' \
                 WHERE l.state = 'held' AND paused = 'no' \
                 AND EXISTS (SELECT FROM runs r WHERE r.job = l.id AND r.result = 'bad' AND note = 'x')"
            ),
            [
                "jobs.run_at Below now",
                "queues.kind = fast",
                "jobs.state = held",
                "jobs|queues.paused = no",
                "runs.result = bad",
                "runs|jobs|queues.note = x",
            ]
        );
    }

    #[test]
    fn what_is_stored_is_there() {
        assert_eq!(
            shown(
                "UPDATE jobs j SET state = 'done', at = $1 FROM queues WHERE j.state = 'running'"
            ),
            ["jobs.state = done", "jobs.state = running"]
        );
        assert_eq!(
            shown("INSERT INTO jobs (id, state) VALUES ($1, 'new'), ($2, DEFAULT)"),
            ["jobs.state = new"]
        );
    }

    #[test]
    fn what_is_no_constant_says_nothing() {
        for sql in [
            "SELECT 1 FROM t WHERE a = $1 AND b = c AND e = true",
            "SELECT 1 FROM t WHERE a + 1 = 5",
            "SELECT 'x' FROM t LIMIT 5",
            "not sql at all",
        ] {
            assert_eq!(shown(sql), [""; 0], "{sql}");
        }
    }
}
