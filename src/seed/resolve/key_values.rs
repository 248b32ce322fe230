//! The values that a foreign key's columns show: constants, the parent's own, and how often each comes.

use super::Resolver;
use super::links::Key;
use super::table::TableDraft;
use crate::schema::ForeignKey;
use crate::seed::expression::Expression;
use crate::seed::plan::{LinkChoice, Weights};
use crate::seed::types::{ScalarEncoding, TypeClass, literal};
use crate::seed::wishes;

/// A referenced column, as a position in the parent's plan, and its value.
pub(super) struct Constant {
    pub(super) position: usize,
    pub(super) cell: Box<[u8]>,
}

impl<'a> Resolver<'a> {
    /// How a parent's value is written where the two columns count in different types (a bigint that names an integer).
    pub(super) fn recode(
        &self,
        class: &TypeClass,
        parent: usize,
        position: usize,
    ) -> Option<ScalarEncoding> {
        let TypeClass::Scalar(encoding) = class.base() else {
            return None;
        };
        let table = self.ordered[parent];
        let spec = self.specs.get(&table.oid).copied();
        let column = super::table::written_columns(self.schema, table, spec).nth(position)?;
        let of_parent = crate::seed::types::classify(self.schema, &column.data_type);
        (*of_parent.base() != TypeClass::Scalar(*encoding)).then_some(*encoding)
    }

    /// Weights that the spec gives a key's values, where something else decides how often each comes.
    pub(super) fn note_unobeyed_weights(&mut self, draft: &TableDraft<'a>, key: &Key<'_>) {
        let said = key.columns.iter().find(|column| {
            let said = draft.columns[**column]
                .spec
                .and_then(wishes::values)
                .unwrap_or_default();
            said.windows(2).any(|pair| pair[0].1 != pair[1].1)
        });
        if let Some(column) = said {
            let (table, name) = (&draft.table.name, &draft.columns[*column].column.name);
            self.plan.notes.push(format!(
                "{table}: the weights of {name}'s values are not obeyed, because a unique key, or rows that are counted by \
                 their parents, decide how often each comes"
            ));
        }
    }

    /// How often each of the values comes that the spec says for a key's column; the key has to be free to obey.
    pub(super) fn said_shares(&self, draft: &TableDraft<'a>, key: &Key<'_>) -> Option<LinkChoice> {
        let (column, position, said) =
            key.columns
                .iter()
                .zip(&key.positions)
                .find_map(|(column, position)| {
                    draft.columns[*column]
                        .spec
                        .and_then(wishes::values)
                        .map(|said| (*column, *position, said))
                })?;
        if said.windows(2).all(|pair| pair[0].1 == pair[1].1) {
            return None;
        }
        let class = &draft.columns[column].class;
        let kinds = said.iter().filter_map(|(value, weight)| {
            let cell = literal::cell(class, value)?;
            let rows = self.rows_where(key.parent, position, |other| *other == *cell)?;
            (!rows.is_empty()).then_some((*weight, rows))
        });
        let (weights, rows): (Vec<f64>, Vec<Box<[u64]>>) = kinds.unzip();
        (rows.len() > 1).then(|| LinkChoice::Listed {
            weights: Weights::new(&weights),
            rows: rows.into(),
        })
    }
}

/// The one column of a key that is generated from a constant: its place among the key's columns, and what it holds.
pub(super) fn generated_constant(
    draft: &TableDraft<'_>,
    key: &ForeignKey,
) -> Option<(usize, String)> {
    let mut generated = key.columns.iter().enumerate().filter_map(|(at, name)| {
        let expression = draft.table.column(name)?.generated.as_deref()?;
        Some((at, Expression::parse(expression).ok()?.literal()))
    });
    let (at, literal) = generated.next()?;
    literal
        .filter(|_| generated.next().is_none())
        .map(|text| (at, text))
}
