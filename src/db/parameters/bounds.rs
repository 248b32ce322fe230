//! The two bounds of a range, in their order.

use crate::db::explain::TypeKind;

use super::sets::{is_range, other_bound};
use super::{Slot, Wanted};

/// A range whose lower bound is above its upper one holds nothing: two columns' rows may give it so. Then they change places.
pub(super) fn order(slots: &[Slot<'_>], values: &mut [Option<String>]) {
    for i in 0..slots.len() {
        let Some(with) = slots[i]
            .compared
            .as_ref()
            .filter(|with| with.operator.starts_with('>'))
        else {
            continue;
        };
        let Some(other) = other_bound(slots, with).filter(|_| is_range(with)) else {
            continue;
        };
        let are_free = slots[i].wanted == Wanted::Any && slots[other].wanted == Wanted::Any;
        let is_reversed = match (&values[i], &values[other]) {
            (Some(lower), Some(upper)) => is_above(slots[i].info.kind, lower, upper),
            (None, _) | (_, None) => false,
        };
        if are_free && is_reversed {
            values.swap(i, other);
            if slots[i].info.kind == TypeKind::Integer {
                values[other] = narrowed(values[i].as_deref(), values[other].as_deref());
            }
        }
    }
}

/// An upper bound nearer to the lower one: two values of different rows have most of a table between them, and who asks for a
/// range asks for a part of it.
fn narrowed(lower: Option<&str>, upper: Option<&str>) -> Option<String> {
    const PART: i128 = 50;
    let (from, to) = (lower?.parse::<i128>().ok()?, upper?.parse::<i128>().ok()?);
    Some((from + (to - from) / PART).to_string())
}

/// Whether a value is above another one, of the types whose texts can be compared here.
fn is_above(kind: TypeKind, value: &str, other: &str) -> bool {
    match kind {
        TypeKind::Integer | TypeKind::Number => {
            let parsed = value.parse::<f64>().ok().zip(other.parse::<f64>().ok());
            parsed.is_some_and(|(value, other)| value > other)
        }
        // ISO, with the year first.
        TypeKind::Date | TypeKind::Timestamp => value > other,
        TypeKind::Boolean
        | TypeKind::Enum
        | TypeKind::Text
        | TypeKind::Time
        | TypeKind::Interval
        | TypeKind::Uuid
        | TypeKind::Json
        | TypeKind::Network
        | TypeKind::TsQuery
        | TypeKind::TsVector
        | TypeKind::Bytea
        | TypeKind::Other => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_compared_by_what_they_are() {
        assert!(is_above(TypeKind::Integer, "45994", "11541"));
        assert!(!is_above(TypeKind::Integer, "9", "10"));
        assert!(is_above(
            TypeKind::Timestamp,
            "2026-02-01 00:00:00+00",
            "2025-12-01 00:00:00+00"
        ));
        assert!(!is_above(TypeKind::Uuid, "b", "a"));
        let part = narrowed(Some("11541"), Some("45994"));
        assert_eq!(part.as_deref(), Some("12230"));
    }
}
