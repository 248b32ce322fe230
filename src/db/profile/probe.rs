//! What statistics cannot say, asked of samples of the rows: one statement after another in the profile's read-only transaction, the
//! largest tables first, until a time is over. Only counts leave the server.

use std::time::{Duration, Instant};

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::ProfileError;
use super::read::Reader;
use crate::profile::model::{Axis, FanOut, Locality, Profile};
use crate::profile::probe::{self, Access, Measure, PageSample, Sampled, Task};
use crate::profile::remap::Workload;
use crate::schema::{Schema, quote_identifier};

/// No statement of a probe takes longer.
const LONGEST: Duration = Duration::from_secs(10);
/// What is left must be worth a statement.
const SHORTEST: Duration = Duration::from_millis(50);
/// Parents whose children are counted, and pages that they come from.
const PARENTS: f64 = 5_000.0;
const PARENT_PAGES: f64 = 1_000.0;
/// More children of one parent are not counted: its share is a common value's.
const MANY: u32 = 10_000;
/// Pages on which values are compared.
const PAGES: f64 = 200.0;
/// Pages from which combinations are counted.
const JOINT_PAGES: f64 = 1_000.0;

/// What a task is answered with.
enum Answer {
    Children(FanOut),
    Pages(Locality),
    Together(crate::profile::model::Joint),
    /// Measured, and nothing to tell.
    Nothing,
}

/// Asks until the time is over; what was not reached is named in the profile.
pub(super) async fn probe(
    reader: &Reader<'_>,
    schema: &Schema,
    workload: &Workload,
    profile: &mut Profile,
    budget: Duration,
) -> Result<(), ProfileError> {
    let end = Instant::now() + budget;
    for task in probe::tasks(schema, profile, workload) {
        let left = end.saturating_duration_since(Instant::now());
        let answer = match refused(&task) {
            Some(why) => Err(why),
            None if left < SHORTEST => {
                Err(format!("not reached within {} s", budget.as_secs_f64()))
            }
            None => ask_within(reader, &task, left.min(LONGEST)).await?,
        };
        let probed = &mut profile.tables[task.at].probed;
        match answer {
            Ok(Answer::Children(found)) => probed.fan_outs.push(found),
            Ok(Answer::Pages(found)) => probed.localities.push(found),
            Ok(Answer::Together(found)) => probed.joints.push(found),
            Ok(Answer::Nothing) => {}
            Err(why) => profile.not_read.push(format!("{}: {why}", task.name())),
        }
    }
    Ok(())
}

/// Why a task is not tried.
fn refused(task: &Task) -> Option<String> {
    let Measure::Children { access, .. } = &task.what else {
        return None;
    };
    (*access == Access::None)
        .then(|| "no index finds them, and the table is too large to be read for it".to_owned())
}

/// A statement that fails or takes too long costs itself alone.
async fn ask_within(
    reader: &Reader<'_>,
    task: &Task,
    limit: Duration,
) -> Result<Result<Answer, String>, ProfileError> {
    // Row security would show a part of the rows as if it were all. Of what the statements gather themselves the planner knows
    // nothing, and would compare each row with each.
    let opening = format!(
        "SAVEPOINT pgproof_probe; SET LOCAL row_security = off; SET LOCAL enable_nestloop = off; SET LOCAL statement_timeout = {}",
        limit.as_millis().max(1)
    );
    let run = |sql: String| async move {
        let done = reader.client().batch_execute(&sql).await;
        done.map_err(|error| reader.failed("rows", &error))
    };
    run(opening).await?;
    let answer = ask(reader, task).await;
    // Also takes back the settings.
    run("ROLLBACK TO SAVEPOINT pgproof_probe; RELEASE SAVEPOINT pgproof_probe".to_owned()).await?;
    match answer {
        Ok(answer) => Ok(Ok(answer)),
        Err(error) if error.is_closed() => Err(reader.failed("rows", &error)),
        Err(error) => Ok(Err(why(&error, limit))),
    }
}

/// Messages of the server may quote values: only their kind is told.
fn why(error: &tokio_postgres::Error, limit: Duration) -> String {
    match error.code().map(tokio_postgres::error::SqlState::code) {
        Some("57014") => format!("not finished within {:.1} s", limit.as_secs_f64()),
        Some("42501") => "the role may not read the rows; GRANT pg_read_all_data lets it, and BYPASSRLS past row security".to_owned(),
        Some(code) => format!("the server refused the question (SQLSTATE {code})"),
        None => "the server's answer was not understood".to_owned(),
    }
}

async fn ask(reader: &Reader<'_>, task: &Task) -> Result<Answer, tokio_postgres::Error> {
    match &task.what {
        Measure::Children {
            child,
            column,
            parent,
            referenced,
            access,
        } => {
            let sql = children_sql(child, column, (parent, referenced), *access);
            let row = reader.client().query_one(&sql, &[]).await?;
            let counts: Vec<i64> = row.try_get("children")?;
            let found = probe::fan_out(&counts, parent.rows);
            Ok(found.map_or(Answer::Nothing, |(childless, children)| {
                Answer::Children(FanOut {
                    column: column.clone(),
                    parent: parent.table.clone(),
                    referenced: referenced.clone(),
                    childless,
                    children,
                })
            }))
        }
        Measure::Pages { table, column } => {
            let sql = include_str!("../sql/profile/probe_pages.sql")
                .replace("{column}", &quote_identifier(column))
                .replace("{table}", &table.table.sql())
                .replace("{sample}", &sample(table, PAGES));
            let row = reader.client().query_one(&sql, &[]).await?;
            let found = page_sample(&row)?;
            let found = found.and_then(|sample| probe::locality(&sample, table.pages));
            Ok(found.map_or(Answer::Nothing, |(distinct, spread)| {
                Answer::Pages(Locality {
                    column: column.clone(),
                    distinct,
                    spread,
                })
            }))
        }
        Measure::Together { table, axes, types } => {
            let counts = combinations(reader, table, axes, types).await?;
            let found = probe::joint(axes, &counts, table.rows);
            Ok(found.map_or(Answer::Nothing, Answer::Together))
        }
    }
}

fn children_sql(
    child: &Sampled,
    column: &str,
    (parent, referenced): (&Sampled, &str),
    access: Access,
) -> String {
    let children = match access {
        Access::Index | Access::None => include_str!("../sql/profile/probe_children.sql"),
        Access::Whole => include_str!("../sql/profile/probe_children_whole.sql"),
    };
    let sql = [include_str!("../sql/profile/probe_parents.sql"), children].concat();
    let share = (PARENT_PAGES / parent.pages.max(1.0)).min(1.0);
    let every = (parent.rows * share / PARENTS).floor().max(1.0);
    sql.replace("{referenced}", &quote_identifier(referenced))
        .replace("{parent}", &parent.table.sql())
        .replace("{sample}", &sample(parent, PARENT_PAGES))
        .replace("{every}", &format!("{every:.0}"))
        .replace("{parents}", &format!("{:.0}", PARENTS * 2.0))
        .replace("{child}", &child.table.sql())
        .replace("{column}", &quote_identifier(column))
        .replace("{many}", &MANY.to_string())
}

/// About so many pages of a table; the same ones each time.
fn sample(table: &Sampled, pages: f64) -> String {
    if table.pages <= pages {
        return String::new();
    }
    format!(
        "TABLESAMPLE SYSTEM ({:.8}) REPEATABLE (42)",
        100.0 * pages / table.pages
    )
}

/// `None` of a sample without a page.
fn page_sample(row: &Row) -> Result<Option<PageSample>, tokio_postgres::Error> {
    let number = |name: &str| row.try_get::<_, Option<f64>>(name);
    let pair = |one: &str, other: &str| Ok(number(one)?.zip(number(other)?));
    let distinct = pair("of_page", "by_chance")?;
    let spread = pair("spread_of_page", "spread_by_chance")?;
    let pages = row.try_get("pages")?;
    Ok(distinct.zip(spread).map(|(distinct, spread)| PageSample {
        pages,
        distinct,
        spread,
    }))
}

async fn combinations(
    reader: &Reader<'_>,
    table: &Sampled,
    axes: &[Axis; 2],
    types: &[String; 2],
) -> Result<Vec<(usize, usize, i64)>, tokio_postgres::Error> {
    let [one, other] = axes;
    let sql = include_str!("../sql/profile/probe_together.sql")
        .replace("{one}", &bin(one, &types[0], 1))
        .replace("{other}", &bin(other, &types[1], 3))
        .replace("{one_column}", &quote_identifier(&one.column))
        .replace("{other_column}", &quote_identifier(&other.column))
        .replace("{table}", &table.table.sql())
        .replace("{sample}", &sample(table, JOINT_PAGES));
    let rows = reader
        .client()
        .query_typed(
            &sql,
            &[
                (&one.common, Type::TEXT_ARRAY),
                (&one.bounds, Type::TEXT_ARRAY),
                (&other.common, Type::TEXT_ARRAY),
                (&other.bounds, Type::TEXT_ARRAY),
            ],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let bin = |at: usize| {
                row.try_get::<_, i32>(at)
                    .map(|bin| bin.unsigned_abs() as usize)
            };
            Ok((bin(0)?, bin(1)?, row.try_get(2)?))
        })
        .collect()
}

/// Which bin a row's value is in, counted from 0: `parameter` has the common values, the next one the bounds of the others.
fn bin(axis: &Axis, type_name: &str, parameter: usize) -> String {
    let column = quote_identifier(&axis.column);
    let bounds = parameter + 1;
    let others = match axis.bounds.is_empty() {
        // An empty list has no type to compare with.
        true => format!("cardinality(${bounds}::text[])"),
        false => format!("width_bucket(t.{column}, ${bounds}::text[]::{type_name}[])"),
    };
    format!(
        "coalesce(array_position(${parameter}::text[], t.{column}::text) - 1, cardinality(${parameter}::text[]) + {others})"
    )
}
