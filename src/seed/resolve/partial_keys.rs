//! Unique indexes over some rows only: rows are kept out of them where they would leave too few.

use super::table::TableDraft;
use crate::seed::check::{Atom, alternatives};
use crate::seed::expression::Expression;
use crate::seed::infer::values::choice_of;
use crate::seed::plan::Nulls;
use crate::seed::types::{ScalarEncoding, TypeClass};

/// Gives one column only such values that no row meets the predicate; says whether there is such a column. Values are left
/// out, but no column that the predicate requires to be NULL is filled for it: of rows marked as deleted not all are.
pub(super) fn keep_rows_out(draft: &mut TableDraft<'_>, predicate: &str) -> bool {
    let Ok(expression) = Expression::parse(predicate) else {
        return false;
    };
    alternatives(&expression, true)
        .iter()
        .any(|atoms| match atoms.as_slice() {
            [
                Atom::In {
                    column,
                    values,
                    negated,
                },
            ] => {
                let kept = match negated {
                    false => Kept::Listed(values),
                    true => Kept::Others(values),
                };
                keep_values(draft, column, kept)
            }
            [
                Atom::Null {
                    column,
                    negated: false,
                },
            ] => {
                let Some(column) = draft
                    .position(column)
                    .filter(|column| !draft.columns[*column].fixed)
                else {
                    return false;
                };
                let nullable = !matches!(
                    draft.columns[column].nulls,
                    Nulls::Never | Nulls::WithLink(_)
                );
                if nullable {
                    draft.columns[column].nulls = Nulls::Always;
                }
                nullable
            }
            _ => false,
        })
}

/// Which values a column keeps.
#[derive(Clone, Copy)]
enum Kept<'a> {
    Listed(&'a [String]),
    Others(&'a [String]),
}

/// Keeps some of a column's values, where it has a list of them and one is left.
fn keep_values(draft: &mut TableDraft<'_>, column: &str, kept: Kept<'_>) -> bool {
    let Some(position) = draft.position(column) else {
        return false;
    };
    let planned = &mut draft.columns[position];
    let is_bool = matches!(
        planned.class.base(),
        TypeClass::Scalar(ScalarEncoding::Bool)
    );
    let listed = match (&planned.choices, is_bool) {
        (Some(choices), _) => choices.clone(),
        (None, true) => vec![("true".to_owned(), 0.5), ("false".to_owned(), 0.5)],
        (None, false) => return false,
    };
    let normal = |text: &str| match (is_bool, text) {
        (true, "t" | "1") => "true".to_owned(),
        (true, "f" | "0") => "false".to_owned(),
        (_, text) => text.to_owned(),
    };
    let (Kept::Listed(values) | Kept::Others(values)) = kept;
    let values: Vec<String> = values.iter().map(|value| normal(value)).collect();
    let is_kept = |text: &str| match kept {
        Kept::Listed(_) => values.iter().any(|value| value == text),
        Kept::Others(_) => !values.iter().any(|value| value == text),
    };
    let kept: Vec<(String, f64)> = listed
        .into_iter()
        .filter(|(text, weight)| {
            *weight > 0.0 && is_kept(&normal(text)) && planned.facts.allows(&normal(text))
        })
        .collect();
    if planned.fixed || kept.is_empty() {
        return false;
    }
    let Ok(generator) = choice_of(&planned.class, &kept) else {
        return false;
    };
    planned.generator = generator;
    planned.choices = Some(kept);
    true
}
