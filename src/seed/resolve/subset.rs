//! A part of the rows with its keys intact: the same rows as in the whole, fewer of them.

use super::rows::LOOKUP_ROWS;
use crate::seed::Evaluator;
use crate::seed::plan::{Fill, LinkChoice, RowSet, SeedPlan, TablePlan};
use crate::seed::random::{Key, Permutation};

/// Chooses about `share` of every table's rows. Rows come with the parent that owns them, so that whole families stay
/// together; whatever a chosen row points to is chosen too. Lists of few rows stay whole.
pub(super) fn choose(plan: &mut SeedPlan, share: f64) {
    let mut chosen: Vec<Option<RowSet>> = Vec::new();
    for index in 0..plan.tables.len() {
        let table = &plan.tables[index];
        let part = table.fill == Fill::Generate && table.rows >= LOOKUP_ROWS;
        let set = part.then(|| first_choice(plan, index, share, &chosen));
        chosen.push(set);
    }
    add_parents(plan, &mut chosen);
    for (table, chosen) in plan.tables.iter_mut().zip(chosen) {
        table.chosen = chosen;
    }
}

/// Children of chosen parents; rows without an owner by chance.
fn first_choice(plan: &SeedPlan, index: usize, share: f64, chosen: &[Option<RowSet>]) -> RowSet {
    let table = &plan.tables[index];
    let evaluator = Evaluator::new(plan);
    let key = Key::new(plan.seed)
        .derive(&table.name.sql())
        .derive("subset");
    let owner = owner_of(table, chosen);
    let mut set = RowSet::none_of(table.rows);
    if owner.is_none() && table.links.iter().any(|link| link.parent == index) {
        whole_branches(&evaluator, index, table, share, key, &mut set);
        return set;
    }
    for row in 0..table.rows {
        let parent = owner
            .and_then(|(link, parents)| Some((evaluator.parent_row(index, link, row)?, parents)));
        let wanted = match parent {
            Some((parent, parents)) => parents.contains(parent),
            None => key.fraction(row) < share,
        };
        if wanted {
            set.insert(row);
        }
    }
    set
}

/// Of a tree: rows in random order, each with all that it hangs on, until there are enough. Chosen one by one and completed
/// afterwards they would become several times as many.
fn whole_branches(
    evaluator: &Evaluator<'_>,
    index: usize,
    table: &TablePlan,
    share: f64,
    key: Key,
    set: &mut RowSet,
) {
    let wanted = ((table.rows as f64 * share).round() as u64).clamp(1, table.rows);
    let own = (0..table.links.len()).filter(|link| table.links[*link].parent == index);
    let own: Vec<usize> = own.collect();
    let order = Permutation::new(key, table.rows);
    let mut open = Vec::new();
    for number in 0..table.rows {
        if set.len() >= wanted {
            return;
        }
        open.push(order.apply(number));
        while let Some(row) = open.pop() {
            if set.insert(row) {
                open.extend(
                    own.iter()
                        .filter_map(|link| evaluator.parent_row(index, *link, row)),
                );
            }
        }
    }
}

/// The link that a row belongs to: one that groups the rows, else the first that is never NULL.
fn owner_of<'c>(table: &TablePlan, chosen: &'c [Option<RowSet>]) -> Option<(usize, &'c RowSet)> {
    let parents = |link: usize| {
        chosen
            .get(table.links[link].parent)?
            .as_ref()
            .map(|set| (link, set))
    };
    let links = 0..table.links.len();
    let grouped = links
        .clone()
        .filter(|link| matches!(table.links[*link].choice, LinkChoice::Grouped(_)));
    let certain = links.filter(|link| table.links[*link].null_share == 0.0);
    grouped.chain(certain).find_map(parents)
}

/// Everything that chosen rows point to, and what that points to.
fn add_parents(plan: &SeedPlan, chosen: &mut [Option<RowSet>]) {
    let evaluator = Evaluator::new(plan);
    let mut open: Vec<(usize, u64)> = Vec::new();
    for index in 0..plan.tables.len() {
        if plan.tables[index].links.is_empty() || plan.tables[index].fill == Fill::Keep {
            continue;
        }
        for row in 0..plan.tables[index].rows {
            if chosen[index].as_ref().is_some_and(|set| !set.contains(row)) {
                continue;
            }
            open.push((index, row));
            while let Some((table, row)) = open.pop() {
                for (at, link) in plan.tables[table].links.iter().enumerate() {
                    let Some(parent) = evaluator.parent_row(table, at, row) else {
                        continue;
                    };
                    if chosen[link.parent]
                        .as_mut()
                        .is_some_and(|set| set.insert(parent))
                    {
                        open.push((link.parent, parent));
                    }
                }
            }
        }
    }
}
