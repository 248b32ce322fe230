//! EXCLUDE constraints: the rows that must not overlap take places side by side, group by group.

use super::Resolver;
use super::key_columns::unique_column;
use super::table::TableDraft;
use crate::schema::{Exclusion, KeyPart};
use crate::seed::describe::header;
use crate::seed::distribution::{Grouping, Order};
use crate::seed::expression::Expression;
use crate::seed::infer::values::source_range;
use crate::seed::plan::{
    Bound, Counter, Generator, LinkChoice, Nulls, Odometer, ScalarSource, Side, Term,
};
use crate::seed::random::Permutation;
use crate::seed::types::ScalarEncoding;
use crate::seed::types::binary::DAY;

impl<'a> Resolver<'a> {
    pub(super) fn plan_exclusions(&mut self, draft: &mut TableDraft<'a>) {
        let table = draft.table;
        for exclusion in &table.exclusions {
            if let Err(reason) = self.exclude(draft, exclusion) {
                self.refuse(
                    &table.name,
                    format!(
                        "EXCLUDE constraint {} cannot be met: {reason}",
                        exclusion.name
                    ),
                    format!(
                        "lower the table's rows: write `rows = 1` under [{}]",
                        header(&table.name)
                    ),
                );
            }
        }
    }

    fn exclude(&mut self, draft: &mut TableDraft<'a>, exclusion: &Exclusion) -> Result<(), String> {
        let mut same: Vec<usize> = Vec::new();
        let mut apart: Vec<usize> = Vec::new();
        for (part, operator) in &exclusion.parts {
            let columns = columns_of(draft, part);
            match operator.as_str() {
                "=" => same.extend(columns),
                "&&" => apart = columns,
                // Rows that differ in this part exclude each other: the group's rows all have the same one.
                _ => return self.lone_groups(draft, &same, operator),
            }
        }
        // Groups of one row each: no other row is in the way. Texts and the like cannot count groups.
        let linked = same
            .iter()
            .any(|at| matches!(draft.columns[*at].generator, Generator::Parent { .. }));
        let alone = |draft: &mut TableDraft<'a>, at: usize| {
            let counts = matches!(
                draft.columns[at].generator,
                Generator::Scalar(_) | Generator::Choice(_)
            );
            draft.columns[at].unique || (!counts && unique_column(draft, at))
        };
        if !linked && same.iter().any(|at| alone(draft, *at)) {
            return Ok(());
        }
        let (counter, divisor, groups) = self.group(draft, &same)?;
        if apart.is_empty() {
            return Ok(());
        }
        // Addresses of hosts, and networks of one size, overlap where they are equal.
        if let [column] = apart[..]
            && matches!(draft.columns[column].generator, Generator::Inet { .. })
        {
            let can = unique_column(draft, column);
            return can.then_some(()).ok_or_else(|| {
                format!(
                    "{} has fewer addresses than rows",
                    draft.columns[column].column.name
                )
            });
        }
        let largest = draft.rows.div_ceil(groups.max(1)).saturating_mul(2).max(1);
        match apart.as_slice() {
            [column] => place_range(draft, *column, counter, divisor, largest),
            [low, high] => place_pair(draft, *low, *high, counter, divisor, largest),
            _ => Err("its expression is not understood".to_owned()),
        }
    }

    /// Groups of one row meet every other operator.
    fn lone_groups(
        &mut self,
        draft: &mut TableDraft<'a>,
        same: &[usize],
        operator: &str,
    ) -> Result<(), String> {
        for column in same {
            if let Generator::Parent { link, .. } = draft.columns[*column].generator {
                let link = &mut draft.links[link];
                if draft.rows <= link.parent_rows {
                    link.choice =
                        LinkChoice::OneToOne(Permutation::new(link.key, link.parent_rows.max(1)));
                    return Ok(());
                }
            } else if unique_column(draft, *column) {
                return Ok(());
            }
        }
        Err(format!("operator {operator} is not understood"))
    }

    /// What counts the rows of a group, and about how many groups there are.
    fn group(
        &mut self,
        draft: &mut TableDraft<'a>,
        same: &[usize],
    ) -> Result<(Counter, u64, u64), String> {
        let link = same
            .iter()
            .find_map(|column| match &draft.columns[*column].generator {
                Generator::Parent { link, .. } => Some(*link),
                _ => None,
            });
        if let Some(link) = link {
            let rows = draft.rows;
            let link_plan = &mut draft.links[link];
            let groups = link_plan.parent_rows.max(1);
            let grouping =
                Grouping::new(link_plan.key, groups, rows, 0.0, Order::Scattered, u64::MAX);
            if !matches!(link_plan.choice, LinkChoice::Grouped(_))
                && let Some(grouping) = grouping
            {
                link_plan.choice = LinkChoice::Grouped(grouping);
                link_plan.null_share = 0.0;
            }
            return Ok((Counter::Link(link), 1, groups));
        }
        let Some(&column) = same.first() else {
            return Ok((Counter::Row, 1, 1));
        };
        let size =
            super::key_columns::capacity(draft, column).clamp(1, draft.rows.div_ceil(10).max(1));
        let key = draft.columns[column].key.derive("digit");
        let odometer = Odometer {
            counter: Counter::Row,
            divisor: 1,
            size,
            key,
            skew: 0.0,
        };
        super::key_columns::set_digit(draft, column, odometer);
        draft.columns[column].nulls = Nulls::Never;
        Ok((Counter::Row, size, size))
    }
}

/// Columns of a part: a column, or those of `tsrange(a, b)`.
fn columns_of(draft: &TableDraft<'_>, part: &KeyPart) -> Vec<usize> {
    let mut names = Vec::new();
    match part {
        KeyPart::Column(name) => names.push(name.clone()),
        KeyPart::Expression(text) => {
            if let Ok(expression) = Expression::parse(text) {
                expression.columns(&mut names);
            }
        }
    }
    names
        .iter()
        .filter_map(|name| draft.position(name))
        .collect()
}

/// How far apart two rows of a group lie.
fn stride(encoding: ScalarEncoding, (low, high): (i64, i64), largest: u64) -> i64 {
    let least = match encoding {
        ScalarEncoding::Timestamp => 3_600_000_000,
        _ => 2,
    };
    let room = (high.saturating_sub(low)) / i64::try_from(largest).unwrap_or(i64::MAX).max(1);
    match encoding {
        ScalarEncoding::Timestamp => room.clamp(least, 30 * DAY),
        _ => room.max(least),
    }
}

/// A range column: each range within its own slot.
fn place_range(
    draft: &mut TableDraft<'_>,
    column: usize,
    counter: Counter,
    divisor: u64,
    largest: u64,
) -> Result<(), String> {
    match &mut draft.columns[column].generator {
        Generator::Range {
            low,
            encoding,
            width,
        } => {
            let Generator::Scalar(scalar) = &low.generator else {
                return Err("its range is not understood".to_owned());
            };
            let (from, to) = source_range(scalar);
            let stride = stride(*encoding, (from, to), largest);
            *width = stride - 1;
            let source = ScalarSource::Slot {
                low: from,
                stride,
                counter,
                divisor,
            };
            let mut low = low.clone();
            if let Generator::Scalar(scalar) = &mut low.generator {
                scalar.source = source;
            }
            let (encoding, width) = (*encoding, *width);
            draft.columns[column].generator = Generator::Range {
                low,
                encoding,
                width,
            };
            draft.columns[column].fixed = true;
            Ok(())
        }
        _ => Err(format!(
            "column {} is no range of numbers or times",
            draft.columns[column].column.name
        )),
    }
}

/// Two columns that make a range: the second within the slot of the first.
fn place_pair(
    draft: &mut TableDraft<'_>,
    low: usize,
    high: usize,
    counter: Counter,
    divisor: u64,
    largest: u64,
) -> Result<(), String> {
    let Generator::Scalar(scalar) = &mut draft.columns[low].generator else {
        return Err("its range is not understood".to_owned());
    };
    let stride = stride(scalar.encoding, source_range(scalar), largest);
    scalar.source = ScalarSource::Slot {
        low: source_range(scalar).0,
        stride,
        counter,
        divisor,
    };
    let Generator::Scalar(scalar) = &mut draft.columns[high].generator else {
        return Err("its range is not understood".to_owned());
    };
    let terms: Box<[Term]> = Box::new([Term {
        column: low,
        times: 1,
        per: 1,
    }]);
    scalar.source = ScalarSource::After {
        mean: stride / 3,
        range: source_range(scalar),
    };
    scalar.bounds.push(Bound {
        side: Side::AtLeast,
        offset: 1,
        terms: terms.clone(),
    });
    scalar.bounds.push(Bound {
        side: Side::AtMost,
        offset: stride - 1,
        terms,
    });
    for column in [low, high] {
        draft.columns[column].nulls = Nulls::Never;
        draft.columns[column].fixed = true;
    }
    Ok(())
}
