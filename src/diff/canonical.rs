//! A plan in the form in which two plans are compared: what is read how, joined how, and in which tree; helpers such as
//! Gather, Hash, Sort and Materialize are decorators of the edge above an operator, partitions of one table are one scan
//! with a count, conditions are sets of conjuncts, an index is its definition. Pure data.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::plan::NodeId;

/// Version of the canonical form: hashes and snapshots of different versions never compare.
pub const CANONICAL_VERSION: u32 = 1;

/// A canonical plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CanonicalPlan {
    /// The topmost operator.
    pub root: Operator,
}

impl CanonicalPlan {
    /// Of a report that was saved without its plans.
    #[must_use]
    pub fn unknown() -> Self {
        Self {
            root: Operator {
                kind: OperatorKind::Other {
                    name: String::new(),
                },
                decorators: Vec::new(),
                conditions: Vec::new(),
                inputs: Vec::new(),
                subplans: Vec::new(),
                node: None,
            },
        }
    }
}

/// One step of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Operator {
    /// What it does.
    pub kind: OperatorKind,
    /// Helpers between this operator and its parent, topmost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decorators: Vec<Decorator>,
    /// Conditions by role, in the order of [`ConditionRole`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Inputs, the driving one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Operator>,
    /// InitPlans, SubPlans and CTEs that hang on this operator.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subplans: Vec<Subplan>,
    /// The node that it was made from; `None` after reading a snapshot.
    #[serde(skip)]
    pub node: Option<NodeId>,
}

/// What an operator does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperatorKind {
    /// Reads a relation.
    Scan(Scan),
    /// Joins its two inputs.
    Join { method: JoinMethod, kind: String },
    /// Groups, or folds to one row.
    Aggregate {
        strategy: AggregateStrategy,
        keys: Vec<String>,
    },
    /// INSERT, UPDATE, DELETE, MERGE.
    Modify { operation: String, relation: String },
    /// Everything else that has no such structure: Limit, Unique, WindowAgg, Append of a UNION…
    Other { name: String },
}

/// A relation that is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scan {
    /// A table as `schema.name` where the schema is known; a partition is named by its root. Else a function, CTE…
    pub relation: String,
    /// The alias in the query.
    pub alias: String,
    /// How it is read: one entry, or several where partitions are read in different ways.
    pub access: Vec<Access>,
    /// Partitions in the plan; `None` for a table that has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitions: Option<u32>,
}

/// How a relation is read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Access {
    /// Seq Scan, Index Scan…
    pub method: ScanMethod,
    /// The indexes it uses; more than one only under BitmapAnd and BitmapOr.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<IndexIdentity>,
    /// Reads the index from its end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub backward: bool,
}

/// An index as the thing that it is.
#[derive(Debug, Clone, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IndexIdentity {
    /// Method, keys, INCLUDE and predicate; `None` where no schema tells (a saved report).
    pub definition: Option<String>,
    /// Its name: shown, and compared only where a definition is missing.
    pub name: String,
}

impl IndexIdentity {
    /// What makes it the same index.
    #[must_use]
    pub fn key(&self) -> &str {
        self.definition.as_deref().unwrap_or(&self.name)
    }
}

impl PartialEq for IndexIdentity {
    fn eq(&self, other: &Self) -> bool {
        match (&self.definition, &other.definition) {
            (Some(a), Some(b)) => a == b,
            (None, _) | (_, None) => self.name == other.name,
        }
    }
}

impl std::hash::Hash for IndexIdentity {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

/// How a relation is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScanMethod {
    Seq,
    Index,
    IndexOnly,
    Bitmap,
    Tid,
    TidRange,
    Sample,
    Function,
    TableFunction,
    Values,
    Cte,
    WorkTable,
    Tuplestore,
    Foreign,
    Custom,
}

impl ScanMethod {
    /// As EXPLAIN names it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Seq => "Seq Scan",
            Self::Index => "Index Scan",
            Self::IndexOnly => "Index Only Scan",
            Self::Bitmap => "Bitmap Heap Scan",
            Self::Tid => "Tid Scan",
            Self::TidRange => "Tid Range Scan",
            Self::Sample => "Sample Scan",
            Self::Function => "Function Scan",
            Self::TableFunction => "Table Function Scan",
            Self::Values => "Values Scan",
            Self::Cte => "CTE Scan",
            Self::WorkTable => "WorkTable Scan",
            Self::Tuplestore => "Named Tuplestore Scan",
            Self::Foreign => "Foreign Scan",
            Self::Custom => "Custom Scan",
        }
    }
}

/// How two inputs meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JoinMethod {
    NestedLoop,
    Hash,
    Merge,
}

impl JoinMethod {
    /// As EXPLAIN names it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NestedLoop => "Nested Loop",
            Self::Hash => "Hash Join",
            Self::Merge => "Merge Join",
        }
    }
}

/// How groups are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AggregateStrategy {
    /// One group.
    Plain,
    /// Over sorted input.
    Sorted,
    /// In a hash table.
    Hashed,
    /// Grouping sets by both.
    Mixed,
}

impl AggregateStrategy {
    /// The usual name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "Aggregate",
            Self::Sorted => "GroupAggregate",
            Self::Hashed => "HashAggregate",
            Self::Mixed => "MixedAggregate",
        }
    }
}

/// A helper on the edge above an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decorator {
    /// Gather or Gather Merge.
    Parallel,
    /// A hash table for a hash join.
    Hash {
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        spilled: bool,
    },
    Sort {
        keys: Vec<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        presorted: Vec<String>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        spilled: bool,
    },
    /// Keeps its input's rows for another pass.
    Materialize,
    /// Keeps rows by key.
    Memoize { key: String },
    /// Merges the sorted partitions of one table.
    MergePartitions,
}

/// Where a condition is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConditionRole {
    /// By the index.
    Index,
    /// Hash Cond, Merge Cond, or a nested loop's Join Filter.
    Join,
    /// On rows that were read.
    Filter,
    /// Before anything runs.
    OneTime,
}

impl ConditionRole {
    /// A word for the tree.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Join => "on",
            Self::Filter => "filter",
            Self::OneTime => "once",
        }
    }
}

/// A set of conjuncts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// Where it is checked.
    pub role: ConditionRole,
    /// Sorted, normalized.
    pub conjuncts: Vec<String>,
}

/// An InitPlan, SubPlan or CTE.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Subplan {
    /// What it is.
    pub kind: SubplanKind,
    pub plan: Operator,
}

/// What a subplan is to the query.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SubplanKind {
    /// Runs once.
    InitPlan,
    /// Runs for each row, or once where hashed.
    SubPlan,
    /// WITH … that is kept.
    Cte(String),
}

impl SubplanKind {
    /// The part of a scope's name.
    #[must_use]
    pub fn scope(&self) -> String {
        match self {
            Self::InitPlan => "initplan".to_owned(),
            Self::SubPlan => "subplan".to_owned(),
            Self::Cte(name) => format!("cte {name}"),
        }
    }
}

/// What two plans have in common, from coarse to fine.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PlanHashes {
    /// Relations, methods, index definitions; no order.
    pub access: String,
    /// And the tree of joins and operators.
    pub shape: String,
    /// And decorators and conditions.
    pub full: String,
}

impl CanonicalPlan {
    /// The three hashes; each starts with the canonical form's version.
    #[must_use]
    pub fn hashes(&self) -> PlanHashes {
        let mut accesses = Vec::new();
        self.root.each(&mut |operator| {
            if let OperatorKind::Scan(scan) = &operator.kind {
                accesses.push(scan.access_text());
            }
        });
        accesses.sort();
        let (mut shape, mut full) = (String::new(), String::new());
        write_tree(&self.root, 0, Detail::Shape, &mut |line| {
            push_line(&mut shape, line)
        });
        write_tree(&self.root, 0, Detail::Everything, &mut |line| {
            push_line(&mut full, line)
        });
        PlanHashes {
            access: digest(&accesses.join("\n")),
            shape: digest(&shape),
            full: digest(&full),
        }
    }

    /// The canonical tree for people, a line an operator, decorator or condition.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        write_tree(&self.root, 0, Detail::Everything, &mut |line| {
            lines.push(line.to_owned())
        });
        lines
    }
}

fn push_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn digest(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    let hex: String = hash
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{CANONICAL_VERSION}:{hex}")
}

impl Operator {
    /// Calls `visit` for this operator and everything beneath it, subplans first.
    pub fn each<'a>(&'a self, visit: &mut impl FnMut(&'a Self)) {
        fn go<'a>(operator: &'a Operator, visit: &mut dyn FnMut(&'a Operator)) {
            visit(operator);
            operator
                .subplans
                .iter()
                .for_each(|subplan| go(&subplan.plan, visit));
            operator.inputs.iter().for_each(|input| go(input, visit));
        }
        go(self, visit);
    }

    /// The conjuncts of a role; empty where it has none.
    #[must_use]
    pub fn conjuncts(&self, role: ConditionRole) -> &[String] {
        self.conditions
            .iter()
            .find(|c| c.role == role)
            .map(|c| c.conjuncts.as_slice())
            .unwrap_or_default()
    }

    /// One line, without decorators and conditions.
    #[must_use]
    pub fn label(&self) -> String {
        match &self.kind {
            OperatorKind::Scan(scan) => scan.label(),
            OperatorKind::Join { method, kind } if kind == "Inner" => method.as_str().to_owned(),
            OperatorKind::Join { method, kind } => format!("{} ({kind})", method.as_str()),
            OperatorKind::Aggregate { strategy, keys } if keys.is_empty() => {
                strategy.as_str().to_owned()
            }
            OperatorKind::Aggregate { strategy, keys } => {
                format!("{} by {}", strategy.as_str(), keys.join(", "))
            }
            OperatorKind::Modify {
                operation,
                relation,
            } => format!("{operation} on {relation}"),
            OperatorKind::Other { name } => name.clone(),
        }
    }
}

impl Scan {
    /// `Index Scan on orders o using btree (customer_id)`.
    #[must_use]
    pub fn label(&self) -> String {
        let alias = if self.relation.rsplit('.').next() == Some(&self.alias) {
            String::new()
        } else {
            format!(" {}", self.alias)
        };
        let methods: Vec<String> = self.access.iter().map(Access::label).collect();
        let partitions = match self.partitions {
            Some(1) => " (1 partition)".to_owned(),
            Some(count) => format!(" ({count} partitions)"),
            None => String::new(),
        };
        format!(
            "{} on {}{alias}{partitions}",
            methods.join(" + "),
            display_relation(&self.relation)
        )
    }

    /// Relation and access without the alias: what the access hash sees.
    fn access_text(&self) -> String {
        let access: Vec<String> = self.access.iter().map(Access::label).collect();
        format!("{} {}", self.relation, access.join(" + "))
    }
}

impl Access {
    /// `Index Scan using btree (customer_id)`.
    #[must_use]
    pub fn label(&self) -> String {
        let backward = if self.backward { " backward" } else { "" };
        let indexes: Vec<&str> = self.indexes.iter().map(IndexIdentity::key).collect();
        match indexes.is_empty() {
            true => format!("{}{backward}", self.method.as_str()),
            false => format!(
                "{}{backward} using {}",
                self.method.as_str(),
                indexes.join(" & ")
            ),
        }
    }
}

/// A relation for people: `public.` is left out.
#[must_use]
pub fn display_relation(relation: &str) -> &str {
    relation.strip_prefix("public.").unwrap_or(relation)
}

impl Decorator {
    /// One line.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::Parallel => "Parallel".to_owned(),
            Self::Hash { .. } => "Hash".to_owned(),
            Self::Sort {
                keys, presorted, ..
            } if presorted.is_empty() => format!("Sort by {}", keys.join(", ")),
            Self::Sort {
                keys, presorted, ..
            } => {
                format!(
                    "Incremental Sort by {} (presorted {})",
                    keys.join(", "),
                    presorted.join(", ")
                )
            }
            Self::Materialize => "Materialize".to_owned(),
            Self::Memoize { key } => format!("Memoize by {key}"),
            Self::MergePartitions => "Merge partitions".to_owned(),
        }
    }
}

/// How much of the tree is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// Operators alone.
    Shape,
    /// Decorators and conditions as well.
    Everything,
}

fn write_tree(operator: &Operator, depth: usize, detail: Detail, emit: &mut impl FnMut(&str)) {
    fn go(operator: &Operator, mut depth: usize, detail: Detail, emit: &mut dyn FnMut(&str)) {
        if detail == Detail::Everything {
            for decorator in &operator.decorators {
                emit(&format!("{}{}", "  ".repeat(depth), decorator.label()));
                depth += 1;
            }
        }
        emit(&format!("{}{}", "  ".repeat(depth), operator.label()));
        if detail == Detail::Everything {
            for condition in &operator.conditions {
                let text = condition.conjuncts.join(" and ");
                emit(&format!(
                    "{}· {}: {text}",
                    "  ".repeat(depth + 1),
                    condition.role.as_str()
                ));
            }
        }
        for subplan in &operator.subplans {
            emit(&format!(
                "{}[{}]",
                "  ".repeat(depth + 1),
                subplan.kind.scope()
            ));
            go(&subplan.plan, depth + 2, detail, emit);
        }
        for input in &operator.inputs {
            go(input, depth + 1, detail, emit);
        }
    }
    go(operator, depth, detail, emit);
}
