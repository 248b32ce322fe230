//! EXPLAIN's text format of PostgreSQL 9 to 18: lines put together where they were broken, each sorted into node, property or
//! summary by its words and its column. The columns of the arrows make the tree.

mod line;
mod property;
mod summary;
mod title;

use serde_json::Value;

use self::line::{Kind, Logical, column, is_incomplete};
use super::draft::{MeasuredDraft, NodeDraft, worker};
use super::frame::Line;
use super::line_number;
use crate::plan::node::{Gap, NodeId, NodeKind, Plan, Relationship};

/// Deeper than any planner makes; the arithmetic on plans walks ancestors.
const MAX_DEPTH: usize = 1_000;

/// Whether a line begins a plan.
pub(super) fn begins(line: &str) -> bool {
    line.starts_with("Query Text:") || (!line.starts_with("->") && title::is_root(line))
}

/// Whether a line is a node's, as EXPLAIN prints it, with its figures or without; nothing else of a quotation looks like one.
pub(super) fn is_named_title(line: &str) -> bool {
    let title = line.trim_start_matches("->").trim_start();
    title::is_named(title) || (title::has_figures(line) && title::is_title(title))
}

/// Whether a line stands below a plan's tree.
pub(super) fn is_below_the_tree(line: &str) -> bool {
    summary::knows(line)
}

/// Whether a line can only be a plan's: an arrow or figures, or a key that PostgreSQL prints below a node.
pub(super) fn is_figure_line(line: &str) -> bool {
    let text = line.trim_start();
    text.starts_with("->  ")
        || (title::has_figures(text) && (text.contains(" rows=") || text.contains("(never")))
        || line::split_key(text)
            .is_some_and(|(key, _)| property::knows(key) || summary::knows(text))
}

/// Whether a line outside of any plan is one of a plan that was not found: an arrow or figures.
pub(super) fn is_lost(line: &str) -> bool {
    let text = line.trim_start();
    let figures = title::has_figures(text) && text.contains("rows=") && text.contains(')');
    text.starts_with("->  ") || figures
}

/// Whether a line begins a part of a plan, whose root was not copied.
pub(super) fn begins_part(line: &str) -> bool {
    line.starts_with("->") && title::has_figures(line)
}

/// Reads the plan that begins at `lines[at]`; where it ends. `None` where nothing but a query's text was there.
pub(super) fn read(lines: &[Line<'_>], at: usize) -> (Option<Plan>, usize) {
    let mut reader = Reader::default();
    let mut at = reader.query_text(lines, at);
    let mut blank = false;
    while let Some(line) = lines.get(at) {
        let text = line.text.trim_start();
        if line.ends || reader.is_over(line, blank) {
            break;
        }
        blank = text.is_empty();
        if !blank {
            reader.take(&line.text, line.index);
        }
        at += 1;
    }
    (reader.finish(), at)
}

#[derive(Default)]
struct Reader {
    plan: Plan,
    nodes: Vec<Building>,
    /// From the root down to the node that was opened last.
    stack: Vec<usize>,
    /// `InitPlan 1 (returns $0)` and its column: the next node is this.
    subplan: Option<(String, usize)>,
    worker: Option<BuildingWorker>,
    section: Option<summary::Section>,
    /// What may go on in the next line.
    current: Option<Logical>,
    root_column: usize,
}

struct Building {
    draft: NodeDraft,
    column: usize,
    parent: Option<usize>,
    children: Vec<usize>,
    /// Children that are no subplans.
    inputs: usize,
}

struct BuildingWorker {
    node: usize,
    number: u32,
    column: usize,
    measured: MeasuredDraft,
}

impl Reader {
    /// auto_explain's `Query Text:`, which goes on until the plan begins.
    fn query_text(&mut self, lines: &[Line<'_>], at: usize) -> usize {
        let Some(first) = lines[at].text.trim_start().strip_prefix("Query Text:") else {
            return at;
        };
        let mut query = first.trim().to_owned();
        let mut next = at + 1;
        while let Some(line) = lines.get(next).filter(|line| !line.ends) {
            let text = line.text.trim();
            if let Some(parameters) = text.strip_prefix("Query Parameters:") {
                self.plan.extra.insert(
                    "Query Parameters".to_owned(),
                    Value::from(parameters.trim()),
                );
            } else if begins(text) {
                break;
            } else {
                query.push('\n');
                query.push_str(text);
            }
            next += 1;
        }
        self.plan.query_text = Some(query.trim_end().to_owned());
        next
    }

    /// Whether a line belongs to what comes after the plan.
    fn is_over(&self, line: &Line<'_>, after_blank: bool) -> bool {
        let text = line.text.trim_start();
        if self.nodes.is_empty() && self.current.is_none() {
            return false;
        }
        let at_the_margin = column(&line.text) <= self.root_column;
        let goes_on = |current: &Logical| {
            let is_another = title::has_figures(text) && title::is_named(text);
            (is_incomplete(current) && !is_another) || current.was_cut_before(text)
        };
        if self.current.as_ref().is_some_and(goes_on) {
            return false;
        }
        if text.is_empty() || !at_the_margin {
            return false;
        }
        // Below a part that was copied alone, its siblings stand at the same margin.
        if begins(text) && !text.starts_with("->") {
            return true;
        }
        let ended = after_blank || self.section.is_some() || self.plan.execution_ms.is_some();
        ended && matches!(Kind::of(text), Kind::Other) && !summary::knows(text)
    }

    fn take(&mut self, line: &str, index: usize) {
        let text = line.trim_start();
        let column = column(line);
        let kind = Kind::of(text);
        if let Some(current) = &mut self.current
            && current.goes_on(kind, text)
        {
            current.append(line);
            return;
        }
        self.settle();
        self.current = Some(Logical::new(index, column, kind, text));
    }

    /// Sorts the line that is whole now.
    fn settle(&mut self) {
        let Some(line) = self.current.take() else {
            return;
        };
        let text = line.text.trim_end();
        if is_incomplete(&line) {
            self.plan.gaps.push(Gap::CutLine {
                line: line_number(line.index),
                text: text.to_owned(),
            });
        }
        if self.nodes.is_empty() {
            self.root_column = line.column;
            if text.starts_with("->") {
                self.plan.gaps.push(Gap::NoBeginning);
            }
            self.open(text.trim_start_matches("->").trim_start(), line.column);
            return;
        }
        if line.column <= self.root_column + 1 && summary::knows(text) {
            self.worker_done();
            self.section = summary::read(&mut self.plan, text);
            return;
        }
        if let Some(section) = self.section.filter(|_| line.column > self.root_column) {
            summary::read_inside(&mut self.plan, section, text);
            return;
        }
        match line.kind {
            Kind::Arrow => self.open(text.trim_start_matches("->").trim_start(), line.column),
            Kind::Subplan => self.subplan = Some((text.to_owned(), line.column)),
            Kind::Known | Kind::Key => self.property(text, line.column),
            Kind::Other if title::is_target(text) => self.property(text, line.column),
            // What Greenplum's segments report below the tree.
            Kind::Other if text.starts_with("(slice") => self.property(text, line.column),
            Kind::Other => {
                self.plan.gaps.push(Gap::Line {
                    line: line_number(line.index),
                    text: text.to_owned(),
                });
                self.property(text, line.column);
            }
        }
    }

    fn open(&mut self, title: &str, column: usize) {
        self.worker_done();
        self.section = None;
        // A subplan stands where its owner's properties do, its node deeper.
        let (name, column) = match self.subplan.take() {
            Some((name, at)) if at < column => (Some(name), at),
            Some(_) | None => (None, column),
        };
        while self
            .stack
            .last()
            .is_some_and(|top| self.nodes[*top].column >= column && *top != 0)
        {
            self.stack.pop();
        }
        let parent = self
            .stack
            .last()
            .copied()
            .filter(|_| self.stack.len() <= MAX_DEPTH);
        let parent = if self.nodes.is_empty() {
            None
        } else {
            Some(parent.unwrap_or(0))
        };
        let mut draft = NodeDraft::default();
        title::read(&mut draft, title);
        let id = self.nodes.len();
        if let Some(parent) = parent {
            draft.node.relationship = Some(relationship(
                name.as_deref(),
                &self.nodes[parent].draft,
                self.nodes[parent].inputs,
            ));
            self.nodes[parent].inputs += usize::from(!draft.node.is_subplan());
            self.nodes[parent].children.push(id);
        }
        draft.node.subplan_name = name;
        self.nodes.push(Building {
            draft,
            column,
            parent,
            children: Vec::new(),
            inputs: 0,
        });
        self.stack.push(id);
    }

    fn property(&mut self, text: &str, column: usize) {
        let Some(last) = self.nodes.len().checked_sub(1) else {
            return;
        };
        if self
            .worker
            .as_ref()
            .is_some_and(|worker| column <= worker.column)
        {
            self.worker_done();
        }
        let Some(rest) = text
            .strip_prefix("Worker ")
            .and_then(|rest| rest.split_once(':'))
        else {
            match &mut self.worker {
                Some(worker) => {
                    let mut unknown = serde_json::Map::new();
                    property::read_measured(&mut worker.measured, &mut unknown, text);
                }
                None => property::read(&mut self.nodes[last].draft, text),
            }
            return;
        };
        let Ok(number) = rest.0.trim().parse() else {
            return;
        };
        self.worker_done();
        let mut measured = MeasuredDraft::default();
        let mut unknown = serde_json::Map::new();
        property::read_measured(&mut measured, &mut unknown, rest.1.trim());
        self.worker = Some(BuildingWorker {
            node: last,
            number,
            column,
            measured,
        });
    }

    fn worker_done(&mut self) {
        if let Some(done) = self.worker.take() {
            self.nodes[done.node]
                .draft
                .node
                .workers
                .push(worker(done.number, done.measured));
        }
    }

    fn finish(mut self) -> Option<Plan> {
        self.settle();
        self.worker_done();
        if self.nodes.is_empty() {
            return None;
        }
        let ids = |children: Vec<usize>| children.into_iter().map(NodeId).collect();
        self.plan.nodes = self
            .nodes
            .into_iter()
            .map(|building| {
                building
                    .draft
                    .finish(building.parent.map(NodeId), ids(building.children))
            })
            .collect();
        super::json::mark_disabled(&mut self.plan);
        Some(self.plan)
    }
}

/// What a node is to its parent, from its subplan's name, its parent's kind and its place among the inputs.
fn relationship(subplan: Option<&str>, parent: &NodeDraft, place: usize) -> Relationship {
    match subplan {
        Some(name) if name.starts_with("SubPlan") => return Relationship::SubPlan,
        Some(_) => return Relationship::InitPlan,
        None => {}
    }
    match NodeKind::of_name(&parent.node_type) {
        NodeKind::Append
        | NodeKind::MergeAppend
        | NodeKind::BitmapAnd
        | NodeKind::BitmapOr
        | NodeKind::CustomScan => Relationship::Member,
        NodeKind::SubqueryScan => Relationship::Subquery,
        _ if place == 0 => Relationship::Outer,
        _ => Relationship::Inner,
    }
}

#[cfg(test)]
mod tests;
