//! Statistics as `pg_dump --statistics-only` writes them: calls of `pg_restore_relation_stats` and `pg_restore_attribute_stats`
//! with pairs of names and values. Pure.

use std::collections::{BTreeMap, HashMap};

use super::model::{
    ColumnStatistics, ElementStatistics, IndexSize, Profile, RangeStatistics, TableStatistics,
};
use crate::schema::Schema;
use crate::source::{Source, SourceError};
use crate::sql::token::{LiteralKind, TokenKind, tokens};

/// Reads a dump. The schema says which relations are tables and which are indexes of them; what it does not have is left out and
/// listed.
///
/// # Errors
/// A file in which there is no such call.
pub fn parse(source: &Source, schema: &Schema) -> Result<Profile, SourceError> {
    let calls = calls(&source.text);
    if calls.is_empty() {
        let error = SourceError::new(source, 0..0, "there are no statistics in the file");
        return Err(error.help("`pg_dump --statistics-only` of PostgreSQL 18 or later writes them, also of older servers"));
    }
    let mut profile = Profile::default();
    let mut unknown: BTreeMap<String, usize> = BTreeMap::new();
    let mut tables: BTreeMap<(String, String), TableStatistics> = BTreeMap::new();
    for call in &calls {
        let (Some(schema_name), Some(name)) = (call.text("schemaname"), call.text("relname"))
        else {
            continue;
        };
        if let Some(version) = call.number("version") {
            profile.server_major = (version / 10_000.0) as u32;
        }
        let Some((table, index)) = relation(schema, schema_name, name) else {
            *unknown.entry(format!("{schema_name}.{name}")).or_default() += 1;
            continue;
        };
        let key = (schema_name.to_owned(), table.to_owned());
        let statistics = tables.entry(key).or_insert_with(|| TableStatistics {
            schema: schema_name.to_owned(),
            name: table.to_owned(),
            ..TableStatistics::default()
        });
        match index {
            None => call.add_to_table(statistics),
            Some(index) => call.add_to_index(statistics, index),
        }
    }
    profile.tables = tables.into_values().collect();
    for table in &mut profile.tables {
        table.columns.sort_by(|one, other| {
            (&one.column, one.inherited).cmp(&(&other.column, other.inherited))
        });
        table
            .indexes
            .sort_by(|one, other| one.name.cmp(&other.name));
    }
    profile.not_read = unknown
        .into_keys()
        .map(|name| format!("{name}: the schema of the migrations has no such relation"))
        .collect();
    profile
        .not_read
        .push("settings and calls of statements: a dump of statistics has none".to_owned());
    Ok(profile)
}

/// A relation's table, and the index's name if it is one.
fn relation<'n>(
    schema: &'n Schema,
    schema_name: &str,
    name: &'n str,
) -> Option<(&'n str, Option<&'n str>)> {
    let relations = schema.tables.iter().chain(&schema.materialized_views);
    for table in relations.filter(|table| table.name.schema == schema_name) {
        if table.name.name == name {
            return Some((&table.name.name, None));
        }
        if table.indexes.iter().any(|index| index.name == name) {
            return Some((&table.name.name, Some(name)));
        }
    }
    None
}

/// The named values of a call.
struct Call(HashMap<String, String>);

/// Every call of a function that restores statistics.
fn calls(text: &str) -> Vec<Call> {
    let mut found = Vec::new();
    let all = tokens(text);
    let mut at = 0;
    while at < all.len() {
        let word = &text[all[at].span.clone()];
        at += 1;
        if !matches!(
            word,
            "pg_restore_relation_stats" | "pg_restore_attribute_stats"
        ) {
            continue;
        }
        let mut literals = Vec::new();
        while at < all.len() && all[at].kind != TokenKind::Semi {
            if let TokenKind::Literal { kind } = all[at].kind
                && let Some(value) = string(kind, &text[all[at].span.clone()])
            {
                literals.push(value);
            }
            at += 1;
        }
        let pairs = literals.chunks_exact(2);
        found.push(Call(
            pairs
                .map(|pair| (pair[0].clone(), pair[1].clone()))
                .collect(),
        ));
    }
    found
}

/// A string's value; `None` for numbers, which stand in no call.
fn string(kind: LiteralKind, text: &str) -> Option<String> {
    let open = text.find('\'')?;
    let inner = text.get(open + 1..)?.strip_suffix('\'')?.replace("''", "'");
    match kind {
        LiteralKind::EscStr { .. } => Some(inner.replace("\\\\", "\\")),
        LiteralKind::Str { .. } => Some(inner),
        _ => None,
    }
}

impl Call {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn number(&self, name: &str) -> Option<f64> {
        self.text(name)?.parse().ok()
    }

    fn share(&self, name: &str) -> Option<f32> {
        self.text(name)?.parse().ok()
    }

    fn texts(&self, name: &str) -> Vec<String> {
        self.text(name).map(array).unwrap_or_default()
    }

    fn shares(&self, name: &str) -> Vec<f32> {
        let texts = self.texts(name);
        texts.iter().filter_map(|text| text.parse().ok()).collect()
    }

    fn pages(&self, name: &str) -> u64 {
        self.number(name).map_or(0, |pages| pages.max(0.0) as u64)
    }

    fn rows(&self) -> Option<f64> {
        self.number("reltuples").filter(|rows| *rows >= 0.0)
    }

    fn add_to_table(&self, table: &mut TableStatistics) {
        match self.text("attname") {
            Some(column) => table.columns.push(self.column(column)),
            None => {
                table.pages = self.pages("relpages");
                table.rows = self.rows();
                table.all_visible = self.pages("relallvisible");
            }
        }
    }

    fn add_to_index(&self, table: &mut TableStatistics, name: &str) {
        let known = table.indexes.iter().position(|index| index.name == name);
        let at = known.unwrap_or_else(|| {
            table.indexes.push(IndexSize {
                name: name.to_owned(),
                ..IndexSize::default()
            });
            table.indexes.len() - 1
        });
        let index = &mut table.indexes[at];
        match self.text("attname").or_else(|| self.text("attnum")) {
            Some(expression) => index.expressions.push(self.column(expression)),
            None => (index.pages, index.rows) = (self.pages("relpages"), self.rows()),
        }
    }

    fn column(&self, name: &str) -> ColumnStatistics {
        let common = self.texts("most_common_vals").into_iter();
        ColumnStatistics {
            column: name.to_owned(),
            inherited: matches!(self.text("inherited"), Some("t" | "true")),
            null_fraction: self.share("null_frac").unwrap_or(0.0),
            average_width: self.number("avg_width").map_or(0, |width| width as u32),
            distinct: self.share("n_distinct").unwrap_or(0.0),
            most_common: common.zip(self.shares("most_common_freqs")).collect(),
            histogram: self.texts("histogram_bounds"),
            correlation: self.share("correlation"),
            is_anchored: false,
            elements: self.elements(),
            ranges: self.ranges(),
        }
    }

    fn elements(&self) -> Option<ElementStatistics> {
        let values = self.texts("most_common_elems");
        let mut frequencies = self.shares("most_common_elem_freqs");
        let counts = self.shares("elem_count_histogram");
        if values.is_empty() && counts.is_empty() {
            return None;
        }
        let frequency_bounds = frequencies.split_off(values.len().min(frequencies.len()));
        Some(ElementStatistics {
            most_common: values.into_iter().zip(frequencies).collect(),
            frequency_bounds,
            counts,
        })
    }

    fn ranges(&self) -> Option<RangeStatistics> {
        let found = RangeStatistics {
            lengths: self.texts("range_length_histogram"),
            empty_fraction: self.share("range_empty_frac"),
            bounds: self.texts("range_bounds_histogram"),
        };
        (found != RangeStatistics::default()).then_some(found)
    }
}

/// The elements of an array of one dimension, as the server prints it; NULL elements are left out.
fn array(text: &str) -> Vec<String> {
    let Some(inner) = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'))
    else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut element = String::new();
    let (mut is_quoted, mut was_quoted) = (false, false);
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => element.extend(characters.next()),
            '"' => {
                is_quoted = !is_quoted;
                was_quoted = true;
            }
            ',' if !is_quoted => {
                push(&mut found, std::mem::take(&mut element), was_quoted);
                was_quoted = false;
            }
            other => element.push(other),
        }
    }
    if !inner.is_empty() {
        push(&mut found, element, was_quoted);
    }
    found
}

fn push(found: &mut Vec<String>, element: String, was_quoted: bool) {
    if was_quoted || !element.eq_ignore_ascii_case("null") {
        found.push(element);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_are_read_as_the_server_prints_them() {
        assert_eq!(
            array(r#"{a,"b, c","d\"e",NULL,"NULL",""}"#),
            ["a", "b, c", "d\"e", "NULL", ""]
        );
        assert_eq!(array("{}"), Vec::<String>::new());
        assert_eq!(array("{1}"), ["1"]);
    }

    #[test]
    fn calls_are_pairs_of_strings() {
        let text = "SELECT * FROM pg_catalog.pg_restore_attribute_stats(\n\t'version', '180006'::integer,\n\t\
                    'schemaname', 'public',\n\t'relname', 'o''rders',\n\t'attname', 'note',\n\t'inherited', 'f'::boolean,\n\t\
                    'null_frac', '0.25'::real,\n\t'most_common_vals', E'{a\\\\\\\\b,c}'::text,\n\t\
                    'most_common_freqs', '{0.5,0.2}'::real[]\n);\nSELECT 'other', 'x';";
        let found = calls(text);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].text("relname"), Some("o'rders"));
        let column = found[0].column("note");
        assert_eq!((column.null_fraction, column.inherited), (0.25, false));
        assert_eq!(
            column.most_common,
            [("a\\b".to_owned(), 0.5), ("c".to_owned(), 0.2)]
        );
    }
}
