//! What can differ between two plans, by name. A closed set: a report and a test can say exactly what changed.

use serde::{Deserialize, Serialize};

use super::canonical::{AggregateStrategy, JoinMethod, display_relation};

/// One named difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Change {
    /// The relation is read in another way.
    ScanMethodChanged {
        relation: String,
        alias: String,
        from: String,
        to: String,
    },
    /// Same method, another index.
    IndexChanged {
        relation: String,
        alias: String,
        from: String,
        to: String,
    },
    /// The same index under another name.
    IndexRenamed {
        relation: String,
        from: String,
        to: String,
    },
    /// The index is read from its other end.
    ScanDirectionChanged { relation: String, alias: String },
    /// Other conditions are given to the same index.
    IndexConditionChanged {
        relation: String,
        alias: String,
        from: Vec<String>,
        to: Vec<String>,
    },
    /// Other conditions are checked on the rows that are read.
    FilterChanged {
        relation: String,
        from: Vec<String>,
        to: Vec<String>,
    },
    /// The plan reads another number of partitions (a partition added or dropped, or pruning).
    PartitionsChanged {
        relation: String,
        from: u32,
        to: u32,
    },
    /// The table became partitioned, or is no more.
    PartitioningChanged { relation: String, partitioned: bool },
    /// The same inputs are joined by another method.
    JoinMethodChanged {
        relations: Vec<String>,
        from: JoinMethod,
        to: JoinMethod,
    },
    /// The inputs swapped their roles: driving against inner, probe against build.
    JoinSidesSwapped {
        relations: Vec<String>,
        method: JoinMethod,
    },
    /// The relations are joined in another order.
    JoinOrderChanged { from: String, to: String },
    /// Inner, left, semi…: planned as another kind.
    JoinKindChanged {
        relations: Vec<String>,
        from: String,
        to: String,
    },
    /// The same inputs meet on other conditions.
    JoinConditionChanged {
        relations: Vec<String>,
        from: Vec<String>,
        to: Vec<String>,
    },
    /// The same groups are found in another way.
    AggregateStrategyChanged {
        from: AggregateStrategy,
        to: AggregateStrategy,
    },
    /// Rows are sorted that came in order before.
    SortAdded { keys: Vec<String> },
    /// Rows come in order.
    SortRemoved { keys: Vec<String> },
    /// A full sort became an incremental one, or the reverse.
    SortKindChanged {
        keys: Vec<String>,
        incremental: bool,
    },
    /// Workers share the plan.
    ParallelOn,
    /// One process runs it.
    ParallelOff,
    /// Rows are kept for another pass.
    MaterializeAdded,
    /// They no longer are.
    MaterializeRemoved,
    /// Inner rows are kept by key.
    MemoizeAdded { key: String },
    /// They no longer are.
    MemoizeRemoved { key: String },
    /// A sort, hash or aggregate went to disk.
    SpillBegan { operator: String },
    /// It fits into memory.
    SpillEnded { operator: String },
    /// A WITH is planned into the query.
    CteInlined { name: String },
    /// A WITH is computed apart.
    CteMaterialized { name: String },
    /// An InitPlan or SubPlan came.
    SubplanAdded { subplan: String },
    /// An InitPlan or SubPlan went (into a join, say).
    SubplanRemoved { subplan: String },
    /// A relation is read that was not.
    RelationAdded { relation: String },
    /// A relation is not read any more: its join was not needed, or it holds nothing that could match.
    RelationRemoved { relation: String },
    /// Another step (Limit, Unique, WindowAgg…) came.
    OperatorAdded { operator: String },
    /// A step went.
    OperatorRemoved { operator: String },
    /// The same table has another name.
    TableRenamed { from: String, to: String },
    /// The same column has another name.
    ColumnRenamed {
        table: String,
        from: String,
        to: String,
    },
    /// The statement names a table that is gone.
    TableVanished { table: String },
    /// The statement names a column that is gone.
    ColumnVanished { column: String },
    /// The statement fails for another reason.
    StatementFails { message: String },
    /// The statement does not finish in time.
    TimesOut,
    /// The statement finishes in time, which it did not.
    Finishes,
    /// The statement returns other rows.
    ResultChanged { from: String, to: String },
}

impl Change {
    /// The stable name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::ScanMethodChanged { .. } => "scan-method-changed",
            Self::IndexChanged { .. } => "index-changed",
            Self::IndexRenamed { .. } => "index-renamed",
            Self::ScanDirectionChanged { .. } => "scan-direction-changed",
            Self::IndexConditionChanged { .. } => "index-condition-changed",
            Self::FilterChanged { .. } => "filter-changed",
            Self::PartitionsChanged { .. } => "partitions-changed",
            Self::PartitioningChanged { .. } => "partitioning-changed",
            Self::JoinMethodChanged { .. } => "join-method-changed",
            Self::JoinSidesSwapped { .. } => "join-sides-swapped",
            Self::JoinOrderChanged { .. } => "join-order-changed",
            Self::JoinKindChanged { .. } => "join-kind-changed",
            Self::JoinConditionChanged { .. } => "join-condition-changed",
            Self::AggregateStrategyChanged { .. } => "aggregate-strategy-changed",
            Self::SortAdded { .. } => "sort-added",
            Self::SortRemoved { .. } => "sort-removed",
            Self::SortKindChanged { .. } => "sort-kind-changed",
            Self::ParallelOn => "parallel-on",
            Self::ParallelOff => "parallel-off",
            Self::MaterializeAdded => "materialize-added",
            Self::MaterializeRemoved => "materialize-removed",
            Self::MemoizeAdded { .. } => "memoize-added",
            Self::MemoizeRemoved { .. } => "memoize-removed",
            Self::SpillBegan { .. } => "spill-began",
            Self::SpillEnded { .. } => "spill-ended",
            Self::CteInlined { .. } => "cte-inlined",
            Self::CteMaterialized { .. } => "cte-materialized",
            Self::SubplanAdded { .. } => "subplan-added",
            Self::SubplanRemoved { .. } => "subplan-removed",
            Self::RelationAdded { .. } => "relation-added",
            Self::RelationRemoved { .. } => "relation-removed",
            Self::OperatorAdded { .. } => "operator-added",
            Self::OperatorRemoved { .. } => "operator-removed",
            Self::TableRenamed { .. } => "table-renamed",
            Self::ColumnRenamed { .. } => "column-renamed",
            Self::TableVanished { .. } => "table-vanished",
            Self::ColumnVanished { .. } => "column-vanished",
            Self::StatementFails { .. } => "statement-fails",
            Self::TimesOut => "times-out",
            Self::Finishes => "finishes",
            Self::ResultChanged { .. } => "result-changed",
        }
    }

    /// Whether the statement itself broke: no plan would make it right.
    #[must_use]
    pub fn is_error(&self) -> bool {
        matches!(
            self,
            Self::TableVanished { .. }
                | Self::ColumnVanished { .. }
                | Self::StatementFails { .. }
                | Self::TimesOut
                | Self::ResultChanged { .. }
        )
    }

    /// One sentence without a full stop.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::ScanMethodChanged {
                relation, from, to, ..
            } => {
                format!(
                    "{} is read by {to}, not by {from}",
                    display_relation(relation)
                )
            }
            Self::IndexChanged {
                relation, from, to, ..
            } => {
                format!("{} uses {to}, not {from}", display_relation(relation))
            }
            Self::IndexRenamed { relation, from, to } => {
                format!(
                    "{} uses the same index under another name: {from} is {to}",
                    display_relation(relation)
                )
            }
            Self::ScanDirectionChanged { relation, .. } => {
                format!(
                    "the index on {} is read from its other end",
                    display_relation(relation)
                )
            }
            Self::IndexConditionChanged {
                relation, from, to, ..
            } => {
                format!(
                    "the index on {} gets {}, not {}",
                    display_relation(relation),
                    all_of(to),
                    all_of(from)
                )
            }
            Self::FilterChanged { relation, from, to } => {
                format!(
                    "{} is filtered by {}, not by {}",
                    display_relation(relation),
                    all_of(to),
                    all_of(from)
                )
            }
            Self::PartitionsChanged { relation, from, to } => {
                format!(
                    "{} is read in {to} partitions, not {from}",
                    display_relation(relation)
                )
            }
            Self::PartitioningChanged {
                relation,
                partitioned,
            } => {
                let is = if *partitioned {
                    "is partitioned"
                } else {
                    "is not partitioned any more"
                };
                format!("{} {is}", display_relation(relation))
            }
            Self::JoinMethodChanged {
                relations,
                from,
                to,
            } => {
                format!(
                    "{} are joined by {}, not by {}",
                    listed(relations),
                    to.as_str(),
                    from.as_str()
                )
            }
            Self::JoinSidesSwapped { relations, method } => {
                format!(
                    "the {} of {} has its inputs swapped",
                    method.as_str(),
                    listed(relations)
                )
            }
            Self::JoinOrderChanged { from, to } => format!("joined as {to}, not as {from}"),
            Self::JoinKindChanged {
                relations,
                from,
                to,
            } => {
                format!("the join of {} is {to}, not {from}", listed(relations))
            }
            Self::JoinConditionChanged {
                relations,
                from,
                to,
            } => {
                format!(
                    "{} meet on {}, not on {}",
                    listed(relations),
                    all_of(to),
                    all_of(from)
                )
            }
            Self::AggregateStrategyChanged { from, to } => {
                format!("{} in place of {}", to.as_str(), from.as_str())
            }
            Self::SortAdded { keys } => format!("a sort by {} is needed", keys.join(", ")),
            Self::SortRemoved { keys } => format!("no sort by {} is needed", keys.join(", ")),
            Self::SortKindChanged { keys, incremental } => {
                let kind = if *incremental {
                    "incremental"
                } else {
                    "a full one"
                };
                format!("the sort by {} is {kind}", keys.join(", "))
            }
            Self::ParallelOn => "workers share the plan".to_owned(),
            Self::ParallelOff => "no workers share the plan any more".to_owned(),
            Self::MaterializeAdded => "rows are materialized for another pass".to_owned(),
            Self::MaterializeRemoved => "rows are not materialized any more".to_owned(),
            Self::MemoizeAdded { key } => format!("inner rows are memoized by {key}"),
            Self::MemoizeRemoved { key } => {
                format!("inner rows are not memoized by {key} any more")
            }
            Self::SpillBegan { operator } => format!("{operator} spills to disk"),
            Self::SpillEnded { operator } => format!("{operator} fits into memory"),
            Self::CteInlined { name } => format!("WITH {name} is inlined"),
            Self::CteMaterialized { name } => format!("WITH {name} is computed apart"),
            Self::SubplanAdded { subplan } => format!("a {subplan} came"),
            Self::SubplanRemoved { subplan } => format!("a {subplan} went"),
            Self::RelationAdded { relation } => format!("{} is read", display_relation(relation)),
            Self::RelationRemoved { relation } => {
                format!("{} is not read any more", display_relation(relation))
            }
            Self::OperatorAdded { operator } => format!("{operator} came"),
            Self::OperatorRemoved { operator } => format!("{operator} went"),
            Self::TableRenamed { from, to } => format!(
                "{} is called {}",
                display_relation(from),
                display_relation(to)
            ),
            Self::ColumnRenamed { table, from, to } => {
                format!("{}.{from} is called {to}", display_relation(table))
            }
            Self::TableVanished { table } => format!("table {} is gone", display_relation(table)),
            Self::ColumnVanished { column } => format!("column {column} is gone"),
            Self::StatementFails { message } => format!("fails: {message}"),
            Self::TimesOut => "does not finish in time".to_owned(),
            Self::Finishes => "finishes in time, which it did not".to_owned(),
            Self::ResultChanged { from, to } => format!("returns {to}, not {from}"),
        }
    }
}

/// `(a and b)`.
fn all_of(conditions: &[String]) -> String {
    format!("({})", conditions.join(" and "))
}

fn listed(relations: &[String]) -> String {
    let names: Vec<&str> = relations
        .iter()
        .map(|name| display_relation(name))
        .collect();
    match names.split_last() {
        None => String::new(),
        Some((only, [])) => (*only).to_owned(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}
