//! What a catalog's plans become as the database grows: found on hollow tables, so that every line of it was planned and not
//! run.

use serde::{Deserialize, Serialize};

use super::change::PlanChange;

/// A catalog planned at a size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outlook {
    /// The table with the most rows: sizes are counted by it.
    pub table: String,
    /// Its rows in the dataset, or in the profile.
    pub rows_now: f64,
    /// Its rows at the size that was planned.
    pub rows_then: f64,
    /// Columns whose type ends before that: `orders.id (integer)`.
    pub exhausted: Vec<String>,
    /// One a parameter set.
    pub runs: Vec<PlannedRun>,
}

/// One query with one set of values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedRun {
    /// The query's name.
    pub query: String,
    /// What its values stand for.
    pub parameters: String,
    /// The planner's cost at the size of now.
    pub cost_now: f64,
    /// Its cost at the size that was planned; `None` where it was refused there.
    pub cost_then: Option<f64>,
    /// Each size at which the plan becomes another, from the smallest on.
    pub changes: Vec<SizedChange>,
}

/// A change of a plan with growing tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SizedChange {
    /// Rows of the largest table from which on the plan is the other one, to within a twentieth.
    pub rows: f64,
    /// The cost of the plan that comes.
    pub cost: f64,
    /// What changes.
    pub change: PlanChange,
}

/// Every line of an outlook says so.
pub const NOT_RUN: &str = "planned, not run";

/// Sizes between 1 and `most`, each at most four times the one before it, both ends among them.
#[must_use]
pub fn grid(most: f64) -> Vec<f64> {
    const STEP: f64 = 4.0;
    if most <= 1.0 {
        return vec![1.0];
    }
    let steps = (most.ln() / STEP.ln()).ceil().max(1.0);
    let each = most.powf(1.0 / steps);
    let sizes = (0..=steps as i32).map(|step| {
        if f64::from(step) == steps {
            most
        } else {
            each.powi(step)
        }
    });
    sizes.collect()
}

/// A size with two digits: as exact as it is looked for.
#[must_use]
pub fn rounded(rows: f64) -> f64 {
    let digits = 10_f64.powf(rows.max(10.0).log10().floor() - 1.0);
    (rows / digits).round() * digits
}

/// Whether two sizes are one, as far as an outlook says.
#[must_use]
pub fn is_one_size(low: f64, high: f64) -> bool {
    high <= low * 1.05
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_two_digits() {
        assert_eq!(
            (rounded(3_385_732.0), rounded(7.0), rounded(99.6)),
            (3_400_000.0, 7.0, 100.0)
        );
    }

    #[test]
    fn a_grid_has_both_ends_and_no_wide_steps() {
        for most in [1.5, 4.0, 100.0, 12_345.0] {
            let sizes = grid(most);
            assert_eq!((sizes[0], sizes[sizes.len() - 1]), (1.0, most));
            assert!(
                sizes
                    .windows(2)
                    .all(|pair| pair[0] < pair[1] && pair[1] <= pair[0] * 4.001)
            );
        }
        assert_eq!(grid(1.0), [1.0]);
    }
}
