//! Strictly monotone maps of numbers: gaps between neighbours change at random and keep their order of magnitude, anchors stay
//! where they are, and as many values lie between two anchors as before.

use std::collections::BTreeSet;

use super::random::{Stream, factor};

/// Where the values of `sorted` (ascending, each once) go. Values that are anchors stay; all results lie within the limits.
pub(super) fn spread(
    sorted: &[i64],
    anchors: &BTreeSet<i64>,
    limits: (i64, i64),
    stream: &mut Stream,
) -> Vec<i64> {
    let mut mapped = vec![0_i64; sorted.len()];
    let mut start = 0;
    while start < sorted.len() {
        if anchors.contains(&sorted[start]) {
            mapped[start] = sorted[start];
            start += 1;
            continue;
        }
        let below = anchors.range(..sorted[start]).next_back().copied();
        let above = anchors.range(sorted[start]..).next().copied();
        let end = above.map_or(sorted.len(), |above| {
            start + sorted[start..].partition_point(|value| *value < above)
        });
        let segment = Segment {
            values: &sorted[start..end],
            below,
            above,
            limits,
        };
        mapped[start..end].copy_from_slice(&segment.spread(stream));
        start = end;
    }
    mapped
}

/// Values between two neighbouring anchors.
struct Segment<'v> {
    values: &'v [i64],
    below: Option<i64>,
    above: Option<i64>,
    limits: (i64, i64),
}

impl Segment<'_> {
    fn spread(&self, stream: &mut Stream) -> Vec<i64> {
        let ideal: Vec<f64> = match (self.below, self.above) {
            (Some(below), Some(above)) => self.between(below, above, stream),
            (Some(below), None) => cumulative(below, self.values.iter(), stream),
            (None, Some(above)) => {
                let mut found = cumulative(above, self.values.iter().rev(), stream);
                found.reverse();
                found
            }
            (None, None) => self.jittered(stream),
        };
        self.strictly(&ideal)
    }

    fn between(&self, below: i64, above: i64, stream: &mut Stream) -> Vec<f64> {
        let mut at = below;
        let mut sum = 0.0;
        let mut sums = Vec::with_capacity(self.values.len());
        for value in self.values.iter().chain([&above]) {
            sum += difference(*value, at) * factor(stream);
            sums.push(sum);
            at = *value;
        }
        sums.pop();
        let scale = difference(above, below) / sum;
        let place = |sum: &f64| below as f64 + sum * scale;
        sums.iter().map(place).collect()
    }

    /// Each moves by less than half of the gap to its nearer neighbour.
    fn jittered(&self, stream: &mut Stream) -> Vec<f64> {
        let gap = |at: usize| difference(self.values[at + 1], self.values[at]);
        let last = self.values.len() - 1;
        let mut found = Vec::with_capacity(self.values.len());
        for at in 0..self.values.len() {
            let before = (at > 0).then(|| gap(at - 1));
            let after = (at < last).then(|| gap(at));
            let room = match (before, after) {
                (Some(before), Some(after)) => before.min(after),
                (Some(one), None) | (None, Some(one)) => one,
                (None, None) => (self.values[at] as f64).abs().max(2.0) / 100.0,
            };
            found.push(self.values[at] as f64 + room * (factor(stream) - 1.0));
        }
        found
    }

    /// Rounded, with a step of at least one between neighbours, and room for those that follow.
    fn strictly(&self, ideal: &[f64]) -> Vec<i64> {
        let least = self.below.map_or(self.limits.0, |below| below + 1);
        let most = self.above.map_or(self.limits.1, |above| above - 1);
        let count = ideal.len() as i64;
        let mut next = least;
        let mut found = Vec::with_capacity(ideal.len());
        for (at, ideal) in ideal.iter().enumerate() {
            let last = most.saturating_sub(count - 1 - at as i64);
            let value = (ideal.round() as i64).clamp(next.min(last), last);
            found.push(value);
            next = value.saturating_add(1);
        }
        found
    }
}

/// Gaps from an anchor outwards, each multiplied by a factor of its own.
fn cumulative<'v>(
    anchor: i64,
    values: impl Iterator<Item = &'v i64>,
    stream: &mut Stream,
) -> Vec<f64> {
    let (mut at, mut place) = (anchor, anchor as f64);
    values
        .map(|value| {
            place += difference(*value, at) * factor(stream);
            at = *value;
            place
        })
        .collect()
}

fn difference(one: i64, other: i64) -> f64 {
    one as f64 - other as f64
}

#[cfg(test)]
mod tests {
    use super::super::random::Key;
    use super::*;

    fn mapped(sorted: &[i64], anchors: &[i64], limits: (i64, i64)) -> Vec<i64> {
        let mut stream = Key::of(b"a key of this test").stream("numbers");
        spread(
            sorted,
            &anchors.iter().copied().collect(),
            limits,
            &mut stream,
        )
    }

    #[test]
    fn order_and_anchors_stay_and_everything_else_moves() {
        let sorted = [-918_273, -40, 0, 100, 5_000, 70_000, 80_001, 918_273_645];
        let found = mapped(&sorted, &[0, 100, 70_000], (i64::MIN, i64::MAX));
        assert!(found.windows(2).all(|pair| pair[0] < pair[1]), "{found:?}");
        for (at, value) in sorted.iter().enumerate() {
            let stays = [0, 100, 70_000].contains(value);
            assert_eq!(found[at] == *value, stays, "{value} of {found:?}");
        }
        assert!((100..70_000).contains(&found[4]));
        let ratio = found[7] as f64 / sorted[7] as f64;
        assert!((0.5..1.5).contains(&ratio), "{ratio}");
    }

    #[test]
    fn where_there_is_no_room_the_values_stay_within_it() {
        let all: Vec<i64> = (1..=9).collect();
        assert_eq!(mapped(&all, &[0, 10], (i64::MIN, i64::MAX)), all);
        let near_the_end = mapped(&[32_765, 32_766, 32_767], &[0], (-32_768, 32_767));
        assert!(near_the_end.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(near_the_end[2] <= 32_767);
        let without = mapped(&[1_000, 2_000, 9_000], &[], (0, 20_000));
        assert!(
            without.windows(2).all(|pair| pair[0] < pair[1]),
            "{without:?}"
        );
        assert!(!without.contains(&2_000), "{without:?}");
    }
}
