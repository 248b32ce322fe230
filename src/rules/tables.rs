//! Which table a finding is about, where its node reads none itself: a sort, a limit, a whole query. It is the one whose
//! scans below the node touch the most pages.

use std::collections::BTreeMap;

use crate::catalog::Query;
use crate::finding::Finding;
use crate::plan::{Metrics, NodeId, Plan};
use crate::run::{QueryRuns, Run};
use crate::schema::Schema;

/// Names the table of every finding, and of its symptoms, that names none yet.
pub fn name_tables(
    findings: &mut [Finding],
    queries: &[Query],
    runs: &[QueryRuns],
    schema: &Schema,
) {
    for finding in findings {
        if finding.evidence.relation.is_none() {
            finding.evidence.relation = run_of(finding, queries, runs).and_then(|run| {
                heaviest(
                    &run.plan,
                    finding.evidence.node.unwrap_or(NodeId(0)),
                    schema,
                )
            });
        }
        name_tables(&mut finding.symptoms, queries, runs, schema);
    }
}

/// The run that the finding was seen in; the worst one where it names none.
fn run_of<'a>(finding: &Finding, queries: &[Query], runs: &'a [QueryRuns]) -> Option<&'a Run> {
    let index = queries
        .iter()
        .position(|query| Some(&query.name) == finding.query.as_ref())?;
    let runs = &runs.iter().find(|runs| runs.query == index)?.runs;
    runs.iter()
        .find(|run| Some(&run.id) == finding.evidence.run.as_ref())
        .or_else(|| runs.first())
}

/// For people; a partition is named by its topmost parent.
fn heaviest(plan: &Plan, below: NodeId, schema: &Schema) -> Option<String> {
    let metrics = Metrics::of(plan);
    let mut pages: BTreeMap<String, f64> = BTreeMap::new();
    for (id, node) in plan
        .table_scans()
        .filter(|(id, _)| *id == below || plan.is_above(below, *id))
    {
        let Some(relation) = &node.relation else {
            continue;
        };
        let Some(table) = schema.table(relation.schema.as_deref(), &relation.name) else {
            continue;
        };
        *pages
            .entry(schema.root_of(table).name.to_string())
            .or_default() += metrics.block_share(id).unwrap_or(0.0);
    }
    pages
        .into_iter()
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(name, _)| name)
}
