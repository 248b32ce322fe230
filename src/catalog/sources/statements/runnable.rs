//! A normalized statement made one that the server can prepare. pg_stat_statements puts `$n` where a constant stood, also
//! where the grammar takes no parameter: `interval $1`, `EXTRACT($1 FROM at)`; and where it shortens lists, numbers are missing.

use std::collections::BTreeMap;

use crate::sql::token::{Token, TokenKind, significant};

/// Types that may stand before a constant: `date '2026-01-31'`.
const TYPES: [&str; 22] = [
    "interval",
    "date",
    "time",
    "timetz",
    "timestamp",
    "timestamptz",
    "point",
    "box",
    "circle",
    "inet",
    "cidr",
    "macaddr",
    "uuid",
    "json",
    "jsonb",
    "jsonpath",
    "bytea",
    "money",
    "numeric",
    "bool",
    "tsquery",
    "tsvector",
];

/// What an interval's constant may be followed by.
const FIELDS: [&str; 7] = ["year", "month", "day", "hour", "minute", "second", "to"];

/// A statement in a form that PREPARE takes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Runnable {
    /// With parameters numbered without gaps.
    pub(super) text: String,
    /// The number that each of them had, `$1` first.
    pub(super) numbers: Vec<u32>,
}

/// Makes the statement one that PREPARE takes.
pub(super) fn runnable(text: &str) -> Runnable {
    let all: Vec<Token> = significant(text);
    let at = |index: usize| all.get(index).map_or("", |token| &text[token.span.clone()]);
    let word = |index: usize, word: &str| at(index).eq_ignore_ascii_case(word);
    let is_parameter = |index: usize| {
        all.get(index)
            .is_some_and(|token| matches!(token.kind, TokenKind::PositionalParam { .. }))
    };
    // Pieces of the result: text as it stands, or a parameter's number.
    let mut pieces: Vec<Piece> = Vec::new();
    let mut copied = 0;
    let mut index = 0;
    while index < all.len() {
        if word(index, "extract")
            && word(index + 1, "(")
            && is_parameter(index + 2)
            && word(index + 3, "from")
        {
            // Which field it was plans alike.
            pieces.push(Piece::Text(
                text[copied..all[index + 2].span.start].to_owned(),
            ));
            pieces.push(Piece::Text("day".to_owned()));
            copied = all[index + 2].span.end;
            index += 3;
            continue;
        }
        if let Some(typed) = typed_constant(&all, text, index) {
            pieces.push(Piece::Text(text[copied..all[index].span.start].to_owned()));
            pieces.push(Piece::Parameter(number(at(typed.parameter))));
            pieces.push(Piece::Text(format!("::{}", typed.type_name)));
            copied = all[typed.last].span.end;
            index = typed.last + 1;
            continue;
        }
        if is_parameter(index) {
            pieces.push(Piece::Text(text[copied..all[index].span.start].to_owned()));
            pieces.push(Piece::Parameter(number(at(index))));
            copied = all[index].span.end;
        }
        index += 1;
    }
    pieces.push(Piece::Text(text[copied..].to_owned()));
    assembled(&pieces)
}

enum Piece {
    Text(String),
    Parameter(u32),
}

fn assembled(pieces: &[Piece]) -> Runnable {
    let mut numbers: BTreeMap<u32, usize> = pieces
        .iter()
        .filter_map(|piece| match piece {
            Piece::Parameter(number) => Some((*number, 0)),
            Piece::Text(_) => None,
        })
        .collect();
    for (place, new) in numbers.values_mut().enumerate() {
        *new = place + 1;
    }
    let written = pieces.iter().map(|piece| match piece {
        Piece::Text(text) => text.clone(),
        Piece::Parameter(number) => format!("${}", numbers[number]),
    });
    Runnable {
        text: written.collect(),
        numbers: numbers.into_keys().collect(),
    }
}

fn number(parameter: &str) -> u32 {
    parameter.trim_start_matches('$').parse().unwrap_or(0)
}

struct TypedConstant {
    parameter: usize,
    /// The last token of it.
    last: usize,
    type_name: String,
}

/// `interval $1`, `timestamp with time zone $1`, `interval $1 day to second`.
fn typed_constant(all: &[Token], text: &str, index: usize) -> Option<TypedConstant> {
    let at = |index: usize| all.get(index).map_or("", |token| &text[token.span.clone()]);
    let word = |index: usize, word: &str| at(index).eq_ignore_ascii_case(word);
    let mut type_name = at(index).to_lowercase();
    if all[index].kind != TokenKind::Ident || !TYPES.contains(&type_name.as_str()) {
        return None;
    }
    // `x::interval` and `a.date` are no types before a constant.
    if index > 0 && matches!(all[index - 1].kind, TokenKind::Dot | TokenKind::Colon) {
        return None;
    }
    let mut parameter = index + 1;
    for zone in ["with", "without"] {
        if word(parameter, zone) && word(parameter + 1, "time") && word(parameter + 2, "zone") {
            type_name = format!("{type_name} {zone} time zone");
            parameter += 3;
        }
    }
    matches!(all.get(parameter)?.kind, TokenKind::PositionalParam { .. }).then_some(())?;
    let mut last = parameter;
    while type_name.starts_with("interval") && FIELDS.iter().any(|field| word(last + 1, field)) {
        last += 1;
        type_name = format!("{type_name} {}", at(last).to_lowercase());
    }
    Some(TypedConstant {
        parameter,
        last,
        type_name,
    })
}

#[cfg(test)]
mod tests {
    fn runnable(text: &str) -> String {
        super::runnable(text).text
    }

    #[test]
    fn constants_of_a_type_become_casts() {
        assert_eq!(
            runnable("SELECT a FROM b WHERE at > now() - interval $1 AND d = DATE $2"),
            "SELECT a FROM b WHERE at > now() - $1::interval AND d = $2::date"
        );
        assert_eq!(
            runnable("SELECT timestamp with time zone $1, interval $2 day to second"),
            "SELECT $1::timestamp with time zone, $2::interval day to second"
        );
    }

    #[test]
    fn what_is_no_type_before_a_constant_stays() {
        for text in [
            "SELECT b.date, $1::interval FROM b LIMIT $2",
            "SELECT date FROM b WHERE date = $1",
            "SELECT '$1 date', \"interval $1\" FROM b WHERE a = $1 -- interval $2",
        ] {
            assert_eq!(runnable(text), text);
        }
    }

    #[test]
    fn numbers_have_no_gaps() {
        assert_eq!(
            runnable(
                "SELECT extract($1 FROM at) FROM b WHERE a = $4 AND c IN ($2 /*, ... */) AND d = $4"
            ),
            "SELECT extract(day FROM at) FROM b WHERE a = $2 AND c IN ($1 /*, ... */) AND d = $2"
        );
        assert_eq!(super::runnable("SELECT $7, $3, $7").numbers, [3, 7]);
    }
}
