//! What was measured in production's rows beyond its statistics: how values lie on pages, how many children parents have, and
//! which values of two columns occur together.

use super::Resolver;
use super::table::TableDraft;
use crate::seed::plan::{
    Cut, FanOut, Generator, Given, Inside, Link, LinkChoice, NumberPart, Quantiles, ScalarSource,
    Stretches, TextSource, Together, copula_spread,
};
use crate::seed::random::Key;
use crate::seed::spec::{JointShape, PageLocality, ShapeSpec};

/// Values of a page that lie farther apart than this are not clustered.
const CLUSTERED: f64 = 0.6;
/// By so much nearer to each other than the correlation alone puts them.
const NEARER: f64 = 0.7;
/// Fewer different values on a page than this share of what chance gives: equal values are neighbours.
const NEIGHBOURS: f64 = 0.6;
/// Values of a page that lie no farther apart than this many pages' share of them are in their order.
const SORTED: f64 = 4.0;
/// How many pages are in their order one after another is not measured.
const PAGES_A_STRETCH: f64 = 8.0;
/// Stretches, and parts of each, where only the count and the correlation are known.
const FINE: u64 = 256;
/// Share of the rows that ranges of a key are joined to: the counts of narrower ones are mostly ANALYZE's noise.
const WIDE: f64 = 0.1;

/// So many times the children of the parents with most of them are more than a sample's noise.
const NOISE: f64 = 3.0;

/// Rows that are laid out.
#[derive(Clone, Copy)]
pub(super) struct Filled {
    pub(super) key: Key,
    pub(super) rows: u64,
    /// Share of them with a value.
    pub(super) present: f64,
}

impl PageLocality {
    /// Whether equal values are neighbours, and different ones anywhere.
    pub(super) fn is_by_group(&self) -> bool {
        self.distinct < NEIGHBOURS && self.spread >= CLUSTERED
    }

    /// The stretches that give this distance within a page; `None` where the correlation says as much.
    fn cut(&self, gauss: f64) -> Option<Cut> {
        let is_clustered = self.spread < CLUSTERED && self.spread < NEARER * copula_spread(gauss);
        let most = self.pages.max(1.0);
        // As near as neighbours in the values' order are: several pages together are one stretch, or each of them would be cut.
        let is_sorted = self.spread * self.pages < SORTED;
        is_clustered.then(|| match is_sorted {
            true => Cut {
                stretches: (most / PAGES_A_STRETCH).ceil() as u64,
                inside: Inside::Rising,
            },
            false => Cut {
                stretches: (1.0 / self.spread.max(1e-6)).clamp(1.0, most).round() as u64,
                inside: Inside::Mixed(1),
            },
        })
    }
}

/// The rows' order for values that are clustered beyond their correlation.
pub(super) fn stretches(
    filled: Filled,
    locality: Option<PageLocality>,
    gauss: f64,
) -> Option<Stretches> {
    let cut = locality?.cut(gauss)?;
    Some(filled.cut(cut, gauss))
}

impl Filled {
    /// Children of one parent together.
    pub(super) fn by_group(self, locality: Option<PageLocality>) -> Stretches {
        let pages = locality.map_or(1.0, |locality| locality.pages).max(1.0);
        let cut = Cut {
            stretches: pages as u64,
            inside: Inside::Rising,
        };
        self.cut(cut, 1.0)
    }

    /// Each place taken once, clustered as far as that is known.
    pub(super) fn counted(self, locality: Option<PageLocality>, gauss: f64) -> Stretches {
        stretches(self, locality, gauss).unwrap_or_else(|| {
            let cut = Cut {
                stretches: FINE,
                inside: Inside::Mixed(FINE),
            };
            self.cut(cut, gauss)
        })
    }

    fn cut(self, cut: Cut, gauss: f64) -> Stretches {
        Stretches::new(self.key, self.rows, self.present, cut, gauss)
    }
}

/// Parts with their shares and numbers of different values.
type Parts = Vec<(NumberPart, f64, f64)>;

/// Neighbouring ranges of a key's histogram as one, up to a tenth of the rows; single values stay.
pub(super) fn merged(parts: Parts) -> Parts {
    let mut found: Parts = Vec::with_capacity(parts.len());
    let mut open: Option<usize> = None;
    for (part, share, distinct) in parts {
        let is_range = part.high > part.low;
        match open.filter(|at| is_range && found[*at].1 + share <= WIDE * 1.01) {
            Some(at) => {
                let (wide, of_wide, values) = &mut found[at];
                wide.high = part.high;
                *of_wide += share;
                *values += distinct;
            }
            None => {
                found.push((part, share, distinct));
                open = is_range.then(|| found.len() - 1).or(open);
            }
        }
    }
    found
}

/// How many children parents have, where that was measured.
pub(super) fn fan_out(shape: &ShapeSpec, link: &Link) -> Option<FanOut> {
    let (_, counts) = shape.measured.fan_out.as_ref()?;
    FanOut::new(link.key.derive("fan out"), counts)
}

/// Without single values that are as frequent as many parents are: in a sample some of those seem more frequent than the rest.
pub(super) fn without_noise(parts: Parts, rows: u64, most: f64) -> Parts {
    let is_noise = |(part, share, _): &(NumberPart, f64, f64)| {
        part.high <= part.low && share * rows as f64 <= NOISE * most
    };
    let (noise, mut kept): (Parts, Parts) = parts.into_iter().partition(is_noise);
    let of_noise: f64 = noise.iter().map(|(_, share, _)| share).sum();
    let is_range = |part: &NumberPart| part.high > part.low;
    let ranges: f64 = kept
        .iter()
        .filter(|(part, ..)| is_range(part))
        .map(|(_, share, _)| share)
        .sum();
    if ranges <= 0.0 {
        kept.extend(noise);
        return kept;
    }
    for (part, share, _) in &mut kept {
        if is_range(part) {
            *share *= 1.0 + of_noise / ranges;
        }
    }
    kept
}

/// How many parents of each range have children: in proportion to its rows, so that each of them has as many as elsewhere, and
/// over all ranges as many as the measured share leaves.
pub(super) fn with_parents(mut parts: Parts, childless: f64) -> Parts {
    let width = |part: &NumberPart| part.high.abs_diff(part.low) as f64;
    let ranges = parts.iter().filter(|(part, ..)| part.high > part.low);
    let (rows, parents) = ranges.fold((0.0, 0.0), |sum, (part, share, _)| {
        (sum.0 + share, sum.1 + width(part))
    });
    let filled = parents * (1.0 - childless);
    for (part, share, _) in &mut parts {
        if part.high > part.low {
            let own = filled * *share / f64::max(rows, f64::MIN_POSITIVE);
            part.distinct = own.round().clamp(1.0, width(part)) as u64;
        }
    }
    parts
}

impl<'a> Resolver<'a> {
    /// Joins columns of which a profile knows which values they have together, when all of them are known. A column whose
    /// children are counted stays as it is.
    pub(super) fn join_columns(&self, draft: &mut TableDraft<'a>) {
        for column in 0..draft.columns.len() {
            let shape = draft.columns[column]
                .spec
                .and_then(|spec| spec.shape.as_ref());
            let Some(joint) = shape.and_then(|shape| shape.measured.given.as_ref()) else {
                continue;
            };
            if let Some(given) = given(draft, column, joint)
                && let Some(own) = quantiles_mut(draft, column)
            {
                own.given = Some(Box::new(given));
            }
        }
    }
}

/// Whether another column follows this one.
pub(super) fn decides(draft: &TableDraft<'_>, column: usize) -> bool {
    let name = &draft.columns[column].column.name;
    let mut shapes = draft
        .columns
        .iter()
        .filter_map(|other| other.spec?.shape.as_deref());
    shapes.any(|shape| {
        shape
            .measured
            .given
            .as_ref()
            .is_some_and(|given| given.column == *name)
    })
}

fn given(draft: &TableDraft<'_>, column: usize, joint: &JointShape) -> Option<Given> {
    let other = draft.position(&joint.column)?;
    let (key, of_other) = order(draft, other)?;
    let (_, own) = order(draft, column)?;
    let is_joined = of_other.given.is_some() || own.stretches.is_some();
    if is_joined {
        return None;
    }
    let bins = |column: usize, bins: &[usize]| made_bins(draft, column, bins);
    let together = Together {
        other_bins: &bins(other, &joint.other_bins)?,
        bins: &bins(column, &joint.bins)?,
        cells: &joint.cells,
    };
    Given::new(key, of_other, own, &together)
}

/// How a column's values follow the rows, and the randomness of it.
fn order<'d>(draft: &'d TableDraft<'_>, column: usize) -> Option<(Key, &'d Quantiles)> {
    let found = &draft.columns[column];
    match &found.generator {
        Generator::Scalar(scalar) => match &scalar.source {
            ScalarSource::Shape(shape) => Some((found.key, &shape.quantiles)),
            _ => None,
        },
        Generator::Text(text) => match &text.source {
            TextSource::Shape(shape) => Some((found.key, &shape.quantiles)),
            _ => None,
        },
        Generator::Parent { link, .. } => match &draft.links.get(*link)?.choice {
            LinkChoice::Shape { shape, .. } => Some((draft.links[*link].key, &shape.quantiles)),
            _ => None,
        },
        _ => None,
    }
}

fn quantiles_mut<'d>(draft: &'d mut TableDraft<'_>, column: usize) -> Option<&'d mut Quantiles> {
    match &mut draft.columns[column].generator {
        Generator::Scalar(scalar) => match &mut scalar.source {
            ScalarSource::Shape(shape) => Some(&mut shape.quantiles),
            _ => None,
        },
        Generator::Text(text) => match &mut text.source {
            TextSource::Shape(shape) => Some(&mut shape.quantiles),
            _ => None,
        },
        Generator::Parent { link, .. } => match &mut draft.links.get_mut(*link)?.choice {
            LinkChoice::Shape { shape, .. } => Some(&mut shape.quantiles),
            _ => None,
        },
        _ => None,
    }
}

/// The bins of the parts as they were made of a shape: a key whose values count no rows has its single values first, and one
/// part for all the rest.
fn made_bins(draft: &TableDraft<'_>, column: usize, bins: &[usize]) -> Option<Vec<usize>> {
    let shape: &ShapeSpec = draft.columns[column].spec?.shape.as_deref()?;
    let Generator::Parent { link, .. } = &draft.columns[column].generator else {
        return Some(bins.to_vec());
    };
    let LinkChoice::Shape { shape: made, .. } = &draft.links.get(*link)?.choice else {
        return None;
    };
    if made.parts.len() == shape.parts.len() && shape.parents.is_some() {
        return Some(bins.to_vec());
    }
    let parts = || shape.parts.iter().zip(bins);
    let singles = parts().filter(|(part, _)| part.high.is_none());
    let mut found: Vec<usize> = singles.map(|(_, bin)| *bin).collect();
    let mut ranges = parts().filter(|(part, _)| part.high.is_some());
    found.extend(ranges.next().map(|(_, bin)| *bin));
    (found.len() == made.parts.len()).then_some(found)
}
