//! A plan as an annotated tree: each node's own share of time and pages, how wrong its estimate was, the rows that it
//! threw away, and the findings beside the nodes that they are about.

use std::collections::HashMap;
use std::io::{self, Write};

use crate::finding::Finding;
use crate::plan::{Metrics, Node, NodeId, Plan, label};
use crate::units::{Count, Pages};

use super::evidence::percent;
use super::excerpt::clean;
use super::node_details::{Place, conditions, details};
use super::wrapped::below;

/// Cells of a bar.
const BAR: usize = 8;
/// A condition is cut beyond this.
const LONGEST_CONDITION: usize = 120;

/// Writes the tree. `findings` are those of this plan's run; what they say stands under their nodes.
///
/// # Errors
/// What `out` returns.
pub fn plan_tree(
    plan: &Plan,
    findings: &[&Finding],
    columns: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let metrics = Metrics::of(plan);
    writeln!(out, "{:^15}  {:^15}  node", "own time", "own pages")?;
    let by_node = by_node(findings);
    for id in plan.ids() {
        let findings = by_node.get(&id).map_or(&[][..], Vec::as_slice);
        node_lines(plan, &metrics, id, findings, columns, out)?;
    }
    for trigger in &plan.triggers {
        let time = trigger
            .time_ms
            .map(|time| format!(", {time}"))
            .unwrap_or_default();
        let name = trigger.constraint.as_deref().unwrap_or(&trigger.name);
        writeln!(
            out,
            "{:33}trigger {}: {} calls{time}",
            "",
            clean(name),
            Count(trigger.calls)
        )?;
    }
    let total = [
        plan.planning_ms.map(|time| format!("planning {time}")),
        plan.execution_ms.map(|time| format!("execution {time}")),
        metrics
            .blocks
            .map(|Pages(pages)| format!("{} touched", Pages(pages))),
    ];
    writeln!(
        out,
        "{}",
        total.into_iter().flatten().collect::<Vec<_>>().join(", ")
    )?;
    caveats(plan, &metrics, out)
}

/// Findings beside the nodes that they are about, symptoms too.
fn by_node<'a>(findings: &[&'a Finding]) -> HashMap<NodeId, Vec<&'a Finding>> {
    let mut by_node: HashMap<NodeId, Vec<&Finding>> = HashMap::new();
    for finding in findings
        .iter()
        .flat_map(|finding| std::iter::once(*finding).chain(&finding.symptoms))
    {
        if let Some(node) = finding.evidence.node {
            by_node.entry(node).or_default().push(finding);
        }
    }
    by_node
}

/// What of the plan was not read, and where its figures contradict each other: the tree is not the whole truth then.
fn caveats(plan: &Plan, metrics: &Metrics, out: &mut dyn Write) -> io::Result<()> {
    /// More of them tell nothing new.
    const SHOWN: usize = 5;
    if !plan.gaps.is_empty() {
        writeln!(out, "read in part:")?;
        for gap in plan.gaps.iter().take(SHOWN) {
            writeln!(out, "  {}", cut(&clean(&gap.to_string())))?;
        }
        if plan.gaps.len() > SHOWN {
            writeln!(out, "  and {} more", plan.gaps.len() - SHOWN)?;
        }
    }
    for id in metrics.contradictions.iter().take(SHOWN) {
        writeln!(
            out,
            "the figures contradict each other: less was measured at {} than below it",
            clean(&label(plan.node(*id)))
        )?;
    }
    Ok(())
}

/// Columns of the bars, and the space after them.
const BARS: usize = 34;
/// Room that is left to a node's text, however deep it stands.
const LEAST_ROOM: usize = 30;

fn node_lines(
    plan: &Plan,
    metrics: &Metrics,
    id: NodeId,
    findings: &[&Finding],
    columns: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let node = plan.node(id);
    let deepest = columns.saturating_sub(BARS + LEAST_ROOM);
    let depth = (2 * plan.ancestors(id).count()).min(deepest);
    let subplan = node
        .subplan_name
        .as_ref()
        .map(|name| format!("{name}: "))
        .unwrap_or_default();
    let bars = format!(
        "{}  {}  {:depth$}",
        share(metrics.time_share(id)),
        share(metrics.block_share(id)),
        ""
    );
    let text = format!("{}{}{}", clean(&subplan), clean(&label(node)), counts(node));
    lines(&bars, BARS + depth + 4, &text, columns, out)?;
    let margin = " ".repeat(BARS + depth + 2);
    for (name, condition) in conditions(node) {
        let text = format!("{name}: {}", cut(&clean(&condition)));
        lines(&margin, margin.len() + 2, &text, columns, out)?;
    }
    let parts: Vec<String> = details(plan, metrics, id)
        .into_iter()
        .filter(|detail| detail.place == Place::Tree)
        .map(|detail| format!("{} {}", detail.name, clean(&detail.text)))
        .collect();
    if !parts.is_empty() {
        lines(&margin, margin.len() + 2, &parts.join(" · "), columns, out)?;
    }
    for finding in findings {
        let text = format!(
            "^ {} {}: {}",
            finding.severity,
            finding.rule,
            clean(&finding.message)
        );
        lines(&margin, margin.len() + 2, &text, columns, out)?;
    }
    Ok(())
}

fn lines(
    first: &str,
    rest: usize,
    text: &str,
    columns: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    below(first, rest, text, columns)
        .iter()
        .try_for_each(|line| writeln!(out, "{line}"))
}

/// `  (3 rows of 1,000 expected, ×333; 997 thrown away; 4 loops)`.
fn counts(node: &Node) -> String {
    let expected = node.estimate.expected_rows().map(|rows| rows.0);
    let Some(actual) = node.actual else {
        return expected
            .map(|rows| format!("  ({} rows expected)", Count(rows)))
            .unwrap_or_default();
    };
    if actual.loops == 0.0 {
        return "  (never executed)".to_owned();
    }
    let seen = actual.rows.0;
    let factor = |expected: f64| expected.max(seen).max(1.0) / expected.min(seen).max(1.0);
    let wrong = expected
        .filter(|expected| factor(*expected) >= 2.0)
        .map(|expected| {
            format!(
                " of {} expected, ×{}",
                Count(expected),
                Count(factor(expected))
            )
        })
        .unwrap_or_default();
    let removed = [
        node.removed.filter,
        node.removed.join_filter,
        node.removed.index_recheck,
    ];
    let removed: f64 = removed.into_iter().flatten().map(|rows| rows.0).sum();
    let removed = if removed > 0.0 {
        format!("; {} thrown away", Count(removed))
    } else {
        String::new()
    };
    let loops = if actual.loops > 1.0 {
        format!("; {} loops", Count(actual.loops))
    } else {
        String::new()
    };
    let rows = if seen == 1.0 { "row" } else { "rows" };
    format!("  ({} {rows}{wrong}{removed}{loops})", Count(seen))
}

/// A bar and its percentage; empty where it was not measured.
fn share(share: Option<f64>) -> String {
    let Some(share) = share else {
        return " ".repeat(BAR + 7);
    };
    let filled = ((share * BAR as f64).round() as usize).min(BAR);
    format!(
        "{}{} {:>6}",
        "█".repeat(filled),
        "░".repeat(BAR - filled),
        if share < 0.001 {
            "0 %".to_owned()
        } else {
            percent(share)
        }
    )
}

fn cut(text: &str) -> String {
    if text.chars().count() <= LONGEST_CONDITION {
        return text.to_owned();
    }
    text.chars()
        .take(LONGEST_CONDITION - 1)
        .chain(['…'])
        .collect()
}
