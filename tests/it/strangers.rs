//! Schemas that others made: every `<major>/<name>.sql` (a schema-only dump) below the directory that
//! `PGPROOF_STRANGERS` names is filled with no spec at all, and every constraint is proven again. What cannot be solved is
//! written in a spec `<major>/<name>.toml` beside it, and told. Without that variable there is nothing to do: the schemas
//! belong to their projects and are not kept here.

#![allow(clippy::unwrap_used, clippy::panic)] // the helpers are tests too

use std::path::Path;
use std::time::Instant;

use pgproof::interrupt::Interrupt;
use pgproof::seed::Options;
use pgproof::seed::plan::Fill;
use pgproof::source::Source;

use crate::support::{self, TestDatabase};
use crate::torture;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs schemas of other projects"]
async fn schemas_of_others_are_filled() {
    let Some(directory) = std::env::var_os("PGPROOF_STRANGERS") else {
        return;
    };
    let only = std::env::var("PGPROOF_STRANGER").unwrap_or_default();
    let mut failures = Vec::new();
    println!("| schema | server | tables | filled | rows | planned in | filled in |");
    for major in [15, 18] {
        let Ok(files) = std::fs::read_dir(Path::new(&directory).join(major.to_string())) else {
            continue;
        };
        let mut files: Vec<_> = files.flatten().map(|file| file.path()).collect();
        files.sort();
        for file in files {
            let name = file.file_stem().unwrap().to_string_lossy().into_owned();
            if file.extension().is_none_or(|extension| extension != "sql") {
                continue;
            }
            if !only.is_empty() && name != only {
                continue;
            }
            let cluster = support::cluster_of(major).unwrap();
            let database = TestDatabase::copy_of(&cluster, "template1").await;
            database.execute("DROP SCHEMA public CASCADE").await;
            let sql = std::fs::read_to_string(&file).unwrap();
            let sql = if sql.contains("CREATE SCHEMA public") {
                sql
            } else {
                format!("CREATE SCHEMA public;\n{sql}")
            };
            database.execute(&sql).await;
            let spec = std::fs::read_to_string(file.with_extension("toml")).ok();
            spec.iter()
                .flat_map(|spec| spec.lines())
                .for_each(|line| println!("  {name}: spec: {line}"));
            let specs: Vec<Source> = spec
                .map(|spec| Source::new("seeds/spec.toml", spec))
                .into_iter()
                .collect();
            let start = Instant::now();
            let options = Options {
                all_rows: Some(1000),
                ..Options::default()
            };
            let planned =
                pgproof::db::dataset::plan(database.url(), &specs, &options, &Interrupt::new())
                    .await;
            let planning = start.elapsed();
            let plan = match planned {
                Ok((_, plan)) => plan,
                Err(error) => {
                    failures.push(format!("{name}: {error}"));
                    continue;
                }
            };
            let start = Instant::now();
            match torture::try_fill_with(&database, &specs, &options).await {
                Ok(_) => {}
                Err(error) => {
                    failures.push(format!("{name}: {error}"));
                    continue;
                }
            }
            let filling = start.elapsed();
            let session = database.session().await;
            torture::prove(&session).await;
            let filled = plan
                .tables
                .iter()
                .filter(|table| table.fill == Fill::Generate && table.rows > 0)
                .count();
            for note in &plan.notes {
                println!("  {name}: {note}");
            }
            println!(
                "| {name} | {} | {} | {filled} | {} | {planning:.1?} | {filling:.1?} |",
                cluster.version(),
                plan.tables.len(),
                plan.total_rows()
            );
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
