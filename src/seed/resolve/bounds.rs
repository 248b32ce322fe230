//! Comparisons between columns of a row: one of the two is made first, the other is kept on its side of it.

use super::Resolver;
use super::columns::{enter, source_range};
use super::table::TableDraft;
use crate::seed::check::facts::{Operand, Relation};
use crate::seed::encode::{DAY, ScalarEncoding, power_of_ten};
use crate::seed::infer::names;
use crate::seed::literal;
use crate::seed::plan::{Bound, Generator, LinkChoice, ScalarSource, Side};

/// A change follows what it changes by this much, on average.
const MEAN_DELAY: i64 = 20 * DAY;

/// `later >= earlier + offset`, or `<>`.
#[derive(Debug, Clone, Copy)]
struct Pair {
    low: usize,
    high: usize,
    offset: i64,
    differs: bool,
}

impl<'a> Resolver<'a> {
    pub(super) fn plan_bounds(&mut self, draft: &mut TableDraft<'a>) {
        let mut pairs = self.written_pairs(draft);
        pairs.extend(implied_pairs(draft));
        for pair in pairs {
            if !bind(draft, pair) {
                let names = [pair.low, pair.high].map(|column| draft.columns[column].column.name.clone());
                self.refuse(
                    &draft.table.name,
                    format!("columns {} and {} must keep an order that neither can follow", names[0], names[1]),
                    format!("write a `min` or `max` for one of them under [tables.{}.columns]", draft.table.name),
                );
            }
        }
    }

    fn written_pairs(&mut self, draft: &TableDraft<'a>) -> Vec<Pair> {
        let mut pairs = Vec::new();
        for comparison in &draft.facts.comparisons {
            let Operand::Column { name, plus } = &comparison.right else { continue };
            let (Some(left), Some(right)) = (draft.position(&comparison.left), draft.position(name)) else { continue };
            let offset = match plus {
                None => Some(0),
                Some(text) => offset_of(draft, left, text),
            };
            let Some(offset) = offset else {
                self.plan.notes.push(format!(
                    "{}: the distance between {} and {name} is not understood and may be violated",
                    draft.table.name, comparison.left
                ));
                continue;
            };
            let pair = |low, high, offset, differs| Pair { low, high, offset, differs };
            match comparison.relation {
                Relation::Greater => pairs.push(pair(right, left, offset + 1, false)),
                Relation::GreaterOrEqual => pairs.push(pair(right, left, offset, false)),
                Relation::Less => pairs.push(pair(left, right, 1 - offset, false)),
                Relation::LessOrEqual => pairs.push(pair(left, right, -offset, false)),
                Relation::NotEqual => pairs.push(pair(right, left, 0, true)),
                Relation::Equal => {
                    pairs.extend([pair(right, left, offset, false), pair(left, right, -offset, false)]);
                }
            }
        }
        pairs
    }
}

/// A constant distance in the left column's units; between times it is an interval.
fn offset_of(draft: &TableDraft<'_>, left: usize, text: &str) -> Option<i64> {
    let Generator::Scalar(scalar) = &draft.columns[left].generator else { return None };
    match scalar.encoding {
        ScalarEncoding::Timestamp | ScalarEncoding::Time => literal::scalar(text, ScalarEncoding::Interval),
        ScalarEncoding::Date => {
            text.parse().ok().or_else(|| literal::scalar(text, ScalarEncoding::Interval).map(|micros| micros / DAY))
        }
        encoding => literal::scalar(text, encoding),
    }
}

/// Times that make sense together though nobody said so: what changes a row comes after what made it.
fn implied_pairs(draft: &TableDraft<'_>) -> Vec<Pair> {
    let is_time = |column: usize| match &draft.columns[column].generator {
        Generator::Scalar(scalar) => matches!(scalar.encoding, ScalarEncoding::Timestamp | ScalarEncoding::Date),
        _ => false,
    };
    let times: Vec<usize> = (0..draft.columns.len()).filter(|column| is_time(*column)).collect();
    let name = |column: usize| draft.columns[column].column.name.as_str();
    let Some(&made) = times.iter().find(|column| names::is_creation(name(**column))) else { return Vec::new() };
    times
        .iter()
        .filter(|column| **column != made && names::is_later(name(**column)))
        .filter(|column| draft.columns[**column].spec.is_none_or(|spec| spec.min.is_none() && spec.values.is_none()))
        .map(|&later| Pair { low: made, high: later, offset: 0, differs: false })
        .collect()
}

/// Makes one column of the pair follow the other; `false` where neither can.
fn bind(draft: &mut TableDraft<'_>, pair: Pair) -> bool {
    // A tree's parent is an earlier row, and so another one.
    let in_tree = |column: usize| match &draft.columns[column].generator {
        Generator::Parent { link, .. } => matches!(draft.links[*link].choice, LinkChoice::Earlier { .. }),
        _ => false,
    };
    if already(draft, pair) || (pair.differs && (in_tree(pair.low) || in_tree(pair.high))) {
        return true;
    }
    let candidates = if follows_better(draft, pair.high, pair.low) {
        [(pair.high, pair.low), (pair.low, pair.high)]
    } else {
        [(pair.low, pair.high), (pair.high, pair.low)]
    };
    for (follower, leader) in candidates {
        if can_follow(draft, follower) && !depends(draft, leader, follower) {
            follow(draft, pair, follower, leader);
            return true;
        }
    }
    false
}

/// Holds already whatever the rows are, or was bound before.
fn already(draft: &TableDraft<'_>, pair: Pair) -> bool {
    let (Generator::Scalar(low), Generator::Scalar(high)) =
        (&draft.columns[pair.low].generator, &draft.columns[pair.high].generator)
    else {
        // Two foreign keys or types without order: nothing that could be bound.
        return !matches!(draft.columns[pair.low].generator, Generator::Scalar(_))
            && !matches!(draft.columns[pair.high].generator, Generator::Scalar(_));
    };
    let bound =
        |bounds: &[Bound], other| bounds.iter().any(|bound| bound.column == other && bound.offset == pair.offset);
    if bound(&high.bounds, pair.low) {
        return true;
    }
    let scale = |scalar: &crate::seed::plan::Scalar, value: i64| value as f64 / units(scalar.encoding);
    let after = matches!(high.source, ScalarSource::After { .. }) || matches!(low.source, ScalarSource::After { .. });
    !pair.differs
        && !after
        && scale(low, source_range(low).1) + pair.offset.max(0) as f64 / units(high.encoding)
            <= scale(high, source_range(high).0)
        && high.bounds.is_empty()
        && low.bounds.is_empty()
}

/// Units in one, so that columns of different scale compare.
fn units(encoding: ScalarEncoding) -> f64 {
    match encoding {
        ScalarEncoding::Timestamp => DAY as f64,
        other => power_of_ten(other.decimals()),
    }
}

fn can_follow(draft: &TableDraft<'_>, column: usize) -> bool {
    let draft = &draft.columns[column];
    match &draft.generator {
        Generator::Scalar(scalar) => {
            !draft.fixed && !draft.unique && !matches!(scalar.source, ScalarSource::Sequence { .. })
        }
        _ => false,
    }
}

/// What the spec describes leads; otherwise the later, or the one that is left of the sign, follows.
fn follows_better(draft: &TableDraft<'_>, high: usize, low: usize) -> bool {
    let said = |column: usize| {
        draft.columns[column].spec.is_some_and(|spec| {
            spec.min.is_some() || spec.max.is_some() || spec.values.is_some() || spec.generator.is_some()
        })
    };
    match (said(high), said(low)) {
        (true, false) => false,
        (false, true) => true,
        _ => true,
    }
}

/// Whether `column` is made from `other`, directly or not.
fn depends(draft: &TableDraft<'_>, column: usize, other: usize) -> bool {
    if column == other {
        return true;
    }
    match &draft.columns[column].generator {
        Generator::Scalar(scalar) => scalar.bounds.iter().any(|bound| depends(draft, bound.column, other)),
        _ => false,
    }
}

fn follow(draft: &mut TableDraft<'_>, pair: Pair, follower: usize, leader: usize) {
    let (encoding, leader_encoding) = match (&draft.columns[follower].generator, &draft.columns[leader].generator) {
        (Generator::Scalar(scalar), Generator::Scalar(other)) => (scalar.encoding, other.encoding),
        (Generator::Scalar(scalar), _) => (scalar.encoding, scalar.encoding),
        _ => return,
    };
    let side = match (pair.differs, follower == pair.high) {
        (true, _) => Side::Differs,
        (false, true) => Side::AtLeast,
        (false, false) => Side::AtMost,
    };
    let offset = if follower == pair.high { pair.offset } else { -pair.offset };
    let rescale = rescale(leader_encoding, encoding);
    if let Some(bounds) = draft.bounds_mut(follower) {
        bounds.push(Bound { column: leader, side, offset, rescale });
    }
    narrow_leader(draft, pair, follower, leader, rescale);
    let said = draft.columns[follower].spec.is_some_and(|spec| spec.min.is_some() || spec.values.is_some());
    if let Generator::Scalar(scalar) = &mut draft.columns[follower].generator {
        let delay = match scalar.encoding {
            ScalarEncoding::Timestamp => Some(MEAN_DELAY),
            ScalarEncoding::Date => Some(MEAN_DELAY / DAY),
            _ => None,
        };
        if let (Some(mean), Side::AtLeast, false) = (delay, side, said) {
            scalar.source = ScalarSource::After { mean };
        }
    }
}

/// The leader leaves its follower room within the follower's own hard limits.
fn narrow_leader(draft: &mut TableDraft<'_>, pair: Pair, follower: usize, leader: usize, (times, per): (i64, i64)) {
    if pair.differs {
        return;
    }
    let Generator::Scalar(scalar) = &draft.columns[follower].generator else { return };
    let (least, most) = scalar.hard;
    let back = |value: i64| {
        (i128::from(value) * i128::from(per) / i128::from(times)).clamp(i64::MIN.into(), i64::MAX.into()) as i64
    };
    if let Generator::Scalar(leading) = &mut draft.columns[leader].generator {
        if follower == pair.high {
            leading.hard.1 = leading.hard.1.min(back(most.saturating_sub(pair.offset)));
        } else {
            leading.hard.0 = leading.hard.0.max(back(least.saturating_add(pair.offset)));
        }
        enter(leading);
    }
}

/// From one encoding's units to another's.
fn rescale(from: ScalarEncoding, to: ScalarEncoding) -> (i64, i64) {
    match (from, to) {
        (ScalarEncoding::Date, ScalarEncoding::Timestamp) => (DAY, 1),
        (ScalarEncoding::Timestamp, ScalarEncoding::Date) => (1, DAY),
        _ => {
            let (from, to) = (from.decimals(), to.decimals());
            (10_i64.pow(u32::from(to.saturating_sub(from))), 10_i64.pow(u32::from(from.saturating_sub(to))))
        }
    }
}
