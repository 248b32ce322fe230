//! Parameter values from the data: what each `$n` meets (from the generic plan), and sets of values that hurt: hot,
//! typical, rare, absent, wide ranges, NULL. Executes no catalog query.

mod alternatives;
mod bounds;
mod group;
mod mend;
mod open_bounds;
mod patterns;
mod rows;
mod sample;
mod sets;
mod source;
mod stored;
mod system;
mod together;
mod unnested;
mod uses;
mod values;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokio_postgres::Client;

use crate::catalog::{ParameterChoice, Query};
use crate::db::explain::{ExplainError, Limits, PlanChoice, Prepared, TypeInfo, in_transaction};
use crate::plan::Plan;
use crate::run::QueryFailure;
use crate::run_id::SetId;
use crate::schema::{ColumnStats, Schema};

use group::Groups;
use open_bounds::Reach;
use together::Together;
use uses::{ComparedWith, Usage};
use values::Rank;

pub(crate) use mend::Mender;
pub(crate) use sample::Sampler;
pub(crate) use system::with_system_tables;

/// What the search for values needs besides the query.
#[derive(Debug)]
pub(crate) struct Search<'a> {
    pub(crate) client: &'a Client,
    pub(crate) limits: &'a Limits,
    pub(crate) schema: &'a Schema,
    pub(crate) sampler: &'a mut Sampler,
}

/// Values for every parameter of a statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ParameterSet {
    /// Which of the query's sets it is.
    pub(crate) id: SetId,
    /// Text forms in order of the numbers; `None` = NULL.
    pub(crate) values: Vec<Option<String>>,
}

/// All sets for a query; the first one is the one that a caller would call normal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) sets: Vec<ParameterSet>,
    /// The column that each parameter meets, for people.
    pub(crate) columns: Vec<Option<String>>,
    /// Whether pgproof chose each parameter's value: neither the author nor a parent query did.
    pub(crate) open: Vec<bool>,
}

/// Why there are no values.
#[derive(Debug)]
pub(crate) enum ChooseError {
    /// The query's author must say more.
    Unknown(QueryFailure),
    /// A `(select …)` of the author's is refused, or the server failed.
    Explain(ExplainError),
}

impl From<ExplainError> for ChooseError {
    fn from(error: ExplainError) -> Self {
        Self::Explain(error)
    }
}

/// A parameter with all that decides its value.
#[derive(Debug, Clone)]
struct Slot<'a> {
    /// For labels and messages: its name, its column or `$1`.
    name: String,
    info: &'a TypeInfo,
    usage: Usage,
    /// The comparison that its values come from.
    compared: Option<ComparedWith>,
    wanted: Wanted,
    /// A value that no row has.
    absent: Absent,
    /// Where it bounds a range from one side: how far,
    reach: Reach,
    /// and the bound that leaves what a call asks for, by the table itself: no sample has its ends.
    tail: Option<String>,
}

/// Where a value comes from that a column could hold and no row has.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Absent {
    /// Past the known ones.
    PastKnown,
    /// A row of the referenced table that nothing points to.
    Value(String),
    /// The column's constraints leave none that is known.
    None,
}

/// What the author or a parent query says of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted {
    /// Every rank that the data has.
    Any,
    Ranked(Rank),
    Fixed(Option<String>),
}

/// Chooses the sets. `given` = values that a parent query hands to a parameter (`@for-each`).
///
/// # Errors
/// [`ChooseError`].
pub(crate) async fn choose(
    search: &mut Search<'_>,
    query: &Query,
    prepared: &Prepared,
    generic: &Plan,
    given: &BTreeMap<u16, Option<String>>,
) -> Result<Chosen, ChooseError> {
    let usages = uses::usages(generic, &query.sql, prepared.types.len(), search.schema);
    let mut slots = Vec::with_capacity(usages.len());
    for (i, (usage, info)) in usages.into_iter().zip(&prepared.types).enumerate() {
        let wanted = wanted(search, query, i, given).await?;
        let compared = primary(search.schema, &usage);
        let name = display_name(query, i, compared.as_ref(), &usage);
        let absent = absent_of(search, compared.as_ref(), &usage).await?;
        let reach = Reach::of(search.schema, &usage, compared.as_ref(), info.kind);
        slots.push(Slot {
            name,
            absent,
            reach,
            tail: None,
            info,
            usage,
            compared,
            wanted,
        });
    }
    open_bounds::find_tails(search, &mut slots).await?;
    let groups = Groups::load(search, &slots).await?;
    if let Some((i, slot)) = slots
        .iter()
        .enumerate()
        .find(|(i, slot)| !sets::has_value(*i, slot, &groups))
    {
        return Err(ChooseError::Unknown(nothing_known(query, i, slot)));
    }
    let fresh = stored::fresh_values(search, &slots, &groups).await?;
    let together = Together::of(query, &slots, search.schema);
    let sets = sets::build(search, &slots, &groups, &fresh, together.as_ref()).await?;
    let columns = slots
        .iter()
        .map(|slot| column_of(search.schema, slot))
        .collect();
    let open = slots
        .iter()
        .map(|slot| !matches!(slot.wanted, Wanted::Fixed(_)))
        .collect();
    Ok(Chosen {
        sets,
        columns,
        open,
    })
}

/// A value that a CHECK would refuse, or that no referenced row has, is none that anybody would ask for.
async fn absent_of(
    search: &mut Search<'_>,
    compared: Option<&ComparedWith>,
    usage: &Usage,
) -> Result<Absent, ExplainError> {
    let meets = match (compared, usage.stored.first()) {
        (Some(with), _) => with
            .column
            .as_ref()
            .map(|column| (with.table, column, with.operator.as_str())),
        (None, Some(stored)) => Some((stored.table, &stored.column, "=")),
        (None, None) => None,
    };
    let Some((table, column, operator)) = meets else {
        return Ok(Absent::PastKnown);
    };
    let schema = search.schema;
    let Some(table) = schema.table_by_oid(table) else {
        return Ok(Absent::PastKnown);
    };
    let mentions = |text: &str| {
        let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
        words.any(|word| word == column)
    };
    if table.checks.iter().any(|check| mentions(&check.expression)) {
        return Ok(Absent::None);
    }
    let key = table
        .foreign_keys
        .iter()
        .find(|key| key.columns.contains(column));
    let Some(key) = key else {
        return Ok(Absent::PastKnown);
    };
    if operator != "=" || key.columns.len() > 1 {
        return Ok(Absent::None);
    }
    let (client, limits) = (search.client, search.limits);
    let found = search
        .sampler
        .without_rows(client, limits, table, key)
        .await?;
    Ok(found.map_or(Absent::None, Absent::Value))
}

async fn wanted(
    search: &Search<'_>,
    query: &Query,
    i: usize,
    given: &BTreeMap<u16, Option<String>>,
) -> Result<Wanted, ChooseError> {
    let number = u16::try_from(i + 1).unwrap_or(u16::MAX);
    let choice = query.parameters.get(i).map(|parameter| &parameter.choice);
    Ok(match choice {
        Some(ParameterChoice::Hot) => Wanted::Ranked(Rank::Hot),
        Some(ParameterChoice::Typical) => Wanted::Ranked(Rank::Typical),
        Some(ParameterChoice::Rare) => Wanted::Ranked(Rank::Rare),
        Some(ParameterChoice::Absent) => Wanted::Ranked(Rank::Absent),
        Some(ParameterChoice::Literal(text)) => Wanted::Fixed(Some(text.clone())),
        Some(ParameterChoice::Query(sql)) => Wanted::Fixed(first_value(search, sql).await?),
        Some(ParameterChoice::Auto) | None => match given.get(&number) {
            Some(value) => Wanted::Fixed(value.clone()),
            None => Wanted::Any,
        },
    })
}

/// The first column of the first row of the author's subquery.
async fn first_value(search: &Search<'_>, sql: &str) -> Result<Option<String>, ExplainError> {
    // A JSON array tells NULL and an empty text apart; the line break ends a comment.
    // The subquery is read under the caller's search path; the words around it name their schema.
    let body = format!(
        "SELECT pg_catalog.json_build_array((SELECT v::pg_catalog.text FROM ({sql}\n) AS value (v) LIMIT 1))::pg_catalog.text"
    );
    let answer = in_transaction(search.client, search.limits, PlanChoice::Custom, &body).await?;
    let text = answer.first().map_or("[null]", String::as_str);
    let values: Vec<Option<String>> =
        serde_json::from_str(text).map_err(|error| ExplainError::Unreadable(error.to_string()))?;
    Ok(values.into_iter().next().flatten())
}

/// The comparison with the most to tell: an equality on the most skewed column of the largest table. A parameter that
/// meets a key on both sides of a join is hot where the referencing side says so.
fn primary(schema: &Schema, usage: &Usage) -> Option<ComparedWith> {
    let weight = |with: &ComparedWith| {
        let table = schema.table_by_oid(with.table)?;
        let stats = with
            .column
            .as_ref()
            .and_then(|name| table.column(name))
            .and_then(|column| column.stats.as_ref());
        let rows = sample::table_rows(schema, table);
        let most = stats.map_or(0.0, |stats| most_alike(stats, rows));
        // What ANALYZE happens to sample must not decide: orders of magnitude are the same in each sample.
        Some(most.max(1.0).log2().round())
    };
    let rank = |with: &ComparedWith| {
        let equality = u8::from(with.operator == "=");
        (equality, weight(with).unwrap_or(0.0))
    };
    let mut best: Option<(&ComparedWith, (u8, f64))> = None;
    for with in &usage.comparisons {
        let ranked = rank(with);
        // The first of equals stays.
        if best.as_ref().is_none_or(|(_, least)| {
            ranked.0 > least.0 || (ranked.0 == least.0 && ranked.1 > least.1)
        }) {
            best = Some((with, ranked));
        }
    }
    best.map(|(with, _)| with.clone())
}

/// How many rows have the most frequent value, of a column that has `rows`.
fn most_alike(stats: &ColumnStats, rows: f64) -> f64 {
    let share = stats.most_common.first().map_or(0.0, |(_, share)| *share);
    let distinct = match stats.distinct {
        of_rows if of_rows < 0.0 => -of_rows * rows,
        number => number,
    };
    let alike = (1.0 - stats.null_fraction) * rows / distinct.max(1.0);
    alike.max(share * rows)
}

fn display_name(query: &Query, i: usize, compared: Option<&ComparedWith>, usage: &Usage) -> String {
    let named = query
        .parameters
        .get(i)
        .and_then(|parameter| parameter.name.clone());
    let column = compared.map(|with| {
        with.column
            .clone()
            .unwrap_or_else(|| with.expression.clone())
    });
    let stored = usage.stored.first().map(|stored| stored.column.clone());
    named
        .or(column)
        .or(stored)
        .unwrap_or_else(|| format!("${}", i + 1))
}

fn column_of(schema: &Schema, slot: &Slot<'_>) -> Option<String> {
    let (table, column) = match (&slot.compared, slot.usage.stored.first()) {
        (Some(with), _) => (with.table, with.column.as_ref().unwrap_or(&with.expression)),
        (None, Some(stored)) => (stored.table, &stored.column),
        (None, None) => return None,
    };
    schema
        .table_by_oid(table)
        .map(|table| format!("{}.{column}", table.name))
}

fn nothing_known(query: &Query, i: usize, slot: &Slot<'_>) -> QueryFailure {
    let parameter = query
        .parameters
        .get(i)
        .and_then(|parameter| parameter.name.clone());
    let key = parameter.unwrap_or_else(|| format!("${}", i + 1));
    let why = match &slot.compared {
        Some(with) => format!(
            "the data has no value for {} {}",
            with.expression, with.operator
        ),
        None => "the plan shows no column that it is compared with".to_owned(),
    };
    QueryFailure {
        message: format!(
            "no value for parameter {key} of type {}: {why}",
            slot.info.name
        ),
        code: None,
        position: None,
        hint: Some(format!(
            "say what to try above the query: -- @param {key}: '…'"
        )),
    }
}
