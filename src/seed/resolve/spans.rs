//! Ranges whose ends are other columns (`lower(during) = starts_at`) and ranges within ranges: the columns are put in
//! order, and the ranges are made of them.

use std::collections::BTreeMap;

use super::table::TableDraft;
use crate::schema::Schema;
use crate::seed::check::{Atom, Linear};
use crate::seed::expression::Relation;
use crate::seed::plan::{Generator, Nulls, OpaqueCheck, Span, UpperEnd};
use crate::seed::types::{ScalarEncoding, TypeClass, classify};

/// The columns that a range's ends are.
#[derive(Debug, Clone, Default)]
struct Ends {
    low: Option<String>,
    high: Option<String>,
    /// An end that is no column's is open: another range lies within.
    open: bool,
    /// It lies within another range: its ends are never NULL.
    within: bool,
}

/// The ends of each range that a constraint says something of, by column.
fn ends(draft: &TableDraft<'_>) -> BTreeMap<String, Ends> {
    let mut found: BTreeMap<String, Ends> = BTreeMap::new();
    for atom in &draft.facts.atoms {
        if let Atom::RangeEnd {
            range,
            upper,
            column,
        } = atom
        {
            let ends = found.entry(range.clone()).or_default();
            let end = if *upper {
                &mut ends.high
            } else {
                &mut ends.low
            };
            end.get_or_insert_with(|| column.clone());
        }
    }
    for (inner, outer) in withins(draft) {
        let mut of_outer = found.remove(outer).unwrap_or_default();
        let of_inner = found.entry(inner.to_owned()).or_default();
        of_outer.open = true;
        of_inner.within = true;
        // Where nothing else is said the inner one reaches as far as the outer one.
        if of_inner.low.is_some() != of_inner.high.is_some()
            || of_outer.low.is_some()
            || of_outer.high.is_some()
        {
            of_inner.low = of_inner.low.take().or_else(|| of_outer.low.clone());
            of_inner.high = of_inner.high.take().or_else(|| of_outer.high.clone());
        }
        found.insert(outer.to_owned(), of_outer);
    }
    found
}

fn withins<'d>(draft: &'d TableDraft<'_>) -> impl Iterator<Item = (&'d str, &'d str)> {
    draft.facts.atoms.iter().filter_map(|atom| match atom {
        Atom::Within { inner, outer } => Some((inner.as_str(), outer.as_str())),
        _ => None,
    })
}

/// The subtype's encoding, where a class is a range of numbers or times.
fn encoding_of(class: &TypeClass) -> Option<ScalarEncoding> {
    let TypeClass::Range {
        subtype,
        multirange: false,
    } = class.base()
    else {
        return None;
    };
    match subtype.base() {
        TypeClass::Scalar(encoding) => Some(*encoding),
        _ => None,
    }
}

/// Values lie next to each other: `[a, b]` is the same as `[a, b + 1)`, and `upper()` gives the latter's end.
const fn is_discrete(encoding: ScalarEncoding) -> bool {
    matches!(
        encoding,
        ScalarEncoding::Int4 | ScalarEncoding::Int8 | ScalarEncoding::Date
    )
}

/// Adds the order in which the columns must be that are ends of ranges.
pub(super) fn add_order(schema: &Schema, draft: &mut TableDraft<'_>) {
    let found = ends(draft);
    let mut pairs: Vec<(String, String, Relation)> = Vec::new();
    for (range, ends) in &found {
        let class = draft
            .table
            .column(range)
            .map(|column| classify(schema, &column.data_type));
        let Some(encoding) = class.as_ref().and_then(encoding_of) else {
            continue;
        };
        if let (Some(low), Some(high)) = (&ends.low, &ends.high) {
            let relation = if is_discrete(encoding) {
                Relation::Less
            } else {
                Relation::LessOrEqual
            };
            pairs.push((low.clone(), high.clone(), relation));
        }
    }
    for (inner, outer) in withins(draft) {
        let (Some(inner), Some(outer)) = (found.get(inner), found.get(outer)) else {
            continue;
        };
        let low = outer.low.clone().zip(inner.low.clone());
        let high = inner.high.clone().zip(outer.high.clone());
        pairs.extend(
            low.into_iter()
                .chain(high)
                .map(|(low, high)| (low, high, Relation::LessOrEqual)),
        );
    }
    pairs.retain(|(low, high, _)| low != high);
    draft
        .facts
        .atoms
        .extend(pairs.into_iter().map(|(low, high, relation)| {
            Atom::Compare(Linear {
                terms: vec![(low, 1), (high, -1)],
                relation,
                constant: None,
            })
        }));
}

/// Makes the ranges of the columns that are their ends.
pub(super) fn plan(draft: &mut TableDraft<'_>) {
    for (range, ends) in ends(draft) {
        if let Some(span) = span_of(draft, &range, &ends) {
            for end in [span.low, span.high]
                .into_iter()
                .flatten()
                .filter(|_| ends.within)
            {
                if matches!(draft.columns[end].nulls, Nulls::Share { .. }) {
                    draft.columns[end].nulls = Nulls::Never;
                }
            }
            let column = draft.position(&range);
            column
                .into_iter()
                .for_each(|column| draft.columns[column].generator = Generator::Span(span));
        } else if ends.low.is_some() || ends.high.is_some() || ends.open || ends.within {
            draft.opaque_checks.push(OpaqueCheck {
                constraint: range.clone(),
                expression: String::new(),
                reason: format!("{range} is no range that can be made of other columns"),
            });
        }
    }
}

fn span_of(draft: &TableDraft<'_>, range: &str, ends: &Ends) -> Option<Span> {
    let column = &draft.columns[draft.position(range)?];
    let encoding = encoding_of(&column.class)?;
    let end = |name: &Option<String>| match name {
        None => Some(None),
        Some(name) => {
            let at = draft.position(name)?;
            let same = matches!(draft.columns[at].class.base(), TypeClass::Scalar(other) if *other == encoding);
            same.then_some(Some(at))
        }
    };
    let (low, high) = (end(&ends.low)?, end(&ends.high)?);
    // Within a range that is open where nothing is said, any range will do.
    let (Generator::Range { width, .. }, false, true) = (
        &column.generator,
        column.fixed || column.unique,
        low.is_some() || high.is_some() || ends.open,
    ) else {
        return None;
    };
    Some(Span {
        low,
        high,
        encoding,
        width: (!ends.open).then_some(*width),
        upper: match is_discrete(encoding) {
            true => UpperEnd::Excluded,
            false => UpperEnd::Included,
        },
    })
}
