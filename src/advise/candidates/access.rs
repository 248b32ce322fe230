//! What a scan's conditions say of its table: columns that equal something, columns within a range, columns that join.

use crate::catalog::Query;
use crate::plan::condition::{self, Comparison, Expression, ExpressionKind, Quantifier, Test};
use crate::plan::{Node, NodeId, NodeKind, Plan};
use crate::rules::immutability::{Volatility, volatility};
use crate::rules::own_constants::OwnConstants;
use crate::run::Run;
use crate::schema::{DataType, Schema, Table, TypeDefinition};

use super::super::{IndexSpec, KeySpec, Method, Part, TRIGRAMS};
use super::ancestors;
use super::cover::{self, Cover};
use super::operators;
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

/// A key that an operator class other than the B-tree's default serves.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Special {
    pub(super) method: Method,
    pub(super) key: KeySpec,
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
    /// Served by other methods than a default B-tree: containment, full text, patterns, overlaps.
    pub(super) special: Vec<Special>,
    /// Conditions without a parameter that no key serves (`<>`, NOT IN): an index may leave out the rows that fail them.
    pub(super) left_out: Vec<Term>,
    /// Row comparisons by `<` or `>`: the columns in order.
    pub(super) rows: Vec<Vec<KeySpec>>,
    /// Wanted of the rows.
    pub(super) order: Option<Order>,
    /// Rows kept of rows read; `None` without ANALYZE.
    pub(super) kept: Option<f64>,
    /// Set where it fetches many rows by an index.
    pub(super) cover: Option<Cover<'a>>,
    /// Rows that the relations joined to it hand over, over the table's rows: small = reaching it row by row is cheap.
    pub(super) driven_by: Option<f64>,
}

impl<'a> Access<'a> {
    /// A table of which nothing is asked.
    pub(super) fn bare(table: &'a Table) -> Self {
        Self {
            table,
            equal: Vec::new(),
            joined: Vec::new(),
            range: Vec::new(),
            alternatives: Vec::new(),
            special: Vec::new(),
            left_out: Vec::new(),
            rows: Vec::new(),
            order: None,
            kept: None,
            cover: None,
            driven_by: None,
        }
    }
}

impl Access<'_> {
    /// Whether an index has one column, which the query compares by `=` only.
    pub(super) fn is_for_equality(&self, index: &IndexSpec) -> bool {
        let [key] = index.keys.as_slice() else {
            return false;
        };
        let has = |terms: &[Term]| terms.iter().any(|term| term.key.part == key.part);
        let ordered = self
            .order
            .as_ref()
            .is_some_and(|order| order.keys.iter().any(|ordered| ordered.part == key.part));
        has(&self.equal) && !has(&self.range) && !ordered
    }
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
        kept: kept(node),
        cover: cover::of_scan(plan, scan, alias, own),
        ..Access::bare(table)
    };
    let reader = Reader {
        own: OwnConstants::of(query, run),
        schema,
        table,
        alias,
    };
    access.order = order::of_scan(plan, scan, alias, own, schema).filter(|order| {
        let mut parts = order.keys.iter().map(|key| &key.part);
        parts.all(|part| reader.may_be_indexed(part))
    });
    access.special.extend(reader.nearest(plan, scan));
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
    own: OwnConstants,
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
                    self.read_row(&comparison, access);
                }
            }
            ExpressionKind::Test {
                operand,
                test: Test::Null,
            } => self.equality(operand, conjunct, None, access),
            ExpressionKind::Test {
                operand,
                test: Test::NotNull,
            } => self.not_null(operand, conjunct, access),
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
            ("^@", Quantifier::One) => {
                term.key.operator_class = Some("text_pattern_ops".to_owned());
                add(&mut access.range, term);
            }
            ("~~" | "~~*" | "~" | "~*", Quantifier::One) if value.is_some_and(has_trigram) => {
                term.key.operator_class = Some(TRIGRAMS.to_owned());
                access.special.push(Special {
                    method: Method::Gin,
                    key: term.key,
                });
            }
            ("<>", Quantifier::One | Quantifier::All) if !joins && term.constant.is_some() => {
                add(&mut access.left_out, term);
            }
            (operator, Quantifier::One) if !joins => {
                let classes = self
                    .type_of(&term.key.part)
                    .map_or(&[][..], |name| operators::serving(operator, &name));
                access.special.extend(classes.iter().map(|class| {
                    let mut key = term.key.clone();
                    key.operator_class = class.name.map(str::to_owned);
                    Special {
                        method: class.method,
                        key,
                    }
                }));
            }
            _ => {}
        }
    }

    fn term(&self, subject: &Expression, conjunct: &Expression) -> Option<Term> {
        let part = part_of(subject, self.table, self.schema)?;
        if !self.may_be_indexed(&part) {
            return None;
        }
        let constant = self.is_constant(conjunct).then(|| conjunct.unqualified());
        Some(Term {
            key: KeySpec::plain(part),
            selectivity: None,
            constant,
        })
    }

    /// Whether a condition holds for every execution: every constant in it is the query's own.
    fn is_constant(&self, conjunct: &Expression) -> bool {
        let mut constant = true;
        conjunct.walk(&mut |part| match &part.kind {
            ExpressionKind::Constant(Some(text)) => constant &= self.own.is_own(text),
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

    /// The type of a key's values.
    fn type_of(&self, part: &Part) -> Option<String> {
        let Part::Column(name) = part else {
            let Part::Expression(text) = part else {
                return None;
            };
            return operators::type_of_expression(text).map(str::to_owned);
        };
        let data_type = &self.table.column(name)?.data_type;
        match self
            .schema
            .user_type(data_type.oid)
            .map(|user_type| &user_type.definition)
        {
            Some(TypeDefinition::Domain { base, .. }) => Some(base.name.clone()),
            Some(TypeDefinition::Range(_)) => Some("range".to_owned()),
            Some(_) | None => Some(data_type.name.clone()),
        }
    }

    /// Whether an index may hold a key: an expression that never changes, and that is the same for every parameter's value.
    fn may_be_indexed(&self, part: &Part) -> bool {
        let Part::Expression(text) = part else {
            return true;
        };
        let expression = condition::parse(text);
        self.own.holds_for_every_value(&expression)
            && volatility(&expression, Some(self.table)) != Volatility::Changing
    }

    /// `ORDER BY column <-> value`: an index that hands rows out by their distance.
    fn nearest(&self, plan: &Plan, scan: NodeId) -> Option<Special> {
        let distance = order::nearest_first(plan, scan)?;
        let comparison = match &distance.kind {
            ExpressionKind::Operator {
                operator,
                left: Some(left),
                right,
                ..
            } if operator == "<->" => [left.as_ref(), right.as_ref()],
            _ => return None,
        };
        let mut sides = comparison.into_iter();
        let part = sides.find_map(|side| part_of(side, self.table, self.schema))?;
        if !self.may_be_indexed(&part) {
            return None;
        }
        let class = operators::nearest(&self.type_of(&part)?)?;
        let mut key = KeySpec::plain(part);
        key.operator_class = class.name.map(str::to_owned);
        Some(Special {
            method: class.method,
            key,
        })
    }

    /// `IS NOT NULL`: a B-tree serves it, and an index may leave the others out.
    fn not_null(&self, operand: &Expression, conjunct: &Expression, access: &mut Access<'_>) {
        let Some(mut term) = self.term(operand, conjunct) else {
            return;
        };
        term.selectivity = self
            .column_stats(&term)
            .map(|stats| 1.0 - stats.null_fraction);
        add(&mut access.left_out, term);
    }

    /// `(a, b) > (1, 2)`: the rows beyond a place in the order of the columns.
    fn read_row(&self, comparison: &Comparison<'_>, access: &mut Access<'_>) {
        let ExpressionKind::Call {
            function,
            arguments,
        } = &comparison.subject.kind
        else {
            return;
        };
        let is_range = matches!(comparison.operator, "<" | "<=" | ">" | ">=");
        if function != "row" || !is_range || !comparison.other.columns().is_empty() {
            return;
        }
        let parts = arguments
            .iter()
            .map(|column| part_of(column, self.table, self.schema));
        let keys: Option<Vec<KeySpec>> = parts.map(|part| part.map(KeySpec::plain)).collect();
        access.rows.extend(keys);
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
