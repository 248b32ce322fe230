//! `not-proven`: a query met no row of the data, so nothing that was measured of it counts.

use std::collections::BTreeSet;

use super::context::{QueryContext, Words};
use super::{Check, Rule, WithoutRows};
use crate::finding::{Evidence, Finding, RuleId, Severity};
use crate::plan::condition::{Expression, ExpressionKind, parse};
use crate::plan::{Node, NodeId, NodeKind, Plan, RelationRef};
use crate::run::{Outcome, Run};
use crate::schema::{Schema, Table, TableKind};
use crate::sql::identifiers::identifiers;
use crate::sql::null_comparison::null_comparison;

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::NotProven,
    severity: Severity::Warning,
    depth: None,
    is_work_of_each_call: false,
    without_rows: WithoutRows::Counts,
    summary: "a query finds no row in this data: neither fine nor slow, its plan proves nothing",
    condition: "The statement ran with every parameter set, and none returned or changed a row. Behind an aggregate without \
                groups, which answers even where there is nothing, the rows that it aggregates count. It stays quiet \
                where one set finds a row, where a set was cancelled at the timeout, and for queries that are only planned. It is information \
                where all that the query reads are tables of less than 1,000 rows or PostgreSQL's own. What else its plan shows stands under it, and \
                is no error: only `@allow not-proven`, which says that production finds nothing either, makes it count.",
    why: "A plan that meets no row does no work: joins never start, sorts have nothing to sort, and an index looks as if \
          it saved everything. In production the rows are there.",
    advice: "Give the data what the query looks for: `values` of the column in a seed spec, or `@param` with a value that \
             occurs. Where production finds nothing either, say so by `@allow not-proven`.",
    bad: "SELECT * FROM jobs WHERE status = 'queud' AND run_at < $1;",
    good: "SELECT * FROM jobs WHERE status = 'queued' AND run_at < $1;",
    thresholds: &[],
    check: Check::Query(check),
};

fn check(context: &QueryContext<'_>) -> Vec<Finding> {
    if !context.runs.found_nothing() {
        return Vec::new();
    }
    let completed = context
        .runs
        .custom_first()
        .filter(|run| matches!(run.outcome, Outcome::Completed { .. }));
    let runs: Vec<&Run> = completed.collect();
    let Some(first) = runs.first() else {
        return Vec::new();
    };
    if let Some(finding) = never_true(context, first) {
        return vec![finding];
    }
    let is_write = |node: &Node| node.kind == NodeKind::ModifyTable;
    let writes = first.plan.nodes.iter().any(is_write);
    let verb = if writes { "changes" } else { "returns" };
    let tried = match (runs.len(), first.parameters.is_empty()) {
        (_, true) => String::new(),
        (1, false) => " with the values that were tried".to_owned(),
        (number, false) => format!(" with any of {number} parameter sets"),
    };
    let evidence = Evidence {
        run: Some(first.id.clone()),
        ..Evidence::default()
    };
    let empty = empty_table(context);
    let scope = match &empty {
        Some(_) => Scope::Data,
        None => Scope::of(&first.plan, context),
    };
    let is_tools = empty.as_ref().is_some_and(Empty::is_of_a_tool);
    let message = match &empty {
        Some(empty) => format!(
            "{verb} no rows: {} is empty here, so that nothing is proven",
            empty.name
        ),
        None => format!("{verb} no rows on this data{tried}: not proven"),
    };
    let advice = advice(scope, empty.as_ref(), first, Some(context.schema));
    let severity = match scope {
        Scope::Function => Severity::Warning,
        Scope::Data if !is_tools => Severity::Warning,
        // Whatever it finds, it cannot cost much.
        Scope::Data | Scope::Small | Scope::System => Severity::Info,
    };
    let words = Words {
        message,
        why: "A plan that meets no row does no work, so that neither its time nor an index for it says anything of \
              production."
            .to_owned(),
        advice,
    };
    vec![context.finding(RuleId::NotProven, severity, evidence, words)]
}

/// What to do about a query that met no row.
fn advice(scope: Scope, empty: Option<&Empty>, run: &Run, schema: Option<&Schema>) -> String {
    match scope {
        Scope::Small | Scope::Data if empty.is_some() => {
            empty.map(Empty::remedy).unwrap_or_default()
        }
        Scope::System => "Nothing: it asks what PostgreSQL itself keeps, which no seed fills.".to_owned(),
        Scope::Function => {
            "A function decides what it returns, whose own statements no plan shows: `@param` with values for which it returns rows.".to_owned()
        }
        Scope::Small | Scope::Data if has_conflict(&run.plan) => {
            "Its row is there already (ON CONFLICT): `@param` with a key that does not occur shows what inserting takes.".to_owned()
        }
        Scope::Small | Scope::Data => match condition(&run.plan, schema) {
            Some(Missing::Pair(pair)) => {
                let value = match run.parameters.is_empty() {
                    true => "",
                    false => " One value whose rows do is enough: `@param`.",
                };
                format!(
                    "{pair} Where no foreign key says that rows belong together, `references` of the column in a seed spec does.{value}"
                )
            }
            Some(Missing::Value(place)) => format!("{GIVE} {place}"),
            None => GIVE.to_owned(),
        },
    }
}

/// What a query reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// Tables, of which one at least is of some size.
    Data,
    /// Tables of a few rows: a state, a list of settings.
    Small,
    /// Functions of the project, within which nobody sees what they read.
    Function,
    /// PostgreSQL's own catalogs, views and functions alone.
    System,
}

/// A table without a row, which a query names.
struct Empty {
    name: String,
    has_no_partition: bool,
}

/// In which tools note the migrations that they have applied, and what else they keep of themselves.
const OF_TOOLS: [&str; 17] = [
    "__diesel_schema_migrations",
    "_prisma_migrations",
    "_sqlx_migrations",
    "alembic_version",
    "ar_internal_metadata",
    "atlas_schema_revisions",
    "databasechangelog",
    "databasechangeloglock",
    "django_migrations",
    "flyway_schema_history",
    "goose_db_version",
    "gorp_migrations",
    "knex_migrations",
    "knex_migrations_lock",
    "refinery_schema_history",
    "schema_migrations",
    "SequelizeMeta",
];

impl Empty {
    fn is_of_a_tool(&self) -> bool {
        let bare = self.name.rsplit('.').next().unwrap_or(&self.name);
        OF_TOOLS.contains(&bare.trim_matches('"'))
    }

    fn remedy(&self) -> String {
        let name = &self.name;
        if self.is_of_a_tool() {
            format!(
                "Nothing: in {name} the migration tool notes what it has applied, which no seed fills."
            )
        } else if self.has_no_partition {
            format!(
                "{name} has no partition: where a program makes them as it runs, add a file that makes some to `migrations`, and seed again."
            )
        } else {
            format!("Give {name} rows: `rows` in its part of a seed spec.")
        }
    }
}

/// The tables of the schema whose names are in a query's text.
fn named_tables<'a>(context: &QueryContext<'a>) -> impl Iterator<Item = &'a Table> {
    let words: BTreeSet<String> = identifiers(&context.query.sql).collect();
    let tables = context.schema.tables.iter();
    tables.filter(move |table| table.partition_of.is_none() && words.contains(&table.name.name))
}

/// The first table of those that a query names which holds nothing.
fn empty_table(context: &QueryContext<'_>) -> Option<Empty> {
    let schema = context.schema;
    let leaves = |root: u32| {
        let parts = schema.tables.iter();
        parts.filter(move |part| {
            part.kind == TableKind::Ordinary && schema.root_of(part).oid == root
        })
    };
    let holds_nothing =
        |table: &Table| table.stats.pages.0 == 0 && table.stats.rows.is_none_or(|rows| rows <= 0.0);
    let mut empty = named_tables(context).filter(|table| match table.kind {
        TableKind::Ordinary | TableKind::Partitioned => leaves(table.oid).all(holds_nothing),
        TableKind::Foreign => false,
    });
    empty.next().map(|table| Empty {
        name: table.name.to_string(),
        has_no_partition: table.kind == TableKind::Partitioned
            && leaves(table.oid).next().is_none(),
    })
}

/// A table of fewer rows is not judged by size anywhere in the report.
const FEW_ROWS: f64 = 1000.0;

impl Scope {
    fn of(plan: &Plan, context: &QueryContext<'_>) -> Self {
        let schema = context.schema;
        let mut relations = plan.tables().peekable();
        // A plan that reads nothing may be of any table that is named.
        if relations.peek().is_none() && named_tables(context).next().is_some() {
            return Self::Data;
        }
        let is_own = |node: &Node| {
            node.kind == NodeKind::FunctionScan
                && node
                    .relation
                    .as_ref()
                    .is_some_and(|function| !function.is_system())
        };
        let mut scope = match plan.nodes.iter().any(is_own) {
            true => Self::Function,
            false => Self::System,
        };
        for relation in relations {
            if relation.is_system() {
                continue;
            }
            let table = schema.table(relation.schema.as_deref(), &relation.name);
            let rows = table.and_then(|table| table.stats.rows);
            if rows.is_none_or(|rows| rows >= FEW_ROWS) {
                return Self::Data;
            }
            scope = Self::Small;
        }
        scope
    }
}

/// Whether an INSERT met a row that is there already.
fn has_conflict(plan: &Plan) -> bool {
    let conflicts = |node: &Node| {
        let found = node.extra.get("Conflicting Tuples")?;
        found
            .as_f64()
            .or_else(|| found.as_str()?.trim().parse().ok())
    };
    plan.nodes
        .iter()
        .filter_map(conflicts)
        .any(|conflicts| conflicts > 0.0)
}

/// A statement whose condition the planner finds to be true of no row, without parameters or by a comparison with NULL: no data
/// make a difference.
fn never_true(context: &QueryContext<'_>, run: &Run) -> Option<Finding> {
    let is_false = |node: &Node| node.conditions.one_time_filter.as_deref() == Some("false");
    let comparison = null_comparison(&context.query.sql);
    let is_decided = comparison.is_some() || run.parameters.is_empty();
    if !is_decided || !run.plan.nodes.iter().any(is_false) {
        return None;
    }
    let mut severity = Severity::Warning;
    let words = match comparison {
        Some(list) if list.ends_with(')') => {
            severity = Severity::Info;
            Words {
                message: format!("its condition is true of no row: {list}"),
                why: "ORMs write an empty list so: the rows whose keys it should have held were not there when it was recorded."
                    .to_owned(),
                advice: "Record it where there are such rows, or send nothing where the list is empty.".to_owned(),
            }
        }
        Some(comparison) => Words {
            message: format!("its condition is true of no row: {comparison}"),
            why: "A comparison with NULL is neither true nor false, whatever the row holds."
                .to_owned(),
            advice: format!(
                "Write {} IS {}NULL.",
                comparison.split(' ').next().unwrap_or_default(),
                if comparison.contains(" = ") {
                    ""
                } else {
                    "NOT "
                }
            ),
        },
        None => Words {
            message: "its condition is true of no row: the planner reads nothing".to_owned(),
            why: "Its constants, or a constraint of the table, leave nothing that could meet it."
                .to_owned(),
            advice: "Look for conditions that exclude each other.".to_owned(),
        },
    };
    let evidence = Evidence {
        run: Some(run.id.clone()),
        ..Evidence::default()
    };
    Some(context.finding(RuleId::NotProven, severity, evidence, words))
}

const GIVE: &str = "Give the data what the query looks for: `values` of the column in a seed spec, or `@param` with a value that occurs.";

/// What the data lack, in a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Missing {
    /// A row that meets a condition.
    Value(String),
    /// Rows of two tables that equal each other: no value of a parameter helps.
    Pair(String),
}

/// What no row met: the condition of the first scan that ran and gave out nothing, else that of the first join.
fn condition(plan: &Plan, schema: Option<&Schema>) -> Option<Missing> {
    of_a_scan(plan, schema).or_else(|| of_a_join(plan, schema))
}

/// Whether a condition compares nothing but columns with each other, all for equality.
fn is_of_columns_alone(condition: &str) -> bool {
    let mut others = false;
    let mut equalities = 0;
    parse(condition).walk(&mut |part| match &part.kind {
        ExpressionKind::Operator { operator, .. } if operator == "=" => equalities += 1,
        ExpressionKind::Column { .. } | ExpressionKind::Cast { .. } | ExpressionKind::And(_) => {}
        _ => others = true,
    });
    equalities > 0 && !others
}

/// Whether a condition equals a column with another one, besides whatever else it asks.
fn has_columns_equal(condition: &str) -> bool {
    let mut found = false;
    parse(condition).walk(&mut |part| {
        let is_column =
            |side: &Expression| matches!(side.without_casts().kind, ExpressionKind::Column { .. });
        if let ExpressionKind::Operator {
            operator,
            left: Some(left),
            right,
            ..
        } = &part.kind
        {
            found |= operator == "=" && is_column(left) && is_column(right);
        }
    });
    found
}

/// The condition of a join both of whose sides have rows.
fn of_a_join(plan: &Plan, schema: Option<&Schema>) -> Option<Missing> {
    let rows = |node: &Node| node.actual.map(|actual| actual.rows.0 * actual.loops);
    let is_it = |id: &NodeId| {
        let node = plan.node(*id);
        let mut sides = node.children.iter().map(|child| plan.node(*child));
        node.kind.is_join()
            && rows(node) == Some(0.0)
            && sides.all(|side| rows(side).is_some_and(|rows| rows > 0.0))
    };
    // Below all others: what is above it has nothing to join.
    let join = plan.ids().rev().find(is_it)?;
    let condition = plan.node(join).conditions.of_join()?;
    let mut tables: Vec<String> = plan
        .descendants(join)
        .filter_map(|below| plan.node(below).relation.as_ref())
        .map(|relation| named(relation, schema))
        .collect();
    tables.sort_unstable();
    tables.dedup();
    let tables = tables.join(", ");
    // What a function or a list gives comes from the call.
    let is_given = |below: NodeId| {
        matches!(
            plan.node(below).kind,
            NodeKind::FunctionScan | NodeKind::ValuesScan
        )
    };
    let is_of_tables = !plan.descendants(join).any(is_given);
    Some(match is_of_tables && is_of_columns_alone(condition) {
        true => Missing::Pair(format!("No rows of {tables} meet in {condition}.")),
        false => Missing::Value(format!("No rows of {tables} meet in {condition}.")),
    })
}

fn of_a_scan(plan: &Plan, schema: Option<&Schema>) -> Option<Missing> {
    let empty = |actual: crate::plan::Actual| actual.loops > 0.0 && actual.rows.0 == 0.0;
    plan.table_scans()
        .filter(|(_, node)| node.actual.is_some_and(empty))
        .find_map(|(id, node)| {
            let conditions = &node.conditions;
            let condition = conditions
                .filter
                .as_ref()
                .or(conditions.index.as_ref())
                .or(conditions.recheck.as_ref())?;
            let name = named(node.relation.as_ref()?, schema);
            Some(match parse(condition).has_subplan() {
                true => Missing::Value(by_subquery(plan, id, &name, schema)),
                false if is_of_columns_alone(condition) => {
                    Missing::Pair(format!("No row of {name} meets {condition}."))
                }
                false if has_columns_equal(condition) => Missing::Value(format!(
                    "Look at {condition} on {name}: where no foreign key says that its rows belong to others, `references` of the column in a \
                     seed spec does."
                )),
                false => Missing::Value(format!("Look at {condition} on {name}.")),
            })
        })
}

/// A relation by its own name; of a partition the whole table's, which the query names.
fn named(relation: &RelationRef, schema: Option<&Schema>) -> String {
    let known = schema.and_then(|schema| {
        let table = schema.table(relation.schema.as_deref(), &relation.name)?;
        Some(schema.root_of(table).name.name.clone())
    });
    known.unwrap_or_else(|| relation.name.clone())
}

/// Of a condition that asks a subquery EXPLAIN prints no more than the subquery's number.
fn by_subquery(plan: &Plan, id: NodeId, name: &str, schema: Option<&Schema>) -> String {
    let mut asked: Vec<String> = plan
        .descendants(id)
        .filter_map(|below| plan.node(below).relation.as_ref())
        .map(|relation| named(relation, schema))
        .collect();
    asked.sort_unstable();
    asked.dedup();
    match asked.as_slice() {
        [] => format!("No row of {name} passes the condition that asks a subquery."),
        _ => format!(
            "No row of {name} passes the condition that asks {}: give some of its rows a match there, and leave some without one.",
            asked.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::parse as plans;

    #[expect(
        clippy::unnecessary_wraps,
        reason = "as the function under test gives it"
    )]
    fn value(text: &str) -> Option<Missing> {
        Some(Missing::Value(text.to_owned()))
    }

    #[test]
    fn a_join_whose_sides_have_rows_is_named() {
        let of = |condition: &str, inner: u32| {
            let text = format!(
                "Hash Join (actual time=0.1..9.0 rows=0 loops=1)\n  Hash Cond: {condition}\n\
                 \x20 ->  Seq Scan on loans l (actual time=0.1..8.0 rows=900 loops=1)\n\
                 \x20 ->  Hash (actual time=0.1..0.1 rows={inner} loops=1)\n\
                 \x20       ->  Seq Scan on books b (actual time=0.1..0.1 rows={inner} loops=1)\n\
                 Execution Time: 9.1 ms\n"
            );
            condition_of(&text)
        };
        assert_eq!(
            of("(l.shelf = b.shelf)", 40),
            Some(Missing::Pair(
                "No rows of books, loans meet in (l.shelf = b.shelf).".to_owned()
            ))
        );
        assert_eq!(
            of("(l.shelf = (b.shelf + 1))", 40),
            value("No rows of books, loans meet in (l.shelf = (b.shelf + 1)).")
        );
        // Books have no row at all: there is nothing to join.
        assert_eq!(of("(l.shelf = b.shelf)", 0), None);
    }

    #[test]
    fn values_of_a_parameter_are_told_from_rows_that_belong_together() {
        let of = |condition: &str| {
            condition_of(&format!(
                "Index Scan using a on loans l (actual time=0.1..0.1 rows=0 loops=9)\n  Index Cond: {condition}\nExecution Time: 0.2 ms\n"
            ))
        };
        assert_eq!(
            of("((l.book = b.id) AND (l.shelf = b.shelf))"),
            Some(Missing::Pair(
                "No row of loans meets ((l.book = b.id) AND (l.shelf = b.shelf)).".to_owned()
            ))
        );
        assert_eq!(
            of("((l.book = b.id) AND (l.shelf = 'A'::text))"),
            value(
                "Look at ((l.book = b.id) AND (l.shelf = 'A'::text)) on loans: where no foreign key says that its rows belong to others, \
                 `references` of the column in a seed spec does."
            )
        );
    }

    fn condition_of(text: &str) -> Option<Missing> {
        condition(&plans::any(text).unwrap().remove(0), None)
    }

    #[test]
    fn a_subquery_is_named_by_its_tables() {
        let text = "Seq Scan on members  (actual time=9.0..9.0 rows=0 loops=1)\n  Filter: (NOT (hashed SubPlan 1))\n\
            \x20 Rows Removed by Filter: 800\n  SubPlan 1\n\
            \x20   ->  Seq Scan on loans  (actual time=0.1..4.0 rows=9000 loops=1)\nExecution Time: 9.2 ms\n";
        let plan = plans::any(text).unwrap().remove(0);
        assert_eq!(
            condition(&plan, None),
            value(
                "No row of members passes the condition that asks loans: give some of its rows a match there, and leave some without one."
            )
        );
    }

    #[test]
    fn what_a_migration_tool_notes_is_nobodys_to_fill() {
        let of = |name: &str| Empty {
            name: name.to_owned(),
            has_no_partition: false,
        };
        assert!(of("public.gorp_migrations").is_of_a_tool());
        assert!(of("\"SequelizeMeta\"").is_of_a_tool());
        assert!(!of("migrations_of_birds").is_of_a_tool());
    }

    #[test]
    fn a_plain_condition_is_shown() {
        let text = "Seq Scan on loans  (actual time=9.0..9.0 rows=0 loops=1)\n  Filter: (branch = 400)\n\
            \x20 Rows Removed by Filter: 800\nExecution Time: 9.2 ms\n";
        let plan = plans::any(text).unwrap().remove(0);
        assert_eq!(
            condition(&plan, None),
            value("Look at (branch = 400) on loans.")
        );
    }
}
