//! Thresholds as typed keys with units and defaults, and the policy (limits and severities) that holds for one query.

use std::collections::HashMap;

use crate::finding::{RuleId, Severity};

/// What a threshold's number counts; decides how it may be written (`"5s"`, `"200MB"`, `1000`, `0.1`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThresholdUnit {
    /// Milliseconds; written as a duration string or a number of ms.
    Millis,
    /// 8 kB pages.
    Pages,
    /// Bytes; written as a size string or a number of bytes.
    Bytes,
    /// Rows.
    Rows,
    /// Share or factor.
    Ratio,
    /// Anything else that is counted.
    Count,
}

/// A limit of a rule: `seq-scan.min-pages`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    /// The rule that it belongs to.
    pub rule: RuleId,
    /// kebab-case.
    pub key: &'static str,
    /// Its unit.
    pub unit: ThresholdUnit,
    /// Used where nothing else is written.
    pub default: f64,
    /// One line for `pgproof rules`.
    pub about: &'static str,
}

/// Limits and severities as they hold for one query: defaults, then `[thresholds]` and `[rules]`, then each `[[override]]`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Policy {
    limits: HashMap<(RuleId, String), f64>,
    severities: HashMap<RuleId, Option<Severity>>,
}

impl Policy {
    /// Sets a limit in the threshold's unit.
    pub fn set_limit(&mut self, rule: RuleId, key: &str, value: f64) {
        self.limits.insert((rule, key.to_owned()), value);
    }

    /// Sets a rule's highest severity; `None` turns it off.
    pub fn set_severity(&mut self, rule: RuleId, severity: Option<Severity>) {
        self.severities.insert(rule, severity);
    }

    /// The limit that holds.
    #[must_use]
    pub fn limit(&self, threshold: &Threshold) -> f64 {
        // The key is looked up by value: policies are small and read once a node at most.
        self.limits
            .get(&(threshold.rule, threshold.key.to_owned()))
            .copied()
            .unwrap_or(threshold.default)
    }

    /// Whether the rule may speak at all.
    #[must_use]
    pub fn is_on(&self, rule: RuleId) -> bool {
        !matches!(self.severities.get(&rule), Some(None))
    }

    /// The severity that counts: what the rule found, or what the user set for the rule.
    #[must_use]
    pub fn severity(&self, rule: RuleId, found: Severity) -> Option<Severity> {
        match self.severities.get(&rule) {
            None => Some(found),
            Some(set) => *set,
        }
    }
}
