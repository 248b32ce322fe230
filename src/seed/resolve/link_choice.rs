//! How a row chooses among its possible parents: one to one, in groups, unevenly.

use super::Resolver;
use super::links::Key;
use super::rows::is_unique_within;
use super::table::TableDraft;
use crate::seed::distribution::{Evenness, Grouping};
use crate::seed::plan::LinkChoice;
use crate::seed::random::{self, Permutation};
use crate::seed::ranks::Ranks;
use crate::seed::spec::RowsSpec;

/// Children per parent are uneven unless the spec says otherwise.
const DEFAULT_SKEW: f64 = 0.5;

/// Below this many parents, uneven children would look odd.
const FEW_PARENTS: u64 = 100;

/// The rows that a link chooses among.
pub(super) struct Parents {
    pub(super) rows: u64,
    pub(super) key: random::Key,
    /// They are the table's own.
    pub(super) self_reference: bool,
    /// A row may have none.
    pub(super) nullable: bool,
}

impl<'a> Resolver<'a> {
    /// How a row chooses among its possible parents.
    pub(super) fn choice_of(
        &self,
        draft: &TableDraft<'a>,
        key: &Key<'_>,
        parents: &Parents,
    ) -> LinkChoice {
        let table = draft.table;
        let &Parents {
            rows: parent_rows,
            key: link_key,
            self_reference,
            nullable,
        } = parents;
        let spec = key
            .columns
            .iter()
            .find_map(|column| draft.columns[*column].spec);
        let unique = table
            .indexes
            .iter()
            .any(|index| is_unique_within(index, &key.key.columns));
        let skew = spec
            .and_then(|spec| spec.skew)
            .unwrap_or(if parent_rows > FEW_PARENTS {
                DEFAULT_SKEW
            } else {
                0.0
            });
        let shared = self
            .shared_keys
            .contains(&(table.oid, key.key.name.clone()));
        if self_reference && unique {
            LinkChoice::Previous { ring: !nullable }
        } else if self_reference {
            LinkChoice::Earlier {
                roots: if nullable {
                    // Of few rows, too, several are at the top.
                    (draft.rows / 50).max((draft.rows / 4).min(10)).max(1)
                } else {
                    0
                },
            }
        } else if unique {
            let places = if nullable {
                parent_rows.max(draft.rows)
            } else {
                parent_rows
            };
            LinkChoice::OneToOne(Permutation::new(link_key, places.max(1)))
        } else if let Some((skew, order)) = self.grouping_of(draft, key.key) {
            let counts = self.children_of(draft);
            grouped(match counts {
                Some(counts) => {
                    Grouping::counted(link_key, parent_rows, draft.rows, counts, order, u64::MAX)
                }
                None => Grouping::new(link_key, parent_rows, draft.rows, skew, order, u64::MAX),
            })
        } else if shared {
            let even = self.even.contains(&(table.oid, key.key.name.clone()));
            let evenness = if even {
                Evenness::Exact
            } else {
                Evenness::Natural
            };
            LinkChoice::Grouped(Grouping::covering(
                link_key,
                parent_rows,
                draft.rows,
                evenness,
            ))
        } else if skew > 0.0 {
            let order = Permutation::new(link_key.derive("ranks"), parent_rows.max(1));
            LinkChoice::Skewed {
                ranks: Ranks::zipf(parent_rows, skew),
                order,
            }
        } else {
            LinkChoice::Uniform
        }
    }

    /// The histogram of children per parent, where the spec has one.
    fn children_of(&self, draft: &TableDraft<'a>) -> Option<&'a [f64]> {
        match &self.specs.get(&draft.table.oid)?.rows {
            Some(RowsSpec::Per { children, .. }) => children.as_deref(),
            Some(RowsSpec::Count(_)) | None => None,
        }
    }
}

fn grouped(grouping: Option<Grouping>) -> LinkChoice {
    grouping.map_or(LinkChoice::Uniform, LinkChoice::Grouped)
}
