//! Random numbers that a key decides: the same key and label give the same stream, and nobody without the key can tell it.

use sha2::{Digest, Sha256};

/// What decides how values are mapped. It is never written into a profile.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl Key {
    /// From random bytes, or from the contents of a key file.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The stream of a label.
    pub(super) fn stream(&self, label: &str) -> Stream {
        Stream {
            key: self.0,
            label: Sha256::digest(label.as_bytes()).into(),
            next: 0,
            left: Vec::new(),
        }
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

/// Random numbers of a label. Every input of the hash has the same length, so that the key in front makes it a keyed one.
pub(super) struct Stream {
    key: [u8; 32],
    label: [u8; 32],
    next: u64,
    /// Numbers of the last hash that are left.
    left: Vec<u64>,
}

impl Stream {
    /// Any number.
    pub(super) fn number(&mut self) -> u64 {
        if let Some(number) = self.left.pop() {
            return number;
        }
        let mut hash = Sha256::new();
        hash.update(self.key);
        hash.update(self.label);
        hash.update(self.next.to_be_bytes());
        self.next += 1;
        let digest = hash.finalize();
        let number = |bytes: &[u8]| {
            let bytes = bytes.iter();
            bytes.fold(0, |number, byte| number << 8 | u64::from(*byte))
        };
        self.left = digest.chunks_exact(8).map(number).collect();
        self.left.pop().unwrap_or_default()
    }

    /// From 0 to below 1.
    pub(super) fn unit(&mut self) -> f64 {
        (self.number() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From 0 to below `count`; 0 where `count` is 0.
    pub(super) fn below(&mut self, count: usize) -> usize {
        (self.unit() * count as f64) as usize
    }

    /// `chosen` numbers of 0 to below `count`, ascending.
    pub(super) fn choose(&mut self, chosen: usize, count: usize) -> Vec<usize> {
        if chosen == 1 && count > 0 {
            return vec![self.below(count)];
        }
        let mut left = chosen.min(count);
        let mut found = Vec::with_capacity(left);
        for at in 0..count {
            if left == 0 {
                break;
            }
            if self.below(count - at) < left {
                found.push(at);
                left -= 1;
            }
        }
        found
    }
}

/// A factor that moves what it multiplies, by 10 to 45 of 100 in either direction.
pub(super) fn factor(stream: &mut Stream) -> f64 {
    let by = 0.1 + 0.35 * stream.unit();
    match stream.number() % 2 {
        0 => 1.0 - by,
        _ => 1.0 + by,
    }
}
