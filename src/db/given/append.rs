//! Rows for a table that holds some: what must differ from row to row goes on where the rows that are there end. What
//! cannot is reported before a row is written.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::GivenError;
use super::choice::Appended;
use crate::db::connect::Session;
use crate::db::copy;
use crate::interrupt::Interrupt;
use crate::schema::{DataType, Index, KeyPart, Schema, quote_identifier};
use crate::seed::SeedPlan;
use crate::seed::plan::{
    Choice, Draw, Fill, Generator, Scalar, ScalarSource, TablePlan, Text, TextSource,
};
use crate::seed::random::{Key, Permutation};
use crate::seed::types::ScalarEncoding;

/// `timestamp with time zone`.
const WITH_ZONE: u32 = 1184;

/// Columns (table's and column's index) of which no added row's value is there already.
pub(in crate::db) type Fresh = BTreeSet<(usize, usize)>;

/// Moves every column behind what is there; the columns whose values are others then. `first` is the plan of rows for the
/// same tables while they were empty.
pub(in crate::db) async fn start_after_existing(
    session: &Session,
    appended: &[Appended],
    first: &SeedPlan,
    plan: &mut SeedPlan,
) -> Fresh {
    let mut fresh = Fresh::new();
    for table in 0..plan.tables.len() {
        let planned = &mut plan.tables[table];
        let there = appended.iter().find(|there| there.oid == planned.oid);
        let then = first
            .table_index(planned.oid)
            .map(|table| &first.tables[table]);
        for column in 0..planned.columns.len() {
            let then = then
                .and_then(|table| table.columns.get(column))
                .map(|column| &column.generator);
            let other = match there {
                Some(there) => start_after(session, there, planned, column, then).await,
                // Nothing points to the rows of a table that is empty.
                None => planned.fill == Fill::Generate,
            };
            if other {
                fresh.insert((table, column));
            }
        }
    }
    fresh
}

/// Asks the server about every unique key whose added rows could be there already.
///
/// # Errors
/// [`GivenError::Collides`] where they are.
pub(in crate::db) async fn compare_keys(
    session: &Session,
    schema: &Schema,
    appended: &[Appended],
    plan: &Arc<SeedPlan>,
    fresh: &Fresh,
    interrupt: &Interrupt,
) -> Result<(), GivenError> {
    for there in appended {
        let (Some(table), Some(known)) =
            (plan.table_index(there.oid), schema.table_by_oid(there.oid))
        else {
            continue;
        };
        for index in known
            .indexes
            .iter()
            .filter(|index| index.unique && index.predicate.is_none())
        {
            compare(session, plan, table, index, fresh, interrupt).await?;
        }
    }
    Ok(())
}

/// Moves a column behind what is there; `false` where nothing says that its values are others.
async fn start_after(
    session: &Session,
    there: &Appended,
    planned: &mut TablePlan,
    column: usize,
    then: Option<&Generator>,
) -> bool {
    let rows = planned.rows;
    let column = &mut planned.columns[column];
    if column.draw != Draw::Row {
        return false;
    }
    // What queries name may be in the rows that are there.
    if let Generator::Named { rest, .. } = &mut column.generator {
        column.generator = std::mem::replace(rest, Generator::Uuid);
    }
    let then = match then {
        Some(Generator::Named { rest, .. }) => Some(&**rest),
        other => other,
    };
    let goes_on = |order: &mut Permutation, then: Option<Permutation>| match then
        .filter(|then| then.size() == order.size())
    {
        Some(then) if there.rows.saturating_add(rows) <= order.size() => {
            *order = then.after(there.rows);
            // Only if it is the same tool that made them: the rows are compared.
            false
        }
        _ => false,
    };
    match (&mut column.generator, then) {
        (
            Generator::Text(Text {
                source: TextSource::Pattern(_),
                unique: Some(order),
                ..
            }),
            then,
        ) => {
            let then = match then {
                Some(Generator::Text(Text {
                    source: TextSource::Pattern(_),
                    unique,
                    ..
                })) => *unique,
                _ => None,
            };
            goes_on(order, then)
        }
        (
            Generator::Text(Text {
                unique: Some(order),
                ..
            }),
            _,
        ) => {
            // The number within the text.
            *order = order.starting_at(there.rows);
            true
        }
        (
            Generator::Choice(Choice {
                unique: Some(order),
                ..
            }),
            Some(Generator::Choice(Choice { unique, .. })),
        ) => goes_on(order, *unique),
        (
            Generator::Inet {
                unique: Some(order),
                ..
            },
            Some(Generator::Inet { unique, .. }),
        ) => goes_on(order, *unique),
        (Generator::Scalar(scalar), then) if counts_up(&scalar.source) => {
            let last = last_value(session, there, &column.name, &column.data_type, scalar).await;
            if last.is_some_and(|last| move_behind(scalar, last, rows, column.key)) {
                return true;
            }
            match (&mut scalar.source, then) {
                (
                    ScalarSource::Range {
                        low,
                        high,
                        unique: Some(order),
                    },
                    Some(Generator::Scalar(Scalar {
                        source:
                            ScalarSource::Range {
                                low: l,
                                high: h,
                                unique,
                            },
                        ..
                    })),
                ) if (*low, *high) == (*l, *h) => goes_on(order, *unique),
                _ => false,
            }
        }
        (Generator::Uuid, _) => true,
        _ => false,
    }
}

/// Numbers and times that differ from row to row.
const fn counts_up(source: &ScalarSource) -> bool {
    matches!(
        source,
        ScalarSource::Sequence { .. }
            | ScalarSource::Range {
                unique: Some(_),
                ..
            }
            | ScalarSource::Placed { unique: true, .. }
    )
}

/// From the first value downwards.
const fn counts_down(source: &ScalarSource) -> bool {
    matches!(source, ScalarSource::Sequence { step: ..0, .. })
}

/// The largest value that is there, in the column's units; `None` where there is none, or none that is a number here.
async fn last_value(
    session: &Session,
    there: &Appended,
    column: &str,
    data_type: &DataType,
    scalar: &Scalar,
) -> Option<i64> {
    let encoding = scalar.encoding;
    let (last, round) = if counts_down(&scalar.source) {
        ("pg_catalog.min", "pg_catalog.floor")
    } else {
        ("pg_catalog.max", "pg_catalog.ceil")
    };
    let name = quote_identifier(column);
    let units = 10_i64.pow(u32::from(encoding.decimals()));
    let number = format!("{round}({last}({name}::pg_catalog.numeric) * {units})");
    let (value, limits) = match encoding {
        ScalarEncoding::Date => (
            format!("pg_catalog.max({name}) - pg_catalog.date '2000-01-01'"),
            format!("pg_catalog.isfinite({name})"),
        ),
        ScalarEncoding::Timestamp => {
            let origin = if data_type.oid == WITH_ZONE {
                "pg_catalog.timestamptz '2000-01-01 00:00:00+00'"
            } else {
                "pg_catalog.timestamp '2000-01-01'"
            };
            let since = format!(
                "pg_catalog.ceil(extract(epoch FROM pg_catalog.max({name}) - {origin}) * 1000000)"
            );
            (since, format!("pg_catalog.isfinite({name})"))
        }
        ScalarEncoding::Time
        | ScalarEncoding::TimeTz
        | ScalarEncoding::Interval
        | ScalarEncoding::Bool => return None,
        ScalarEncoding::Int2
        | ScalarEncoding::Int4
        | ScalarEncoding::Int8
        | ScalarEncoding::Oid
        | ScalarEncoding::Money
        | ScalarEncoding::Numeric { .. }
        | ScalarEncoding::Float4 { .. }
        | ScalarEncoding::Float8 { .. } => (
            number,
            format!(
                "{name}::pg_catalog.numeric BETWEEN {} AND {}",
                i64::MIN / units,
                i64::MAX / units
            ),
        ),
    };
    let sql = format!(
        "SELECT ({value})::pg_catalog.int8 FROM {} WHERE {limits}",
        there.name.sql()
    );
    // A type that is none of these after all (a domain over one of them is): the rows are compared.
    session.client().query_one(&sql, &[]).await.ok()?.get(0)
}

/// Moves a source behind the last value; `false` where the type or a constraint leaves too little room there.
fn move_behind(scalar: &mut Scalar, last: i64, rows: u64, key: Key) -> bool {
    let next = last.saturating_add(1);
    let most = scalar.hard.1;
    let room = |first: i64, end: i64| {
        u64::try_from(end.saturating_sub(first)).map_or(0, |room| room.saturating_add(1))
    };
    match &mut scalar.source {
        ScalarSource::Sequence {
            start,
            step: step @ ..0,
        } => {
            *start = (*start).min(last.saturating_add(*step));
            true
        }
        ScalarSource::Sequence { start, step } => {
            *start = (*start).max(last.saturating_add((*step).max(1)));
            true
        }
        // All of them lie above what is there.
        ScalarSource::Range { low, .. } | ScalarSource::Placed { low, .. } if last < *low => true,
        ScalarSource::Range {
            low,
            high,
            unique: Some(order),
        } => {
            let end = next.saturating_add(high.saturating_sub(*low)).min(most);
            let enough = room(next, end) >= rows;
            if enough {
                (*low, *high, *order) = (next, end, Permutation::new(key, room(next, end)));
            }
            enough
        }
        ScalarSource::Placed { low, high, .. } => {
            let end = next.saturating_add(high.saturating_sub(*low)).min(most);
            let enough = room(next, end) > rows;
            if enough {
                (*low, *high) = (next, end);
            }
            enough
        }
        _ => false,
    }
}

/// Whether an added row's value can be none that is there: its own, or that of a parent that is added too.
fn is_fresh(plan: &SeedPlan, table: usize, column: usize, fresh: &Fresh) -> bool {
    if fresh.contains(&(table, column)) {
        return true;
    }
    match &plan.tables[table].columns[column].generator {
        Generator::Parent {
            table: parent,
            column,
            ..
        } if *parent != table => {
            plan.tables[*parent].fill == Fill::Generate && fresh.contains(&(*parent, *column))
        }
        _ => false,
    }
}

/// Asks the server whether rows of a unique key are there already that are to be added.
async fn compare(
    session: &Session,
    plan: &Arc<SeedPlan>,
    table: usize,
    index: &Index,
    fresh: &Fresh,
    interrupt: &Interrupt,
) -> Result<(), GivenError> {
    const STAGE: &str = "pg_temp.pgproof_added";
    let planned = &plan.tables[table];
    let position = |key: &crate::schema::IndexKey| match &key.part {
        KeyPart::Column(name) => planned.column_index(name),
        KeyPart::Expression(_) => None,
    };
    // What the server computes is compared when it is there.
    let Some(columns) = index
        .keys
        .iter()
        .map(position)
        .collect::<Option<Vec<usize>>>()
    else {
        return Ok(());
    };
    if columns.is_empty()
        || columns
            .iter()
            .any(|column| is_fresh(plan, table, *column, fresh))
    {
        return Ok(());
    }
    let action = || {
        format!(
            "compare key {} of table {} with the rows that are there",
            index.name, planned.name
        )
    };
    let refused = |error: &tokio_postgres::Error| GivenError::refused(action(), error);
    let names: Vec<String> = columns
        .iter()
        .map(|at| quote_identifier(&planned.columns[*at].name))
        .collect();
    let list = names.join(", ");
    let make = format!(
        "CREATE TEMP TABLE pgproof_added AS SELECT {list} FROM {} WITH NO DATA",
        planned.name.sql()
    );
    session
        .client()
        .batch_execute(&make)
        .await
        .map_err(|error| refused(&error))?;
    let statement = format!("COPY {STAGE} ({list}) FROM STDIN (FORMAT binary)");
    let copied = copy::copy_columns(
        session,
        plan,
        table,
        &columns,
        &statement,
        |_| {},
        interrupt,
    )
    .await;
    if let Ok(_rows) = copied {
        let same = if index.nulls_not_distinct {
            "IS NOT DISTINCT FROM"
        } else {
            "="
        };
        let alike: Vec<String> = names
            .iter()
            .map(|name| format!("added.{name} {same} there.{name}"))
            .collect();
        let shown: Vec<String> = names.iter().map(|name| format!("added.{name}")).collect();
        let sql = format!(
            "SELECT pg_catalog.concat_ws(', ', {}) FROM {STAGE} AS added JOIN {} AS there ON {} LIMIT 1",
            shown.join(", "),
            planned.name.sql(),
            alike.join(" AND ")
        );
        let found = session
            .client()
            .query_opt(&sql, &[])
            .await
            .map_err(|error| refused(&error))?;
        if let Some(row) = found {
            return Err(GivenError::Collides {
                table: planned.name.clone(),
                key: index.name.clone(),
                columns: columns
                    .iter()
                    .map(|at| planned.columns[*at].name.clone())
                    .collect(),
                example: row.get(0),
            });
        }
    }
    session
        .client()
        .batch_execute(&format!("DROP TABLE {STAGE}"))
        .await
        .map_err(|error| refused(&error))
}
