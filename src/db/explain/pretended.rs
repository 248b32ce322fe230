//! Plans beside indexes that HypoPG pretends are there.

use tokio_postgres::Client;

use super::{
    ExplainError, Explained, Limits, Mode, PlanChoice, Prepared, Work, explain, read, rolled_back,
};

/// An index that HypoPG pretends is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pretended {
    /// As plans name it.
    pub(crate) name: String,
    /// As HypoPG estimates it.
    pub(crate) bytes: u64,
}

/// Plans a prepared statement of a given database beside hypothetical indexes: `create` are statements of HypoPG's functions, which
/// are in `schema`. They exist in the session's memory alone, and are forgotten in the same transaction.
///
/// # Errors
/// [`ExplainError`]; what was pretended is then there until [`forget_pretended`].
pub(crate) async fn with_pretended(
    client: &Client,
    (prepared, values, choice): (&Prepared, &[Option<String>], PlanChoice),
    (schema, create): (&str, &str),
    limits: &Limits,
) -> Result<(Vec<Pretended>, Explained), ExplainError> {
    let settings = format!("SELECT {schema}.hypopg_reset();{create}");
    let work = Work {
        prepared: Some(prepared),
        settings: &settings,
        statements: vec![
            format!(
                "SELECT pg_catalog.json_build_array(indexname, {schema}.hypopg_relation_size(indexrelid)) \
                 FROM {schema}.hypopg() ORDER BY indexrelid"
            ),
            explain(Mode::Estimate, prepared, values),
            format!("SELECT {schema}.hypopg_reset()::pg_catalog.text"),
        ],
    };
    let done = rolled_back(client, limits, choice, work).await?;
    let [indexes, plan, _] = &done.answers[..] else {
        return Err(ExplainError::NoPlan);
    };
    let pretended = |text: &String| {
        serde_json::from_str(text)
            .map(|(name, bytes)| Pretended { name, bytes })
            .map_err(|_| ExplainError::Unreadable(text.clone()))
    };
    let indexes: Result<Vec<_>, _> = indexes.iter().map(pretended).collect();
    let plan = plan.last().ok_or(ExplainError::NoPlan)?;
    Ok((indexes?, read(plan)?))
}

/// Takes away what [`with_pretended`] left after an error.
///
/// # Errors
/// [`ExplainError`].
pub(crate) async fn forget_pretended(
    client: &Client,
    schema: &str,
    limits: &Limits,
) -> Result<(), ExplainError> {
    let work = Work {
        prepared: None,
        settings: "",
        statements: vec![format!("SELECT {schema}.hypopg_reset()::pg_catalog.text")],
    };
    rolled_back(client, limits, PlanChoice::Custom, work)
        .await
        .map(drop)
}
