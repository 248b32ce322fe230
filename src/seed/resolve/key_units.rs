//! What tells the rows of a unique index apart: columns, and foreign keys as a whole.

use std::collections::BTreeSet;

use super::Resolver;
use super::key_columns::capacity;
use super::rows::is_unique_within;
use super::table::TableDraft;
use crate::schema::{ForeignKey, Index, IndexKey, KeyPart};
use crate::seed::expression::Expression;
use crate::seed::plan::Generator;

/// What varies as one: a column, or all columns of a foreign key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unit {
    Column(usize),
    Link(usize),
}

/// Columns of an index, also those inside expressions, as what varies together.
pub(super) fn units_of(draft: &TableDraft<'_>, index: &Index) -> BTreeSet<Unit> {
    let units =
        columns_of(draft, index)
            .into_iter()
            .map(|column| match &draft.columns[column].generator {
                Generator::Parent { link, .. } => Unit::Link(*link),
                _ => Unit::Column(column),
            });
    units.collect()
}

/// Columns of an index whose values tell its entries apart: of an expression those that it keeps (`lower(email)`), and not
/// those that it cuts off (`left(name, 1)`), where there are others.
pub(super) fn columns_of(draft: &TableDraft<'_>, index: &Index) -> Vec<usize> {
    let (mut kept, mut all) = (Vec::new(), Vec::new());
    for key in &index.keys {
        match expression_of(draft, key) {
            KeyExpression::Column(name) => {
                kept.push(name.to_owned());
                all.push(name.to_owned());
            }
            // `(version IS NOT NULL)`: the same for all rows, of which there is one.
            KeyExpression::Of(Expression::IsNull { .. }) | KeyExpression::Unknown => {}
            KeyExpression::Of(expression) => {
                add_kept(&expression, &mut kept);
                let cut = units_cut_off(&expression);
                kept.extend(cut.into_iter().map(|(name, _)| name));
                expression.columns(&mut all);
            }
        }
    }
    let positions = |names: &[String]| -> Vec<usize> {
        names
            .iter()
            .filter_map(|name| draft.position(name))
            .collect()
    };
    match positions(&kept) {
        none if none.is_empty() => positions(&all),
        kept => kept,
    }
}

/// What a part of an index's key is computed of.
enum KeyExpression<'k> {
    Column(&'k str),
    Of(Expression),
    Unknown,
}

/// A generated column is unique where what it is made of is.
fn expression_of<'k>(draft: &TableDraft<'_>, key: &'k IndexKey) -> KeyExpression<'k> {
    let text = match &key.part {
        KeyPart::Column(name) => {
            let column = draft.table.column(name);
            match column.and_then(|column| column.generated.as_ref()) {
                Some(generated) => generated,
                None => return KeyExpression::Column(name),
            }
        }
        KeyPart::Expression(text) => text,
    };
    Expression::parse(text).map_or(KeyExpression::Unknown, KeyExpression::Of)
}

/// Whether a part of an index's key is computed, and may give NULLs a value (`coalesce`).
pub(super) fn is_computed(draft: &TableDraft<'_>, index: &Index) -> bool {
    index
        .keys
        .iter()
        .any(|key| !matches!(expression_of(draft, key), KeyExpression::Column(_)))
}

/// Times that an index cuts off to days, months and the like, each with the least distance of two that it tells apart.
pub(super) fn grains_of(draft: &TableDraft<'_>, index: &Index) -> Vec<(usize, i64)> {
    let expressions = index
        .keys
        .iter()
        .filter_map(|key| match expression_of(draft, key) {
            KeyExpression::Of(expression) => Some(expression),
            KeyExpression::Column(_) | KeyExpression::Unknown => None,
        });
    expressions
        .flat_map(|expression| units_cut_off(&expression))
        .filter_map(|(name, micros)| Some((draft.position(&name)?, micros)))
        .collect()
}

/// Adds the columns that an expression shows in full: of two rows that differ in one of them alone it differs, too.
fn add_kept(expression: &Expression, kept: &mut Vec<String>) {
    match expression {
        Expression::Column(name) => kept.push(name.clone()),
        Expression::Cast { of, to } if !matches!(to.as_str(), "date" | "boolean") => {
            add_kept(of, kept);
        }
        Expression::Call { name, arguments } => match name.as_str() {
            // What comes after the first argument counts where that one is NULL.
            "coalesce" | "nullif" => arguments.iter().take(1).for_each(|of| add_kept(of, kept)),
            "timezone" => arguments.iter().skip(1).for_each(|of| add_kept(of, kept)),
            name if CUTTING.contains(&name) => {}
            _ => arguments.iter().for_each(|of| add_kept(of, kept)),
        },
        Expression::Infix {
            operator,
            left,
            right,
        } if KEEPING.contains(&operator.as_str()) => {
            add_kept(left, kept);
            add_kept(right, kept);
        }
        Expression::Prefix { operator, of } if operator == "-" => add_kept(of, kept),
        Expression::Array(items) | Expression::Row(items) => {
            items.iter().for_each(|item| add_kept(item, kept));
        }
        Expression::Case {
            arms, otherwise, ..
        } => {
            arms.iter().for_each(|(_, then)| add_kept(then, kept));
            otherwise.iter().for_each(|of| add_kept(of, kept));
        }
        _ => {}
    }
}

/// Operators whose value is another one where one side is.
const KEEPING: &[&str] = &["||", "+", "-", "->", "->>", "#>", "#>>"];

/// Functions that give several arguments one value.
const CUTTING: &[&str] = &[
    "abs",
    "array_length",
    "cardinality",
    "ceil",
    "ceiling",
    "char_length",
    "date",
    "date_bin",
    "date_part",
    "date_trunc",
    "extract",
    "floor",
    "greatest",
    "least",
    "left",
    "length",
    "mod",
    "octet_length",
    "regexp_replace",
    "replace",
    "right",
    "round",
    "sign",
    "split_part",
    "strpos",
    "substr",
    "substring",
    "to_char",
    "trunc",
];

/// Columns that an expression cuts off to a unit of time (`date_trunc('month', at)`, `at::date`), each with the microseconds
/// after which the unit is surely another one.
fn units_cut_off(expression: &Expression) -> Vec<(String, i64)> {
    const DAY: i64 = 86_400_000_000;
    let mut found = Vec::new();
    expression.visit(&mut |inner| {
        let (of, unit) = match inner {
            Expression::Cast { of, to } if to == "date" => (&**of, "day".to_owned()),
            Expression::Call { name, arguments } => match (name.as_str(), arguments.as_slice()) {
                ("date", [of]) => (of, "day".to_owned()),
                ("date_trunc", [unit, of, ..]) => match unit.literal() {
                    Some(unit) => (of, unit.to_lowercase()),
                    None => return,
                },
                _ => return,
            },
            _ => return,
        };
        let micros = match unit.as_str() {
            "second" => 1_000_000,
            "minute" => 60_000_000,
            "hour" => 3_600_000_000,
            "day" => DAY,
            "week" => 7 * DAY,
            "month" => 31 * DAY,
            "quarter" => 92 * DAY,
            "year" => 366 * DAY,
            _ => return,
        };
        let mut names = Vec::new();
        of.columns(&mut names);
        if let [name] = names.as_slice() {
            found.push((name.clone(), micros));
        }
    });
    found
}

impl Resolver<'_> {
    /// What tells an index's rows apart: a foreign key of which it holds some columns only (a tenant, of a row of the
    /// tenant's) does not, where the others can alone.
    pub(super) fn telling_apart(&self, draft: &TableDraft<'_>, index: &Index) -> BTreeSet<Unit> {
        let units = units_of(draft, index);
        let columns = columns_of(draft, index);
        let named = |name: &String| {
            columns
                .iter()
                .any(|column| draft.columns[*column].column.name == *name)
        };
        let whole = |unit: &Unit| {
            let Unit::Link(link) = unit else { return true };
            let of_link = &draft.link_columns[*link];
            let is_its = |key: &&ForeignKey| {
                let positions: Option<Vec<usize>> = key
                    .columns
                    .iter()
                    .map(|name| draft.position(name))
                    .collect();
                positions.as_ref() == Some(of_link)
            };
            let Some(key) = draft.table.foreign_keys.iter().find(is_its) else {
                return true;
            };
            let pairs = key
                .columns
                .iter()
                .zip(&key.referenced_columns)
                .filter(|(own, _)| named(own));
            let referenced: Vec<String> = pairs.map(|(_, to)| to.clone()).collect();
            let parent = self.schema.table_by_oid(key.references);
            referenced.len() == key.columns.len()
                || parent.is_none_or(|parent| {
                    parent
                        .indexes
                        .iter()
                        .any(|index| is_unique_within(index, &referenced))
                })
        };
        let strong: BTreeSet<Unit> = units.iter().filter(|unit| whole(unit)).copied().collect();
        let alone = |unit: &Unit| match unit {
            Unit::Column(column) => {
                !draft.columns[*column].fixed && capacity(draft, *column) >= draft.rows
            }
            Unit::Link(_) => false,
        };
        if strong.len() < units.len() && strong.iter().any(alone) {
            strong
        } else {
            units
        }
    }
}
