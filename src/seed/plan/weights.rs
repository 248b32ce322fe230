//! How often each of several things comes.

/// How often each of n things comes, drawn in constant time (Walker 1977, the alias method).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Weights {
    /// Threshold of 2^32 and the alias for each slot; empty for one or no thing.
    slots: Box<[(u32, u32)]>,
}

impl Weights {
    /// From weights of any sum; negative and non-finite ones count as 0, all zero as equal.
    #[must_use]
    pub fn new(weights: &[f64]) -> Self {
        let clean: Vec<f64> = weights
            .iter()
            .map(|w| if w.is_finite() { w.max(0.0) } else { 0.0 })
            .collect();
        let sum: f64 = clean.iter().sum();
        let count = clean.len();
        let mut scaled: Vec<f64> = if sum > 0.0 {
            clean.iter().map(|w| w / sum * count as f64).collect()
        } else {
            vec![1.0; count]
        };
        let mut slots: Vec<(u32, u32)> = (0..count as u32).map(|slot| (u32::MAX, slot)).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..count).partition(|&slot| scaled[slot] < 1.0);
        while let (Some(low), Some(&high)) = (small.pop(), large.last()) {
            slots[low] = ((scaled[low] * f64::from(u32::MAX)) as u32, high as u32);
            scaled[high] -= 1.0 - scaled[low];
            if scaled[high] < 1.0 {
                large.pop();
                small.push(high);
            }
        }
        Self {
            slots: slots.into(),
        }
    }

    /// Which thing 64 random bits draw.
    #[inline]
    #[must_use]
    pub fn draw(&self, bits: u64) -> usize {
        let slot = crate::seed::random::below(bits, self.slots.len() as u64) as usize;
        match self.slots.get(slot) {
            Some(&(threshold, alias)) => {
                // The low bits decide within the slot; `below` used the high ones.
                if (bits as u32) < threshold || alias as usize == slot {
                    slot
                } else {
                    alias as usize
                }
            }
            None => 0,
        }
    }

    /// The share of all draws that each thing gets.
    #[must_use]
    pub fn shares(&self) -> Vec<f64> {
        let mut shares = vec![0.0; self.slots.len()];
        for (slot, (threshold, alias)) in self.slots.iter().enumerate() {
            let own = f64::from(*threshold) / f64::from(u32::MAX);
            shares[slot] += own;
            if let Some(other) = shares.get_mut(*alias as usize) {
                *other += 1.0 - own;
            }
        }
        shares
            .iter()
            .map(|share| share / self.slots.len() as f64)
            .collect()
    }

    /// How many things.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.slots.len()
    }

    /// Nothing to draw.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::random::Key;

    #[test]
    fn weights_are_obeyed() {
        let weights = Weights::new(&[0.5, 0.3, 0.15, 0.05, 0.0]);
        let key = Key::new(3);
        let mut counts = [0_u32; 5];
        for index in 0..1_000_000 {
            counts[weights.draw(key.at(index))] += 1;
        }
        for (count, share) in counts.iter().zip([0.5, 0.3, 0.15, 0.05, 0.0]) {
            assert!(
                (f64::from(*count) / 1e6 - share).abs() < 0.003,
                "{counts:?}"
            );
        }
        assert_eq!(counts[4], 0);
        for (found, share) in weights.shares().iter().zip([0.5, 0.3, 0.15, 0.05, 0.0]) {
            assert!((found - share).abs() < 1e-6, "{:?}", weights.shares());
        }
        assert_eq!(Weights::new(&[7.0]).draw(u64::MAX), 0);
    }
}
