//! The seed spec: what `seeds/*.toml` say, with the place of every word, so that each mistake shows its line. Knows no
//! schema: whether a table or column exists is [`super::resolve`]'s question.

mod reader;
mod shape;

use std::ops::Range;

use crate::source::{Source, SourceError};

pub use self::shape::{JointShape, MeasuredShape, PageLocality, ShapePart, ShapeSpec};
pub use reader::parse;
#[cfg(test)]
pub(super) use reader::{COLUMN_KEYS, ROWS_KEYS, TABLE_KEYS};

/// All spec files of a project.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Spec {
    /// In the order of the files.
    pub tables: Vec<TableSpec>,
}

/// `[tables.name]`.
#[derive(Debug, Clone, PartialEq)]
pub struct TableSpec {
    /// As it was written: `orders` or `shop.orders`.
    pub name: Place,
    /// `rows`.
    pub rows: Option<RowsSpec>,
    /// `locale`.
    pub locale: Option<(String, Place)>,
    /// `keep`: rows that migrations inserted stay alone, whatever `rows` says.
    pub keep: Option<bool>,
    /// `[tables.name.columns]`.
    pub columns: Vec<ColumnSpec>,
}

/// A word and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// The word.
    pub text: String,
    /// Its file.
    pub source: Source,
    /// Its bytes.
    pub span: Range<usize>,
}

impl Place {
    /// An error here.
    #[must_use]
    pub fn error(&self, message: impl Into<String>) -> SourceError {
        SourceError::new(&self.source, self.span.clone(), message)
    }
}

/// How many rows.
#[derive(Debug, Clone, PartialEq)]
#[allow(
    clippy::large_enum_variant,
    reason = "one a table: boxing it would save nothing that counts"
)]
pub enum RowsSpec {
    /// This many at scale 1.
    Count(u64),
    /// So many for each row of a parent.
    Per {
        /// The parent table.
        table: Place,
        /// The foreign key's column, where there are several to that parent.
        column: Option<Place>,
        /// Children per parent.
        mean: f64,
        /// Zipf's exponent.
        skew: f64,
        /// Where a parent's children lie.
        order: Option<super::distribution::Order>,
        /// `children`: how many a parent has, from the fewest to the most, each pair of neighbours for as many parents.
        children: Option<Vec<f64>>,
    },
}

/// One column's knobs; `None` is inferred.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnSpec {
    /// Unquoted.
    pub name: Place,
    /// `generator`.
    pub generator: Option<Place>,
    /// `values`: text forms and weights.
    pub values: Option<Vec<(String, f64)>>,
    /// `null`: share.
    pub null: Option<f64>,
    /// `distinct`: how many different values.
    pub distinct: Option<u64>,
    /// `skew`: Zipf's exponent.
    pub skew: Option<f64>,
    /// `min`, `max`, `from`, `to`: bounds in text form.
    pub min: Option<(String, Place)>,
    /// See `min`.
    pub max: Option<(String, Place)>,
    /// `correlation` of value and physical order.
    pub correlation: Option<f64>,
    /// `growth`: 0 is even over time, 1 puts three quarters into the second half.
    pub growth: Option<f64>,
    /// `pattern` of the generator `regex`.
    pub pattern: Option<Place>,
    /// `value`: the same for all rows.
    pub value: Option<String>,
    /// `common`: values and their shares of all rows; the rest is made by the generator.
    pub common: Option<Vec<(String, f64)>>,
    /// `histogram`: bounds in text form, with as many rows between each two neighbours.
    pub histogram: Option<Vec<String>>,
    /// `width`: bytes of an average value.
    pub width: Option<u32>,
    /// `depends-on`: the column that decides this one's value.
    pub depends_on: Option<Place>,
    /// `template`: text with `{column}` in it.
    pub template: Option<Place>,
    /// `expression`: SQL over the row's other columns.
    pub expression: Option<Place>,
    /// From a profile: how its values are distributed. No key of a file says this.
    pub shape: Option<std::sync::Arc<ShapeSpec>>,
    /// `references`: `table.column` whose values these are, though no foreign key says so; `none` for none.
    pub references: Option<Place>,
}

impl ColumnSpec {
    /// Nothing said.
    #[must_use]
    pub const fn new(name: Place) -> Self {
        Self {
            name,
            generator: None,
            values: None,
            null: None,
            distinct: None,
            skew: None,
            min: None,
            max: None,
            correlation: None,
            growth: None,
            pattern: None,
            value: None,
            common: None,
            histogram: None,
            width: None,
            depends_on: None,
            template: None,
            expression: None,
            shape: None,
            references: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(text: &str) -> Vec<String> {
        parse(&[Source::new("seeds/a.toml", text)])
            .unwrap_err()
            .iter()
            .map(|e| format!("{e} ({})", e.help.as_deref().unwrap_or("-")))
            .collect()
    }

    #[test]
    fn a_whole_file() {
        let text = "[tables.orders]\nrows = { per = \"customers\", mean = 2.5, skew = 0.8 }\n[tables.orders.columns]\n\
                    status = { values = { paid = 0.9, open = 0.1 } }\nplaced_at = { from = 2024-01-01, correlation = 0.99 }\n";
        let spec = parse(&[Source::new("seeds/a.toml", text)]).unwrap();
        let orders = &spec.tables[0];
        assert!(matches!(&orders.rows, Some(RowsSpec::Per { mean, .. }) if *mean == 2.5));
        assert_eq!(orders.columns.len(), 2);
        let placed = orders
            .columns
            .iter()
            .find(|c| c.name.text == "placed_at")
            .unwrap();
        assert_eq!(placed.min.as_ref().unwrap().0, "2024-01-01");
    }

    #[test]
    fn a_table_is_described_once() {
        let file = |name: &str, text: &str| Source::new(name, text);
        let found = parse(&[
            file(
                "seeds/a.toml",
                "[tables.a]\nrows = 3\n\n[tables.b]\nrows = 4\n",
            ),
            file(
                "seeds/b.toml",
                "[tables.c]\nrows = 3\n[tables.b]\nrows = 5\n",
            ),
        ]);
        let messages: Vec<String> = found
            .unwrap_err()
            .iter()
            .map(|error| format!("{error} ({})", error.help.as_deref().unwrap_or("-")))
            .collect();
        assert_eq!(
            messages,
            [
                "seeds/b.toml:3: table b is described twice (it is described in seeds/a.toml:4 as well; keep one)"
            ]
        );
    }

    #[test]
    fn mistakes_show_their_line() {
        assert_eq!(
            errors(
                "[tables.a]\nrow = 3\n[tables.a.columns]\nx = { genrator = \"email\" }\ny = { null = 2 }\n"
            ),
            [
                "seeds/a.toml:2: a table has no key `row` (did you mean `rows`?)",
                "seeds/a.toml:4: a column has no key `genrator` (did you mean `generator`?)",
                "seeds/a.toml:5: null must be between 0 and 1 (-)",
            ]
        );
        assert_eq!(
            errors("a = "),
            ["seeds/a.toml:1: string values must be quoted, expected literal string (-)"]
        );
    }
}
