//! Types of parameters that are written out, because a statement alone does not show them to the server: drivers say them.

use super::{Refusal, TypeInfo};
use crate::sql::token::{Token, significant};

const INDETERMINATE_DATATYPE: &str = "42P18";
const AMBIGUOUS_PARAMETER: &str = "42P08";
const UNDEFINED_FUNCTION: &str = "42883";
/// The protocol counts parameters in 16 bits.
const MOST_PARAMETERS: usize = 65_535;
/// Leaves a type to the server.
const UNKNOWN: &str = "unknown";

/// Whether the server could not work out a parameter's type.
fn is_undetermined(refusal: &Refusal) -> bool {
    [INDETERMINATE_DATATYPE, AMBIGUOUS_PARAMETER].contains(&refusal.code.as_str())
}

/// The same, or a function was called with a parameter whose type it is to tell.
pub(super) fn lacks_a_type(refusal: &Refusal) -> bool {
    let is_call = refusal.code == UNDEFINED_FUNCTION && refusal.message.contains("unknown");
    is_call || is_undetermined(refusal)
}

/// Of the types that a tool recorded when it prepared a statement, those that are others now: for each the parameter's number, what
/// was recorded and what the server says.
#[must_use]
pub(crate) fn outdated<'a>(
    recorded: &'a [String],
    types: &'a [TypeInfo],
) -> Vec<(usize, &'a str, &'a str)> {
    let pairs = recorded.iter().zip(types).enumerate();
    pairs
        .filter(|(_, (recorded, now))| {
            let recorded = recorded.as_str();
            recorded != UNKNOWN && written_out(recorded) != unqualified(&now.name)
        })
        .map(|(at, (recorded, now))| (at + 1, recorded.as_str(), now.name.as_str()))
        .collect()
}

/// A type's name as `format_type` writes it.
fn written_out(name: &str) -> String {
    let (element, brackets) = match name.strip_suffix("[]") {
        Some(element) => (element, "[]"),
        None => (name, ""),
    };
    let long = match element {
        "bool" => "boolean",
        "int2" => "smallint",
        "int4" => "integer",
        "int8" => "bigint",
        "float4" => "real",
        "float8" => "double precision",
        "varchar" => "character varying",
        "bpchar" => "character",
        "varbit" => "bit varying",
        "time" => "time without time zone",
        "timetz" => "time with time zone",
        "timestamp" => "timestamp without time zone",
        "timestamptz" => "timestamp with time zone",
        other => return format!("{}{brackets}", unqualified(other)),
    };
    format!("{long}{brackets}")
}

/// Which schemas are left out depends on the search path of whoever asked.
fn unqualified(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// The statement without its parameters in `$1 IS NULL`, where it has any: of `$1 IS NULL OR a = $1` the server says that it
/// does not know the type, and of `a = $1` it does.
pub(super) fn without_null_tests(sql: &str) -> Option<String> {
    let all: Vec<Token> = significant(sql);
    let is_word = |at: usize, word: &str| {
        let token: Option<&Token> = all.get(at);
        token.is_some_and(|token| sql[token.span.clone()].eq_ignore_ascii_case(word))
    };
    let mut text = String::with_capacity(sql.len());
    let mut done = 0;
    for (at, token) in all.iter().enumerate() {
        let own = &sql[token.span.clone()];
        let null = if is_word(at + 2, "not") {
            at + 3
        } else {
            at + 2
        };
        let is_test = is_word(at + 1, "is") && is_word(null, "null");
        let number = own.strip_prefix('$').unwrap_or_default();
        if is_test && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) {
            text.push_str(&sql[done..token.span.start]);
            text.push_str("NULL");
            done = token.span.end;
        }
    }
    text.push_str(&sql[done..]);
    (done > 0).then_some(text)
}

/// The declared types with one more, where the server cannot work out a parameter's type: `text`, for JDBC and others say it of every
/// string that they send, so that such statements run for them; of what is called like a function, the type of that name.
pub(super) fn with_text(declared: &[String], sql: &str, refusal: &Refusal) -> Option<Vec<String>> {
    let number = |text: &str| -> Option<usize> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        text[..digits].parse().ok()
    };
    let (parameter, name) = match refusal.code.as_str() {
        INDETERMINATE_DATATYPE | AMBIGUOUS_PARAMETER => {
            let parameter = number(refusal.message.split_once("parameter $")?.1)?;
            (parameter, "text")
        }
        // `uuid($3)` is a cast of a text, and of a `uuid`; with that one the values are known.
        UNDEFINED_FUNCTION if refusal.message.contains("(unknown)") => {
            let name = refusal
                .message
                .strip_prefix("function ")?
                .split('(')
                .next()?;
            let call = format!("{name}($");
            let parameter = sql
                .match_indices(&call)
                .filter_map(|(at, _)| number(&sql[at + call.len()..]))
                .find(|number| {
                    let known = number.checked_sub(1).and_then(|place| declared.get(place));
                    known.is_none_or(|known| known == UNKNOWN)
                })?;
            (parameter, name)
        }
        _ => return None,
    };
    let place = parameter.checked_sub(1)?;
    if place >= MOST_PARAMETERS || declared.get(place).is_some_and(|known| known != UNKNOWN) {
        return None;
    }
    let mut wider = declared.to_vec();
    wider.resize(declared.len().max(parameter), UNKNOWN.to_owned());
    name.clone_into(&mut wider[place]);
    Some(wider)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_for_null_are_taken_out_by_their_tokens() {
        assert_eq!(
            without_null_tests(
                "SELECT '$1 IS NULL' WHERE ($1 IS NULL OR a = $1) AND $12 is /* x */ not null"
            )
            .as_deref(),
            Some("SELECT '$1 IS NULL' WHERE (NULL IS NULL OR a = $1) AND NULL is /* x */ not null")
        );
        assert_eq!(
            without_null_tests("SELECT a WHERE a IS NULL AND b = $1"),
            None
        );
    }

    #[test]
    fn recorded_types_are_compared_by_their_full_names() {
        let now = |name: &str| TypeInfo {
            oid: 0,
            name: name.to_owned(),
            kind: super::super::TypeKind::Other,
            labels: None,
            element: None,
        };
        let recorded = ["int8[]", "mood", "shop.mood", "unknown", "int4"].map(str::to_owned);
        let types = ["bigint[]", "shop.mood", "mood", "text", "bigint"].map(now);
        assert_eq!(outdated(&recorded, &types), [(5, "int4", "bigint")]);
        assert!(outdated(&[], &types).is_empty());
    }

    #[test]
    fn a_type_that_the_server_cannot_work_out_is_text() {
        let refused = |code: &str, message: &str| Refusal {
            message: message.to_owned(),
            detail: None,
            code: code.to_owned(),
            position: None,
            hint: None,
            constraint: None,
        };
        let undetermined = refused("42P18", "could not determine data type of parameter $3");
        let types = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        let of = |declared: &[&str]| with_text(&types(declared), "", &undetermined);
        assert_eq!(of(&[]), Some(types(&["unknown", "unknown", "text"])));
        assert_eq!(of(&["text"]), Some(types(&["text", "unknown", "text"])));
        assert_eq!(of(&["unknown", "unknown", "text"]), None);
        let call = refused("42883", "function uuid(unknown) does not exist");
        assert_eq!(
            with_text(&[], "SELECT 1 WHERE a = uuid($2)", &call),
            Some(types(&["unknown", "uuid"]))
        );
        assert_eq!(
            with_text(
                &types(&["text"]),
                "SELECT 1 WHERE a = uuid($1) OR b = uuid($3)",
                &call
            ),
            Some(types(&["text", "unknown", "uuid"]))
        );
        assert_eq!(with_text(&[], "SELECT uuid('x')", &call), None);
        let other = refused("42703", "column \"a\" does not exist");
        assert_eq!(with_text(&[], "SELECT a", &other), None);
    }
}
