//! What would tell the planner the rows of a scan: which statistics to collect on its table, as SQL. Decides from the
//! conditions alone; whether it helps is measured by `db::prove_statistics`.

use super::predicate;
use crate::plan::condition::{Expression, ExpressionKind, parse};
use crate::schema::{QualifiedName, quote_identifier};

/// `STATS_MAX_DIMENSIONS`.
const MAX_COLUMNS: usize = 8;
/// `NAMEDATALEN` - 1.
const MAX_NAME: usize = 63;
/// Statistics target for a skewed column: ten times the default.
const TARGET: u32 = 1000;

/// What to collect, and how it is reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remedy {
    /// Statements for a migration; the last one is ANALYZE. `None` where the query must change.
    pub sql: Option<String>,
    /// What the planner does without it.
    pub why: String,
}

/// What to collect for the scan of `table`, known as `alias` in `condition`; `None` where joins decide the rows, or nothing
/// but ANALYZE could help.
pub(super) fn remedy(
    table: &QualifiedName,
    alias: &str,
    condition: &str,
    is_own: &dyn Fn(&Expression) -> bool,
) -> Option<Remedy> {
    let parsed = parse(condition);
    let conjuncts = parsed.conjuncts();
    // Statistics are of one table: what compares with another says nothing here.
    let own: Vec<&Expression> = conjuncts
        .into_iter()
        .filter(|conjunct| is_of(conjunct, alias))
        .collect();
    if own.iter().any(|conjunct| is_known_late(conjunct, alias)) {
        return Some(Remedy {
            sql: None,
            why: "The value that it is compared with is known only while the statement runs (it comes from a subquery, or the plan \
                  is generic), so the planner assumes a fixed share. Where the misestimate costs, ask for the value first and bind it."
                .to_owned(),
        });
    }
    if let Some(expression) = own
        .iter()
        .find_map(|conjunct| hidden_column(conjunct, alias))
    {
        if !is_own(expression) {
            return Some(Remedy {
                sql: None,
                why: "The planner guesses at an expression that holds a parameter's value. Compare the bare column, which has \
                      statistics."
                    .to_owned(),
            });
        }
        let expression = expression.unqualified();
        let name = name(table, &[&words(&expression)]);
        return Some(Remedy {
            sql: Some(format!(
                "CREATE STATISTICS {name} ON ({expression}) FROM {table};\nANALYZE {table};"
            )),
            why: format!("The planner has no statistics of {expression} and guesses."),
        });
    }
    if own
        .iter()
        .any(|conjunct| matches!(conjunct.kind, ExpressionKind::Call { .. }))
    {
        return Some(Remedy {
            sql: None,
            why: "The planner guesses at what a function makes of a condition (COALESCE around a comparison, say), whatever the \
                  statistics. Write the condition without it, as a comparison of the bare column."
                .to_owned(),
        });
    }
    // What depends on each other shows in equalities; a bound beside them is estimated from its own histogram.
    let equal = columns(own.iter().filter(|conjunct| is_equality(conjunct, alias)));
    let columns = if equal.len() > 1 {
        equal
    } else {
        columns(own.iter())
    };
    let quoted: Vec<String> = columns
        .iter()
        .map(|column| quote_identifier(column))
        .collect();
    match quoted.as_slice() {
        [_, _, ..] => Some(Remedy {
            sql: Some(format!(
                "CREATE STATISTICS {} ON {} FROM {table};\nANALYZE {table};",
                name(table, &columns),
                quoted.join(", ")
            )),
            why: "The planner multiplies the conditions as if the columns were independent."
                .to_owned(),
        }),
        [one] => Some(Remedy {
            sql: Some(format!(
                "ALTER TABLE {table} ALTER COLUMN {one} SET STATISTICS {TARGET};\nANALYZE {table};"
            )),
            why: format!("The planner knows too few values of {one}."),
        }),
        [] => None,
    }
}

/// The columns of conditions, each once.
fn columns<'e>(conjuncts: impl Iterator<Item = &'e &'e Expression>) -> Vec<&'e str> {
    let mut columns: Vec<&str> = Vec::new();
    for (_, column) in conjuncts.flat_map(|conjunct| conjunct.columns()) {
        if !columns.contains(&column) && columns.len() < MAX_COLUMNS {
            columns.push(column);
        }
    }
    columns
}

fn is_equality(conjunct: &Expression, alias: &str) -> bool {
    let comparison = conjunct.comparison(alias);
    comparison.is_some_and(|comparison| comparison.operator == "=")
}

/// Whether all its columns are the relation's.
fn is_of(conjunct: &Expression, alias: &str) -> bool {
    let columns = conjunct.columns();
    !columns.is_empty()
        && columns
            .iter()
            .all(|(qualifier, _)| qualifier.is_none_or(|qualifier| qualifier == alias))
}

/// Whether it compares with the result of a subquery, or with a parameter that the plan does not know.
fn is_known_late(conjunct: &Expression, alias: &str) -> bool {
    conjunct.comparison(alias).is_some_and(|comparison| {
        let other = comparison.other.without_casts();
        matches!(
            other.kind,
            ExpressionKind::Parameter(_) | ExpressionKind::Subplan
        ) || other.text.contains("InitPlan")
    })
}

/// The expression around a column that a comparison is about, where it is more than the column.
fn hidden_column<'e>(conjunct: &'e Expression, alias: &str) -> Option<&'e Expression> {
    let comparison = conjunct.comparison(alias)?;
    let is_column =
        comparison.subject.as_column().is_some() && !predicate::is_real_cast(comparison.subject);
    (!is_column).then_some(comparison.subject)
}

/// `lower(code)` as `lower_code`.
fn words(expression: &str) -> String {
    let parts: Vec<&str> = expression
        .split(|character: char| !character.is_alphanumeric())
        .filter(|part| !part.is_empty())
        .collect();
    parts.join("_")
}

/// `orders_country_market_stat`, as PostgreSQL 16 would name it: older ones require a name. In the table's schema.
fn name(table: &QualifiedName, columns: &[&str]) -> String {
    const SUFFIX: &str = "_stat";
    let mut base = format!("{}_{}", table.name, columns.join("_"));
    let mut end = base.len().min(MAX_NAME - SUFFIX.len());
    while !base.is_char_boundary(end) {
        end -= 1;
    }
    base.truncate(end);
    QualifiedName::new(table.schema.clone(), base + SUFFIX).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sql(condition: &str) -> Option<String> {
        let orders = QualifiedName::new("public", "orders");
        remedy(&orders, "o", condition, &|_| true).and_then(|remedy| remedy.sql)
    }

    #[test]
    fn columns_that_depend_on_each_other() {
        let found = sql(
            "((o.country = 'NZ'::bpchar) AND (o.market = 'oceania'::text)) AND (o.customer_id = c.id)",
        );
        let expected = "CREATE STATISTICS orders_country_market_stat ON country, market FROM orders;\nANALYZE orders;";
        assert_eq!(found.as_deref(), Some(expected));
    }

    #[test]
    fn a_bound_beside_equalities_is_left_out() {
        let found = sql(
            "((o.country = 'NZ'::bpchar) AND (o.market = 'x'::text) AND (o.placed_at > '2025-01-01'::date))",
        );
        let expected = "CREATE STATISTICS orders_country_market_stat ON country, market FROM orders;\nANALYZE orders;";
        assert_eq!(found.as_deref(), Some(expected));
        let one = sql("((o.country = 'NZ'::bpchar) AND (o.placed_at > '2025-01-01'::date))");
        assert!(one.unwrap().contains("ON country, placed_at FROM"));
    }

    #[test]
    fn one_column_an_expression_and_a_join() {
        let one = "ALTER TABLE orders ALTER COLUMN \"Total\" SET STATISTICS 1000;\nANALYZE orders;";
        assert_eq!(sql("(o.\"Total\" > 5)").as_deref(), Some(one));
        let expression = "CREATE STATISTICS orders_lower_code_stat ON (lower(code)) FROM orders;\nANALYZE orders;";
        assert_eq!(
            sql("(lower(o.code) = 'x'::text)").as_deref(),
            Some(expression)
        );
        assert_eq!(sql("(o.customer_id = c.id)"), None);
    }

    #[test]
    fn a_parameters_value_is_no_part_of_statistics() {
        let orders = QualifiedName::new("public", "orders");
        let found = remedy(&orders, "o", "(abs((o.total - 17)) < 3)", &|_| false).unwrap();
        assert_eq!(found.sql, None);
        assert!(!found.why.contains("17"), "{}", found.why);
    }

    #[test]
    fn what_a_function_makes_of_a_condition_has_no_statistics() {
        let guessed = "(COALESCE((o.customer_id = 5), false) AND COALESCE((o.id > 7), true))";
        assert_eq!(sql(guessed), None);
    }

    #[test]
    fn names_fit_and_are_quoted() {
        let table = QualifiedName::new("Shop", "ä".repeat(40));
        let found = remedy(&table, "o", "((o.a = 1) AND (o.b = 2))", &|_| true)
            .and_then(|remedy| remedy.sql)
            .unwrap();
        let name = found
            .split(" ON ")
            .next()
            .unwrap()
            .rsplit('.')
            .next()
            .unwrap();
        assert!(
            name.trim_matches('"').len() <= MAX_NAME && name.ends_with("_stat\""),
            "{found}"
        );
        assert!(found.starts_with("CREATE STATISTICS \"Shop\"."), "{found}");
    }
}
