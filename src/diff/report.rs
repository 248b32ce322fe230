//! What a diff report holds, and the parts of it that are computed from plans and schemas. Pure; `report` shows it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::catalog::Query;
use crate::run::QueryRuns;
use crate::schema::{Schema, TableKind};
use crate::units::Millis;

use super::canonical::{CanonicalPlan, OperatorKind};
use super::names::{Names, full_name};
use super::observation::StatementObservation;
use super::outcome::QueryDiff;

/// Both sides of a diff: what a report holds of it beside the findings.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Comparison {
    /// What is compared, in words: `0008` … `0011`, or a revision, or two files.
    pub from: String,
    /// The other side.
    pub to: String,
    /// The layout and by what it was recognized; `None` for saved reports.
    pub layout: Option<(String, String)>,
    /// How the layout's tool is made to run a statement outside a transaction.
    pub without_transaction: Option<String>,
    /// Every query, worst first.
    pub queries: Vec<QueryDiff>,
    /// Old statements on the new schema that break or get worse.
    pub rolling: Vec<QueryDiff>,
    /// What each statement of the migrations did.
    pub statements: Vec<StatementObservation>,
    /// Names of the traffic's queries.
    pub probes: Vec<String>,
    /// Queries that failed from some statement on: the statement, the query, the server's words.
    pub broken: Vec<(Option<usize>, String, String)>,
    /// Indexes that came and went.
    pub indexes: Vec<IndexUse>,
    /// The way back.
    pub round_trip: Option<RoundTrip>,
    /// The schema after the migration with its safer forms against the one without; `None` where none was run.
    pub safer_schema: Option<SchemaDifference>,
    /// Where the time went.
    pub spent: Spent,
}

/// Where a diff's time went.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Spent {
    /// The dataset: looked up or made.
    pub dataset: Millis,
    /// Making and dropping copies.
    pub copies: Millis,
    /// The catalog's queries.
    pub queries: Millis,
    /// The migrations by themselves, statement by statement and with safer forms.
    pub migrations: Millis,
    /// The migrations beside the catalog's queries.
    pub traffic: Millis,
    /// Statements behind a reader, at the same time as a part of `migrations`.
    pub rehearsals: Millis,
}

impl Spent {
    /// Share of the queries and migrations in a whole.
    #[must_use]
    pub fn share(&self, elapsed: Millis) -> f64 {
        (self.queries.0 + self.migrations.0 + self.traffic.0) / elapsed.0.max(1.0)
    }
}

/// An index that came or went, with the queries whose plans use it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexUse {
    /// Its table, for people.
    pub table: String,
    pub name: String,
    /// What it is.
    pub definition: String,
    /// It came; else it went.
    pub added: bool,
    /// Queries that use it afterwards, or used it before.
    pub queries: Vec<String>,
}

/// How a schema differs from the one that it should be.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SchemaDifference {
    /// What it lacks.
    pub missing: Vec<String>,
    /// What it has besides.
    pub left_over: Vec<String>,
}

impl SchemaDifference {
    /// What `is` lacks of `expected`, and has besides.
    #[must_use]
    pub fn between(expected: &Schema, is: &Schema) -> Self {
        let (expected, is) = (schema_lines(expected), schema_lines(is));
        Self {
            missing: expected.difference(&is).cloned().collect(),
            left_over: is.difference(&expected).cloned().collect(),
        }
    }

    /// None at all.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.missing.is_empty() && self.left_over.is_empty()
    }
}

/// What the migrations' way back leads to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RoundTrip {
    /// The script that it ends with, or that failed.
    #[serde(skip)]
    pub file: PathBuf,
    /// A down script failed: the server's words.
    pub failure: Option<String>,
    /// What the schema had before and lacks now, and has now and did not have.
    #[serde(flatten)]
    pub schema: SchemaDifference,
    /// Queries whose plans are others than before.
    pub changed_plans: Vec<String>,
}

impl RoundTrip {
    /// Everything is as it was.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.failure.is_none() && self.schema.is_none() && self.changed_plans.is_empty()
    }
}

/// Indexes that only one of the schemas has, by definition, with the queries that use them.
#[must_use]
pub fn index_uses(
    (old, new): &(Names<'_>, Names<'_>),
    old_runs: &[QueryRuns],
    queries: &[Query],
    diffs: &[QueryDiff],
) -> Vec<IndexUse> {
    let before: Vec<(String, CanonicalPlan)> = old_runs
        .iter()
        .filter_map(|runs| Some((queries.get(runs.query)?.name.clone(), runs)))
        .flat_map(|(name, runs)| {
            runs.runs
                .iter()
                .map(move |run| (name.clone(), super::canonicalize(&run.plan, old)))
        })
        .collect();
    let after: Vec<(String, CanonicalPlan)> = diffs
        .iter()
        .flat_map(|diff| {
            let compared = diff.runs.iter().filter_map(|run| run.after.as_ref());
            let fresh = diff.fresh.iter().map(|fresh| &fresh.side);
            compared
                .chain(fresh)
                .map(|side| (diff.query.clone(), side.plan.clone()))
        })
        .collect();
    let (had, mut has) = (indexes(old), indexes(new));
    // A table that the migration makes has indexes of its own, and no query yet that they could serve.
    let old_tables = tables(old);
    has.retain(|known| old_tables.contains(&known.table) || is_read(&known.table, &after));
    let one_side = |mine: &[Known], others: &[Known], plans: &[(String, CanonicalPlan)], added| {
        let only = mine.iter().filter(|known| {
            !others
                .iter()
                .any(|other| other.table == known.table && other.definition == known.definition)
        });
        only.map(|known| IndexUse {
            table: known.table.clone(),
            name: known.name.clone(),
            definition: known.definition.clone(),
            added,
            queries: users(known, plans),
        })
        .collect::<Vec<_>>()
    };
    let mut found = one_side(&has, &had, &after, true);
    found.extend(one_side(&had, &has, &before, false));
    found
}

/// The canonical names of all tables.
fn tables(names: &Names<'_>) -> BTreeSet<String> {
    let tables = names.schema.iter().flat_map(|schema| &schema.tables);
    tables
        .map(|table| {
            names
                .relation(Some(&table.name.schema), &table.name.name)
                .name
        })
        .collect()
}

/// Whether any of the plans reads the table.
fn is_read(table: &str, plans: &[(String, CanonicalPlan)]) -> bool {
    let mut found = false;
    for (_, plan) in plans {
        plan.root.each(&mut |operator| {
            found |= matches!(&operator.kind, OperatorKind::Scan(scan) if scan.relation == table);
        });
    }
    found
}

struct Known {
    table: String,
    name: String,
    definition: String,
}

/// Every index under its canonical table and definition; of a partitioned table the parent's alone.
fn indexes(names: &Names<'_>) -> Vec<Known> {
    let Some(schema) = names.schema else {
        return Vec::new();
    };
    schema
        .tables
        .iter()
        .filter(|table| table.partition_of.is_none())
        .flat_map(|table| {
            table.indexes.iter().map(|index| Known {
                table: names
                    .relation(Some(&table.name.schema), &table.name.name)
                    .name,
                name: index.name.clone(),
                definition: names.definition(table, index),
            })
        })
        .collect()
}

fn users(known: &Known, plans: &[(String, CanonicalPlan)]) -> Vec<String> {
    let mut found = BTreeSet::new();
    for (query, plan) in plans {
        plan.root.each(&mut |operator| {
            if let OperatorKind::Scan(scan) = &operator.kind {
                let uses = scan
                    .access
                    .iter()
                    .flat_map(|access| &access.indexes)
                    .any(|index| index.key() == known.definition);
                if uses && scan.relation == known.table {
                    found.insert(query.clone());
                }
            }
        });
    }
    found.into_iter().collect()
}

/// A schema as a set of lines: what a way back must restore. Order of columns, OIDs and statistics are left out.
#[must_use]
pub fn schema_lines(schema: &Schema) -> BTreeSet<String> {
    let names = Names {
        schema: Some(schema),
        renames: None,
        ..Names::UNKNOWN
    };
    let mut lines = BTreeSet::new();
    for table in &schema.tables {
        let name = full_name(&table.name);
        let kind = match table.kind {
            TableKind::Ordinary => "table",
            TableKind::Partitioned => "partitioned table",
            TableKind::Foreign => "foreign table",
        };
        lines.insert(format!("{kind} {name}"));
        for column in &table.columns {
            let null = if column.not_null { " not null" } else { "" };
            let default = column
                .default
                .as_ref()
                .map(|text| match text.as_str() {
                    // One and the same: the time at which the transaction began.
                    "CURRENT_TIMESTAMP" => " default now()".to_owned(),
                    text => format!(" default {text}"),
                })
                .unwrap_or_default();
            let generated = column
                .generated
                .as_ref()
                .map(|text| format!(" generated {text}"))
                .unwrap_or_default();
            lines.insert(format!(
                "column {name}.{} {}{null}{default}{generated}",
                column.name, column.data_type.name
            ));
        }
        for index in &table.indexes {
            let valid = if index.valid { "" } else { " (invalid)" };
            lines.insert(format!(
                "index {} on {name} {}{valid}",
                index.name,
                names.definition(table, index)
            ));
        }
        for key in &table.foreign_keys {
            lines.insert(format!(
                "constraint {} on {name} {}",
                key.name, key.definition
            ));
        }
        for check in &table.checks {
            lines.insert(format!(
                "constraint {} on {name} check {} {}",
                check.name, check.expression, check.validated
            ));
        }
    }
    lines
}
