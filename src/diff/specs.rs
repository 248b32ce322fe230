//! Seed specs describe the newest schema: for an older one what it lacks is left out of them. Pure.

use crate::schema::Schema;
use crate::source::Source;

/// A spec file without the tables and columns that a schema lacks; as it is where it lacks none.
#[must_use]
pub fn fitting(source: &Source, schema: &Schema) -> Source {
    let Ok(mut file) = source.text.parse::<toml::Table>() else {
        return source.clone();
    };
    let Some(toml::Value::Table(tables)) = file.get_mut("tables") else {
        return source.clone();
    };
    let mut dropped = 0;
    let find = |name: &str| match name.rsplit_once('.') {
        Some((namespace, name)) => schema.table(Some(namespace), name),
        None => schema.table(None, name),
    };
    tables.retain(|name, _| {
        let known = find(name).is_some();
        dropped += usize::from(!known);
        known
    });
    for (name, table) in tables.iter_mut() {
        let (Some(known), Some(spec)) = (find(name), table.as_table_mut()) else {
            continue;
        };
        if let Some(toml::Value::Table(columns)) = spec.get_mut("columns") {
            columns.retain(|column, _| {
                let there = known.column(column).is_some();
                dropped += usize::from(!there);
                there
            });
        }
        let parent = spec
            .get("rows")
            .and_then(|rows| rows.get("per"))
            .and_then(toml::Value::as_str);
        if parent.is_some_and(|parent| find(parent).is_none()) {
            spec.remove("rows");
            dropped += 1;
        }
    }
    match (dropped, toml::to_string(&file)) {
        (0, _) | (_, Err(_)) => source.clone(),
        (_, Ok(text)) => Source::new(&source.path, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> Schema {
        Schema {
            server: crate::schema::ServerVersion(150_000),
            tables: Vec::new(),
            materialized_views: Vec::new(),
            types: Vec::new(),
        }
    }

    #[test]
    fn what_no_table_has_is_left_out() {
        let text = "[tables.orders]\nrows = 5\n";
        let source = Source::new("seeds/a.toml", text);
        assert_eq!(&*fitting(&source, &empty()).text, "[tables]\n");
        // What cannot be read is the spec reader's to refuse.
        let broken = Source::new("seeds/a.toml", "[tables");
        assert_eq!(fitting(&broken, &empty()), broken);
    }
}
