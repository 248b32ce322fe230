//! A plan as a seed spec: every table and column with what was inferred for it, commented, for a person to edit. What
//! follows from the schema alone (keys, foreign keys, generated columns) is a comment.

use std::fmt::Write as _;

use super::SeedError;
use super::distribution::Order;
use super::generators;
use super::plan::{
    ColumnPlan, Fill, Generator, Link, LinkChoice, Nulls, Scalar, ScalarSource, SeedPlan,
    TablePlan, TextSource,
};
use super::resolve::PLAIN;
use super::types::{ScalarEncoding, TypeClass, classify, text};
use crate::schema::{Column, QualifiedName, Schema, Table};

/// Every key of a spec, as an example each; a test parses them.
const EXAMPLES: &str = r#"[tables.orders]
rows   = 50_000                                              # multiplied by [dataset] scale
rows   = { per = "customers", mean = 10, skew = 0.8 }        # for each row of a parent; at 0.8 a few of them have most
rows   = { per = "customers", children = [0, 1, 1, 3, 90] }  # from the fewest to the most: a histogram of counts
rows   = { per = "customers", column = "buyer_id", mean = 2, order = "random" }   # which key, and where the rows lie
locale = "de_DE"                                             # names and places
keep   = true                                                # rows that migrations inserted stay alone, whatever `rows` says
[tables.orders.columns]
email       = { generator = "email", null = 0.1 }            # a tenth is NULL
city        = { generator = "city", distinct = 500, skew = 1.1 }       # 500 values, some of them hot
customer_id = { skew = 0.8, null = 0.05 }                    # a foreign key: hot parents
status      = { values = { paid = 0.9, open = 0.1 } }        # a list, with weights
channel     = { values = ["web", "shop"] }                   # a list, all alike
kind        = { value = "order" }                            # always the same
country     = { generator = "country_code", common = { US = 0.4, DE = 0.2 } }   # most common values, shares of all rows
amount      = { histogram = [0, 5, 20, 100, 5000] }          # as many rows between each two neighbours
quantity    = { min = 1, max = 20 }
placed_at   = { from = "2023-01-01", to = "2026-01-01", correlation = 0.99, growth = 0.5 }   # by row order, more of late
code        = { generator = "regex", pattern = "[A-Z]{2}-[0-9]{6}" }
note        = { generator = "paragraph", width = 900 }       # bytes of an average text
region      = { distinct = 60, depends-on = "country" }      # one value of country, one of region
handle      = { template = "{country}-{code}" }              # other columns
total       = { expression = "amount * quantity" }           # SQL over other columns
agent_id    = { references = "users.id" }                    # what no foreign key says; "none" where names mislead
"#;

fn commented(text: &str) -> String {
    text.lines().fold(String::new(), |mut out, line| {
        let _ = writeln!(out, "#     {line}");
        out
    })
}

/// What `generator` can be, in lines of a readable width.
fn generator_names() -> String {
    const WIDTH: usize = 116;
    let names = PLAIN
        .iter()
        .copied()
        .chain(generators::ALL.iter().map(|generator| generator.name));
    let (mut out, mut line) = (String::new(), String::from("# Generators:"));
    for name in names {
        if line.len() + name.len() + 2 > WIDTH {
            let _ = writeln!(out, "{line}");
            line = String::from("#    ");
        }
        let _ = write!(line, " {name}");
    }
    let _ = writeln!(out, "{line}");
    out
}

/// The spec of a whole plan, as one TOML file.
#[must_use]
pub fn describe(schema: &Schema, plan: &SeedPlan, errors: &[SeedError]) -> String {
    let mut out = format!(
        "# What the tables hold. Everything here was inferred from the schema: edit it, or remove it, and it is inferred again.\n\
         # A line that begins with # says what follows from keys and types; a column there takes every key of the others.\n#\n\
         {}#\n{}# More of each key: docs/seeding.md.\n",
        commented(EXAMPLES),
        generator_names(),
    );
    for table in &plan.tables {
        if let Some(introspected) = schema.table_by_oid(table.oid) {
            describe_table(schema, introspected, (plan, errors), table, &mut out);
        }
    }
    out
}

fn describe_table(
    schema: &Schema,
    table: &Table,
    (plan, errors): (&SeedPlan, &[SeedError]),
    planned: &TablePlan,
    out: &mut String,
) {
    let header = header(&table.name);
    // Writing to a string cannot fail.
    let _ = write!(out, "\n[{header}]\n");
    let name = table.name.to_string();
    let refused = errors.iter().filter_map(|error| match error {
        SeedError::Unsolvable {
            table,
            what,
            remedy,
        } if *table == name => Some((what, remedy)),
        SeedError::Unsolvable { .. }
        | SeedError::Spec(_)
        | SeedError::Unsettled
        | SeedError::UnknownTable { .. } => None,
    });
    for (what, remedy) in refused {
        let _ = writeln!(out, "# FILL IN: {}; {}", one_line(what), one_line(remedy));
    }
    if planned.fill == Fill::Keep {
        let _ = writeln!(
            out,
            "# Holds {} rows that the migrations made: they are used and kept.",
            planned.rows
        );
        return;
    }
    describe_rows(plan, planned, out);
    for opaque_check in &planned.opaque_checks {
        let _ = writeln!(
            out,
            "# Constraint {} was not understood: {}",
            opaque_check.constraint,
            one_line(match opaque_check.expression.is_empty() {
                true => &opaque_check.reason,
                false => &opaque_check.expression,
            })
        );
    }
    let _ = writeln!(out, "[{header}.columns]");
    for column in &table.columns {
        match planned
            .columns
            .iter()
            .find(|planned| planned.name == column.name)
        {
            Some(planned_column) => {
                describe_column(schema, column, plan, planned, planned_column, out)
            }
            None => {
                let why = if column.generated.is_some() {
                    "generated"
                } else {
                    "left at its default"
                };
                let _ = writeln!(out, "# {}: {}, {why}", column.name, column.data_type.name);
            }
        }
    }
}

/// `rows = 100`, or `rows = { per = "parent", mean = 3 }` where they are counted by a parent's.
fn describe_rows(plan: &SeedPlan, planned: &TablePlan, out: &mut String) {
    let by_group = |link: &&Link| {
        matches!(&link.choice, LinkChoice::Grouped(grouping) if grouping.order() == Order::ByGroup)
            && link.parent_rows > 0
    };
    let grouped = planned.links.iter().find(by_group);
    let _ = match grouped {
        Some(link) => {
            let mean = shortest(
                |mean| (link.parent_rows as f64 * mean).round() as u64 == planned.rows,
                || planned.rows as f64 / link.parent_rows as f64,
            );
            writeln!(
                out,
                "rows = {{ per = {}, mean = {mean} }}",
                string(&spoken(&plan.tables[link.parent].name))
            )
        }
        None => writeln!(out, "rows = {}", planned.there + planned.rows),
    };
}

/// A number with as few decimals as mean the same.
fn shortest(same: impl Fn(f64) -> bool, exact: impl Fn() -> f64) -> String {
    (2..12)
        .map(|decimals| format!("{:.decimals$}", exact()))
        .find(|text| text.parse().is_ok_and(&same))
        .unwrap_or_else(|| exact().to_string())
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
    // What its constraints make of it in some rows would no longer be made of a generator that the spec names.
    let is_decided =
        said && planned.choices.is_none() && constraints_decide(&class, planned, &knobs);
    if is_decided {
        knobs.clear();
    }
    if let Nulls::Share { share, .. } = planned.nulls {
        let measured = column.stats.as_ref().map(|stats| stats.null_fraction);
        knobs.push(match measured {
            Some(share) => format!("null = {share:.3}"),
            None => format!("null = {share}"),
        });
    }
    if let (true, Some(distinct)) = (
        said && !is_decided && planned.choices.is_none(),
        measured_distinct(column, table.rows),
    ) {
        knobs.push(format!("distinct = {distinct}"));
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
        _ if is_decided => format!("{type_name}, as its constraints allow"),
        _ if !said => format!("{type_name}, {}", kind_of(&planned.generator)),
        _ => type_name.clone(),
    };
    let _ = if knobs.is_empty() {
        writeln!(out, "# {}: {note}", one_line(&column.name))
    } else {
        writeln!(
            out,
            "{} = {{ {} }} # {note}",
            key(&column.name),
            knobs.join(", ")
        )
    };
}

/// Whether a column holds something else in some variants of its table than what is written of it.
fn constraints_decide(class: &TypeClass, planned: &ColumnPlan, written: &[String]) -> bool {
    let arms = planned.arms.iter().flat_map(|arms| arms.plans.iter());
    arms.into_iter().any(|arm| {
        let mut knobs = Vec::new();
        knobs_of(class, arm, &mut knobs);
        knobs != written
    })
}

/// How many different values a column has by the server's statistics; `None` where nearly every row has its own.
fn measured_distinct(column: &Column, rows: u64) -> Option<u64> {
    let distinct = column.stats.as_ref()?.distinct;
    let count = if distinct < 0.0 {
        -distinct * rows as f64
    } else {
        distinct
    };
    (count >= 1.0 && count < 0.9 * rows as f64).then_some(count as u64)
}

/// What the spec can say of a generator; `false` where it can say nothing.
fn knobs_of(class: &TypeClass, planned: &ColumnPlan, knobs: &mut Vec<String>) -> bool {
    if let Some(choices) = &planned.choices {
        let values: Vec<String> = choices
            .iter()
            .map(|(text, weight)| format!("{} = {weight:.3}", key(text)))
            .collect();
        knobs.push(format!("values = {{ {} }}", values.join(", ")));
        return true;
    }
    match &planned.generator {
        Generator::Text(text) => match &text.source {
            TextSource::Registered(generator) => {
                knobs.push(format!("generator = {}", string(generator.name)))
            }
            TextSource::Pattern(pattern) => {
                knobs.push(format!(
                    "generator = \"regex\", pattern = {}",
                    string(&pattern.source)
                ));
            }
            TextSource::Template(_) | TextSource::Bounds(_) | TextSource::Shape(_) => return false,
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
    // What is compared with another column lies where that one lets it.
    if scalar.bounds.iter().any(|bound| !bound.terms.is_empty()) {
        return false;
    }
    let (low, high) = match &scalar.source {
        ScalarSource::Range { low, high, .. }
        | ScalarSource::LowHeavy { low, high, .. }
        | ScalarSource::Placed { low, high, .. } => (*low, *high),
        ScalarSource::Listed { values, weights } if scalar.encoding == ScalarEncoding::Bool => {
            let truth = |value: &i64| if *value == 0 { "false" } else { "true" };
            let shares = values.iter().zip(weights.shares());
            let shown: Vec<String> = shares
                .map(|(value, share)| format!("{} = {share:.3}", truth(value)))
                .collect();
            knobs.push(format!("values = {{ {} }}", shown.join(", ")));
            return true;
        }
        _ => return false,
    };
    let bound = |text: String| {
        if text.parse::<f64>().is_ok() {
            text
        } else {
            string(&text)
        }
    };
    let time = matches!(
        scalar.encoding,
        ScalarEncoding::Timestamp | ScalarEncoding::Date
    );
    let (from, to) = if time { ("from", "to") } else { ("min", "max") };
    knobs.push(format!(
        "{from} = {}, {to} = {}",
        bound(shown(low)),
        bound(shown(high))
    ));
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
            ScalarSource::Ordinal { .. }
            | ScalarSource::Digit { .. }
            | ScalarSource::Slot { .. } => "part of a key",
            ScalarSource::Listed { .. } => "one of a list",
            ScalarSource::Mixed { .. }
            | ScalarSource::Histogram { .. }
            | ScalarSource::Shape(_)
            | ScalarSource::Range { .. }
            | ScalarSource::LowHeavy { .. }
            | ScalarSource::Placed { .. } => "a number",
        },
        Generator::Text(_) => "text",
        Generator::Choice(_) | Generator::Mixed { .. } => "one of a list",
        Generator::Named { rest, .. } => kind_of(rest),
        Generator::Stored(_) => "as stored",
        Generator::Parent { .. } => "a foreign key",
        Generator::Uuid => "random",
        Generator::Constant(_) => "always the same",
        Generator::Copy { .. } => "as another column",
        Generator::Extreme { .. } => "in order with another column",
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
    format!("tables.{}", key(&spoken(table)))
}

/// A table as a spec names it.
fn spoken(table: &QualifiedName) -> String {
    if table.schema == "public" {
        table.name.clone()
    } else {
        format!("{}.{}", table.schema, table.name)
    }
}

/// A key of a spec, quoted where it must be.
pub(crate) fn key(text: &str) -> String {
    let bare = !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if bare {
        text.to_owned()
    } else {
        quoted_key(text)
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::spec;
    use crate::source::Source;

    /// Every key of the spec has an example, and every example is one.
    #[test]
    fn the_examples_are_right() {
        // One `rows` at a time: a key comes once.
        let rows: Vec<&str> = EXAMPLES
            .lines()
            .filter(|line| line.starts_with("rows"))
            .collect();
        assert_eq!(rows.len(), 4);
        for chosen in rows {
            let kept = EXAMPLES
                .lines()
                .filter(|line| !line.starts_with("rows") || *line == chosen);
            let text: Vec<&str> = kept.collect();
            let parsed = spec::parse(&[Source::new("seeds/examples.toml", text.join("\n"))]);
            assert!(parsed.is_ok(), "{chosen}: {parsed:?}");
        }
        let all = [spec::TABLE_KEYS, spec::ROWS_KEYS, spec::COLUMN_KEYS].concat();
        let missing: Vec<&&str> = all
            .iter()
            .filter(|key| {
                !EXAMPLES.contains(&format!("{key} =")) && !EXAMPLES.contains(&format!("{key}   ="))
            })
            .collect();
        assert_eq!(missing, [&"columns"].as_slice(), "keys without an example");
        let generators: Vec<&str> = EXAMPLES
            .split("generator = \"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        assert!(
            generators
                .iter()
                .all(|name| generators::find(name).is_some() || PLAIN.contains(name)),
            "{generators:?}"
        );
    }
}
