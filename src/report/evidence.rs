//! Evidence in words: what a person reads, where the JSON has keys.

use crate::finding::{Evidence, Finding, Fix, Measure, Proof, Quantity};
use crate::sql::statements::statements;
use crate::units::{Count, Millis, Pages};

/// The numbers of an evidence, each as a short phrase, most telling first; numbers that belong together in one.
pub(crate) fn phrases(evidence: &Evidence) -> Vec<String> {
    let is_second = |measure: &&Measure| {
        PAIRS
            .iter()
            .any(|pair| pair.second == measure.key && evidence.get(pair.first).is_some())
    };
    let shown = evidence
        .measures
        .iter()
        .filter(|measure| !is_second(measure));
    shown
        .filter(|measure| measure.key != AT_MOST)
        .map(|measure| together(evidence, measure).unwrap_or_else(|| alone(measure)))
        .map(
            |phrase| match (evidence.get(AT_MOST), phrase.split_once(", kept ")) {
                (Some(Quantity::Rows(most)), Some((read, _))) => {
                    format!("{read}, kept at most {}", rows_in_words(*most))
                }
                (_, _) => phrase,
            },
        )
        .collect()
}

/// A bound that takes the place of `rows_kept` where the average over loops is rounded to none.
const AT_MOST: &str = "rows_kept_at_most";

/// The numbers at the guilty node. A proof has said what it measured: then they are those of what was found at the node
/// without it.
pub(crate) fn at_the_node(found: &Finding) -> Vec<String> {
    let is_proven = found.fix.as_ref().is_some_and(|fix| fix.proof.is_some());
    match symptom_at_the_node(found) {
        Some(symptom) => phrases(&symptom.evidence),
        None if is_proven => Vec::new(),
        None => phrases(&found.evidence),
    }
}

/// The symptom whose numbers [`at_the_node`] gives.
pub(crate) fn symptom_at_the_node(found: &Finding) -> Option<&Finding> {
    found.fix.as_ref()?.proof.as_ref()?;
    let is_there = |symptom: &&Finding| {
        symptom.evidence.node.is_some()
            && symptom.evidence.node == found.evidence.node
            && symptom.evidence.run == found.evidence.run
    };
    found.symptoms.iter().find(is_there)
}

/// What a fix adds on disk: `index of 8.6 MB`, `2 indexes of 8.6 MB together`.
pub(crate) fn size(fix: &Fix) -> Option<String> {
    let bytes = fix.proof.as_ref()?.index_bytes?;
    let created = statements(&fix.sql)
        .into_iter()
        .filter(|sql| sql.starts_with("CREATE INDEX "));
    Some(match created.count() {
        0 | 1 => format!("index of {bytes}"),
        several => format!("{several} indexes of {bytes} together"),
    })
}

/// What a proof measured: time, pages, temporary pages where the fix changes them.
pub(crate) fn proven(proof: &Proof) -> Vec<String> {
    let after = &proof.after;
    let Some(before) = &proof.before else {
        let limit = proof
            .cancelled_ms
            .map(|limit| format!(" in {limit}"))
            .unwrap_or_default();
        return vec![
            format!("did not finish{limit} → {}", after.time_ms),
            after.blocks.to_string(),
        ];
    };
    let mut facts = vec![
        change_of_time(before.time_ms, after.time_ms),
        change_of_pages(before.blocks, after.blocks),
    ];
    if before.temp_blocks != after.temp_blocks {
        facts.push(format!(
            "temporary {}",
            change_of_pages(before.temp_blocks, after.temp_blocks)
        ));
    }
    facts
}

/// Two numbers that say more in one phrase.
struct Pair {
    first: &'static str,
    second: &'static str,
    words: fn(&Quantity, &Quantity) -> Option<String>,
}

const PAIRS: [Pair; 11] = [
    Pair {
        first: "rows_read",
        second: "rows_kept",
        words: read_and_kept,
    },
    Pair {
        first: "expected_rows",
        second: "actual_rows",
        words: expected_and_actual,
    },
    Pair {
        first: "pages",
        second: "query_pages",
        words: part_of_pages,
    },
    Pair {
        first: "time_ms",
        second: "query_time_ms",
        words: part_of_time,
    },
    Pair {
        first: "query_pages",
        second: "typical_pages",
        words: instead_of,
    },
    Pair {
        first: "workers_planned",
        second: "workers_launched",
        words: planned_and_launched,
    },
    Pair {
        first: "time_ms",
        second: "budget_time_ms",
        words: above_budget,
    },
    Pair {
        first: "query_pages",
        second: "budget_pages",
        words: above_budget,
    },
    Pair {
        first: "rows",
        second: "budget_rows",
        words: above_budget,
    },
    Pair {
        first: "time_ms",
        second: "max_time_ms",
        words: above_limit,
    },
    Pair {
        first: "disk_bytes",
        second: "work_mem_bytes",
        words: on_disk,
    },
];

fn together(evidence: &Evidence, measure: &Measure) -> Option<String> {
    let pairs = PAIRS.iter().filter(|pair| pair.first == measure.key);
    pairs
        .filter_map(|pair| (pair.words)(&measure.quantity, evidence.get(pair.second)?))
        .next()
}

fn read_and_kept(read: &Quantity, kept: &Quantity) -> Option<String> {
    let (Quantity::Rows(read), Quantity::Rows(kept)) = (read, kept) else {
        return None;
    };
    let share = if *kept > 0.0 && kept <= read {
        format!(" ({})", percent(kept / read))
    } else {
        String::new()
    };
    Some(format!(
        "read {} rows, kept {}{share}",
        rows_in_words(*read),
        rows_in_words(*kept)
    ))
}

fn expected_and_actual(expected: &Quantity, actual: &Quantity) -> Option<String> {
    let (Quantity::Rows(expected), Quantity::Rows(actual)) = (expected, actual) else {
        return None;
    };
    Some(format!(
        "expected {} rows, got {}",
        rows_in_words(*expected),
        rows_in_words(*actual)
    ))
}

fn part_of_pages(part: &Quantity, whole: &Quantity) -> Option<String> {
    let (Quantity::Pages(part), Quantity::Pages(whole)) = (part, whole) else {
        return None;
    };
    let size = if part.bytes().0 < 1 << 20 {
        String::new()
    } else {
        format!(" ({})", part.bytes())
    };
    let all = if part == whole {
        "all".to_owned()
    } else {
        format!("{} of", Count(part.0 as f64))
    };
    Some(format!("{all} {whole}{size}"))
}

fn part_of_time(part: &Quantity, whole: &Quantity) -> Option<String> {
    let (Quantity::Millis(part), Quantity::Millis(whole)) = (part, whole) else {
        return None;
    };
    let share = if whole.0 > 0.0 {
        format!(" ({})", percent(part.0 / whole.0))
    } else {
        String::new()
    };
    Some(format!("{part} of {whole}{share}"))
}

fn above_budget(value: &Quantity, limit: &Quantity) -> Option<String> {
    Some(format!("{}, budget {}", with_unit(value), with_unit(limit)))
}

fn above_limit(value: &Quantity, limit: &Quantity) -> Option<String> {
    Some(format!("{}, limit {}", with_unit(value), with_unit(limit)))
}

fn instead_of(value: &Quantity, usual: &Quantity) -> Option<String> {
    Some(format!(
        "{}, typically {}",
        with_unit(value),
        with_unit(usual)
    ))
}

fn planned_and_launched(planned: &Quantity, launched: &Quantity) -> Option<String> {
    Some(format!(
        "{} workers planned, {} launched",
        with_unit(planned),
        with_unit(launched)
    ))
}

fn on_disk(disk: &Quantity, work_mem: &Quantity) -> Option<String> {
    Some(format!(
        "{} on disk, would fit in a work_mem of {}",
        with_unit(disk),
        with_unit(work_mem)
    ))
}

fn with_unit(quantity: &Quantity) -> String {
    match quantity {
        Quantity::Rows(rows) if *rows == 1.0 => "1 row".to_owned(),
        Quantity::Rows(rows) => format!("{} rows", rows_in_words(*rows)),
        Quantity::Pages(pages) => pages.to_string(),
        Quantity::Bytes(bytes) => bytes.to_string(),
        Quantity::Millis(time) => time.to_string(),
        Quantity::Ratio(ratio) => factor(*ratio),
        Quantity::Count(count) => Count(*count as f64).to_string(),
        Quantity::Text(text) => super::excerpt::clean(text),
    }
}

/// `rows skipped 300,000`, `time share 97 %`.
fn alone(measure: &Measure) -> String {
    match round_trip(&measure.key) {
        Some(round_trip) => format!("{} at {round_trip} a round trip", value(measure)),
        None => format!("{} {}", label(&measure.key), value(measure)),
    }
}

/// N+1: what all calls take, by the way to the server.
fn round_trip(key: &str) -> Option<String> {
    let time = key.strip_prefix("at_")?.strip_suffix("_ms")?;
    Some(format!("{} ms", time.replace('_', ".")))
}

/// The key as words, without the unit that the value says.
fn label(key: &str) -> String {
    let bare = ["_ms", "_bytes", "_ratio"]
        .iter()
        .find_map(|unit| key.strip_suffix(unit))
        .unwrap_or(key);
    bare.replace('_', " ")
}

fn value(measure: &Measure) -> String {
    match &measure.quantity {
        Quantity::Rows(rows) => rows_in_words(*rows),
        Quantity::Pages(pages) => pages_in_words(*pages),
        Quantity::Ratio(ratio) if is_share(&measure.key) => percent(*ratio),
        other => with_unit(other),
    }
}

fn is_share(key: &str) -> bool {
    ["share", "kept", "fraction", "selectivity", "percent"]
        .iter()
        .any(|word| key.contains(word))
}

/// Averages keep one decimal where they are small.
pub(crate) fn rows_in_words(rows: f64) -> String {
    if rows.fract() != 0.0 && rows.abs() < 10.0 {
        format!("{rows:.1}")
    } else {
        Count(rows).to_string()
    }
}

/// `17,321 (135 MB)`: pages mean little to most people, so the size stands beside them from 1 MB up.
pub(crate) fn pages_in_words(pages: Pages) -> String {
    if pages.bytes().0 < 1 << 20 {
        return Count(pages.0 as f64).to_string();
    }
    format!("{} ({})", Count(pages.0 as f64), pages.bytes())
}

/// `97 %`, `0.003 %`, `< 0.001 %`.
pub(crate) fn percent(ratio: f64) -> String {
    let percent = ratio * 100.0;
    match percent {
        not if !not.is_finite() => "?".to_owned(),
        none if none <= 0.0 => "0 %".to_owned(),
        tiny if tiny < 0.001 => "< 0.001 %".to_owned(),
        small if small < 0.1 => format!("{small:.3} %"),
        some if some < 10.0 => format!("{some:.1} %"),
        much => format!("{much:.0} %"),
    }
}

/// `×3.4`, `×1,200`.
pub(crate) fn factor(ratio: f64) -> String {
    if ratio.is_finite() && ratio < 10.0 {
        format!("×{ratio:.1}")
    } else {
        format!("×{}", Count(ratio))
    }
}

/// `1.21 s → 0.09 ms, 13,444 times faster`.
fn change_of_time(before: Millis, after: Millis) -> String {
    format!(
        "{before} → {after}{}",
        change(before.0, after.0, ["faster", "slower"])
    )
}

/// `17,321 → 4 pages, 4,330 times fewer`.
fn change_of_pages(before: Pages, after: Pages) -> String {
    let counts = format!(
        "{} → {} pages",
        Count(before.0 as f64),
        Count(after.0 as f64)
    );
    format!(
        "{counts}{}",
        change(before.0 as f64, after.0 as f64, ["fewer", "more"])
    )
}

fn change(before: f64, after: f64, [less, more]: [&str; 2]) -> String {
    let (ratio, word) = if after <= before {
        (before / after, less)
    } else {
        (after / before, more)
    };
    if !ratio.is_finite() || ratio < 1.05 {
        return String::new();
    }
    let times = if ratio < 10.0 {
        format!("{ratio:.1}")
    } else {
        Count(ratio).to_string()
    };
    format!(" ({times}× {word})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Bytes;

    #[test]
    fn measures_read_as_words() {
        let evidence = Evidence::default()
            .with("rows_read", Quantity::Rows(1_200_000.0))
            .with("rows_kept", Quantity::Rows(12.0))
            .with("pages", Quantity::Pages(Pages(17_321)))
            .with("query_pages", Quantity::Pages(Pages(17_325)))
            .with("time_ms", Quantity::Millis(Millis(1180.0)))
            .with("query_time_ms", Quantity::Millis(Millis(1200.0)))
            .with("factor", Quantity::Ratio(1234.0))
            .with("time_share", Quantity::Ratio(0.97))
            .with("disk_bytes", Quantity::Bytes(Bytes(3 << 20)))
            .with("loops", Quantity::Count(40));
        assert_eq!(
            phrases(&evidence),
            [
                "read 1,200,000 rows, kept 12 (0.001 %)",
                "17,321 of 17,325 pages (135 MB)",
                "1.18 s of 1.20 s (98 %)",
                "factor ×1,234",
                "time share 97 %",
                "disk 3.0 MB",
                "loops 40"
            ]
        );
        let alone = Evidence::default()
            .with("rows_kept", Quantity::Rows(2.5))
            .with("pages", Quantity::Pages(Pages(12)))
            .with("time_ms", Quantity::Millis(Millis(3.0)));
        assert_eq!(
            phrases(&alone),
            ["rows kept 2.5", "pages 12", "time 3.0 ms"]
        );
    }

    #[test]
    fn changes_say_how_much() {
        assert_eq!(
            change_of_time(Millis(1180.0), Millis(0.0)),
            "1.18 s → 0.00 ms"
        );
        assert_eq!(
            change_of_time(Millis(1180.0), Millis(0.09)),
            "1.18 s → 0.09 ms (13,111× faster)"
        );
        assert_eq!(
            change_of_pages(Pages(100), Pages(250)),
            "100 → 250 pages (2.5× more)"
        );
        assert_eq!(change_of_pages(Pages(100), Pages(100)), "100 → 100 pages");
    }
}
