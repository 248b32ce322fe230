//! What a spec asks of the rows of a column, as figures: each is compared with what is seen, in planned rows before a load and in
//! the table after it. Knows neither the plan nor a database.

use super::spec::ColumnSpec;

/// Rows that are looked at; a table of fewer is looked at as a whole.
pub const SAMPLE: u64 = 10_000;
/// A share may be off by so many standard deviations of a sample.
const DEVIATIONS: f64 = 4.5;
/// And by this much, which nobody plans with.
const CLOSE_SHARE: f64 = 0.003;
/// What a correlation may be off.
const CLOSE_CORRELATION: f64 = 0.04;
/// Of fewer rows a correlation says nothing.
const FEW_ROWS: f64 = 100.0;

/// One wish of a spec.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    /// Index of the table in the plan.
    pub table: usize,
    /// The column's name.
    pub column: String,
    /// What is asked of it.
    pub wanted: Wanted,
}

/// How often the values of a column come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frequency {
    /// Each about as often as any other.
    Even,
    /// Some are hot, and others may not come at all.
    Skewed,
}

/// What a spec asks of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Wanted {
    /// `null`: a share of all rows.
    Nulls(f64),
    /// Of `values`: a share of the rows that have a value.
    Share {
        /// The value in text form.
        text: String,
        /// From 0 to 1.
        share: f64,
    },
    /// Of `common`: a share of all rows; the generator of the rest may make the value, too.
    Common {
        /// The value in text form.
        text: String,
        /// From 0 to 1.
        share: f64,
    },
    /// `distinct`.
    Distinct {
        /// How many different values.
        count: u64,
        /// How often each comes.
        frequency: Frequency,
    },
    /// `correlation`.
    Correlation(f64),
    /// `min`, `max`, `from` and `to`, in text form.
    Bounds {
        /// The least value.
        low: Option<String>,
        /// The greatest.
        high: Option<String>,
    },
}

/// What was seen of a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// Rows that were looked at.
    pub rows: f64,
    /// Those of them that have a value.
    pub present: f64,
    /// Rows with the value, or NULL, or outside of the bounds; how many different values; the correlation.
    pub found: f64,
    /// Whether every row was looked at.
    pub is_whole: bool,
}

/// The wishes that a column's keys make.
#[must_use]
pub fn of_column(table: usize, said: &ColumnSpec) -> Vec<Wish> {
    let mut wanted: Vec<Wanted> = said.null.map(Wanted::Nulls).into_iter().collect();
    if let Some(values) = values(said) {
        let sum: f64 = values.iter().map(|(_, weight)| weight).sum();
        wanted.extend(values.into_iter().map(|(text, weight)| Wanted::Share {
            text,
            share: if sum > 0.0 { weight / sum } else { 0.0 },
        }));
    }
    let common = said.common.iter().flatten().cloned();
    wanted.extend(common.map(|(text, share)| Wanted::Common { text, share }));
    wanted.extend(said.distinct.map(|count| Wanted::Distinct {
        count,
        frequency: match said.skew {
            None => Frequency::Even,
            Some(_) => Frequency::Skewed,
        },
    }));
    wanted.extend(said.correlation.map(Wanted::Correlation));
    if said.min.is_some() || said.max.is_some() {
        let text = |bound: &Option<(String, _)>| bound.as_ref().map(|(text, _)| text.clone());
        wanted.push(Wanted::Bounds {
            low: text(&said.min),
            high: text(&said.max),
        });
    }
    let column = &said.name.text;
    let wish = |wanted| Wish {
        table,
        column: column.clone(),
        wanted,
    };
    wanted.into_iter().map(wish).collect()
}

/// `values`, or the one `value`, with their weights.
#[must_use]
pub fn values(said: &ColumnSpec) -> Option<Vec<(String, f64)>> {
    said.values
        .clone()
        .or_else(|| said.value.clone().map(|value| vec![(value, 1.0)]))
}

/// How a wish is missed by more than its noise, behind the column's name; `None` where it is met.
#[must_use]
pub fn missed(wanted: &Wanted, seen: &Seen) -> Option<String> {
    if seen.rows < 1.0 {
        return None;
    }
    match wanted {
        Wanted::Nulls(share) => {
            let found = seen.found / seen.rows;
            ((found - share).abs() > noise(*share, seen.rows)).then(|| {
                format!(
                    "is NULL in {} of the rows, and the spec says {}",
                    percent(found),
                    percent(*share)
                )
            })
        }
        Wanted::Share { text, share } => {
            if seen.present < 1.0 {
                return None;
            }
            let found = seen.found / seen.present;
            ((found - share).abs() > noise(*share, seen.present)).then(|| {
                format!(
                    "is \"{text}\" in {} of the rows that have one, and the spec says {}",
                    percent(found),
                    percent(*share)
                )
            })
        }
        Wanted::Common { text, share } => {
            let (found, noise) = (seen.found / seen.rows, noise(*share, seen.rows));
            // The rest may make the same value now and then.
            let is_missed = share - found > noise || found - share > noise + 0.05;
            is_missed.then(|| {
                format!(
                    "is \"{text}\" in {} of the rows, and the spec says {}",
                    percent(found),
                    percent(*share)
                )
            })
        }
        Wanted::Distinct { count, frequency } => distinct(*count, *frequency, seen),
        Wanted::Correlation(wanted) => {
            let noise = CLOSE_CORRELATION + 2.0 / seen.present.max(1.0).sqrt();
            let is_missed = seen.present >= FEW_ROWS && (seen.found - wanted).abs() > noise;
            is_missed.then(|| {
                format!(
                    "has a correlation of {:.2} with the rows' order, and the spec says {wanted:.2}",
                    seen.found
                )
            })
        }
        Wanted::Bounds { .. } => {
            let share = seen.found / seen.present.max(1.0);
            (share > 0.001).then(|| {
                format!(
                    "lies outside of the spec's bounds in {} of the rows",
                    percent(share)
                )
            })
        }
    }
}

/// A note on a wish that is missed.
#[must_use]
pub fn note(table: &impl std::fmt::Display, column: &str, missed: &str) -> String {
    format!(
        "{table}: {column} {missed}: a constraint, a key or another wish of the spec stands against it"
    )
}

/// How many different values a sample has against how many it would have of `wanted` even ones; of all rows there is no other
/// number than the spec's.
fn distinct(wanted: u64, frequency: Frequency, seen: &Seen) -> Option<String> {
    let (found, count, wanted_values) = (seen.found, seen.present, wanted as f64);
    let expected = if seen.is_whole {
        wanted_values
    } else if wanted_values >= count * 20.0 {
        count
    } else {
        wanted_values * (1.0 - (-count / wanted_values).exp())
    };
    let of_sample = if seen.is_whole {
        0.0
    } else {
        3.0 * expected.sqrt()
    };
    let room = 2.0 + expected * 0.02 + of_sample;
    let too_few = frequency == Frequency::Even && found + room < expected.min(wanted_values);
    let too_many = found > wanted_values + 0.5;
    (too_few || too_many).then(|| {
        let at_least = if seen.is_whole { "" } else { "at least " };
        format!("has {at_least}{found} different values, and the spec says {wanted}")
    })
}

/// A share as a person reads it.
fn percent(share: f64) -> String {
    let text = format!("{:.1}", share * 100.0);
    format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
}

/// What a share of so many rows may be off by chance.
fn noise(share: f64, rows: f64) -> f64 {
    let deviation = (share * (1.0 - share) / rows.max(1.0)).sqrt();
    // Few rows are never divided exactly.
    CLOSE_SHARE + DEVIATIONS * deviation + 1.0 / rows.max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(rows: f64, present: f64, found: f64) -> Seen {
        Seen {
            rows,
            present,
            found,
            is_whole: true,
        }
    }

    #[test]
    fn what_is_missed_by_more_than_chance_is_told() {
        let nulls = Wanted::Nulls(0.25);
        assert_eq!(missed(&nulls, &seen(10_000.0, 7_480.0, 2_520.0)), None);
        assert_eq!(
            missed(&nulls, &seen(10_000.0, 9_000.0, 1_000.0)).unwrap(),
            "is NULL in 10 % of the rows, and the spec says 25 %"
        );
        let share = Wanted::Share {
            text: "new".to_owned(),
            share: 0.5,
        };
        assert_eq!(missed(&share, &seen(100.0, 50.0, 25.0)), None);
        assert!(missed(&share, &seen(10_000.0, 5_000.0, 5_000.0)).is_some());
        let values = |count| Wanted::Distinct {
            count,
            frequency: Frequency::Even,
        };
        assert_eq!(missed(&values(500), &seen(4_000.0, 4_000.0, 500.0)), None);
        assert!(missed(&values(500), &seen(4_000.0, 4_000.0, 501.0)).is_some());
        assert!(missed(&values(500), &seen(4_000.0, 4_000.0, 300.0)).is_some());
        assert_eq!(missed(&nulls, &seen(0.0, 0.0, 0.0)), None);
    }
}
