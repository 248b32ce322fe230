//! Evidence in words: what a person reads, where the JSON has keys.

use crate::finding::{Evidence, Measure, Quantity};
use crate::units::{Count, Millis, Pages};

/// The numbers of an evidence, each as a short phrase, most telling first.
pub(crate) fn phrases(evidence: &Evidence) -> Vec<String> {
    evidence.measures.iter().map(phrase).collect()
}

/// `rows read 1,200,000`, `share of time 97 %`.
pub(crate) fn phrase(measure: &Measure) -> String {
    format!("{} {}", label(measure.key), value(measure))
}

/// The key as words, without the unit that the value says.
pub(crate) fn label(key: &str) -> String {
    let known = match key {
        "time_ms" => "time",
        "time_share" => "share of time",
        "block_share" | "pages_share" => "share of pages",
        "share" => "share of the query",
        "kept_share" | "kept_ratio" => "kept",
        "loops" => "loops",
        _ => "",
    };
    if !known.is_empty() {
        return known.to_owned();
    }
    let bare = ["_ms", "_bytes", "_ratio"].iter().find_map(|unit| key.strip_suffix(unit)).unwrap_or(key);
    bare.replace('_', " ")
}

fn value(measure: &Measure) -> String {
    match &measure.quantity {
        Quantity::Rows(rows) => rows_in_words(*rows),
        Quantity::Pages(pages) => pages_in_words(*pages),
        Quantity::Bytes(bytes) => bytes.to_string(),
        Quantity::Millis(time) => time.to_string(),
        Quantity::Ratio(ratio) if is_share(measure.key) => percent(*ratio),
        Quantity::Ratio(ratio) => factor(*ratio),
        Quantity::Count(count) => Count(*count as f64).to_string(),
        Quantity::Text(text) => super::excerpt::clean(text),
    }
}

fn is_share(key: &str) -> bool {
    ["share", "kept", "fraction", "selectivity", "percent"].iter().any(|word| key.contains(word))
}

/// Averages keep one decimal where they are small.
pub(crate) fn rows_in_words(rows: f64) -> String {
    if rows.fract() != 0.0 && rows.abs() < 10.0 { format!("{rows:.1}") } else { Count(rows).to_string() }
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
    if ratio.is_finite() && ratio < 10.0 { format!("×{ratio:.1}") } else { format!("×{}", Count(ratio)) }
}

/// `1.21 s → 0.09 ms, 13,444 times faster`.
pub(crate) fn change_of_time(before: Millis, after: Millis) -> String {
    format!("{before} → {after}{}", change(before.0, after.0, ["faster", "slower"]))
}

/// `17,321 → 4 pages, 4,330 times fewer`.
pub(crate) fn change_of_pages(before: Pages, after: Pages) -> String {
    let counts = format!("{} → {} pages", Count(before.0 as f64), Count(after.0 as f64));
    format!("{counts}{}", change(before.0 as f64, after.0 as f64, ["fewer", "more"]))
}

fn change(before: f64, after: f64, [less, more]: [&str; 2]) -> String {
    let (ratio, word) = if after <= before { (before / after, less) } else { (after / before, more) };
    if !ratio.is_finite() || ratio < 1.05 {
        return String::new();
    }
    let times = if ratio < 10.0 { format!("{ratio:.1}") } else { Count(ratio).to_string() };
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
            .with("kept_share", Quantity::Ratio(0.000_01))
            .with("pages", Quantity::Pages(Pages(17_321)))
            .with("time_ms", Quantity::Millis(Millis(1180.0)))
            .with("estimate_error_ratio", Quantity::Ratio(1234.0))
            .with("spilled_bytes", Quantity::Bytes(Bytes(3 << 20)))
            .with("loops", Quantity::Count(40));
        assert_eq!(
            phrases(&evidence),
            [
                "rows read 1,200,000",
                "kept 0.001 %",
                "pages 17,321 (135 MB)",
                "time 1.18 s",
                "estimate error ×1,234",
                "spilled 3.0 MB",
                "loops 40"
            ]
        );
    }

    #[test]
    fn changes_say_how_much() {
        assert_eq!(change_of_time(Millis(1180.0), Millis(0.0)), "1.18 s → 0.00 ms");
        assert_eq!(change_of_time(Millis(1180.0), Millis(0.09)), "1.18 s → 0.09 ms (13,111× faster)");
        assert_eq!(change_of_pages(Pages(100), Pages(250)), "100 → 250 pages (2.5× more)");
        assert_eq!(change_of_pages(Pages(100), Pages(100)), "100 → 100 pages");
    }
}
