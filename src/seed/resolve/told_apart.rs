//! Two foreign keys to the same table whose rows a constraint requires to differ, or to have an order.

use super::Resolver;
use super::table::TableDraft;
use crate::seed::expression::Relation;
use crate::seed::plan::{End, Generator, LinkChoice, Pair, ScalarSource};
use crate::seed::random::Permutation;

impl<'a> Resolver<'a> {
    /// Two keys to the same table whose rows a CHECK requires to differ, or to have an order.
    pub(super) fn tell_apart(&mut self, draft: &mut TableDraft<'a>) {
        let sums: Vec<_> = draft.facts.sums().cloned().collect();
        for sum in sums {
            let [(first, 1), (second, -1)] = sum.terms.as_slice() else {
                continue;
            };
            let link = |name: &str| match draft
                .position(name)
                .map(|column| &draft.columns[column].generator)
            {
                Some(Generator::Parent { link, .. }) => Some(*link),
                _ => None,
            };
            let (Some(first), Some(second)) = (link(first), link(second)) else {
                continue;
            };
            let same_parent =
                draft.links[first].parent == draft.links[second].parent && first != second;
            if !same_parent {
                continue;
            }
            let paired = |link: usize| matches!(draft.links[link].choice, LinkChoice::Pair(_));
            match sum.relation {
                // The two of a pair differ.
                Relation::NotEqual if paired(first) || paired(second) => {}
                Relation::NotEqual => {
                    let within =
                        |link: usize| matches!(draft.links[link].choice, LinkChoice::Within { .. });
                    // What is chosen among the rows of the other one's group is chosen after it.
                    let (avoiding, avoided) =
                        if matches!(draft.links[second].choice, LinkChoice::Grouped(_))
                            || (within(first) && !within(second))
                        {
                            (first, second)
                        } else {
                            (second, first)
                        };
                    draft.links[avoiding].avoid = Some(avoided);
                }
                Relation::Less | Relation::LessOrEqual => self.pair(draft, first, second),
                Relation::Greater | Relation::GreaterOrEqual => self.pair(draft, second, first),
                Relation::Equal => {}
            }
        }
    }

    fn pair(&mut self, draft: &mut TableDraft<'a>, low: usize, high: usize) {
        let parents = draft.links[low].parent_rows;
        let pairs = parents.saturating_mul(parents.saturating_sub(1)) / 2;
        if draft.rows > pairs {
            self.plan.notes.push(format!(
                "{}: {pairs} rows instead of {}, because {parents} rows make so many pairs",
                draft.table.name, draft.rows
            ));
            draft.rows = pairs;
        }
        let order = Permutation::new(draft.links[low].key, pairs.max(1));
        let by = self.unordered_key(draft, low);
        for (link, end) in [(low, End::Least), (high, End::Most)] {
            draft.links[link].choice = LinkChoice::Pair(Pair { order, end, by });
            draft.links[link].avoid = None;
        }
    }

    /// The referenced column where its values do not rise with the parent's rows.
    fn unordered_key(&self, draft: &TableDraft<'a>, link: usize) -> Option<usize> {
        let of_link = |column: &usize| match draft.columns[*column].generator {
            Generator::Parent {
                link: own,
                table,
                column,
                ..
            } if own == link => Some((table, column)),
            _ => None,
        };
        let (table, column) = draft.link_columns[link].iter().find_map(of_link)?;
        let rises = match &self.plan.tables[table].columns.get(column)?.generator {
            Generator::Scalar(scalar) => {
                matches!(scalar.source, ScalarSource::Sequence { step, .. } if step > 0)
            }
            _ => false,
        };
        (!rises).then_some(column)
    }
}
