//! What operators and functions give: the one place that computes them. Constraints fold their constants with it and compare
//! what is listed with what is allowed; generated columns are computed with it row by row. Only what is sure to mean the
//! same on the server is here.

/// Arithmetic with the server's meaning: of integers `/` and `%` round towards zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Arithmetic {
    /// By its operator.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        Some(match text {
            "+" => Self::Add,
            "-" => Self::Subtract,
            "*" => Self::Multiply,
            "/" => Self::Divide,
            "%" => Self::Remainder,
            _ => return None,
        })
    }

    /// Of integers; `None` for a division by zero and where the result fits no 64 bits.
    #[must_use]
    pub fn integers(self, left: i64, right: i64) -> Option<i64> {
        match self {
            Self::Add => left.checked_add(right),
            Self::Subtract => left.checked_sub(right),
            Self::Multiply => left.checked_mul(right),
            Self::Divide => left.checked_div(right),
            Self::Remainder => left.checked_rem(right),
        }
    }

    /// Of numbers in general.
    #[must_use]
    pub fn numbers(self, left: f64, right: f64) -> f64 {
        match self {
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Multiply => left * right,
            Self::Divide => left / right,
            Self::Remainder => left % right,
        }
    }
}

/// Comparison operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

impl Relation {
    /// By its operator.
    #[must_use]
    pub fn of(operator: &str) -> Option<Self> {
        Some(match operator {
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            "=" => Self::Equal,
            "<>" | "!=" => Self::NotEqual,
            _ => return None,
        })
    }

    /// The same with its sides exchanged.
    #[must_use]
    pub const fn flipped(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            Self::Equal | Self::NotEqual => self,
        }
    }

    /// What holds where this does not.
    #[must_use]
    pub const fn negated(self) -> Self {
        match self {
            Self::Less => Self::GreaterOrEqual,
            Self::LessOrEqual => Self::Greater,
            Self::Greater => Self::LessOrEqual,
            Self::GreaterOrEqual => Self::Less,
            Self::Equal => Self::NotEqual,
            Self::NotEqual => Self::Equal,
        }
    }

    /// Whether two numbers are so related.
    #[must_use]
    pub fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
            Self::Equal => left == right,
            Self::NotEqual => left != right,
        }
    }

    /// Whether two constants are so related, as numbers; `None` where one of them is no number.
    #[must_use]
    pub fn of_constants(self, left: &str, right: &str) -> Option<bool> {
        Some(self.holds(number(left)?, number(right)?))
    }
}

/// A constant as a number.
#[must_use]
pub fn number(constant: &str) -> Option<f64> {
    constant.parse().ok()
}

/// The text that a function of texts gives; `None` for functions that are not known.
#[must_use]
pub fn text_function(name: &str, arguments: &[&str]) -> Option<String> {
    let trimmed = arguments.get(1).copied().unwrap_or(" ");
    let of = |c: char| trimmed.contains(c);
    Some(match (name, arguments) {
        ("concat", _) => arguments.concat(),
        ("lower", [text]) => text.to_lowercase(),
        ("upper", [text]) => text.to_uppercase(),
        ("reverse", [text]) => text.chars().rev().collect(),
        ("btrim", [text] | [text, _]) => text.trim_matches(of).to_owned(),
        ("ltrim", [text] | [text, _]) => text.trim_start_matches(of).to_owned(),
        ("rtrim", [text] | [text, _]) => text.trim_end_matches(of).to_owned(),
        _ => return None,
    })
}

/// What `||` makes of two texts.
#[must_use]
pub fn concatenated(left: &str, right: &str) -> String {
    format!("{left}{right}")
}

/// An expression whose every part is an integer that fits its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Formula {
    /// A number.
    Constant(i64),
    /// Index of a column of the table.
    Column(usize),
    /// A sum, difference, product, quotient or remainder.
    Operation(Arithmetic, Box<(Formula, Formula)>),
}

impl Formula {
    /// The value in a row whose columns are `column`'s; NULL where one of them is.
    #[must_use]
    pub fn value(&self, column: &impl Fn(usize) -> Option<i64>) -> Option<i64> {
        match self {
            Self::Constant(value) => Some(*value),
            Self::Column(index) => column(*index),
            Self::Operation(operator, sides) => {
                operator.integers(sides.0.value(column)?, sides.1.value(column)?)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_round_towards_zero_and_never_overflow() {
        let of = |operator, left, right| Arithmetic::of(operator)?.integers(left, right);
        assert_eq!(of("/", -7, 2), Some(-3));
        assert_eq!(of("%", -7, 2), Some(-1));
        assert_eq!(of("/", 1, 0), None);
        assert_eq!(of("%", 1, 0), None);
        assert_eq!(of("/", i64::MIN, -1), None);
        assert_eq!(of("+", i64::MAX, 1), None);
        assert_eq!(of("^", 2, 2), None);
    }

    #[test]
    fn constants_compare_as_numbers() {
        let of = |left, operator, right| Relation::of(operator)?.of_constants(left, right);
        assert_eq!(of("1.0", "=", "1"), Some(true));
        assert_eq!(of("10", "<", "9"), Some(false), "not as texts");
        assert_eq!(of("10", "!=", "1e1"), Some(false));
        assert_eq!(of("a", "=", "a"), None);
    }

    #[test]
    fn functions_of_texts() {
        let of = |name, arguments: &[&str]| text_function(name, arguments);
        assert_eq!(of("btrim", &[" a "]).as_deref(), Some("a"));
        assert_eq!(of("ltrim", &["xxa", "x"]).as_deref(), Some("a"));
        assert_eq!(of("rtrim", &["abxy", "yx"]).as_deref(), Some("ab"));
        assert_eq!(of("reverse", &["añb"]).as_deref(), Some("bña"));
        assert_eq!(of("upper", &["a", "b"]), None);
        assert_eq!(of("md5", &["a"]), None);
    }
}
