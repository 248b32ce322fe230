//! Which column each parameter meets, read from the generic plan: through views and aliases, without parsing the
//! statement. Pure.

use crate::plan::condition::{self, Expression, ExpressionKind, Quantifier, Test};
use crate::plan::{Node, NodeId, Plan};
use crate::schema::{Column, Schema, Table};

use super::source::{Place, StoredBy, StoredColumn, places};
use super::unnested::{by_element, unnested};

/// What a statement does with a parameter.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Usage {
    /// Comparisons with something of a table.
    pub comparisons: Vec<ComparedWith>,
    /// Columns that it is stored in.
    pub stored: Vec<StoredIn>,
    /// LIMIT.
    pub limit: bool,
    /// OFFSET.
    pub offset: bool,
    /// In the condition of a list with a LIMIT: the names that it is ordered by.
    pub page: Option<Vec<String>>,
    /// `$1 IS NULL OR …`: NULL means something else than a value.
    pub null_tested: bool,
    /// `$1 = '' OR …`: the empty text means something else than a value.
    pub empty_tested: bool,
    /// It is in some condition, whether or not that names a column.
    pub decides: bool,
}

/// A comparison of a parameter with a column or an expression over one table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ComparedWith {
    /// The relation's name in the query: parameters of one alias meet in one row.
    pub alias: String,
    /// OID of the table; of the root for a partition.
    pub table: u32,
    /// What stands on the table's side, without qualifiers: `customer_id`, `lower(email)`.
    pub expression: String,
    /// Set where it is a plain column.
    pub column: Option<String>,
    /// `=`, `>=`, `~~`, `@>`…, with the table's side on the left.
    pub operator: String,
    /// `= ANY ($1)`.
    pub quantifier: Quantifier,
    /// How the parameter's side is made from the parameter.
    pub wrap: Wrap,
}

/// How a value becomes what is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Wrap {
    /// As it is, or by a function that maps a value of the table's side to itself (`lower`, `trim`, a cast).
    Same,
    /// `'%' || $1 || '%'`: a part of a value.
    Middle,
    /// `$1 || '%'`: a value's beginning.
    Prefix,
    /// `$1 || '/%'`: what stands before a mark.
    Before(char),
    /// `'%@' || $1`: what stands behind a mark.
    After(char),
    /// `plainto_tsquery($1)` and its like: a word.
    Words,
    /// `now() - $1`: a distance.
    Distance,
    /// `now() - $1::text::interval`: a distance as a text.
    Span,
    /// `$1 = ANY (tags)`: an element of the table's array.
    Element,
}

/// A column that a parameter is stored in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredIn {
    /// OID of the table.
    pub table: u32,
    /// Its name.
    pub column: String,
    /// INSERT or UPDATE.
    pub by: StoredBy,
    /// From 0: which of several new rows.
    pub row: usize,
    /// Whether the column holds arrays itself.
    pub is_array: bool,
}

/// Reads the usage of `count` parameters.
pub(super) fn usages(plan: &Plan, sql: &str, count: usize, schema: &Schema) -> Vec<Usage> {
    let empty = Usage {
        comparisons: Vec::new(),
        stored: Vec::new(),
        limit: false,
        offset: false,
        page: None,
        null_tested: false,
        empty_tested: false,
        decides: false,
    };
    let mut usages = vec![empty; count];
    let unnested = unnested(sql);
    for id in plan.ids() {
        for text in conditions(plan.node(id)) {
            let text = by_element(text, &unnested);
            read_condition(plan, &condition::parse(&text), schema, &mut usages);
        }
    }
    for (number, place) in places(sql) {
        let Some(usage) = usages.get_mut(usize::from(number).wrapping_sub(1)) else {
            continue;
        };
        match place {
            Place::Limit => usage.limit = true,
            Place::Offset => usage.offset = true,
            Place::Paged { ordered } => {
                let page = usage.page.get_or_insert_default();
                page.extend(ordered);
            }
            Place::Stored {
                table,
                column,
                by,
                row,
            } => {
                usage
                    .stored
                    .extend(
                        stored_in(&table, &column, schema).map(|(table, column)| StoredIn {
                            table: table.oid,
                            column: column.name.clone(),
                            by,
                            row,
                            is_array: column.data_type.name.ends_with(']'),
                        }),
                    );
            }
        }
    }
    usages
}

fn stored_in<'a>(
    table: &[String],
    column: &StoredColumn,
    schema: &'a Schema,
) -> Option<(&'a Table, &'a Column)> {
    let (name, qualifier) = table.split_last()?;
    let table = schema.table(qualifier.last().map(String::as_str), name)?;
    let column = match column {
        StoredColumn::Named(name) => table.column(name)?,
        StoredColumn::Position(position) => table.columns.get(*position)?,
    };
    Some((table, column))
}

fn conditions(node: &Node) -> impl Iterator<Item = &str> {
    node.conditions
        .iter()
        .map(String::as_str)
        .chain(node.sort_key.iter().map(String::as_str))
}

fn read_condition(plan: &Plan, condition: &Expression, schema: &Schema, usages: &mut [Usage]) {
    for number in condition.parameters() {
        if let Some(usage) = usage_of(usages, number) {
            usage.decides = true;
        }
    }
    condition.walk(&mut |part| match &part.kind {
        ExpressionKind::Not(inner) => {
            // As PostgreSQL prints IS NOT DISTINCT FROM.
            if let Some(equal) = not_distinct(inner) {
                read_comparison(plan, &equal, schema, usages);
            }
        }
        ExpressionKind::Operator { .. } => {
            if let Some(number) = compared_with_nothing(part)
                && let Some(usage) = usage_of(usages, number)
            {
                usage.empty_tested = true;
            }
            read_comparison(plan, part, schema, usages);
        }
        ExpressionKind::Test {
            operand,
            test: Test::Null | Test::NotNull,
        } => {
            if let ExpressionKind::Parameter(number) = operand.without_casts().kind
                && let Some(usage) = usage_of(usages, number)
            {
                usage.null_tested = true;
            }
        }
        _ => {}
    });
}

/// `NOT (a IS DISTINCT FROM b)` as `a = b`.
fn not_distinct(inner: &Expression) -> Option<Expression> {
    let ExpressionKind::Operator {
        operator,
        quantifier,
        left,
        right,
    } = &inner.kind
    else {
        return None;
    };
    (operator == "IS DISTINCT FROM").then(|| Expression {
        text: inner.text.clone(),
        kind: ExpressionKind::Operator {
            operator: "=".to_owned(),
            quantifier: *quantifier,
            left: left.clone(),
            right: right.clone(),
        },
    })
}

/// The parameter of `$1 = ''`.
fn compared_with_nothing(part: &Expression) -> Option<u16> {
    let ExpressionKind::Operator {
        operator,
        left: Some(left),
        right,
        ..
    } = &part.kind
    else {
        return None;
    };
    let is_empty = matches!(&right.without_casts().kind, ExpressionKind::Constant(Some(text)) if text.is_empty());
    match left.without_casts().kind {
        ExpressionKind::Parameter(number) if operator == "=" && is_empty => Some(number),
        _ => None,
    }
}

fn usage_of(usages: &mut [Usage], number: u16) -> Option<&mut Usage> {
    usages.get_mut(usize::from(number).checked_sub(1)?)
}

fn read_comparison(plan: &Plan, part: &Expression, schema: &Schema, usages: &mut [Usage]) {
    let ExpressionKind::Operator {
        operator,
        left: Some(left),
        right,
        quantifier,
    } = &part.kind
    else {
        return;
    };
    if let (Some(lefts), Some(rights)) = (row_of(left), row_of(right)) {
        // `(placed_at, id) < ($1, $2)`: column by column.
        for (left, right) in lefts.iter().zip(rights) {
            let (operator, quantifier) = (operator.clone(), *quantifier);
            let (left, right) = (Some(Box::new(left.clone())), Box::new(right.clone()));
            let kind = ExpressionKind::Operator {
                operator,
                quantifier,
                left,
                right,
            };
            read_comparison(
                plan,
                &Expression {
                    text: part.text.clone(),
                    kind,
                },
                schema,
                usages,
            );
        }
        return;
    }
    if let Some(elements) = listed(right, *quantifier) {
        // `code IN ($1, $2)`: each element is compared by itself.
        for element in elements {
            let kind = ExpressionKind::Operator {
                operator: operator.clone(),
                quantifier: Quantifier::One,
                left: Some(left.clone()),
                right: Box::new(element.clone()),
            };
            let text = part.text.clone();
            read_comparison(plan, &Expression { text, kind }, schema, usages);
        }
        return;
    }
    for (table_side, parameter_side) in [(left, right), (right, left)] {
        let parameters = parameter_side.parameters();
        let [number] = parameters[..] else { continue };
        let keeps_itself = is_coalesced(parameter_side, table_side);
        if !table_side.parameters().is_empty()
            || !(parameter_side.columns().is_empty() || keeps_itself)
        {
            continue;
        }
        let Some((alias, table)) = only_relation(plan, table_side, schema) else {
            continue;
        };
        // `$1 = ANY (tags)`: the parameter is an element of the table's array.
        let element = *quantifier != Quantifier::One && std::ptr::eq(table_side, right);
        let turned = seen_from_columns(part).map(|seen| seen.operator);
        // `$1 LIKE name || '%'`: what the table's side is matches itself.
        let is_text = matches!(operator.as_str(), "~~" | "~~*") && std::ptr::eq(table_side, right);
        let Some(operator) = turned.or((element || keeps_itself || is_text).then_some("=")) else {
            continue;
        };
        let operator = match operator {
            "IS NOT DISTINCT FROM" => "=",
            "IS DISTINCT FROM" => "<>",
            other => other,
        };
        let comparison = ComparedWith {
            table: table.oid,
            expression: table_side.unqualified(),
            column: table_side.as_column().map(|(_, name)| name.to_owned()),
            operator: operator.to_owned(),
            quantifier: if element {
                Quantifier::One
            } else {
                *quantifier
            },
            wrap: if element {
                Wrap::Element
            } else {
                wrap_of(parameter_side, operator)
            },
            alias,
        };
        if let Some(usage) = usage_of(usages, number) {
            usage.null_tested |= keeps_itself;
            if !usage.comparisons.contains(&comparison) {
                usage.comparisons.push(comparison);
            }
        }
    }
}

/// What `ARRAY[…]` after ANY or ALL holds.
fn listed(right: &Expression, quantifier: Quantifier) -> Option<&[Expression]> {
    match &right.without_casts().kind {
        ExpressionKind::Call {
            function,
            arguments,
        } if function == "array" && quantifier != Quantifier::One => Some(arguments),
        _ => None,
    }
}

fn row_of(expression: &Expression) -> Option<&[Expression]> {
    match &expression.kind {
        ExpressionKind::Call {
            function,
            arguments,
        } if function == "row" => Some(arguments),
        _ => None,
    }
}

/// `coalesce($1, status)` compared with `status`: no filter where the parameter is NULL.
fn is_coalesced(parameter_side: &Expression, table_side: &Expression) -> bool {
    let ExpressionKind::Call {
        function,
        arguments,
    } = &parameter_side.without_casts().kind
    else {
        return false;
    };
    let [first, rest @ ..] = &arguments[..] else {
        return false;
    };
    function == "coalesce"
        && matches!(first.without_casts().kind, ExpressionKind::Parameter(_))
        && rest
            .iter()
            .all(|other| other.as_column().is_some() && other.as_column() == table_side.as_column())
}

/// A comparison seen from the relation whose columns are in it.
fn seen_from_columns(part: &Expression) -> Option<condition::Comparison<'_>> {
    let (qualifier, _) = part.columns().first().copied()?;
    part.comparison(qualifier.unwrap_or_default())
}

/// The table that all columns of an expression belong to, and its alias.
fn only_relation<'a>(
    plan: &Plan,
    expression: &Expression,
    schema: &'a Schema,
) -> Option<(String, &'a Table)> {
    let columns = expression.columns();
    let (qualifier, first) = columns.first().copied()?;
    if columns.iter().any(|(other, _)| *other != qualifier) {
        return None;
    }
    let node = plan
        .ids()
        .find(|id| relation_is(plan.node(*id), qualifier, first, schema))
        .or_else(|| {
            // A column of a subquery or CTE: a table below that has a column of this name.
            let scan = plan.ids().find(|id| {
                plan.node(*id)
                    .relation
                    .as_ref()
                    .is_some_and(|r| Some(r.alias.as_str()) == qualifier)
            })?;
            source_of(plan, scan).find(|id| {
                table_of(plan.node(*id), schema).is_some_and(|table| table.column(first).is_some())
            })
        })?;
    let table = table_of(plan.node(node), schema)?;
    columns
        .iter()
        .all(|(_, name)| table.column(name).is_some())
        .then_some(())?;
    let root = schema.root_of(table);
    // Every partition has an alias of its own; the parameters still meet in one row of the root.
    let alias = if root.oid == table.oid {
        qualifier.map_or_else(|| table.name.name.clone(), str::to_owned)
    } else {
        root.name.name.clone()
    };
    Some((alias, root))
}

fn relation_is(node: &Node, qualifier: Option<&str>, column: &str, schema: &Schema) -> bool {
    let Some(relation) = &node.relation else {
        return false;
    };
    qualifier.is_none_or(|qualifier| qualifier == relation.alias)
        && table_of(node, schema).is_some_and(|table| table.column(column).is_some())
}

fn table_of<'a>(node: &Node, schema: &'a Schema) -> Option<&'a Table> {
    let relation = node.relation.as_ref()?;
    schema.table(relation.schema.as_deref(), &relation.name)
}

/// The nodes that a Subquery Scan or CTE Scan reads from.
fn source_of(plan: &Plan, scan: NodeId) -> impl Iterator<Item = NodeId> + '_ {
    let cte = plan.node(scan).cte_name.clone();
    let host = cte.and_then(|name| {
        let wanted = format!("CTE {name}");
        plan.ids()
            .find(|id| plan.node(*id).subplan_name.as_deref() == Some(wanted.as_str()))
    });
    let top = host.unwrap_or(scan);
    plan.ids().filter(move |id| {
        let mut at = Some(*id);
        while let Some(current) = at {
            if current == top {
                return true;
            }
            at = plan.node(current).parent;
        }
        false
    })
}

fn wrap_of(side: &Expression, operator: &str) -> Wrap {
    let starts_with_wildcard = matches!(&first_operand(side).kind, ExpressionKind::Constant(Some(text)) if text.starts_with('%'));
    let concatenated = contains(
        side,
        |kind| matches!(kind, ExpressionKind::Operator { operator, .. } if operator == "||"),
    ) || contains(
        side,
        |kind| matches!(kind, ExpressionKind::Call { function, .. } if function == "concat"),
    );
    let is_pattern = operator.contains("~~");
    let to_query = |kind: &ExpressionKind| matches!(kind, ExpressionKind::Call { function, .. } if function.ends_with("to_tsquery"));
    let arithmetic = |kind: &ExpressionKind| {
        matches!(kind, ExpressionKind::Operator { operator, left: Some(left), .. }
            if matches!(operator.as_str(), "-" | "+") && left.parameters().is_empty() && is_clock(left))
    };
    if is_pattern && concatenated {
        if let Some(wrap) = by_mark(side) {
            wrap
        } else if starts_with_wildcard {
            Wrap::Middle
        } else {
            Wrap::Prefix
        }
    } else if contains(side, to_query) {
        Wrap::Words
    } else if contains(side, arithmetic) && contains(side, is_span) {
        Wrap::Span
    } else if contains(side, arithmetic) {
        Wrap::Distance
    } else {
        Wrap::Same
    }
}

/// A pattern that ends or begins a parameter at a mark: `$1 || '/%'`, `'%@' || $1`.
fn by_mark(side: &Expression) -> Option<Wrap> {
    let mut parts = Vec::new();
    concatenated(side, &mut parts);
    let is_mark = |c: &char| !c.is_alphanumeric() && !matches!(c, '%' | '_' | '\\');
    let (wrap, text): (fn(char) -> Wrap, &str) = match parts.as_slice() {
        [
            ExpressionKind::Parameter(_),
            ExpressionKind::Constant(Some(text)),
        ] => (Wrap::Before, text.strip_suffix('%')?),
        [
            ExpressionKind::Constant(Some(text)),
            ExpressionKind::Parameter(_),
        ] => (Wrap::After, text.strip_prefix('%')?),
        _ => return None,
    };
    let mut characters = text.chars();
    let mark = characters.next().filter(is_mark)?;
    characters.next().is_none().then(|| wrap(mark))
}

/// The operands of `a || b || c` and of `concat(a, b, c)`, in their order.
fn concatenated<'e>(expression: &'e Expression, parts: &mut Vec<&'e ExpressionKind>) {
    match &expression.without_casts().kind {
        ExpressionKind::Operator {
            operator,
            left: Some(left),
            right,
            ..
        } if operator == "||" => {
            concatenated(left, parts);
            concatenated(right, parts);
        }
        ExpressionKind::Call {
            function,
            arguments,
        } if function == "concat" => {
            for argument in arguments {
                concatenated(argument, parts);
            }
        }
        kind => parts.push(kind),
    }
}

/// A parameter that is cast to an interval: it is none itself.
fn is_span(kind: &ExpressionKind) -> bool {
    matches!(kind, ExpressionKind::Cast { operand, type_name }
        if type_name == "interval" && matches!(operand.without_casts().kind, ExpressionKind::Parameter(_)))
}

/// `now()` and its like: what is added to or taken from it is an interval.
fn is_clock(expression: &Expression) -> bool {
    contains(expression, |kind| {
        matches!(kind, ExpressionKind::Call { function, .. }
            if matches!(function.as_str(), "now" | "current_date" | "current_timestamp" | "localtimestamp"
                | "clock_timestamp" | "statement_timestamp" | "transaction_timestamp"))
    })
}

fn contains(expression: &Expression, test: impl Fn(&ExpressionKind) -> bool) -> bool {
    let mut found = false;
    expression.walk(&mut |part| found |= test(&part.kind));
    found
}

fn first_operand(expression: &Expression) -> &Expression {
    match &expression.kind {
        ExpressionKind::Operator {
            left: Some(left), ..
        } => first_operand(left),
        ExpressionKind::Cast { operand, .. } => first_operand(operand),
        ExpressionKind::Call {
            function,
            arguments,
        } if function == "concat" => arguments.first().map_or(expression, first_operand),
        _ => expression,
    }
}
