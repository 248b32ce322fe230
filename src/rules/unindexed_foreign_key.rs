//! `unindexed-foreign-key`: a foreign key whose columns no index leads with: deleting a parent reads the whole child.

use super::context::{CatalogContext, RunContext, Words, finding};
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::catalog::StatementKind;
use crate::finding::{Evidence, Finding, Quantity, RuleId, Severity};
use crate::plan::{NodeKind, Operation, Trigger};
use crate::schema::{ForeignKey, Schema, Table, quote_identifier};
use crate::units::{Count, Millis};

const MIN_SHARE: Threshold = Threshold {
    rule: RuleId::UnindexedForeignKey,
    key: "min-share",
    unit: ThresholdUnit::Ratio,
    default: 0.2,
    about: "share of the execution that the constraint's trigger takes",
};
const MIN_TIME: Threshold = Threshold {
    rule: RuleId::UnindexedForeignKey,
    key: "min-time",
    unit: ThresholdUnit::Millis,
    default: 5.0,
    about: "trigger time below which it does not matter",
};
const MIN_PAGES: Threshold = Threshold {
    rule: RuleId::UnindexedForeignKey,
    key: "min-pages",
    unit: ThresholdUnit::Pages,
    default: 1000.0,
    about: "size of the referencing table below which it does not matter",
};

/// The rule, seen in a plan: the constraint's trigger takes the time.
pub(super) const RULE: Rule = Rule {
    id: RuleId::UnindexedForeignKey,
    severity: Severity::Error,
    depth: Some(1),
    is_work_of_each_call: false,
    without_rows: WithoutRows::Counts,
    summary: "a foreign key without an index on the referencing side",
    condition: "In a plan: a foreign key's trigger searches a table that no index leads with the referencing columns of, and its searches \
        read twice min-pages or more; of a plan without its schema the trigger's time counts, min-share of the execution and at least \
        min-time. In the schema: such a foreign key of a table of min-pages or more; a warning where a query of the catalog \
        deletes from the referenced table or changes its key, else information.",
    why: "Deleting a parent, or changing its key, searches the children: without an index each search reads the whole child table, holding \
        the parent's lock.",
    advice: "Create an index on the referencing columns.",
    bad: "CREATE TABLE order_items (order_id bigint REFERENCES orders); DELETE FROM orders WHERE id = $1;",
    good: "CREATE INDEX ON order_items (order_id);",
    thresholds: &[MIN_SHARE, MIN_TIME, MIN_PAGES],
    check: Check::RunAndCatalog(in_plan, in_schema),
};

/// Searches of a table of min-pages from which a statement's own are an error.
const SEARCHES: f64 = 2.0;

fn in_plan(context: &RunContext<'_>) -> Vec<Finding> {
    context
        .plan()
        .triggers
        .iter()
        .filter_map(|trigger| slow_trigger(context, trigger))
        .collect()
}

fn slow_trigger(context: &RunContext<'_>, trigger: &Trigger) -> Option<Finding> {
    let constraint = trigger.constraint.as_deref()?;
    let Millis(spent) = trigger.time_ms?;
    let Millis(execution) = context.plan().execution_ms?;
    let key = context.schema.and_then(|schema| named(schema, constraint));
    let searched = context.schema.zip(key).map(|(schema, (table, _))| {
        // Each search reads the whole table, in however little time a quiet machine does.
        pages(schema, table) * trigger.calls
    });
    let matters = match searched {
        Some(searched) => searched >= context.limit(&MIN_PAGES) * SEARCHES,
        None => spent >= context.limit(&MIN_TIME) && spent >= execution * context.limit(&MIN_SHARE),
    };
    if !matters {
        return None;
    }
    // The trigger on the child's side looks the parent up by its key: that is indexed, and its time is the rows'.
    if key.is_some_and(|(table, key)| table.finds_by(&key.columns))
        || deletes_nothing(context)
        || is_of_the_child(trigger, key)
    {
        return None;
    }
    let mut evidence = context.evidence(crate::plan::NodeId(0));
    evidence.relation = key.map(|(table, _)| table.name.to_string());
    evidence.condition = Some(constraint.to_owned());
    let evidence = evidence
        .with("trigger_calls", Quantity::Count(trigger.calls as u64))
        .with("time_ms", Quantity::Millis(Millis(spent)))
        .with("query_time_ms", Quantity::Millis(Millis(execution)));
    let child = evidence
        .relation
        .clone()
        .unwrap_or_else(|| "the referencing table".to_owned());
    let words = Words {
        message: format!(
            "the foreign key {constraint} takes {} of {}: {child} is searched {} without an index",
            Millis(spent),
            Millis(execution),
            if trigger.calls == 1.0 { "once".to_owned() } else { format!("{} times", Count(trigger.calls)) }
        ),
        why: "Each deleted row makes the server search its children; without an index it reads the whole child table, holding locks.".to_owned(),
        advice: match key {
            Some((table, key)) => format!("{};", create_index(table, key)),
            None => format!("Create an index on the referencing columns of {constraint}."),
        },
    };
    Some(context.finding(
        RuleId::UnindexedForeignKey,
        Severity::Error,
        evidence,
        words,
    ))
}

/// Whether a trigger fired on the referencing table: by its name, else by the table that it fired on.
fn is_of_the_child(trigger: &Trigger, key: Option<(&Table, &ForeignKey)>) -> bool {
    let fired_on_child = key.is_some_and(|(table, key)| {
        trigger.relation.as_deref() == Some(table.name.name.as_str()) && key.references != table.oid
    });
    trigger.looks_up_the_referenced() || fired_on_child
}

/// INSERT checks the parent, by its key: no index is missing there.
fn deletes_nothing(context: &RunContext<'_>) -> bool {
    let nodes = &context.plan().nodes;
    let operations = nodes
        .iter()
        .filter(|node| node.kind == NodeKind::ModifyTable);
    operations
        .into_iter()
        .all(|node| node.operation == Some(Operation::Insert))
}

fn in_schema(context: &CatalogContext<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for table in &context.schema.tables {
        // A partition's keys are its parent's.
        if table.partition_of.is_some()
            || pages(context.schema, table) < context.policy.limit(&MIN_PAGES)
        {
            continue;
        }
        for key in table
            .foreign_keys
            .iter()
            .filter(|key| !table.finds_by(&key.columns))
        {
            findings.push(unindexed(context, table, key));
        }
    }
    findings
}

/// Of a partitioned table all that its partitions hold.
fn pages(schema: &Schema, table: &Table) -> f64 {
    let parts = schema.tables.iter().filter(|part| {
        part.partition_of
            .as_ref()
            .is_some_and(|of| of.root == table.oid)
    });
    parts.map(|part| part.stats.pages.0).sum::<u64>() as f64 + table.stats.pages.0 as f64
}

fn unindexed(context: &CatalogContext<'_>, table: &Table, key: &ForeignKey) -> Finding {
    let parent = &key.referenced_table;
    let by = context.queries.iter().enumerate().find(|(index, query)| {
        matches!(
            query.statement,
            StatementKind::Delete | StatementKind::Update
        ) && {
            let runs = context
                .runs_of(*index)
                .map(|runs| runs.runs.as_slice())
                .unwrap_or_default();
            runs.iter().any(|run| {
                run.plan.nodes.iter().any(|node| {
                    node.kind == NodeKind::ModifyTable
                        && node.operation == Some(Operation::Delete)
                        && node
                            .relation
                            .as_ref()
                            .is_some_and(|relation| relation.name == parent.name)
                })
            })
        }
    });
    let severity = if by.is_some() {
        Severity::Warning
    } else {
        Severity::Info
    };
    let evidence = Evidence {
        relation: Some(table.name.to_string()),
        condition: Some(key.name.clone()),
        ..Evidence::default()
    };
    let evidence = evidence.with("pages", Quantity::Pages(table.stats.pages));
    let who = by
        .map(|(_, query)| format!("; {} deletes there", query.name))
        .unwrap_or_default();
    let words = Words {
        message: format!(
            "{} refers to {parent} by {} without an index{who}",
            table.name,
            key.columns.join(", ")
        ),
        why: format!(
            "Deleting from {parent}, or changing its key, reads all of {} for every row, holding locks.",
            table.name
        ),
        advice: format!(
            "{}; nothing is needed where {parent} never loses a row.",
            create_index(table, key)
        ),
    };
    finding(
        RuleId::UnindexedForeignKey,
        severity,
        None,
        None,
        evidence,
        words,
    )
}

fn create_index(table: &Table, key: &ForeignKey) -> String {
    let columns: Vec<String> = key
        .columns
        .iter()
        .map(|column| quote_identifier(column))
        .collect();
    format!("CREATE INDEX ON {} ({})", table.name, columns.join(", "))
}

fn named<'a>(schema: &'a Schema, constraint: &str) -> Option<(&'a Table, &'a ForeignKey)> {
    let keys = schema
        .tables
        .iter()
        .flat_map(|table| table.foreign_keys.iter().map(move |key| (table, key)));
    keys.into_iter().find(|(_, key)| key.name == constraint)
}
