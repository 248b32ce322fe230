//! Ranges of a bare column: in place of a function that maps many of its values to one, and beside a keyset's OR.

use std::ops::Range;

use super::Written;
use super::text::Words;
use crate::plan::condition::{self, Expression, ExpressionKind};

/// `date(at) = value` and its like as `at >= … AND at < …`.
pub(super) fn range(written: &Written<'_>) -> Option<String> {
    let words = &written.words;
    let mut parts = Vec::new();
    let mut at = 0;
    while at < words.len() {
        match equality(words, at).or_else(|| distance(written, at)) {
            Some((place, text)) => {
                at = place.end;
                parts.push((place, text));
            }
            None => at += 1,
        }
    }
    (!parts.is_empty()).then(|| words.replaced(&parts))
}

/// A column, with the zone in which it is read.
struct Moment<'a> {
    column: &'a str,
    zone: Option<&'a str>,
    end: usize,
}

fn moment<'a>(words: &Words<'a>, at: usize) -> Option<Moment<'a>> {
    let end = words.after_column(at)?;
    let column = words.slice(at..end);
    if !words.are(end, &["AT", "TIME", "ZONE"]) {
        return Some(Moment {
            column,
            zone: None,
            end,
        });
    }
    let after = words.after_value(end + 3)?;
    Some(Moment {
        column,
        zone: Some(words.slice(end + 3..after)),
        end: after,
    })
}

/// A function of a moment that begins at a word, the moment, and where it ends.
fn equality(words: &Words<'_>, at: usize) -> Option<(Range<usize>, String)> {
    let (moment, unit, after) = day(words, at)
        .or_else(|| truncated(words, at))
        .or_else(|| printed(words, at))
        .or_else(|| year(words, at))?;
    if !words.is(after, "=") {
        return None;
    }
    let end = words.after_value(after + 1)?;
    let value = words.slice(after + 1..end);
    let (from, to) = bounds(value, &unit);
    let in_zone = |text: String| match moment.zone {
        Some(zone) => format!("({text})::timestamp AT TIME ZONE {zone}"),
        None => text,
    };
    let column = moment.column;
    let text = format!(
        "({column} >= {} AND {column} < {})",
        in_zone(from),
        in_zone(to)
    );
    Some((at..end, text))
}

/// `abs(column - value) < other` as `column > value - other AND column < value + other`.
fn distance(written: &Written<'_>, at: usize) -> Option<(Range<usize>, String)> {
    let words = &written.words;
    if !words.are(at, &["abs", "("]) {
        return None;
    }
    let end = words.after_column(at + 2)?;
    let column = words.slice(at + 2..end);
    let after = words.after_value(end + 1).filter(|_| words.is(end, "-"))?;
    let value = words.slice(end + 1..after);
    let (below, above, width) = match () {
        () if words.are(after, &[")", "<", "="]) => (">=", "<=", after + 3),
        () if words.are(after, &[")", "<="]) => (">=", "<=", after + 2),
        () if words.are(after, &[")", "<"]) => (">", "<", after + 2),
        () => return None,
    };
    let last = words.after_value(width)?;
    let most = words.slice(width..last);
    // Alone beside a number a parameter would become a number of another type.
    let value = match column_type(written, column) {
        Some(own) if !value.contains("::") => format!("{value}::{own}"),
        Some(_) | None => value.to_owned(),
    };
    let text = format!("({column} {below} {value} - {most} AND {column} {above} {value} + {most})");
    Some((at..last, text))
}

/// The type of a column, where the scans of the plan have one of that name.
fn column_type<'a>(written: &Written<'a>, column: &str) -> Option<&'a str> {
    let name = column.rsplit('.').next()?;
    let aliases = written
        .plan()
        .nodes
        .iter()
        .filter_map(|node| node.relation.as_ref())
        .map(|relation| &relation.alias);
    let mut columns =
        aliases.filter_map(|alias| written.table(alias)?.column(name.trim_matches('"')));
    columns.next().map(|column| column.data_type.name.as_str())
}

/// What a function leaves of a moment.
enum Unit<'a> {
    Day,
    /// `date_trunc`'s field.
    Field(&'a str),
    /// `to_char`'s format, with the step from one of its values to the next.
    Printed(&'a str, &'static str),
    Year,
}

fn bounds(value: &str, unit: &Unit<'_>) -> (String, String) {
    match unit {
        Unit::Day => {
            let lower = value.to_ascii_lowercase();
            let is_date = lower.ends_with("::date") || lower.starts_with("date ");
            let day = if is_date {
                value.to_owned()
            } else {
                format!("({value})::date")
            };
            let next = format!("({day} + 1)");
            (day, next)
        }
        Unit::Field(field) => {
            let field = field.trim_matches('\'');
            (
                value.to_owned(),
                format!("({value} + interval '1 {field}')"),
            )
        }
        Unit::Printed(format, step) => (
            format!("to_date({value}, {format})"),
            format!("(to_date({value}, {format}) + interval '{step}')"),
        ),
        Unit::Year => (
            format!("make_date(({value})::int, 1, 1)"),
            format!("make_date(({value})::int + 1, 1, 1)"),
        ),
    }
}

type Found<'a> = (Moment<'a>, Unit<'a>, usize);

/// `date(at)`, `at::date`, `(at AT TIME ZONE 'UTC')::date`, `CAST(at AS date)`.
fn day<'a>(words: &Words<'a>, at: usize) -> Option<Found<'a>> {
    if words.are(at, &["date", "("]) {
        let moment = moment(words, at + 2)?;
        let end = moment.end;
        return words.is(end, ")").then_some((moment, Unit::Day, end + 1));
    }
    if words.are(at, &["cast", "("]) {
        let moment = moment(words, at + 2)?;
        let end = moment.end;
        return words
            .are(end, &["as", "date", ")"])
            .then_some((moment, Unit::Day, end + 3));
    }
    let open = usize::from(words.is(at, "("));
    // `f(at)::date` is not the column's.
    if open == 1 && at > 0 && words.is_name(at - 1) && !is_keyword(words.text(at - 1)) {
        return None;
    }
    if open == 0 && at > 0 && words.is(at - 1, ".") {
        return None;
    }
    let moment = moment(words, at + open)?;
    let end = moment.end;
    if open == 1 && !words.is(end, ")") {
        return None;
    }
    let end = end + open;
    words
        .are(end, &[":", ":", "date"])
        .then_some((moment, Unit::Day, end + 3))
}

fn is_keyword(word: &str) -> bool {
    ["where", "and", "or", "not", "on"]
        .iter()
        .any(|keyword| word.eq_ignore_ascii_case(keyword))
}

/// `date_trunc('month', at)`.
fn truncated<'a>(words: &Words<'a>, at: usize) -> Option<Found<'a>> {
    if !words.are(at, &["date_trunc", "("]) || !words.is(at + 3, ",") {
        return None;
    }
    let moment = moment(words, at + 4)?;
    let end = moment.end;
    words
        .is(end, ")")
        .then_some((moment, Unit::Field(words.text(at + 2)), end + 1))
}

/// `to_char(at, 'YYYY-MM')`.
fn printed<'a>(words: &Words<'a>, at: usize) -> Option<Found<'a>> {
    if !words.are(at, &["to_char", "("]) {
        return None;
    }
    let moment = moment(words, at + 2)?;
    let end = moment.end;
    let format = words.text(end + 1);
    let step = match format.trim_matches('\'') {
        "YYYY-MM-DD" | "YYYYMMDD" => "1 day",
        "YYYY-MM" | "YYYYMM" => "1 month",
        "YYYY" => "1 year",
        _ => return None,
    };
    let closed = words.is(end, ",") && words.is(end + 2, ")");
    closed.then_some((moment, Unit::Printed(format, step), end + 3))
}

/// `extract(year FROM at)`.
fn year<'a>(words: &Words<'a>, at: usize) -> Option<Found<'a>> {
    if !words.are(at, &["extract", "(", "year", "from"]) {
        return None;
    }
    let moment = moment(words, at + 4)?;
    let end = moment.end;
    words.is(end, ")").then_some((moment, Unit::Year, end + 1))
}

/// `score < $1 OR (score = $1 AND …)` with `score <= $1` before it.
pub(super) fn bound(written: &Written<'_>) -> Option<String> {
    let words = &written.words;
    let start = words.find_outside(0, &["where"])? + 1;
    let end = words
        .find_outside(
            start,
            &[
                "group", "order", "limit", "offset", "fetch", "for", "window",
            ],
        )
        .unwrap_or_else(|| words.end());
    let condition = words.slice(start..end);
    let parsed = condition::parse(condition);
    let conjuncts = parsed.conjuncts();
    let bound = conjuncts.into_iter().find_map(first_bound)?;
    let text = format!("{bound} AND ({condition})");
    Some(words.replaced(&[(start..end, text)]))
}

/// `COALESCE(id > $1, true)` as `(id > $1 OR $1 IS NULL)`, and `COALESCE((at, id) > ($2, $1), $1 IS NULL)` alike.
pub(super) fn optional_bound(written: &Written<'_>) -> Option<String> {
    let words = &written.words;
    let mut parts = Vec::new();
    let mut at = 0;
    while at < words.len() {
        match coalesced(words, at) {
            Some((place, text)) => {
                at = place.end;
                parts.push((place, text));
            }
            None => at += 1,
        }
    }
    (!parts.is_empty()).then(|| words.replaced(&parts))
}

fn coalesced(words: &Words<'_>, at: usize) -> Option<(Range<usize>, String)> {
    if !words.are(at, &["coalesce", "("]) {
        return None;
    }
    let close = words.after_parenthesis(at + 1)? - 1;
    let (operator, row) = match words.is(at + 2, "(") {
        true => (words.after_parenthesis(at + 2)?, true),
        false => (words.after_column(at + 2)?, false),
    };
    let is_bound = [">", "<", ">=", "<="]
        .iter()
        .any(|sign| words.is(operator, sign));
    // `>=` is two words to the lexer.
    let value = operator + if words.is(operator + 1, "=") { 2 } else { 1 };
    let comma = match row {
        true => words.after_parenthesis(value)?,
        false => words.after_value(value)?,
    };
    if !is_bound || !words.is(comma, ",") {
        return None;
    }
    let bound = words.slice(at + 2..comma);
    let missing = if words.is(comma + 1, "true") && comma + 2 == close && !row {
        format!("{} IS NULL", words.slice(value..comma))
    } else {
        let end = words.after_value(comma + 1)?;
        let is_test = words.are(end, &["is", "null"]) && end + 2 == close;
        is_test.then(|| words.slice(comma + 1..close).to_owned())?
    };
    Some((at..close + 1, format!("({bound} OR {missing})")))
}

/// `score <= $1` of an OR whose every side says that `score` is less or equal.
fn first_bound(conjunct: &Expression) -> Option<String> {
    let ExpressionKind::Or(sides) = &conjunct.kind else {
        return None;
    };
    let (first, others) = sides.split_first()?;
    let (column, operator, value) = compared(first)?;
    let inclusive = match operator {
        "<" | "<=" => "<=",
        ">" | ">=" => ">=",
        _ => return None,
    };
    let ties = |side: &Expression| {
        side.conjuncts().into_iter().any(|part| {
            compared(part).is_some_and(|(other, operator, same)| {
                other == column && operator == "=" && same == value
            })
        })
    };
    (!others.is_empty() && others.iter().all(ties)).then(|| format!("{column} {inclusive} {value}"))
}

/// Column, operator and value of a comparison, as they are written.
fn compared(expression: &Expression) -> Option<(&str, &str, &str)> {
    match &expression.kind {
        ExpressionKind::Operator {
            operator,
            left: Some(left),
            right,
            ..
        } if left.as_column().is_some() && right.columns().is_empty() => {
            Some((&left.text, operator, &right.text))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Words, coalesced};

    #[test]
    fn a_bound_that_may_be_left_out_is_freed_of_coalesce() {
        let form = |sql: &str| {
            let words = Words::of(sql);
            let mut found = (0..words.len()).filter_map(|at| coalesced(&words, at));
            found.next().map(|(_, text)| text)
        };
        assert_eq!(
            form("SELECT id FROM t WHERE (COALESCE(id > $2, true)) LIMIT $1").as_deref(),
            Some("(id > $2 OR $2 IS NULL)")
        );
        assert_eq!(
            form("SELECT 1 FROM t WHERE coalesce((at, id) < ($3, $2), $2 IS NULL)").as_deref(),
            Some("((at, id) < ($3, $2) OR $2 IS NULL)")
        );
        for other in [
            "SELECT coalesce(a, b) FROM t",
            "SELECT 1 FROM t WHERE coalesce(a > $1, false)",
            "SELECT 1 FROM t WHERE coalesce(a = $1, true)",
            "SELECT 1 FROM t WHERE coalesce(a > $1, b IS NULL)",
        ] {
            assert_eq!(form(other), None, "{other}");
        }
    }
}
