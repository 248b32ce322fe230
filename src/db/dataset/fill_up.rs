//! Tables into which migrations inserted a row or two (a system user): they are filled up to the number that is asked for, and
//! the rows that are there stay.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::db::connect::Session;
use crate::db::given::append;
use crate::db::given::choice::Appended;
use crate::interrupt::Interrupt;
use crate::schema::{Schema, Table};
use crate::seed::resolve::{DefaultRows, StoredRows, is_of_owners_or_people, is_seeded};
use crate::seed::spec::{RowsSpec, TableSpec};
use crate::seed::{Options, Refusal, SeedPlan, Spec, resolve};

/// Rows by table.
type Stored = BTreeMap<u32, StoredRows>;

/// Plans with the tables filled up; where rows that are there stand in the way, without.
///
/// # Errors
/// What the spec or the schema stands against.
pub(super) async fn plan(
    session: &Session,
    schema: &Schema,
    spec: &Spec,
    options: &Options,
    stored: &Stored,
    interrupt: &Interrupt,
) -> Result<SeedPlan, Box<Refusal>> {
    let (appended, rest, more) = choose(schema, spec, options, stored);
    if appended.is_empty() {
        return resolve(schema, spec, options, stored);
    }
    // Of what is refused with more rows nothing may be refused without.
    let Ok(mut plan) = resolve(schema, spec, &more, &rest) else {
        return resolve(schema, spec, options, stored);
    };
    let first = plan.clone();
    let fresh = append::start_after_existing(session, &appended, &first, &mut plan).await;
    let shared = Arc::new(plan);
    let compared =
        append::compare_keys(session, schema, &appended, &shared, &fresh, interrupt).await;
    let mut plan = Arc::unwrap_or_clone(shared);
    if let Err(error) = compared {
        let mut kept = resolve(schema, spec, options, stored)?;
        kept.notes
            .push(format!("tables keep their rows alone: {error}"));
        return Ok(kept);
    }
    for there in &appended {
        if let Some(at) = plan.table_index(there.oid) {
            let planned = &mut plan.tables[at];
            planned.there = there.rows;
            plan.notes.push(format!(
                "{}: {} {} that the migrations inserted, and {} more (`keep = true` keeps it as it is)",
                there.name,
                there.rows,
                if there.rows == 1 { "row" } else { "rows" },
                plan.tables[at].rows
            ));
        }
    }
    Ok(plan)
}

/// The tables that get more rows, the rows of all others, and how many more.
fn choose(
    schema: &Schema,
    spec: &Spec,
    options: &Options,
    stored: &Stored,
) -> (Vec<Appended>, Stored, Options) {
    let (mut appended, mut rest, mut more) = (Vec::new(), stored.clone(), options.clone());
    for table in schema.tables.iter().filter(|table| is_seeded(table)) {
        let Some(there) = stored.get(&table.oid).filter(|there| there.count > 0) else {
            continue;
        };
        let qualified = format!("{}.{}", table.name.schema, table.name.name);
        let is = |name: &str| name == table.name.name || name == qualified;
        let said = spec.tables.iter().find(|said| is(&said.name.text));
        // More rows of it were refused before.
        let refused = options.left_empty.contains(&table.oid);
        if refused || said.is_some_and(|said| said.keep == Some(true)) {
            continue;
        }
        let by_option = options.table_rows.iter().find(|(name, _)| is(name));
        let wanted = by_option
            .map(|(_, rows)| *rows)
            .or_else(|| said.and_then(|said| counted(said, options, there.count)));
        match wanted {
            Some(wanted) if wanted > there.count => {
                more.table_rows.retain(|name, _| !is(name));
                more.table_rows.insert(key(table), wanted - there.count);
            }
            // As many as tables of its role have.
            None if is_first_few(table, there.count, options) => {}
            Some(_) | None => continue,
        }
        rest.remove(&table.oid);
        appended.push(Appended {
            oid: table.oid,
            name: table.name.clone(),
            rows: there.count,
        });
    }
    (appended, rest, more)
}

/// More rows than this are no first few: whoever wrote them knows how many there are.
const FIRST_FEW: u64 = 3;

/// The first user or project is not the last, and the root of a tree is not the whole tree, where nobody says how many there
/// are.
fn is_first_few(table: &Table, there: u64, options: &Options) -> bool {
    let by_role = match options.default_rows {
        DefaultRows::Fixed(_) => false,
        DefaultRows::ByRole(_) | DefaultRows::Fitted(_) | DefaultRows::Asked(_) => {
            options.all_rows.is_none()
        }
    };
    by_role
        && ((there <= FIRST_FEW && is_of_owners_or_people(table)) || (there == 1 && is_tree(table)))
}

/// A table whose rows name another of its rows.
fn is_tree(table: &Table) -> bool {
    let mut keys = table.foreign_keys.iter();
    keys.any(|key| key.references == table.oid)
}

/// The number that a spec asks for; what is there already has no scale.
fn counted(said: &TableSpec, options: &Options, there: u64) -> Option<u64> {
    match said.rows.as_ref()? {
        RowsSpec::Count(rows) if *rows >= 1000 => {
            let more = rows.saturating_sub(there);
            Some(there + (more as f64 * options.scale).ceil() as u64)
        }
        RowsSpec::Count(rows) => Some(*rows),
        RowsSpec::Per { .. } => None,
    }
}

fn key(table: &Table) -> String {
    format!("{}.{}", table.name.schema, table.name.name)
}
