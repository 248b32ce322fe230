//! A parser for the expressions that `pg_get_expr` prints: fully parenthesized, with casts spelled `::type`, IN as
//! `= ANY (ARRAY[...])`, BETWEEN as two comparisons. What it does not know becomes an error, never a wrong meaning.

use super::Expression;
use super::tokens::{Token, tokenize};

/// Why an expression was not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not understood at byte {offset}: {what}")]
pub struct ParseError {
    pub offset: usize,
    /// What stands there.
    pub what: String,
}

impl Expression {
    /// Parses an expression as `pg_get_expr` prints it.
    ///
    /// # Errors
    /// Where something stands that this parser does not know.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let tokens = tokenize(text)?;
        let mut parser = Parser {
            tokens: &tokens,
            at: 0,
            depth: 0,
        };
        let expression = parser.expression(0)?;
        match parser.tokens.get(parser.at) {
            None => Ok(expression),
            Some((_, offset)) => Err(ParseError {
                offset: *offset,
                what: text[*offset..].to_owned(),
            }),
        }
    }
}

pub(super) struct Parser<'t> {
    pub(super) tokens: &'t [(Token, usize)],
    pub(super) at: usize,
    depth: u32,
}

/// Binding powers (src/backend/parser/gram.y).
const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const IS: u8 = 4;
const COMPARE: u8 = 5;
pub(super) const OTHER: u8 = 6;
const ADD: u8 = 7;
const MULTIPLY: u8 = 8;
const POWER: u8 = 9;
const SIGN: u8 = 10;

/// Chains of which each is one list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chain {
    And,
    Or,
}

impl Chain {
    /// Both sides, and what they are chains of themselves.
    fn join(self, left: Expression, right: Expression) -> Expression {
        let mut items = Vec::new();
        for side in [left, right] {
            match (self, side) {
                (Self::And, Expression::And(inner)) | (Self::Or, Expression::Or(inner)) => {
                    items.extend(inner);
                }
                (_, other) => items.push(other),
            }
        }
        match self {
            Self::And => Expression::And(items),
            Self::Or => Expression::Or(items),
        }
    }
}

impl Parser<'_> {
    pub(super) fn expression(&mut self, power: u8) -> Result<Expression, ParseError> {
        self.depth += 1;
        if self.depth > 200 {
            return Err(self.error("nested too deeply"));
        }
        let mut left = self.prefix()?;
        while let Some(next) = self.infix(&left, power)? {
            left = next;
        }
        self.depth -= 1;
        Ok(left)
    }

    fn prefix(&mut self) -> Result<Expression, ParseError> {
        let Some((token, _)) = self.tokens.get(self.at) else {
            return Err(self.error("the end"));
        };
        match token.clone() {
            Token::Text(text) => {
                self.at += 1;
                Ok(Expression::Text(text))
            }
            Token::Number(number) => {
                self.at += 1;
                Ok(Expression::Number(number))
            }
            Token::Mark("(") => {
                self.at += 1;
                let mut items = vec![self.expression(0)?];
                while self.mark(",") {
                    items.push(self.expression(0)?);
                }
                self.expect(")")?;
                Ok(if items.len() == 1 {
                    items.remove(0)
                } else {
                    Expression::Row(items)
                })
            }
            Token::Operator(operator) => {
                self.at += 1;
                Ok(Expression::Prefix {
                    operator,
                    of: Box::new(self.expression(SIGN)?),
                })
            }
            Token::Word { text, quoted } => {
                self.at += 1;
                self.word(text, quoted)
            }
            Token::Mark(_) => Err(self.error("an operand is missing")),
        }
    }

    fn word(&mut self, text: String, quoted: bool) -> Result<Expression, ParseError> {
        if !quoted {
            match text.as_str() {
                "null" => return Ok(Expression::Null),
                "true" => return Ok(Expression::Bool(true)),
                "false" => return Ok(Expression::Bool(false)),
                "not" => return Ok(Expression::Not(Box::new(self.expression(NOT)?))),
                "case" => return self.case(),
                "array" if self.mark("[") => return self.list("]").map(Expression::Array),
                "row" if self.mark("(") => return self.list(")").map(Expression::Row),
                "current_date" | "current_timestamp" | "localtimestamp" | "current_user"
                | "session_user" => {
                    return Ok(Expression::Call {
                        name: text,
                        arguments: Vec::new(),
                    });
                }
                "date" | "timestamp" | "interval" | "time"
                    if matches!(self.tokens.get(self.at), Some((Token::Text(_), _))) =>
                {
                    let of = self.prefix()?;
                    return Ok(Expression::Cast {
                        of: Box::new(of),
                        to: text,
                    });
                }
                "extract" if self.mark("(") => return self.extract(),
                "trim" if self.mark("(") => return self.trim(),
                "substring" | "overlay" | "position" if self.mark("(") => {
                    return self.spelled_call(text);
                }
                _ => {}
            }
        }
        let mut name = text;
        while self.mark(".") {
            match self.tokens.get(self.at) {
                Some((Token::Word { text, .. }, _)) => {
                    name = format!("{name}.{text}");
                    self.at += 1;
                }
                _ => return Err(self.error("a name is missing")),
            }
        }
        if self.mark("(") {
            let arguments = if self.mark(")") {
                Vec::new()
            } else {
                self.list(")")?
            };
            return Ok(Expression::Call { name, arguments });
        }
        Ok(Expression::Column(name))
    }

    /// `EXTRACT(field FROM value)`.
    fn extract(&mut self) -> Result<Expression, ParseError> {
        let field = self.expression(0)?;
        if !self.keyword("from") {
            return Err(self.error("FROM is missing"));
        }
        let value = self.expression(0)?;
        self.expect(")")?;
        Ok(Expression::Call {
            name: "extract".to_owned(),
            arguments: vec![field, value],
        })
    }

    /// `TRIM(BOTH [characters] FROM value)`, as the function that it stands for.
    fn trim(&mut self) -> Result<Expression, ParseError> {
        let sides = [
            ("both", "btrim"),
            ("leading", "ltrim"),
            ("trailing", "rtrim"),
        ];
        let name = sides
            .into_iter()
            .find(|(side, _)| self.keyword(side))
            .map_or("btrim", |(_, name)| name);
        let characters = if self.peek_keyword("from") {
            None
        } else {
            Some(self.expression(0)?)
        };
        let value = if self.keyword("from") {
            Some(self.expression(0)?)
        } else {
            None
        };
        self.expect(")")?;
        let arguments = value.into_iter().chain(characters).collect();
        Ok(Expression::Call {
            name: name.to_owned(),
            arguments,
        })
    }

    /// `SUBSTRING(value FROM 1 FOR 2)`, `POSITION((part) IN (value))`: words stand for the commas.
    fn spelled_call(&mut self, name: String) -> Result<Expression, ParseError> {
        // Of a position, IN is no comparison.
        let power = if name == "position" { OTHER } else { 0 };
        let mut arguments = vec![self.expression(power)?];
        while !self.mark(")") {
            if !["from", "for", "in", "placing"]
                .into_iter()
                .any(|word| self.keyword(word))
            {
                self.expect(",")?;
            }
            arguments.push(self.expression(0)?);
        }
        Ok(Expression::Call { name, arguments })
    }

    fn case(&mut self) -> Result<Expression, ParseError> {
        let operand = if self.peek_keyword("when") {
            None
        } else {
            Some(Box::new(self.expression(0)?))
        };
        let mut arms = Vec::new();
        while self.keyword("when") {
            let when = self.expression(0)?;
            if !self.keyword("then") {
                return Err(self.error("THEN is missing"));
            }
            arms.push((when, self.expression(0)?));
        }
        let otherwise = if self.keyword("else") {
            Some(Box::new(self.expression(0)?))
        } else {
            None
        };
        if !self.keyword("end") {
            return Err(self.error("END is missing"));
        }
        Ok(Expression::Case {
            operand,
            arms,
            otherwise,
        })
    }

    /// Continues `left` with what follows it, if that binds more tightly than `power`.
    fn infix(&mut self, left: &Expression, power: u8) -> Result<Option<Expression>, ParseError> {
        let Some((token, _)) = self.tokens.get(self.at) else {
            return Ok(None);
        };
        match token.clone() {
            Token::Mark("::") => {
                self.at += 1;
                let to = self.type_name()?;
                Ok(Some(Expression::Cast {
                    of: Box::new(left.clone()),
                    to,
                }))
            }
            Token::Mark("[") => {
                self.at += 1;
                let index = self.expression(0)?;
                self.expect("]")?;
                Ok(Some(Expression::Call {
                    name: "[]".to_owned(),
                    arguments: vec![left.clone(), index],
                }))
            }
            Token::Mark(".") => {
                self.at += 1;
                match self.tokens.get(self.at) {
                    Some((Token::Word { text, .. }, _)) => {
                        self.at += 1;
                        let field = Expression::Text(text.clone());
                        Ok(Some(Expression::Call {
                            name: ".".to_owned(),
                            arguments: vec![left.clone(), field],
                        }))
                    }
                    _ => Err(self.error("a field's name is missing")),
                }
            }
            Token::Operator(operator) => self.operator(left, operator, power),
            Token::Word {
                text,
                quoted: false,
            } => self.infix_word(left, &text, power),
            _ => Ok(None),
        }
    }

    fn operator(
        &mut self,
        left: &Expression,
        operator: String,
        power: u8,
    ) -> Result<Option<Expression>, ParseError> {
        let own = match operator.as_str() {
            "=" | "<" | ">" | "<=" | ">=" | "<>" | "!=" => COMPARE,
            "+" | "-" => ADD,
            "*" | "/" | "%" => MULTIPLY,
            "^" => POWER,
            _ => OTHER,
        };
        if own <= power {
            return Ok(None);
        }
        self.at += 1;
        for (word, all) in [("any", false), ("all", true)] {
            if self.keyword(word) {
                self.expect("(")?;
                let array = self.expression(0)?;
                self.expect(")")?;
                let (left, array) = (Box::new(left.clone()), Box::new(array));
                return Ok(Some(Expression::Quantified {
                    operator,
                    left,
                    array,
                    all,
                }));
            }
        }
        let right = Box::new(self.expression(own)?);
        Ok(Some(Expression::Infix {
            operator,
            left: Box::new(left.clone()),
            right,
        }))
    }

    fn infix_word(
        &mut self,
        left: &Expression,
        word: &str,
        power: u8,
    ) -> Result<Option<Expression>, ParseError> {
        let own = match word {
            "or" => OR,
            "and" => AND,
            "is" => IS,
            "collate" | "at" => SIGN,
            "operator" | "like" | "ilike" | "in" | "between" => OTHER,
            "not" if self.is_spelled_negation() => OTHER,
            _ => return Ok(None),
        };
        if own <= power {
            return Ok(None);
        }
        self.at += 1;
        match word {
            "or" | "and" => {
                let chain = if word == "and" { Chain::And } else { Chain::Or };
                let right = self.expression(own)?;
                Ok(Some(chain.join(left.clone(), right)))
            }
            "collate" => {
                self.type_name()?;
                Ok(Some(left.clone()))
            }
            "at" => {
                if !(self.keyword("time") && self.keyword("zone")) {
                    return Err(self.error("TIME ZONE is missing"));
                }
                let zone = self.expression(SIGN)?;
                Ok(Some(Expression::Call {
                    name: "timezone".to_owned(),
                    arguments: vec![zone, left.clone()],
                }))
            }
            "operator" | "not" | "like" | "ilike" | "in" | "between" => {
                self.spelled(left, word).map(Some)
            }
            _ => self.is(left),
        }
    }

    fn is(&mut self, left: &Expression) -> Result<Option<Expression>, ParseError> {
        let negated = self.keyword("not");
        let of = Box::new(left.clone());
        if self.keyword("null") {
            return Ok(Some(Expression::IsNull { of, negated }));
        }
        if self.keyword("true") {
            return Ok(Some(Expression::IsBool {
                of,
                value: true,
                negated,
            }));
        }
        if self.keyword("false") {
            return Ok(Some(Expression::IsBool {
                of,
                value: false,
                negated,
            }));
        }
        if self.keyword("distinct") && self.keyword("from") {
            let right = Box::new(self.expression(IS)?);
            return Ok(Some(Expression::Distinct {
                left: of,
                right,
                negated,
            }));
        }
        Err(self.error("IS of an unknown kind"))
    }

    /// A type's name with its modifier and array brackets, as `format_type` prints it.
    fn type_name(&mut self) -> Result<String, ParseError> {
        let mut name = String::new();
        while let Some((token, _)) = self.tokens.get(self.at) {
            match token {
                Token::Word { text, quoted } if name.is_empty() || name.ends_with('.') => {
                    name.push_str(text);
                    let _ = quoted;
                }
                // `character varying`, `double precision`, `timestamp with time zone`.
                Token::Word {
                    text,
                    quoted: false,
                } if matches!(
                    text.as_str(),
                    "varying" | "precision" | "with" | "without" | "time" | "zone"
                ) =>
                {
                    name.push(' ');
                    name.push_str(text);
                }
                Token::Mark(".") if !name.is_empty() => name.push('.'),
                _ => break,
            }
            self.at += 1;
        }
        if name.is_empty() {
            return Err(self.error("a type is missing"));
        }
        if self.mark("(") {
            self.list(")")?;
            // `timestamp(3) without time zone`.
            while ["with", "without", "time", "zone"]
                .iter()
                .any(|word| self.keyword(word))
            {}
        }
        while self.mark("[") {
            self.expect("]")?;
            name.push_str("[]");
        }
        Ok(name)
    }

    pub(super) fn list(&mut self, end: &'static str) -> Result<Vec<Expression>, ParseError> {
        let mut items = Vec::new();
        if self.mark(end) {
            return Ok(items);
        }
        loop {
            items.push(self.expression(0)?);
            if self.mark(end) {
                return Ok(items);
            }
            self.expect(",")?;
        }
    }

    fn mark(&mut self, mark: &'static str) -> bool {
        let there =
            matches!(self.tokens.get(self.at), Some((Token::Mark(found), _)) if *found == mark);
        self.at += usize::from(there);
        there
    }

    pub(super) fn expect(&mut self, mark: &'static str) -> Result<(), ParseError> {
        if self.mark(mark) {
            Ok(())
        } else {
            Err(self.error(&format!("`{mark}` is missing")))
        }
    }

    fn peek_keyword(&self, word: &str) -> bool {
        matches!(self.tokens.get(self.at), Some((Token::Word { text, quoted: false }, _)) if text == word)
    }

    pub(super) fn keyword(&mut self, word: &str) -> bool {
        let there = self.peek_keyword(word);
        self.at += usize::from(there);
        there
    }

    pub(super) fn error(&self, what: &str) -> ParseError {
        let offset = self
            .tokens
            .get(self.at)
            .or_else(|| self.tokens.last())
            .map_or(0, |(_, offset)| *offset);
        ParseError {
            offset,
            what: what.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_catalog_prints() {
        for text in [
            "(kind = ANY (ARRAY['billing'::text, 'shipping'::text]))",
            "((quantity >= 1) AND (quantity <= 20))",
            "((channel)::text = ANY ((ARRAY['web'::character varying, 'app'::character varying])::text[]))",
            "((code)::text ~ '^[A-Z]{2}$'::text)",
            "(price > (0)::numeric)",
            "(num_nonnulls(a, b) = 1)",
            "((a IS NULL) OR (b IS NOT NULL))",
            "CASE WHEN (a > 1) THEN (b IS NOT NULL) ELSE true END",
            "(jsonb_typeof(data) = 'object'::text)",
            "(NOT (isempty(during)))",
            "(VALUE ~ '^\\d{5}$'::text)",
            "((ends_at - starts_at) > '01:00:00'::interval)",
            "(created_at < '2020-01-01 00:00:00+00'::timestamp with time zone)",
            "(EXTRACT(hour FROM opens) < (12)::numeric)",
            "((\"Weird Name\")::text <> ''::text)",
            "(a IS DISTINCT FROM b)",
            "((a)::double precision >= ('-90'::integer)::double precision)",
            "((name)::text = lower((name)::text) COLLATE \"C\")",
            "(tags[1] IS NOT NULL)",
            "(length(TRIM(BOTH FROM VALUE)) > 10)",
            "(TRIM(LEADING '0'::text FROM code) = code)",
            "(SUBSTRING(code FROM 1 FOR 2) = 'AB'::text)",
            "(POSITION(('@'::text) IN (email)) > 1)",
            "(OVERLAY(code PLACING 'x'::text FROM 1 FOR 1) <> code)",
            "(((address).city)::text <> ''::text)",
            "(date_trunc('day'::text, at) = (at AT TIME ZONE 'UTC'::text))",
        ] {
            Expression::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        }
    }

    #[test]
    fn shapes() {
        assert_eq!(
            Expression::parse("((a >= 1) AND (a <= 20) AND b)")
                .map(|e| matches!(e, Expression::And(items) if items.len() == 3)),
            Ok(true)
        );
        let negative = Expression::parse("(a > ('-5'::integer)::numeric)").unwrap();
        let Expression::Infix { right, .. } = negative else {
            panic!()
        };
        assert_eq!(right.literal().as_deref(), Some("-5"));
        assert!(Expression::parse("(a > ").is_err());
        assert!(Expression::parse("a b").is_err());
        assert!(Expression::parse(&"(".repeat(5000)).is_err());
    }
}
