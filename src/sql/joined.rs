//! The rows that a statement's own FROM and WHERE leave when nothing is asked of its parameters: what its parameters are
//! compared with comes from one such row, so that values of several tables belong together. Builds the text of a query;
//! runs nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;

use squawk_syntax::ast::{self, AstNode, BinOp, Expr, Stmt, WhereClauseOrCurrentOf};
use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::tree::{read_statement, span_of};

mod sought;

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
    asking: Vec<Asking>,
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
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Asking {
    text: String,
    /// Parameters with their places in the text.
    parameters: Vec<(u16, Range<usize>)>,
}

impl Joined {
    /// Reads a statement. `None` for what is no plain SELECT, UPDATE or DELETE with relations, and where parameters stand
    /// inside the relations themselves.
    pub(crate) fn of(sql: &str) -> Option<Self> {
        read_statement(sql, |statement| of_statement(statement, sql)).flatten()
    }

    /// Whether rows of it say more than rows of each table alone.
    pub(crate) fn is_telling(&self) -> bool {
        !self.compared.is_empty()
            && (self.relations > 1 || !self.conditions.is_empty() || self.target.is_some())
    }

    /// What is not to be there (`NOT EXISTS (… = $1)`), asked of the statement's own rows: what each parameter is compared with
    /// stands in its place.
    pub(crate) fn denied(&self) -> Vec<String> {
        let denied = self.asking.iter().filter(|asking| asking.is_denial());
        let asked_of_rows = |asking: &Asking| {
            let own = asking.parameters.iter();
            let own = own.map(|(number, _)| Some((*number, self.of_own_row(*number)?)));
            asking.with(&own.collect::<Option<_>>()?)
        };
        denied.filter_map(asked_of_rows).collect()
    }

    /// The qualified expression that a parameter is compared with; `None` where another relation may have its name.
    fn of_own_row(&self, parameter: u16) -> Option<String> {
        let mut compared = self.compared.iter();
        let expression = &compared
            .find(|compared| compared.parameter == parameter)?
            .expression;
        if expression.contains('.') {
            return Some(format!("({expression})"));
        }
        let is_column = expression.chars().all(|c| c == '_' || c.is_alphanumeric());
        let target = self.target.as_ref().filter(|_| is_column)?;
        Some(format!("({target}.{expression})"))
    }

    /// A query for at most `limit` rows: the text of each compared expression as a JSON array. `fixed` are parameters with
    /// their values as SQL writes them, `more` further conditions.
    pub(crate) fn query(
        &self,
        fixed: &BTreeMap<u16, String>,
        more: &[String],
        limit: u32,
    ) -> String {
        let kept = self.asking.iter().filter_map(|asking| asking.with(fixed));
        let conditions: Vec<String> = self
            .conditions
            .iter()
            .chain(more)
            .cloned()
            .chain(kept)
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
        let arrays: Vec<String> = (0..columns.len()).map(|i| format!("found.c{i}")).collect();
        format!(
            "{}SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array({})), '[]')::pg_catalog.text \
             FROM (SELECT {} FROM {}{condition} LIMIT {limit}) AS found",
            self.with,
            arrays.join(", "),
            columns.join(", "),
            self.from
        )
    }
}

impl Asking {
    fn is_denial(&self) -> bool {
        let mut words = self.text.split(|c: char| !c.is_alphanumeric());
        ["not", "exists"].iter().all(|word| {
            words
                .next()
                .is_some_and(|next| next.eq_ignore_ascii_case(word))
        })
    }

    /// The condition with values for its parameters; `None` where one has none.
    fn with(&self, fixed: &BTreeMap<u16, String>) -> Option<String> {
        let mut text = String::new();
        let mut done = 0;
        for (number, place) in &self.parameters {
            text.push_str(&self.text[done..place.start]);
            text.push_str(fixed.get(number)?);
            done = place.end;
        }
        text.push_str(&self.text[done..]);
        Some(text)
    }
}

/// `SELECT EXISTS (SELECT …)`: what is looked for are the rows of the subquery, of several those of the first.
fn asked_for_existence(select: &ast::Select) -> Option<ast::Select> {
    if select.from_clause().is_some() || select.with_clause().is_some() {
        return None;
    }
    let mut below = select.syntax().descendants().skip(1);
    let inner = below.find_map(ast::Select::cast)?;
    inner.from_clause().is_some().then_some(inner)
}

fn of_statement(statement: &Stmt, sql: &str) -> Option<Joined> {
    let (block, with, from, condition, target) = match statement {
        Stmt::Select(select) => {
            let asked = asked_for_existence(select);
            let select = asked.as_ref().unwrap_or(select);
            (
                select.syntax().clone(),
                select.with_clause(),
                select.from_clause().map(|from| from.syntax().clone()),
                select.where_clause().and_then(|clause| clause.expr()),
                None,
            )
        }
        Stmt::Update(update) => (
            update.syntax().clone(),
            update.with_clause(),
            update.from_clause().map(|from| from.syntax().clone()),
            where_of(update.where_clause_or_current_of()?),
            Some(target_of(update.syntax())?),
        ),
        Stmt::Delete(delete) => (
            delete.syntax().clone(),
            delete.with_clause(),
            delete.using_clause().map(|using| using.syntax().clone()),
            where_of(delete.where_clause_or_current_of()?),
            Some(target_of(delete.syntax())?),
        ),
        _ => return None,
    };
    let with = match with {
        Some(with) if writes(with.syntax()) => return None,
        Some(with) if has_parameters(with.syntax()) => return of_with(&with, sql),
        Some(with) => format!("{} ", &sql[span_of(with.syntax())]),
        None => String::new(),
    };
    let mut reader = Reader {
        block,
        sql,
        compared: Vec::new(),
    };
    let listed = from.as_ref().map(|from| reader.relations(from));
    let listed = match listed {
        Some(None) => return None,
        Some(Some(text)) => Some(text),
        None => None,
    };
    let own = target.as_ref().map(|target| target.text.clone());
    let (mut sought, mut next) = (Vec::new(), 0);
    let from_text = match (own, listed) {
        (Some(own), Some(listed)) => format!("{own}, {listed}"),
        (Some(text), None) | (None, Some(text)) => text,
        (None, None) => return None,
    };
    let relations = from
        .map_or(0, |from| reader.count(&from))
        .saturating_add(usize::from(target.is_some()));
    let (mut conditions, mut asking) = (Vec::new(), Vec::new());
    for conjunct in condition.iter().flat_map(conjuncts) {
        let text = sql[span_of(conjunct.syntax())].to_owned();
        if has_parameters(conjunct.syntax()) {
            match Sought::of(&conjunct, &mut next, sql) {
                Some(found) => {
                    reader.compared.extend(found.compared);
                    conditions.extend(found.condition);
                    sought.push(found.text);
                }
                None => reader.read(conjunct.syntax()),
            }
            asking.push(Asking {
                text,
                parameters: parameters_in(conjunct.syntax()),
            });
        } else {
            conditions.push(text);
        }
    }
    Some(Joined {
        compared: reader.compared,
        with,
        relations: relations + sought.len(),
        from: std::iter::once(from_text)
            .chain(sought)
            .collect::<Vec<_>>()
            .join(", "),
        conditions,
        asking,
        target: target.map(|target| target.name),
    })
}

/// A statement whose parameters stand in its WITH queries: the rows of the one that asks for most, the first of equals.
fn of_with(with: &ast::WithClause, sql: &str) -> Option<Joined> {
    let asking = with
        .with_tables()
        .filter(|table| has_parameters(table.syntax()));
    let read = asking.filter_map(|table| of_with_query(table.query()?, sql));
    read.reduce(
        |most, other| match other.compared.len() > most.compared.len() {
            true => other,
            false => most,
        },
    )
}

fn of_with_query(query: ast::WithQuery, sql: &str) -> Option<Joined> {
    match query {
        ast::WithQuery::Select(select) => of_statement(&Stmt::Select(select), sql),
        ast::WithQuery::CompoundSelect(_)
        | ast::WithQuery::Delete(_)
        | ast::WithQuery::Insert(_)
        | ast::WithQuery::Merge(_)
        | ast::WithQuery::ParenSelect(_)
        | ast::WithQuery::Table(_)
        | ast::WithQuery::Update(_)
        | ast::WithQuery::Values(_) => None,
    }
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

struct Reader<'a> {
    block: SyntaxNode,
    sql: &'a str,
    compared: Vec<Compared>,
}

impl Reader<'_> {
    /// The text of a FROM clause, with what ON and its subqueries ask of parameters left out. `None` where other parameters stand in
    /// it.
    fn relations(&mut self, from: &SyntaxNode) -> Option<String> {
        let whole = span_of(from);
        let mut replaced: Vec<(Range<usize>, String)> = Vec::new();
        for clause in from.descendants().filter_map(ast::OnClause::cast) {
            if !self.is_own(clause.syntax()) || !has_parameters(clause.syntax()) {
                continue;
            }
            let condition = clause.expr()?;
            let mut kept = Vec::new();
            for conjunct in conjuncts(&condition) {
                if has_parameters(conjunct.syntax()) {
                    self.read(conjunct.syntax());
                } else {
                    kept.push(self.sql[span_of(conjunct.syntax())].to_owned());
                }
            }
            if kept.is_empty() {
                kept.push("true".to_owned());
            }
            replaced.push((span_of(condition.syntax()), kept.join(" AND ")));
        }
        let subqueries = from.descendants().filter_map(ast::Select::cast);
        let asking = |select: &ast::Select| has_parameters(select.syntax());
        let mut in_subqueries = 0;
        for select in subqueries.filter(asking) {
            if self.is_own(select.syntax()) {
                in_subqueries += parameters_in(select.syntax()).len();
                replaced.extend(self.subquery(&select)?);
            }
        }
        replaced.sort_by_key(|(place, _)| place.start);
        let asked = parameters_in(from).len() - in_subqueries;
        let in_conditions: usize = from
            .descendants()
            .filter_map(ast::OnClause::cast)
            .filter(|clause| self.is_own(clause.syntax()))
            .map(|clause| parameters_in(clause.syntax()).len())
            .sum();
        if asked > in_conditions {
            return None;
        }
        let mut text = String::new();
        let mut done = whole.start;
        for (place, condition) in replaced {
            text.push_str(&self.sql[done..place.start]);
            text.push_str(&condition);
            done = place.end;
        }
        text.push_str(&self.sql[done..whole.end]);
        let keyword = text.find(char::is_whitespace)?;
        Some(text[keyword..].trim().to_owned())
    }

    /// What changes in the text of a subquery in FROM: its WHERE without parameters, and one column more for what each is compared
    /// with. `None` where it groups, or has parameters elsewhere.
    fn subquery(&mut self, select: &ast::Select) -> Option<[(Range<usize>, String); 2]> {
        let condition = select.where_clause()?.expr()?;
        let elsewhere =
            parameters_in(select.syntax()).len() > parameters_in(condition.syntax()).len();
        if select.group_by_clause().is_some() || elsewhere {
            return None;
        }
        let mut inner = Reader {
            block: select.syntax().clone(),
            sql: self.sql,
            compared: Vec::new(),
        };
        let mut kept = Vec::new();
        for conjunct in conjuncts(&condition) {
            if has_parameters(conjunct.syntax()) {
                inner.read(conjunct.syntax());
            } else {
                kept.push(self.sql[span_of(conjunct.syntax())].to_owned());
            }
        }
        if kept.is_empty() {
            kept.push("true".to_owned());
        }
        let mut columns = String::new();
        for compared in inner.compared {
            let name = format!("asked_{}", self.compared.len());
            let _ = write!(columns, ", ({}) AS {name}", compared.expression);
            self.compared.push(Compared {
                parameter: compared.parameter,
                expression: name,
            });
        }
        let mut below = select.syntax().descendants();
        let list = below.find(|node| node.kind() == SyntaxKind::TARGET_LIST)?;
        let end = span_of(&list).end;
        Some([
            (end..end, columns),
            (span_of(condition.syntax()), kept.join(" AND ")),
        ])
    }

    fn count(&self, from: &SyntaxNode) -> usize {
        let is_relation = |node: &SyntaxNode| {
            matches!(
                node.kind(),
                SyntaxKind::RELATION_FROM_ITEM
                    | SyntaxKind::PAREN_FROM_ITEM
                    | SyntaxKind::FUNCTION_FROM_ITEM
            )
        };
        from.descendants()
            .filter(|node| is_relation(node) && self.is_own(node))
            .count()
    }

    /// Whether a node belongs to the statement itself and to no subquery.
    fn is_own(&self, node: &SyntaxNode) -> bool {
        let block = node.ancestors().skip(1).find(|above| {
            matches!(
                above.kind(),
                SyntaxKind::SELECT
                    | SyntaxKind::COMPOUND_SELECT
                    | SyntaxKind::UPDATE
                    | SyntaxKind::DELETE
                    | SyntaxKind::INSERT
                    | SyntaxKind::MERGE
            )
        });
        block.as_ref() == Some(&self.block)
    }

    /// Comparisons with parameters in a condition.
    fn read(&mut self, condition: &SyntaxNode) {
        for node in condition.descendants() {
            if !self.is_own(&node) {
                continue;
            }
            if let Some(comparison) = ast::BinExpr::cast(node.clone()) {
                self.read_comparison(&comparison);
            } else if let Some(between) = ast::BetweenExpr::cast(node.clone())
                && let Some(target) = between.target()
            {
                for bound in [between.start(), between.end()].into_iter().flatten() {
                    self.compare(&target, &bound);
                }
            }
        }
    }

    fn read_comparison(&mut self, comparison: &ast::BinExpr) {
        let (Some(left), Some(right)) = (comparison.lhs(), comparison.rhs()) else {
            return;
        };
        match comparison.op() {
            None
            | Some(
                BinOp::And(_) | BinOp::Or(_) | BinOp::Plus(_) | BinOp::Minus(_) | BinOp::Is(_),
            ) => return,
            Some(_) => {}
        }
        if let (Expr::TupleExpr(lefts), Expr::TupleExpr(rights)) = (&left, &right) {
            // `(a, b) IN (($1, $2), ($3, $4))`: each of the rows; `(placed_at, id) < ($1, $2)`: column by column.
            for row in rights.exprs() {
                if let Expr::TupleExpr(row) = row {
                    self.compare_rows(lefts, &row);
                } else {
                    self.compare_rows(lefts, rights);
                    break;
                }
            }
            return;
        }
        self.compare(&left, &right);
        self.compare(&right, &left);
    }

    fn compare_rows(&mut self, lefts: &ast::TupleExpr, rights: &ast::TupleExpr) {
        for (left, right) in lefts.exprs().zip(rights.exprs()) {
            self.compare(&left, &right);
            self.compare(&right, &left);
        }
    }

    /// Notes every parameter of one side, where the other side has none and is of the relations.
    fn compare(&mut self, side: &Expr, other: &Expr) {
        let is_constant = matches!(side, Expr::Literal(_) | Expr::ArrayExpr(_));
        if is_constant || has_parameters(side.syntax()) || !names_something(side.syntax()) {
            return;
        }
        // What a subquery asks of a parameter says nothing of its value.
        if other
            .syntax()
            .descendants()
            .any(|node| ast::Select::can_cast(node.kind()))
        {
            return;
        }
        let expression = self.sql[span_of(side.syntax())].to_owned();
        for (parameter, _) in parameters_in(other.syntax()) {
            if !self
                .compared
                .iter()
                .any(|known| known.parameter == parameter)
            {
                self.compared.push(Compared {
                    parameter,
                    expression: expression.clone(),
                });
            }
        }
    }
}

fn names_something(node: &SyntaxNode) -> bool {
    node.descendants()
        .any(|node| matches!(node.kind(), SyntaxKind::NAME_REF | SyntaxKind::FIELD_EXPR))
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
    !parameters_in(node).is_empty()
}

/// Parameters with their places in the node's text.
fn parameters_in(node: &SyntaxNode) -> Vec<(u16, Range<usize>)> {
    let start = span_of(node).start;
    node.descendants_with_tokens()
        .filter_map(|element| element.into_token())
        .filter(|token| token.kind() == SyntaxKind::POSITIONAL_PARAM)
        .filter_map(|token| {
            let range = token.text_range();
            let place = usize::from(range.start()) - start..usize::from(range.end()) - start;
            Some((token.text().trim_start_matches('$').parse().ok()?, place))
        })
        .collect()
}

fn writes(node: &SyntaxNode) -> bool {
    node.descendants().any(|node| {
        matches!(
            node.kind(),
            SyntaxKind::INSERT | SyntaxKind::UPDATE | SyntaxKind::DELETE | SyntaxKind::MERGE
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is compared, then what follows FROM, without the frame.
    fn shown(sql: &str) -> Option<(Vec<String>, String)> {
        let joined = Joined::of(sql)?;
        let compared = joined
            .compared
            .iter()
            .map(|compared| format!("${} {}", compared.parameter, compared.expression))
            .collect();
        let query = joined.query(&BTreeMap::new(), &[], 9);
        let from = query.split_once("FROM (SELECT")?.1.split_once(" FROM ")?.1;
        Some((
            compared,
            from.trim_end_matches(" LIMIT 9) AS found").to_owned(),
        ))
    }

    #[test]
    fn what_exists_is_looked_for_among_the_rows_of_its_subquery() {
        let (compared, from) = shown(
            "SELECT (EXISTS (SELECT 1 FROM roles r JOIN grants g ON g.role = r.name WHERE g.member = $1 AND r.right = $2 \
             AND g.team IS NULL) OR EXISTS (SELECT 1 FROM admins WHERE id = $1))::boolean",
        )
        .unwrap();
        assert_eq!(compared, ["$1 g.member", "$2 r.right"]);
        assert_eq!(
            from,
            "roles r JOIN grants g ON g.role = r.name WHERE (g.team IS NULL)"
        );
    }

    #[test]
    fn parameters_of_two_tables_meet_in_a_row_of_their_join() {
        let (compared, from) = shown(
            "SELECT b.id FROM authors a JOIN books b ON b.author = a.id AND b.lang = $3 \
             WHERE a.name = $1 AND b.title LIKE '%' || $2 || '%' AND b.kind = 'novel'",
        )
        .unwrap();
        assert_eq!(compared, ["$3 b.lang", "$1 a.name", "$2 b.title"]);
        assert_eq!(
            from,
            "authors a JOIN books b ON b.author = a.id WHERE (b.kind = 'novel')"
        );
    }

    #[test]
    fn optional_filters_and_keys_of_pages_are_of_the_row_too() {
        let (compared, from) = shown(
            "SELECT id FROM books WHERE ($1::text IS NULL OR lang = $1) AND (at, id) < ($2, $3) \
             AND pages BETWEEN $4 AND $5 AND kind = ANY($6)",
        )
        .unwrap();
        assert_eq!(
            compared,
            [
                "$1 lang", "$2 at", "$3 id", "$4 pages", "$5 pages", "$6 kind"
            ]
        );
        assert_eq!(from, "books");
    }

    #[test]
    fn rows_that_a_condition_looks_for_belong_to_the_row() {
        let (compared, from) = shown(
            "SELECT b.id FROM books b WHERE b.lang = $1 AND EXISTS (SELECT 1 FROM loans l WHERE l.book = b.id AND l.reader = $2 \
             AND l.back IS NULL) AND b.author IN (SELECT a.id FROM authors a WHERE a.country = $3) AND NOT EXISTS (SELECT FROM marks \
             WHERE owner = $4)",
        )
        .unwrap();
        assert_eq!(compared, ["$1 b.lang", "$2 sought_0.c0", "$3 sought_1.c0"]);
        assert_eq!(
            from,
            "books b, LATERAL (SELECT (l.reader) AS c0 FROM loans l WHERE (l.book = b.id) AND (l.back IS NULL) LIMIT 1) AS sought_0, \
             LATERAL (SELECT (a.country) AS c0, (a.id) AS member FROM authors a) AS sought_1 WHERE ((b.author) = sought_1.member)"
        );
    }

    #[test]
    fn the_row_that_one_value_is_of_belongs_to_the_row() {
        let (compared, from) = shown(
            "UPDATE loans SET back = now() WHERE loans.id = $1 AND loans.reader = (SELECT r.id FROM readers r WHERE r.name = $2 \
             AND r.town = (SELECT id FROM towns WHERE code = $3)) AND loans.fee = (SELECT max(fee) FROM fees WHERE kind = $4)",
        )
        .unwrap();
        assert_eq!(
            compared,
            ["$1 loans.id", "$2 sought_1.c0", "$3 sought_1.c1"]
        );
        assert_eq!(
            from,
            "loans, LATERAL (SELECT (r.name) AS c0, (sought_0.c0) AS c1, (r.id) AS member FROM readers r, \
             LATERAL (SELECT (code) AS c0, (id) AS member FROM towns) AS sought_0 WHERE ((r.town) = sought_0.member)) AS sought_1 \
             WHERE ((loans.reader) = sought_1.member)"
        );
    }

    #[test]
    fn a_subquery_in_from_says_what_it_is_asked_for() {
        let (compared, from) = shown(
            "SELECT b.id FROM books b JOIN LATERAL (SELECT l.at FROM loans l WHERE l.book = b.id AND l.reader = $1 ORDER BY l.at LIMIT 1) \
             last ON true WHERE b.lang = $2",
        )
        .unwrap();
        assert_eq!(compared, ["$1 asked_0", "$2 b.lang"]);
        assert_eq!(
            from,
            "books b JOIN LATERAL (SELECT l.at, (l.reader) AS asked_0 FROM loans l WHERE l.book = b.id ORDER BY l.at LIMIT 1) last ON true"
        );
    }

    #[test]
    fn a_with_query_that_asks_stands_for_the_statement() {
        let (compared, from) = shown(
            "WITH page AS (SELECT e.id FROM entries e JOIN balances b ON b.entry = e.id WHERE b.account = $1 \
             AND COALESCE((e.at, e.id) > ($3, $2), $2 IS NULL) LIMIT $4) SELECT p.id, CASE WHEN $5 THEN 1 END FROM page p",
        )
        .unwrap();
        assert_eq!(compared, ["$1 b.account", "$3 e.at", "$2 e.id"]);
        assert_eq!(from, "entries e JOIN balances b ON b.entry = e.id");
        let (compared, _) = shown(
            "WITH a AS (SELECT 1 FROM t WHERE x = $1), b AS (SELECT 1 FROM u WHERE x = $1 AND y = $2) SELECT 1 FROM a, b",
        )
        .unwrap();
        assert_eq!(compared, ["$1 x", "$2 y"]);
    }

    #[test]
    fn writes_and_fixed_values() {
        let joined =
            Joined::of("DELETE FROM shop.books AS b WHERE b.lang = $1 AND b.id = $2").unwrap();
        assert_eq!(joined.target.as_deref(), Some("b"));
        let fixed = BTreeMap::from([(1, "'en'".to_owned())]);
        let query = joined.query(&fixed, &["b.id > 5".to_owned()], 1);
        assert!(
            query.ends_with(
                "FROM shop.books AS b WHERE (b.id > 5) AND (b.lang = 'en') LIMIT 1) AS found"
            ),
            "{query}"
        );
    }

    #[test]
    fn what_must_not_be_there_is_asked_of_the_rows_themselves() {
        let denied = |sql: &str| Joined::of(sql).map(|joined| joined.denied());
        assert_eq!(
            denied(
                "DELETE FROM loans WHERE book = $1 AND NOT EXISTS (SELECT 1 FROM marks WHERE book = $1)"
            ),
            Some(vec![
                "NOT EXISTS (SELECT 1 FROM marks WHERE book = (loans.book))".to_owned()
            ])
        );
        assert_eq!(
            denied(
                "SELECT 1 FROM loans l WHERE l.book = $1 AND NOT EXISTS (SELECT 1 FROM marks m WHERE m.book = $1 AND m.by = $2)"
            ),
            Some(vec![])
        );
        assert_eq!(
            denied(
                "SELECT 1 FROM loans WHERE book = $1 AND NOT EXISTS (SELECT 1 FROM marks WHERE book = $1)"
            ),
            Some(vec![])
        );
    }

    #[test]
    fn what_has_no_relations_of_its_own_is_left_alone() {
        for sql in [
            "SELECT $1::int",
            "SELECT 1 FROM f($1)",
            "SELECT 1 FROM (SELECT lang, count(*) FROM books WHERE id = $1 GROUP BY 1) b",
            "SELECT 1 FROM books WHERE id = $1 UNION SELECT 2",
            "INSERT INTO books VALUES ($1)",
        ] {
            assert_eq!(shown(sql), None, "{sql}");
        }
    }
}
