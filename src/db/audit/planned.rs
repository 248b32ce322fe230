//! The catalog planned with the values that an audit would run it with, and nothing executed.

use std::collections::BTreeMap;

use super::{AuditError, Auditor, Failed, RunOptions, execute, parent, picked};
use crate::catalog::Query;
use crate::db::connect::Session;
use crate::interrupt::Interrupt;
use crate::progress::{Progress, Unit};
use crate::run::QueryRuns;
use crate::schema::Schema;

/// Plans every query once a shape of its plans; one entry a query, in the same order.
///
/// # Errors
/// [`AuditError`]: it was interrupted, or the server was lost.
pub async fn plan_catalog(
    session: &Session,
    (schema, queries): (&Schema, &[Query]),
    options: &RunOptions,
    (progress, interrupt): (&Progress, &Interrupt),
) -> Result<Vec<QueryRuns>, AuditError> {
    let task = progress.task("Planning queries", Unit::Steps, Some(queries.len() as u64));
    let mut auditor = Auditor {
        session,
        schema,
        queries,
        options,
        limits: options.limits(),
        samplers: BTreeMap::new(),
        interrupt,
    };
    let mut normal = BTreeMap::new();
    let mut done = BTreeMap::new();
    for query in parent::order(queries) {
        task.doing(queries[query].name.clone());
        let planned = auditor.plan(query, &mut normal).await;
        interrupt.check()?;
        let runs = match planned {
            Ok(runs) => runs,
            Err(Failed::Query(failure)) => QueryRuns::failed(query, failure),
            Err(Failed::Server(source)) => {
                return Err(AuditError::Server {
                    query: queries[query].name.clone(),
                    source,
                });
            }
        };
        done.insert(query, runs);
        task.advance(1);
    }
    Ok(done.into_values().collect())
}

impl Auditor<'_> {
    async fn plan(
        &mut self,
        i: usize,
        normal: &mut BTreeMap<usize, crate::db::parameters::ParameterSet>,
    ) -> Result<QueryRuns, Failed> {
        let query = &self.queries[i];
        self.limits = self.options.limits_of(query);
        if !query.asked_by.is_connection() {
            self.ask_as().await?;
        }
        let ready = self.prepare(i, normal).await?;
        let estimates = self.estimates(&ready).await?;
        let picked = picked(&estimates);
        let runs = execute::estimated(query, &ready, &estimates, &picked);
        // A child's values come from a parent.
        if let Some(set) = ready.chosen.sets.first() {
            normal.insert(i, set.clone());
        }
        ready.prepared.deallocate(self.session.client()).await?;
        Ok(QueryRuns {
            query: i,
            runs,
            failure: None,
            notes: Vec::new(),
        })
    }
}
