//! What to do: every fix once, with the findings that it answers. Shared by the formats that list fixes.

use std::collections::HashSet;

use crate::finding::{Finding, Fix, RuleId};
use crate::sql::statements::statements;
use crate::units::Bytes;

use super::Report;
use super::impact::{Impact, costliest_first};
use super::summary::shown;

/// A statement to run or to write, with what it is for.
#[derive(Debug, Clone)]
pub struct ListedFix<'a> {
    /// As the first of its findings has it.
    pub fix: &'a Fix,
    /// Its statements that no fix before it in the list has, each without its semicolon; of a rewrite its text.
    pub statements: Vec<&'a str>,
    /// What its other statements make, as listed before: `idx_orders_customer_id`.
    pub listed_before: Vec<&'a str>,
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

    /// Its statements to paste; those that stand further up are named in a comment.
    #[must_use]
    pub fn text(&self) -> String {
        let before = match self.listed_before.as_slice() {
            [] => String::new(),
            names => format!("-- with {}, listed above\n", names.join(", ")),
        };
        let statements = self.statements.iter().map(|statement| {
            let end = if statement.ends_with(';') { "" } else { ";" };
            format!("{statement}{end}")
        });
        before + &statements.collect::<Vec<_>>().join("\n")
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
                statements: Vec::new(),
                listed_before: Vec::new(),
                findings: vec![found],
                weight,
            }),
        }
    }
    fixes.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    let mut listed = HashSet::new();
    for fix in &mut fixes {
        if fix.is_rewrite() {
            fix.statements.push(&fix.fix.sql);
            continue;
        }
        for statement in statements(&fix.fix.sql) {
            match index_name(statement) {
                Some(name) if !listed.insert(statement) => fix.listed_before.push(name),
                Some(_) | None => fix.statements.push(statement),
            }
        }
        // What prepares a statement that is listed before is listed there, too.
        if !fix.listed_before.is_empty()
            && fix.statements.iter().all(|one| index_name(one).is_none())
        {
            fix.statements.clear();
        }
    }
    fixes
}

/// The name of the index that a statement of ours makes.
fn index_name(statement: &str) -> Option<&str> {
    let rest = statement.strip_prefix("CREATE ")?;
    let rest = rest.strip_prefix("UNIQUE ").unwrap_or(rest);
    let rest = rest.strip_prefix("INDEX ")?;
    let rest = rest.strip_prefix("CONCURRENTLY ").unwrap_or(rest);
    rest.split_once(" ON ").map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_index_is_listed_once() {
        assert_eq!(index_name("CREATE UNIQUE INDEX a ON t (x)"), Some("a"));
        assert_eq!(
            index_name("CREATE INDEX CONCURRENTLY a ON t (x)"),
            Some("a")
        );
        assert_eq!(index_name("CREATE EXTENSION IF NOT EXISTS pg_trgm"), None);
    }
}
