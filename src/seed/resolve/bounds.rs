//! Comparisons between columns of a row: one of them is made last and kept on its side of the others.

use super::byte_order::{are_other_texts, order_bytes};
use super::table::{Draft, TableDraft};
use super::{Resolver, stages};
use crate::seed::check::linear::Linear;
use crate::seed::clock::Clock;
use crate::seed::describe::header;
use crate::seed::expression::Relation;
use crate::seed::infer::names;
use crate::seed::infer::values::{enter, source_range};
use crate::seed::plan::{Bound, End, Generator, LinkChoice, Scalar, ScalarSource, Side, Term};
use crate::seed::spec::ColumnSpec;
use crate::seed::types::binary::{DAY, power_of_ten};
use crate::seed::types::{ScalarEncoding, literal};

/// A change follows what it changes by this much, on average.
const MEAN_DELAY: i64 = 20 * DAY;

/// A sum of columns against a constant.
#[derive(Debug, Clone)]
pub(super) struct Sum {
    pub(super) terms: Vec<(usize, i64)>,
    pub(super) relation: Relation,
    pub(super) constant: Option<String>,
}

impl<'a> Resolver<'a> {
    pub(super) fn plan_bounds(&mut self, draft: &mut TableDraft<'a>) {
        let linears: Vec<Linear> = draft.facts.sums().cloned().collect();
        let sums: Vec<Sum> = linears
            .iter()
            .filter_map(|linear| resolve(draft, linear))
            .collect();
        for sum in sums {
            if !bind(draft, &sum) {
                let names: Vec<&str> = sum
                    .terms
                    .iter()
                    .map(|(c, _)| draft.columns[*c].column.name.as_str())
                    .collect();
                let names = names.join(" and ");
                self.refuse(
                    &draft.table.name,
                    format!("columns {names} must keep an order that none of them can follow"),
                    format!(
                        "write a `min` or `max` for one of them under [{}.columns]",
                        header(&draft.table.name)
                    ),
                );
            }
        }
        for sum in implied(draft) {
            // What only would make sense stands in nobody's way.
            bind(draft, &sum);
        }
        stages::follow(draft);
    }
}

/// Comparisons of one variant: bound in the arms of that variant alone. `false` where one cannot be met.
pub(super) fn bind_arm(draft: &mut TableDraft<'_>, linear: &Linear) -> bool {
    resolve(draft, linear).is_none_or(|sum| !are_other_texts(draft, &sum) && bind(draft, &sum))
}

/// Positions for names; `None` where a column is none that is written (a generated one).
fn resolve(draft: &TableDraft<'_>, linear: &Linear) -> Option<Sum> {
    let terms = linear
        .terms
        .iter()
        .map(|(name, times)| draft.position(name).map(|column| (column, *times)))
        .collect::<Option<Vec<_>>>()?;
    Some(Sum {
        terms,
        relation: linear.relation,
        constant: linear.constant.clone(),
    })
}

/// Times that make sense together though nobody said so: what changes a row comes after what made it, what ends comes
/// after what began, and nothing changes a row that was deleted.
fn implied(draft: &TableDraft<'_>) -> Vec<Sum> {
    let is_time = |column: usize| match &draft.columns[column].generator {
        Generator::Scalar(scalar) => matches!(
            scalar.encoding,
            ScalarEncoding::Timestamp | ScalarEncoding::Date
        ),
        _ => false,
    };
    let times: Vec<usize> = (0..draft.columns.len())
        .filter(|column| is_time(*column))
        .collect();
    let name = |column: usize| draft.columns[column].column.name.as_str();
    let is_number = |column: &usize| match &draft.columns[*column].generator {
        Generator::Scalar(scalar) => {
            can_follow(&draft.columns[*column])
                && is_free(&draft.columns[*column])
                && !matches!(scalar.encoding, ScalarEncoding::Bool)
                && !is_time(*column)
        }
        _ => false,
    };
    let numbers: Vec<usize> = (0..draft.columns.len()).filter(is_number).collect();
    let range = |high: usize| {
        let of = names::most_of(name(high))?;
        let low = numbers
            .iter()
            .find(|low| names::least_of(name(**low)).as_ref() == Some(&of))?;
        Some(after(high, *low))
    };
    // `opened_at` beside `created_at` is not when the row was made.
    let first = |is: fn(&str) -> bool| times.iter().copied().find(|column| is(name(*column)));
    let made = first(names::is_of_the_row).or_else(|| first(names::is_creation));
    let changed = times
        .iter()
        .copied()
        .find(|column| names::is_change(name(*column)));
    let mut sums: Vec<Sum> = numbers.iter().filter_map(|high| range(*high)).collect();
    for &later in times
        .iter()
        .filter(|column| is_free(&draft.columns[**column]))
    {
        // The nearest before it, where several are called alike.
        let began = names::end_of(name(later)).and_then(|end| {
            let begins = times
                .iter()
                .copied()
                .filter(|other| names::begin_of(name(*other)).as_ref() == Some(&end));
            begins.max_by_key(|begin| (*begin < later, *begin))
        });
        let earlier = [
            made.filter(|_| names::is_later(name(later))),
            changed.filter(|_| names::is_removal(name(later))),
            began,
        ];
        sums.extend(
            earlier
                .into_iter()
                .flatten()
                .filter(|earlier| *earlier != later)
                .map(|earlier| after(later, earlier)),
        );
    }
    sums
}

/// One time of a row after another.
pub(super) fn after(later: usize, earlier: usize) -> Sum {
    Sum {
        terms: vec![(later, 1), (earlier, -1)],
        relation: Relation::GreaterOrEqual,
        constant: None,
    }
}

/// Neither a constraint nor the spec says where its values lie.
pub(super) fn is_free(draft: &Draft<'_>) -> bool {
    draft.facts.limits.is_empty()
        && draft.facts.grain.is_none()
        && !draft.spec.is_some_and(is_shaped)
}

/// The spec says where its values lie.
const fn is_shaped(spec: &ColumnSpec) -> bool {
    spec.min.is_some()
        || spec.max.is_some()
        || spec.values.is_some()
        || spec.value.is_some()
        || spec.common.is_some()
        || spec.histogram.is_some()
        || spec.correlation.is_some()
        || spec.growth.is_some()
        || spec.expression.is_some()
}

/// Makes one column of the sum follow the others; `false` where none can.
pub(super) fn bind(draft: &mut TableDraft<'_>, sum: &Sum) -> bool {
    if order_bytes(draft, sum) || holds_anyway(draft, sum) {
        return true;
    }
    let mut candidates: Vec<(usize, i64)> = sum
        .terms
        .iter()
        .copied()
        .filter(|(_, times)| times.abs() == 1)
        .collect();
    let high_sign = match sum.relation {
        Relation::Less | Relation::LessOrEqual => -1,
        Relation::Greater | Relation::GreaterOrEqual | Relation::Equal | Relation::NotEqual => 1,
    };
    // Of an equation the total follows its parts: a part that followed could come out below zero.
    let like = |times: i64| {
        let same = |other: &&(usize, i64)| other.1.signum() == times.signum();
        match sum.relation {
            Relation::Equal => sum.terms.iter().filter(same).count(),
            _ => 0,
        }
    };
    candidates.sort_by_key(|(column, times)| {
        let said = said(&draft.columns[*column]);
        (said, like(*times), *times != high_sign)
    });
    for (follower, times) in &candidates {
        if is_bound(draft, sum, *follower, *times) {
            return true;
        }
    }
    for (follower, times) in candidates {
        let others: Vec<(usize, i64)> = sum
            .terms
            .iter()
            .copied()
            .filter(|(column, _)| *column != follower)
            .collect();
        let free = can_follow(&draft.columns[follower])
            && !others
                .iter()
                .any(|(other, _)| depends(draft, *other, follower));
        if free && follow(draft, sum, (follower, times), &others) {
            return true;
        }
    }
    false
}

/// A pair that is bound already, at least as far apart.
fn is_bound(draft: &TableDraft<'_>, sum: &Sum, follower: usize, times: i64) -> bool {
    let Generator::Scalar(scalar) = &draft.columns[follower].generator else {
        return false;
    };
    let ([_, _], None) = (sum.terms.as_slice(), &sum.constant) else {
        return false;
    };
    let Some((other, _)) = sum.terms.iter().find(|(column, _)| *column != follower) else {
        return false;
    };
    let relation = if times < 0 {
        sum.relation.flipped()
    } else {
        sum.relation
    };
    scalar.bounds.iter().any(|bound| {
        let same = bound.terms.len() == 1
            && bound.terms[0].column == *other
            && bound.terms[0].times == bound.terms[0].per;
        let far = match (bound.side, relation) {
            (Side::AtLeast, Relation::Greater) => bound.offset >= 1,
            (Side::AtLeast, Relation::GreaterOrEqual) => bound.offset >= 0,
            (Side::AtMost, Relation::Less) => bound.offset <= -1,
            (Side::AtMost, Relation::LessOrEqual) => bound.offset <= 0,
            _ => false,
        };
        same && far
    })
}

/// The spec describes it.
fn said(draft: &Draft<'_>) -> bool {
    draft.spec.is_some_and(|spec| {
        spec.min.is_some()
            || spec.max.is_some()
            || spec.values.is_some()
            || spec.generator.is_some()
    })
}

/// Holds whatever the rows are, or is no matter of numbers.
fn holds_anyway(draft: &TableDraft<'_>, sum: &Sum) -> bool {
    let scalar = |column: usize| match &draft.columns[column].generator {
        Generator::Scalar(scalar) => Some(scalar),
        _ => None,
    };
    let in_tree = |column: usize| match &draft.columns[column].generator {
        Generator::Parent { link, .. } => {
            let link = &draft.links[*link];
            link.avoid.is_some()
                || matches!(
                    link.choice,
                    LinkChoice::Earlier { .. }
                        | LinkChoice::EarlierWithin { .. }
                        | LinkChoice::Pair(_)
                )
        }
        _ => false,
    };
    // A tree's parent is an earlier row, and so another one; pairs were made to differ.
    if sum.terms.iter().any(|(column, _)| in_tree(*column)) {
        return true;
    }
    // Types without numbers: the server has the last word.
    if sum
        .terms
        .iter()
        .all(|(column, _)| scalar(*column).is_none())
    {
        return true;
    }
    let constant = sum
        .constant
        .as_deref()
        .map_or(Some(0.0), |text| text.parse::<f64>().ok());
    let (Some(constant), true) = (constant, sum.relation != Relation::NotEqual) else {
        return false;
    };
    let mut range = (0.0, 0.0);
    for (column, times) in &sum.terms {
        let Some(scalar) = scalar(*column) else {
            return false;
        };
        let moved =
            !scalar.bounds.is_empty() || matches!(scalar.source, ScalarSource::After { .. });
        if moved {
            return false;
        }
        let (low, high) = source_range(scalar);
        let ends = [low, high].map(|end| end as f64 / units(scalar.encoding) * *times as f64);
        range = (
            range.0 + ends[0].min(ends[1]),
            range.1 + ends[0].max(ends[1]),
        );
    }
    let time = sum
        .terms
        .iter()
        .any(|(column, _)| scalar(*column).is_some_and(|s| is_time(s.encoding)));
    let relation = sum.relation;
    !time
        && relation.holds(range.0, constant)
        && relation.holds(range.1, constant)
        && relation != Relation::Equal
        || time
            && sum.constant.is_none()
            && relation.holds(range.0, 0.0)
            && relation.holds(range.1, 0.0)
}

/// Units in one, so that columns of different scale compare.
fn units(encoding: ScalarEncoding) -> f64 {
    match encoding {
        ScalarEncoding::Timestamp => DAY as f64,
        other => power_of_ten(other.decimals()),
    }
}

fn is_time(encoding: ScalarEncoding) -> bool {
    matches!(
        encoding,
        ScalarEncoding::Timestamp
            | ScalarEncoding::Date
            | ScalarEncoding::Time
            | ScalarEncoding::TimeTz
    )
}

fn can_follow(draft: &Draft<'_>) -> bool {
    match &draft.generator {
        Generator::Scalar(scalar) => {
            !draft.fixed
                && !draft.unique
                && scalar.domain.is_none()
                && !matches!(
                    scalar.source,
                    ScalarSource::Sequence { .. } | ScalarSource::Slot { .. }
                )
        }
        _ => false,
    }
}

/// Whether `column` is made from `other`, directly or not.
fn depends(draft: &TableDraft<'_>, column: usize, other: usize) -> bool {
    if column == other {
        return true;
    }
    let bounds = |generator: &Generator| match generator {
        Generator::Scalar(scalar) => {
            let terms = scalar.bounds.iter().flat_map(|bound| bound.terms.iter());
            let cases = scalar.domain.iter().flat_map(|domain| domain.cases.iter());
            let conditions = cases.flat_map(|case| case.conditions.iter());
            terms
                .map(|term| term.column)
                .chain(conditions.map(|condition| condition.column))
                .any(|column| depends(draft, column, other))
        }
        _ => false,
    };
    bounds(&draft.columns[column].generator)
}

/// Bounds the follower; `false` where the constant is none of its type.
fn follow(
    draft: &mut TableDraft<'_>,
    sum: &Sum,
    (follower, times): (usize, i64),
    others: &[(usize, i64)],
) -> bool {
    let Generator::Scalar(scalar) = &draft.columns[follower].generator else {
        return false;
    };
    let encoding = scalar.encoding;
    let Some(constant) = sum
        .constant
        .as_deref()
        .map_or(Some(0), |text| distance(encoding, text))
    else {
        return false;
    };
    let terms: Box<[Term]> = others
        .iter()
        .map(|(column, other_times)| {
            let from = match &draft.columns[*column].generator {
                Generator::Scalar(scalar) => scalar.encoding,
                _ => encoding,
            };
            let (multiply, divide) = rescale(from, encoding);
            Term {
                column: *column,
                times: -times * other_times * multiply,
                per: divide,
            }
        })
        .collect();
    let relation = if times < 0 {
        sum.relation.flipped()
    } else {
        sum.relation
    };
    let constant = constant * times;
    let sides: &[(Side, i64)] = match relation {
        Relation::Greater => &[(Side::AtLeast, 1)],
        Relation::GreaterOrEqual => &[(Side::AtLeast, 0)],
        Relation::Less => &[(Side::AtMost, -1)],
        Relation::LessOrEqual => &[(Side::AtMost, 0)],
        Relation::Equal => &[(Side::AtLeast, 0), (Side::AtMost, 0)],
        Relation::NotEqual => &[(Side::Differs, 0)],
    };
    for (side, more) in sides {
        let bound = Bound {
            side: *side,
            offset: constant.saturating_add(*more),
            terms: terms.clone(),
        };
        narrow_leaders(draft, follower, &bound);
        if let Some(bounds) = draft.bounds_mut(follower)
            && !bounds.contains(&bound)
        {
            bounds.push(bound);
        }
    }
    let clock = draft.clock;
    delay(&mut draft.columns[follower], relation, others.len(), clock);
    true
}

/// A time that comes after another one comes soon after it.
fn delay(draft: &mut Draft<'_>, relation: Relation, others: usize, clock: Clock) {
    let said = draft.spec.is_some_and(is_shaped);
    let after = matches!(relation, Relation::Greater | Relation::GreaterOrEqual) && others == 1;
    if let (Generator::Scalar(scalar), false, true) = (&mut draft.generator, said, after) {
        let mean = match scalar.encoding {
            ScalarEncoding::Timestamp => MEAN_DELAY,
            ScalarEncoding::Date => MEAN_DELAY / DAY,
            _ => return,
        };
        if !matches!(scalar.source, ScalarSource::Listed { .. }) {
            let range = source_range(scalar);
            scalar.source = ScalarSource::After { mean, range };
            // What has happened has happened by now.
            if !names::is_future(&draft.column.name) {
                let day = if scalar.encoding == ScalarEncoding::Date {
                    1
                } else {
                    DAY
                };
                scalar.hard.1 = scalar.hard.1.min(clock.end() * day - 1);
            }
        }
    }
}

/// A constant distance in a column's units; between times it is an interval, between days a number of them.
fn distance(encoding: ScalarEncoding, text: &str) -> Option<i64> {
    let (text, sign) = match text.strip_prefix('-') {
        Some(rest) => (rest, -1),
        None => (text, 1),
    };
    let value = match encoding {
        ScalarEncoding::Timestamp | ScalarEncoding::Time | ScalarEncoding::TimeTz => {
            literal::scalar(text, ScalarEncoding::Interval)
        }
        ScalarEncoding::Date => text
            .parse()
            .ok()
            .or_else(|| literal::scalar(text, ScalarEncoding::Interval).map(|micros| micros / DAY)),
        encoding => literal::scalar(text, encoding),
    };
    value.map(|value| value * sign)
}

/// The leaders leave the follower room within its own hard limits.
fn narrow_leaders(draft: &mut TableDraft<'_>, follower: usize, bound: &Bound) {
    let Generator::Scalar(scalar) = &draft.columns[follower].generator else {
        return;
    };
    let (least, most) = scalar.hard;
    let leaders = bound.terms.len() as i128;
    for term in bound.terms.clone() {
        let limit = match bound.side {
            Side::AtLeast => i128::from(most) - i128::from(bound.offset),
            Side::AtMost => i128::from(least) - i128::from(bound.offset),
            Side::Differs => return,
        };
        let value = limit * i128::from(term.per) / i128::from(term.times) / leaders;
        let value = value.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        let end = if (bound.side == Side::AtLeast) == (term.times > 0) {
            End::Most
        } else {
            End::Least
        };
        // With several leaders only a limit that they can share alike.
        let shared = leaders > 1
            && bound
                .terms
                .iter()
                .any(|other| (other.times > 0) != (term.times > 0));
        if let (Generator::Scalar(leading), false) =
            (&mut draft.columns[term.column].generator, shared)
        {
            tighten(leading, end, value);
        }
    }
}

fn tighten(scalar: &mut Scalar, end: End, value: i64) {
    if matches!(
        scalar.source,
        ScalarSource::Sequence { .. } | ScalarSource::Slot { .. }
    ) {
        return;
    }
    match end {
        End::Most => scalar.hard.1 = scalar.hard.1.min(value).max(scalar.hard.0),
        End::Least => scalar.hard.0 = scalar.hard.0.max(value).min(scalar.hard.1),
    }
    enter(scalar);
}

/// From one encoding's units to another's.
fn rescale(from: ScalarEncoding, to: ScalarEncoding) -> (i64, i64) {
    match (from, to) {
        (ScalarEncoding::Date, ScalarEncoding::Timestamp) => (DAY, 1),
        (ScalarEncoding::Timestamp, ScalarEncoding::Date) => (1, DAY),
        _ => {
            let (from, to) = (from.decimals(), to.decimals());
            (
                10_i64.pow(u32::from(to.saturating_sub(from))),
                10_i64.pow(u32::from(from.saturating_sub(to))),
            )
        }
    }
}
