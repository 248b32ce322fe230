//! How the server orders texts: only it knows its collation.

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::ProfileError;
use super::read::Reader;

/// Texts in the order of the database's collation.
pub(super) async fn sorted(
    reader: &Reader<'_>,
    texts: &[String],
) -> Result<Vec<String>, ProfileError> {
    const SQL: &str = "SELECT t.text FROM unnest($1) AS t(text) ORDER BY t.text";
    let rows = reader
        .client()
        .query_typed(SQL, &[(&texts, Type::TEXT_ARRAY)])
        .await;
    let rows = rows.map_err(|error| reader.failed("order of texts", &error))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Lists that the database orders otherwise, or in which it takes two texts for the same.
pub(super) async fn unordered(
    reader: &Reader<'_>,
    lists: &[(usize, Vec<String>)],
) -> Result<Vec<usize>, ProfileError> {
    const SQL: &str = "SELECT DISTINCT t.list FROM ( \
           SELECT u.list, u.text, lag(u.text) OVER (PARTITION BY u.list ORDER BY u.at) AS before \
           FROM unnest($1, $2) WITH ORDINALITY AS u(list, text, at)) AS t \
         WHERE t.before >= t.text";
    let mut numbers: Vec<i64> = Vec::new();
    let mut texts: Vec<&String> = Vec::new();
    for (list, own) in lists {
        numbers.extend(own.iter().map(|_| i64::try_from(*list).unwrap_or(i64::MAX)));
        texts.extend(own);
    }
    let rows = reader
        .client()
        .query_typed(
            SQL,
            &[(&numbers, Type::INT8_ARRAY), (&texts, Type::TEXT_ARRAY)],
        )
        .await;
    let rows = rows.map_err(|error| reader.failed("order of texts", &error))?;
    let list = |row: &Row| usize::try_from(row.get::<_, i64>(0)).ok();
    Ok(rows.iter().filter_map(list).collect())
}
