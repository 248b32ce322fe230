//! A rule's page, for the terminal and for the docs, from the registry alone.

use std::io::{self, Write};

use super::wrapped::{Wrapped, below};
use crate::rules::{ALL, Rule, Threshold, ThresholdUnit};
use crate::units::{Bytes, Count, Millis, Pages};

/// Every rule: id, severity, summary and thresholds.
///
/// # Errors
/// What `out` returns.
pub fn list(columns: usize, out: &mut dyn Write) -> io::Result<()> {
    /// Below this the summary stands under the rule.
    const ROOM_FOR_COLUMNS: usize = 90;
    if columns < ROOM_FOR_COLUMNS {
        return narrow_list(columns, out);
    }
    for rule in ALL {
        let first = format!("{:<22} {:<8} ", rule.id, rule.severity);
        for line in below(&first, first.len(), rule.summary, columns) {
            writeln!(out, "{line}")?;
        }
        for threshold in rule.thresholds {
            writeln!(
                out,
                "{:<22} {:<8}   {}.{} = {}",
                "",
                "",
                rule.id,
                threshold.key,
                default(threshold)
            )?;
        }
    }
    Ok(())
}

fn narrow_list(columns: usize, out: &mut dyn Write) -> io::Result<()> {
    let mut out = Wrapped::new(out, columns);
    for rule in ALL {
        writeln!(out, "{} ({})\n  {}", rule.id, rule.severity, rule.summary)?;
        for threshold in rule.thresholds {
            writeln!(
                out,
                "    {}.{} = {}",
                rule.id,
                threshold.key,
                default(threshold)
            )?;
        }
    }
    out.flush()
}

/// One rule's page.
///
/// # Errors
/// What `out` returns.
pub fn page(rule: &Rule, columns: usize, out: &mut dyn Write) -> io::Result<()> {
    let mut wrapped = Wrapped::new(out, columns);
    whole_page(rule, &mut wrapped)?;
    wrapped.flush()
}

fn whole_page(rule: &Rule, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{} ({})\n{}\n", rule.id, rule.severity, rule.summary)?;
    for (title, text) in [
        ("When", rule.condition),
        ("Why", rule.why),
        ("What to do", rule.advice),
    ] {
        writeln!(out, "{title}\n  {text}\n")?;
    }
    for (title, sql) in [("Bad", rule.bad), ("Good", rule.good)] {
        writeln!(out, "{title}")?;
        for line in sql.lines() {
            writeln!(out, "  {line}")?;
        }
        writeln!(out)?;
    }
    if !rule.thresholds.is_empty() {
        writeln!(out, "Thresholds (pgproof.toml, [thresholds])")?;
        for threshold in rule.thresholds {
            let setting = format!("{}.{} = {}", rule.id, threshold.key, default(threshold));
            writeln!(out, "  {setting:<44} {}", threshold.about)?;
        }
    }
    Ok(())
}

/// The table of all rules in Markdown: `docs/rules.md`.
#[must_use]
pub fn table() -> String {
    let mut text = String::from(
        "# Rules\n\nGenerated from the rule registry (`src/rules/`); `pgproof rules RULE` prints the same pages. \
         Thresholds are set in `pgproof.toml` under `[thresholds]`, per query under `[[override]]`. Which cases hold them on \
         PostgreSQL 14 to 18: [corpus.md](corpus.md).\n\n\
         How often a query runs weighs what it does: where `@calls` is given, a fault that touches 25,000 pages a second or more is an \
         error, and one that touches fewer than 120 is a warning at most. Budgets, times and results are not weighed.\n\n\
         Each problem is reported once, at its root cause; its consequences stand under it.\n\n\
         | rule | severity | flags |\n|---|---|---|\n",
    );
    for rule in ALL {
        text.push_str(&format!(
            "| [`{0}`](rules/{0}.md) | {1} | {2} |\n",
            rule.id, rule.severity, rule.summary
        ));
    }
    text
}

/// One rule's page in Markdown: `docs/rules/RULE.md`.
#[must_use]
pub fn markdown(rule: &Rule) -> String {
    let mut text = format!(
        "# {}\n\n{} ({}).\n\n",
        rule.id,
        capitalized(rule.summary),
        rule.severity
    );
    text.push_str(&format!(
        "**When.** {}\n\n**Why.** {}\n\n**What to do.** {}\n\n",
        rule.condition, rule.why, rule.advice
    ));
    text.push_str(&format!(
        "```sql\n-- bad\n{}\n\n-- good\n{}\n```\n",
        rule.bad, rule.good
    ));
    if !rule.thresholds.is_empty() {
        text.push_str("\n| threshold | default | meaning |\n|---|---|---|\n");
        for threshold in rule.thresholds {
            text.push_str(&format!(
                "| `{}.{}` | {} | {} |\n",
                rule.id,
                threshold.key,
                default(threshold),
                threshold.about
            ));
        }
    }
    text.push_str(&format!(
        "\nWhere it is meant to be so: `-- @allow {0}: reason` beside the query, or `{0} = \"off\"` under `[rules]` in \
         [pgproof.toml](../reference/configuration.md). All rules: [the table](../rules.md).\n",
        rule.id
    ));
    text
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

/// The default in its unit.
fn default(threshold: &Threshold) -> String {
    let value = threshold.default;
    match threshold.unit {
        ThresholdUnit::Millis => Millis(value).to_string(),
        ThresholdUnit::Pages => Pages(value as u64).to_string(),
        ThresholdUnit::Bytes => Bytes(value as u64).to_string(),
        ThresholdUnit::Rows => format!("{} rows", Count(value)),
        ThresholdUnit::Ratio => value.to_string(),
        ThresholdUnit::Count => Count(value).to_string(),
    }
}
