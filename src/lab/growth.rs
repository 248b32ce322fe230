//! How a query's work grows with its tables: a power law through what was measured at several sizes, as far as the plans do the
//! same, and what follows from it. Sizes are rows of the largest table.

use serde::{Deserialize, Serialize};

use super::change::{ChangeKind, PlanChange};
use super::outlook::SizedChange;
use crate::plan::Plan;
use crate::plan::shape::shape;
use crate::run::{Outcome, Run};
use crate::units::{Millis, Pages};

/// Below this a page more or less is a large part of all: no exponent is read from it.
const FEW_PAGES: f64 = 64.0;
/// What two points leave open of an exponent.
const UNCERTAIN: f64 = 0.1;
/// Times of one and the same work differ by this factor, either way.
const TIME_NOISE: f64 = 2.0;
/// How far the exponent of the time may be from that of the pages: what is more is noise of short executions.
const TIME_APART: f64 = 0.15;

/// Sizes that are nearer than this factor say nothing of growth: a page more or less would be an exponent of its own.
pub const NEAREST_SIZES: f64 = 1.5;

/// What a parameter set took at one size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Of the largest table.
    pub rows: f64,
    /// Shared and local ones that were touched.
    pub pages: Pages,
    /// Of temporary files.
    pub temp_pages: Pages,
    /// Median.
    pub time_ms: Millis,
}

/// The same with its plan.
#[derive(Debug, Clone, Copy)]
pub struct Measured<'a> {
    /// What it took.
    pub point: Point,
    /// How.
    pub plan: &'a Plan,
}

impl<'a> Measured<'a> {
    /// Of a run on tables of which the largest has `rows`; `None` where it did not finish.
    #[must_use]
    pub fn of(rows: f64, run: &'a Run) -> Option<Self> {
        let taken = run.measurement()?;
        matches!(run.outcome, Outcome::Completed { .. }).then_some(Self {
            point: Point {
                rows,
                pages: taken.blocks,
                temp_pages: taken.temp_blocks,
                time_ms: taken.time_ms,
            },
            plan: &run.plan,
        })
    }
}

/// How the work grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Not at all, or with the logarithm; also what touches too few pages to tell.
    Constant,
    /// Slower than the table.
    Sublinear,
    /// As the table.
    Linear,
    /// Faster than the table.
    Superlinear,
}

impl Class {
    /// Of an exponent.
    #[must_use]
    pub fn of(exponent: f64) -> Self {
        match exponent {
            ..0.15 => Self::Constant,
            0.15..0.8 => Self::Sublinear,
            0.8..=1.15 => Self::Linear,
            _ => Self::Superlinear,
        }
    }

    /// `grows as the table`.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Constant => "stays as it is",
            Self::Sublinear => "grows slower than the table",
            Self::Linear => "grows as the table",
            Self::Superlinear => "grows faster than the table",
        }
    }
}

/// The exponent k of pages = c · rows^k, and how far it may be off.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Exponent {
    /// The best guess.
    pub value: f64,
    /// The least that the points allow.
    pub low: f64,
    /// The most.
    pub high: f64,
}

/// A range that holds a quantity.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// The least.
    pub low: f64,
    /// The most.
    pub high: f64,
}

impl Range {
    /// Whether a value is in it.
    #[must_use]
    pub fn holds(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// What is to be expected at a size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The size.
    pub rows: f64,
    /// Pages touched.
    pub pages: Range,
    /// Milliseconds, as long as the pages stay in memory.
    pub time_ms: Range,
}

/// A prediction from the smaller sizes for the largest one that was run, and what it took there.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Confirmation {
    /// What the smaller sizes said.
    pub predicted: Prediction,
    /// What was measured.
    pub measured: Point,
}

/// What a query must not take.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    /// `@budget buffers`.
    pub pages: Option<Pages>,
    /// `@budget time`, else the limit for slow queries.
    pub time: Option<Millis>,
}

/// The size at which a limit breaks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Cliff {
    /// Rows of the largest table.
    pub rows: f64,
    /// Which limit.
    pub limit: CliffLimit,
}

/// A limit that breaks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CliffLimit {
    /// Pages touched.
    Pages(Pages),
    /// Milliseconds.
    Time(Millis),
}

/// One query with one parameter set, from size to size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunGrowth {
    /// The query's name.
    pub query: String,
    /// What its values stand for.
    pub parameters: String,
    /// What was measured, from the smallest size on.
    pub points: Vec<Point>,
    /// `None` where too few pages, or too few sizes, tell nothing.
    pub exponent: Option<Exponent>,
    /// By it.
    pub class: Class,
    /// At the size that was asked for, while its plan stays.
    pub predicted: Option<Prediction>,
    /// Where a limit breaks first.
    pub cliff: Option<Cliff>,
    /// Where the plan becomes another one beyond what was measured: planned, not run.
    pub changes: Vec<SizedChange>,
    /// Of the largest size that was run.
    pub confirmation: Option<Confirmation>,
}

/// The growth of a catalog.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GrowthReport {
    /// The table that sizes are counted by.
    pub table: String,
    /// Its rows at each size that was measured.
    pub sizes: Vec<f64>,
    /// The size that was asked for.
    pub to: f64,
    /// One a parameter set that ran at two sizes or more.
    pub runs: Vec<RunGrowth>,
}

/// What the sizes of one parameter set say; `points` from the smallest size on, `None` of less than two.
#[must_use]
pub fn growth(
    (query, parameters): (&str, &str),
    points: &[Measured<'_>],
    to: f64,
    limits: Limits,
) -> Option<RunGrowth> {
    let [.., _, last] = points else {
        return None;
    };
    let exponent = exponent(points);
    let predicted = prediction(points, to).filter(|_| to > last.point.rows);
    let confirmation = points.split_last().and_then(|(measured, before)| {
        Some(Confirmation {
            predicted: prediction(before, measured.point.rows).filter(|_| before.len() > 1)?,
            measured: measured.point,
        })
    });
    Some(RunGrowth {
        query: query.to_owned(),
        parameters: parameters.to_owned(),
        points: points.iter().map(|measured| measured.point).collect(),
        exponent,
        class: exponent.map_or(Class::Constant, |exponent| Class::of(exponent.value)),
        predicted,
        cliff: cliff(last.point, exponent, limits).filter(|cliff| cliff.rows <= to),
        changes: Vec::new(),
        confirmation,
    })
}

/// The last points whose plans read the same tables in the same way as the last one's.
fn regime<'p, 'm>(points: &'p [Measured<'m>]) -> &'p [Measured<'m>] {
    let Some(last) = points.last() else {
        return points;
    };
    let differs = |measured: &Measured<'_>| {
        PlanChange::between(measured.plan, last.plan)
            .is_some_and(|change| change.kind == ChangeKind::Access)
    };
    let begin = points.iter().rposition(differs).map_or(0, |at| at + 1);
    &points[begin..]
}

/// By the last two points of the last regime that have one plan; with four and more such points by the median of all pairs'
/// slopes (Theil and Sen). Where the plan became parallel, say, the step is none of the tables' growth: the slope before it
/// holds.
fn exponent(points: &[Measured<'_>]) -> Option<Exponent> {
    let regime = regime(points);
    let last = regime.last()?.point;
    if (last.pages.0 as f64) < FEW_PAGES {
        return None;
    }
    let pages = |point: &Point| point.pages.0 as f64;
    let alike = slopes(regime, Pairs::OfOnePlan, pages);
    let used = match alike.is_empty() {
        true => slopes(regime, Pairs::All, pages),
        false => alike,
    };
    let latest = used.last()?.slope;
    let slopes: Vec<f64> = used.iter().map(|pair| pair.slope).collect();
    let value = match regime.len() {
        4.. => median(&slopes)?,
        _ => latest,
    };
    let spread = slopes
        .iter()
        .map(|slope| (slope - value).abs())
        .fold(0.0, f64::max);
    let reaches_the_last = used.iter().any(|pair| pair.later == regime.len() - 1);
    let least = match reaches_the_last {
        true => UNCERTAIN / regime.len() as f64,
        false => UNCERTAIN,
    };
    let half = spread.clamp(UNCERTAIN / 2.0, 1.0).max(least);
    Some(Exponent {
        value,
        low: value - half,
        high: value + half,
    })
}

/// Which points are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pairs {
    /// All of a regime.
    All,
    /// Those whose plans do the same in the same order.
    OfOnePlan,
}

/// How a quantity grew from one point to a later one.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Slope {
    /// The later point's place in the regime.
    later: usize,
    slope: f64,
}

/// Of all pairs that are asked for; the one of the two latest neighbours is the last.
fn slopes(points: &[Measured<'_>], pairs: Pairs, of: impl Fn(&Point) -> f64 + Copy) -> Vec<Slope> {
    let shapes: Vec<String> = points.iter().map(|measured| shape(measured.plan)).collect();
    let mut slopes = Vec::new();
    for later in 1..points.len() {
        for earlier in 0..later {
            if pairs == Pairs::OfOnePlan && shapes[earlier] != shapes[later] {
                continue;
            }
            let slope = slope(&points[earlier].point, &points[later].point, of);
            slopes.extend(slope.map(|slope| Slope { later, slope }));
        }
    }
    slopes
}

fn slope(earlier: &Point, later: &Point, of: impl Fn(&Point) -> f64) -> Option<f64> {
    let rows = (later.rows / earlier.rows).ln();
    let slope = (of(later).max(1e-3) / of(earlier).max(1e-3)).ln() / rows;
    (rows >= NEAREST_SIZES.ln() && slope.is_finite()).then_some(slope)
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

/// What is to be expected at `rows` while the plan stays. Time goes with pages, or as it went from size to size, whichever is
/// farther.
fn prediction(points: &[Measured<'_>], rows: f64) -> Option<Prediction> {
    let last = points.last()?.point;
    let times = rows / last.rows;
    let pages = |exponent: f64| last.pages.0 as f64 * times.powf(exponent);
    let exponents = match exponent(points) {
        Some(exponent) => exponent,
        // Few pages: an index that grows by a level, or rows that come to lie apart.
        None if (last.pages.0 as f64) < FEW_PAGES => Exponent {
            value: 0.0,
            low: 0.0,
            high: 0.15,
        },
        None => return None,
    };
    let own: Vec<Point> = regime(points)
        .iter()
        .map(|measured| measured.point)
        .collect();
    let by_time = match &own[..] {
        [.., earlier, later] => slope(earlier, later, |point| point.time_ms.0),
        _ => None,
    };
    let by_time = by_time.unwrap_or(exponents.value);
    let by_time = by_time.clamp(exponents.low - TIME_APART, exponents.high + TIME_APART);
    let time = |exponent: f64| last.time_ms.0 * times.powf(exponent);
    Some(Prediction {
        rows,
        pages: Range {
            low: pages(exponents.low),
            high: pages(exponents.high),
        },
        time_ms: Range {
            low: time(exponents.low.min(by_time)) / TIME_NOISE,
            high: time(exponents.high.max(by_time)) * TIME_NOISE,
        },
    })
}

/// Rows = rows now · (limit / now)^(1/k): the smaller of both limits'; `None` where nothing grows, or a limit is broken already.
fn cliff(last: Point, exponent: Option<Exponent>, limits: Limits) -> Option<Cliff> {
    let exponent = exponent
        .map(|exponent| exponent.value)
        .filter(|value| Class::of(*value) > Class::Constant)?;
    let breaks = |limit: f64, now: f64| {
        (limit > now && now > 0.0).then(|| last.rows * (limit / now).powf(1.0 / exponent))
    };
    let pages = limits.pages.and_then(|limit| {
        Some(Cliff {
            rows: breaks(limit.0 as f64, last.pages.0 as f64)?,
            limit: CliffLimit::Pages(limit),
        })
    });
    let time = limits.time.and_then(|limit| {
        Some(Cliff {
            rows: breaks(limit.0, last.time_ms.0)?,
            limit: CliffLimit::Time(limit),
        })
    });
    pages
        .into_iter()
        .chain(time)
        .min_by(|a, b| a.rows.total_cmp(&b.rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::parse;

    fn plan(text: &str) -> Plan {
        parse::any(text).unwrap().remove(0)
    }

    fn scan() -> Plan {
        plan("Seq Scan on orders  (cost=0.00..1.00 rows=1 width=4)\n")
    }

    fn index_scan() -> Plan {
        plan("Index Scan using orders_pkey on orders  (cost=0.00..1.00 rows=1 width=4)\n")
    }

    fn point(rows: f64, pages: u64) -> Point {
        Point {
            rows,
            pages: Pages(pages),
            temp_pages: Pages(0),
            time_ms: Millis(pages as f64 / 100.0),
        }
    }

    fn of(pages: &[(f64, u64)], limits: Limits) -> RunGrowth {
        let plan = scan();
        let points: Vec<Measured<'_>> = pages
            .iter()
            .map(|(rows, pages)| Measured {
                point: point(*rows, *pages),
                plan: &plan,
            })
            .collect();
        growth(("q", "typical"), &points, 1e9, limits).unwrap()
    }

    #[test]
    fn sizes_that_are_nearly_the_same_say_nothing() {
        let found = of(
            &[(159_300.0, 22_005), (162_675.0, 24_517)],
            Limits::default(),
        );
        assert_eq!((found.exponent, found.predicted), (None, None));
    }

    #[test]
    fn exponents_have_their_class() {
        for (pages, expected, class) in [
            ([(1e5, 100), (4e5, 101), (1.6e6, 103)], 0.0, Class::Constant),
            (
                [(1e5, 1000), (4e5, 2000), (1.6e6, 4000)],
                0.5,
                Class::Sublinear,
            ),
            (
                [(1e5, 1000), (4e5, 4000), (1.6e6, 16_000)],
                1.0,
                Class::Linear,
            ),
            (
                [(1e5, 1000), (4e5, 16_000), (1.6e6, 256_000)],
                2.0,
                Class::Superlinear,
            ),
        ] {
            let found = of(&pages, Limits::default());
            assert!(
                (found.exponent.unwrap().value - expected).abs() < 0.03,
                "{found:?}"
            );
            assert_eq!(found.class, class);
            let confirmed = found.confirmation.unwrap();
            assert!(
                confirmed
                    .predicted
                    .pages
                    .holds(confirmed.measured.pages.0 as f64),
                "{confirmed:?}"
            );
        }
        let few = of(&[(1e5, 3), (4e5, 4), (1.6e6, 5)], Limits::default());
        assert_eq!((few.exponent, few.class), (None, Class::Constant));
    }

    #[test]
    fn a_limit_breaks_where_the_law_says() {
        let limits = Limits {
            pages: Some(Pages(160_000)),
            time: Some(Millis(1000.0)),
        };
        let found = of(&[(1e5, 1000), (4e5, 4000), (1.6e6, 16_000)], limits);
        let cliff = found.cliff.unwrap();
        assert_eq!(cliff.limit, CliffLimit::Time(Millis(1000.0)));
        assert!((cliff.rows / 1e7 - 1.0).abs() < 0.01, "{cliff:?}");
        let broken = Limits {
            pages: Some(Pages(10)),
            time: None,
        };
        assert_eq!(of(&[(1e5, 1000), (4e5, 4000)], broken).cliff, None);
    }

    /// 1,000, 4,000 and 24,000 pages: the last plan has three processes, each of which reads a small table for itself.
    #[test]
    fn a_step_to_a_parallel_plan_is_no_growth() {
        let serial = scan();
        let parallel = plan(
            "Gather  (cost=0.00..1.00 rows=1 width=4)\n  ->  Parallel Seq Scan on orders  (cost=0.00..1.00 rows=1 width=4)\n",
        );
        let measured = |rows, pages, plan| Measured {
            point: point(rows, pages),
            plan,
        };
        let points = [
            measured(1e5, 1000, &serial),
            measured(4e5, 4000, &serial),
            measured(1.6e6, 24_000, &parallel),
            measured(6.4e6, 96_000, &parallel),
        ];
        let found = growth(("q", "typical"), &points, 1e9, Limits::default()).unwrap();
        let exponent = found.exponent.unwrap();
        assert!((exponent.value - 1.0).abs() < 0.01, "{exponent:?}");
        let confirmed = found.confirmation.unwrap();
        assert!(confirmed.predicted.pages.holds(96_000.0), "{confirmed:?}");
    }

    #[test]
    fn another_plan_begins_another_law() {
        let (scan, index) = (scan(), index_scan());
        let points = [
            Measured {
                point: point(1e5, 1000),
                plan: &scan,
            },
            Measured {
                point: point(4e5, 100),
                plan: &index,
            },
            Measured {
                point: point(1.6e6, 101),
                plan: &index,
            },
        ];
        let found = growth(("q", "typical"), &points, 1e9, Limits::default()).unwrap();
        assert_eq!(found.class, Class::Constant);
        assert!(growth(("q", "typical"), &points[..1], 1e9, Limits::default()).is_none());
    }

    #[test]
    fn classes_meet_at_their_exponents() {
        let classes = [0.149, 0.15, 0.799, 0.8, 1.15, 1.151].map(Class::of);
        let expected = [
            Class::Constant,
            Class::Sublinear,
            Class::Sublinear,
            Class::Linear,
            Class::Linear,
            Class::Superlinear,
        ];
        assert_eq!(classes, expected);
    }

    #[test]
    fn few_pages_and_near_sizes_have_no_exponent() {
        let exponent = |points: &[(f64, u64)]| of(points, Limits::default()).exponent;
        assert_eq!(exponent(&[(1e5, 16), (4e5, 63)]), None);
        assert!(exponent(&[(1e5, 16), (4e5, 64)]).is_some());
        assert_eq!(exponent(&[(1e5, 1_000), (149_999.0, 1_500)]), None);
        assert!(exponent(&[(1e5, 1_000), (150_000.0, 1_500)]).is_some());
    }

    #[test]
    fn two_points_leave_a_tenth_of_the_exponent_open_and_a_factor_of_the_time() {
        let plan = scan();
        let measured = |rows, pages, time: f64| Measured {
            point: Point {
                time_ms: Millis(time),
                ..point(rows, pages)
            },
            plan: &plan,
        };
        let points = [measured(1e5, 1_000, 40.0), measured(4e5, 4_000, 40.0)];
        let found = growth(("q", "typical"), &points, 4e6, Limits::default()).unwrap();
        let (exponent, time) = (found.exponent.unwrap(), found.predicted.unwrap().time_ms);
        let is = |found: f64, expected: f64| (found / expected - 1.0).abs() < 1e-9;
        assert!(
            is(exponent.low, 0.95) && is(exponent.high, 1.05),
            "{exponent:?}"
        );
        // Ten times the rows. The time stood still, and is no farther from the pages' exponent than 0.15.
        assert!(is(time.low, 40.0 * 10_f64.powf(0.8) / 2.0), "{time:?}");
        assert!(is(time.high, 40.0 * 10_f64.powf(1.05) * 2.0), "{time:?}");
    }
}
