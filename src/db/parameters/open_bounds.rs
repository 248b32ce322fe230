//! Bounds without a counterpart. Of `created_at > $1` an application asks for what is new, of `expires_at < $1` for what is
//! old, and the bound of a page is any row's; nobody asks for half of a table.

use crate::calendar::days_from_civil;
use crate::db::explain::{ExplainError, TypeKind};
use crate::plan::condition::Quantifier;
use crate::schema::Schema;

use super::group::Group;
use super::sample::{self, End, Tail};
use super::sets::{is_range, other_bound};
use super::uses::{ComparedWith, Usage, Wrap};
use super::values::{Rank, compare};
use super::{Search, Slot, Wanted};

/// How far a call's bound lies from the end of the data that it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// A page's cursor: it stands at any row.
    Page,
    /// A moment: what came, or what ran out, within a day.
    Day,
    /// A key that grows: what follows the last one that was seen.
    Few,
    /// An amount: the largest or smallest ones.
    Tenth,
}

/// The most that a call asks for by a moment or a key, however little time the data spans.
const FEW: f64 = 0.03;
/// What follows the last key that was seen.
const UNSEEN: f64 = 0.01;
/// How an integer's column is called that holds a moment.
const MOMENTS: [&str; 6] = ["_at", "_time", "_ts", "_date", "_on", "timestamp"];

impl Reach {
    /// Of what a parameter is compared with.
    pub(super) fn of(
        schema: &Schema,
        usage: &Usage,
        compared: Option<&ComparedWith>,
        kind: TypeKind,
    ) -> Self {
        let Some(with) = compared else {
            return Self::Tenth;
        };
        let column = with.column.as_deref();
        let is_key = column.is_some_and(|column| leads_a_key(schema, with.table, column));
        let is_ordered = |page: &Vec<String>| match page.is_empty() {
            true => is_key,
            false => column.is_some_and(|column| page.iter().any(|name| name == column)),
        };
        if usage.page.as_ref().is_some_and(is_ordered) {
            return Self::Page;
        }
        match kind {
            TypeKind::Date | TypeKind::Timestamp => Self::Day,
            _ if is_key => Self::Few,
            TypeKind::Integer | TypeKind::Number
                if column.is_some_and(|column| MOMENTS.iter().any(|end| column.ends_with(end))) =>
            {
                Self::Few
            }
            TypeKind::Boolean
            | TypeKind::Integer
            | TypeKind::Number
            | TypeKind::Text
            | TypeKind::Time
            | TypeKind::Interval
            | TypeKind::Uuid
            | TypeKind::Json
            | TypeKind::Network
            | TypeKind::Enum
            | TypeKind::TsQuery
            | TypeKind::TsVector
            | TypeKind::Bytea
            | TypeKind::Other => Self::Tenth,
        }
    }

    /// Which part of the rows a rank asks for.
    fn share(self, rank: Rank) -> f64 {
        match (self, rank) {
            // The first page.
            (Self::Page, Rank::Hot) => 0.95,
            (Self::Page, Rank::Typical) | (_, Rank::Hot) => 0.5,
            (Self::Day, Rank::Typical) => FEW,
            (Self::Few, Rank::Typical) => UNSEEN,
            (Self::Tenth, Rank::Typical) => 0.1,
            (Self::Day | Self::Few, Rank::Rare | Rank::Absent) => 0.0,
            (Self::Page | Self::Tenth, Rank::Rare | Rank::Absent) => 0.01,
        }
    }
}

/// Whether a column is the first one of a unique index.
fn leads_a_key(schema: &Schema, table: u32, column: &str) -> bool {
    schema.table_by_oid(table).is_some_and(|table| {
        let mut keys = table.indexes.iter().filter(|index| index.unique);
        keys.any(|index| index.key_columns().first() == Some(&column))
    })
}

/// Whether a slot is a bound without a counterpart.
pub(super) fn is_open(slots: &[Slot<'_>], slot: &Slot<'_>) -> bool {
    slot.compared.as_ref().is_some_and(|with| {
        is_range(with)
            && with.wrap == Wrap::Same
            && with.quantifier == Quantifier::One
            && other_bound(slots, with).is_none()
    })
}

/// Whether a slot is an open bound, and not the only one of its group: what each leaves has to have something in common.
pub(super) fn are_several(slots: &[Slot<'_>], group: &Group, slot: usize) -> bool {
    let open = group
        .members
        .iter()
        .filter(|(member, _)| is_open(slots, &slots[*member]));
    is_open(slots, &slots[slot]) && open.count() > 1
}

/// Whether a slot is a page's cursor beside another bound: it stands before the rows that this one leaves, on their first page.
pub(super) fn is_page_beside_others(slots: &[Slot<'_>], group: &Group, slot: usize) -> bool {
    let is_of_page = |slot: usize| slots[slot].reach == Reach::Page;
    let mut members = group.members.iter();
    is_of_page(slot)
        && is_open(slots, &slots[slot])
        && members.any(|(other, _)| is_open(slots, &slots[*other]) && !is_of_page(*other))
}

/// Looks up, of each open bound, the value that leaves a day or the last few keys: a sample of some pages has no such end.
///
/// # Errors
/// [`ExplainError`] where the server failed.
pub(super) async fn find_tails(
    search: &mut Search<'_>,
    slots: &mut [Slot<'_>],
) -> Result<(), ExplainError> {
    for i in 0..slots.len() {
        let slot = &slots[i];
        let open = slot.compared.as_ref().filter(|_| is_open(slots, slot));
        let Some(with) = open.filter(|_| !matches!(slot.wanted, Wanted::Fixed(_))) else {
            continue;
        };
        let Some(table) = search.schema.table_by_oid(with.table) else {
            continue;
        };
        let tail = match slot.reach {
            Reach::Day => Tail::Day,
            Reach::Few => Tail::Rows(unseen(sample::table_rows(search.schema, table))),
            Reach::Page | Reach::Tenth => continue,
        };
        let end = match with.operator.starts_with('>') {
            true => End::Last,
            false => End::First,
        };
        let (client, limits) = (search.client, search.limits);
        let found = search
            .sampler
            .tail(client, limits, table, &with.expression, (end, tail))
            .await?;
        slots[i].tail = found;
    }
    Ok(())
}

/// How many keys nobody has seen yet. ANALYZE's count of rows differs a little from one dataset to its equal: the number must not.
fn unseen(rows: f64) -> u64 {
    let order = rows.max(1.0).log2().round().exp2();
    (order * UNSEEN).max(1.0) as u64
}

/// The bound that a call of some rank has, of the values of a sample in their order; at least one of them lies past it, or past
/// `tail`, which the table itself has.
pub(super) fn bound<'v>(
    (reach, tail): (Reach, Option<&'v str>),
    rank: Rank,
    values: &[&'v str],
    with: &ComparedWith,
) -> Option<&'v str> {
    let is_lower = with.operator.starts_with('>');
    let last = values.len().checked_sub(1)?;
    // Counted from the end that is asked for.
    let at = |distance: usize| {
        let distance = distance.min(last);
        values[if is_lower { last - distance } else { distance }]
    };
    let mut distance = (reach.share(rank) * last as f64).round() as usize;
    match (reach, tail.filter(|_| rank == Rank::Typical)) {
        (Reach::Few, Some(tail)) => return Some(tail),
        (Reach::Day, Some(tail)) => {
            let (sampled, order) = (at(distance), compare(tail, at(distance)));
            let is_nearer = if is_lower {
                order.is_gt()
            } else {
                order.is_lt()
            };
            return Some(if is_nearer { tail } else { sampled });
        }
        (Reach::Day, None) if rank == Rank::Typical => {
            distance = distance.min(within_a_day(values, is_lower));
        }
        (Reach::Page | Reach::Day | Reach::Few | Reach::Tenth, _) => {}
    }
    let found = at(distance);
    if with.operator.ends_with('=') || found != at(0) {
        return Some(found);
    }
    // Nothing lies past the last value itself.
    let mut further = (distance..=last).map(at);
    further.find(|value| *value != found).or(Some(found))
}

/// How many values lie within a day of the last one, of those that are moments.
fn within_a_day(values: &[&str], is_lower: bool) -> usize {
    const DAY: i64 = 24 * 60 * 60;
    let moments = || values.iter().filter_map(|value| moment(value));
    let end = match is_lower {
        true => moments().next_back(),
        false => moments().next(),
    };
    let Some(end) = end else {
        return values.len();
    };
    moments()
        .filter(|moment| (end - moment).abs() <= DAY)
        .count()
}

/// Seconds of a timestamp's text, or of a date's; a zone is the same for all values of a column.
fn moment(text: &str) -> Option<i64> {
    let part = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    if text.get(4..5) != Some("-") || text.get(7..8) != Some("-") {
        return None;
    }
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let days = days_from_civil(year, u32::try_from(month).ok()?, u32::try_from(day).ok()?);
    let seconds = match text.len() {
        ..16 => 0,
        _ => part(11, 13)? * 3600 + part(14, 16)? * 60,
    };
    Some(days * 24 * 60 * 60 + seconds)
}

/// Whether a row lies past the open bounds that its group's slots have in an ordinary call.
pub(super) fn holds(
    slots: &[Slot<'_>],
    group: &Group,
    rank: &dyn Fn(usize) -> Rank,
) -> impl Fn(&[Option<String>]) -> bool {
    let mut bounds: Vec<(usize, String, String)> = Vec::new();
    for &(slot, place) in &group.members {
        let of = &slots[slot];
        let Some(with) = of.compared.as_ref().filter(|_| is_open(slots, of)) else {
            continue;
        };
        if is_page_beside_others(slots, group, slot) {
            continue;
        }
        let asked = (of.reach, of.tail.as_deref());
        let found = bound(asked, rank(slot), &group.sorted(place), with);
        bounds.extend(found.map(|bound| (place, with.operator.clone(), bound.to_owned())));
    }
    move |row| {
        bounds.iter().all(|(place, operator, bound)| {
            let value = row.get(*place).and_then(Option::as_deref);
            value.is_some_and(|value| is_past(value, operator, bound))
        })
    }
}

fn is_past(value: &str, operator: &str, bound: &str) -> bool {
    let order = compare(value, bound);
    match operator {
        ">" => order.is_gt(),
        ">=" => order.is_ge(),
        "<" => order.is_lt(),
        _ => order.is_le(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(operator: &str) -> ComparedWith {
        ComparedWith {
            alias: "calls".to_owned(),
            table: 1,
            expression: "at".to_owned(),
            column: Some("at".to_owned()),
            operator: operator.to_owned(),
            quantifier: Quantifier::One,
            wrap: Wrap::Same,
        }
    }

    /// A call every two hours of half a year.
    fn calls() -> Vec<String> {
        let days = (0..180).flat_map(|day| (0..12).map(move |hour| (day, hour * 2)));
        let text = |(day, hour): (i64, i64)| {
            let (month, day) = (1 + day / 30, 1 + day % 30);
            format!("2026-{month:02}-{day:02} {hour:02}:00:00+00")
        };
        days.filter(|(day, _)| day / 30 != 1 || day % 30 < 28)
            .map(text)
            .collect()
    }

    #[test]
    fn a_moment_asks_for_a_day_and_a_page_stands_anywhere() {
        let calls = calls();
        let values: Vec<&str> = calls.iter().map(String::as_str).collect();
        let at =
            |reach, rank, operator: &str| bound((reach, None), rank, &values, &compared(operator));
        let day = |operator| at(Reach::Day, Rank::Typical, operator);
        assert_eq!(day(">"), Some("2026-06-29 20:00:00+00"));
        assert_eq!(day("<="), Some("2026-01-02 02:00:00+00"));
        let page = at(Reach::Page, Rank::Typical, ">").unwrap();
        assert!(page.starts_with("2026-03-") || page.starts_with("2026-04-"));
        // Of little time the day is no more than a few of a hundred.
        let short: Vec<&str> = values[..60].to_vec();
        let found = bound((Reach::Day, None), Rank::Typical, &short, &compared(">")).unwrap();
        assert_eq!(short.iter().filter(|value| **value > found).count(), 2);
        assert!(at(Reach::Day, Rank::Hot, ">").unwrap() < "2026-05");
    }

    #[test]
    fn something_lies_past_every_bound() {
        for values in [
            vec!["7"],
            vec!["7", "7", "7"],
            vec!["1", "7", "7", "7"],
            vec!["infinity", "infinity"],
        ] {
            for reach in [Reach::Page, Reach::Day, Reach::Few, Reach::Tenth] {
                for operator in [">", ">=", "<", "<="] {
                    let with = compared(operator);
                    let found = bound((reach, None), Rank::Typical, &values, &with).unwrap();
                    let past = values.iter().any(|value| is_past(value, operator, found));
                    let is_one_value = values.iter().all(|value| *value == values[0]);
                    assert!(
                        past || (is_one_value && !operator.ends_with('=')),
                        "{values:?} {operator} {found}"
                    );
                }
            }
        }
        assert_eq!(
            bound(
                (Reach::Few, None),
                Rank::Typical,
                &["1", "7", "7"],
                &compared(">")
            ),
            Some("1")
        );
        // The table's own end is nearer than any sampled one.
        let known = (Reach::Day, Some("2026-06-30"));
        let sampled = ["2026-01-01", "2026-03-01", "2026-05-01"];
        assert_eq!(
            bound(known, Rank::Typical, &sampled, &compared(">")),
            Some("2026-06-30")
        );
    }

    #[test]
    fn dates_and_moments_are_read_and_nothing_else() {
        let second = |text| moment(text);
        assert_eq!(
            second("2026-03-01 00:01:00+00").unwrap() - second("2026-03-01").unwrap(),
            60
        );
        assert_eq!(second("infinity"), None);
        assert_eq!(second("12345678901"), None);
    }
}
