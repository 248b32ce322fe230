//! Pairs of columns that reference a row of one of several tables: `commentable_type` and `commentable_id`. Each kind of rows
//! references the keys of one table.

use super::Resolver;
use super::table::TableDraft;
use crate::schema::{Index, KeyPart, Table};
use crate::seed::distribution::{Grouping, Order};
use crate::seed::infer::names::{self, singular, words};
use crate::seed::infer::values::choice_of;
use crate::seed::plan::{
    Arms, ColumnPlan, Counter, Draw, Generator, Link, LinkChoice, Nulls, Odometer, Variants,
    Weights,
};
use crate::seed::random::Permutation;
use crate::seed::types::{ScalarEncoding, TypeClass};

/// More tables than this are not told apart.
const MOST_KINDS: usize = 8;
/// Tables that a pair names where nobody says which.
const USUAL_KINDS: usize = 4;
/// See `variants`.
const MOST_VARIANTS: usize = 48;

/// One kind: what the type column says, and how often; the table (its index in the plan) and its key's column.
struct Kind {
    label: String,
    weight: f64,
    parent: Option<(usize, usize)>,
}

/// A pair in a unique key: rows that are counted together name different rows of every table.
#[derive(Debug, Clone)]
pub(super) struct CountedPair {
    /// The column that names the row.
    id: usize,
    /// What the rows are counted by.
    counter: Counter,
}

impl<'a> Resolver<'a> {
    /// Unique keys that are met by counting a pair's ids: of a user's likes each names another row. The others are left.
    pub(super) fn count_pairs<'i>(
        &mut self,
        draft: &mut TableDraft<'a>,
        indexes: Vec<&'i Index>,
    ) -> Vec<&'i Index> {
        let Some(index) = self.index.get(&draft.table.oid).copied() else {
            return indexes;
        };
        let mut left = Vec::with_capacity(indexes.len());
        for unique in &indexes {
            let pair = pair_of(draft, unique).filter(|(_, id)| {
                let name = &draft.columns[*id].column.name;
                let others = indexes.iter().filter(|other| names_column(other, name));
                others.count() == 1
            });
            let counted = pair.and_then(|(of, id)| self.counter_of(index, draft, unique, (of, id)));
            match counted {
                Some(pair) => draft.counted_pairs.push(pair),
                None => left.push(*unique),
            }
        }
        left
    }

    fn counter_of(
        &mut self,
        index: usize,
        draft: &mut TableDraft<'a>,
        unique: &Index,
        (of, id): (usize, usize),
    ) -> Option<CountedPair> {
        if !self.is_free_pair(draft, of, id, InKey::Allowed) {
            return None;
        }
        let kinds = self.kinds(index, draft, of, id);
        let rows = |kind: &Kind| {
            kind.parent
                .map_or(0, |(parent, _)| self.plan.tables[parent].rows)
        };
        let least = kinds.iter().map(rows).min().filter(|rows| *rows > 0)?;
        let all_rows = Permutation::new(draft.key.derive("pairs"), least);
        let driver = unique.keys.iter().find_map(|key| {
            let KeyPart::Column(name) = &key.part else {
                return None;
            };
            match draft.columns[draft.position(name)?].generator {
                Generator::Parent { link, .. } => Some(link),
                _ => None,
            }
        });
        let counter = match driver.map(|link| (link, &draft.links[link].choice)) {
            Some((link, LinkChoice::Grouped(grouping))) if grouping.most() <= least => {
                Counter::Link(link)
            }
            Some((link, LinkChoice::Uniform | LinkChoice::Skewed { .. })) => {
                let of_link = &mut draft.links[link];
                let parents = of_link.parent_rows.max(1);
                let (key, order) = (of_link.key, Order::Scattered);
                let grouping = Grouping::new(key, parents, draft.rows, 0.0, order, least)?;
                of_link.choice = LinkChoice::Grouped(grouping);
                of_link.null_share = 0.0;
                Counter::Link(link)
            }
            _ => {
                let why = format!("a unique key allows one row for each of {least} that it names");
                self.lower_rows(draft, least, &why).ok()?;
                Counter::Rows(all_rows)
            }
        };
        Some(CountedPair { id, counter })
    }

    pub(super) fn plan_polymorphic(&mut self, index: usize, draft: &mut TableDraft<'a>) {
        for id in 0..draft.columns.len() {
            let Some(what) = draft.columns[id].column.name.strip_suffix("_id") else {
                continue;
            };
            let Some(of) = draft.position(&format!("{what}_type")) else {
                continue;
            };
            let in_key = match draft.counted_pairs.iter().any(|pair| pair.id == id) {
                true => InKey::Allowed,
                false => InKey::Refused,
            };
            if self.is_free_pair(draft, of, id, in_key) {
                let kinds = self.kinds(index, draft, of, id);
                self.divide(index, draft, (of, id), &kinds);
            }
        }
    }

    /// Neither column is a key's, or said otherwise.
    fn is_free_pair(&self, draft: &TableDraft<'a>, of: usize, id: usize, in_key: InKey) -> bool {
        let free = |column: usize| {
            let column = &draft.columns[column];
            let said = column.spec.is_some_and(|spec| {
                spec.generator.is_some() || spec.min.is_some() || spec.max.is_some()
            });
            !column.fixed && !column.unique && column.arms.is_none() && !said
        };
        let name = &draft.columns[id].column.name;
        let in_key = in_key == InKey::Refused
            && draft
                .table
                .indexes
                .iter()
                .any(|index| index.unique && names_column(index, name));
        let said = draft.columns[id].spec.is_some_and(|spec| {
            spec.values.is_some()
                || spec.value.is_some()
                || spec.references.is_some()
                || spec.histogram.is_some()
        });
        free(of) && free(id) && !in_key && !said && draft.facts.of(name).limits.is_empty()
    }

    /// The tables that a pair names: those of the type column's list, else some of the schema's.
    fn kinds(&self, index: usize, draft: &TableDraft<'a>, of: usize, id: usize) -> Vec<Kind> {
        let class = &draft.columns[id].class;
        let fitting: Vec<(usize, &Table)> = self
            .ordered
            .iter()
            .copied()
            .enumerate()
            .filter(|(at, table)| {
                *at != index
                    && self.plan.tables[*at].rows > 0
                    && self.key_column(*at, table, class).is_some()
            })
            .collect();
        let parent = |at: usize, table: &Table| Some((at, self.key_column(at, table, class)?));
        if let Some(choices) = &draft.columns[of].choices {
            let named = |label: &str| {
                let wanted = noun(label);
                let found = fitting
                    .iter()
                    .find(|(_, table)| noun(&table.name.name) == wanted)?;
                parent(found.0, found.1)
            };
            let kinds: Vec<Kind> = choices
                .iter()
                .map(|(label, weight)| Kind {
                    label: label.clone(),
                    weight: *weight,
                    parent: named(label),
                })
                .collect();
            let any = kinds.iter().any(|kind| kind.parent.is_some());
            return if any && kinds.len() <= MOST_KINDS {
                kinds
            } else {
                Vec::new()
            };
        }
        // Things before people: what is commented on, attached to, or liked is mostly a thing; who acts is somebody.
        let name = &draft.columns[id].column.name;
        let somebody = words(name.trim_end_matches("_id"))
            .last()
            .is_some_and(|noun| names::is_role(noun));
        let usual = |people: bool| -> Vec<&(usize, &Table)> {
            let fits = |table: &Table| is_entity(table) && is_of_people(table) == people;
            fitting.iter().filter(|(_, table)| fits(table)).collect()
        };
        let mut usual = match usual(somebody) {
            people if somebody && people.is_empty() => usual(false),
            found => found,
        };
        usual.sort_by_key(|(at, table)| {
            (
                std::cmp::Reverse(self.plan.tables[*at].rows.ilog10()),
                table.name.name.clone(),
            )
        });
        usual
            .into_iter()
            .take(USUAL_KINDS)
            .map(|(at, table)| Kind {
                label: class_name(&table.name.name),
                weight: 1.0,
                parent: parent(*at, table),
            })
            .collect()
    }

    /// The position of a table's own key, if it is of the class.
    pub(super) fn key_column(&self, at: usize, table: &Table, class: &TypeClass) -> Option<usize> {
        let [only] = table.primary_key()[..] else {
            return None;
        };
        let spec = self.specs.get(&table.oid).copied();
        let mut written = super::table::written_columns(self.schema, table, spec);
        let position = written.position(|column| column.name == only)?;
        let of = crate::seed::types::classify(self.schema, &table.column(only)?.data_type);
        let whole = |class: &TypeClass| {
            matches!(
                class,
                TypeClass::Scalar(
                    ScalarEncoding::Int2 | ScalarEncoding::Int4 | ScalarEncoding::Int8
                )
            )
        };
        let stored = self.plan.tables.get(at)?.fill == crate::seed::plan::Fill::Keep;
        (!stored && (of == *class || (whole(&of) && whole(class)))).then_some(position)
    }

    /// Divides every kind of rows by the tables of a pair.
    fn divide(
        &mut self,
        index: usize,
        draft: &mut TableDraft<'a>,
        (of, id): (usize, usize),
        kinds: &[Kind],
    ) {
        let before = draft
            .variants
            .as_ref()
            .map_or(1, |variants| variants.weights.len().max(1));
        if kinds.is_empty() || before * kinds.len() > MOST_VARIANTS {
            return;
        }
        let values: Vec<(String, f64)> = kinds
            .iter()
            .map(|kind| (kind.label.clone(), kind.weight))
            .collect();
        let Ok(listed) = choice_of(&draft.columns[of].class, &values) else {
            return;
        };
        self.multiply(draft, kinds);
        let arms_of: Box<[u16]> = (0..before * kinds.len())
            .map(|variant| (variant % kinds.len()) as u16 + 1)
            .collect();
        let mut of_types = Vec::new();
        let mut of_ids = Vec::new();
        for kind in kinds {
            let one = [(kind.label.clone(), 1.0)];
            let label =
                choice_of(&draft.columns[of].class, &one).unwrap_or_else(|_| listed.clone());
            of_types.push(plan_of(draft, of, label));
            let generator = match kind.parent {
                Some((parent, column)) => self.kind_link(index, draft, id, (parent, column)),
                None => draft.columns[id].generator.clone(),
            };
            of_ids.push(plan_of(draft, id, generator));
        }
        // One without the other names nothing.
        if let (Nulls::Share { .. }, Nulls::Share { .. }) =
            (&draft.columns[of].nulls, &draft.columns[id].nulls)
        {
            let nulls = draft.columns[of].nulls.clone();
            of_ids
                .iter_mut()
                .for_each(|plan| plan.nulls = nulls.clone());
            draft.columns[id].nulls = nulls;
        }
        let types = &mut draft.columns[of];
        types.generator = listed;
        types.choices = Some(values);
        types.draw = Draw::Row;
        types.arms = Some(Arms {
            of: arms_of.clone(),
            plans: of_types.into(),
        });
        draft.columns[id].arms = Some(Arms {
            of: arms_of,
            plans: of_ids.into(),
        });
    }

    /// As many variants for each one as there are kinds.
    fn multiply(&self, draft: &mut TableDraft<'a>, kinds: &[Kind]) {
        let (key, shares, root) = match &draft.variants {
            Some(variants) => (variants.key, variants.weights.shares(), variants.root),
            None => (draft.key.derive("variant"), vec![1.0], None),
        };
        let weights: Vec<f64> = shares
            .iter()
            .flat_map(|share| kinds.iter().map(move |kind| share * kind.weight))
            .collect();
        for column in &mut draft.columns {
            if let Some(arms) = &mut column.arms {
                arms.of = (0..weights.len())
                    .map(|variant| arms.of.get(variant / kinds.len()).copied().unwrap_or(0))
                    .collect();
            }
        }
        draft.variants = Some(Variants {
            key,
            weights: Weights::new(&weights),
            root: root.map(|root| root * kinds.len()),
            needed: Box::default(),
        });
    }

    fn kind_link(
        &mut self,
        index: usize,
        draft: &mut TableDraft<'a>,
        id: usize,
        (parent, column): (usize, usize),
    ) -> Generator {
        let link = draft.links.len();
        let name = &draft.columns[id].column.name;
        draft.links.push(Link {
            parent,
            parent_rows: self.plan.tables[parent].rows,
            key: draft.key.derive("link").derive(name).number(parent as u64),
            choice: match draft.counted_pairs.iter().find(|pair| pair.id == id) {
                Some(pair) => LinkChoice::Digit(Odometer {
                    counter: pair.counter,
                    divisor: 1,
                    size: self.plan.tables[parent].rows.max(1),
                    key: draft.key.derive("pair").derive(name),
                    skew: 0.0,
                }),
                None => LinkChoice::Uniform,
            },
            null_share: 0.0,
            avoid: None,
            skip: Box::default(),
            only: Box::default(),
        });
        draft.link_columns.push(vec![id]);
        self.link_keys[index].push(format!("{name} (of several tables)"));
        let recode = match draft.columns[id].class.base() {
            TypeClass::Scalar(encoding) => Some(*encoding),
            _ => None,
        };
        Generator::Parent {
            link,
            table: parent,
            column,
            recode,
        }
    }
}

fn plan_of(draft: &TableDraft<'_>, column: usize, generator: Generator) -> ColumnPlan {
    let column = &draft.columns[column];
    ColumnPlan {
        name: column.column.name.clone(),
        data_type: column.column.data_type.clone(),
        key: column.key,
        nulls: column.nulls.clone(),
        draw: Draw::Row,
        generator,
        choices: None,
        arms: None,
    }
}

/// `order_items`, `OrderItem` and `Order::Item` mean the same.
fn noun(name: &str) -> Vec<String> {
    let mut words = words(name);
    if let Some(last) = words.last_mut() {
        *last = singular(last);
    }
    words
}

/// `order_items` as a program calls a row of it: `OrderItem`.
fn class_name(table: &str) -> String {
    noun(table).into_iter().fold(String::new(), |name, word| {
        let mut letters = word.chars();
        let first: String = letters
            .next()
            .into_iter()
            .flat_map(char::to_uppercase)
            .collect();
        name + &first + letters.as_str()
    })
}

/// More than two keys and nothing else.
fn is_entity(table: &Table) -> bool {
    // What a framework keeps for itself.
    const OF_TOOLS: &[&str] = &[
        "active_", "action_", "ar_", "schema_", "flipper_", "pghero_", "oauth_", "delayed_",
        "good_job", "solid_", "ahoy_", "oban_",
    ];
    if OF_TOOLS
        .iter()
        .any(|tool| table.name.name.starts_with(tool))
    {
        return false;
    }
    let is_key = |name: &str| name == "id" || name.ends_with("_id");
    let own = table.columns.iter().filter(|column| !is_key(&column.name));
    own.count() >= 2
}

/// Whether the id may be part of a unique key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InKey {
    Allowed,
    Refused,
}

fn names_column(index: &Index, name: &str) -> bool {
    let named = |part: &KeyPart| matches!(part, KeyPart::Column(other) if other == name);
    index.keys.iter().any(|key| named(&key.part))
}

/// The pair (type, id) that a unique index holds.
fn pair_of(draft: &TableDraft<'_>, index: &Index) -> Option<(usize, usize)> {
    index.keys.iter().find_map(|key| {
        let KeyPart::Column(name) = &key.part else {
            return None;
        };
        let of = format!("{}_type", name.strip_suffix("_id")?);
        if !names_column(index, &of) {
            return None;
        }
        draft.position(&of).zip(draft.position(name))
    })
}

fn is_of_people(table: &Table) -> bool {
    noun(&table.name.name)
        .last()
        .is_some_and(|noun| names::is_role(noun))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_classes_are_called_alike() {
        assert_eq!(class_name("order_items"), "OrderItem");
        assert_eq!(class_name("categories"), "Category");
        assert_eq!(noun("Order::Item"), noun("order_items"));
        assert_eq!(noun("Photo"), noun("photos"));
        assert_ne!(noun("Post"), noun("photos"));
    }
}
