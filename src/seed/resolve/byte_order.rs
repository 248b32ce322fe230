//! Columns of a type that has an order but no numbers (addresses, UUIDs, bytes), one of which must not come after the other.

use super::bounds::Sum;
use super::table::TableDraft;
use crate::seed::expression::Relation;
use crate::seed::generators::regex::{Letters, Pattern};
use crate::seed::plan::{ColumnPlan, Draw, End, Generator, Nulls, TextSource};

/// Columns without numbers that must be equal, and are made each by itself: another way is better, where there is one.
pub(super) fn are_other_texts(draft: &TableDraft<'_>, sum: &Sum) -> bool {
    let made_alone = |column: usize| {
        let column = &draft.columns[column];
        !matches!(column.generator, Generator::Scalar(_)) && column.choices.is_none()
    };
    sum.relation == Relation::Equal
        && sum.terms.len() > 1
        && sum.terms.iter().all(|(column, _)| made_alone(*column))
}

/// Two columns of a type that has an order but no numbers (addresses, UUIDs, bytes): each takes its end of two values.
pub(super) fn order_bytes(draft: &mut TableDraft<'_>, sum: &Sum) -> bool {
    let ([(first, 1), (second, -1)], None) = (sum.terms.as_slice(), &sum.constant) else {
        return false;
    };
    let (low, high) = match sum.relation {
        Relation::Less | Relation::LessOrEqual => (*first, *second),
        Relation::Greater | Relation::GreaterOrEqual => (*second, *first),
        Relation::Equal | Relation::NotEqual => return false,
    };
    let ordered = |column: usize| {
        let column = &draft.columns[column];
        let kind = match &column.generator {
            Generator::Inet { .. } => 1,
            Generator::Uuid => 2,
            Generator::Mac { .. } => 3,
            Generator::Bytes { .. } => 4,
            Generator::Text(text) if text.unique.is_none() => 5,
            _ => return None,
        };
        let free = !column.fixed && !column.unique && column.arms.is_none();
        let inferred = column.spec.is_none_or(|spec| spec.generator.is_none());
        (free && inferred).then_some(kind)
    };
    if ordered(low).is_none() || ordered(low) != ordered(high) || low == high {
        return false;
    }
    for column in [low, high] {
        plain_text(&mut draft.columns[column].generator);
    }
    let alone = |column: usize| {
        let column = &draft.columns[column];
        ColumnPlan {
            name: column.column.name.clone(),
            data_type: column.column.data_type.clone(),
            key: column.key,
            nulls: Nulls::Never,
            draw: Draw::Row,
            generator: column.generator.clone(),
            choices: None,
            arms: None,
        }
    };
    let (of_low, of_high) = (alone(low), alone(high));
    for (column, other, end) in [(low, of_high, End::Least), (high, of_low, End::Most)] {
        let draft = &mut draft.columns[column];
        draft.draw = Draw::Row;
        let own = std::mem::replace(&mut draft.generator, Generator::Uuid);
        draft.generator = Generator::Extreme {
            own: Box::new(own),
            other: Box::new(other),
            end,
        };
    }
    true
}

/// Texts of one length in small letters have the same order in every collation.
fn plain_text(generator: &mut Generator) {
    if let Generator::Text(text) = generator
        && matches!(text.source, TextSource::Registered(_))
    {
        let length = match text.max_chars {
            0 => 10,
            most => most.min(10),
        };
        if let Ok(pattern) = Pattern::new(&format!("[a-z]{{{length}}}"), Letters::AsTheyAre) {
            text.source = TextSource::Pattern(Box::new(pattern));
        }
    }
}
