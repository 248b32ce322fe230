//! Where a spec says something else than a profile.

use crate::profile::model::ColumnStatistics;
use crate::schema::QualifiedName;
use crate::seed::spec::{ColumnSpec, RowsSpec};

/// Shares that differ by less than this are the same to a person.
const CLOSE: f64 = 0.02;

/// Of rows; those for each parent depend on the parents.
pub(super) fn rows(table: &QualifiedName, said: &RowsSpec, known: f64) -> Option<String> {
    match said {
        RowsSpec::Count(said) => ((*said as f64 - known).abs() > 0.1 * known.max(1.0))
            .then(|| format!("{table}: the spec says {said} rows, the profile {known:.0}")),
        RowsSpec::Per { .. } => None,
    }
}

/// Of a column: each key that the two can be compared by.
pub(super) fn column(
    table: &QualifiedName,
    said: &ColumnSpec,
    known: &ColumnStatistics,
    rows: Option<f64>,
) -> Vec<String> {
    let name = &said.name.text;
    let mut found = Vec::new();
    let nulls = (f64::from(known.null_fraction) * 1000.0).round() / 1000.0;
    if let Some(null) = said.null.filter(|null| (null - nulls).abs() > CLOSE) {
        found.push(format!(
            "{table}: the spec says null = {null} of {name}, the profile {nulls}"
        ));
    }
    let distinct = match (f64::from(known.distinct), rows) {
        (share @ ..0.0, Some(rows)) => Some(-share * rows),
        (count, _) if count > 0.0 => Some(count),
        _ => None,
    };
    if let (Some(said), Some(known)) = (said.distinct, distinct)
        && ((said as f64) < known / 2.0 || said as f64 > known * 2.0)
    {
        found.push(format!(
            "{table}: the spec says distinct = {said} of {name}, the profile about {known:.0}"
        ));
    }
    let correlation = known.correlation.map(f64::from);
    if let (Some(said), Some(known)) = (said.correlation, correlation)
        && (said - known).abs() > 0.1
    {
        found.push(format!(
            "{table}: the spec says correlation = {said} of {name}, the profile {known}"
        ));
    }
    found
}
