//! Row security policies that call a function for each row: which scans of which queries meet them, and the same policies with
//! the call made once. Runs nothing: `db::prove_policies` does.

use crate::finding::{Finding, Measurement};
use crate::plan::Node;
use crate::rules::per_row_policy::{MIN_ROWS, Seen, finding};
use crate::run::Run;
use crate::schema::{RowPolicy, Table, quote_identifier};
use crate::sql::per_row::{Call, calls, once_a_statement};

use super::Audited;

/// A query that scans a table with such policies.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyTrial {
    /// Index of the query in the catalog.
    pub query: usize,
    /// Index of the run in its `QueryRuns::runs`.
    pub run: usize,
    /// OID of the table.
    pub table: u32,
    /// Policies and their calls.
    pub calls: Vec<(String, String)>,
    /// Rows that the scan tested.
    pub rows: f64,
    /// The policies with the calls made once; `None` where all calls depend on the row.
    pub sql: Option<String>,
    /// A role for which the policies hold, where the one who asks bypasses them.
    pub reader: Option<String>,
}

/// What to try: of each query the run that was worst.
#[must_use]
pub fn trials(audited: &Audited<'_>) -> Vec<PolicyTrial> {
    let mut found: Vec<PolicyTrial> = Vec::new();
    for runs in audited.runs {
        let Some((query, run)) = audited.queries.get(runs.query).zip(runs.runs.first()) else {
            continue;
        };
        let least = (audited.policy_for)(query).limit(&MIN_ROWS);
        for (table, rows) in scanned(run, audited) {
            let seen = |other: &PolicyTrial| (other.query, other.table) == (runs.query, table.oid);
            if rows < least || found.iter().any(seen) {
                continue;
            }
            found.extend(of_table(table, (runs.query, rows)));
        }
    }
    found
}

/// Tables with row security that a run read, and the rows that each scan tested.
fn scanned<'a>(run: &Run, audited: &Audited<'a>) -> Vec<(&'a Table, f64)> {
    let of_node = |node: &Node| {
        let relation = node.relation.as_ref()?;
        let table = audited
            .schema
            .table(relation.schema.as_deref(), &relation.name)?;
        let root = audited.schema.root_of(table);
        let actual = node.actual?;
        let removed = node.removed.filter.map_or(0.0, |rows| rows.0);
        let tested = (actual.rows.0 + removed) * actual.loops;
        root.row_security.then_some((root, tested))
    };
    let mut found: Vec<(&Table, f64)> = Vec::new();
    for (table, rows) in run.plan.nodes.iter().filter_map(of_node) {
        match found.iter_mut().find(|(other, _)| other.oid == table.oid) {
            Some((_, sum)) => *sum += rows,
            None => found.push((table, rows)),
        }
    }
    found
}

fn of_table(table: &Table, (query, rows): (usize, f64)) -> Option<PolicyTrial> {
    let columns: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
    let (mut found, mut statements, mut reader) = (Vec::new(), Vec::new(), None);
    for policy in &table.policies {
        let of = |condition: &str| calls_of(policy, condition, &columns);
        let Some(using) = policy.using.as_deref().map(|using| (using, of(using))) else {
            continue;
        };
        let (condition, calls) = using;
        if calls.is_empty() {
            continue;
        }
        let once = calls.iter().any(|call| !call.of_row);
        let repeated = calls.iter().filter(|call| !once || !call.of_row);
        found.extend(repeated.map(|call| (policy.name.clone(), call.text.clone())));
        reader = reader.or_else(|| policy.roles.first().cloned());
        if once {
            let check = policy.check.as_deref().map_or_else(String::new, |check| {
                format!(
                    " WITH CHECK {}",
                    enclosed(&once_a_statement(check, &of(check)))
                )
            });
            statements.push(format!(
                "ALTER POLICY {} ON {} USING {}{check};",
                quote_identifier(&policy.name),
                table.name.sql(),
                enclosed(&once_a_statement(condition, &calls))
            ));
        }
    }
    (!found.is_empty()).then(|| PolicyTrial {
        query,
        run: 0,
        table: table.oid,
        calls: found,
        rows,
        sql: (!statements.is_empty()).then(|| statements.join("\n")),
        reader,
    })
}

/// In parentheses, of which the server prints a pair itself around most conditions.
fn enclosed(condition: &str) -> String {
    let mut depth = 0;
    let closes = condition.char_indices().find_map(|(at, character)| {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(at + character.len_utf8())
    });
    if condition.starts_with('(') && closes == Some(condition.len()) {
        condition.to_owned()
    } else {
        format!("({condition})")
    }
}

fn calls_of(policy: &RowPolicy, condition: &str, columns: &[&str]) -> Vec<Call> {
    calls(condition, columns, |name| {
        name == "current_setting" || policy.functions.iter().any(|function| function == name)
    })
}

/// What a trial showed, as a finding; `None` where it is not worth one.
#[must_use]
pub fn tell(
    trial: &PolicyTrial,
    run: &Run,
    measured: Option<&(Measurement, Measurement)>,
    audited: &Audited<'_>,
) -> Option<Finding> {
    let query = audited.queries.get(trial.query)?;
    let seen = Seen {
        table: &audited.schema.table_by_oid(trial.table)?.name,
        calls: &trial.calls,
        rows: trial.rows,
        run: &run.id,
        fix: trial.sql.as_deref(),
        measured,
    };
    finding(&seen, query, &(audited.policy_for)(query))
}

/// Of the findings about one table's policies the one that saves most: they are one fault.
#[must_use]
pub fn worst(mut findings: Vec<Finding>) -> Vec<Finding> {
    let saved = |finding: &Finding| {
        let proof = finding.fix.as_ref().and_then(|fix| fix.proof.as_ref());
        proof.map_or(0.0, |proof| {
            let before = proof.before.as_ref().map_or(0.0, |before| before.time_ms.0);
            before - proof.after.time_ms.0
        })
    };
    findings.sort_by(|a, b| saved(b).total_cmp(&saved(a)));
    let mut kept: Vec<Finding> = Vec::new();
    for finding in findings {
        let table = &finding.evidence.relation;
        if !kept.iter().any(|other| other.evidence.relation == *table) {
            kept.push(finding);
        }
    }
    kept
}
