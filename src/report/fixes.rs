//! What to do: every fix once, with the findings that it answers. Shared by the formats that list fixes.

use crate::finding::{Finding, Fix, RuleId};
use crate::units::Bytes;

use super::Report;
use super::impact::{Impact, costliest_first};
use super::summary::shown;

/// A statement to run or to write, with what it is for.
#[derive(Debug, Clone)]
pub struct ListedFix<'a> {
    /// As the first of its findings has it.
    pub fix: &'a Fix,
    /// What it answers, costliest first; never empty.
    pub findings: Vec<&'a Finding>,
    /// Of all of them together.
    pub weight: f64,
}

impl<'a> ListedFix<'a> {
    /// The queries that it serves, each once.
    #[must_use]
    pub fn queries(&self) -> Vec<&'a str> {
        let mut names: Vec<&str> = Vec::new();
        for name in self
            .findings
            .iter()
            .filter_map(|found| found.query.as_deref())
        {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// Whether it is another form of a query's text, not a statement of a migration.
    #[must_use]
    pub fn is_rewrite(&self) -> bool {
        self.findings
            .iter()
            .any(|found| found.rule == RuleId::QueryRewrite)
    }

    /// What it takes on disk, where that was measured.
    #[must_use]
    pub fn bytes(&self) -> Option<Bytes> {
        self.fix.proof.as_ref()?.index_bytes
    }

    /// What statements that write pay for it, each sentence once.
    #[must_use]
    pub fn write_prices(&self) -> Vec<&'a str> {
        let mut prices: Vec<&str> = Vec::new();
        for found in &self.findings {
            for sentence in found.advice.split_inclusive(". ") {
                let sentence = sentence.trim().trim_end_matches('.');
                if sentence.contains(" of WAL instead of ") && !prices.contains(&sentence) {
                    prices.push(sentence);
                }
            }
        }
        prices
    }
}

/// Every fix once, by what it is worth.
#[must_use]
pub fn of(report: &Report) -> Vec<ListedFix<'_>> {
    let mut fixes: Vec<ListedFix<'_>> = Vec::new();
    for found in costliest_first(report, shown(report)) {
        let Some(fix) = &found.fix else { continue };
        let weight = Impact::of(report, found).weight();
        match fixes.iter_mut().find(|known| known.fix.sql == fix.sql) {
            Some(known) => {
                known.findings.push(found);
                known.weight += weight;
            }
            None => fixes.push(ListedFix {
                fix,
                findings: vec![found],
                weight,
            }),
        }
    }
    fixes.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    fixes
}
