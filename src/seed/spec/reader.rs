//! Reads spec files into [`Spec`].

use std::collections::HashMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{ColumnSpec, Place, RowsSpec, Spec, TableSpec};
use crate::source::{Source, SourceError, nearest};

pub(in crate::seed) const TABLE_KEYS: &[&str] = &["rows", "columns", "locale", "keep"];
pub(in crate::seed) const ROWS_KEYS: &[&str] =
    &["per", "mean", "skew", "column", "order", "children"];

pub(in crate::seed) const COLUMN_KEYS: &[&str] = &[
    "generator",
    "values",
    "null",
    "distinct",
    "skew",
    "min",
    "max",
    "from",
    "to",
    "correlation",
    "growth",
    "pattern",
    "value",
    "common",
    "histogram",
    "width",
    "depends-on",
    "template",
    "expression",
    "references",
];

type Value<'i> = Spanned<DeValue<'i>>;

type Key<'i> = Spanned<std::borrow::Cow<'i, str>>;

/// Reads spec files; every mistake of every file at once.
///
/// # Errors
/// Not TOML, an unknown key, a value of the wrong kind or outside its limits, a table or column twice.
pub fn parse(sources: &[Source]) -> Result<Spec, Vec<SourceError>> {
    let mut reader = Reader { errors: Vec::new() };
    let mut spec = Spec::default();
    for source in sources {
        reader.file(source, &mut spec);
    }
    let mut described: HashMap<&str, &TableSpec> = HashMap::new();
    for table in &spec.tables {
        let first = *described.entry(&table.name.text).or_insert(table);
        if !std::ptr::eq(first, table) {
            let (line, _) = first.name.source.line_column(first.name.span.start);
            reader.errors.push(
                table
                    .name
                    .error(format!("table {} is described twice", table.name.text))
                    .help(format!(
                        "it is described in {}:{line} as well; keep one",
                        first.name.source.path.display()
                    )),
            );
        }
    }
    if reader.errors.is_empty() {
        return Ok(spec);
    }
    reader.errors.sort_by(|a, b| {
        (&a.source_file.path, a.span.start).cmp(&(&b.source_file.path, b.span.start))
    });
    Err(reader.errors)
}

struct Reader {
    pub(super) errors: Vec<SourceError>,
}

fn place(source: &Source, key: &Key<'_>) -> Place {
    Place {
        text: key.get_ref().to_string(),
        source: source.clone(),
        span: key.span(),
    }
}

/// A value as Postgres would read it; `None` for tables and lists.
fn scalar_text(value: &DeValue<'_>) -> Option<String> {
    Some(match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str().to_owned(),
        DeValue::Integer(integer) => i128::from_str_radix(integer.as_str(), integer.radix())
            .ok()?
            .to_string(),
        DeValue::Float(float) => float.as_str().to_owned(),
        DeValue::Boolean(boolean) => boolean.to_string(),
        DeValue::Datetime(datetime) => datetime.to_string(),
        DeValue::Array(_) | DeValue::Table(_) => return None,
    })
}

impl Reader {
    fn file(&mut self, source: &Source, spec: &mut Spec) {
        let text = source.text.clone();
        let root = match DeTable::parse(&text) {
            Ok(root) => root,
            Err(error) => {
                let span = error.span().unwrap_or(0..0);
                self.errors
                    .push(SourceError::new(source, span, error.message().to_owned()));
                return;
            }
        };
        for (key, value) in root.get_ref() {
            if key.get_ref() != "tables" {
                self.unknown(source, key, &["tables"], "a seed spec");
                continue;
            }
            let Some(tables) = self.table(source, value, "`tables`") else {
                continue;
            };
            for (name, table) in tables {
                if let Some(table) = self.table_spec(source, name, table) {
                    spec.tables.push(table);
                }
            }
        }
    }

    fn table_spec(
        &mut self,
        source: &Source,
        name: &Key<'_>,
        value: &Value<'_>,
    ) -> Option<TableSpec> {
        let entries = self.table(source, value, &format!("table {}", name.get_ref()))?;
        let mut table = TableSpec {
            name: place(source, name),
            rows: None,
            locale: None,
            keep: None,
            columns: Vec::new(),
        };
        for (key, value) in entries {
            match key.get_ref().as_ref() {
                "rows" => table.rows = self.rows(source, value),
                "locale" => {
                    table.locale = self
                        .string(source, value, "locale")
                        .map(|place| (place.text.clone(), place));
                }
                "keep" => match value.get_ref() {
                    DeValue::Boolean(keep) => table.keep = Some(*keep),
                    _ => {
                        let _: Option<()> = self.missing(source, value, "`keep` is true or false");
                    }
                },
                "columns" => {
                    let Some(columns) = self.table(source, value, "`columns`") else {
                        continue;
                    };
                    for (name, value) in columns {
                        table.columns.extend(self.column(source, name, value));
                    }
                }
                _ => self.unknown(source, key, TABLE_KEYS, "a table"),
            }
        }
        Some(table)
    }

    pub(super) fn rows(&mut self, source: &Source, value: &Value<'_>) -> Option<RowsSpec> {
        if let DeValue::Integer(_) = value.get_ref() {
            return self
                .number(source, value, "rows", 0.0, 1e13)
                .map(|rows| RowsSpec::Count(rows as u64));
        }
        let entries = self.table(
            source,
            value,
            "`rows` (a number, or { per = \"parent\", mean = 10 })",
        )?;
        let (mut per, mut column, mut mean, mut skew, mut order, mut children) =
            (None, None, None, 0.0, None, None);
        for (key, value) in entries {
            match key.get_ref().as_ref() {
                "per" => per = self.string(source, value, "per"),
                "column" => column = self.string(source, value, "column"),
                "mean" => mean = self.number(source, value, "mean", 0.0, 1e9),
                "skew" => skew = self.number(source, value, "skew", 0.0, 5.0).unwrap_or(0.0),
                "order" => order = self.order(source, value),
                "children" => children = self.children(source, value),
                _ => self.unknown(source, key, ROWS_KEYS, "`rows`"),
            }
        }
        // The mean of a histogram of counts is that of its neighbours' middles.
        let of_children = children.as_ref().map(|counts: &Vec<f64>| {
            counts
                .windows(2)
                .map(|pair| (pair[0] + pair[1]) / 2.0)
                .sum::<f64>()
                / (counts.len() - 1) as f64
        });
        match (per, of_children.or(mean)) {
            (Some(table), Some(mean)) => Some(RowsSpec::Per {
                table,
                column,
                mean,
                skew,
                order,
                children,
            }),
            (None, _) => self.missing(source, value, "`rows` lacks `per`, the parent table"),
            (Some(_), None) => self.missing(
                source,
                value,
                "`rows` lacks `mean`, the rows for each row of the parent",
            ),
        }
    }

    fn children(&mut self, source: &Source, value: &Value<'_>) -> Option<Vec<f64>> {
        let DeValue::Array(items) = value.get_ref() else {
            return self.missing(source, value, "`children` is a list of counts");
        };
        let counts: Vec<f64> = items
            .iter()
            .map(|item| self.number(source, item, "a count", 0.0, 1e12))
            .collect::<Option<_>>()?;
        if counts.len() < 2 || counts.windows(2).any(|pair| pair[0] > pair[1]) {
            return self.missing(
                source,
                value,
                "`children` is at least two counts, from the fewest to the most",
            );
        }
        Some(counts)
    }

    fn order(
        &mut self,
        source: &Source,
        value: &Value<'_>,
    ) -> Option<crate::seed::distribution::Order> {
        let place = self.string(source, value, "order")?;
        match place.text.as_str() {
            "parent" => Some(crate::seed::distribution::Order::ByGroup),
            "random" => Some(crate::seed::distribution::Order::Scattered),
            other => {
                self.errors.push(place.error(format!(
                    "`order` is \"parent\" or \"random\", not \"{other}\""
                )));
                None
            }
        }
    }

    fn column(&mut self, source: &Source, name: &Key<'_>, value: &Value<'_>) -> Option<ColumnSpec> {
        let entries = self.table(source, value, &format!("column {}", name.get_ref()))?;
        let mut column = ColumnSpec::new(place(source, name));
        for (key, value) in entries {
            match key.get_ref().as_ref() {
                "generator" => column.generator = self.string(source, value, "generator"),
                "pattern" => column.pattern = self.string(source, value, "pattern"),
                "values" => column.values = self.values(source, value),
                "null" => column.null = self.number(source, value, "null", 0.0, 1.0),
                "distinct" => {
                    column.distinct = self
                        .number(source, value, "distinct", 1.0, 1e15)
                        .map(|n| n as u64)
                }
                "skew" => column.skew = self.number(source, value, "skew", 0.0, 5.0),
                "min" | "from" => column.min = self.bound(source, value),
                "max" | "to" => column.max = self.bound(source, value),
                "correlation" => {
                    column.correlation = self.number(source, value, "correlation", -1.0, 1.0)
                }
                "growth" => column.growth = self.number(source, value, "growth", 0.0, 100.0),
                "value" => column.value = scalar_text(value.get_ref()),
                "common" => column.common = self.common(source, value),
                "histogram" => column.histogram = self.histogram(source, value),
                "width" => {
                    column.width = self
                        .number(source, value, "width", 1.0, 1e8)
                        .map(|n| n as u32)
                }
                "depends-on" => column.depends_on = self.string(source, value, "depends-on"),
                "template" => column.template = self.string(source, value, "template"),
                "expression" => column.expression = self.string(source, value, "expression"),
                "references" => column.references = self.string(source, value, "references"),
                _ => self.unknown(source, key, COLUMN_KEYS, "a column"),
            }
        }
        Some(column)
    }

    fn values(&mut self, source: &Source, value: &Value<'_>) -> Option<Vec<(String, f64)>> {
        let values: Vec<(String, f64)> = match value.get_ref() {
            DeValue::Array(items) => items
                .iter()
                .filter_map(|item| scalar_text(item.get_ref()))
                .map(|text| (text, 1.0))
                .collect(),
            DeValue::Table(entries) => entries
                .iter()
                .filter_map(|(key, weight)| {
                    let weight = self.number(source, weight, "a value's weight", 0.0, 1e15)?;
                    Some((key.get_ref().to_string(), weight))
                })
                .collect(),
            _ => {
                return self.missing(
                    source,
                    value,
                    "`values` is a list, or a table of values and their weights",
                );
            }
        };
        if values.iter().all(|(_, weight)| *weight <= 0.0) {
            return self.missing(source, value, "`values` has nothing that may come");
        }
        Some(values)
    }

    fn common(&mut self, source: &Source, value: &Value<'_>) -> Option<Vec<(String, f64)>> {
        let values = self.values(source, value)?;
        let sum: f64 = values.iter().map(|(_, share)| share).sum();
        if sum > 1.0 + 1e-9 {
            return self.missing(
                source,
                value,
                "the shares of `common` add up to more than 1",
            );
        }
        Some(values)
    }

    fn histogram(&mut self, source: &Source, value: &Value<'_>) -> Option<Vec<String>> {
        let bounds: Vec<String> = match value.get_ref() {
            DeValue::Array(items) => items
                .iter()
                .filter_map(|item| scalar_text(item.get_ref()))
                .collect(),
            _ => Vec::new(),
        };
        if bounds.len() < 2 {
            return self.missing(
                source,
                value,
                "`histogram` is a list of at least two bounds",
            );
        }
        Some(bounds)
    }

    fn bound(&mut self, source: &Source, value: &Value<'_>) -> Option<(String, Place)> {
        let place = Place {
            text: String::new(),
            source: source.clone(),
            span: value.span(),
        };
        match scalar_text(value.get_ref()) {
            Some(text) => Some((text, place)),
            None => {
                self.errors
                    .push(place.error("a bound is a number, a date or a string"));
                None
            }
        }
    }

    fn table<'a, 'i>(
        &mut self,
        source: &Source,
        value: &'a Value<'i>,
        what: &str,
    ) -> Option<&'a DeTable<'i>> {
        match value.get_ref() {
            DeValue::Table(table) => Some(table),
            _ => self.missing(source, value, &format!("{what} must be a table")),
        }
    }

    fn string(&mut self, source: &Source, value: &Value<'_>, what: &str) -> Option<Place> {
        match value.get_ref() {
            DeValue::String(text) => Some(Place {
                text: text.to_string(),
                source: source.clone(),
                span: value.span(),
            }),
            _ => self.missing(source, value, &format!("`{what}` must be a string")),
        }
    }

    fn number(
        &mut self,
        source: &Source,
        value: &Value<'_>,
        what: &str,
        low: f64,
        high: f64,
    ) -> Option<f64> {
        let number = match value.get_ref() {
            DeValue::Integer(integer) => i128::from_str_radix(integer.as_str(), integer.radix())
                .ok()
                .map(|integer| integer as f64),
            DeValue::Float(float) => float.as_str().parse().ok(),
            _ => None,
        };
        match number {
            Some(number) if (low..=high).contains(&number) => Some(number),
            Some(_) => self.missing(
                source,
                value,
                &format!("{what} must be between {low} and {high}"),
            ),
            None => self.missing(source, value, &format!("{what} must be a number")),
        }
    }

    fn missing<T>(&mut self, source: &Source, value: &Value<'_>, message: &str) -> Option<T> {
        self.errors
            .push(SourceError::new(source, value.span(), message));
        None
    }

    fn unknown(&mut self, source: &Source, key: &Key<'_>, known: &[&str], what: &str) {
        let error = SourceError::new(
            source,
            key.span(),
            format!("{what} has no key `{}`", key.get_ref()),
        );
        self.errors
            .push(match nearest(key.get_ref(), known.iter().copied()) {
                Some(near) => error.help(format!("did you mean `{near}`?")),
                None => error.help(format!("its keys are {}", known.join(", "))),
            });
    }
}
