//! What a scan's conditions say of its table: columns that equal something, columns within a range, columns that join.

use crate::catalog::Query;
use crate::plan::condition::{self, Comparison, Expression, ExpressionKind, Quantifier, Test};
use crate::plan::{Node, NodeId, NodeKind, Plan};
use crate::run::Run;
use crate::schema::{DataType, Schema, Table, TypeDefinition};

use super::super::{KeySpec, Part, TRIGRAMS};
use super::ancestors;
use super::cover::{self, Cover};
use super::order::{self, Order};

/// A key part that a condition asks for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Term {
    pub(super) key: KeySpec,
    /// Share of the table's rows that meet it, as statistics have it; `None` where they say nothing.
    pub(super) selectivity: Option<f64>,
    /// The condition, without qualifiers, where it holds for every execution of the query: no parameter, no join.
    pub(super) constant: Option<String>,
}

/// How a scan's table is reached.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Access<'a> {
    /// The table; for a partition its root.
    pub(super) table: &'a Table,
    /// Compared with constants and parameters by `=`.
    pub(super) equal: Vec<Term>,
    /// Compared with other relations' columns by `=`.
    pub(super) joined: Vec<Term>,
    /// Compared by `<`, `>`, a prefix…
    pub(super) range: Vec<Term>,
    /// Each an alternative of an OR that needs an index of its own.
    pub(super) alternatives: Vec<Term>,
    /// Served by GIN: containment, full text, patterns.
    pub(super) contained: Vec<Term>,
    /// Wanted of the rows.
    pub(super) order: Option<Order>,
    /// Rows kept of rows read; `None` without ANALYZE.
    pub(super) kept: Option<f64>,
    /// Set where it fetches many rows by an index.
    pub(super) cover: Option<Cover<'a>>,
    /// Rows that the relations joined to it hand over, over the table's rows: small = reaching it row by row is cheap.
    pub(super) driven_by: Option<f64>,
}

/// Reads a scan; `None` where its table is not known.
pub(super) fn of_scan<'a>(
    query: &Query,
    run: &Run,
    schema: &'a Schema,
    scan: NodeId,
) -> Option<Access<'a>> {
    let plan = &run.plan;
    let node = plan.node(scan);
    let relation = node.relation.as_ref()?;
    let own = schema.table(relation.schema.as_deref(), &relation.name)?;
    let table = schema.root_of(own);
    let alias = relation.alias.as_str();
    let mut access = Access {
        table,
        equal: Vec::new(),
        joined: Vec::new(),
        range: Vec::new(),
        alternatives: Vec::new(),
        contained: Vec::new(),
        order: order::of_scan(plan, scan, alias, own, schema),
        kept: kept(node),
        cover: cover::of_scan(plan, scan, alias, own),
        driven_by: None,
    };
    let reader = Reader {
        query,
        run,
        schema,
        table,
        alias,
    };
    for text in own_conditions(plan, scan) {
        for conjunct in condition::parse(&text).conjuncts() {
            reader.read(conjunct, &mut access);
        }
    }
    for id in ancestors(plan, scan) {
        let above = plan.node(id);
        let texts = [
            &above.conditions.hash,
            &above.conditions.merge,
            &above.conditions.join_filter,
        ];
        for text in texts.into_iter().flatten() {
            let before = access.joined.len();
            for conjunct in condition::parse(text).conjuncts() {
                reader.read(conjunct, &mut access);
            }
            if access.joined.len() > before {
                access.driven_by = access
                    .driven_by
                    .or_else(|| partner_rows(plan, id, scan, table));
            }
        }
    }
    Some(access)
}

/// Index conditions and filters of the scan, a bitmap's index scans included.
fn own_conditions(plan: &Plan, scan: NodeId) -> Vec<String> {
    let mut found = Vec::new();
    let mut todo = vec![scan];
    while let Some(id) = todo.pop() {
        let node = plan.node(id);
        found.extend(
            [&node.conditions.index, &node.conditions.filter]
                .into_iter()
                .flatten()
                .cloned(),
        );
        let below = |child: &&NodeId| {
            matches!(
                plan.node(**child).kind,
                NodeKind::BitmapIndexScan | NodeKind::BitmapAnd | NodeKind::BitmapOr
            )
        };
        if node.kind != NodeKind::BitmapOr {
            todo.extend(node.children.iter().filter(below));
        }
    }
    found
}

fn kept(node: &Node) -> Option<f64> {
    let rows = node.actual?.rows.0;
    let removed = [node.removed.filter, node.removed.index_recheck]
        .into_iter()
        .flatten()
        .map(|rows| rows.0)
        .sum::<f64>();
    let read = rows + removed;
    (read > 0.0).then(|| rows / read)
}

/// Rows of the join's other input over the table's rows.
fn partner_rows(plan: &Plan, join: NodeId, scan: NodeId, table: &Table) -> Option<f64> {
    let below = |top: NodeId| top == scan || ancestors(plan, scan).any(|id| id == top);
    let other = plan
        .node(join)
        .children
        .iter()
        .copied()
        .find(|child| !below(*child))?;
    let actual = plan.node(other).actual?;
    let rows = table.stats.rows.filter(|rows| *rows > 0.0)?;
    Some(actual.rows.0 * actual.loops.max(1.0) / rows)
}

struct Reader<'a> {
    query: &'a Query,
    run: &'a Run,
    schema: &'a Schema,
    table: &'a Table,
    alias: &'a str,
}

impl Reader<'_> {
    fn read(&self, conjunct: &Expression, access: &mut Access<'_>) {
        match &conjunct.kind {
            ExpressionKind::Operator { .. } => {
                if let Some(comparison) = conjunct.comparison(self.alias) {
                    self.read_comparison(conjunct, &comparison, access);
                }
            }
            ExpressionKind::Test {
                operand,
                test: Test::Null,
            } => self.equality(operand, conjunct, None, access),
            // A boolean column alone, or negated.
            ExpressionKind::Column { .. } => self.equality(conjunct, conjunct, Some("t"), access),
            ExpressionKind::Not(operand) if operand.as_column().is_some() => {
                self.equality(operand, conjunct, Some("f"), access);
            }
            ExpressionKind::Or(parts) => parts
                .iter()
                .for_each(|part| self.read_alternative(part, access)),
            _ => {}
        }
    }

    /// One side of an OR: a bitmap of each makes the whole, if each has an index that begins with one of its columns.
    fn read_alternative(&self, part: &Expression, access: &mut Access<'_>) {
        let mut own = Access {
            equal: Vec::new(),
            joined: Vec::new(),
            range: Vec::new(),
            ..access.clone()
        };
        for conjunct in part.conjuncts() {
            if let Some(comparison) = conjunct.comparison(self.alias) {
                self.read_comparison(conjunct, &comparison, &mut own);
            }
        }
        let first = own
            .equal
            .into_iter()
            .next()
            .or_else(|| own.range.into_iter().next());
        first
            .into_iter()
            .for_each(|term| add(&mut access.alternatives, term));
    }

    fn equality(
        &self,
        subject: &Expression,
        conjunct: &Expression,
        value: Option<&str>,
        access: &mut Access<'_>,
    ) {
        if let Some(mut term) = self.term(subject, conjunct) {
            term.selectivity = match value {
                Some(value) => self.equality_share(&term, value),
                None => self.column_stats(&term).map(|stats| stats.null_fraction),
            };
            add(&mut access.equal, term);
        }
    }

    fn read_comparison(
        &self,
        conjunct: &Expression,
        comparison: &Comparison<'_>,
        access: &mut Access<'_>,
    ) {
        let Some(mut term) = self.term(comparison.subject, conjunct) else {
            return;
        };
        let joins = !comparison.other.columns().is_empty();
        let value = match &comparison.other.without_casts().kind {
            ExpressionKind::Constant(Some(text)) => Some(text.as_str()),
            _ => None,
        };
        match (comparison.operator, comparison.quantifier) {
            ("=", _) if joins => add(&mut access.joined, term),
            ("=", Quantifier::One | Quantifier::Any) => {
                term.selectivity = value.and_then(|value| self.equality_share(&term, value));
                add(&mut access.equal, term);
            }
            ("<" | "<=" | ">" | ">=", Quantifier::One) if !joins => add(&mut access.range, term),
            ("~~", Quantifier::One) if value.is_some_and(is_prefix) => {
                term.key.operator_class = Some("text_pattern_ops".to_owned());
                add(&mut access.range, term);
            }
            ("~~" | "~~*" | "~" | "~*", Quantifier::One) if value.is_some_and(has_trigram) => {
                term.key.operator_class = Some(TRIGRAMS.to_owned());
                add(&mut access.contained, term);
            }
            ("@>" | "@@", Quantifier::One)
                if !joins && self.gin_serves(&term, comparison.operator) =>
            {
                add(&mut access.contained, term);
            }
            _ => {}
        }
    }

    fn term(&self, subject: &Expression, conjunct: &Expression) -> Option<Term> {
        let part = part_of(subject, self.table, self.schema)?;
        let constant = self.is_constant(conjunct).then(|| conjunct.unqualified());
        Some(Term {
            key: KeySpec::plain(part),
            selectivity: None,
            constant,
        })
    }

    /// Whether every literal in a condition stands in the query's text as well and is no parameter's value.
    fn is_constant(&self, conjunct: &Expression) -> bool {
        let mut constant = true;
        conjunct.walk(&mut |part| match &part.kind {
            ExpressionKind::Constant(Some(text)) => {
                let is_value = self
                    .run
                    .parameters
                    .iter()
                    .any(|bound| bound.value.as_deref() == Some(text));
                constant &= !is_value && self.query.sql.contains(text.as_str());
            }
            ExpressionKind::Parameter(_) | ExpressionKind::Subplan => constant = false,
            // now() and its like change; an index predicate must not.
            ExpressionKind::Call { .. } => constant = false,
            ExpressionKind::Column { qualifier, .. } => {
                constant &= qualifier
                    .as_deref()
                    .is_none_or(|qualifier| qualifier == self.alias);
            }
            _ => {}
        });
        constant
    }

    fn column_stats(&self, term: &Term) -> Option<&crate::schema::ColumnStats> {
        match &term.key.part {
            Part::Column(name) => self.table.column(name)?.stats.as_ref(),
            Part::Expression(_) => None,
        }
    }

    /// Share of rows that equal a value (or one of an array's).
    fn equality_share(&self, term: &Term, value: &str) -> Option<f64> {
        let stats = self.column_stats(term)?;
        let common: f64 = stats.most_common.iter().map(|(_, share)| share).sum();
        let rows = self.table.stats.rows?;
        let distinct = if stats.distinct < 0.0 {
            -stats.distinct * rows
        } else {
            stats.distinct
        };
        let left = distinct - stats.most_common.len() as f64;
        let other = if left >= 1.0 {
            (1.0 - common - stats.null_fraction).max(0.0) / left
        } else {
            0.0
        };
        let share = |value: &str| {
            stats
                .most_common
                .iter()
                .find(|(known, _)| known == value)
                .map_or(other, |(_, share)| *share)
        };
        match value
            .strip_prefix('{')
            .and_then(|value| value.strip_suffix('}'))
        {
            Some(list) => Some(
                list.split(',')
                    .map(|part| share(part.trim_matches('"')))
                    .sum::<f64>()
                    .min(1.0),
            ),
            None => Some(share(value)),
        }
    }

    /// jsonb and arrays have default GIN classes for `@>`, tsvector for `@@`.
    fn gin_serves(&self, term: &Term, operator: &str) -> bool {
        let type_name = match &term.key.part {
            Part::Column(name) => self
                .table
                .column(name)
                .map(|column| column.data_type.name.as_str()),
            Part::Expression(text) => text.contains("to_tsvector(").then_some("tsvector"),
        };
        match (type_name, operator) {
            (Some(name), "@>") => name == "jsonb" || name.ends_with("[]"),
            (Some(name), "@@") => name == "tsvector",
            _ => false,
        }
    }
}

fn add(terms: &mut Vec<Term>, term: Term) {
    if !terms.iter().any(|other| other.key.part == term.key.part) {
        terms.push(term);
    }
}

/// Three letters or digits in a row, without which trigrams find nothing.
fn has_trigram(pattern: &str) -> bool {
    pattern
        .split(|c: char| !c.is_alphanumeric())
        .any(|word| word.chars().count() >= 3)
}

fn is_prefix(pattern: &str) -> bool {
    !pattern.is_empty() && !pattern.starts_with(['%', '_'])
}

/// What an index would hold for one side of a comparison: the column where the cast around it is Postgres's own (a varchar
/// is compared as text), else the expression. `None` for constants and for columns that are not the table's.
pub(super) fn part_of(subject: &Expression, table: &Table, schema: &Schema) -> Option<Part> {
    let columns = subject.columns();
    if columns.is_empty() || subject.has_subplan() || !subject.parameters().is_empty() {
        return None;
    }
    if !columns.iter().all(|(_, name)| table.column(name).is_some()) {
        return None;
    }
    match &subject.kind {
        ExpressionKind::Column { name, .. } => Some(Part::Column(name.clone())),
        ExpressionKind::Cast { operand, type_name } => match &operand.kind {
            ExpressionKind::Column { name, .. }
                if is_relabelled(&table.column(name)?.data_type, type_name, schema) =>
            {
                Some(Part::Column(name.clone()))
            }
            _ => Some(Part::Expression(subject.unqualified())),
        },
        ExpressionKind::Call { function, .. } if function == "row" => None,
        _ => Some(Part::Expression(subject.unqualified())),
    }
}

/// Whether a cast changes the type's name only: varchar (or a domain over it or over text) read as text.
fn is_relabelled(data_type: &DataType, target: &str, schema: &Schema) -> bool {
    if target != "text" {
        return false;
    }
    if data_type.name.starts_with("character varying") {
        return true;
    }
    match schema
        .user_type(data_type.oid)
        .map(|user_type| &user_type.definition)
    {
        Some(TypeDefinition::Domain { base, .. }) => {
            base.name == "text" || is_relabelled(base, target, schema)
        }
        _ => false,
    }
}
