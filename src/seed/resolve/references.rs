//! References that no foreign key declares: `posts.user_id` names a row of `users` in a schema whose program checks it.
//! They are read from names and types, planned like foreign keys, and given up where they would stand in the way.

use std::collections::{BTreeMap, BTreeSet};

use super::joined_references::{self, Evidence};
use super::{Options, SeedError, StoredRows, is_seeded};
use crate::schema::{Column, ForeignKey, KeyPart, Schema, Table};
use crate::seed::expression::Expression;
use crate::seed::infer::names::{self, singular, words};
use crate::seed::spec::{ColumnSpec, TableSpec};
use crate::seed::types::{ScalarEncoding, TypeClass, classify};

/// A reference, declared nowhere.
#[derive(Debug, Clone)]
pub(super) struct Reference {
    /// OID of the table.
    pub table: u32,
    /// As a foreign key would say it.
    pub key: ForeignKey,
    /// What it was found by.
    pub origin: Origin,
}

/// What an undeclared reference was found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The spec: it is not given up.
    Asked,
    /// The column's name.
    Named,
    /// A join of the catalog's queries.
    Joined,
    /// A column that a table and its parent share: the first to be given up.
    Repeated,
}

/// What a spec writes where a column references nothing.
const NOTHING: &str = "none";

/// Everything that the search reads.
struct Search<'a> {
    pub(super) schema: &'a Schema,
    stored: &'a BTreeMap<u32, StoredRows>,
    /// Tables that a column can name, with their words (the last one in the singular) and their key.
    targets: Vec<(Vec<String>, &'a Table, &'a Column)>,
    /// Where declared keys of columns of a name lead, with how many of them.
    namesakes: BTreeMap<&'a str, BTreeMap<(u32, &'a str), usize>>,
}

/// All undeclared references of a schema; mistakes of the spec's own go to `errors`.
pub(super) fn undeclared(
    schema: &Schema,
    specs: &BTreeMap<u32, &TableSpec>,
    stored: &BTreeMap<u32, StoredRows>,
    options: &Options,
    errors: &mut Vec<SeedError>,
) -> Vec<Reference> {
    let seeded: Vec<&Table> = schema
        .tables
        .iter()
        .filter(|table| is_seeded(table))
        .collect();
    let targets = seeded
        .iter()
        .filter_map(|table| Some((name_words(table), *table, own_key(table)?)))
        .collect();
    let search = Search {
        schema,
        stored,
        targets,
        namesakes: namesakes(schema, &seeded),
    };
    let mut found = named_or_suggested(&search, &seeded, specs, errors);
    let known: BTreeSet<(u32, String)> = found
        .iter()
        .flat_map(|reference| {
            let table = reference.table;
            reference
                .key
                .columns
                .iter()
                .map(move |name| (table, name.clone()))
        })
        .collect();
    found.extend(search.by_shared_columns(&seeded, &known));
    let mut joined = joined_references::of_queries(&Evidence {
        schema,
        specs,
        joins: &options.joins,
        constants: &options.constants,
        known: &found,
    });
    // Of rows that are there only the columns that declared keys point to are known.
    joined.retain(|one| {
        let rows = stored
            .get(&one.key.references)
            .filter(|rows| rows.count > 0);
        let mut columns = one.key.referenced_columns.iter();
        rows.is_none_or(|rows| columns.all(|column| rows.cells.contains_key(column)))
    });
    found.extend(joined);
    found
}

/// References that the spec names, or that a column's name suggests.
fn named_or_suggested(
    search: &Search<'_>,
    seeded: &[&Table],
    specs: &BTreeMap<u32, &TableSpec>,
    errors: &mut Vec<SeedError>,
) -> Vec<Reference> {
    let mut found = Vec::new();
    for table in seeded {
        let spec = specs.get(&table.oid);
        for column in &table.columns {
            let said = spec.and_then(|spec| {
                spec.columns
                    .iter()
                    .find(|said| said.name.text == column.name)
            });
            match said.and_then(|said| said.references.as_ref()) {
                Some(place) if place.text == NOTHING => {}
                Some(place) => match search.named(&place.text) {
                    Some((parent, of)) => found.push(Reference {
                        table: table.oid,
                        key: key(table, column, parent, of),
                        origin: Origin::Asked,
                    }),
                    None => {
                        let error = place.error(format!(
                            "there is no {} for column {} to reference",
                            place.text, column.name
                        ));
                        let error = error.help(format!(
                            "`references` is a table's column, as in \"users.id\", or \"{NOTHING}\""
                        ));
                        errors.push(error.into());
                    }
                },
                None => found.extend(search.by_name(table, column, said)),
            }
        }
    }
    found
}

/// The schema with more foreign keys.
pub(super) fn with(schema: &Schema, references: &[Reference]) -> Schema {
    let mut schema = schema.clone();
    for reference in references {
        if let Some(table) = schema.tables.iter_mut().find(|t| t.oid == reference.table) {
            table.foreign_keys.push(reference.key.clone());
        }
    }
    schema
}

/// Where the declared foreign keys of identifiers lead, by the column's name.
fn namesakes<'a>(
    schema: &Schema,
    seeded: &[&'a Table],
) -> BTreeMap<&'a str, BTreeMap<(u32, &'a str), usize>> {
    let mut found: BTreeMap<&str, BTreeMap<(u32, &str), usize>> = BTreeMap::new();
    for table in seeded {
        for key in &table.foreign_keys {
            let ([name], [of]) = (key.columns.as_slice(), key.referenced_columns.as_slice()) else {
                continue;
            };
            let parent = schema
                .table_by_oid(key.references)
                .map(|parent| schema.root_of(parent).oid);
            if let Some(parent) = parent.filter(|parent| *parent != table.oid) {
                let of_name = found.entry(name).or_default();
                *of_name.entry((parent, of)).or_default() += 1;
            }
        }
    }
    found
}

/// A table's words, the last one in the singular.
fn name_words(table: &Table) -> Vec<String> {
    let mut words = words(&table.name.name);
    if let Some(last) = words.last_mut() {
        *last = singular(last);
    }
    words
}

/// The only column of a primary key.
fn own_key(table: &Table) -> Option<&Column> {
    match table.primary_key().as_slice() {
        [only] => table.column(only),
        _ => None,
    }
}

pub(super) fn key(table: &Table, column: &Column, parent: &Table, of: &Column) -> ForeignKey {
    key_of(table, &[&column.name], parent, &[&of.name])
}

/// A foreign key that nobody declared.
pub(super) fn key_of(
    table: &Table,
    columns: &[&str],
    parent: &Table,
    referenced: &[&str],
) -> ForeignKey {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    ForeignKey {
        definition: format!(
            "REFERENCES {} ({}), inferred for {}",
            parent.name,
            referenced.join(", "),
            table.name
        ),
        name: format!("{} (not declared)", columns.join(", ")),
        columns: owned(columns),
        references: parent.oid,
        referenced_table: parent.name.clone(),
        referenced_columns: owned(referenced),
        match_full: false,
        // It gives way where tables reference each other.
        deferrable: true,
        validated: false,
    }
}

impl<'a> Search<'a> {
    /// `users.id`, `shop.users.id`, `users`.
    fn named(&self, text: &str) -> Option<(&'a Table, &'a Column)> {
        if let Some(table) = super::find_table(self.schema, text) {
            return Some((table, own_key(table)?));
        }
        let (table, column) = text.rsplit_once('.')?;
        let table = super::find_table(self.schema, table)?;
        Some((table, table.column(column)?))
    }

    /// What a column's name and type say.
    fn by_name(
        &self,
        table: &'a Table,
        column: &'a Column,
        said: Option<&ColumnSpec>,
    ) -> Option<Reference> {
        let declared = table
            .foreign_keys
            .iter()
            .any(|key| key.columns.contains(&column.name));
        let counted = column.identity.is_some() || column.sequence.is_some();
        let own = table.primary_key() == [column.name.as_str()];
        let computed = column.generated.is_some();
        if declared || counted || own || computed || said.is_some_and(is_described) {
            return None;
        }
        if is_limited(table, column) || is_polymorphic(table, &column.name) {
            return None;
        }
        let (parent, of) = self.target(table, column)?;
        let there = self.stored.get(&parent.oid);
        let unknown =
            there.is_some_and(|rows| rows.count > 0 && !rows.cells.contains_key(&of.name));
        (!unknown).then(|| Reference {
            table: table.oid,
            key: key(table, column, parent, of),
            origin: Origin::Named,
        })
    }

    /// The table that a column names.
    fn target(&self, table: &'a Table, column: &'a Column) -> Option<(&'a Table, &'a Column)> {
        if let Some(found) = self.by_namesakes(table, column) {
            return Some(found);
        }
        let class = classify(self.schema, &column.data_type);
        let mut words = words(&column.name);
        let how = match words.last()?.as_str() {
            "id" | "uuid" | "guid" => How::ById,
            "by" => How::ByActor,
            _ => How::Bare,
        };
        if how != How::Bare {
            words.pop();
        }
        let found = self.of_words(table, words, &class, how);
        let found = found.or_else(|| self.by_natural_key(table, column));
        found.filter(|(_, of)| self.is_comparable(column, of))
    }

    /// The one table that columns of this name reference elsewhere, at least two of them by a declared key.
    fn by_namesakes(
        &self,
        table: &'a Table,
        column: &'a Column,
    ) -> Option<(&'a Table, &'a Column)> {
        const ENOUGH: usize = 2;
        let last = words(&column.name).pop()?;
        if !matches!(last.as_str(), "id" | "uuid" | "guid") || words(&column.name).len() < 2 {
            return None;
        }
        let led = self.namesakes.get(column.name.as_str())?;
        let (&(parent, of), count) = led.first_key_value().filter(|_| led.len() == 1)?;
        let parent = self.schema.table_by_oid(parent)?;
        let of = parent.column(of)?;
        let is_other = parent.oid != table.oid && parent.name.schema == table.name.schema;
        (is_other && *count >= ENOUGH && self.is_comparable(column, of)).then_some((parent, of))
    }

    /// The table that these words name, whose key is of a class.
    fn of_words(
        &self,
        table: &'a Table,
        mut words: Vec<String>,
        class: &TypeClass,
        how: How,
    ) -> Option<(&'a Table, &'a Column)> {
        let noun = words.last_mut()?;
        *noun = singular(noun);
        let noun = noun.clone();
        let comparable = |of: &Column| are_comparable(class, &classify(self.schema, &of.data_type));
        let fits = |target: &&(Vec<String>, &'a Table, &'a Column)| {
            comparable(target.2) && target.1.name.schema == table.name.schema
        };
        let of = |found: &(Vec<String>, &'a Table, &'a Column)| (found.1, found.2);
        let targets = || self.targets.iter().filter(fits);
        // A text without `_id` is a name.
        let counts = how != How::Bare || !matches!(class, TypeClass::Text { .. });
        if how != How::ByActor && counts && is_own_kind(&words) {
            return own_key(table)
                .filter(|own| comparable(own))
                .map(|own| (table, own));
        }
        let exact = targets().find(|(name, ..)| *name == words);
        let named = match how {
            // `user_id` of users; of `app_users`, where that is the only one; `billing_address_id` of addresses.
            How::ById => {
                let mut prefixed = targets().filter(|(name, ..)| name.ends_with(&words));
                let prefixed = prefixed.next().filter(|_| prefixed.next().is_none());
                let by_end = targets()
                    .filter(|(name, ..)| words.len() > name.len() && words.ends_with(name))
                    .max_by_key(|(name, ..)| name.len());
                exact.or(prefixed).or(by_end)
            }
            // A UUID is somebody's key; a number may be anything.
            How::Bare if *class == TypeClass::Uuid => exact,
            How::Bare | How::ByActor => None,
        };
        if let Some(found) = named.filter(|found| found.1.oid != table.oid) {
            return Some(of(found));
        }
        let is_person = match how {
            How::ById => names::is_role(&noun),
            How::ByActor => true,
            How::Bare if *class == TypeClass::Uuid => names::is_role(&noun),
            How::Bare => counts && words.len() == 1 && OWNERS.contains(&noun.as_str()),
        };
        if !is_person {
            return None;
        }
        // Whoever does something is a person.
        PEOPLE.iter().find_map(|people| {
            targets()
                .find(|(name, ..)| {
                    name.last().is_some_and(|noun| noun == people) && name.len() <= 2
                })
                .map(of)
        })
    }

    /// `country_code` of countries, whose key is its `code`.
    fn by_natural_key(
        &self,
        table: &'a Table,
        column: &'a Column,
    ) -> Option<(&'a Table, &'a Column)> {
        let whole = words(&column.name);
        let is_named = |(name, other, of): &&(Vec<String>, &'a Table, &'a Column)| {
            let key = words(&of.name);
            let is_id = matches!(key.last().map(String::as_str), Some("id" | "uuid" | "guid"));
            let named = whole.len() == name.len() + key.len()
                && whole.starts_with(name)
                && whole.ends_with(&key);
            named && !is_id && other.oid != table.oid && other.name.schema == table.name.schema
        };
        let found = self.targets.iter().find(is_named)?;
        Some((found.1, found.2))
    }

    /// Both count, or both are UUIDs, or both are texts of the same type.
    fn is_comparable(&self, one: &Column, other: &Column) -> bool {
        let class = |column: &Column| classify(self.schema, &column.data_type);
        let (one_class, other_class) = (class(one), class(other));
        are_comparable(&one_class, &other_class)
            && (!matches!(one_class, TypeClass::Text { .. }) || one.data_type == other.data_type)
    }

    /// A table's tenant column and a row of the same tenant: what the row's table calls the tenant references the same
    /// table, or no row could have both.
    fn by_shared_columns(
        &self,
        seeded: &[&'a Table],
        known: &BTreeSet<(u32, String)>,
    ) -> Vec<Reference> {
        let mut found: Vec<Reference> = Vec::new();
        for table in seeded {
            let single = table
                .foreign_keys
                .iter()
                .filter(|key| key.columns.len() == 1);
            for (one, many) in single.flat_map(|one| {
                let composite = table
                    .foreign_keys
                    .iter()
                    .filter(|key| key.columns.len() > 1);
                composite.map(move |many| (one, many))
            }) {
                let mut pairs = many.columns.iter().zip(&many.referenced_columns);
                let Some((_, theirs)) = pairs.find(|(own, _)| **own == one.columns[0]) else {
                    continue;
                };
                let of = |oid: u32| {
                    let table = self.schema.table_by_oid(oid)?;
                    Some(self.schema.root_of(table))
                };
                let (Some(shared), Some(parent)) = (of(many.references), of(one.references)) else {
                    continue;
                };
                let taken = known.contains(&(shared.oid, theirs.clone()))
                    || found.iter().any(|reference| {
                        reference.table == shared.oid && reference.key.columns.contains(theirs)
                    })
                    || shared
                        .foreign_keys
                        .iter()
                        .any(|key| key.columns.contains(theirs));
                let columns = shared
                    .column(theirs)
                    .zip(parent.column(&one.referenced_columns[0]));
                if let Some((column, of)) = columns
                    && !taken
                    && shared.oid != parent.oid
                    && is_seeded(shared)
                {
                    found.push(Reference {
                        table: shared.oid,
                        key: key(shared, column, parent, of),
                        origin: Origin::Named,
                    });
                }
            }
        }
        found
    }
}

/// Both count, or both are UUIDs, or both are texts.
pub(super) fn are_comparable(one: &TypeClass, other: &TypeClass) -> bool {
    let whole = |class: &TypeClass| {
        matches!(
            class,
            TypeClass::Scalar(ScalarEncoding::Int2 | ScalarEncoding::Int4 | ScalarEncoding::Int8)
        )
    };
    let text = |class: &TypeClass| matches!(class, TypeClass::Text { .. });
    (whole(one) && whole(other))
        || (*one == TypeClass::Uuid && *other == TypeClass::Uuid)
        || (text(one) && text(other))
}

/// What a name says besides the noun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// `user_id`.
    ById,
    /// `created_by`.
    ByActor,
    /// `owner`.
    Bare,
}

/// A row of the same table.
fn is_own_kind(words: &[String]) -> bool {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    matches!(
        words.as_slice(),
        ["parent"] | ["reply", "to"] | ["in", "reply", "to"]
    )
}

/// Who a number names without `_id`.
const OWNERS: &[&str] = &[
    "user",
    "owner",
    "author",
    "creator",
    "sender",
    "recipient",
    "receiver",
    "assignee",
    "reviewer",
    "approver",
    "uploader",
    "editor",
    "moderator",
    "requester",
];

/// The table and key that the elements of an array name: `tag_ids`.
pub(super) fn of_elements(
    schema: &Schema,
    table: &Table,
    column: &Column,
    element: &TypeClass,
) -> Option<u32> {
    let targets = schema
        .tables
        .iter()
        .filter(|table| is_seeded(table))
        .filter_map(|table| Some((name_words(table), table, own_key(table)?)))
        .collect();
    let none = BTreeMap::new();
    let search = Search {
        schema,
        stored: &none,
        targets,
        namesakes: BTreeMap::new(),
    };
    let mut words = words(&column.name);
    let last = words.pop()?;
    if !matches!(last.as_str(), "ids" | "uuids" | "guids") || is_limited(table, column) {
        return None;
    }
    let (parent, _) =
        search.of_words(schema.table_by_oid(table.oid)?, words, element, How::ById)?;
    Some(parent.oid)
}

/// Tables of people, the likeliest first.
const PEOPLE: &[&str] = &[
    "user", "account", "member", "person", "people", "employee", "staff", "customer",
];

/// The spec says what the column holds.
pub(super) fn is_described(said: &ColumnSpec) -> bool {
    said.generator.is_some()
        || said.values.is_some()
        || said.value.is_some()
        || said.min.is_some()
        || said.max.is_some()
        || said.common.is_some()
        || said.histogram.is_some()
        || said.expression.is_some()
        || said.template.is_some()
        || said.depends_on.is_some()
}

/// A constraint or a partition key has a say in the column's values.
pub(super) fn is_limited(table: &Table, column: &Column) -> bool {
    let is_column = |part: &KeyPart| *part == KeyPart::Column(column.name.clone());
    let of_partitions = table
        .partition_key
        .as_ref()
        .is_some_and(|key| key.parts.iter().any(is_column));
    let checked = table.checks.iter().any(|check| {
        let mut names = Vec::new();
        if let Ok(expression) = Expression::parse(&check.expression) {
            expression.columns(&mut names);
        }
        names.contains(&column.name)
    });
    let excluded = table
        .exclusions
        .iter()
        .any(|exclusion| exclusion.parts.iter().any(|(part, _)| is_column(part)));
    of_partitions || checked || excluded
}

/// `commentable_id` beside `commentable_type`: of several tables.
pub(super) fn is_polymorphic(table: &Table, column: &str) -> bool {
    column
        .strip_suffix("_id")
        .is_some_and(|what| table.column(&format!("{what}_type")).is_some())
}
