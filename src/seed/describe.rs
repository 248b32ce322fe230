//! A plan as a seed spec: every table and column with what was inferred for it, commented, for a person to edit. What
//! follows from the schema alone (keys, foreign keys, generated columns) is a comment.

use std::fmt::Write as _;

use super::distribution::Order;
use super::encode::ScalarEncoding;
use super::infer::types::{TypeClass, classify};
use super::plan::{
    ColumnPlan, Fill, Generator, Link, LinkChoice, Nulls, Scalar, ScalarSource, SeedPlan, TablePlan, TextSource,
};
use super::text;
use crate::schema::{Column, QualifiedName, Schema, Table};

/// The spec of a whole plan, as one TOML file.
#[must_use]
pub fn describe(schema: &Schema, plan: &SeedPlan) -> String {
    let mut out = String::from(
        "# What the tables hold. Everything here was inferred from the schema and can be edited or removed; what is\n\
         # removed is inferred again. A table's `rows` is a number, or a mean number for each row of a parent:\n\
         #     rows = { per = \"customers\", mean = 10, skew = 0.8 }\n\
         # A column takes generator, values, null, distinct, skew, min, max (from, to), correlation, growth, pattern, value,\n\
         # common, histogram, width, depends-on, template, expression: docs/seeding.md says what each of them means.\n",
    );
    for table in &plan.tables {
        if let Some(introspected) = schema.table_by_oid(table.oid) {
            describe_table(schema, introspected, plan, table, &mut out);
        }
    }
    out
}

fn describe_table(schema: &Schema, table: &Table, plan: &SeedPlan, planned: &TablePlan, out: &mut String) {
    let header = header(&table.name);
    // Writing to a string cannot fail.
    let _ = write!(out, "\n[{header}]\n");
    if planned.fill == Fill::Keep {
        let _ = writeln!(out, "# Holds {} rows that the migrations made: they are used and kept.", planned.rows);
        return;
    }
    let by_group = |link: &&Link| {
        matches!(&link.choice, LinkChoice::Grouped(grouping) if grouping.order() == Order::ByGroup)
            && link.parent_rows > 0
    };
    let grouped = planned.links.iter().find(by_group);
    let _ = match grouped {
        Some(link) => {
            let mean = planned.rows as f64 / link.parent_rows as f64;
            writeln!(out, "rows = {{ per = {}, mean = {mean:.2} }}", string(&plan.tables[link.parent].name.name))
        }
        None => writeln!(out, "rows = {}", planned.rows),
    };
    for doubt in &planned.doubts {
        let _ = writeln!(out, "# Constraint {} was not understood: {}", doubt.constraint, one_line(&doubt.expression));
    }
    let _ = writeln!(out, "[{header}.columns]");
    for column in &table.columns {
        match planned.columns.iter().find(|planned| planned.name == column.name) {
            Some(planned_column) => describe_column(schema, column, plan, planned, planned_column, out),
            None => {
                let why = if column.generated.is_some() { "generated" } else { "left at its default" };
                let _ = writeln!(out, "# {}: {}, {why}", column.name, column.data_type.name);
            }
        }
    }
}

fn describe_column(
    schema: &Schema,
    column: &Column,
    plan: &SeedPlan,
    table: &TablePlan,
    planned: &ColumnPlan,
    out: &mut String,
) {
    let mut knobs: Vec<String> = Vec::new();
    let class = classify(schema, &column.data_type);
    let said = knobs_of(&class, planned, &mut knobs);
    if let Nulls::Share { share, .. } = planned.nulls {
        knobs.push(format!("null = {share}"));
    }
    let type_name = &column.data_type.name;
    let note = match &planned.generator {
        Generator::Parent { link, .. } => {
            let link = &table.links[*link];
            if link.null_share > 0.0 {
                knobs.push(format!("null = {}", link.null_share));
            }
            if let LinkChoice::Skewed { .. } = link.choice {
                knobs.push("skew = 0.5".to_owned());
            }
            format!("{type_name}, references {}", plan.tables[link.parent].name)
        }
        _ if !said => format!("{type_name}, {}", kind_of(&planned.generator)),
        _ => type_name.clone(),
    };
    let _ = if knobs.is_empty() {
        writeln!(out, "# {}: {note}", one_line(&column.name))
    } else {
        writeln!(out, "{} = {{ {} }} # {note}", key(&column.name), knobs.join(", "))
    };
}

/// What the spec can say of a generator; `false` where it can say nothing.
fn knobs_of(class: &TypeClass, planned: &ColumnPlan, knobs: &mut Vec<String>) -> bool {
    if let Some(choices) = &planned.choices {
        let values: Vec<String> = choices.iter().map(|(text, weight)| format!("{} = {weight:.3}", key(text))).collect();
        knobs.push(format!("values = {{ {} }}", values.join(", ")));
        return true;
    }
    match &planned.generator {
        Generator::Text(text) => match &text.source {
            TextSource::Registered(generator) => knobs.push(format!("generator = {}", string(generator.name))),
            TextSource::Pattern(pattern) => {
                knobs.push(format!("generator = \"regex\", pattern = {}", string(&pattern.source)));
            }
            TextSource::Template(_) | TextSource::Bounds(_) => return false,
        },
        Generator::Scalar(scalar) => return scalar_knobs(class, scalar, knobs),
        _ => return false,
    }
    true
}

fn scalar_knobs(class: &TypeClass, scalar: &Scalar, knobs: &mut Vec<String>) -> bool {
    let shown = |number: i64| {
        let mut cell = Vec::new();
        scalar.encoding.write(number, &mut cell);
        let mut text = String::new();
        let _ = text::write(&cell, class.base(), 1114, &mut text);
        text
    };
    // What follows another time is placed by it.
    if matches!(scalar.encoding, ScalarEncoding::Timestamp | ScalarEncoding::Date) && !scalar.bounds.is_empty() {
        return false;
    }
    let (low, high) = match &scalar.source {
        ScalarSource::Range { low, high, .. }
        | ScalarSource::LowHeavy { low, high, .. }
        | ScalarSource::Placed { low, high, .. } => (*low, *high),
        ScalarSource::Listed { values, weights } if scalar.encoding == ScalarEncoding::Bool => {
            let truth = |value: &i64| if *value == 0 { "false" } else { "true" };
            let shares = values.iter().zip(weights.shares());
            let shown: Vec<String> = shares.map(|(value, share)| format!("{} = {share:.3}", truth(value))).collect();
            knobs.push(format!("values = {{ {} }}", shown.join(", ")));
            return true;
        }
        _ => return false,
    };
    let bound = |text: String| if text.parse::<f64>().is_ok() { text } else { string(&text) };
    let time = matches!(scalar.encoding, ScalarEncoding::Timestamp | ScalarEncoding::Date);
    let (from, to) = if time { ("from", "to") } else { ("min", "max") };
    knobs.push(format!("{from} = {}, {to} = {}", bound(shown(low)), bound(shown(high))));
    if let ScalarSource::Placed { stray, growth, .. } = &scalar.source {
        let correlation = 1.0 / (1.0 + 4.0 * stray * stray).sqrt();
        knobs.push(format!("correlation = {correlation:.3}"));
        if let Some(growth) = growth {
            knobs.push(format!("growth = {}", growth.rate()));
        }
    }
    true
}

fn kind_of(generator: &Generator) -> &'static str {
    match generator {
        Generator::Scalar(scalar) => match scalar.source {
            ScalarSource::Sequence { .. } => "counted",
            ScalarSource::After { .. } => "some time after another column",
            ScalarSource::Ordinal { .. } | ScalarSource::Digit { .. } | ScalarSource::Slot { .. } => "part of a key",
            ScalarSource::Listed { .. } => "one of a list",
            ScalarSource::Mixed { .. }
            | ScalarSource::Histogram { .. }
            | ScalarSource::Range { .. }
            | ScalarSource::LowHeavy { .. }
            | ScalarSource::Placed { .. } => "a number",
        },
        Generator::Text(_) => "text",
        Generator::Choice(_) | Generator::Mixed { .. } => "one of a list",
        Generator::Stored(_) => "as stored",
        Generator::Parent { .. } => "a foreign key",
        Generator::Uuid => "random",
        Generator::Constant(_) => "always the same",
        Generator::Inet { .. } | Generator::Mac { .. } => "an address",
        Generator::Bytes { .. } | Generator::Bits { .. } => "random bytes or bits",
        Generator::Geometry(_) => "a figure",
        Generator::Array { .. } => "some elements",
        Generator::Composite { .. } => "a row of values",
        Generator::Range { .. } | Generator::Span(_) | Generator::Multirange { .. } => "a range",
        Generator::TextSearch | Generator::TextQuery => "some words",
        Generator::Json { .. } => "a small document",
        Generator::Pairs => "some pairs",
        Generator::System(_) => "of its type",
        Generator::Formula { .. } => "computed from other columns",
    }
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

fn string(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A table's header in a spec: `tables.orders`, `tables."shop.orders"`.
pub(crate) fn header(table: &QualifiedName) -> String {
    let name =
        if table.schema == "public" { key(&table.name) } else { key(&format!("{}.{}", table.schema, table.name)) };
    format!("tables.{name}")
}

/// A key of a spec, quoted where it must be.
pub(crate) fn key(text: &str) -> String {
    let bare = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if bare { text.to_owned() } else { quoted_key(text) }
}

/// A key is a basic string on one line.
fn quoted_key(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
