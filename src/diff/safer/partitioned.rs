//! Indexes and keys of partitioned tables: PostgreSQL builds none of them CONCURRENTLY, and takes no index over. Their safer form
//! makes an empty parent, each partition's part CONCURRENTLY, and attaches one to the other. Pure.

use squawk_lexer::{TokenKind, tokenize};

use super::{SaferForm, advice, constraint, names};
use crate::schema::{Index, QualifiedName, Schema, Table, TableKind, quote_identifier};
use crate::sql::ddl::IndexText;
use crate::sql::names::unquote_lower;

/// Whether it is the parent of partitions.
pub(super) fn is_partitioned(table: Option<&Table>) -> bool {
    table.is_some_and(|table| table.kind == TableKind::Partitioned)
}

/// CREATE INDEX on a partitioned table.
pub(super) fn create_index(
    sql: &str,
    index: &IndexText,
    table: &Table,
    schema: &Schema,
) -> SaferForm {
    let own = index
        .name
        .clone()
        .unwrap_or_else(|| names::relation(table, &index.columns, "idx", schema));
    let rest = &sql[index.rest.clone()];
    let kind = if index.unique {
        "UNIQUE INDEX"
    } else {
        "INDEX"
    };
    let mut statements = vec![format!(
        "CREATE {kind} {} ON ONLY {} {rest}",
        quote_identifier(&own),
        index.table
    )];
    let empty = |name: &str, table: &Table| {
        format!(
            "CREATE {kind} {} ON ONLY {} {rest}",
            quote_identifier(name),
            table.name.sql()
        )
    };
    let whole = |name: &str, table: &Table| {
        vec![format!(
            "CREATE {kind} CONCURRENTLY {} ON {} {rest}",
            quote_identifier(name),
            table.name.sql()
        )]
    };
    let fits = |own: &Index| own.unique == index.unique && same_text(rest, &own.definition);
    let parts = Parts {
        columns: &index.columns,
        label: "idx",
        empty: &empty,
        whole: &whole,
        fits: &fits,
        schema,
    };
    parts.attach(table, &own, &mut statements);
    SaferForm {
        statements,
        why: "no index of a partitioned table is built CONCURRENTLY: the parent's begins empty (ON ONLY), each partition gets its own \
              CONCURRENTLY, outside a transaction, and is attached; with the last one the parent's is valid"
            .to_owned(),
    }
}

/// DROP INDEX of a partitioned table's.
pub(super) fn drop_index() -> SaferForm {
    advice(
        "PostgreSQL drops no index of a partitioned table CONCURRENTLY, nor its partitions' parts without it: drop it alone in its \
         transaction, with lock_timeout and another try",
    )
}

/// ADD UNIQUE or PRIMARY KEY on a partitioned table, with what must hold of the columns first.
pub(super) fn add_key(
    table: (&str, &Table),
    (name, kind, label): (&str, &str, &str),
    (columns, listed): (&str, &[String]),
    mut statements: Vec<String>,
    schema: &Schema,
) -> SaferForm {
    let (written, table) = table;
    statements.push(format!(
        "ALTER TABLE ONLY {written} ADD CONSTRAINT {} {kind} {columns}",
        quote_identifier(name)
    ));
    let empty = |name: &str, table: &Table| {
        format!(
            "ALTER TABLE ONLY {} ADD CONSTRAINT {} {kind} {columns}",
            table.name.sql(),
            quote_identifier(name)
        )
    };
    let whole = |name: &str, table: &Table| {
        constraint::key_with_index(&table.name.sql(), name, kind, columns)
    };
    // A primary key's name is the table's alone.
    let named = if label == "pkey" { &[] } else { listed };
    let fits = |own: &Index| {
        let of_kind = own.constraint.is_some()
            && own.unique
            && own.primary == (label == "pkey")
            && !own.deferrable;
        of_kind && same_text(columns, &own.definition)
    };
    let parts = Parts {
        columns: named,
        label,
        empty: &empty,
        whole: &whole,
        fits: &fits,
        schema,
    };
    parts.attach(table, name, &mut statements);
    SaferForm {
        statements,
        why: "a partitioned table takes no index over: its key begins without the partitions (ALTER TABLE ONLY), each of them builds its \
              own CONCURRENTLY, outside a transaction, and is attached; with the last one the key is valid"
            .to_owned(),
    }
}

/// ADD FOREIGN KEY on a partitioned table, which takes none NOT VALID before 18: partition by partition; the parent's then finds them.
pub(super) fn foreign_key(
    written: &str,
    table: &Table,
    name: &str,
    text: &str,
    schema: &Schema,
) -> SaferForm {
    let mut statements = Vec::new();
    for leaf in leaves(table, schema) {
        statements.extend(constraint::validated_later(&leaf.name.sql(), name, text));
    }
    statements.push(format!(
        "ALTER TABLE {written} ADD CONSTRAINT {} {text}",
        quote_identifier(name)
    ));
    SaferForm {
        statements,
        why: "a partitioned table takes no foreign key NOT VALID before PostgreSQL 18: each partition gets its own so and is validated while \
              it is written to; the parent's takes them over and reads nothing"
            .to_owned(),
    }
}

fn children<'a>(table: &'a Table, schema: &'a Schema) -> impl Iterator<Item = &'a Table> {
    schema.tables.iter().filter(|child| {
        child
            .partition_of
            .as_ref()
            .is_some_and(|of| of.parent == table.oid)
    })
}

fn leaves<'a>(table: &'a Table, schema: &'a Schema) -> Vec<&'a Table> {
    children(table, schema)
        .flat_map(|child| match child.kind {
            TableKind::Partitioned => leaves(child, schema),
            TableKind::Ordinary => vec![child],
            TableKind::Foreign => Vec::new(),
        })
        .collect()
}

/// Whether what is written after an index's table is what the server prints of one that is there, as far as the server
/// asks when it takes a partition's index over (`CompareIndexInfo` in index.c): which way a column is sorted is not. Of
/// expressions and conditions the server prints another form than was written: none of them is taken for the same.
fn same_text(written: &str, definition: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        let mut offset = 0;
        let mut words = Vec::new();
        for token in tokenize(text) {
            let word = &text[offset..offset + token.len as usize];
            offset += token.len as usize;
            match token.kind {
                TokenKind::Whitespace | TokenKind::LineComment | TokenKind::BlockComment { .. } => {
                }
                _ => words.push(unquote_lower(word)),
            }
        }
        words.retain(|word| !matches!(word.as_str(), "asc" | "desc" | "nulls" | "first" | "last"));
        words
    };
    let Some((_, printed)) = definition.split_once(" USING ") else {
        return false;
    };
    let printed = words(printed);
    match words(written).as_slice() {
        [using, rest @ ..] if using == "using" => rest == printed,
        rest => printed
            .split_first()
            .is_some_and(|(method, keys)| method == "btree" && rest == keys),
    }
}

/// What each partition gets, to be attached to its parent's.
struct Parts<'a> {
    /// Of which its name is made.
    columns: &'a [String],
    label: &'a str,
    /// The statement for a partition that has partitions itself.
    empty: &'a dyn Fn(&str, &Table) -> String,
    /// The statements for one that holds rows.
    whole: &'a dyn Fn(&str, &Table) -> Vec<String>,
    /// Whether an index that a partition has is the one it needs.
    fits: &'a dyn Fn(&Index) -> bool,
    schema: &'a Schema,
}

impl Parts<'_> {
    fn attach(&self, table: &Table, own: &str, statements: &mut Vec<String>) {
        let full = |table: &Table, index: &str| {
            QualifiedName::new(table.name.schema.as_str(), index).sql()
        };
        for child in children(table, self.schema) {
            let free = |index: &&Index| index.valid && index.parent.is_none() && (self.fits)(index);
            // As the server does: the oldest one that fits is taken over, and nothing is built.
            if let Some(own_part) = child
                .indexes
                .iter()
                .filter(free)
                .min_by_key(|index| index.oid)
            {
                let (parent, part) = (full(table, own), full(child, &own_part.name));
                statements.push(format!("ALTER INDEX {parent} ATTACH PARTITION {part}"));
                continue;
            }
            let name = names::relation(child, self.columns, self.label, self.schema);
            match child.kind {
                // It has no indexes.
                TableKind::Foreign => continue,
                TableKind::Ordinary => statements.extend((self.whole)(&name, child)),
                TableKind::Partitioned => {
                    statements.push((self.empty)(&name, child));
                    self.attach(child, &name, statements);
                }
            }
            let (parent, part) = (full(table, own), full(child, &name));
            statements.push(format!("ALTER INDEX {parent} ATTACH PARTITION {part}"));
        }
    }
}
