//! Which number flipped the plan: one number that matters is changed among two hundred that do not, and it is the one that is
//! named.

use std::time::Instant;

use pgproof::catalog::{self, Caller, Query};
use pgproof::db::audit::{RunOptions, plan_catalog};
use pgproof::db::explain::Access;
use pgproof::db::introspect;
use pgproof::db::lab::why::flipped;
use pgproof::db::lab::{Laboratory, Planner};
use pgproof::db::profile;
use pgproof::interrupt::Interrupt;
use pgproof::lab::why::Pair;
use pgproof::profile::model::{ColumnStatistics, Profile, Scope, Setting, TableStatistics};
use pgproof::progress::Progress;
use pgproof::run::QueryRuns;
use pgproof::source::Source;
use pgproof::units::Millis;

use crate::lab::{QUERIES, empty, loaded};
use crate::support::{self, TestDatabase};

/// A change of one number, and the words that name it.
type Plant = (&'static str, fn(&mut Profile));

const PLANTS: &[Plant] = &[
    ("orders: ", |profile| resize(profile, "orders", 40.0)),
    ("orders: ", |profile| resize(profile, "orders", 0.001)),
    ("customers: ", |profile| resize(profile, "customers", 100.0)),
    ("customers: ", |profile| resize(profile, "customers", 0.01)),
    ("items: ", |profile| resize(profile, "items", 30.0)),
    ("items: ", |profile| resize(profile, "items", 0.005)),
    ("orders.customer_id: n_distinct", |profile| {
        column(profile, "orders", "customer_id").distinct = 30.0
    }),
    ("orders.status: most_common_vals", |profile| {
        column(profile, "orders", "status").most_common =
            vec![("paid".to_owned(), 0.97), ("done".to_owned(), 0.02)];
    }),
    ("orders.status: null_frac", |profile| {
        column(profile, "orders", "status").null_fraction = 0.9
    }),
    ("orders.placed: histogram_bounds", |profile| {
        let bounds =
            (0..101).map(|day| format!("2024-12-{:02} {:02}:00:00+00", 1 + day / 4, day % 24));
        let mut bounds: Vec<String> = bounds.collect();
        bounds.sort();
        column(profile, "orders", "placed").histogram = bounds;
    }),
    ("orders.placed: correlation", |profile| {
        column(profile, "orders", "placed").correlation = Some(0.0)
    }),
    ("items.product: n_distinct", |profile| {
        column(profile, "items", "product").distinct = 3.0
    }),
    ("customers.country: n_distinct", |profile| {
        column(profile, "customers", "country").distinct = -0.9
    }),
    ("random_page_cost", |profile| {
        setting(profile, "random_page_cost", "40")
    }),
    ("work_mem", |profile| setting(profile, "work_mem", "64kB")),
    ("enable_hashjoin", |profile| {
        setting(profile, "enable_hashjoin", "off")
    }),
    ("enable_nestloop", |profile| {
        setting(profile, "enable_nestloop", "off")
    }),
    ("cpu_operator_cost", |profile| {
        setting(profile, "cpu_operator_cost", "1")
    }),
];

fn table<'p>(profile: &'p mut Profile, name: &str) -> &'p mut TableStatistics {
    profile
        .tables
        .iter_mut()
        .find(|table| table.name == name)
        .unwrap()
}

fn column<'p>(profile: &'p mut Profile, of: &str, name: &str) -> &'p mut ColumnStatistics {
    table(profile, of)
        .columns
        .iter_mut()
        .find(|column| column.column == name)
        .unwrap()
}

fn resize(profile: &mut Profile, name: &str, factor: f64) {
    let table = table(profile, name);
    let times = |pages: u64| (pages as f64 * factor).ceil() as u64;
    (table.pages, table.all_visible) = (times(table.pages), times(table.all_visible));
    table.rows = table.rows.map(|rows| rows * factor);
}

fn setting(profile: &mut Profile, name: &str, value: &str) {
    match profile
        .settings
        .iter_mut()
        .find(|setting| setting.name == name)
    {
        Some(setting) => value.clone_into(&mut setting.value),
        None => profile.settings.push(Setting {
            scope: Scope::Server,
            name: name.to_owned(),
            value: value.to_owned(),
        }),
    }
}

/// What two ANALYZE runs of the same rows differ by, in every number.
fn with_noise(profile: &Profile) -> Profile {
    let mut noisy = profile.clone();
    for table in &mut noisy.tables {
        table.pages += 1;
        let indexes = table.indexes.iter_mut();
        let of_indexes = indexes.flat_map(|index| {
            index.pages += 1;
            index.expressions.iter_mut()
        });
        for column in table.columns.iter_mut().chain(of_indexes) {
            column.null_fraction = (column.null_fraction * 1.0001).min(1.0);
            column.distinct *= 1.0001;
            column.average_width += 1;
            if column.histogram.len() > 50 {
                column.histogram.remove(50);
            }
            column.correlation = column.correlation.map(|correlation| correlation * 0.9999);
            for (_, share) in &mut column.most_common {
                *share *= 0.9999;
            }
        }
    }
    noisy
}

async fn planned(database: &TestDatabase) -> (Vec<Query>, Vec<QueryRuns>, Profile) {
    let mut text = String::new();
    for (at, query) in QUERIES
        .split(';')
        .map(str::trim)
        .filter(|query| !query.is_empty())
        .enumerate()
    {
        text.push_str(&format!("-- name: Q{at:02} :many\n{query};\n\n"));
    }
    let queries = catalog::parse(&[Source::new("queries.sql", text)]).queries;
    let session = database.session().await;
    let schema = introspect::schema(&session).await.unwrap();
    let options = RunOptions {
        runs: 1,
        timeout: Millis(10_000.0),
        access: Access::PrivateCopy,
    };
    let (progress, interrupt) = (Progress::default(), Interrupt::new());
    let runs = plan_catalog(
        &session,
        (&schema, &queries),
        &options,
        (&progress, &interrupt),
    )
    .await
    .unwrap();
    let statistics = profile::read(&session).await.unwrap();
    (queries, runs, statistics)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_one_number_that_matters_is_named() {
    for major in [15, 18] {
        let Some(cluster) = support::cluster_of(major) else {
            continue;
        };
        let database = loaded(&cluster, 20_000).await;
        let (queries, runs, before) = planned(&database).await;
        let template = empty(&cluster).await;
        let mut laboratory =
            Laboratory::open(&cluster, template.url().database(), &Interrupt::new())
                .await
                .unwrap();
        let mut planner = Planner::new(&queries, &runs, &Caller::default());
        let progress = Progress::default();
        let quiet = with_noise(&before);
        let pair = Pair::new(&before, &quiet);
        let of_noise = flipped(&mut laboratory, &mut planner, &pair, &progress)
            .await
            .unwrap();
        let of_noise: Vec<usize> = of_noise.iter().map(|flip| flip.asked.query).collect();
        println!(
            "{major}: {} numbers differ by noise, which flips {of_noise:?}",
            pair.count()
        );
        let (mut named, mut right, mut all, mut longest, mut unseen) =
            (0, 0, 0, 0.0_f64, Vec::new());
        let mut wrong = Vec::new();
        for (name, plant) in PLANTS {
            let mut after = quiet.clone();
            plant(&mut after);
            let pair = Pair::new(&before, &after);
            assert!(pair.count() >= 120, "{}", pair.count());
            let start = Instant::now();
            let found = flipped(&mut laboratory, &mut planner, &pair, &progress)
                .await
                .unwrap();
            let found: Vec<_> = found
                .into_iter()
                .filter(|flip| !of_noise.contains(&flip.asked.query))
                .collect();
            longest = longest.max(start.elapsed().as_secs_f64() / found.len().max(1) as f64);
            if found.is_empty() {
                unseen.push(*name);
            }
            for flip in found {
                all += 1;
                let words: Vec<String> = flip.culprits.iter().map(|at| pair.words(*at)).collect();
                let is_named = words.iter().any(|words| words.starts_with(name));
                named += usize::from(is_named);
                if is_named && words.len() == 1 {
                    right += 1;
                } else {
                    wrong.push(format!("{name}: {words:?} ({})", flip.change.words()));
                }
            }
        }
        println!(
            "{major}: {named} of {all} flips name the number, {right} of them nothing else; {longest:.2} s for one at most; no plan flipped by {unseen:?}"
        );
        println!("{wrong:#?}");
        assert!(all >= 30, "{all} flips");
        // Noise has its part where a plan stands on the edge: without it the plan would be a third one.
        assert_eq!(named, all, "{wrong:#?}");
        assert!(right * 100 >= all * 85, "{right} of {all}: {wrong:#?}");
        laboratory.close().await.unwrap();
    }
}
