//! Subqueries and CTEs without what they ask of parameters, and with a column more for each expression that a parameter is compared
//! with, so that the statement around them sees which row it is. Builds text; runs nothing.

use std::ops::Range;

use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::super::names::unquote_lower;
use super::super::tree::{span_of, table_alias};
use super::comparisons::Reader;
use super::sought::Sought;
use super::{Compared, Parts, conjuncts, has_parameters, of_parts};

/// A place in the statement's text, and what stands there instead.
pub(super) type Edit = (Range<usize>, String);

/// What the parts of one statement share.
pub(super) struct Scope<'a> {
    pub(super) sql: &'a str,
    /// CTEs that have columns more than they were written with.
    parameterized: Vec<ParameterizedCte>,
    /// Numbers the subqueries of conditions.
    sought: usize,
    /// Numbers the columns that are added.
    columns: usize,
}

/// A CTE with columns that say what its parameters are compared with.
struct ParameterizedCte {
    name: String,
    /// The expressions are its columns' names.
    columns: Vec<Compared>,
}

impl<'a> Scope<'a> {
    pub(super) fn new(sql: &'a str) -> Self {
        Self {
            sql,
            parameterized: Vec::new(),
            sought: 0,
            columns: 0,
        }
    }

    pub(super) fn next_sought(&mut self) -> usize {
        self.sought += 1;
        self.sought - 1
    }

    /// Whether a node has a parameter, or reads a CTE that has one.
    pub(super) fn is_parameterized(&self, node: &SyntaxNode) -> bool {
        has_parameters(node)
            || node
                .descendants()
                .filter_map(ast::RelationFromItem::cast)
                .any(|item| self.parameterized_cte(&item).is_some())
    }

    fn parameterized_cte(&self, item: &ast::RelationFromItem) -> Option<&ParameterizedCte> {
        let name = item.relation_name_ref()?.syntax().text().to_string();
        let name = unquote_lower(name.trim());
        self.parameterized.iter().find(|table| table.name == name)
    }

    /// The text of a WITH clause. `None` where one of its queries has parameters and no rows that can be read beforehand.
    pub(super) fn read_with(&mut self, with: &ast::WithClause) -> Option<String> {
        let mut edits = Vec::new();
        for table in with.with_tables() {
            let query = table.query()?;
            let (edit, columns) = match &query {
                ast::WithQuery::Update(update) => {
                    self.written(&Parts::of_update(update)?, update.returning_clause())?
                }
                ast::WithQuery::Delete(delete) => {
                    self.written(&Parts::of_delete(delete)?, delete.returning_clause())?
                }
                ast::WithQuery::Insert(_) | ast::WithQuery::Merge(_) => return None,
                other if !self.is_parameterized(other.syntax()) => continue,
                ast::WithQuery::Select(select) => self.block(select)?,
                ast::WithQuery::CompoundSelect(compound) => {
                    let first = arms(compound.syntax()).into_iter().next()?;
                    let (edits, columns) = self.block(&first)?;
                    let arm = edited(self.sql, span_of(first.syntax()), edits);
                    (vec![(span_of(compound.syntax()), arm)], columns)
                }
                ast::WithQuery::ParenSelect(_)
                | ast::WithQuery::Table(_)
                | ast::WithQuery::Values(_) => return None,
            };
            if let (false, Some(list)) = (columns.is_empty(), table.column_list()) {
                let end = span_of(list.syntax()).end - 1;
                let names = columns
                    .iter()
                    .map(|column| format!(", {}", column.expression));
                edits.push((end..end, names.collect()));
            }
            edits.extend(edit);
            let name = table.name()?.syntax().text().to_string();
            self.parameterized.push(ParameterizedCte {
                name: unquote_lower(name.trim()),
                columns,
            });
        }
        self.parameterized.retain(|table| !table.columns.is_empty());
        Some(format!(
            "{} ",
            edited(self.sql, span_of(with.syntax()), edits)
        ))
    }

    /// `UPDATE … RETURNING …` and its like as the rows that it changes.
    fn written(
        &mut self,
        parts: &Parts,
        returning: Option<ast::ReturningClause>,
    ) -> Option<(Vec<Edit>, Vec<Compared>)> {
        let joined = of_parts(parts, self)?;
        let list = returning.and_then(|clause| clause.target_list());
        let list = list.map(|list| self.sql[span_of(list.syntax())].to_owned());
        let mut text = format!("SELECT {}", list.unwrap_or_default());
        let mut columns = Vec::new();
        for compared in joined.compared {
            let name = self.column_name();
            let comma = if text.ends_with("SELECT ") { "" } else { ", " };
            text.push_str(&format!("{comma}({}) AS {name}", compared.expression));
            columns.push(Compared {
                expression: name,
                ..compared
            });
        }
        text.push_str(&format!(" FROM {}", joined.from));
        if !joined.conditions.is_empty() {
            text.push_str(&format!(" WHERE ({})", joined.conditions.join(") AND (")));
        }
        Some((vec![(span_of(&parts.block), text)], columns))
    }

    fn column_name(&mut self) -> String {
        self.columns += 1;
        format!("asked_{}", self.columns - 1)
    }

    /// What changes in the text of a subquery: its WHERE without parameters, a column more for what each is compared with, by
    /// which it groups where it does, and neither DISTINCT ON nor LIMIT, which are meant for the rows of one value. `None` where it
    /// has no FROM or a WITH of its own.
    fn block(&mut self, select: &ast::Select) -> Option<(Vec<Edit>, Vec<Compared>)> {
        if select.with_clause().is_some() {
            return None;
        }
        let sql = self.sql;
        let from = select.from_clause()?;
        let mut inner = Reader::of(select.syntax().clone(), sql);
        let mut edits = inner.changes(from.syntax(), self)?;
        let mut rows_end = span_of(from.syntax()).end;
        let mut kept = Vec::new();
        let condition = select.where_clause().and_then(|clause| clause.expr());
        for conjunct in condition.iter().flat_map(conjuncts) {
            if !self.is_parameterized(conjunct.syntax()) {
                kept.push(sql[span_of(conjunct.syntax())].to_owned());
            } else if let Some(found) = Sought::of(&conjunct, self) {
                inner.compared.extend(found.compared);
                kept.extend(found.condition);
                edits.push((rows_end..rows_end, format!(", {}", found.text)));
            } else {
                inner.read(&conjunct);
            }
        }
        if let Some(condition) = &condition {
            let place = span_of(condition.syntax());
            rows_end = place.end;
            edits.push((place, all_of(&kept)));
        }
        let (mut added, mut keys, mut columns) = (String::new(), Vec::new(), Vec::new());
        for compared in inner.compared {
            let name = self.column_name();
            added.push_str(&format!(", ({}) AS {name}", compared.expression));
            keys.push(format!("({})", compared.expression));
            columns.push(Compared {
                expression: name,
                ..compared
            });
        }
        let list = select.select_clause()?.target_list()?;
        let end = span_of(list.syntax()).end;
        edits.push((end..end, added));
        match select.group_by_clause() {
            Some(clause) if !keys.is_empty() => {
                let end = span_of(clause.syntax()).end;
                edits.push((end..end, format!(", {}", keys.join(", "))));
            }
            None if !keys.is_empty() && aggregates(list.syntax()) => {
                edits.push((rows_end..rows_end, format!(" GROUP BY {}", keys.join(", "))));
            }
            Some(_) | None => {}
        }
        edits.extend(self.of_one_value(select));
        Some((edits, columns))
    }

    /// The clauses that are meant for the rows of one value, taken out.
    fn of_one_value(&self, select: &ast::Select) -> Vec<Edit> {
        let own = Reader::of(select.syntax().clone(), self.sql);
        let below = select.syntax().descendants();
        let clauses = below.filter(|node| match node.kind() {
            SyntaxKind::LIMIT_CLAUSE | SyntaxKind::OFFSET_CLAUSE | SyntaxKind::FETCH_CLAUSE => {
                own.is_own(node)
            }
            SyntaxKind::LOCKING_CLAUSE => own.is_own(node),
            SyntaxKind::HAVING_CLAUSE => own.is_own(node) && has_parameters(node),
            SyntaxKind::DISTINCT_CLAUSE => {
                own.is_own(node)
                    && node
                        .descendants()
                        .any(|below| below.kind() == SyntaxKind::DISTINCT_ON)
            }
            _ => false,
        });
        clauses
            .map(|node| (span_of(&node), String::new()))
            .collect()
    }
}

impl Reader<'_> {
    /// What follows FROM, with what ON, subqueries and CTEs ask of parameters left out. `None` where one of them cannot be read.
    pub(super) fn relations(&mut self, from: &SyntaxNode, scope: &mut Scope<'_>) -> Option<String> {
        let edits = self.changes(from, scope)?;
        let text = edited(scope.sql, span_of(from), edits);
        let keyword = text.find(char::is_whitespace)?;
        Some(text[keyword..].trim().to_owned())
    }

    /// What changes in the text of a FROM clause.
    fn changes(&mut self, from: &SyntaxNode, scope: &mut Scope<'_>) -> Option<Vec<Edit>> {
        let sql = scope.sql;
        let mut edits: Vec<Edit> = Vec::new();
        for clause in from.descendants().filter_map(ast::OnClause::cast) {
            if !self.is_own(clause.syntax()) || !has_parameters(clause.syntax()) {
                continue;
            }
            let condition = clause.expr()?;
            let mut kept = Vec::new();
            for conjunct in conjuncts(&condition) {
                if has_parameters(conjunct.syntax()) {
                    self.read(&conjunct);
                } else {
                    kept.push(sql[span_of(conjunct.syntax())].to_owned());
                }
            }
            edits.push((span_of(condition.syntax()), all_of(&kept)));
        }
        let own: Vec<SyntaxNode> = from
            .descendants()
            .filter(|item| self.is_own(item))
            .collect();
        for item in own {
            if let Some(relation) = ast::RelationFromItem::cast(item.clone()) {
                let Some(cte) = scope.parameterized_cte(&relation) else {
                    continue;
                };
                let alias = alias_of(&item).unwrap_or_else(|| cte.name.clone());
                let columns = cte.columns.iter().map(|column| Compared {
                    expression: format!("{alias}.{}", column.expression),
                    ..column.clone()
                });
                self.compared.extend(columns);
            } else if item.kind() == SyntaxKind::PAREN_FROM_ITEM && scope.is_parameterized(&item) {
                let (own, columns) = of_item(&item, scope)?;
                edits.extend(own);
                let alias = alias_of(&item);
                let qualified = |name: &str| {
                    alias
                        .as_ref()
                        .map_or_else(|| name.to_owned(), |alias| format!("{alias}.{name}"))
                };
                self.compared
                    .extend(columns.into_iter().map(|column| Compared {
                        expression: qualified(&column.expression),
                        ..column
                    }));
            }
        }
        Some(edits)
    }
}

/// A subquery among the items of FROM; of `(SELECT … UNION SELECT …)` its first arm stands for it.
fn of_item(item: &SyntaxNode, scope: &mut Scope<'_>) -> Option<(Vec<Edit>, Vec<Compared>)> {
    let query = item.descendants().find(|node| {
        matches!(
            node.kind(),
            SyntaxKind::SELECT | SyntaxKind::COMPOUND_SELECT
        )
    })?;
    if let Some(select) = ast::Select::cast(query.clone()) {
        return scope.block(&select);
    }
    let first = arms(&query).into_iter().next()?;
    let (edits, columns) = scope.block(&first)?;
    let arm = edited(scope.sql, span_of(first.syntax()), edits);
    Some((vec![(span_of(&query), arm)], columns))
}

/// The SELECTs that UNION and its like connect.
pub(super) fn arms(compound: &SyntaxNode) -> Vec<ast::Select> {
    compound
        .children()
        .flat_map(|child| match child.kind() {
            SyntaxKind::SELECT => ast::Select::cast(child).into_iter().collect(),
            SyntaxKind::COMPOUND_SELECT | SyntaxKind::PAREN_SELECT => arms(&child),
            _ => Vec::new(),
        })
        .collect()
}

/// Whether a target list computes one row of many. Functions that are not PostgreSQL's own are taken for ones of a row.
fn aggregates(list: &SyntaxNode) -> bool {
    const AGGREGATES: [&str; 22] = [
        "array_agg",
        "avg",
        "bit_and",
        "bit_or",
        "bool_and",
        "bool_or",
        "count",
        "every",
        "json_agg",
        "json_object_agg",
        "jsonb_agg",
        "jsonb_object_agg",
        "max",
        "min",
        "percentile_cont",
        "percentile_disc",
        "mode",
        "string_agg",
        "sum",
        "stddev",
        "variance",
        "xmlagg",
    ];
    let calls = list.descendants().filter_map(ast::CallExpr::cast);
    calls
        .filter(|call| call.over_clause().is_none())
        .filter_map(|call| call.expr())
        .any(|function| {
            let name = function.syntax().text().to_string().to_lowercase();
            AGGREGATES.contains(&name.trim().trim_start_matches("pg_catalog."))
        })
}

/// Conditions as one; none is always true.
fn all_of(conditions: &[String]) -> String {
    match conditions {
        [] => "true".to_owned(),
        [only] => only.clone(),
        several => format!("({})", several.join(") AND (")),
    }
}

fn alias_of(item: &SyntaxNode) -> Option<String> {
    let name = table_alias(item)?;
    Some(name.text().to_string().trim().to_owned())
}

/// A part of a text with its changes; those at one place in their order.
pub(super) fn edited(text: &str, whole: Range<usize>, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|(place, _)| place.start);
    let mut result = String::new();
    let mut done = whole.start;
    for (place, replacement) in edits {
        // What lies within a part that is gone is gone with it.
        if place.start < done {
            continue;
        }
        result.push_str(&text[done..place.start]);
        result.push_str(&replacement);
        done = place.end;
    }
    result.push_str(&text[done..whole.end]);
    result
}
