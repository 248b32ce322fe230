//! References that the catalog's own queries show: what they compare with a table's key names its rows, and columns that they
//! compare and that are no keys hold values of one domain. What a foreign key, a CHECK, a sequence or the spec says of a column
//! comes first.

use std::collections::{BTreeMap, BTreeSet};

use super::is_seeded;
use super::references::{
    Origin, Reference, are_comparable, is_described, is_limited, is_polymorphic, key_of,
};
use crate::schema::{Column, KeyPart, Schema, Table};
use crate::seed::infer::constants::{Known, is_state};
use crate::seed::infer::names::words;
use crate::seed::spec::TableSpec;
use crate::seed::types::{TypeClass, classify};
use crate::sql::constants::Constant;
use crate::sql::joins::{Join, NamedColumn};

/// A column of a table: a partition's is its root's.
type Place<'a> = (&'a Table, &'a Column);

/// Everything that the search reads.
pub(super) struct Evidence<'a> {
    pub(super) schema: &'a Schema,
    pub(super) specs: &'a BTreeMap<u32, &'a TableSpec>,
    /// The columns that each statement compares.
    pub(super) joins: &'a [Vec<Join>],
    pub(super) constants: &'a [Constant],
    /// References that names and the spec show.
    pub(super) known: &'a [Reference],
}

/// The references that joins show, each column's once.
pub(super) fn of_queries(evidence: &Evidence<'_>) -> Vec<Reference> {
    let mut found = evidence.to_keys();
    let more = evidence.of_domains(&found);
    found.extend(more);
    found
}

/// Columns of a table, by its OID.
type Columns<'a> = (u32, Vec<&'a str>);

/// The columns of one table that a statement compares with those of another one.
type Compared<'a> = Vec<(&'a Column, &'a Column)>;

impl<'a> Evidence<'a> {
    /// What is compared with all columns of a unique key is the key's, where all statements agree on it.
    fn to_keys(&self) -> Vec<Reference> {
        let mut targets: Targets<'_> = BTreeMap::new();
        for statement in self.joins {
            for ((child, parent), pairs) in self.by_tables(statement) {
                let (Some(child), Some(parent)) = (
                    self.schema.table_by_oid(child),
                    self.schema.table_by_oid(parent),
                ) else {
                    continue;
                };
                if let Some((columns, referenced)) = self.to_a_key(child, parent, &pairs) {
                    let of_child = targets.entry((child.oid, columns)).or_default();
                    *of_child.entry((parent.oid, referenced)).or_default() += 1;
                }
            }
        }
        self.add_between_parents(&mut targets);
        let targets = nearest(&targets);
        // Two keys that share a column: the one that has what the other asks for, then the one that more statements show.
        let mut by_evidence: Vec<_> = targets.iter().collect();
        by_evidence.sort_by_key(|(child, of)| {
            let holds = holds_another(child, of, &targets);
            std::cmp::Reverse((holds, of.values().sum::<usize>()))
        });
        let mut found: Vec<Reference> = Vec::new();
        for ((child, columns), targets) in by_evidence {
            let mut targets = targets.keys();
            // Two tables: which of them it is another column says.
            let (Some((parent, referenced)), None) = (targets.next(), targets.next()) else {
                continue;
            };
            let Some(child) = self.schema.table_by_oid(*child) else {
                continue;
            };
            let Some(parent) = self.schema.table_by_oid(*parent) else {
                continue;
            };
            let is_taken = found.iter().any(|one| {
                one.table == child.oid
                    && one
                        .key
                        .columns
                        .iter()
                        .any(|own| columns.contains(&own.as_str()))
            });
            if !is_taken {
                found.push(Reference {
                    table: child.oid,
                    key: key_of(child, columns, parent, referenced),
                    origin: Origin::Joined,
                });
            }
        }
        found
    }

    /// What some columns equal in the keys of two tables is in both: the rows of one of them are among the other's.
    fn add_between_parents(&self, targets: &mut Targets<'a>) {
        let mut found: Vec<(Columns<'a>, Columns<'a>)> = Vec::new();
        for of in targets.values() {
            let parents: Vec<&Columns<'a>> = of.keys().filter(|(_, key)| key.len() > 1).collect();
            for (one, other) in parents
                .iter()
                .flat_map(|one| parents.iter().map(move |other| (*one, *other)))
                .filter(|(one, other)| one.0 != other.0)
            {
                found.extend(self.as_child_of(one, other).map(|own| (own, other.clone())));
            }
        }
        for (child, parent) in found {
            targets.entry(child).or_default().entry(parent).or_insert(1);
        }
    }

    /// The columns of `one` as the child of `other`, where it can be its child.
    fn as_child_of(&self, one: &Columns<'a>, other: &Columns<'a>) -> Option<Columns<'a>> {
        let child = self.schema.table_by_oid(one.0)?;
        let parent = self.schema.table_by_oid(other.0)?;
        let pairs: Option<Compared<'a>> = one
            .1
            .iter()
            .zip(&other.1)
            .map(|(own, of)| Some((child.column(own)?, parent.column(of)?)))
            .collect();
        let (columns, key) = self.to_a_key(child, parent, &pairs?)?;
        (key == other.1).then_some((child.oid, columns))
    }

    /// A statement's comparisons by the pair of tables, each in both directions.
    fn by_tables(&self, statement: &[Join]) -> BTreeMap<(u32, u32), Compared<'a>> {
        let mut found: BTreeMap<(u32, u32), Compared<'a>> = BTreeMap::new();
        for [one, other] in statement {
            let (Some(one), Some(other)) = (self.place(one), self.place(other)) else {
                continue;
            };
            if one.0.oid != other.0.oid {
                found
                    .entry((one.0.oid, other.0.oid))
                    .or_default()
                    .push((one.1, other.1));
                found
                    .entry((other.0.oid, one.0.oid))
                    .or_default()
                    .push((other.1, one.1));
            }
        }
        found
    }

    /// The one table that has a column which a statement names; of an alias that stands for several, none.
    fn place(&self, named: &NamedColumn) -> Option<Place<'a>> {
        let mut found: Vec<Place<'a>> = Vec::new();
        for name in &named.tables {
            let table = match name.as_slice() {
                [table] => self.schema.table(None, table),
                [schema, table] => self.schema.table(Some(schema), table),
                _ => None,
            };
            let table = table.map(|table| self.schema.root_of(table));
            let place = table.and_then(|table| Some((table, table.column(&named.column)?)));
            found.extend(place.filter(|(table, _)| is_seeded(table)));
        }
        found.dedup_by_key(|(table, _)| table.oid);
        match found.as_slice() {
            [only] => Some(*only),
            [nearest, ..] if !named.is_qualified => Some(*nearest),
            _ => None,
        }
    }

    /// The child's columns and the key's, where the comparison covers a unique key of the parent.
    fn to_a_key(
        &self,
        child: &'a Table,
        parent: &'a Table,
        pairs: &Compared<'a>,
    ) -> Option<(Vec<&'a str>, Vec<&'a str>)> {
        let key = unique_keys(parent).into_iter().find_map(|key| {
            let column = |name: &&str| {
                let mut own = pairs
                    .iter()
                    .filter(|(_, of)| of.name == *name)
                    .map(|(own, _)| *own);
                own.next().filter(|_| own.next().is_none())
            };
            let columns: Option<Vec<&Column>> = key.iter().map(column).collect();
            Some((columns?, key))
        });
        let (columns, key) = key?;
        let fits = columns.iter().zip(&key).all(|(own, of)| {
            parent
                .column(of)
                .is_some_and(|of| self.are_of_one_kind(own, of))
        });
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let is_open = match columns.as_slice() {
            [only] => self.is_open(child, only),
            several => {
                several.iter().any(|column| self.is_open(child, column))
                    && several.iter().zip(&key).all(|(column, of)| {
                        self.is_open(child, column)
                            || self.have_one_target(child, column, parent, of)
                    })
            }
        };
        (fits && is_open && self.is_the_child(child, &names, parent, &key)).then_some((names, key))
    }

    /// Of two tables that are compared by keys of both, the one whose key is not counted by itself and that was made later.
    fn is_the_child(&self, child: &Table, columns: &[&str], parent: &Table, key: &[&str]) -> bool {
        let is_key_of_both = unique_keys(child)
            .iter()
            .any(|own| own.iter().all(|name| columns.contains(name)));
        if !is_key_of_both {
            return true;
        }
        let counts = |table: &Table, names: &[&str]| {
            names
                .iter()
                .filter_map(|name| table.column(name))
                .any(is_counted)
        };
        match (counts(child, columns), counts(parent, key)) {
            (true, _) => false,
            (false, true) => true,
            (false, false) => child.oid > parent.oid,
        }
    }

    /// Whether nothing says yet where a column's values come from.
    fn is_open(&self, table: &Table, column: &Column) -> bool {
        let said = self.specs.get(&table.oid).and_then(|spec| {
            spec.columns
                .iter()
                .find(|said| said.name.text == column.name)
        });
        let is_said = said.is_some_and(|said| said.references.is_some() || is_described(said));
        self.targets_of(table, column).is_empty()
            && !is_counted(column)
            && column.generated.is_none()
            && !is_said
            && !is_limited(table, column)
            && !is_polymorphic(table, &column.name)
    }

    /// Where the foreign keys of a column lead, declared or known by its name.
    fn targets_of(&self, table: &Table, column: &Column) -> BTreeSet<(u32, String)> {
        let known = self
            .known
            .iter()
            .filter(|one| one.table == table.oid)
            .map(|one| &one.key);
        let keys = table.foreign_keys.iter().chain(known);
        keys.filter_map(|key| {
            let at = key.columns.iter().position(|name| *name == column.name)?;
            Some((key.references, key.referenced_columns.get(at)?.clone()))
        })
        .collect()
    }

    fn have_one_target(&self, child: &Table, column: &Column, parent: &Table, of: &str) -> bool {
        let Some(of) = parent.column(of) else {
            return false;
        };
        let own = self.targets_of(child, column);
        !own.is_empty() && own == self.targets_of(parent, of)
    }

    /// Columns of one type, or both whole numbers.
    fn are_of_one_kind(&self, one: &Column, other: &Column) -> bool {
        let class = |column: &Column| classify(self.schema, &column.data_type);
        one.data_type == other.data_type
            || (are_comparable(&class(one), &class(other))
                && !matches!(class(one), TypeClass::Text { .. }))
    }

    /// Columns that are compared and that are no keys: all take their values from where one of them has its own.
    fn of_domains(&self, to_keys: &[Reference]) -> Vec<Reference> {
        let mut classes: Vec<BTreeSet<(u32, &str)>> = Vec::new();
        for [one, other] in self.joins.iter().flatten() {
            let (Some(one), Some(other)) = (self.place(one), self.place(other)) else {
                continue;
            };
            let is_by_key = is_between(to_keys, one, other) || is_between(to_keys, other, one);
            if one.0.oid == other.0.oid || is_by_key || !self.are_of_one_domain(one, other) {
                continue;
            }
            let pair = [
                (one.0.oid, one.1.name.as_str()),
                (other.0.oid, other.1.name.as_str()),
            ];
            let (mut whole, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut classes)
                .into_iter()
                .partition(|class| pair.iter().any(|place| class.contains(place)));
            whole.push(BTreeSet::from(pair));
            classes = rest;
            classes.push(whole.into_iter().flatten().collect());
        }
        let mut found = Vec::new();
        for class in classes {
            let places: Vec<Place<'a>> = class
                .into_iter()
                .filter_map(|(oid, name)| {
                    let table = self.schema.table_by_oid(oid)?;
                    Some((table, table.column(name)?))
                })
                .collect();
            let is_taken = |(table, column): &Place<'_>| {
                to_keys
                    .iter()
                    .any(|one| one.table == table.oid && one.key.columns.contains(&column.name))
            };
            let Some((of, name)) = self.home(&places, to_keys) else {
                continue;
            };
            let Some(parent) = self.schema.table_by_oid(of) else {
                continue;
            };
            for (table, column) in places.iter().filter(|place| !is_taken(place)) {
                let has_values = parent
                    .column(&name)
                    .is_some_and(|of| of.not_null || !column.not_null);
                if (table.oid != parent.oid) && has_values && self.is_open(table, column) {
                    found.push(Reference {
                        table: table.oid,
                        key: key_of(table, &[&column.name], parent, &[&name]),
                        origin: Origin::Joined,
                    });
                }
            }
        }
        found
    }

    /// Whether two columns are identifiers of the same things: UUIDs, names of keys, or texts of one name. A number that is
    /// called otherwise, and what queries know the values of, is no identifier.
    fn are_of_one_domain(&self, one: Place<'_>, other: Place<'_>) -> bool {
        let is_free = |(table, column): Place<'_>| {
            let is_known = Known::of(table, column, self.constants).has_values();
            // What is compared with a key and does not name its rows has a reason.
            let is_a_key = unique_keys(table)
                .iter()
                .any(|key| *key == [column.name.as_str()]);
            !is_known && !is_a_key && !is_state(&column.name)
        };
        let is_identifier = |(_, column): Place<'_>| {
            let last = words(&column.name).pop().unwrap_or_default();
            let class = classify(self.schema, &column.data_type);
            let is_text = matches!(class, TypeClass::Text { .. });
            class == TypeClass::Uuid
                || IDENTIFIERS.contains(&last.as_str())
                || (is_text && one.1.name == other.1.name)
        };
        let comparable = are_comparable(
            &classify(self.schema, &one.1.data_type),
            &classify(self.schema, &other.1.data_type),
        );
        comparable
            && self.are_of_one_kind(one.1, other.1)
            && [one, other]
                .into_iter()
                .all(|place| is_free(place) && is_identifier(place))
    }

    /// Where the values of compared columns are at home: where a foreign key of one of them leads, else a column that is part of
    /// a unique key, of the table that was made first.
    fn home(&self, places: &[Place<'a>], to_keys: &[Reference]) -> Option<(u32, String)> {
        let led: BTreeSet<(u32, String)> = places
            .iter()
            .flat_map(|(table, column)| {
                let joined = to_keys.iter().filter(|one| one.table == table.oid);
                let joined = joined.filter(|one| one.key.columns == [column.name.clone()]);
                let joined =
                    joined.map(|one| (one.key.references, one.key.referenced_columns[0].clone()));
                self.targets_of(table, column)
                    .into_iter()
                    .chain(joined)
                    .collect::<Vec<_>>()
            })
            .collect();
        if !led.is_empty() {
            // Two foreign keys to two tables: which of them it is nobody says.
            return led
                .into_iter()
                .next()
                .filter(|_| places.len() > 1)
                .filter(|first| {
                    places.iter().all(|(table, column)| {
                        let own = self.targets_of(table, column);
                        own.is_empty() || own.contains(first)
                    })
                });
        }
        let is_of_a_key = |(table, column): &&Place<'a>| {
            unique_keys(table)
                .iter()
                .any(|key| key.contains(&column.name.as_str()))
        };
        let oldest = |places: &mut dyn Iterator<Item = &Place<'a>>| {
            places
                .min_by_key(|(table, _)| table.oid)
                .map(|(table, column)| (table.oid, column.name.clone()))
        };
        oldest(&mut places.iter().filter(is_of_a_key)).or_else(|| oldest(&mut places.iter()))
    }
}

/// The tables and keys that statements compare some columns with, and how many do.
type Targets<'a> = BTreeMap<Columns<'a>, BTreeMap<Columns<'a>, usize>>;

/// Of the targets of one child the nearest: what a search document has of a module and of the module's state, it has of the module
/// where modules have it of their state.
fn nearest<'a>(targets: &Targets<'a>) -> Targets<'a> {
    let leads_to = |one: &Columns<'a>, other: &Columns<'a>| {
        targets
            .get(one)
            .is_some_and(|further| further.contains_key(other))
    };
    let of_child = |of: &BTreeMap<Columns<'a>, usize>| -> Option<Columns<'a>> {
        let mut nearest = of.keys().filter(|one| {
            let mut others = of.keys().filter(|other| other != one);
            others.all(|other| leads_to(one, other) && !leads_to(other, one))
        });
        nearest.next().cloned()
    };
    let kept: Vec<Option<Columns<'a>>> = targets.values().map(of_child).collect();
    let each = targets.iter().zip(&kept);
    each.map(|((child, of), nearest)| {
        let is_kept = |one: &Columns<'a>| nearest.as_ref().is_none_or(|nearest| nearest == one);
        let of = of.iter().filter(|(one, _)| is_kept(one));
        (
            child.clone(),
            of.map(|(one, number)| (one.clone(), *number)).collect(),
        )
    })
    .collect()
}

/// Whether a key of several columns has, by its parent, what a key of fewer of them asks for: `(path, version)` of modules names a
/// state, whose path names a path, so that the module's own path does.
fn holds_another(
    (child, columns): &Columns<'_>,
    of: &BTreeMap<Columns<'_>, usize>,
    targets: &Targets<'_>,
) -> bool {
    let mut parents = of.keys();
    let (Some((parent, referenced)), None) = (parents.next(), parents.next()) else {
        return false;
    };
    targets.iter().any(|((table, fewer), wanted)| {
        let places: Option<Vec<usize>> = fewer
            .iter()
            .map(|name| columns.iter().position(|own| own == name))
            .collect();
        let Some(places) = places.filter(|places| table == child && places.len() < columns.len())
        else {
            return false;
        };
        let above: Vec<&str> = places.iter().map(|at| referenced[*at]).collect();
        targets
            .get(&(*parent, above))
            .is_some_and(|above| wanted.keys().all(|one| above.contains_key(one)))
    })
}

/// Whether one of the references leads from one column to the other.
fn is_between(
    references: &[Reference],
    (table, column): Place<'_>,
    (parent, of): Place<'_>,
) -> bool {
    references.iter().any(|one| {
        let mut pairs = one.key.columns.iter().zip(&one.key.referenced_columns);
        one.table == table.oid
            && one.key.references == parent.oid
            && pairs.any(|(own, referenced)| *own == column.name && *referenced == of.name)
    })
}

/// Last words of columns that identify things.
const IDENTIFIERS: [&str; 14] = [
    "id", "uuid", "guid", "key", "code", "nid", "sid", "ref", "number", "hash", "token", "slug",
    "uid", "address",
];

fn is_counted(column: &Column) -> bool {
    column.identity.is_some() || column.sequence.is_some()
}

/// The columns of each unique key, the primary one first; partial ones and those of expressions tell no rows apart.
fn unique_keys(table: &Table) -> Vec<Vec<&str>> {
    let mut indexes: Vec<_> = table
        .indexes
        .iter()
        .filter(|index| index.unique && index.predicate.is_none())
        .collect();
    indexes.sort_by_key(|index| (!index.primary, index.keys.len()));
    indexes
        .into_iter()
        .filter_map(|index| {
            let columns = index.keys.iter().map(|key| match &key.part {
                KeyPart::Column(name) => Some(name.as_str()),
                KeyPart::Expression(_) => None,
            });
            columns.collect()
        })
        .collect()
}
