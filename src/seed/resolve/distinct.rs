//! `distinct = N` of numbers and times: so many and no fewer, as far as the range has them.

use super::table::TableDraft;
use crate::seed::infer::values::source_range;
use crate::seed::plan::{Draw, Generator, ScalarSource};
use crate::seed::random::Permutation;

/// Where a value comes less often than this on average, some of the values would not come at all by chance.
const OFTEN: u64 = 32;
/// Of more values than this share of the range two would be alike often enough to be missed.
const CROWDED: u64 = 200;

/// Tells the values of every column with a `distinct` apart; says which cannot have as many.
pub(super) fn tell_apart(draft: &mut TableDraft<'_>, notes: &mut Vec<String>) {
    let (rows, table) = (draft.rows, draft.table);
    for column in &mut draft.columns {
        let Some(wanted) = column.spec.and_then(|spec| spec.distinct) else {
            continue;
        };
        if matches!(
            column.draw,
            Draw::Dependent { .. } | Draw::Row | Draw::Every { .. } | Draw::Following { .. }
        ) {
            continue;
        }
        if let Generator::Scalar(scalar) = &mut column.generator
            && scalar.bounds.is_empty()
            && scalar.grain == 1
        {
            let (low, high) = source_range(scalar);
            let (low, high) = (low.max(scalar.hard.0), high.min(scalar.hard.1));
            let room = (high.saturating_sub(low).max(0) as u64).saturating_add(1);
            let each = Some(Permutation::new(column.key.derive("distinct"), room));
            match &mut scalar.source {
                ScalarSource::Range { .. }
                | ScalarSource::LowHeavy { .. }
                | ScalarSource::Placed { .. }
                    if room < wanted =>
                {
                    notes.push(format!(
                        "{table}: column {name} has {room} different values and not {wanted}: no more lie in its range",
                        table = table.name,
                        name = column.column.name,
                    ));
                    scalar.source = ScalarSource::Range {
                        low,
                        high,
                        unique: None,
                    };
                    column.draw = Draw::Row;
                    continue;
                }
                ScalarSource::Range { .. } => {
                    scalar.source = ScalarSource::Range {
                        low,
                        high,
                        unique: each,
                    }
                }
                // Small values would be alike; where there is room enough hardly any are.
                ScalarSource::LowHeavy { .. } if wanted.saturating_mul(wanted) > room / CROWDED => {
                    scalar.source = ScalarSource::Range {
                        low,
                        high,
                        unique: each,
                    };
                }
                ScalarSource::Placed { rows, unique, .. } => {
                    *rows = wanted;
                    *unique = true;
                }
                ScalarSource::LowHeavy { .. }
                | ScalarSource::Sequence { .. }
                | ScalarSource::Listed { .. }
                | ScalarSource::Mixed { .. }
                | ScalarSource::Histogram { .. }
                | ScalarSource::Shape(_)
                | ScalarSource::Ordinal { .. }
                | ScalarSource::Digit { .. }
                | ScalarSource::After { .. }
                | ScalarSource::Slot { .. } => {}
            }
        }
        if let Draw::Uniform { distinct } = column.draw
            && rows < distinct.saturating_mul(OFTEN)
        {
            column.draw = Draw::Every {
                order: Permutation::new(column.key.derive("every"), rows.max(1)),
                distinct,
            };
        }
    }
}
