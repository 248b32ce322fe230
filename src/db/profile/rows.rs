//! Rows of the statistics views as the model of a profile.

use std::collections::BTreeMap;

use tokio_postgres::Row;

use crate::profile::model::{
    ColumnStatistics, CommonCombination, Dependency, DistinctCombinations, ElementStatistics,
    ExtendedStatistics, IndexSize, RangeStatistics, Scope, Setting, TableStatistics,
};

/// Tables by OID, and to which of them their indexes belong.
pub(super) struct Relations {
    tables: Vec<(u32, TableStatistics)>,
    table_at: BTreeMap<u32, usize>,
    /// Table and index, by the index's OID.
    index_at: BTreeMap<u32, (usize, usize)>,
}

impl Relations {
    pub(super) fn of(rows: &[Row]) -> Self {
        let tables: Vec<(u32, TableStatistics)> = rows.iter().map(table).collect();
        let table_at = tables.iter().enumerate();
        Self {
            table_at: table_at.map(|(at, (oid, _))| (*oid, at)).collect(),
            tables,
            index_at: BTreeMap::new(),
        }
    }

    pub(super) fn table_oids(&self) -> Vec<u32> {
        self.tables.iter().map(|(oid, _)| *oid).collect()
    }

    /// Of tables and indexes.
    pub(super) fn oids(&self) -> Vec<u32> {
        let mut oids = self.table_oids();
        oids.extend(self.index_at.keys());
        oids
    }

    pub(super) fn add_indexes(&mut self, rows: &[Row]) {
        for row in rows {
            let Some(at) = self.table_at.get(&row.get("table_oid")).copied() else {
                continue;
            };
            let indexes = &mut self.tables[at].1.indexes;
            self.index_at.insert(row.get("oid"), (at, indexes.len()));
            indexes.push(IndexSize {
                name: row.get("name"),
                pages: row.get::<_, i64>("pages").unsigned_abs(),
                rows: row.get("rows"),
                expressions: Vec::new(),
            });
        }
    }

    pub(super) fn add_columns(&mut self, rows: &[Row]) {
        for row in rows {
            let oid: u32 = row.get("relation_oid");
            if let Some(at) = self.table_at.get(&oid) {
                self.tables[*at].1.columns.push(column(row));
            } else if let Some((table, index)) = self.index_at.get(&oid) {
                let index = &mut self.tables[*table].1.indexes[*index];
                index.expressions.push(column(row));
            }
        }
    }

    pub(super) fn add_extended(&mut self, rows: &[Row], expressions: &[Row]) {
        for row in rows {
            let Some(at) = self.table_at.get(&row.get("table_oid")).copied() else {
                continue;
            };
            let mut found = extended(row);
            let own = expressions.iter().filter(|row| {
                row.get::<_, &str>("schema") == found.schema
                    && row.get::<_, &str>("statistics_name") == found.name
                    && row.get::<_, bool>("inherited") == found.inherited
            });
            found.expressions = own.map(column).collect();
            self.tables[at].1.extended.push(found);
        }
    }

    pub(super) fn into_tables(self) -> Vec<TableStatistics> {
        self.tables.into_iter().map(|(_, table)| table).collect()
    }
}

fn table(row: &Row) -> (u32, TableStatistics) {
    let table = TableStatistics {
        schema: row.get("schema"),
        name: row.get("name"),
        pages: row.get::<_, i64>("pages").unsigned_abs(),
        rows: row.get("rows"),
        all_visible: row.get::<_, i64>("all_visible").unsigned_abs(),
        ..TableStatistics::default()
    };
    (row.get("oid"), table)
}

fn column(row: &Row) -> ColumnStatistics {
    let most_common = texts(row, "most_common").into_iter();
    ColumnStatistics {
        column: row.get("name"),
        inherited: row.get("inherited"),
        null_fraction: row.get("null_fraction"),
        average_width: row.get::<_, i32>("average_width").unsigned_abs(),
        distinct: row.get("distinct_values"),
        most_common: most_common.zip(numbers(row, "frequencies")).collect(),
        histogram: texts(row, "histogram"),
        correlation: row.get("correlation"),
        is_anchored: false,
        elements: elements(row),
        ranges: ranges(row),
    }
}

fn elements(row: &Row) -> Option<ElementStatistics> {
    let values = texts(row, "elements");
    let mut frequencies = numbers(row, "element_frequencies");
    let counts = numbers(row, "element_counts");
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

fn ranges(row: &Row) -> Option<RangeStatistics> {
    let found = RangeStatistics {
        lengths: texts(row, "range_lengths"),
        empty_fraction: row.get("range_empty"),
        bounds: texts(row, "range_bounds"),
    };
    (found != RangeStatistics::default()).then_some(found)
}

fn texts(row: &Row, name: &str) -> Vec<String> {
    row.get::<_, Option<Vec<String>>>(name).unwrap_or_default()
}

fn numbers(row: &Row, name: &str) -> Vec<f32> {
    row.get::<_, Option<Vec<f32>>>(name).unwrap_or_default()
}

fn extended(row: &Row) -> ExtendedStatistics {
    let columns = texts(row, "columns");
    let numbers: Vec<i16> = row.get("numbers");
    let mut parts = columns.clone();
    parts.extend(texts(row, "expressions"));
    // Columns by their numbers, expressions as -1, -2…
    let part = |number: i16| match number {
        ..0 => Some(columns.len() + usize::from(number.unsigned_abs()) - 1),
        _ => numbers.iter().position(|own| *own == number),
    };
    let entries = |name: &str| parsed(row, name).into_iter();
    let distinct = entries("distinct_values").filter_map(|(key, distinct)| {
        Some(DistinctCombinations {
            parts: parts_of(&key, part)?,
            distinct,
        })
    });
    let dependencies = entries("dependencies").filter_map(|(key, degree)| {
        let (from, to) = key.split_once("=>")?;
        Some(Dependency {
            from: parts_of(from, part)?,
            to: part(to.trim().parse().ok()?)?,
            degree,
        })
    });
    ExtendedStatistics {
        schema: row.get("schema"),
        name: row.get("name"),
        inherited: row.get("inherited"),
        columns: columns.len(),
        distinct: distinct.collect(),
        dependencies: dependencies.collect(),
        most_common: combinations(row),
        expressions: Vec::new(),
        parts,
    }
}

/// `{"1, 2": 30}` and `{"1 => 2": 0.5}`, in the order in which they are printed.
fn parsed(row: &Row, name: &str) -> Vec<(String, f64)> {
    let text: Option<String> = row.get(name);
    let object: serde_json::Map<String, serde_json::Value> = text
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let entries = object.into_iter();
    entries
        .filter_map(|(key, value)| Some((key, value.as_f64()?)))
        .collect()
}

fn parts_of(key: &str, part: impl Fn(i16) -> Option<usize>) -> Option<Vec<usize>> {
    let numbers = key.split(',');
    numbers
        .map(|number| part(number.trim().parse().ok()?))
        .collect()
}

fn combinations(row: &Row) -> Vec<CommonCombination> {
    let text: Option<String> = row.get("most_common");
    let values: Vec<Vec<Option<String>>> = text
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let frequencies = |name: &str| {
        row.get::<_, Option<Vec<f64>>>(name)
            .unwrap_or_default()
            .into_iter()
    };
    values
        .into_iter()
        .zip(frequencies("frequencies").zip(frequencies("base_frequencies")))
        .map(|(values, (frequency, base_frequency))| CommonCombination {
            values,
            frequency,
            base_frequency,
        })
        .collect()
}

/// `work_mem=64MB`, and whose it is.
pub(super) fn role_setting(row: &Row) -> Option<Setting> {
    let entry: &str = row.get("entry");
    let (name, value) = entry.split_once('=')?;
    let role: Option<String> = row.get("role");
    let scope = match (role, row.get("in_database")) {
        (Some(role), true) => Scope::RoleInDatabase(role),
        (Some(role), false) => Scope::Role(role),
        (None, _) => Scope::Database,
    };
    Some(Setting {
        scope,
        name: name.to_owned(),
        value: value.to_owned(),
    })
}
