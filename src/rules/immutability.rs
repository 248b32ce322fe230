//! Whether an index may hold an expression: only where it gives the same for ever, whatever the session's settings are.
//! Shared by rules and the advisor; no rule. What is not known here is left to the server, which refuses or builds it.

use crate::plan::condition::{Expression, ExpressionKind};
use crate::schema::Table;

/// What is known of an expression's results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Volatility {
    /// The same for ever: an index may hold it.
    Immutable,
    /// A function that is not known here.
    Unknown,
    /// Depends on the session (time zone, language, date style) or changes: an index is refused.
    Changing,
}

/// Functions that are immutable whatever they are given.
const IMMUTABLE: [&str; 36] = [
    "lower",
    "upper",
    "initcap",
    "abs",
    "length",
    "char_length",
    "octet_length",
    "md5",
    "substr",
    "substring",
    "left",
    "right",
    "btrim",
    "ltrim",
    "rtrim",
    "replace",
    "translate",
    "reverse",
    "split_part",
    "coalesce",
    "nullif",
    "greatest",
    "least",
    "round",
    "floor",
    "ceil",
    "ceiling",
    "trunc",
    "mod",
    "sign",
    "sqrt",
    "power",
    "row",
    "array_length",
    "cardinality",
    "lpad",
];
/// Functions that depend on settings or on the moment.
const CHANGING: [&str; 17] = [
    "to_char",
    "to_date",
    "to_timestamp",
    "to_number",
    "now",
    "clock_timestamp",
    "random",
    "age",
    "concat",
    "concat_ws",
    "format",
    "array_to_string",
    "current_setting",
    "statement_timestamp",
    "transaction_timestamp",
    "gen_random_uuid",
    "to_json",
];
/// Functions of a time that are immutable unless it has a zone.
const OF_TIME: [&str; 4] = ["date", "date_trunc", "date_part", "extract"];

/// What is known of an expression over a table's columns.
#[must_use]
pub fn volatility(expression: &Expression, table: Option<&Table>) -> Volatility {
    let own = match &expression.kind {
        ExpressionKind::Column { .. }
        | ExpressionKind::Constant(_)
        | ExpressionKind::Test { .. }
        | ExpressionKind::And(_)
        | ExpressionKind::Or(_)
        | ExpressionKind::Not(_) => Volatility::Immutable,
        ExpressionKind::Operator {
            operator,
            left,
            right,
            ..
        } => arithmetic(operator, left.as_deref(), right, table),
        ExpressionKind::Parameter(_) | ExpressionKind::Subplan => Volatility::Changing,
        ExpressionKind::Cast { operand, type_name } => cast(operand, type_name, table),
        ExpressionKind::Call {
            function,
            arguments,
        } => call(function, arguments, table),
        ExpressionKind::Other(_) => Volatility::Unknown,
    };
    let parts = expression.parts().into_iter();
    parts
        .map(|part| volatility(part, table))
        .fold(own, Ord::max)
}

fn call(function: &str, arguments: &[Expression], table: Option<&Table>) -> Volatility {
    let name = function.rsplit('.').next().unwrap_or(function);
    if OF_TIME.contains(&name) {
        // `date_trunc(field, time, zone)` says its zone itself, but is immutable on no server yet.
        return if arguments.iter().any(|part| is_zoned(part, table)) {
            Volatility::Changing
        } else {
            Volatility::Immutable
        };
    }
    match name {
        // AT TIME ZONE.
        "timezone" if arguments.len() == 2 => Volatility::Immutable,
        // The form with a configuration is immutable, the other follows default_text_search_config.
        "to_tsvector" if arguments.len() == 2 => Volatility::Immutable,
        "to_tsvector" => Volatility::Changing,
        _ if IMMUTABLE.contains(&name) => Volatility::Immutable,
        _ if CHANGING.contains(&name) => Volatility::Changing,
        _ => Volatility::Unknown,
    }
}

/// A day added to a time with a zone is 23 to 25 hours, by the session's zone.
fn arithmetic(
    operator: &str,
    left: Option<&Expression>,
    right: &Expression,
    table: Option<&Table>,
) -> Volatility {
    let zoned = |side: &Expression| is_zoned(side, table);
    match (operator, left) {
        ("+" | "-", Some(left)) if zoned(left) != zoned(right) => Volatility::Changing,
        (_, _) => Volatility::Immutable,
    }
}

/// Times with a zone become anything else, and times become or come from texts, by the session's settings.
fn cast(operand: &Expression, target: &str, table: Option<&Table>) -> Volatility {
    let Some(source) = type_of(operand, table) else {
        return Volatility::Unknown;
    };
    let (from, to) = (Family::of(&source), Family::of(target));
    match (from, to) {
        (Family::ZonedTime, Family::ZonedTime) => Volatility::Immutable,
        (Family::ZonedTime, _) | (_, Family::ZonedTime) => Volatility::Changing,
        (Family::Time, Family::Text) | (Family::Text, Family::Time) => Volatility::Changing,
        (Family::Time | Family::Text | Family::Number, _) => Volatility::Immutable,
        (Family::Other, _) => Volatility::Unknown,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    ZonedTime,
    Time,
    Text,
    Number,
    Other,
}

impl Family {
    fn of(type_name: &str) -> Self {
        if type_name.contains("with time zone") {
            return Self::ZonedTime;
        }
        match type_name.split('(').next().unwrap_or_default() {
            "date" | "time without time zone" | "timestamp without time zone" | "interval" => {
                Self::Time
            }
            "text" | "character varying" | "character" | "bpchar" | "name" | "citext" => Self::Text,
            "smallint" | "integer" | "bigint" | "numeric" | "real" | "double precision"
            | "boolean" | "oid" => Self::Number,
            _ => Self::Other,
        }
    }
}

fn is_zoned(expression: &Expression, table: Option<&Table>) -> bool {
    type_of(expression, table).is_some_and(|name| name.contains("with time zone"))
}

/// The type of a column, a cast, or AT TIME ZONE.
fn type_of(expression: &Expression, table: Option<&Table>) -> Option<String> {
    match &expression.kind {
        ExpressionKind::Column { name, .. } => table?
            .column(name)
            .map(|column| column.data_type.name.clone()),
        ExpressionKind::Cast { type_name, .. } => Some(type_name.clone()),
        ExpressionKind::Call {
            function,
            arguments,
        } if function == "timezone" => {
            // A time with a zone loses it, one without gets it.
            let of_time = arguments
                .iter()
                .find_map(|argument| type_of(argument, table))?;
            let zoned = of_time.contains("with time zone");
            Some(format!(
                "timestamp {} time zone",
                if zoned { "without" } else { "with" }
            ))
        }
        ExpressionKind::Call {
            function,
            arguments,
        } if function == "date_trunc" => arguments
            .iter()
            .find_map(|argument| type_of(argument, table)),
        ExpressionKind::Operator { operator, .. } if matches!(operator.as_str(), "->>" | "#>>") => {
            Some("text".to_owned())
        }
        ExpressionKind::Constant(_)
        | ExpressionKind::Parameter(_)
        | ExpressionKind::Subplan
        | ExpressionKind::Call { .. }
        | ExpressionKind::Operator { .. }
        | ExpressionKind::And(_)
        | ExpressionKind::Or(_)
        | ExpressionKind::Not(_)
        | ExpressionKind::Test { .. }
        | ExpressionKind::Other(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::condition::parse;

    fn known(text: &str) -> Volatility {
        volatility(&parse(text), None)
    }

    #[test]
    fn an_index_may_hold_only_what_never_changes() {
        for text in [
            "lower(email)",
            "(payload ->> 'kind'::text)",
            "date_trunc('day'::text, (at AT TIME ZONE 'UTC'::text))",
            "((payload ->> 'n'::text))::integer",
            "to_tsvector('simple'::regconfig, body)",
            "(price * 2)",
        ] {
            assert_eq!(known(text), Volatility::Immutable, "{text}");
        }
        for text in [
            "to_char(at, 'YYYY-MM'::text)",
            "to_tsvector(body)",
            "(((payload ->> 'at'::text))::timestamp with time zone)",
            "(((payload ->> 'at'::text))::date)",
            "date(((payload ->> 'at'::text))::timestamp with time zone)",
            "(lower(name) || to_char(at, 'YYYY'::text))",
            "((a)::timestamp with time zone + '1 day'::interval)",
        ] {
            assert_eq!(known(text), Volatility::Changing, "{text}");
        }
        assert_eq!(known("slug(title)"), Volatility::Unknown);
    }
}
