//! The queries of a profile, one after another in one read-only transaction with limits.

use std::time::Duration;

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::order;
use super::probe;
use super::rows::{self, Relations};
use crate::db::connect::{EnvironmentFault, Session, describe};
use crate::db::{introspect, statements};
use crate::profile::model::{Profile, Scope, Setting, StatementCalls};
use crate::profile::remap::{Basis, Key, Remap, Workload};
use crate::schema::QualifiedName;
use crate::trace::event::Statement;

/// Values print alike whatever the session was set to; names resolve in `pg_catalog` alone.
const OPENING: &str = "START TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; \
     SET LOCAL search_path = pg_catalog, pg_temp; SET LOCAL statement_timeout = '10s'; SET LOCAL lock_timeout = '2s'; \
     SET LOCAL DateStyle = 'ISO, MDY'; SET LOCAL IntervalStyle = 'postgres'; SET LOCAL TimeZone = 'UTC'; \
     SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'";

/// Why statistics could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the {what} of database {database} cannot be read: {reason}")]
pub struct ProfileError {
    what: &'static str,
    database: String,
    reason: String,
    /// Set where the environment is at fault.
    pub fault: Option<EnvironmentFault>,
}

/// The statistics of the session's database, values as they are.
///
/// # Errors
/// [`ProfileError`] where the server fails, refuses or takes longer than ten seconds for a query.
pub async fn read(session: &Session) -> Result<Profile, ProfileError> {
    let reader = Reader { session };
    let read = match reader.open().await {
        Ok(()) => reader.profile().await,
        Err(error) => Err(error),
    };
    reader.close().await;
    read
}

/// The statistics of the session's database without a value of it, but for constants of the schema and of statements.
///
/// # Errors
/// As [`read`]; also where the schema cannot be read.
pub async fn remapped(
    session: &Session,
    workload: &Workload,
    key: &Key,
) -> Result<Profile, ProfileError> {
    let reader = Reader { session };
    let read = match reader.open().await {
        Ok(()) => reader.remapped(workload, key, None).await,
        Err(error) => Err(error),
    };
    reader.close().await;
    read
}

/// The same, and what samples of the rows say within a time.
///
/// # Errors
/// As [`remapped`].
pub async fn probed(
    session: &Session,
    workload: &Workload,
    key: &Key,
    budget: Duration,
) -> Result<Profile, ProfileError> {
    let reader = Reader { session };
    let read = match reader.open().await {
        Ok(()) => reader.remapped(workload, key, Some(budget)).await,
        Err(error) => Err(error),
    };
    reader.close().await;
    read
}

/// Statistics that came from elsewhere, without a value of theirs. The session's server decides how texts are ordered.
///
/// # Errors
/// As [`read`].
pub async fn remap(
    session: &Session,
    profile: &Profile,
    basis: Basis<'_>,
) -> Result<Profile, ProfileError> {
    let reader = Reader { session };
    let mapped = match reader.open().await {
        Ok(()) => reader.mapped(profile, basis).await,
        Err(error) => Err(error),
    };
    reader.close().await;
    mapped
}

/// Reads in a transaction that is open.
pub(super) struct Reader<'s> {
    session: &'s Session,
}

impl Reader<'_> {
    pub(super) fn client(&self) -> &Client {
        self.session.client()
    }

    async fn open(&self) -> Result<(), ProfileError> {
        let opened = self.client().batch_execute(OPENING).await;
        opened.map_err(|error| self.failed("settings", &error))
    }

    async fn close(&self) {
        // A transaction that only read is as well given up; where the session is lost, reading says so.
        let _ = self.client().batch_execute("ROLLBACK").await;
    }

    async fn remapped(
        &self,
        workload: &Workload,
        key: &Key,
        probe: Option<Duration>,
    ) -> Result<Profile, ProfileError> {
        let mut profile = self.profile().await?;
        self.add_statements(&mut profile).await?;
        let schema = introspect::shape_within(self.session).await;
        let schema = schema.map_err(|error| ProfileError {
            what: "schema",
            database: self.session.url().database().to_owned(),
            reason: error.to_string(),
            fault: error.fault,
        })?;
        if let Some(budget) = probe {
            // What is called in production counts as well as what the repository has.
            let statements = profile.statements.iter();
            let mut both = workload.clone();
            both.add(Workload::by(
                statements.map(|statement| statement.text.as_str()),
            ));
            probe::probe(self, &schema, &both, &mut profile, budget).await?;
        }
        let basis = Basis {
            schema: &schema,
            workload,
            key,
        };
        self.mapped(&profile, basis).await
    }

    /// Maps values, with the server's word on the order of texts.
    async fn mapped(&self, profile: &Profile, basis: Basis<'_>) -> Result<Profile, ProfileError> {
        let mut remap = Remap::new(profile, basis);
        let sorted = order::sorted(self, &remap.texts()).await?;
        let lists = remap.map(&sorted);
        let broken = order::unordered(self, &lists).await?;
        let plain = remap.map_plainly(&broken);
        let broken = order::unordered(self, &plain).await?;
        remap.give_up(&broken);
        Ok(remap.finish())
    }

    /// What pg_stat_statements counted, where it is there and may be read.
    async fn add_statements(&self, profile: &mut Profile) -> Result<(), ProfileError> {
        let savepoint = |sql: &'static str| async move {
            let done = self.client().batch_execute(sql).await;
            done.map_err(|error| self.failed("statements", &error))
        };
        savepoint("SAVEPOINT pgproof_statements").await?;
        let rows = statements::rows(self.session).await;
        savepoint("ROLLBACK TO SAVEPOINT pgproof_statements").await?;
        match rows {
            Ok(rows) => profile.statements = rows.iter().map(calls).collect(),
            Err(error) => profile
                .not_read
                .push(format!("calls of statements: {error}")),
        }
        Ok(())
    }

    async fn profile(&self) -> Result<Profile, ProfileError> {
        let major = self.session.version().major();
        let tables = self.ask("tables", include_str!("../sql/profile/tables.sql"), None);
        let mut relations = Relations::of(&tables.await?);
        let oids = relations.table_oids();
        let indexes = include_str!("../sql/profile/indexes.sql");
        relations.add_indexes(&self.ask("indexes", indexes, Some(&oids)).await?);
        self.add_columns(major, &mut relations).await?;
        self.add_extended(major, &oids, &mut relations).await?;
        let hidden = include_str!("../sql/profile/hidden.sql");
        let hidden = self.ask("statistics", hidden, Some(&oids)).await?;
        let mut not_read: Vec<String> = hidden.iter().map(hidden_columns).collect();
        let settings = self.settings(&mut not_read).await?;
        let tables = relations.into_tables();
        let never = tables.iter().filter(|table| table.rows.is_none());
        not_read.extend(never.map(|table| {
            let name = table.qualified_name();
            format!("{name}: never analysed, so its rows are not known")
        }));
        let day = self.ask("day", "SELECT CURRENT_DATE - DATE '2000-01-01'", None);
        let day = day.await?.first().map_or(0, |row| row.get::<_, i32>(0));
        Ok(Profile {
            server_major: major,
            schema: None,
            day: i64::from(day),
            settings,
            tables,
            statements: Vec::new(),
            not_read,
        })
    }

    async fn add_columns(&self, major: u32, relations: &mut Relations) -> Result<(), ProfileError> {
        let ranges = match major {
            17.. => {
                "s.range_length_histogram::text::text[] AS range_lengths, s.range_empty_frac AS range_empty, \
                     s.range_bounds_histogram::text::text[] AS range_bounds"
            }
            _ => {
                "NULL::text[] AS range_lengths, NULL::float4 AS range_empty, NULL::text[] AS range_bounds"
            }
        };
        let sql = include_str!("../sql/profile/columns.sql").replace("{ranges}", ranges);
        let oids = relations.oids();
        relations.add_columns(&self.ask("statistics of columns", &sql, Some(&oids)).await?);
        Ok(())
    }

    async fn add_extended(
        &self,
        major: u32,
        oids: &[u32],
        relations: &mut Relations,
    ) -> Result<(), ProfileError> {
        let inherited = |alias: &str| match major {
            15.. => format!("{alias}.inherited"),
            _ => "false".to_owned(),
        };
        let sql =
            include_str!("../sql/profile/extended.sql").replace("{inherited}", &inherited("e"));
        let extended = self.ask("extended statistics", &sql, Some(oids)).await?;
        let sql = include_str!("../sql/profile/extended_expressions.sql")
            .replace("{inherited}", &inherited("s"));
        let expressions = self.ask("statistics of expressions", &sql, None).await?;
        relations.add_extended(&extended, &expressions);
        Ok(())
    }

    async fn settings(&self, not_read: &mut Vec<String>) -> Result<Vec<Setting>, ProfileError> {
        let server = include_str!("../sql/profile/settings.sql");
        let server = self.ask("settings", server, None).await?;
        let mut settings = Vec::new();
        for row in &server {
            let name: String = row.get("name");
            if row.get("is_databases") {
                continue;
            }
            match row.get("is_callers") {
                true => not_read.push(format!(
                    "{name} of the server: the session that read the statistics has a value of its own"
                )),
                false => settings.push(Setting {
                    scope: Scope::Server,
                    name,
                    value: row.get("value"),
                }),
            }
        }
        let roles = include_str!("../sql/profile/role_settings.sql");
        let roles = self.ask("settings of roles", roles, None).await?;
        let planners: Vec<String> = server.iter().map(|row| row.get("name")).collect();
        settings.extend(
            roles
                .iter()
                .filter_map(rows::role_setting)
                // Other settings may hold anything.
                .filter(|setting| planners.contains(&setting.name)),
        );
        settings.sort();
        Ok(settings)
    }

    async fn ask(
        &self,
        what: &'static str,
        sql: &str,
        oids: Option<&[u32]>,
    ) -> Result<Vec<Row>, ProfileError> {
        let client = self.session.client();
        let answer = match oids {
            Some(oids) => client.query_typed(sql, &[(&oids, Type::OID_ARRAY)]).await,
            None => client.query_typed(sql, &[]).await,
        };
        answer.map_err(|error| self.failed(what, &error))
    }

    pub(super) fn failed(&self, what: &'static str, error: &tokio_postgres::Error) -> ProfileError {
        ProfileError {
            what,
            database: self.session.url().database().to_owned(),
            reason: describe(error),
            fault: EnvironmentFault::of(error),
        }
    }
}

fn calls(statement: &Statement) -> StatementCalls {
    let seconds = statement.seconds.filter(|seconds| *seconds > 0.0);
    StatementCalls {
        text: statement.text.clone(),
        per_second: seconds.map(|seconds| statement.calls / seconds),
        calls: statement.calls,
        mean_ms: statement
            .total_ms
            .map(|total| total / statement.calls.max(1.0)),
    }
}

/// A row of `hidden.sql` in words.
fn hidden_columns(row: &Row) -> String {
    let table = QualifiedName::new(row.get::<_, &str>("schema"), row.get::<_, &str>("name"));
    let columns: Vec<String> = row.get("columns");
    let why = if row.get("row_security") {
        "row security hides their statistics from this role; a role with BYPASSRLS reads them"
    } else if row.get("may_select") {
        "they have no statistics; ANALYZE collects them"
    } else {
        "the role may not read them; GRANT pg_read_all_data lets it"
    };
    format!("{table} ({}): {why}", columns.join(", "))
}
