//! A foreign key's column under stricter constraints than the column that it references: only those of the parent's rows are
//! referenced whose value meets the constraints of both.

use crate::seed::check::{ColumnFacts, Matcher};
use crate::seed::types::{ScalarEncoding, TypeClass};

/// What a cell must meet.
pub(super) struct Stricter<'f> {
    facts: &'f ColumnFacts,
    /// Each pattern, and whether it must not match.
    patterns: Vec<(Matcher, bool)>,
    number: bool,
}

impl<'f> Stricter<'f> {
    /// `None` where nothing is said, or of a type whose cells are not read here.
    pub(super) fn of(facts: &'f ColumnFacts, class: &TypeClass) -> Option<Self> {
        let number = match class.base() {
            TypeClass::Text { version: None, .. } => false,
            TypeClass::Scalar(
                ScalarEncoding::Int2 | ScalarEncoding::Int4 | ScalarEncoding::Int8,
            ) => true,
            _ => return None,
        };
        let patterns: Vec<(Matcher, bool)> = facts
            .patterns
            .iter()
            .filter_map(|(pattern, negated)| Some((Matcher::new(pattern)?, *negated)))
            .collect();
        let limited =
            !facts.excluded.is_empty() || !facts.limits.is_empty() || facts.lower || facts.upper;
        let said = limited || facts.length.is_some() || !patterns.is_empty();
        said.then_some(Self {
            facts,
            patterns,
            number,
        })
    }

    /// Whether a cell (with its length) is taken; NULL is.
    pub(super) fn takes(&self, cell: &[u8]) -> bool {
        let Some((length, bytes)) = cell.split_first_chunk::<4>() else {
            return true;
        };
        if *length == [0xff; 4] {
            return true;
        }
        if self.number {
            // Sign-extended to eight bytes.
            let sign = if bytes.first().is_some_and(|byte| byte & 0x80 != 0) {
                u64::MAX
            } else {
                0
            };
            let value = bytes
                .iter()
                .fold(sign, |value, byte| value << 8 | u64::from(*byte))
                as i64;
            return self.facts.allows(&value.to_string());
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            return true;
        };
        let characters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        let fits = self
            .facts
            .length
            .is_none_or(|(min, max)| (min..=max).contains(&characters));
        let has = |wanted: fn(char) -> bool| text.chars().any(wanted);
        let miscased = (self.facts.lower && has(char::is_uppercase))
            || (self.facts.upper && has(char::is_lowercase));
        fits && !miscased
            && self.facts.allows(text)
            && self
                .patterns
                .iter()
                .all(|(pattern, negated)| pattern.finds(text) != *negated)
    }
}
