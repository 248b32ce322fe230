//! Index statements: names that are deterministic, fit in 63 bytes and clash with nothing; everything quoted.

use std::collections::HashSet;

use crate::plan::condition;
use crate::schema::{Schema, quote_identifier};

use super::{IndexSpec, KeySpec, Method, NullsOrder, Part, TRIGRAMS, TRIGRAMS_IN_ORDER};

/// `NAMEDATALEN` - 1.
const MAX_NAME: usize = 63;

/// `idx_orders_customer_id_placed_at`, with a number where the name is taken.
#[must_use]
pub fn name(index: &IndexSpec, schema: &Schema) -> String {
    unique_names([index], schema).remove(0)
}

/// What an index is, in words.
fn base_name(index: &IndexSpec) -> String {
    let mut words = vec!["idx".to_owned(), index.table.name.clone()];
    words.extend(index.keys.iter().map(|key| match &key.part {
        Part::Column(name) => name.clone(),
        Part::Expression(text) => expression_words(text),
    }));
    if !index.include.is_empty() {
        words.push("covering".to_owned());
    }
    if index.predicate.is_some() {
        words.push("partial".to_owned());
    }
    let has_patterns = index.keys.iter().any(|key| {
        let class = key.operator_class.as_deref();
        class.is_some_and(|class| class.ends_with("_pattern_ops"))
    });
    if has_patterns {
        words.push("pattern".to_owned());
    }
    match index.method {
        Method::Brin => words.push("brin".to_owned()),
        Method::Gist => words.push("gist".to_owned()),
        Method::Gin if has_trigrams(index) => words.push("trgm".to_owned()),
        Method::Gin | Method::Btree => {}
    }
    words.join("_")
}

/// Names for indexes that are made together: each is free in its schema and differs from the others.
#[must_use]
pub fn unique_names<'a>(
    indexes: impl IntoIterator<Item = &'a IndexSpec>,
    schema: &Schema,
) -> Vec<String> {
    let mut given: HashSet<(String, String)> = HashSet::new();
    let mut names = Vec::new();
    for index in indexes {
        let in_schema = &index.table.schema;
        let taken = taken_names(schema, in_schema);
        let base = base_name(index);
        let is_free = |name: &String| {
            !taken.contains(name.as_str()) && !given.contains(&(in_schema.clone(), name.clone()))
        };
        let name = (0..)
            .map(|number: u32| shortened(&base, number))
            .find(is_free)
            .unwrap_or(base);
        given.insert((in_schema.clone(), name.clone()));
        names.push(name);
    }
    names
}

fn taken_names<'a>(schema: &'a Schema, in_schema: &str) -> HashSet<&'a str> {
    let tables = schema
        .tables
        .iter()
        .filter(|table| table.name.schema == in_schema);
    tables
        .flat_map(|table| {
            table
                .indexes
                .iter()
                .map(|index| index.name.as_str())
                .chain([table.name.name.as_str()])
        })
        .collect()
}

/// `lower((email)::text)` becomes `lower_email`.
fn expression_words(text: &str) -> String {
    let expression = condition::parse(text);
    let mut words = Vec::new();
    expression.walk(&mut |part| match &part.kind {
        condition::ExpressionKind::Call { function, .. } => words.push(function.clone()),
        condition::ExpressionKind::Column { name, .. } => words.push(name.clone()),
        condition::ExpressionKind::Constant(Some(text)) if !text.is_empty() => {
            words.push(
                text.chars()
                    .filter(|c| c.is_alphanumeric())
                    .take(12)
                    .collect(),
            );
        }
        _ => {}
    });
    words.retain(|word: &String| !word.is_empty());
    if words.is_empty() {
        "expr".to_owned()
    } else {
        words.join("_")
    }
}

fn shortened(base: &str, number: u32) -> String {
    let suffix = if number == 0 {
        String::new()
    } else {
        format!("_{}", number + 1)
    };
    let mut end = base.len().min(MAX_NAME - suffix.len());
    while !base.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{suffix}", base[..end].trim_end_matches('_'))
}

/// `CREATE INDEX name ON table (…);`, to be pasted into a migration; with the extension that it needs and the indexes beside it.
#[must_use]
pub fn statement(index: &IndexSpec, names: &[String]) -> String {
    let extension = if index.all().any(has_trigrams) {
        "CREATE EXTENSION IF NOT EXISTS pg_trgm;\n"
    } else {
        ""
    };
    let statements: Vec<String> = index
        .all()
        .zip(names)
        .map(|(index, name)| {
            format!(
                "CREATE INDEX {} {};",
                quote_identifier(name),
                definition(index)
            )
        })
        .collect();
    format!("{extension}{}", statements.join("\n"))
}

/// The names of an index, which is given, and of those beside it.
#[must_use]
pub fn names(index: &IndexSpec, name: &str, schema: &Schema) -> Vec<String> {
    let mut names = unique_names(index.all(), schema);
    if let Some(first) = names.first_mut() {
        name.clone_into(first);
    }
    names
}

/// Whether a key is served by `pg_trgm`.
#[must_use]
pub fn has_trigrams(index: &IndexSpec) -> bool {
    index.keys.iter().any(|key| {
        matches!(
            key.operator_class.as_deref(),
            Some(TRIGRAMS | TRIGRAMS_IN_ORDER)
        )
    })
}

/// What follows the name.
#[must_use]
pub fn definition(index: &IndexSpec) -> String {
    let keys: Vec<String> = index.keys.iter().map(key).collect();
    let method = match index.method {
        Method::Btree => String::new(),
        Method::Gin => "USING gin ".to_owned(),
        Method::Gist => "USING gist ".to_owned(),
        Method::Brin => "USING brin ".to_owned(),
    };
    let include = if index.include.is_empty() {
        String::new()
    } else {
        let columns: Vec<String> = index
            .include
            .iter()
            .map(|name| quote_identifier(name))
            .collect();
        format!(" INCLUDE ({})", columns.join(", "))
    };
    let predicate = index
        .predicate
        .as_ref()
        .map(|text| format!(" WHERE {text}"))
        .unwrap_or_default();
    let table = if index.table.schema == "public" {
        quote_identifier(&index.table.name)
    } else {
        index.table.sql()
    };
    format!(
        "ON {table} {method}({}){include}{predicate}",
        keys.join(", ")
    )
}

fn key(key: &KeySpec) -> String {
    let mut text = match &key.part {
        Part::Column(name) => quote_identifier(name),
        // A call needs no parentheses of its own; everything else does.
        Part::Expression(text) if is_call(text) => text.clone(),
        Part::Expression(text) => format!("({text})"),
    };
    if let Some(collation) = &key.collation {
        text.push_str(" COLLATE ");
        text.push_str(&quoted(collation));
    }
    text.push_str(&order_of(key));
    text
}

/// What follows a key's column or expression: ` text_pattern_ops DESC NULLS LAST`.
pub(super) fn order_of(key: &KeySpec) -> String {
    let mut text = String::new();
    if let Some(class) = &key.operator_class {
        text.push(' ');
        text.push_str(class);
    }
    if key.descending {
        text.push_str(" DESC");
    }
    match key.nulls {
        NullsOrder::Default => {}
        NullsOrder::First => text.push_str(" NULLS FIRST"),
        NullsOrder::Last => text.push_str(" NULLS LAST"),
    }
    text
}

/// In quotes, as collations are printed: `"C"`, `"en_US.utf8"`.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `name(…)`: what the grammar calls a function expression; EXTRACT and its like are none.
fn is_call(text: &str) -> bool {
    let expression = condition::parse(text);
    let plain = text.split('(').next().is_some_and(|name| {
        !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    });
    plain
        && text.ends_with(')')
        && matches!(expression.kind, condition::ExpressionKind::Call { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{QualifiedName, ServerVersion};

    fn index(table: QualifiedName, keys: Vec<KeySpec>) -> IndexSpec {
        IndexSpec {
            table,
            table_oid: 1,
            method: Method::Btree,
            keys,
            include: Vec::new(),
            predicate: None,
            beside: Vec::new(),
        }
    }

    #[test]
    fn statements_are_quoted_and_names_fit() {
        let schema = Schema {
            server: ServerVersion(150_000),
            tables: Vec::new(),
            materialized_views: Vec::new(),
            types: Vec::new(),
        };
        let column = |name: &str| KeySpec::plain(Part::Column(name.to_owned()));
        let mut odd = index(
            QualifiedName::new("Shop", "Order Items"),
            vec![column("Größe"), column("order")],
        );
        odd.keys[1].descending = true;
        odd.keys[1].nulls = NullsOrder::Last;
        odd.include = vec!["Total".to_owned()];
        odd.predicate = Some("(status = 'open'::text)".to_owned());
        assert_eq!(
            statement(&odd, &[name(&odd, &schema)]),
            "CREATE INDEX \"idx_Order Items_Größe_order_covering_partial\" ON \"Shop\".\"Order Items\" \
             (\"Größe\", \"order\" DESC NULLS LAST) INCLUDE (\"Total\") WHERE (status = 'open'::text);"
        );
        let expression = |text: &str| KeySpec::plain(Part::Expression(text.to_owned()));
        let lower = index(
            QualifiedName::new("public", "customers"),
            vec![expression("lower((email)::text)")],
        );
        assert_eq!(
            statement(&lower, &[name(&lower, &schema)]),
            "CREATE INDEX idx_customers_lower_email ON customers (lower((email)::text));"
        );
        let json = index(
            QualifiedName::new("public", "events"),
            vec![expression("payload ->> 'kind'::text")],
        );
        assert_eq!(definition(&json), "ON events ((payload ->> 'kind'::text))");
        let mut trigrams = index(
            QualifiedName::new("public", "customers"),
            vec![column("name")],
        );
        trigrams.method = Method::Gin;
        trigrams.keys[0].operator_class = Some(TRIGRAMS.to_owned());
        assert_eq!(
            statement(&trigrams, &[name(&trigrams, &schema)]),
            "CREATE EXTENSION IF NOT EXISTS pg_trgm;\n\
             CREATE INDEX idx_customers_name_trgm ON customers USING gin (name gin_trgm_ops);"
        );
        let long = index(
            QualifiedName::new("public", "ä".repeat(31)),
            vec![column("x")],
        );
        assert!(name(&long, &schema).len() <= MAX_NAME);
    }
}
