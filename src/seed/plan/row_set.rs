//! Some rows of a table.

/// Some of a table's rows, a bit a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowSet {
    words: Box<[u64]>,
    count: u64,
}

impl RowSet {
    /// An empty set, with room for `rows` rows.
    #[must_use]
    pub fn none_of(rows: u64) -> Self {
        // A plan of more rows than memory has bits fails to be allocated, not to be counted.
        let words = usize::try_from(rows.div_ceil(64)).unwrap_or(usize::MAX);
        Self {
            words: vec![0; words].into(),
            count: 0,
        }
    }

    /// Adds a row; says whether it is new.
    pub fn insert(&mut self, row: u64) -> bool {
        let Some(word) = self.words.get_mut((row / 64) as usize) else {
            return false;
        };
        let bit = 1 << (row % 64);
        let new = *word & bit == 0;
        *word |= bit;
        self.count += u64::from(new);
        new
    }

    /// Whether a row is in it.
    #[inline]
    #[must_use]
    pub fn contains(&self, row: u64) -> bool {
        self.words
            .get((row / 64) as usize)
            .is_some_and(|word| word & (1 << (row % 64)) != 0)
    }

    /// How many rows.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.count
    }

    /// No row.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }
}
