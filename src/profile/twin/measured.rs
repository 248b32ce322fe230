//! What a probe measured, as wishes: children of each parent, how values lie on pages, columns that depend on each other.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::OneTable;
use super::column::{Asked, Order};
use crate::profile::model::{Axis, Joint, Locality};
use crate::seed::spec::{JointShape, MeasuredShape, PageLocality, ShapeSpec};
use crate::seed::types::{TypeClass, classify};

/// Values of a page that are nearer to each other than this have their order from the pages.
const CLUSTERED: f64 = 0.6;

impl Asked<'_> {
    /// The shape, with what was measured besides.
    pub(super) fn with_measures(&self, class: &TypeClass, shape: ShapeSpec) -> Arc<ShapeSpec> {
        let (name, probed) = (&self.column.name, &self.one.statistics.probed);
        let fan_out = probed.fan_outs.iter().find(|found| found.column == *name);
        let locality = self.one.locality(name).map(|found| PageLocality {
            distinct: found.distinct,
            spread: found.spread,
            pages: self.one.statistics.pages as f64,
        });
        let measured = MeasuredShape {
            locality,
            fan_out: fan_out.map(|found| (found.childless, found.children.clone())),
            given: self.given(class, &shape),
        };
        Arc::new(ShapeSpec { measured, ..shape })
    }

    /// The column that has a say in this one.
    fn given(&self, class: &TypeClass, shape: &ShapeSpec) -> Option<JointShape> {
        let pair = self.one.deciding(&self.column.name)?;
        let (other, own) = pair.axes();
        let column = self.one.table.column(&other.column)?;
        let asked = Asked {
            one: self.one,
            column,
            statistics: self.one.column(&other.column)?,
            rows: self.rows,
        };
        let class_of_other = classify(self.one.schema, &column.data_type);
        let shape_of_other = asked.shape(&class_of_other, None)?;
        Some(JointShape {
            column: other.column.clone(),
            other_bins: asked.bins(&class_of_other, other, &shape_of_other)?,
            bins: self.bins(class, own, shape)?,
            cells: pair.cells(),
        })
    }

    /// The bin of each part of a shape.
    fn bins(&self, class: &TypeClass, axis: &Axis, shape: &ShapeSpec) -> Option<Vec<usize>> {
        let order = Order::of(class)?;
        let moved = |texts: &[String]| -> Vec<String> {
            texts.iter().map(|text| self.moved(class, text)).collect()
        };
        let (common, bounds) = (moved(&axis.common), moved(&axis.bounds));
        let parts = shape.parts.iter().map(|part| {
            let named = common.iter().position(|text| *text == part.low);
            let named = named.filter(|_| part.high.is_none());
            named.unwrap_or_else(|| {
                let below = bounds
                    .iter()
                    .filter(|bound| order.compare(bound, &part.low).is_le());
                common.len() + below.count()
            })
        });
        Some(parts.collect())
    }
}

/// Two columns of which the first decides.
#[derive(Clone, Copy)]
struct Pair<'p> {
    joint: &'p Joint,
    /// Which of the two axes decides.
    first: usize,
}

impl<'p> Pair<'p> {
    fn axes(&self) -> (&'p Axis, &'p Axis) {
        (
            &self.joint.axes[self.first],
            &self.joint.axes[1 - self.first],
        )
    }

    fn cells(&self) -> Vec<(usize, usize, f64)> {
        let cells = self.joint.cells.iter();
        cells
            .map(|(one, other, share)| match self.first {
                0 => (*one, *other, *share),
                _ => (*other, *one, *share),
            })
            .collect()
    }
}

impl OneTable<'_> {
    fn locality(&self, column: &str) -> Option<&Locality> {
        let mut found = self.statistics.probed.localities.iter();
        found.find(|found| found.column == column)
    }

    /// Whether a column is one of two that depend on each other.
    pub(super) fn is_joint(&self, column: &str) -> bool {
        let pairs = self.pairs();
        pairs.iter().any(|pair| {
            let (first, second) = pair.axes();
            first.column == column || second.column == column
        })
    }

    fn deciding(&self, column: &str) -> Option<Pair<'_>> {
        let pairs = self.pairs();
        pairs
            .into_iter()
            .find(|pair| pair.axes().1.column == column)
    }

    /// Pairs in which the one column can follow the other: each column follows one at most, and none follows one that follows
    /// another. Columns whose children are counted, or that are clustered on pages, follow none.
    fn pairs(&self) -> Vec<Pair<'_>> {
        let probed = &self.statistics.probed;
        let (mut deciding, mut following) = (BTreeSet::new(), BTreeSet::new());
        let is_bound = |column: &str| {
            let is_counted = probed.fan_outs.iter().any(|found| found.column == column);
            is_counted
                || self
                    .locality(column)
                    .is_some_and(|found| found.spread < CLUSTERED)
        };
        let mut pairs = Vec::new();
        for joint in &probed.joints {
            // What follows another column does not follow the rows: that is the one which does so less.
            let ties = |axis: &Axis| {
                let known = self
                    .column(&axis.column)
                    .and_then(|known| known.correlation);
                known.map_or(0.0, f32::abs)
            };
            let nearer = usize::from(ties(&joint.axes[1]) > ties(&joint.axes[0]));
            let can_follow = [nearer, 1 - nearer].into_iter().find(|first| {
                let (other, own) = (&joint.axes[*first].column, &joint.axes[1 - first].column);
                let is_free = !deciding.contains(own) && !following.contains(own) && !is_bound(own);
                is_free && !following.contains(other)
            });
            if let Some(first) = can_follow {
                deciding.insert(&joint.axes[first].column);
                following.insert(&joint.axes[1 - first].column);
                pairs.push(Pair { joint, first });
            }
        }
        pairs
    }
}
