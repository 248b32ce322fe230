//! Maps whose keys are numbers that are spread already, or counted from 0: a multiplication is hash enough.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;

/// A map by number.
pub(super) type KeyMap<K, V> = HashMap<K, V, BuildHasherDefault<KeyHasher>>;

/// Hashes numbers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct KeyHasher(u64);

impl KeyHasher {
    fn mix(&mut self, word: u64) {
        let mixed = (self.0.rotate_left(26) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        // Tables look at the upper bits and at the lower ones.
        self.0 = mixed ^ (mixed >> 32);
    }
}

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.mix(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.mix(number);
    }

    fn write_usize(&mut self, number: usize) {
        self.mix(number as u64);
    }

    fn write_u128(&mut self, number: u128) {
        self.mix(number as u64);
        self.mix((number >> 64) as u64);
    }
}

/// The form of a statement: compared by its number, so that no execution costs a comparison of texts.
#[derive(Debug, Clone)]
pub struct FormKey {
    /// Its number among those of one recording.
    number: usize,
    /// With `$n` for every constant.
    pub(super) text: Arc<str>,
}

impl FormKey {
    /// The form that has this number in its recording.
    pub(super) fn new(number: usize, text: Arc<str>) -> Self {
        Self { number, text }
    }
}

impl PartialEq for FormKey {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for FormKey {}

impl Hash for FormKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.number);
    }
}
