//! Distributions that a profile brings: no key of a file says them.

/// A distribution as a profile describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct ShapeSpec {
    /// In the order of the values.
    pub parts: Vec<ShapePart>,
    /// As ANALYZE measured it.
    pub correlation: Option<f64>,
    /// For a foreign key: rows of the parent that the values count, where they count rows.
    pub parents: Option<f64>,
    /// What was measured in the rows besides.
    pub measured: MeasuredShape,
}

/// What statistics do not say of a column, and a sample of the rows does.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MeasuredShape {
    /// How far the values of one page lie apart in the values' order, against those of rows taken anywhere; and how many pages
    /// the table has.
    pub locality: Option<PageLocality>,
    /// For a foreign key: share of the parents without children, and mean numbers of children of equally many of the
    /// others, from the fewest to the most.
    pub fan_out: Option<(f64, Vec<f64>)>,
    /// Another column of the row that has a say.
    pub given: Option<JointShape>,
}

/// How values lie on pages.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PageLocality {
    /// Different values on a page against those of as many rows taken anywhere, 0 to 1.
    pub distinct: f64,
    /// Distance of the values of a page against that of as many rows taken anywhere, 0 to 1.
    pub spread: f64,
    /// Pages of the table.
    pub pages: f64,
}

/// Shares of the values of two columns together.
#[derive(Debug, Clone, PartialEq)]
pub struct JointShape {
    /// The other column.
    pub column: String,
    /// To which bin each part of the other column's shape belongs.
    pub other_bins: Vec<usize>,
    /// To which bin each part of this shape belongs.
    pub bins: Vec<usize>,
    /// Bins of the other column and of this one, with the share of the rows that have both.
    pub cells: Vec<(usize, usize, f64)>,
}

/// A value, or all values from one to another.
#[derive(Debug, Clone, PartialEq)]
pub struct ShapePart {
    /// The value, or the least one.
    pub low: String,
    /// Where the values end; `None` for a single one.
    pub high: Option<String>,
    /// Share of the rows that have a value.
    pub share: f64,
    /// How many different values, where that is known.
    pub distinct: Option<f64>,
}
