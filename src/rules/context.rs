//! What a rule may look at. A rule gets one of these and returns findings; it sees nothing else.

use crate::catalog::Query;
use crate::finding::{Evidence, Finding, Fingerprint, Location, Quantity, RuleId, Severity};
use crate::plan::condition::{normalized, parse};
use crate::plan::{Metrics, Node, NodeId, NodeKind, NodeMetrics, Plan, Trigger, label};
use crate::run::{QueryRuns, Run};
use crate::schema::{QualifiedName, Schema, Table};
use crate::units::Pages;

use super::own_constants::OwnConstants;
use super::thresholds::{Policy, Threshold};

/// For a rule that reads one plan.
#[derive(Debug, Clone, Copy)]
pub struct RunContext<'a> {
    /// The query; `None` for a plan that came alone (`pgproof explain -`).
    pub query: Option<&'a Query>,
    /// The run whose plan is judged.
    pub run: &'a Run,
    /// The plan's figures.
    pub metrics: &'a Metrics,
    /// `None` for a plan that came alone.
    pub schema: Option<&'a Schema>,
    /// The limits that hold for the query.
    pub policy: &'a Policy,
}

/// What a finding says: *what*, *why* and *what next*.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// One sentence with the numbers.
    pub message: String,
    /// Why it will hurt at production scale.
    pub why: String,
    /// What to do next.
    pub advice: String,
}

impl<'a> RunContext<'a> {
    /// A limit in its threshold's unit.
    #[must_use]
    pub fn limit(&self, threshold: &Threshold) -> f64 {
        self.policy.limit(threshold)
    }

    /// The plan that is judged.
    #[must_use]
    pub fn plan(&self) -> &'a Plan {
        &self.run.plan
    }

    /// Nodes that ran, in preorder: the only ones that may be judged.
    pub fn executed(&self) -> impl Iterator<Item = (NodeId, &'a Node, &'a NodeMetrics)> + use<'a> {
        let (plan, metrics) = (self.plan(), self.metrics);
        plan.ids()
            .map(move |id| (id, plan.node(id), metrics.node(id)))
            .filter(|(_, _, metrics)| metrics.executed == Some(true))
    }

    /// The table that a node reads or writes, where the schema knows it.
    #[must_use]
    pub fn table(&self, node: &Node) -> Option<&'a Table> {
        let relation = node.relation.as_ref().filter(|_| node.cte_name.is_none())?;
        self.schema?
            .table(relation.schema.as_deref(), &relation.name)
    }

    /// The node's relation for people: qualified unless in `public`, a partition by its root.
    #[must_use]
    pub fn relation_name(&self, node: &Node) -> Option<String> {
        self.qualified_name(node).map(|name| name.to_string())
    }

    /// Whether the plan writes to the table that a node reads, or deletes rows of one that its rows go with: executions that are
    /// rolled back leave it changed.
    #[must_use]
    pub fn is_written(&self, node: &Node) -> bool {
        let plan = self.plan();
        let name = |node: &Node| {
            let relation = node.relation.as_ref()?;
            Some((relation.schema.clone(), relation.name.clone()))
        };
        let read = name(node);
        let mut writers = plan
            .nodes
            .iter()
            .filter(|node| node.kind == NodeKind::ModifyTable);
        if read.is_some() && writers.any(|writer| name(writer) == read) {
            return true;
        }
        let (Some(schema), Some(table)) = (self.schema, self.table(node)) else {
            return false;
        };
        let deleted = schema.cascading_from(schema.deleted_from(plan));
        deleted.contains(&schema.root_of(table).oid)
    }

    /// The same as a name.
    #[must_use]
    pub fn qualified_name(&self, node: &Node) -> Option<QualifiedName> {
        let relation = node.relation.as_ref()?;
        if let (Some(schema), Some(table)) = (self.schema, self.table(node)) {
            return Some(schema.root_of(table).name.clone());
        }
        let schema = relation.schema.as_deref().unwrap_or("public");
        Some(QualifiedName::new(schema, relation.name.clone()))
    }

    /// Evidence about a node: the run, the node and its relation; numbers are the rule's.
    #[must_use]
    pub fn evidence(&self, id: NodeId) -> Evidence {
        let node = self.plan().node(id);
        Evidence {
            run: Some(self.run.id.clone()),
            node: Some(id),
            node_label: Some(label(node)),
            relation: self.relation_name(node),
            condition: None,
            measures: Vec::new(),
        }
    }

    /// Adds the node's own time and blocks, and the query's, where they were measured.
    #[must_use]
    pub fn with_cost(&self, evidence: Evidence, id: NodeId) -> Evidence {
        let node = self.metrics.node(id);
        let measures = [
            ("pages", node.exclusive_blocks.map(Quantity::Pages)),
            ("query_pages", self.metrics.blocks.map(Quantity::Pages)),
            ("time_ms", node.exclusive.map(Quantity::Millis)),
            ("query_time_ms", self.metrics.total.map(Quantity::Millis)),
        ];
        measures
            .into_iter()
            .fold(evidence, |evidence, (key, value)| match value {
                Some(value) => evidence.with(key, value),
                None => evidence,
            })
    }

    /// `12.3 ms of 45 ms`: the node's own time of the query's; empty without timing.
    #[must_use]
    pub fn time_in_words(&self, id: NodeId) -> String {
        match (self.metrics.node(id).exclusive, self.metrics.total) {
            (Some(own), Some(total)) => format!("{own} of {total}"),
            (Some(_), None) | (None, _) => String::new(),
        }
    }

    /// A condition with the query's parameters where their values stand in the plan: advice holds for every value.
    #[must_use]
    pub fn spelled(&self, condition: &str) -> String {
        match self.query {
            Some(query) => OwnConstants::of(query, self.run).spelled(condition, self.run),
            None => condition.to_owned(),
        }
    }

    /// A finding about the query that is judged. Its identity: rule, query, relation, and the condition without constants.
    #[must_use]
    pub fn finding(
        &self,
        rule: RuleId,
        severity: Severity,
        evidence: Evidence,
        words: Words,
    ) -> Finding {
        let query = self.query.map(|query| query.name.clone());
        let condition = evidence.condition.as_deref().map(|condition| {
            // Postgres numbers the aliases of partitions, and the numbers change with every new one.
            if self.is_of_partition(&evidence) {
                parse(condition).unqualified()
            } else {
                condition.to_owned()
            }
        });
        let fingerprint = fingerprint(
            rule,
            query.as_deref(),
            evidence.relation.as_deref(),
            condition.as_deref(),
        );
        Finding {
            fingerprint,
            ..finding(
                rule,
                severity,
                query,
                self.query.map(Query::location),
                evidence,
                words,
            )
        }
    }

    fn is_of_partition(&self, evidence: &Evidence) -> bool {
        let table = evidence
            .node
            .and_then(|id| self.table(self.plan().node(id)));
        table.is_some_and(|table| table.partition_of.is_some())
    }

    /// Whether a node and all below it take a small share of the statement's time and pages: what goes wrong there costs nothing.
    #[must_use]
    pub fn takes_little(&self, id: NodeId) -> bool {
        const SHARE: f64 = 0.05;
        let own = self.metrics.node(id);
        let share =
            |part: Option<f64>, all: Option<f64>| Some(part? / all.filter(|all| *all > 0.0)?);
        let pages = |pages: crate::units::Pages| pages.0 as f64;
        let of_time = share(
            own.inclusive.map(|time| time.0),
            self.metrics.total.map(|time| time.0),
        );
        let of_pages = share(
            own.inclusive_blocks.map(pages),
            self.metrics.blocks.map(pages),
        );
        of_time.is_some_and(|share| share < SHARE) && of_pages.is_none_or(|share| share < SHARE)
    }

    /// Whether a node is an index scan without Index Cond whose order a LIMIT above uses: it is walked until the LIMIT is
    /// full.
    #[must_use]
    pub fn walks_order_for_limit(&self, id: NodeId) -> bool {
        let plan = self.plan();
        let node = plan.node(id);
        let walks = matches!(node.kind, NodeKind::IndexScan | NodeKind::IndexOnlyScan)
            && node.conditions.index.is_none();
        // Up to the LIMIT nothing may change the order: joins keep their outer side's.
        let mut below = id;
        for above in plan.ancestors(id) {
            let kind = &plan.node(above).kind;
            if *kind == NodeKind::Limit {
                return walks;
            }
            let keeps_order = match kind {
                NodeKind::NestedLoop | NodeKind::MergeJoin => plan.outer(above) == Some(below),
                other => other.keeps_order(),
            };
            if !keeps_order {
                return false;
            }
            below = above;
        }
        false
    }
}

/// A finding with its fingerprint.
#[must_use]
pub fn finding(
    rule: RuleId,
    severity: Severity,
    query: Option<String>,
    location: Option<Location>,
    evidence: Evidence,
    words: Words,
) -> Finding {
    let fingerprint = fingerprint(
        rule,
        query.as_deref(),
        evidence.relation.as_deref(),
        evidence.condition.as_deref(),
    );
    Finding {
        rule,
        severity,
        query,
        location,
        message: words.message,
        why: words.why,
        advice: words.advice,
        evidence,
        fix: None,
        fingerprint,
        suppressed: None,
        symptoms: Vec::new(),
    }
}

/// What makes two runs' findings the same one: rule, query, relation, and the condition without constants.
fn fingerprint(
    rule: RuleId,
    query: Option<&str>,
    relation: Option<&str>,
    condition: Option<&str>,
) -> Fingerprint {
    let condition = condition.map(normalized).unwrap_or_default();
    Fingerprint::of([
        rule.as_str(),
        query.unwrap_or_default(),
        relation.unwrap_or_default(),
        &condition,
    ])
}

/// For a rule that compares a query's runs.
#[derive(Debug, Clone, Copy)]
pub struct QueryContext<'a> {
    /// The query.
    pub query: &'a Query,
    /// All that was seen of it.
    pub runs: &'a QueryRuns,
    /// The database's schema.
    pub schema: &'a Schema,
    /// The limits that hold for the query.
    pub policy: &'a Policy,
}

impl QueryContext<'_> {
    /// A limit in its threshold's unit.
    #[must_use]
    pub fn limit(&self, threshold: &Threshold) -> f64 {
        self.policy.limit(threshold)
    }

    /// A finding about the query.
    #[must_use]
    pub fn finding(
        &self,
        rule: RuleId,
        severity: Severity,
        evidence: Evidence,
        words: Words,
    ) -> Finding {
        finding(
            rule,
            severity,
            Some(self.query.name.clone()),
            Some(self.query.location()),
            evidence,
            words,
        )
    }
}

/// For a rule that reads the catalog as a whole: N+1, unused indexes, foreign keys.
#[derive(Clone, Copy)]
pub struct CatalogContext<'a> {
    /// Every query that was audited.
    pub queries: &'a [Query],
    /// Their runs; `QueryRuns::query` indexes `queries`.
    pub runs: &'a [QueryRuns],
    /// The database's schema.
    pub schema: &'a Schema,
    /// The limits that hold where no query is meant.
    pub policy: &'a Policy,
    /// The limits that hold for one query.
    pub policy_for: &'a dyn Fn(&Query) -> Policy,
}

impl<'a> CatalogContext<'a> {
    /// A query by name, with its runs.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<(&'a Query, &'a QueryRuns)> {
        let index = self.queries.iter().position(|query| query.name == name)?;
        Some((
            &self.queries[index],
            self.runs.iter().find(|runs| runs.query == index)?,
        ))
    }

    /// A query's runs.
    #[must_use]
    pub fn runs_of(&self, index: usize) -> Option<&'a QueryRuns> {
        self.runs.iter().find(|runs| runs.query == index)
    }
}

/// What a limit is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Execution time.
    Time,
    /// Pages touched.
    Pages,
}

/// Where most of a query's time or pages goes: `Seq Scan on orders (98 % of its time)`; a trigger where it takes more time
/// than any node.
#[must_use]
pub fn heaviest_in_words(plan: &Plan, work: Work) -> Option<String> {
    let metrics = Metrics::of(plan);
    let share = |id: NodeId| match work {
        Work::Time => metrics.time_share(id),
        Work::Pages => metrics.block_share(id),
    };
    let node = plan
        .ids()
        .filter_map(|id| Some((id, share(id)?)))
        .max_by(|a, b| a.1.total_cmp(&b.1));
    let trigger = (work == Work::Time)
        .then(|| slowest_trigger(plan))
        .flatten()
        .filter(|(_, share)| node.is_none_or(|(_, of_node)| *share > of_node));
    let (place, share) = match (trigger, node) {
        (Some((trigger, share)), _) => (trigger_in_words(trigger), share),
        (None, Some((id, share))) => (node_with_clause(plan.node(id)), share),
        (None, None) => return None,
    };
    let what = match work {
        Work::Time => "time",
        Work::Pages => "pages",
    };
    Some(format!("{place} ({:.0} % of its {what})", share * 100.0))
}

/// A foreign key by its own name: PostgreSQL's names of its triggers say nothing.
fn trigger_in_words(trigger: &Trigger) -> String {
    match (&trigger.constraint, &trigger.relation) {
        (Some(constraint), Some(relation)) => {
            format!("the foreign key {constraint}, checked for {relation}")
        }
        (Some(constraint), None) => format!("the foreign key {constraint}"),
        (None, _) => format!("the trigger {}", trigger.name),
    }
}

/// The trigger that takes the most time, with its share of the whole.
fn slowest_trigger(plan: &Plan) -> Option<(&Trigger, f64)> {
    let total = plan.execution_ms?.0;
    let timed = plan
        .triggers
        .iter()
        .filter_map(|trigger| Some((trigger, trigger.time_ms?.0)));
    let (trigger, time) = timed.max_by(|a, b| a.1.total_cmp(&b.1))?;
    (total > 0.0).then(|| (trigger, (time / total).min(1.0)))
}

/// A node and the condition that it works on: `Seq Scan on orders, (status = 'open'::text)`.
fn node_with_clause(node: &Node) -> String {
    /// A longer condition is cut: the excerpt shows it.
    const LONGEST: usize = 80;
    let conditions = &node.conditions;
    let clause = [
        &conditions.index,
        &conditions.hash,
        &conditions.merge,
        &conditions.join_filter,
        &conditions.filter,
    ]
    .into_iter()
    .flatten()
    .next();
    match clause.filter(|clause| clause.chars().count() <= LONGEST) {
        Some(clause) => format!("{}, {clause}", label(node)),
        None => label(node),
    }
}

/// Rows of a page count that a person knows: `3,691 pages (29 MB)`.
#[must_use]
pub fn pages_in_words(pages: Pages) -> String {
    format!("{pages} ({})", pages.bytes())
}
