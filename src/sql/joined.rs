//! The rows that a statement's own FROM and WHERE leave without the conditions on its parameters: what its parameters are
//! compared with comes from one such row, so that values of several tables, subqueries and CTEs belong together. Builds the text of
//! a query; runs nothing.

use std::collections::{BTreeMap, BTreeSet};

use squawk_syntax::ast::{self, AstNode, BinOp, Expr, Stmt, WhereClauseOrCurrentOf};
use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::elements::without_elements;
use super::token::{TokenKind, tokens};
use super::tree::{read_statement, span_of};

mod blocks;
mod comparisons;
mod sought;

use blocks::{Scope, edited};
use comparisons::Reader;
use sought::Sought;

/// A statement's relations and conditions, without those that have parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Joined {
    /// What each parameter is compared with, in the order of the text.
    pub(crate) compared: Vec<Compared>,
    /// `WITH …`, or nothing.
    with: String,
    /// What follows FROM.
    from: String,
    /// Conditions without parameters.
    conditions: Vec<String>,
    /// Conditions with parameters: kept where each of these has a fixed value.
    parameterized: Vec<Parameterized>,
    /// How many relations FROM names.
    relations: usize,
    /// What a DELETE's or UPDATE's columns are qualified with.
    pub(crate) target: Option<String>,
}

/// A parameter and the expression on the other side of its comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Compared {
    pub(crate) parameter: u16,
    pub(crate) expression: String,
    by: Comparison,
}

/// What a comparison says of the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    /// Its value is the parameter's, wherever the parameter is not left out.
    Equality,
    /// A bound, a pattern, one of several alternatives.
    Other,
}

/// How many rows of a join are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Read {
    /// So many, those that the plan finds first.
    First(u32),
    /// Whatever there is.
    All,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Parameterized {
    text: String,
    parameters: BTreeSet<u16>,
}

impl Joined {
    /// Reads a statement. `None` for what is no SELECT, UPDATE, DELETE or INSERT … SELECT with relations, and where no parameter is
    /// compared with something of them.
    pub(crate) fn of(sql: &str) -> Option<Self> {
        let (sql, arrays) = without_elements(sql);
        let read = read_statement(&sql, |statement| of_statement(statement, &sql)).flatten();
        let mut joined = read.filter(|joined| !joined.compared.is_empty())?;
        // A fixed array is no value of what one of its elements is compared with.
        joined
            .parameterized
            .retain(|condition| condition.parameters.is_disjoint(&arrays));
        Some(joined)
    }

    /// Whether rows of it say more than rows of each table alone.
    pub(crate) fn is_telling(&self) -> bool {
        self.relations > 1 || !self.conditions.is_empty() || self.target.is_some()
    }

    /// Where a parameter's value stands in the rows of [`Self::query`].
    pub(crate) fn place(&self, parameter: u16) -> Option<usize> {
        let is_it = |compared: &Compared| compared.parameter == parameter;
        let equal = |compared: &Compared| compared.by == Comparison::Equality;
        let mut compared = self.compared.iter();
        compared
            .position(|compared| is_it(compared) && equal(compared))
            .or_else(|| self.compared.iter().position(is_it))
    }

    /// That whatever one parameter equals is equal: `a.tenant = $1 AND b.tenant = $1`.
    pub(crate) fn equalities(&self) -> Vec<String> {
        let equal = |compared: &&Compared| compared.by == Comparison::Equality;
        let mut first: BTreeMap<u16, &str> = BTreeMap::new();
        let mut found = Vec::new();
        for Compared {
            parameter,
            expression,
            ..
        } in self.compared.iter().filter(equal)
        {
            match first.get(parameter) {
                Some(known) => found.push(format!("({known}) = ({expression})")),
                None => {
                    first.insert(*parameter, expression);
                }
            }
        }
        found
    }

    /// What is not to be there (`NOT EXISTS (… = $1)`), as a condition on the statement's own rows: each parameter is replaced by what it
    /// is compared with.
    pub(crate) fn denied(&self) -> Vec<String> {
        let denied = self
            .parameterized
            .iter()
            .filter(|condition| condition.is_denial());
        denied
            .filter_map(|condition| substituted(&condition.text, |number| self.of_own_row(number)))
            .collect()
    }

    /// The qualified expression that a parameter is compared with; `None` where another relation may have its name.
    fn of_own_row(&self, parameter: u16) -> Option<String> {
        let expression = &self.compared[self.place(parameter)?].expression;
        if expression.contains('.') {
            return Some(format!("({expression})"));
        }
        let is_column = expression.chars().all(|c| c == '_' || c.is_alphanumeric());
        let target = self.target.as_ref().filter(|_| is_column)?;
        Some(format!("({target}.{expression})"))
    }

    /// A query for at most `kept` rows of those that are read: the text of each compared expression as a JSON array, and how many
    /// were read behind it. Which rows are kept depends on what they hold, and not on the order in which a plan finds them.
    /// `fixed` are parameters with their values as SQL writes them, `more` further conditions.
    pub(crate) fn query(
        &self,
        fixed: &BTreeMap<u16, String>,
        more: &[String],
        read: Read,
        kept: u32,
    ) -> String {
        let with_values = self.parameterized.iter();
        let with_values = with_values.filter_map(|condition| {
            substituted(&condition.text, |number| fixed.get(&number).cloned())
        });
        let conditions: Vec<String> = self
            .conditions
            .iter()
            .chain(more)
            .cloned()
            .chain(with_values)
            .map(|condition| format!("({condition})"))
            .collect();
        let condition = if conditions.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", conditions.join(" AND "))
        };
        let columns: Vec<String> = self
            .compared
            .iter()
            .enumerate()
            .map(|(i, compared)| format!("({})::pg_catalog.text AS c{i}", compared.expression))
            .collect();
        let list = |of: &str, collation: &str| {
            let columns = (0..columns.len()).map(|i| format!("{of}.c{i}{collation}"));
            columns.collect::<Vec<_>>().join(", ")
        };
        // Counting all of them would keep all of them.
        let (limit, number) = match read {
            Read::First(rows) => (format!(" LIMIT {rows}"), "pg_catalog.count(*) OVER ()"),
            Read::All => (String::new(), "0"),
        };
        // A parameter that is compared with no column and has no fixed value (a list's length, a computed column) is NULL here.
        let known = |text: &str| {
            substituted(text, |number| {
                Some(fixed.get(&number).map_or("NULL", String::as_str).to_owned())
            })
            .unwrap_or_default()
        };
        format!(
            "{}SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array({}, found.number)), '[]')::pg_catalog.text \
             FROM (SELECT {}, ({number})::pg_catalog.text AS number FROM (SELECT {} FROM {}{condition}{limit}) AS met \
             ORDER BY pg_catalog.hashtextextended(pg_catalog.concat_ws(',', {}), 0), {} LIMIT {kept}) AS found",
            known(&self.with),
            list("found", ""),
            list("met", ""),
            columns.join(", "),
            known(&self.from),
            list("met", ""),
            list("met", " COLLATE \"C\"")
        )
    }
}

impl Parameterized {
    fn is_denial(&self) -> bool {
        let mut words = self.text.split(|c: char| !c.is_alphanumeric());
        ["not", "exists"].iter().all(|word| {
            words
                .next()
                .is_some_and(|next| next.eq_ignore_ascii_case(word))
        })
    }
}

/// A text with values for its parameters; `None` where one has none.
fn substituted(text: &str, value: impl Fn(u16) -> Option<String>) -> Option<String> {
    let mut edits = Vec::new();
    for token in tokens(text) {
        if let TokenKind::PositionalParam { .. } = token.kind {
            let number = text[token.span.clone()].trim_start_matches('$');
            edits.push((token.span, value(number.parse().ok()?)?));
        }
    }
    Some(edited(text, 0..text.len(), edits))
}

/// The subquery of `SELECT EXISTS (SELECT …)`, whose rows the statement looks for; of several the first.
fn tested_for_existence(select: &ast::Select) -> Option<ast::Select> {
    if select.from_clause().is_some() || select.with_clause().is_some() {
        return None;
    }
    let mut below = select.syntax().descendants().skip(1);
    let inner = below.find_map(ast::Select::cast)?;
    inner.from_clause().is_some().then_some(inner)
}

/// What of a statement decides which rows it finds.
struct Parts {
    block: SyntaxNode,
    with: Option<ast::WithClause>,
    from: Option<SyntaxNode>,
    condition: Option<Expr>,
    target: Option<Target>,
}

impl Parts {
    fn of(statement: &Stmt) -> Option<Self> {
        match statement {
            Stmt::Select(select) => {
                let tested = tested_for_existence(select);
                Some(Self::of_select(tested.as_ref().unwrap_or(select)))
            }
            Stmt::Insert(insert) => {
                let select = insert.syntax().children().find_map(ast::Select::cast)?;
                let parts = Self::of_select(&select);
                Some(Self {
                    with: insert.with_clause().or(parts.with),
                    ..parts
                })
            }
            Stmt::Update(update) => Self::of_update(update),
            Stmt::Delete(delete) => Self::of_delete(delete),
            _ => None,
        }
    }

    fn of_select(select: &ast::Select) -> Self {
        Self {
            block: select.syntax().clone(),
            with: select.with_clause(),
            from: select.from_clause().map(|from| from.syntax().clone()),
            condition: select.where_clause().and_then(|clause| clause.expr()),
            target: None,
        }
    }

    fn of_update(update: &ast::Update) -> Option<Self> {
        Some(Self {
            block: update.syntax().clone(),
            with: update.with_clause(),
            from: update.from_clause().map(|from| from.syntax().clone()),
            condition: where_of(update.where_clause_or_current_of()?),
            target: Some(target_of(update.syntax())?),
        })
    }

    fn of_delete(delete: &ast::Delete) -> Option<Self> {
        Some(Self {
            block: delete.syntax().clone(),
            with: delete.with_clause(),
            from: delete.using_clause().map(|using| using.syntax().clone()),
            condition: where_of(delete.where_clause_or_current_of()?),
            target: Some(target_of(delete.syntax())?),
        })
    }
}

fn of_statement(statement: &Stmt, sql: &str) -> Option<Joined> {
    if let Stmt::CompoundSelect(compound) = statement {
        return of_arms(compound, sql);
    }
    let parts = Parts::of(statement)?;
    of_whole(&parts, sql).or_else(|| with_of(statement).and_then(|with| of_with(&with, sql)))
}

/// Of `SELECT … UNION SELECT …` the arm that compares most with parameters, the first of equals.
fn of_arms(compound: &ast::CompoundSelect, sql: &str) -> Option<Joined> {
    let with = compound
        .syntax()
        .descendants()
        .take_while(|node| {
            matches!(
                node.kind(),
                SyntaxKind::COMPOUND_SELECT | SyntaxKind::SELECT | SyntaxKind::WITH_CLAUSE
            )
        })
        .find_map(ast::WithClause::cast);
    let arms = blocks::arms(compound.syntax()).into_iter();
    let read = arms.filter_map(|arm| {
        let mut parts = Parts::of_select(&arm);
        parts.with = with.clone();
        of_whole(&parts, sql)
    });
    most_compared(read)
}

fn most_compared(all: impl Iterator<Item = Joined>) -> Option<Joined> {
    all.reduce(
        |most, other| match other.compared.len() > most.compared.len() {
            true => other,
            false => most,
        },
    )
}

fn of_whole(parts: &Parts, sql: &str) -> Option<Joined> {
    let mut scope = Scope::new(sql);
    let with = match &parts.with {
        Some(with) => scope.read_with(with)?,
        None => String::new(),
    };
    let joined = of_parts(parts, &mut scope)?;
    Some(Joined { with, ..joined })
}

/// A statement's rows beneath the CTEs that the scope knows.
fn of_parts(parts: &Parts, scope: &mut Scope<'_>) -> Option<Joined> {
    let sql = scope.sql;
    let mut reader = Reader::of(parts.block.clone(), sql);
    let listed = match &parts.from {
        Some(from) => Some(reader.relations(from, scope)?),
        None => None,
    };
    let own = parts.target.as_ref().map(|target| target.text.clone());
    let from_text = match (own, listed) {
        (Some(own), Some(listed)) => format!("{own}, {listed}"),
        (Some(text), None) | (None, Some(text)) => text,
        (None, None) => return None,
    };
    let listed = parts.from.as_ref();
    let relations = listed
        .map_or(0, |from| reader.count(from))
        .saturating_add(usize::from(parts.target.is_some()));
    let (mut conditions, mut parameterized, mut sought) = (Vec::new(), Vec::new(), Vec::new());
    for conjunct in parts.condition.iter().flat_map(conjuncts) {
        let text = sql[span_of(conjunct.syntax())].to_owned();
        if !scope.is_parameterized(conjunct.syntax()) {
            conditions.push(text);
            continue;
        }
        match Sought::of(&conjunct, scope) {
            Some(found) => {
                reader.compared.extend(found.compared);
                conditions.extend(found.condition);
                sought.push(found.text);
            }
            None => reader.read(&conjunct),
        }
        let parameters: BTreeSet<u16> = parameters_in(conjunct.syntax()).collect();
        if !parameters.is_empty() {
            parameterized.push(Parameterized { text, parameters });
        }
    }
    Some(Joined {
        compared: reader.compared,
        with: String::new(),
        relations: relations + sought.len(),
        from: std::iter::once(from_text)
            .chain(sought)
            .collect::<Vec<_>>()
            .join(", "),
        conditions,
        parameterized,
        target: parts.target.as_ref().map(|target| target.name.clone()),
    })
}

fn with_of(statement: &Stmt) -> Option<ast::WithClause> {
    let node = statement.syntax();
    node.descendants().find_map(ast::WithClause::cast)
}

/// A statement that cannot be read with its WITH queries, because one of them inserts, say: the rows of the one that compares most with parameters.
fn of_with(with: &ast::WithClause, sql: &str) -> Option<Joined> {
    let with_parameters = with
        .with_tables()
        .filter(|table| has_parameters(table.syntax()));
    most_compared(with_parameters.filter_map(|table| {
        let parts = match table.query()? {
            ast::WithQuery::Select(select) => Parts::of_select(&select),
            ast::WithQuery::Update(update) => Parts::of_update(&update)?,
            ast::WithQuery::Delete(delete) => Parts::of_delete(&delete)?,
            ast::WithQuery::CompoundSelect(_)
            | ast::WithQuery::Insert(_)
            | ast::WithQuery::Merge(_)
            | ast::WithQuery::ParenSelect(_)
            | ast::WithQuery::Table(_)
            | ast::WithQuery::Values(_) => return None,
        };
        of_whole(&parts, sql)
    }))
}

fn where_of(clause: WhereClauseOrCurrentOf) -> Option<Expr> {
    match clause {
        WhereClauseOrCurrentOf::WhereClause(clause) => clause.expr(),
        WhereClauseOrCurrentOf::WhereCurrentOf(_) => None,
    }
}

/// What is written to: as FROM would name it, and the name that its columns have.
struct Target {
    text: String,
    name: String,
}

fn target_of(statement: &SyntaxNode) -> Option<Target> {
    let relation = statement.children().find(|child| {
        matches!(
            child.kind(),
            SyntaxKind::RELATION_NAME | SyntaxKind::RELATION_NAME_REF
        )
    })?;
    let alias = statement
        .children()
        .find(|child| child.kind() == SyntaxKind::OPTIONAL_AS_ALIAS);
    let text = relation.text().to_string();
    let (text, name) = match alias {
        Some(alias) => {
            let alias = alias.text().to_string();
            let name = alias.split_whitespace().last()?.to_owned();
            (format!("{} {}", text.trim(), alias.trim()), name)
        }
        None => {
            let name = text.trim().rsplit('.').next()?.trim().to_owned();
            (text.trim().to_owned(), name)
        }
    };
    Some(Target { text, name })
}

/// The parts that AND connects.
fn conjuncts(expression: &Expr) -> Vec<Expr> {
    match expression {
        Expr::BinExpr(both) if matches!(both.op(), Some(BinOp::And(_))) => [both.lhs(), both.rhs()]
            .into_iter()
            .flatten()
            .flat_map(|part| conjuncts(&part))
            .collect(),
        Expr::ParenExpr(inner) => match inner.expr() {
            Some(inner) => conjuncts(&inner),
            None => vec![expression.clone()],
        },
        other => vec![other.clone()],
    }
}

fn has_parameters(node: &SyntaxNode) -> bool {
    parameters_in(node).next().is_some()
}

fn parameters_in(node: &SyntaxNode) -> impl Iterator<Item = u16> {
    node.descendants_with_tokens()
        .filter_map(|element| element.into_token())
        .filter(|token| token.kind() == SyntaxKind::POSITIONAL_PARAM)
        .filter_map(|token| token.text().trim_start_matches('$').parse().ok())
}

#[cfg(test)]
mod tests;
