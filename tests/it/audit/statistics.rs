//! Advised statistics are collected and run with: the finding says what came of it, and only a better plan is a fix.

use pgproof::advise::Audited;
use pgproof::catalog::Query;
use pgproof::db::prove_statistics::prove_statistics;
use pgproof::db::trials::Trials;
use pgproof::finding::{Finding, RuleId};
use pgproof::interrupt::Interrupt;
use pgproof::progress::Progress;
use pgproof::rules::Policy;

use super::{Audit, options};
use crate::support::{self, TestDatabase};

/// Zone, depot and van follow from each other: one row is expected of 600, so each of them looks into the index of `stops`,
/// where reading all of it once is less.
const DATA: &str = "
CREATE TABLE parcels (id int PRIMARY KEY, zone int NOT NULL, depot int NOT NULL, van int NOT NULL);
INSERT INTO parcels SELECT i, i % 100, i % 100, i % 100 FROM generate_series(1, 60000) i;
CREATE TABLE stops (parcel_id int NOT NULL, at int NOT NULL);
INSERT INTO stops SELECT i * 7 % 60000, i FROM generate_series(1, 20000) i;
CREATE INDEX ON stops (parcel_id);
";
const QUERIES: &str = "
-- name: StopsOfVan :many
-- @param zone: '5'
-- @param depot: '5'
-- @param van: '5'
SELECT p.id, s.at FROM parcels p JOIN stops s ON s.parcel_id = p.id
WHERE p.zone = @zone AND p.depot = @depot AND p.van = @van;

-- name: ParcelsByParity :many
SELECT count(s.at) FROM parcels p JOIN stops s ON s.parcel_id = p.id WHERE p.id % 2 = 0;
";

#[tokio::test(flavor = "multi_thread")]
async fn statistics_are_advised_as_they_were_run_with() {
    // The oldest wants a name for statistics.
    for (major, cluster) in [14, 18]
        .into_iter()
        .filter_map(|major| Some((major, support::cluster_of(major)?)))
    {
        let database = TestDatabase::copy_of(&cluster, "template1").await;
        database.execute(DATA).await;
        database.execute("VACUUM (ANALYZE) parcels").await;
        database.execute("VACUUM (ANALYZE) stops").await;
        let findings = proven(&database).await;
        let of = |query: &str| {
            let is = |finding: &&Finding| {
                finding.rule == RuleId::RowMisestimate && finding.query.as_deref() == Some(query)
            };
            findings.iter().find(is).unwrap_or_else(|| {
                panic!("{major}: no row-misestimate of {query} in {findings:#?}")
            })
        };
        let van = of("StopsOfVan");
        let fix = van
            .fix
            .as_ref()
            .unwrap_or_else(|| panic!("{major}: {}", van.advice));
        assert_eq!(
            fix.sql,
            "CREATE STATISTICS parcels_zone_depot_van_stat ON zone, depot, van FROM parcels;\nANALYZE parcels;"
        );
        let proof = fix.proof.as_ref().unwrap();
        assert!(
            proof.after.blocks.0 * 2 < proof.before.as_ref().unwrap().blocks.0,
            "{major}: {proof:?}"
        );
        assert!(
            van.advice
                .contains("With these statistics the planner expects"),
            "{major}: {}",
            van.advice
        );

        // Half of all rows instead of a two-hundredth: known now, but the same hash join is right for both.
        let parity = of("ParcelsByParity");
        assert!(parity.fix.is_none(), "{major}: {:?}", parity.fix);
        assert!(
            parity
                .advice
                .contains("Tried: with CREATE STATISTICS parcels_id_2_stat"),
            "{major}: {}",
            parity.advice
        );

        // Nothing stays behind.
        let session = database.session().await;
        let left: i64 = session
            .client()
            .query_one("SELECT count(*) FROM pg_statistic_ext", &[])
            .await
            .unwrap()
            .get(0);
        session.close().await;
        assert_eq!(left, 0);
    }
}

async fn proven(database: &TestDatabase) -> Vec<Finding> {
    let audit = Audit::of(database, QUERIES).await;
    let mut findings: Vec<Finding> = audit.findings().await;
    let policy_for = |_: &Query| Policy::default();
    let audited = Audited {
        queries: &audit.queries,
        runs: &audit.runs,
        schema: &audit.schema,
        policy_for: &policy_for,
    };
    let (progress, interrupt) = (Progress::default(), Interrupt::new());
    let options = options();
    let trials = Trials {
        bench: (&audit.session).into(),
        audited,
        options: &options,
        progress: &progress,
        interrupt: &interrupt,
    };
    prove_statistics(&trials, &mut findings).await.unwrap();
    audit.session.close().await;
    findings
}
