//! What a load made against what the spec asked for, counted in the tables: rows, shares, NULLs, different values, order, bounds.
//! Reads only, and fails nothing: what cannot be counted is said.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::connect::{Session, describe};
use super::explain::quote_literal;
use crate::schema::{Schema, Table, TableKind, quote_identifier};
use crate::seed::SeedPlan;
use crate::seed::plan::{Fill, TablePlan};
use crate::seed::wishes::{SAMPLE, Seen, Wanted, Wish, missed, note};

/// Tables of at most so many rows are counted as a whole; of larger ones a sample is.
const WHOLE: u64 = 200_000;
/// ANALYZE counts rows about as exactly.
const NOISE_OF_ROWS: f64 = 0.02;
/// Rows that ANALYZE looks at (`std_typanalyze` at the default target).
const ANALYZED: f64 = 30_000.0;

/// How values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparing {
    /// By their type.
    Values,
    /// By their text, where the type has no equality.
    Texts,
}

/// Notes on what the filled tables miss of the plan's rows and the spec's wishes; `skipped` tables held rows before.
pub(super) async fn compare(
    session: &Session,
    schema: &Schema,
    plan: &SeedPlan,
    skipped: impl Fn(&TablePlan) -> bool,
) -> Vec<String> {
    let mut by_table: BTreeMap<usize, Vec<&Wish>> = BTreeMap::new();
    for wish in &plan.wishes {
        by_table.entry(wish.table).or_default().push(wish);
    }
    let mut notes = Vec::new();
    let analyzed = analyzed(session, plan).await.unwrap_or_default();
    for (index, planned) in plan.tables.iter().enumerate() {
        let Some(table) = schema.table_by_oid(planned.oid) else {
            continue;
        };
        let is_made =
            planned.fill == Fill::Generate && planned.rows > 0 && planned.chosen.is_none();
        if !is_made || skipped(planned) {
            continue;
        }
        let at = Filled {
            session,
            table,
            planned,
        };
        let wishes = by_table.get(&index).map_or(&[][..], Vec::as_slice);
        let analyzed = analyzed.get(&planned.oid).copied();
        match at.missed(wishes, analyzed).await {
            Ok(mut missed) => notes.append(&mut missed),
            Err(reason) => notes.push(format!(
                "{}: its rows could not be compared with the spec: {reason}",
                planned.name
            )),
        }
    }
    notes
}

/// A function takes no more than a hundred arguments, and each wish has two.
const MOST_AT_ONCE: usize = 45;

/// A table that was filled.
struct Filled<'a> {
    session: &'a Session,
    table: &'a Table,
    planned: &'a TablePlan,
}

impl Filled<'_> {
    async fn missed(&self, wishes: &[&Wish], analyzed: Option<f64>) -> Result<Vec<String>, String> {
        let mut notes: Vec<String> = self.other_rows(analyzed).await?.into_iter().collect();
        if wishes.is_empty() {
            return Ok(notes);
        }
        let mut seen = Vec::with_capacity(wishes.len());
        for wishes in wishes.chunks(MOST_AT_ONCE) {
            seen.extend(match self.seen(wishes, Comparing::Values).await {
                Ok(seen) => seen,
                Err(_) => self.seen(wishes, Comparing::Texts).await?,
            });
        }
        for (wish, seen) in wishes.iter().zip(seen) {
            let missed = seen.and_then(|seen| missed(&wish.wanted, &seen));
            notes.extend(missed.map(|missed| note(&self.planned.name, &wish.column, &missed)));
        }
        Ok(notes)
    }

    /// Where the table holds other rows than were planned: triggers and rules of a given database make or refuse some.
    async fn other_rows(&self, analyzed: Option<f64>) -> Result<Option<String>, String> {
        let planned = (self.planned.there + self.planned.made_rows()) as f64;
        let differs = |rows: f64| (rows - planned).abs() > planned * NOISE_OF_ROWS;
        if analyzed.is_some_and(|rows| !differs(rows)) {
            return Ok(None);
        }
        let sql = format!("SELECT count(*)::text FROM {}", self.source());
        let counted = one(self.session, &sql).await?.parse().unwrap_or(planned);
        Ok(differs(counted).then(|| {
            format!(
                "{} holds {counted} rows, and {planned} were planned",
                self.planned.name
            )
        }))
    }

    /// `ONLY name`: what inherits from a table is another one.
    fn source(&self) -> String {
        match self.table.kind {
            TableKind::Ordinary => format!("ONLY {}", self.table.name.sql()),
            TableKind::Partitioned | TableKind::Foreign => self.table.name.sql(),
        }
    }

    /// What each wish is about; `None` where it was not looked at.
    async fn seen(
        &self,
        wishes: &[&Wish],
        comparing: Comparing,
    ) -> Result<Vec<Option<Seen>>, String> {
        let rows = self.planned.made_rows();
        let is_whole = rows <= WHOLE;
        let mut counts = String::from("count(*)");
        for wish in wishes {
            let column = quote_identifier(&wish.column);
            let found = counted(&column, &wish.wanted, comparing);
            let _ = write!(counts, ", count({column}), {found}");
        }
        let sample = if is_whole {
            String::new()
        } else {
            let percent = SAMPLE as f64 / rows as f64 * 100.0;
            format!(" TABLESAMPLE BERNOULLI ({percent:.6}) REPEATABLE (1)")
        };
        let sql = format!(
            "SELECT json_build_array({counts})::text FROM {}{sample}",
            self.source()
        );
        let text = one(self.session, &sql).await?;
        let figures: Vec<f64> = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let Some((rows, pairs)) = figures.split_first() else {
            return Ok(vec![None; wishes.len()]);
        };
        let mut all = Vec::with_capacity(wishes.len());
        for (wish, pair) in wishes.iter().zip(pairs.chunks(2)) {
            let &[present, found] = pair else {
                continue;
            };
            let seen = Seen {
                rows: *rows,
                present,
                found,
                is_whole,
            };
            all.push(match &wish.wanted {
                Wanted::Correlation(_) => self.correlation(&wish.column).await?.map(|found| Seen {
                    present: present.min(ANALYZED),
                    found,
                    ..seen
                }),
                Wanted::Bounds { .. } if comparing == Comparing::Texts => None,
                Wanted::Nulls(_)
                | Wanted::Share { .. }
                | Wanted::Common { .. }
                | Wanted::Distinct { .. }
                | Wanted::Bounds { .. } => Some(seen),
            });
        }
        Ok(all)
    }

    /// As the planner sees it.
    async fn correlation(&self, column: &str) -> Result<Option<f64>, String> {
        let sql = format!(
            "SELECT coalesce((SELECT correlation::text FROM pg_stats WHERE schemaname = {} AND tablename = {} \
             AND attname = {} AND NOT inherited), '')",
            quote_literal(&self.table.name.schema),
            quote_literal(&self.table.name.name),
            quote_literal(column)
        );
        Ok(one(self.session, &sql).await?.parse().ok())
    }
}

/// Rows of the tables as ANALYZE counted them, by OID.
async fn analyzed(session: &Session, plan: &SeedPlan) -> Result<BTreeMap<u32, f64>, String> {
    let oids = plan.tables.iter().map(|table| table.oid.to_string());
    let oids: Vec<String> = oids.collect();
    let sql = format!(
        "SELECT coalesce(json_agg(json_build_array(oid::int8, reltuples)), '[]')::text FROM pg_class \
         WHERE oid = ANY ('{{{}}}'::oid[])",
        oids.join(",")
    );
    let text = one(session, &sql).await?;
    let rows: Vec<(u32, f64)> = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    Ok(rows.into_iter().collect())
}

/// The text of a statement's only row, read in a transaction of its own.
async fn one(session: &Session, sql: &str) -> Result<String, String> {
    const OPENING: &str = "BEGIN READ ONLY; SET LOCAL search_path = pg_catalog, pg_temp; SET LOCAL TimeZone = 'UTC'; \
                           SET LOCAL statement_timeout = 30000";
    let client = session.client();
    let opened = client.batch_execute(OPENING).await;
    opened.map_err(|error| describe(&error))?;
    let answer = client.query_typed_one(sql, &[]).await;
    let left = client.batch_execute("ROLLBACK").await;
    let answer = answer.map_err(|error| describe(&error))?;
    left.map_err(|error| describe(&error))?;
    answer.try_get(0).map_err(|error| describe(&error))
}

/// The aggregate that counts what a wish is about. A literal without a type is of the column's.
fn counted(column: &str, wanted: &Wanted, comparing: Comparing) -> String {
    let compared = match comparing {
        Comparing::Values => column.to_owned(),
        Comparing::Texts => format!("{column}::text"),
    };
    match wanted {
        Wanted::Nulls(_) => format!("count(*) FILTER (WHERE {column} IS NULL)"),
        Wanted::Share { text, .. } | Wanted::Common { text, .. } => {
            format!(
                "count(*) FILTER (WHERE {compared} = {})",
                quote_literal(text)
            )
        }
        Wanted::Distinct { .. } => format!("count(DISTINCT {compared})"),
        Wanted::Correlation(_) => "0".to_owned(),
        Wanted::Bounds { low, high } => {
            let beyond = |bound: &Option<String>, operator: &str| {
                let bound = bound.as_ref().filter(|_| comparing == Comparing::Values);
                bound.map(|bound| format!("{column} {operator} {}", quote_literal(bound)))
            };
            let beyond: Vec<String> = [beyond(low, "<"), beyond(high, ">")]
                .into_iter()
                .flatten()
                .collect();
            match &beyond[..] {
                [] => "0".to_owned(),
                beyond => format!("count(*) FILTER (WHERE {})", beyond.join(" OR ")),
            }
        }
    }
}
