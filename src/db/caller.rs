//! Who asks: the role and the settings that the application's queries run with. Row security and planner settings of a role
//! are part of the plan.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tokio_postgres::Client;

use crate::catalog::{Caller, Query};
use crate::db::bench::Bench;
use crate::db::explain::{
    ExplainError, Limits, PlanChoice, Refusal, in_transaction, quote_literal,
};
use crate::run::QueryRuns;
use crate::schema::{QualifiedName, Schema};

impl Caller {
    /// As options of a connection, so that they outlive `RESET ALL` and hold in every transaction.
    #[must_use]
    pub fn options(&self) -> String {
        let role = self.role.iter().map(|role| ("role", role.as_str()));
        let settings = self
            .settings
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        // Settings first: the role may not be allowed to change them.
        settings
            .chain(role)
            .map(|(name, value)| format!("-c {name}={}", escaped(value)))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// As statements of an open transaction, for which alone they hold.
    #[must_use]
    pub fn local(&self) -> String {
        let settings = self.settings.iter();
        let settings = settings.map(|(name, value)| (name.as_str(), value.as_str()));
        let role = self.role.iter().map(|role| ("role", role.as_str()));
        settings
            .chain(role)
            .map(|(name, value)| {
                let (name, value) = (quote_literal(name), quote_literal(value));
                format!("SELECT pg_catalog.set_config({name}, {value}, true);")
            })
            .collect()
    }
}

/// Tries to be the one who asks: nothing, or why the server does not let it.
///
/// # Errors
/// [`ExplainError`] where the server failed.
pub(crate) async fn refusal(
    client: &Client,
    limits: &Limits,
) -> Result<Option<Box<Refusal>>, ExplainError> {
    match in_transaction(
        client,
        limits,
        PlanChoice::Custom,
        "SELECT '1'::pg_catalog.text",
    )
    .await
    {
        Err(ExplainError::Refused(refusal)) if !refusal.is_of_the_server() => Ok(Some(refusal)),
        tried => tried.map(|_| None),
    }
}

/// Blanks separate options, and a backslash takes that from them.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for character in value.chars() {
        if character == '\\' || character.is_whitespace() {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

/// Tables whose policies do not hold for a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bypassed {
    /// `current_user`.
    pub role: String,
    /// Those with row security that the queries read.
    pub tables: Vec<QualifiedName>,
}

/// What to do where the server does not let the connection be the one who asks.
pub(crate) fn remedy(refusal: &Refusal) -> &'static str {
    match refusal.code.as_str() {
        "42501" => {
            "`@role` and `@set` above the query say who asks: grant the role to the connection's user, and set what that user may set"
        }
        "22023" | "42704" if refusal.message.starts_with("role ") => {
            "`@role` above the query names it: a migration makes the role, or `[server] roles` of pgproof.toml does; on a given \
             database it must be there"
        }
        _ => "`@role` and `@set` above the query say who asks: correct them",
    }
}

/// Which tables with row security, of those that the queries read, are read without it; one entry for each role that bypasses
/// some. `limits` gives those of a query's transactions.
///
/// # Errors
/// [`ExplainError`] where the server failed.
pub async fn bypassed(
    bench: Bench<'_>,
    schema: &Schema,
    (queries, runs): (&[Query], &[QueryRuns]),
    limits: impl Fn(&Query) -> Limits,
) -> Result<Vec<Bypassed>, ExplainError> {
    let mut by_caller: BTreeMap<&Caller, (&Query, Vec<&QueryRuns>)> = BTreeMap::new();
    for runs in runs {
        if let Some(query) = queries.get(runs.query) {
            let asked = by_caller.entry(&query.asked_by);
            asked.or_insert((query, Vec::new())).1.push(runs);
        }
    }
    let mut found: Vec<Bypassed> = Vec::new();
    for (query, runs) in by_caller.into_values() {
        let Some(bypassed) = bypassed_by(bench, schema, &runs, &limits(query)).await? else {
            continue;
        };
        match found.iter_mut().find(|other| other.role == bypassed.role) {
            Some(other) => {
                let known = &mut other.tables;
                let new = bypassed.tables.into_iter();
                let new: Vec<_> = new.filter(|table| !known.contains(table)).collect();
                known.extend(new);
            }
            None => found.push(bypassed),
        }
    }
    Ok(found)
}

/// Of queries that one caller asks.
async fn bypassed_by(
    bench: Bench<'_>,
    schema: &Schema,
    runs: &[&QueryRuns],
    limits: &Limits,
) -> Result<Option<Bypassed>, ExplainError> {
    let protected: BTreeSet<u32> = runs
        .iter()
        .flat_map(|runs| &runs.runs)
        .flat_map(|run| run.plan.nodes.iter())
        .filter_map(|node| {
            let relation = node.relation.as_ref()?;
            let table = schema.table(relation.schema.as_deref(), &relation.name)?;
            Some(schema.root_of(table)).filter(|root| root.row_security)
        })
        .map(|table| table.oid)
        .collect();
    if protected.is_empty() {
        return Ok(None);
    }
    let caller = limits.caller.as_deref().unwrap_or_default();
    let oids: Vec<String> = protected.iter().map(u32::to_string).collect();
    let key = bench.results.key("bypassed", &[&oids.join(" "), caller]);
    if let Some(known) = bench.results.find::<Option<Bypassed>>(&key) {
        return Ok(known.value);
    }
    let body = format!(
        "SELECT pg_catalog.json_build_array(CURRENT_USER, coalesce(pg_catalog.json_agg(oid::pg_catalog.int8), '[]'))::pg_catalog.text \
         FROM pg_catalog.unnest(ARRAY[{}]::pg_catalog.oid[]) AS protected(oid) \
         WHERE NOT pg_catalog.row_security_active(oid);",
        oids.join(", ")
    );
    let answer = in_transaction(bench.client()?, limits, PlanChoice::Custom, &body).await?;
    let text = answer.first().map_or("[\"\", []]", String::as_str);
    let (role, open): (String, Vec<u32>) =
        serde_json::from_str(text).map_err(|error| ExplainError::Unreadable(error.to_string()))?;
    let tables = open
        .iter()
        .filter_map(|oid| Some(schema.table_by_oid(*oid)?.name.clone()));
    let bypassed = Bypassed {
        role,
        tables: tables.collect(),
    };
    let bypassed = Some(bypassed).filter(|bypassed| !bypassed.tables.is_empty());
    bench.results.keep(&key, &bypassed);
    Ok(bypassed)
}

#[cfg(test)]
mod tests {
    use super::Caller;

    #[test]
    fn options_keep_blanks() {
        let caller = Caller {
            role: Some("the app".to_owned()),
            settings: vec![("app.tenant".to_owned(), "7".to_owned())],
        };
        assert_eq!(caller.options(), r"-c app.tenant=7 -c role=the\ app");
        assert!(Caller::default().is_connection());
    }

    #[test]
    fn a_transaction_of_its_own_quotes_what_is_set() {
        let caller = Caller {
            role: Some("O'Brien".to_owned()),
            settings: vec![(
                "app.tenant".to_owned(),
                r"7'); DROP TABLE a; --\".to_owned(),
            )],
        };
        assert_eq!(
            caller.local(),
            "SELECT pg_catalog.set_config('app.tenant', E'7''); DROP TABLE a; --\\\\', true);\
             SELECT pg_catalog.set_config('role', 'O''Brien', true);"
        );
    }
}
