//! Counter-based randomness: a value depends only on a key and a number, so that any row can be made first, last or
//! twice, by any thread. No state outlives a cell.

/// Names one source of randomness: the seed, a table, a column, a purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(u64);

/// The golden ratio's fraction: an odd increment whose multiples are spread evenly (Steele, Lea and Flood 2014).
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
/// Another odd increment, so that a cell's stream shares no state with its neighbours'.
const STREAM: u64 = 0xD1B5_4A32_D192_ED03;

/// A bijection of 64 bits that looks random (Stafford's variant 13 of the murmur3 finalizer).
#[inline]
#[must_use]
pub const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

impl Key {
    /// The key of a dataset.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(mix(seed ^ GOLDEN))
    }

    /// The key of something inside this one.
    #[must_use]
    pub fn derive(self, name: &str) -> Self {
        // FNV-1a: names are short and few.
        let hash = name.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        });
        Self(mix(self.0.wrapping_add(mix(hash))))
    }

    /// The key of the `number`th thing inside this one.
    #[inline]
    #[must_use]
    pub const fn number(self, number: u64) -> Self {
        Self(mix(self.0 ^ mix(number.wrapping_add(STREAM))))
    }

    /// 64 random bits for `index`: the `index`th output of SplitMix64 started at this key.
    #[inline]
    #[must_use]
    pub const fn at(self, index: u64) -> u64 {
        mix(self.0.wrapping_add(index.wrapping_mul(GOLDEN)))
    }

    /// A random number below `bound` for `index`.
    #[inline]
    #[must_use]
    pub const fn below(self, index: u64, bound: u64) -> u64 {
        below(self.at(index), bound)
    }

    /// A random fraction in 0..1 for `index`.
    #[inline]
    #[must_use]
    pub fn fraction(self, index: u64) -> f64 {
        fraction(self.at(index))
    }

    /// As many random numbers as the cell at `index` needs.
    #[inline]
    #[must_use]
    pub const fn stream(self, index: u64) -> Stream {
        Stream {
            state: self.at(index),
        }
    }
}

/// Maps 64 random bits to a number below `bound` (Lemire's multiplication, without the rejection: the bias is below
/// `bound / 2^64`).
#[inline]
#[must_use]
pub const fn below(bits: u64, bound: u64) -> u64 {
    ((bits as u128 * bound as u128) >> 64) as u64
}

/// Maps 64 random bits to a fraction in 0..1 of 53 bits.
#[inline]
#[must_use]
pub fn fraction(bits: u64) -> f64 {
    (bits >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
}

/// The random numbers of one cell.
#[derive(Debug, Clone)]
pub struct Stream {
    state: u64,
}

impl Stream {
    /// The next 64 random bits.
    #[inline]
    pub fn next_bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STREAM);
        mix(self.state)
    }

    /// Other random numbers of the same cell, which leave this stream where it is.
    #[inline]
    #[must_use]
    pub const fn branch(&self, number: u64) -> Self {
        Self {
            state: mix(self.state ^ number.wrapping_mul(GOLDEN)),
        }
    }

    /// The next number below `bound`.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        below(self.next_bits(), bound)
    }

    /// The next number from `low` to `high`, both included.
    #[inline]
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// The next fraction in 0..1.
    #[inline]
    pub fn fraction(&mut self) -> f64 {
        fraction(self.next_bits())
    }

    /// One of `items`, which must not be empty.
    #[inline]
    pub fn pick<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> &'a T {
        items[self.below(items.len() as u64) as usize]
    }

    /// One of `items`, which must not be empty.
    #[inline]
    pub fn pick_of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }
}

/// A random order of the numbers below `size` that needs no memory: a Feistel network over the smallest power of two
/// that holds them, walked until it lands inside (Black and Rogaway 2002, "cycle walking").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permutation {
    key: Key,
    size: u64,
    /// Added to every number.
    first: u64,
    /// Numbers at the beginning of the order that somebody else has.
    skip: u64,
    left_bits: u32,
    right_bits: u32,
}

/// Half-steps of the network: four full rounds look random to every test that a planner could make.
const STEPS: u64 = 6;

impl Permutation {
    /// A permutation of `0..size`; `size` 0 stands for all 64-bit numbers.
    #[must_use]
    pub const fn new(key: Key, size: u64) -> Self {
        let bits = match size {
            0 => 64,
            1 => 0,
            _ => 64 - (size - 1).leading_zeros(),
        };
        Self {
            key,
            size,
            first: 0,
            skip: 0,
            left_bits: bits / 2,
            right_bits: bits - bits / 2,
        }
    }

    /// The same order of the numbers from `first` on.
    #[must_use]
    pub const fn starting_at(self, first: u64) -> Self {
        Self { first, ..self }
    }

    /// The same order from its `skip`th number on.
    #[must_use]
    pub const fn after(self, skip: u64) -> Self {
        Self { skip, ..self }
    }

    /// How many numbers it orders; 0 for all of 64 bits.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Where `index` goes. `index` must be below the size.
    #[inline]
    #[must_use]
    pub const fn apply(&self, index: u64) -> u64 {
        if self.size == 1 {
            return self.first;
        }
        let mut value = self.forward(index.wrapping_add(self.skip));
        while self.size != 0 && value >= self.size {
            value = self.forward(value);
        }
        value.wrapping_add(self.first)
    }

    /// What goes to `value`.
    #[inline]
    #[must_use]
    pub const fn invert(&self, value: u64) -> u64 {
        if self.size == 1 {
            return 0;
        }
        let mut index = self.backward(value);
        while self.size != 0 && index >= self.size {
            index = self.backward(index);
        }
        index.wrapping_sub(self.skip)
    }

    #[inline]
    const fn forward(&self, value: u64) -> u64 {
        let (mut left, mut right) = self.split(value);
        let mut step = 0;
        while step < STEPS {
            if step.is_multiple_of(2) {
                left ^= self.round(step, right) & low_bits(self.left_bits);
            } else {
                right ^= self.round(step, left) & low_bits(self.right_bits);
            }
            step += 1;
        }
        (left << self.right_bits) | right
    }

    #[inline]
    const fn backward(&self, value: u64) -> u64 {
        let (mut left, mut right) = self.split(value);
        let mut step = STEPS;
        while step > 0 {
            step -= 1;
            if step.is_multiple_of(2) {
                left ^= self.round(step, right) & low_bits(self.left_bits);
            } else {
                right ^= self.round(step, left) & low_bits(self.right_bits);
            }
        }
        (left << self.right_bits) | right
    }

    #[inline]
    const fn split(&self, value: u64) -> (u64, u64) {
        (
            value >> self.right_bits & low_bits(self.left_bits),
            value & low_bits(self.right_bits),
        )
    }

    #[inline]
    const fn round(&self, step: u64, half: u64) -> u64 {
        mix(self.key.0
            ^ half
                .wrapping_mul(GOLDEN)
                .wrapping_add(step.wrapping_mul(STREAM)))
            >> 16
    }
}

#[inline]
const fn low_bits(bits: u32) -> u64 {
    if bits >= 64 {
        u64::MAX
    } else {
        (1 << bits) - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn permutations_of_every_small_size_are_bijections() {
        for size in 1..300 {
            let permutation = Permutation::new(Key::new(7).number(size), size);
            let mut seen: Vec<u64> = (0..size).map(|index| permutation.apply(index)).collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..size).collect::<Vec<_>>(), "size {size}");
        }
    }

    proptest! {
        #[test]
        fn permutations_invert(size in 1_u64.., seed: u64, index: u64) {
            let permutation = Permutation::new(Key::new(seed), size);
            let index = index % size;
            let value = permutation.apply(index);
            prop_assert!(value < size);
            prop_assert_eq!(permutation.invert(value), index);
        }

        #[test]
        fn below_stays_below(bits: u64, bound in 1_u64..) {
            prop_assert!(below(bits, bound) < bound);
        }
    }

    #[test]
    fn keys_of_different_names_differ() {
        let dataset = Key::new(42);
        let a = dataset.derive("orders").derive("id");
        let b = dataset.derive("orders").derive("total");
        assert_ne!(a.at(0), b.at(0));
        assert_ne!(a.at(0), a.at(1));
        assert_eq!(a.at(1), dataset.derive("orders").derive("id").at(1));
    }

    #[test]
    fn fractions_are_uniform() {
        let key = Key::new(1);
        let mean = (0..100_000).map(|i| key.fraction(i)).sum::<f64>() / 100_000.0;
        assert!((mean - 0.5).abs() < 0.005, "{mean}");
    }
}
