//! Partitions that leave gaps: rows are kept to the partitions that exist. What a sub-partition takes depends on the
//! partition that it is a part of, so a number of the partition key is chosen by the row's other values.

use crate::seed::types::{TypeClass, classify, literal};
use std::collections::BTreeSet;

use super::Resolver;
use super::partitions::{list_texts, plain_column, range_bound, ranged_column};
use super::table::{Choice, TableDraft};
use crate::schema::{PartitionStrategy, Table, quote_identifier};
use crate::seed::check::Atom;
use crate::seed::infer::values::{choice_of, enter, source_range};
use crate::seed::plan::{Allowed, Condition, Domain, DomainCase, Generator, Nulls, ScalarSource};

/// What one level of partitions asks of a column.
#[derive(Debug, Clone, PartialEq)]
enum Limit {
    /// From the first (included) to the second (excluded).
    Parts(Vec<(i64, i64)>),
    /// One of these.
    In(Vec<String>),
    /// None of these: a default partition.
    NotIn(Vec<String>),
}

/// A leaf: what each column of the partition keys above it must be.
type Leaf = Vec<(usize, Limit)>;

/// More leaves than this are not told apart by their lists.
const MOST_CASES: usize = 512;

impl<'a> Resolver<'a> {
    /// Keeps rows to partitions that exist; `false` where it is not known which those are.
    pub(super) fn keep_to_partitions(&mut self, draft: &mut TableDraft<'a>) -> bool {
        let (table, mut leaves) = (draft.table, Vec::new());
        if self
            .leaves_below(draft, table, &Vec::new(), &mut leaves)
            .is_none()
            || leaves.is_empty()
        {
            return false;
        }
        let limited: BTreeSet<usize> = leaves.iter().flatten().map(|(column, _)| *column).collect();
        // The topmost level's column first: what the levels below ask of it is asked beside its partitions alone.
        let mut columns = leaves.iter().flatten().map(|(column, _)| *column);
        let follower = columns.find(|column| {
            let mut limits = leaves.iter().flatten();
            let is_range =
                limits.any(|(other, limit)| other == column && matches!(limit, Limit::Parts(_)));
            is_range && can_be_placed(draft, *column)
        });
        match follower {
            Some(follower) => place(draft, follower, &limited, &leaves),
            None => choose_kinds(draft, &leaves),
        }
    }

    /// Every leaf below a partitioned table; `None` where a key or a bound is not understood.
    fn leaves_below(
        &mut self,
        draft: &mut TableDraft<'a>,
        level: &Table,
        above: &Leaf,
        leaves: &mut Vec<Leaf>,
    ) -> Option<()> {
        let key = level.partition_key.as_ref()?;
        let schema = self.schema;
        let of_level = |part: &&Table| {
            part.partition_of
                .as_ref()
                .is_some_and(|of| of.parent == level.oid)
        };
        let parts: Vec<&Table> = schema.tables.iter().filter(of_level).collect();
        let bounds: Vec<&str> = parts
            .iter()
            .filter_map(|part| part.partition_of.as_ref())
            .map(|of| of.bound.as_str())
            .collect();
        let limits = match (key.strategy, key.parts.as_slice()) {
            (PartitionStrategy::Hash, _) => {
                self.leave_out_hash_gap(draft, level, &bounds);
                vec![None; parts.len()]
            }
            (strategy, [part]) => {
                let name = match strategy {
                    PartitionStrategy::Range => ranged_column(part, &bounds)?,
                    PartitionStrategy::List | PartitionStrategy::Hash => plain_column(part)?,
                };
                let column = draft.position(&name)?;
                let class = classify(schema, &level.column(&name)?.data_type);
                let found = match strategy {
                    PartitionStrategy::Range => ranges(&bounds, &class)?,
                    PartitionStrategy::List | PartitionStrategy::Hash => lists(&bounds)?,
                };
                found
                    .into_iter()
                    .map(|limit| Some((column, limit)))
                    .collect()
            }
            _ => return None,
        };
        for (part, limit) in parts.into_iter().zip(limits) {
            let path: Leaf = above.iter().cloned().chain(limit).collect();
            if part.partition_key.is_some() {
                self.leaves_below(draft, part, &path, leaves)?;
            } else {
                leaves.push(path);
            }
        }
        Some(())
    }

    /// Postgres's hash functions decide which row goes where: of a missing remainder the server leaves the rows out, and so
    /// many more are made; rows that others point to cannot be left out.
    fn leave_out_hash_gap(&mut self, draft: &mut TableDraft<'a>, level: &Table, bounds: &[&str]) {
        let taken: Vec<(u64, u64)> = bounds.iter().filter_map(|bound| modulus(bound)).collect();
        let most = taken.iter().map(|(modulus, _)| *modulus).max().unwrap_or(1);
        let is_taken = |number: &u64| {
            taken
                .iter()
                .any(|(modulus, remainder)| number % modulus == *remainder)
        };
        let Some(missing) = (0..most).find(|number| !is_taken(number)) else {
            return;
        };
        let columns: Option<Vec<String>> = level.partition_key.as_ref().and_then(|key| {
            let parts = key.parts.iter();
            parts
                .map(|part| Some(quote_identifier(&plain_column(part)?)))
                .collect()
        });
        let is_referenced = self.schema.tables.iter().any(|other| {
            let mut keys = other.foreign_keys.iter();
            keys.any(|key| {
                let of = self.schema.table_by_oid(key.references);
                of.is_some_and(|of| self.schema.root_of(of).oid == draft.table.oid)
            })
        });
        let there = (0..most).filter(is_taken).count() as u64;
        if let (Some(columns), false, 1..) = (columns, is_referenced, there) {
            let name = level.name.sql().replace('\'', "''");
            let columns = columns.join(", ");
            // Of several levels with the same gap one is asked.
            let gap = format!("{columns} {taken:?}");
            if draft.kept_where.contains_key(&gap) {
                return;
            }
            let conditions: Vec<String> = taken
                .iter()
                .map(|(modulus, remainder)| {
                    format!(
                        "satisfies_hash_partition('{name}'::regclass, {modulus}, {remainder}, {columns})"
                    )
                })
                .collect();
            draft.rows = draft.rows.saturating_mul(most).div_ceil(there);
            draft
                .kept_where
                .insert(gap, format!("({})", conditions.join(" OR ")));
            self.plan.notes.push(format!(
                "{}: no rows with the values for modulus {most}, remainder {missing}, for which {} has no partition",
                draft.table.name, level.name
            ));
            return;
        }
        let what = format!(
            "{} has no partition for modulus {most}, remainder {missing}: rows whose hash is that belong to none",
            level.name
        );
        let table = draft.table.name.clone();
        let remedy = format!(
            "make that partition, or {}",
            super::leave_empty(&table).trim_start_matches("fill the table by a migration, or ")
        );
        self.refuse(&table, what, remedy);
    }
}

/// `FOR VALUES WITH (modulus 4, remainder 1)`.
fn modulus(bound: &str) -> Option<(u64, u64)> {
    let (modulus, remainder) = bound
        .strip_prefix("FOR VALUES WITH (modulus ")?
        .trim_end_matches(')')
        .split_once(", remainder ")?;
    Some((modulus.parse().ok()?, remainder.parse().ok()?))
}

fn ranges(bounds: &[&str], class: &TypeClass) -> Option<Vec<Limit>> {
    let of = |bound: &&str| {
        if *bound == "DEFAULT" {
            Some(None)
        } else {
            range_bound(bound, class).map(Some)
        }
    };
    let found: Vec<Option<(i64, i64)>> = bounds.iter().map(of).collect::<Option<_>>()?;
    let mut taken: Vec<(i64, i64)> = found.iter().flatten().copied().collect();
    taken.sort_unstable();
    let mut free = Vec::new();
    let mut from = i64::MIN;
    for (low, high) in taken {
        if from < low {
            free.push((from, low));
        }
        from = from.max(high);
    }
    if from < i64::MAX {
        free.push((from, i64::MAX));
    }
    let limits = found.into_iter();
    Some(
        limits
            .map(|part| Limit::Parts(part.map_or_else(|| free.clone(), |part| vec![part])))
            .collect(),
    )
}

fn lists(bounds: &[&str]) -> Option<Vec<Limit>> {
    let of = |bound: &&str| {
        if *bound == "DEFAULT" {
            Some(None)
        } else {
            list_texts(bound).map(Some)
        }
    };
    let found: Vec<Option<Vec<String>>> = bounds.iter().map(of).collect::<Option<_>>()?;
    let taken: Vec<String> = found.iter().flatten().flatten().cloned().collect();
    let limits = found.into_iter();
    Some(
        limits
            .map(|list| list.map_or_else(|| Limit::NotIn(taken.clone()), Limit::In))
            .collect(),
    )
}

/// Whether a column's numbers can be moved to where there is room for them.
fn can_be_placed(draft: &TableDraft<'_>, column: usize) -> bool {
    match &draft.columns[column].generator {
        Generator::Scalar(scalar) => matches!(
            scalar.source,
            ScalarSource::Range { .. }
                | ScalarSource::LowHeavy { .. }
                | ScalarSource::Placed { .. }
        ),
        _ => false,
    }
}

/// What is said of one column by a leaf.
fn of_column(leaf: &Leaf, column: usize) -> impl Iterator<Item = &Limit> {
    leaf.iter()
        .filter(move |(other, _)| *other == column)
        .map(|(_, limit)| limit)
}

/// Values of a column that leaves tell apart.
fn kinds_of(draft: &TableDraft<'_>, column: usize, leaves: &[Leaf]) -> Vec<Allowed> {
    let class = &draft.columns[column].class;
    let limits = || leaves.iter().flat_map(|leaf| of_column(leaf, column));
    let mut cells: BTreeSet<Box<[u8]>> = BTreeSet::new();
    let mut edges: BTreeSet<i64> = BTreeSet::new();
    for limit in limits() {
        match limit {
            Limit::In(texts) | Limit::NotIn(texts) => {
                cells.extend(texts.iter().filter_map(|text| literal::cell(class, text)));
            }
            Limit::Parts(parts) => edges.extend(parts.iter().flat_map(|(low, high)| [*low, *high])),
        }
    }
    if cells.is_empty() {
        let edges: Vec<i64> = edges.into_iter().collect();
        return edges
            .windows(2)
            .map(|pair| Allowed::Between(pair[0], pair[1]))
            .collect();
    }
    let others = cells.iter().cloned().collect();
    cells
        .into_iter()
        .map(Allowed::Cell)
        .chain([Allowed::NoneOf(others)])
        .collect()
}

/// Whether a kind of values is within a limit; kinds are never in and out of one.
fn is_within(class: &TypeClass, kind: &Allowed, limit: &Limit) -> bool {
    let among = |texts: &[String], cell: &[u8]| {
        texts
            .iter()
            .filter_map(|text| literal::cell(class, text))
            .any(|other| *other == *cell)
    };
    match (kind, limit) {
        (Allowed::Cell(cell), Limit::In(texts)) => among(texts, cell),
        (Allowed::Cell(cell), Limit::NotIn(texts)) => !among(texts, cell),
        (Allowed::NoneOf(_), limit) => matches!(limit, Limit::NotIn(_)),
        (Allowed::Between(low, high), Limit::Parts(parts)) => {
            parts.iter().any(|(from, to)| from <= low && high <= to)
        }
        (Allowed::Between(..), Limit::In(_) | Limit::NotIn(_))
        | (Allowed::Cell(_), Limit::Parts(_)) => false,
    }
}

/// Gives a number its parts, by the values of the other columns of the partition keys.
fn place(
    draft: &mut TableDraft<'_>,
    follower: usize,
    limited: &BTreeSet<usize>,
    leaves: &[Leaf],
) -> bool {
    let others: Vec<usize> = limited
        .iter()
        .copied()
        .filter(|other| *other != follower)
        .collect();
    let mut combinations: Vec<Vec<Condition>> = vec![Vec::new()];
    for &column in &others {
        let kinds = kinds_of(draft, column, leaves);
        combinations = combinations
            .iter()
            .flat_map(|conditions| {
                kinds.iter().map(move |kind| {
                    let condition = Condition {
                        column,
                        values: kind.clone(),
                    };
                    conditions.iter().cloned().chain([condition]).collect()
                })
            })
            .collect();
        if combinations.len() > MOST_CASES {
            return false;
        }
    }
    let Some((own, span)) = windows(draft, follower, leaves) else {
        return false;
    };
    let cases_in = |draft: &TableDraft<'_>, window: (i64, i64)| -> Vec<DomainCase> {
        let cases = combinations.iter().map(|conditions| DomainCase {
            parts: parts_beside(draft, follower, conditions, leaves, window),
            conditions: conditions.clone().into(),
        });
        cases.collect()
    };
    let whole = cases_in(draft, span);
    let is_whole = |case: &DomainCase| *case.parts == [span];
    if whole.iter().all(is_whole) {
        // No gap: a range is enough.
        set_range(draft, follower, (span.0, span.1.saturating_sub(1)), None);
        return true;
    }
    let (possible, impossible): (Vec<DomainCase>, Vec<DomainCase>) = cases_in(draft, own)
        .into_iter()
        .partition(|case| case.room() > 0);
    if let [column] = others[..] {
        rule_out(draft, column, &impossible);
    }
    let Some(room) = possible.iter().map(DomainCase::room).min() else {
        return false;
    };
    let parts = || possible.iter().flat_map(|case| case.parts.iter());
    let ends = (
        parts().map(|(low, _)| *low).min().unwrap_or(own.0),
        parts().map(|(_, high)| high - 1).max().unwrap_or(own.1),
    );
    let last = ends.0.saturating_add_unsigned(room.saturating_sub(1));
    let domain = Domain {
        start: ends.0,
        room,
        ends,
        cases: possible.into(),
    };
    set_range(draft, follower, (ends.0, last), Some(Box::new(domain)));
    true
}

/// Where the column's own numbers lie, as far as partitions take them (else all partitions), and what the partitions span.
fn windows(
    draft: &TableDraft<'_>,
    follower: usize,
    leaves: &[Leaf],
) -> Option<((i64, i64), (i64, i64))> {
    let Generator::Scalar(scalar) = &draft.columns[follower].generator else {
        return None;
    };
    let (low, high) = source_range(scalar);
    let own = (low, high.saturating_add(1));
    let limits = leaves.iter().flat_map(|leaf| of_column(leaf, follower));
    let parts = limits.flat_map(|limit| match limit {
        Limit::Parts(parts) => parts.as_slice(),
        Limit::In(_) | Limit::NotIn(_) => &[],
    });
    let (mut least, mut most) = (i64::MAX, i64::MIN);
    for (from, to) in parts {
        (least, most) = (least.min(*from), most.max(*to));
    }
    // A default partition takes what the others leave: the column's own range is all of it.
    let span = (
        if least == i64::MIN { own.0 } else { least },
        if most == i64::MAX { own.1 } else { most },
    );
    let both = (own.0.max(span.0), own.1.min(span.1));
    (span.0 < span.1).then_some((if both.0 < both.1 { both } else { span }, span))
}

fn parts_beside(
    draft: &TableDraft<'_>,
    follower: usize,
    conditions: &[Condition],
    leaves: &[Leaf],
    (from, to): (i64, i64),
) -> Box<[(i64, i64)]> {
    let holds = |leaf: &&Leaf| {
        conditions.iter().all(|condition| {
            let class = &draft.columns[condition.column].class;
            of_column(leaf, condition.column)
                .all(|limit| is_within(class, &condition.values, limit))
        })
    };
    let mut parts: Vec<(i64, i64)> = leaves
        .iter()
        .filter(holds)
        .flat_map(|leaf| {
            of_column(leaf, follower).fold(vec![(from, to)], |open, limit| match limit {
                Limit::Parts(parts) => meet(&open, parts),
                Limit::In(_) | Limit::NotIn(_) => open,
            })
        })
        .collect();
    parts.sort_unstable();
    let mut joined: Vec<(i64, i64)> = Vec::new();
    for (low, high) in parts {
        match joined.last_mut() {
            Some((_, end)) if low <= *end => *end = (*end).max(high),
            _ => joined.push((low, high)),
        }
    }
    joined.into()
}

/// What two sets of parts have in common.
fn meet(one: &[(i64, i64)], other: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let pairs = one
        .iter()
        .flat_map(|a| other.iter().map(move |b| (a.0.max(b.0), a.1.min(b.1))));
    pairs.filter(|(low, high)| low < high).collect()
}

fn set_range(
    draft: &mut TableDraft<'_>,
    column: usize,
    range: (i64, i64),
    domain: Option<Box<Domain>>,
) {
    let Generator::Scalar(scalar) = &mut draft.columns[column].generator else {
        return;
    };
    scalar.hard = (scalar.hard.0.max(range.0), scalar.hard.1.min(range.1));
    if let ScalarSource::Range { low, high, .. }
    | ScalarSource::LowHeavy { low, high, .. }
    | ScalarSource::Placed { low, high, .. } = &mut scalar.source
        && domain.is_some()
    {
        (*low, *high) = range;
    }
    enter(scalar);
    scalar.domain = domain;
}

/// Values of a list beside which there is no partition do not come.
fn rule_out(draft: &mut TableDraft<'_>, column: usize, impossible: &[DomainCase]) {
    let class = draft.columns[column].class.clone();
    let planned = &mut draft.columns[column];
    if matches!(planned.generator, Generator::Parent { .. }) || planned.fixed {
        return;
    }
    let gone = |cell: &[u8]| {
        impossible.iter().any(|case| {
            case.conditions
                .iter()
                .all(|condition| match &condition.values {
                    Allowed::Cell(other) => **other == *cell,
                    Allowed::NoneOf(others) => others.iter().all(|other| **other != *cell),
                    Allowed::Between(..) => false,
                })
        })
    };
    let Some(choices) = &planned.choices else {
        return;
    };
    let kept: Vec<(String, f64)> = choices
        .iter()
        .filter(|(text, _)| literal::cell(&class, text).is_none_or(|cell| !gone(&cell)))
        .cloned()
        .collect();
    if kept.len() < choices.len()
        && !kept.is_empty()
        && let Ok(generator) = choice_of(&class, &kept)
    {
        planned.generator = generator;
        planned.choices = Some(kept);
    }
}

/// Lists within lists: each leaf's values belong together.
fn choose_kinds(draft: &mut TableDraft<'_>, leaves: &[Leaf]) -> bool {
    let listed = |limit: &Limit| matches!(limit, Limit::In(_));
    let whole = leaves
        .iter()
        .all(|leaf| leaf.len() > 1 && leaf.iter().all(|(_, l)| listed(l)));
    if !whole || leaves.len() > MOST_CASES {
        return false;
    }
    let alternatives: Vec<Vec<Atom>> = leaves
        .iter()
        .map(|leaf| {
            leaf.iter()
                .filter_map(|(column, limit)| match limit {
                    Limit::In(values) => Some(Atom::In {
                        column: draft.columns[*column].column.name.clone(),
                        values: values.clone(),
                        negated: false,
                    }),
                    Limit::Parts(_) | Limit::NotIn(_) => None,
                })
                .collect()
        })
        .collect();
    for column in leaves
        .iter()
        .flatten()
        .map(|(column, _)| *column)
        .collect::<BTreeSet<_>>()
    {
        let mut values: Vec<(String, f64)> = Vec::new();
        for limit in leaves.iter().flat_map(|leaf| of_column(leaf, column)) {
            let Limit::In(texts) = limit else { continue };
            for text in texts {
                if !values.iter().any(|(other, _)| other == text) {
                    values.push((text.clone(), 1.0));
                }
            }
        }
        let planned = &mut draft.columns[column];
        planned.nulls = Nulls::Never;
        if planned.choices.is_none()
            && !planned.fixed
            && let Ok(generator) = choice_of(&planned.class, &values)
        {
            planned.generator = generator;
            planned.choices = Some(values);
        }
    }
    draft.choices.push(Choice {
        name: "of its partitions".to_owned(),
        alternatives,
    });
    true
}
