//! Every layout in which psql prints a plan, made by psql itself: formats, expanded or not, borders, line styles, with and without
//! headings, wrapped at two widths, as text and as JSON. Each must be read as the plan that it is, with no line left over.

use std::path::Path;
use std::process::Command;

use pgproof::plan::{Plan, label, parse};

use crate::support;

const QUERY: &str = "SELECT v.place, count(*) FROM visits v JOIN shops s ON s.id = v.shop_id \
    WHERE s.note <> 'a|b & <c> \"q\" it''s \\ {x} ~^_$#%' AND v.id > (SELECT min(id) FROM visits WHERE place > 'n5') \
    GROUP BY 1 ORDER BY 2 LIMIT 5";
const SCHEMA: &str = "CREATE TABLE shops (id int PRIMARY KEY, note text); CREATE TABLE visits (id int PRIMARY KEY, shop_id int, place text);
    INSERT INTO shops SELECT i, 'x' FROM generate_series(1, 500) i; INSERT INTO visits SELECT i, i % 500, 'n' || i FROM generate_series(1, 2000) i;
    ANALYZE shops; ANALYZE visits";

/// psql's settings for one layout.
fn layouts() -> Vec<Vec<String>> {
    let mut layouts = Vec::new();
    for expanded in ["off", "on"] {
        for bare in ["off", "on"] {
            let common = |rest: &[String]| {
                let mut all = vec![
                    format!("expanded={expanded}"),
                    format!("tuples_only={bare}"),
                ];
                all.extend_from_slice(rest);
                all
            };
            for border in 0..3 {
                for style in ["ascii", "old-ascii", "unicode"] {
                    for width in [
                        "format=aligned",
                        "format=wrapped,columns=60",
                        "format=wrapped,columns=100",
                    ] {
                        let mut rest =
                            vec![format!("border={border}"), format!("linestyle={style}")];
                        rest.extend(width.split(',').map(str::to_owned));
                        layouts.push(common(&rest));
                    }
                }
                for format in ["html", "latex", "latex-longtable", "troff-ms", "asciidoc"] {
                    layouts.push(common(&[
                        format!("format={format}"),
                        format!("border={border}"),
                    ]));
                }
            }
            for format in ["unaligned", "csv"] {
                layouts.push(common(&[format!("format={format}")]));
            }
        }
    }
    layouts
}

fn printed(psql: &Path, url: &str, layout: &[String], form: &str) -> String {
    let mut command = Command::new(psql);
    command
        .arg("-X")
        .arg(url)
        .env("LC_ALL", "C.UTF-8")
        .env("PGCLIENTENCODING", "UTF8");
    for setting in layout {
        command.arg("-P").arg(setting);
    }
    let output = command
        .arg("-c")
        .arg(format!("EXPLAIN (VERBOSE, FORMAT {form}) {QUERY}"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// All that such a plan has.
fn contents(plan: &Plan) -> Vec<String> {
    let node = |node: &pgproof::plan::Node| {
        format!(
            "{} {:?} {:?} {:?} {:?} {:?} {:?}",
            label(node),
            node.parent,
            node.estimate,
            node.conditions,
            node.output,
            node.sort_key,
            node.subplan_name,
        )
    };
    plan.nodes.iter().map(node).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_layout_of_psql_is_read_whole() {
    let database = support::database().await;
    database.execute(SCHEMA).await;
    let psql = support::binaries_of(database.cluster().version().major())
        .unwrap()
        .join("psql");
    let url = database.url().reveal();
    let (mut read, mut wrong) = (0, Vec::new());
    let layouts = layouts();
    for form in ["TEXT", "JSON"] {
        let plain = ["format=unaligned".to_owned(), "tuples_only=on".to_owned()];
        let expected = contents(&parse::any(&printed(&psql, &url, &plain, form)).unwrap()[0]);
        for layout in &layouts {
            let reading = parse::read(&printed(&psql, &url, layout, form));
            let is_whole = reading.unread.is_empty()
                && reading.plans.len() == 1
                && reading.plans[0].plan.gaps.is_empty()
                && contents(&reading.plans[0].plan) == expected;
            if is_whole {
                read += 1;
            } else {
                wrong.push(format!("{form} {}", layout.join(" ")));
            }
        }
    }
    println!(
        "{read} of {} layouts of psql are read whole",
        layouts.len() * 2
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(read >= 240);
}
