//! Who asks: the role and the settings that the application's queries run with. Row security and planner settings of a role
//! are part of the plan.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::db::bench::Bench;
use crate::db::explain::{ExplainError, Limits, PlanChoice, in_transaction};
use crate::run::QueryRuns;
use crate::schema::{QualifiedName, Schema};

/// `[audit] role` and `[audit] settings`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Caller {
    /// `SET ROLE`.
    pub role: Option<String>,
    /// `SET name = value`.
    pub settings: Vec<(String, String)>,
}

impl Caller {
    /// Whether it is whoever the connection is.
    #[must_use]
    pub fn is_connection(&self) -> bool {
        self.role.is_none() && self.settings.is_empty()
    }

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

/// Which tables with row security, of those that the queries read, are read without it.
///
/// # Errors
/// [`ExplainError`] where the server failed.
pub async fn bypassed(
    bench: Bench<'_>,
    schema: &Schema,
    runs: &[QueryRuns],
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
    let oids: Vec<String> = protected.iter().map(u32::to_string).collect();
    let key = bench.results.key("bypassed", &[&oids.join(" ")]);
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
}
