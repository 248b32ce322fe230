//! A prepared statement with its parameters' types, and how values are written for it.

use serde::Deserialize;
use tokio_postgres::Client;

use super::{ExplainError, Limits, NO_POSITION, PlanChoice, opening, texts};
use crate::schema::quote_identifier;

/// A statement that the server has parsed. It lives in the session until [`Prepared::deallocate`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// Its name in the session.
    pub name: String,
    /// Of `$1`, `$2`…
    pub types: Vec<TypeInfo>,
    /// Whether executing it changes data.
    pub writes: bool,
}

/// A parameter's type.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TypeInfo {
    /// `pg_type.oid`.
    pub oid: u32,
    /// `format_type`: `character varying`, `order_status[]`.
    pub name: String,
    /// What it is.
    pub kind: TypeKind,
    /// Enum labels in sort order (of the elements, for an array).
    pub labels: Option<Vec<String>>,
    /// `format_type` of an array's elements.
    pub element: Option<String>,
}

/// What values of a type look like, as far as it matters for making one. Of an array: its elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TypeKind {
    Boolean,
    Integer,
    Number,
    Text,
    Date,
    Timestamp,
    Time,
    Interval,
    Uuid,
    Json,
    Network,
    Enum,
    TsQuery,
    TsVector,
    Bytea,
    Other,
}

impl Prepared {
    /// Prepares `sql` under `name` and reads its parameters' types, in one round trip.
    ///
    /// # Errors
    /// [`ExplainError::Refused`] with the position in `sql` where the statement is at fault.
    pub async fn new(
        client: &Client,
        name: &str,
        sql: &str,
        writes: bool,
        limits: &Limits,
    ) -> Result<Self, ExplainError> {
        let before = format!(
            "{}PREPARE {} AS ",
            opening(limits, PlanChoice::Custom),
            quote_identifier(name)
        );
        // The line break ends a comment that the statement may end with.
        let message = format!("{before}{sql}\n;{};ROLLBACK;", types_query(name));
        let answer = texts(client, &message, before.chars().count()).await?;
        let json = answer.first().map_or("[]", String::as_str);
        let types = serde_json::from_str(json)
            .map_err(|error| ExplainError::Unreadable(error.to_string()))?;
        Ok(Self {
            name: name.to_owned(),
            types,
            writes,
        })
    }

    /// `EXECUTE name('5', NULL)`. Without casts: the server reads each literal as its parameter's type, while
    /// `'NZ'::character` would mean `character(1)`.
    #[must_use]
    pub fn execute(&self, values: &[Option<String>]) -> String {
        let name = quote_identifier(&self.name);
        if self.types.is_empty() {
            return format!("EXECUTE {name}");
        }
        let value = |i: usize| {
            values
                .get(i)
                .and_then(Option::as_ref)
                .map_or_else(|| "NULL".to_owned(), |v| quote_literal(v))
        };
        let values: Vec<String> = (0..self.types.len()).map(value).collect();
        format!("EXECUTE {name}({})", values.join(", "))
    }

    /// Forgets it.
    ///
    /// # Errors
    /// [`ExplainError::Server`].
    pub async fn deallocate(self, client: &Client) -> Result<(), ExplainError> {
        texts(
            client,
            &format!("DEALLOCATE {}", quote_identifier(&self.name)),
            NO_POSITION,
        )
        .await
        .map(drop)
    }
}

fn types_query(name: &str) -> String {
    format!(
        "SELECT coalesce(json_agg(json_build_object('oid', t.oid::bigint, 'name', format_type(t.oid, NULL), \
           'element', CASE WHEN e.oid <> t.oid THEN format_type(e.oid, NULL) END, \
           'labels', (SELECT json_agg(l.enumlabel ORDER BY l.enumsortorder) FROM pg_enum l WHERE l.enumtypid = b.oid), \
           'kind', CASE \
             WHEN b.typtype = 'e' THEN 'enum' \
             WHEN b.typname IN ('int2', 'int4', 'int8') THEN 'integer' \
             WHEN b.typname IN ('json', 'jsonb') THEN 'json' \
             WHEN b.typname = 'date' THEN 'date' \
             WHEN b.typname IN ('timestamp', 'timestamptz') THEN 'timestamp' \
             WHEN b.typname IN ('time', 'timetz') THEN 'time' \
             WHEN b.typname IN ('uuid', 'tsquery', 'tsvector', 'bytea') THEN b.typname \
             WHEN b.typcategory = 'B' THEN 'boolean' WHEN b.typcategory = 'N' THEN 'number' \
             WHEN b.typcategory = 'S' THEN 'text' WHEN b.typcategory = 'T' THEN 'interval' \
             WHEN b.typcategory = 'I' THEN 'network' WHEN b.typname = 'citext' THEN 'text' \
             ELSE 'other' END) ORDER BY p.n), '[]')::text \
         FROM pg_prepared_statements s \
         CROSS JOIN LATERAL unnest(s.parameter_types::oid[]) WITH ORDINALITY AS p (type, n) \
         JOIN pg_type t ON t.oid = p.type \
         JOIN pg_type e ON e.oid = CASE WHEN t.typcategory = 'A' AND t.typelem <> 0 THEN t.typelem ELSE t.oid END \
         JOIN pg_type b ON b.oid = CASE WHEN e.typtype = 'd' THEN e.typbasetype ELSE e.oid END \
         WHERE s.name = {}",
        quote_literal(name)
    )
}

/// A string literal, right whatever `standard_conforming_strings` says.
#[must_use]
pub fn quote_literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        format!("E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals() {
        assert_eq!(quote_literal("it's"), "'it''s'");
        assert_eq!(quote_literal(r"a\'b"), r"E'a\\''b'");
    }
}
