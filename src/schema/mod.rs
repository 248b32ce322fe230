//! Tables, columns, indexes and keys as introspection finds them: pure data, knows no database.

mod names;

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use names::{QualifiedName, quote_identifier};

use crate::plan::{NodeKind, Operation, Plan};
use crate::units::{Bytes, Pages};

/// A server's version as a number, e.g. 150018 for 15.18.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServerVersion(pub u32);

impl ServerVersion {
    /// 15 for 15.18.
    #[must_use]
    pub fn major(self) -> u32 {
        self.0 / 10_000
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 / 10_000, self.0 % 10_000)
    }
}

/// Everything that introspection reads of a database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    /// The server that it was read from.
    pub server: ServerVersion,
    /// Tables, partitioned tables, partitions and foreign tables, ordered by name; no system tables.
    pub tables: Vec<Table>,
    /// Materialized views: read and indexed like tables, filled by nobody's statements.
    #[serde(default)]
    pub materialized_views: Vec<Table>,
    /// User-defined types that columns use, by OID.
    pub types: Vec<UserType>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// `pg_class.oid`.
    pub oid: u32,
    /// Where it is.
    pub name: QualifiedName,
    /// Plain, partitioned or foreign.
    pub kind: TableKind,
    /// In `attnum` order, without dropped ones.
    pub columns: Vec<Column>,
    /// All, the primary key's too.
    pub indexes: Vec<Index>,
    /// Outgoing.
    pub foreign_keys: Vec<ForeignKey>,
    /// CHECK constraints.
    pub checks: Vec<Check>,
    /// EXCLUDE constraints.
    pub exclusions: Vec<Exclusion>,
    /// Set for a partition (of any level).
    pub partition_of: Option<PartitionOf>,
    /// Set for a partitioned table.
    pub partition_key: Option<PartitionKey>,
    /// Parents by plain inheritance.
    pub inherits: Vec<u32>,
    /// Extended statistics (`CREATE STATISTICS`), as `pg_get_statisticsobjdef` prints them.
    pub extended_statistics: Vec<String>,
    /// User triggers that fire on INSERT.
    pub insert_triggers: Vec<String>,
    /// Size and rows as the catalog has them.
    pub stats: TableStats,
    /// Row level security is on.
    pub row_security: bool,
    #[serde(default)]
    pub policies: Vec<RowPolicy>,
}

/// A row security policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowPolicy {
    /// Unquoted.
    pub name: String,
    /// USING, as `pg_get_expr` prints it.
    pub using: Option<String>,
    pub check: Option<String>,
    /// For whom; none for everybody.
    pub roles: Vec<String>,
    /// Functions that it calls and that are not immutable, without the server's own.
    pub functions: Vec<String>,
}

/// What a relation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TableKind {
    /// Holds rows of its own.
    Ordinary,
    /// Holds none of its own.
    Partitioned,
    /// Of a foreign server.
    Foreign,
}

/// `pg_class`'s figures; `rows` is `None` where the table was never analyzed.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct TableStats {
    /// `reltuples`.
    pub rows: Option<f64>,
    /// Main fork on disk.
    pub pages: Pages,
    /// Heap with TOAST, without indexes.
    pub bytes: Bytes,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Unquoted.
    pub name: String,
    /// `pg_attribute.attnum`.
    pub number: i16,
    pub data_type: DataType,
    /// NOT NULL (or a domain's).
    pub not_null: bool,
    /// DEFAULT as `pg_get_expr` prints it.
    pub default: Option<String>,
    /// GENERATED … AS IDENTITY.
    pub identity: Option<Identity>,
    /// GENERATED ALWAYS AS (…): the expression.
    pub generated: Option<String>,
    /// The sequence that the column owns or draws its default from; none for columns that hold no numbers.
    pub sequence: Option<Sequence>,
    /// What ANALYZE measured.
    pub stats: Option<ColumnStats>,
}

/// Where a column's numbers come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    pub name: QualifiedName,
    pub start: i64,
    /// INCREMENT; negative where it counts down.
    pub step: i64,
    /// MINVALUE.
    pub least: i64,
    /// MAXVALUE.
    pub most: i64,
}

impl Sequence {
    /// SQL that sets it to the farther of two expressions.
    #[must_use]
    pub fn set_to_farther(&self, one: &str, other: &str) -> String {
        let farther = if self.step < 0 { "least" } else { "greatest" };
        format!(
            "SELECT setval('{}', {farther}({one}, {other}))",
            self.name.sql().replace('\'', "''")
        )
    }

    /// SQL of the last number that a column has.
    #[must_use]
    pub fn last_of(&self, column: &str, table: &QualifiedName) -> String {
        let last = if self.step < 0 { "min" } else { "max" };
        format!(
            "(SELECT {last}({}) FROM {})::bigint",
            quote_identifier(column),
            table.sql()
        )
    }
}

/// A column's type.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DataType {
    /// `pg_type.oid`.
    pub oid: u32,
    /// -1 where there is none.
    pub modifier: i32,
    /// `format_type`: `character varying(80)`, `numeric(10,2)`.
    pub name: String,
}

/// Which rows may give their own value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Identity {
    /// GENERATED ALWAYS.
    Always,
    /// GENERATED BY DEFAULT.
    ByDefault,
}

/// `pg_stats` of a column. These are values of the data that was analyzed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ColumnStats {
    /// Share of NULLs.
    pub null_fraction: f64,
    /// As Postgres keeps it: negative = minus the share of rows.
    pub distinct: f64,
    /// Values (text form) and their frequencies.
    pub most_common: Vec<(String, f64)>,
    /// Bounds in text form.
    pub histogram: Vec<String>,
    /// Physical order against logical order, -1 to 1.
    pub correlation: Option<f64>,
    /// Average bytes.
    pub average_width: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Index {
    /// `pg_class.oid`.
    pub oid: u32,
    /// In its table's schema.
    pub name: String,
    /// `btree`, `gin`…
    pub method: String,
    /// Key parts in order.
    pub keys: Vec<IndexKey>,
    /// INCLUDE columns.
    pub include: Vec<String>,
    pub unique: bool,
    /// UNIQUE NULLS NOT DISTINCT.
    pub nulls_not_distinct: bool,
    /// Of the primary key.
    pub primary: bool,
    /// Made by a constraint, whose name this is.
    pub constraint: Option<String>,
    /// The constraint is DEFERRABLE.
    pub deferrable: bool,
    /// Partial index: WHERE.
    pub predicate: Option<String>,
    /// `indisvalid` and `indisready`.
    pub valid: bool,
    /// `pg_get_indexdef`.
    pub definition: String,
    /// On disk.
    pub bytes: Bytes,
    /// The index of the partitioned parent that this one is attached to.
    pub parent: Option<u32>,
}

/// One part of an index key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct IndexKey {
    /// A column, or an expression as printed.
    pub part: KeyPart,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST (the default for DESC).
    pub nulls_first: bool,
    /// Operator class, where it is not the default.
    pub operator_class: Option<String>,
    /// Collation, where it is not the column's.
    pub collation: Option<String>,
}

impl IndexKey {
    /// A column in its own order.
    #[must_use]
    pub fn column(name: &str) -> Self {
        Self {
            part: KeyPart::Column(name.to_owned()),
            descending: false,
            nulls_first: false,
            operator_class: None,
            collation: None,
        }
    }
}

/// What an index key part is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum KeyPart {
    /// A column's name.
    Column(String),
    /// An expression as `pg_get_indexdef` prints it.
    Expression(String),
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignKey {
    /// Constraint name.
    pub name: String,
    /// Referencing columns.
    pub columns: Vec<String>,
    /// OID of the referenced table.
    pub references: u32,
    pub referenced_table: QualifiedName,
    /// Referenced columns, in the same order.
    pub referenced_columns: Vec<String>,
    pub match_full: bool,
    pub deferrable: bool,
    /// Not NOT VALID.
    pub validated: bool,
    /// `pg_get_constraintdef`.
    pub definition: String,
}

/// A CHECK constraint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Constraint name.
    pub name: String,
    /// The expression as `pg_get_expr` prints it.
    pub expression: String,
    /// Not NOT VALID.
    pub validated: bool,
}

/// An EXCLUDE constraint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exclusion {
    /// Constraint name.
    pub name: String,
    /// Its parts and their operators: `(room, "=")`, `(during, "&&")`.
    pub parts: Vec<(KeyPart, String)>,
    pub predicate: Option<String>,
}

/// A partition's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionOf {
    /// OID of the direct parent.
    pub parent: u32,
    /// OID of the topmost parent.
    pub root: u32,
    /// `FOR VALUES …` or `DEFAULT`, as printed.
    pub bound: String,
}

/// How a partitioned table is split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionKey {
    /// Range, list or hash.
    pub strategy: PartitionStrategy,
    /// Columns or expressions.
    pub parts: Vec<KeyPart>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PartitionStrategy {
    Range,
    List,
    Hash,
}

/// A type that is not built in, or that has a structure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserType {
    /// `pg_type.oid`.
    pub oid: u32,
    /// Where it is.
    pub name: QualifiedName,
    /// What it is made of.
    pub definition: TypeDefinition,
}

/// A type's structure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum TypeDefinition {
    /// Labels in sort order.
    Enum(Vec<String>),
    /// Base type, NOT NULL and checks.
    Domain {
        base: DataType,
        not_null: bool,
        checks: Vec<Check>,
        default: Option<String>,
    },
    /// Attributes.
    Composite(Vec<(String, DataType)>),
    /// Element type.
    Array(DataType),
    /// Subtype.
    Range(DataType),
    /// Range type.
    Multirange(DataType),
    /// A base type of an extension (citext, hstore, ltree…) or built in.
    Base,
}

impl Schema {
    /// These tables and all that deleting their rows cascades to.
    #[must_use]
    pub fn cascading_from(&self, deleted_from: Vec<u32>) -> Vec<u32> {
        let mut reached = deleted_from;
        let mut at = 0;
        while let Some(parent) = reached.get(at).copied() {
            at += 1;
            for table in &self.tables {
                let cascades = table.foreign_keys.iter().any(|key| {
                    key.references == parent && key.definition.contains("ON DELETE CASCADE")
                });
                if cascades && !reached.contains(&table.oid) {
                    reached.push(table.oid);
                }
            }
        }
        reached
    }

    /// The foreign keys by which rows of the referencing tables are searched for each row deleted from these tables, or from
    /// those that the delete cascades to, and that no index serves; each with its table.
    #[must_use]
    pub fn unserved_checks(&self, deleted_from: Vec<u32>) -> Vec<(&Table, &ForeignKey)> {
        let mut reached = deleted_from;
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(parent) = reached.get(at).copied() {
            at += 1;
            let whole = self
                .tables
                .iter()
                .filter(|table| table.partition_of.is_none());
            for table in whole {
                let mut keys = table.foreign_keys.iter();
                for key in keys.by_ref().filter(|key| key.references == parent) {
                    let has_rows = table.stats.pages.0 > 0 || table.partition_key.is_some();
                    if has_rows && !table.finds_by(&key.columns) {
                        found.push((table, key));
                    }
                    let cascades = key.definition.contains("ON DELETE CASCADE");
                    if cascades && !reached.contains(&table.oid) {
                        reached.push(table.oid);
                    }
                }
            }
        }
        found
    }

    /// The tables whose rows a plan deletes; of partitions the whole.
    #[must_use]
    pub fn deleted_from(&self, plan: &Plan) -> Vec<u32> {
        let deletes = plan.nodes.iter().filter(|node| {
            node.kind == NodeKind::ModifyTable && node.operation == Some(Operation::Delete)
        });
        deletes
            .filter_map(|node| node.relation.as_ref())
            .filter_map(|relation| self.table(relation.schema.as_deref(), &relation.name))
            .map(|table| self.root_of(table).oid)
            .collect()
    }

    /// Whether a foreign key points to this column of a table, alone or with others.
    #[must_use]
    pub fn is_referenced(&self, table: &Table, column: &str) -> bool {
        let mut keys = self.tables.iter().flat_map(|other| &other.foreign_keys);
        keys.any(|key| {
            let mut columns = key.referenced_columns.iter();
            key.references == table.oid && columns.any(|name| name == column)
        })
    }

    /// For each table how many foreign keys lead from it to a table that references none, on the longest way; a circle ends
    /// where it began.
    #[must_use]
    pub fn depths_of_references(&self) -> Vec<u32> {
        let mut depths = vec![0_u32; self.tables.len()];
        // A way without a circle has fewer steps than there are tables.
        for _ in 0..self.tables.len() {
            let mut changed = false;
            for (at, table) in self.tables.iter().enumerate() {
                let referenced = table
                    .foreign_keys
                    .iter()
                    .filter(|key| key.references != table.oid);
                let deepest = referenced
                    .filter_map(|key| {
                        let parent = self
                            .tables
                            .iter()
                            .position(|other| other.oid == key.references)?;
                        Some(depths[parent] + 1)
                    })
                    .max()
                    .unwrap_or(0);
                if deepest > depths[at] && (deepest as usize) < self.tables.len() {
                    depths[at] = deepest;
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
        depths
    }

    /// All that holds rows of its own or its partitions'.
    fn relations(&self) -> impl Iterator<Item = &Table> {
        self.tables.iter().chain(&self.materialized_views)
    }

    /// A table or materialized view by name; an unqualified one is looked for in `public` first, then anywhere if it is
    /// unique.
    #[must_use]
    pub fn table(&self, schema: Option<&str>, name: &str) -> Option<&Table> {
        let named = |table: &&Table| table.name.name == name;
        if let Some(schema) = schema {
            return self
                .relations()
                .find(|table| table.name.schema == schema && named(table));
        }
        let mut found = self.relations().filter(named);
        match (found.next(), found.next()) {
            (Some(only), None) => Some(only),
            (None, _) => None,
            (Some(_), Some(_)) => self
                .relations()
                .find(|table| table.name.schema == "public" && named(table)),
        }
    }

    /// Sixteen hexadecimal digits that are the same for schemas with the same tables, columns and types.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut lines: Vec<String> = self
            .tables
            .iter()
            .filter(|table| table.partition_of.is_none())
            .flat_map(|table| {
                let column = |column: &Column| {
                    format!("{} {} {}", table.name, column.name, column.data_type.name)
                };
                table.columns.iter().map(column).collect::<Vec<_>>()
            })
            .collect();
        lines.sort();
        let digest = Sha256::digest(lines.join("\n").as_bytes());
        digest
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// A table by OID.
    #[must_use]
    pub fn table_by_oid(&self, oid: u32) -> Option<&Table> {
        self.relations().find(|table| table.oid == oid)
    }

    /// A user type by OID.
    #[must_use]
    pub fn user_type(&self, oid: u32) -> Option<&UserType> {
        self.types.iter().find(|user_type| user_type.oid == oid)
    }

    /// For a partition its topmost parent, else the table itself.
    #[must_use]
    pub fn root_of<'a>(&'a self, table: &'a Table) -> &'a Table {
        table
            .partition_of
            .as_ref()
            .and_then(|part| self.table_by_oid(part.root))
            .unwrap_or(table)
    }
}

impl Table {
    /// An ordinary table with nothing in it and nothing on it.
    #[must_use]
    pub fn bare(oid: u32, name: QualifiedName) -> Self {
        Self {
            oid,
            name,
            kind: TableKind::Ordinary,
            columns: Vec::new(),
            indexes: Vec::new(),
            foreign_keys: Vec::new(),
            checks: Vec::new(),
            exclusions: Vec::new(),
            partition_of: None,
            partition_key: None,
            inherits: Vec::new(),
            extended_statistics: Vec::new(),
            insert_triggers: Vec::new(),
            stats: TableStats::default(),
            row_security: false,
            policies: Vec::new(),
        }
    }

    /// A column by name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Whether a valid, complete index leads with some columns, in any order.
    #[must_use]
    pub fn finds_by(&self, columns: &[String]) -> bool {
        let is_complete = |index: &&Index| index.valid && index.predicate.is_none();
        self.indexes.iter().filter(is_complete).any(|index| {
            let leading = index.keys.iter().take(columns.len());
            let is_one = |part: &IndexKey| {
                matches!(&part.part, KeyPart::Column(name) if columns.contains(name))
            };
            leading.len() == columns.len() && leading.into_iter().all(is_one)
        })
    }

    /// The primary key's columns, in key order; empty where there is none.
    #[must_use]
    pub fn primary_key(&self) -> Vec<&str> {
        self.indexes
            .iter()
            .find(|index| index.primary)
            .map(Index::key_columns)
            .unwrap_or_default()
    }
}

impl Index {
    /// A valid B-tree that is nobody's constraint and has no definition yet.
    #[must_use]
    pub fn btree(oid: u32, name: &str, keys: Vec<IndexKey>) -> Self {
        Self {
            oid,
            name: name.to_owned(),
            method: "btree".to_owned(),
            keys,
            include: Vec::new(),
            unique: false,
            nulls_not_distinct: false,
            primary: false,
            constraint: None,
            deferrable: false,
            predicate: None,
            valid: true,
            definition: String::new(),
            bytes: Bytes(0),
            parent: None,
        }
    }

    /// The key parts that are plain columns, in order.
    #[must_use]
    pub fn key_columns(&self) -> Vec<&str> {
        self.keys
            .iter()
            .filter_map(|key| match &key.part {
                KeyPart::Column(name) => Some(name.as_str()),
                KeyPart::Expression(_) => None,
            })
            .collect()
    }
}
