//! Comparisons of sums: `ends_at > starts_at + '1 day'`, `a + b <= 100`, `price > 0`.

use crate::seed::expression::value::number;
use crate::seed::expression::{Arithmetic, Expression, Relation};

/// `sum of coefficient * column  relation  constant`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linear {
    /// Columns, each once, with coefficients other than 0.
    pub terms: Vec<(String, i64)>,
    /// How the sum compares.
    pub relation: Relation,
    /// In text form; `None` is zero of whatever type. [`NOW`] stands for the time of the check.
    pub constant: Option<String>,
}

/// The constant for `now()` and its like.
pub const NOW: &str = "now";

impl Linear {
    /// `left relation right`, where both sides are sums of columns and at most one constant.
    #[must_use]
    pub fn of(left: &Expression, relation: Relation, right: &Expression) -> Option<Self> {
        let mut sum = Sum::default();
        sum.add(left, 1)?;
        sum.add(right, -1)?;
        sum.terms.retain(|(_, coefficient)| *coefficient != 0);
        if sum.terms.is_empty() {
            return None;
        }
        // The constants move to the right side.
        let constant = sum
            .constant
            .map(|(text, sign)| if sign < 0 { text } else { negative(&text) });
        Some(Self {
            terms: sum.terms,
            relation,
            constant,
        })
    }
}

#[derive(Default)]
struct Sum {
    terms: Vec<(String, i64)>,
    constant: Option<(String, i64)>,
}

impl Sum {
    fn add(&mut self, expression: &Expression, times: i64) -> Option<()> {
        if let Some(text) = expression.literal() {
            return self.constant(text, times);
        }
        match expression.uncast() {
            Expression::Column(name) => {
                match self.terms.iter_mut().find(|(other, _)| other == name) {
                    Some((_, coefficient)) => *coefficient += times,
                    None => self.terms.push((name.clone(), times)),
                }
                Some(())
            }
            Expression::Prefix { operator, of } if operator == "-" => self.add(of, -times),
            Expression::Infix {
                operator,
                left,
                right,
            } => match operator.as_str() {
                "+" => {
                    self.add(left, times)?;
                    self.add(right, times)
                }
                "-" => {
                    self.add(left, times)?;
                    self.add(right, -times)
                }
                "*" => match (left.literal(), right.literal()) {
                    (Some(factor), None) => {
                        self.add(right, times.checked_mul(factor.parse().ok()?)?)
                    }
                    (None, Some(factor)) => {
                        self.add(left, times.checked_mul(factor.parse().ok()?)?)
                    }
                    _ => None,
                },
                _ => None,
            },
            Expression::Call { name, arguments } if arguments.is_empty() && is_now(name) => {
                self.constant(NOW.to_owned(), times)
            }
            // timezone('UTC', now()) and the like.
            Expression::Call { name, arguments } if name == "timezone" => {
                self.add(arguments.get(1)?, times)
            }
            _ => None,
        }
    }

    fn constant(&mut self, text: String, times: i64) -> Option<()> {
        if times != 1 && times != -1 {
            let product = Arithmetic::Multiply.numbers(number(&text)?, times as f64);
            return self.constant(product.to_string(), 1);
        }
        self.constant = Some(match self.constant.take() {
            None => (text, times),
            Some((other, sign)) => {
                // Two constants: only numbers add up here.
                let signed = |text: &str, sign: i64| {
                    Some(Arithmetic::Multiply.numbers(number(text)?, sign as f64))
                };
                let sum = Arithmetic::Add.numbers(signed(&other, sign)?, signed(&text, times)?);
                (sum.to_string(), 1)
            }
        });
        Some(())
    }
}

fn is_now(name: &str) -> bool {
    matches!(
        name,
        "now"
            | "current_date"
            | "current_timestamp"
            | "localtimestamp"
            | "transaction_timestamp"
            | "statement_timestamp"
            | "clock_timestamp"
    )
}

/// The constant with the other sign, as text.
#[must_use]
pub fn negative(text: &str) -> String {
    match text.strip_prefix('-') {
        Some(rest) => rest.to_owned(),
        None => format!("-{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linear(text: &str) -> Option<Linear> {
        match Expression::parse(text).unwrap() {
            Expression::Infix {
                operator,
                left,
                right,
            } => Linear::of(&left, Relation::of(&operator)?, &right),
            _ => None,
        }
    }

    #[test]
    fn sums() {
        let all = |text| linear(text).map(|l| (l.terms, l.constant));
        let terms = |list: &[(&str, i64)]| {
            list.iter()
                .map(|(n, c)| ((*n).to_owned(), *c))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            all("(price > (0)::numeric)"),
            Some((terms(&[("price", 1)]), Some("0".to_owned())))
        );
        assert_eq!(
            all("(ends >= (starts + '1 day'::interval))"),
            Some((
                terms(&[("ends", 1), ("starts", -1)]),
                Some("1 day".to_owned())
            ))
        );
        assert_eq!(
            all("((a + (2 * b)) <= 100)"),
            Some((terms(&[("a", 1), ("b", 2)]), Some("100".to_owned())))
        );
        assert_eq!(
            all("(total = ((net + tax) - 5))"),
            Some((
                terms(&[("total", 1), ("net", -1), ("tax", -1)]),
                Some("-5".to_owned())
            ))
        );
        assert_eq!(all("(lower(a) > 'x'::text)"), None);
        assert_eq!(all("(made <= now())").unwrap().1.as_deref(), Some(NOW));
    }
}
