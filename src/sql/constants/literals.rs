//! Constants of a statement as texts.

use squawk_syntax::ast::AstNode as _;
use squawk_syntax::ast::{self, BinOp, Expr, PrefixOp};

/// One constant, or each of a list's.
pub(in crate::sql) fn literals(expression: &Expr) -> Vec<String> {
    match expression {
        Expr::TupleExpr(list) => list.exprs().filter_map(|item| literal(&item)).collect(),
        Expr::ArrayExpr(array) => array.exprs().filter_map(|item| literal(&item)).collect(),
        Expr::CastExpr(cast) if cast.expr().is_some() => cast
            .expr()
            .map(|inner| literals(&inner))
            .unwrap_or_default(),
        Expr::ParenExpr(inner) => inner
            .expr()
            .map(|inner| literals(&inner))
            .unwrap_or_default(),
        Expr::CallExpr(call) => {
            let list = call.any_fn().and_then(|any| any.expr());
            list.map(|list| match literal(&list) {
                Some(text) => array_items(&text),
                None => literals(&list),
            })
            .unwrap_or_default()
        }
        other => literal(other).into_iter().collect(),
    }
}

/// `{a,b}`: its items, where none is quoted.
#[must_use]
pub fn array_items(text: &str) -> Vec<String> {
    let inner = text
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    inner
        .filter(|inner| !inner.contains(['"', '{', '\\']))
        .map(|inner| {
            inner
                .split(',')
                .map(|item| item.trim().to_owned())
                .collect()
        })
        .unwrap_or_default()
}

/// A constant's text form, below casts, signs and parentheses. A distance that is added to a constant is left out.
pub(in crate::sql) fn literal(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Literal(literal) => constant(literal),
        Expr::ParenExpr(inner) => literal(&inner.expr()?),
        Expr::CastExpr(cast) => match cast.literal() {
            Some(literal) => constant(&literal),
            None => literal(&cast.expr()?),
        },
        Expr::PrefixExpr(prefix) => match prefix.op()? {
            PrefixOp::Minus(_) => Some(format!("-{}", literal(&prefix.expr()?)?)),
            PrefixOp::Plus(_) => literal(&prefix.expr()?),
            _ => None,
        },
        Expr::BinExpr(sum) => match sum.op()? {
            BinOp::Plus(_) | BinOp::Minus(_) => {
                let is_distance = sum.rhs()?.syntax().text().to_string().to_lowercase();
                is_distance
                    .contains("interval")
                    .then(|| literal(&sum.lhs()?))
                    .flatten()
            }
            _ => None,
        },
        _ => None,
    }
}

pub(super) fn constant(literal: &ast::Literal) -> Option<String> {
    use squawk_syntax::ast::LitKind;
    match literal.kind()? {
        LitKind::IntNumber(token) | LitKind::NumericNumber(token) => Some(token.text().to_owned()),
        LitKind::String(_)
        | LitKind::EscString(_)
        | LitKind::DollarQuotedString(_)
        | LitKind::UnicodeEscString(_)
        | LitKind::NationalString(_) => literal.string_value(),
        LitKind::BitString(_)
        | LitKind::ByteString(_)
        | LitKind::Default(_)
        | LitKind::False(_)
        | LitKind::Null(_)
        | LitKind::Off(_)
        | LitKind::On(_)
        | LitKind::PositionalParam(_)
        | LitKind::True(_) => None,
    }
}

/// The clock, with what is added to it or taken from it.
pub(super) fn is_now(expression: &Expr) -> bool {
    match expression {
        Expr::ParenExpr(inner) => inner.expr().is_some_and(|inner| is_now(&inner)),
        Expr::CastExpr(cast) => cast.expr().is_some_and(|inner| is_now(&inner)),
        Expr::BinExpr(sum) => {
            matches!(sum.op(), Some(BinOp::Plus(_) | BinOp::Minus(_)))
                && sum.lhs().is_some_and(|left| is_now(&left))
        }
        Expr::CallExpr(call) => call.expr().is_some_and(|function| {
            let name = function.syntax().text().to_string().to_lowercase();
            let clocks = [
                "now",
                "clock_timestamp",
                "statement_timestamp",
                "transaction_timestamp",
            ];
            clocks.contains(&name.trim().trim_start_matches("pg_catalog."))
        }),
        Expr::NameRef(name) => {
            let text = name.syntax().text().to_string().to_lowercase();
            ["current_timestamp", "current_date", "localtimestamp"].contains(&text.trim())
        }
        _ => false,
    }
}
