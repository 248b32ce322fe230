//! Operators that people write as words, and the catalog in another way: they stand in the bodies of functions.

use super::Expression;
use super::parse::{OTHER, ParseError, Parser};
use super::tokens::Token;

/// Words that NOT may stand before.
const NEGATED: [&str; 4] = ["like", "ilike", "in", "between"];

impl Parser<'_> {
    /// Whether NOT, which comes next, belongs to the word after it.
    pub(super) fn is_spelled_negation(&self) -> bool {
        let next = self.tokens.get(self.at + 1);
        matches!(next, Some((Token::Word { text, quoted: false }, _)) if NEGATED.contains(&text.as_str()))
    }

    /// `left LIKE right` and its like; the word has been read.
    pub(super) fn spelled(
        &mut self,
        left: &Expression,
        word: &str,
    ) -> Result<Expression, ParseError> {
        let infix = |operator: &str, right: Expression| Expression::Infix {
            operator: operator.to_owned(),
            left: Box::new(left.clone()),
            right: Box::new(right),
        };
        Ok(match word {
            "not" => {
                let word = NEGATED
                    .into_iter()
                    .find(|word| self.keyword(word))
                    .unwrap_or_default();
                Expression::Not(Box::new(self.spelled(left, word)?))
            }
            "like" => infix("~~", self.expression(OTHER)?),
            "ilike" => infix("~~*", self.expression(OTHER)?),
            "between" => {
                let low = self.expression(OTHER)?;
                if !self.keyword("and") {
                    return Err(self.error("AND is missing"));
                }
                let high = self.expression(OTHER)?;
                Expression::And(vec![infix(">=", low), infix("<=", high)])
            }
            "operator" => {
                let operator = self.qualified_operator()?;
                infix(&operator, self.expression(OTHER)?)
            }
            _ => {
                self.expect("(")?;
                let (left, array) = (
                    Box::new(left.clone()),
                    Box::new(Expression::Array(self.list(")")?)),
                );
                Expression::Quantified {
                    operator: "=".to_owned(),
                    left,
                    array,
                    all: false,
                }
            }
        })
    }

    /// `OPERATOR(schema.~*)`: the operator alone, whichever schema's it is.
    fn qualified_operator(&mut self) -> Result<String, ParseError> {
        self.expect("(")?;
        while matches!(
            self.tokens.get(self.at),
            Some((Token::Word { .. } | Token::Mark("."), _))
        ) {
            self.at += 1;
        }
        let Some((Token::Operator(operator), _)) = self.tokens.get(self.at).cloned() else {
            return Err(self.error("an operator is missing"));
        };
        self.at += 1;
        self.expect(")")?;
        Ok(operator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_mean_what_the_catalog_prints() {
        for (words, printed) in [
            ("a IN (1, 2) AND b", "((a = ANY (ARRAY[1, 2])) AND b)"),
            ("a NOT LIKE '%x' OR b", "((NOT (a ~~ '%x'::text)) OR b)"),
            ("a BETWEEN 1 AND 5 AND b", "(((a >= 1) AND (a <= 5)) AND b)"),
            ("(a OPERATOR(public.~*) 'x')", "(a ~* 'x')"),
        ] {
            let shown = |text: &str| {
                Expression::parse(text)
                    .unwrap()
                    .to_string()
                    .replace("::text", "")
                    .replace(['(', ')'], "")
            };
            assert_eq!(shown(words), shown(printed), "{words}");
        }
        assert!(Expression::parse("(POSITION(('|'::text) IN (code)) = 0)").is_ok());
    }
}
