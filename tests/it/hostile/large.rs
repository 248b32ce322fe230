//! Schemas of thousands of partitions: audited to the end, and left at once when somebody asks.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::server::private::{self, bare_project};
use crate::support;

const PARTITIONS: &str = "CREATE TABLE readings (id bigint NOT NULL, sensor_id int NOT NULL, kind int NOT NULL, note text NOT NULL, \
     PRIMARY KEY (id)) PARTITION BY RANGE (id);
DO $$ BEGIN FOR n IN 0..1999 LOOP
  EXECUTE format('CREATE TABLE readings_%s PARTITION OF readings FOR VALUES FROM (%s) TO (%s)', n, n * 150 + 1, n * 150 + 151);
END LOOP; END $$;
";

/// Migrated, filled, copied, audited, and an index on each partition tried.
#[test]
fn hostile_numbers_of_partitions_are_audited_to_the_end() {
    let project = private::project();
    let path = project.path();
    let write = |name: &str, text: &str| {
        let file = path.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    };
    write("migrations/1_readings.sql", PARTITIONS);
    write(
        "queries/all.sql",
        "-- name: OfSensor :many\n-- @calls 1000/s\nSELECT id FROM readings WHERE sensor_id = $1;\n\n\
         -- name: One :one\nSELECT kind FROM readings WHERE id = $1;\n",
    );
    let note = "x".repeat(380);
    write(
        "seeds/readings.toml",
        &format!(
            "[tables.readings]\nrows = 300_000\n[tables.readings.columns]\nsensor_id = {{ distinct = 100_000 }}\n\
             note = {{ values = [\"{note}\"] }}\n"
        ),
    );
    write("pgproof.toml", "[server]\nversion = \"15\"\n");
    let output = Command::new(env!("CARGO_BIN_EXE_pgproof"))
        .args([
            "audit",
            "--format",
            "json=report.json",
            "--fail-on",
            "never",
        ])
        .env_remove("DATABASE_URL")
        .current_dir(path)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(0), "{text}");
    let report: Value =
        serde_json::from_str(&std::fs::read_to_string(path.join("report.json")).unwrap()).unwrap();
    assert_eq!(report["summary"]["not_audited"], 0, "{text}");
    let findings = report["findings"].as_array().unwrap();
    let advised = findings
        .iter()
        .find(|finding| finding["rule"] == "missing-index")
        .unwrap_or_else(|| panic!("{text}"));
    assert!(advised["fix"]["proof"].is_object(), "{advised:#}");
}

/// The catalogs of 2,000 partitions take a while to read: a signal is heard meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_numbers_of_partitions_are_left_at_a_signal() {
    let database = support::database().await;
    database.execute(PARTITIONS).await;
    let project = bare_project();
    std::fs::create_dir(project.path().join("queries")).unwrap();
    std::fs::write(
        project.path().join("queries/all.sql"),
        "-- name: One :one\nSELECT kind FROM readings WHERE id = $1;\n",
    )
    .unwrap();
    std::fs::write(
        project.path().join("pgproof.toml"),
        "queries = [\"queries/*.sql\"]\n",
    )
    .unwrap();
    let session = database.session().await;
    for signal in ["TERM", "INT"] {
        let child = Command::new(env!("CARGO_BIN_EXE_pgproof"))
            .args(["audit", "--database-url", &database.url().reveal()])
            .env_remove("DATABASE_URL")
            .current_dir(project.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let start = Instant::now();
        loop {
            let reading: i64 = session
                .client()
                .query_one(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
                     AND state <> 'idle' AND query ~ 'FETCH ALL FROM pgproof_'",
                    &[],
                )
                .await
                .unwrap()
                .get(0);
            if reading > 0 {
                break;
            }
            assert!(start.elapsed() < Duration::from_secs(60));
        }
        let asked = Instant::now();
        private::kill(i32::try_from(child.id()).unwrap(), signal);
        let output = child.wait_with_output().unwrap();
        let took = asked.elapsed();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(130), "{signal}: {text}");
        assert!(took < Duration::from_secs(2), "{signal}: {took:?}");
        println!("{signal} while 2,000 partitions are read: ended after {took:?}");
    }
    session.close().await;
}
