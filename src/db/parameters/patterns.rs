//! What of a column's value stands in a pattern, so that it finds rows: a beginning, some characters, what stands before or behind a
//! mark. Pure.

use super::values::Rank;

/// A typical pattern finds at most this share of the rows.
const FOUND: f64 = 0.05;

/// Characters that mean themselves, in LIKE and in a regular expression.
fn is_literal(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, ' ' | '@' | '.' | '-' | '/' | ':' | ',' | '#' | '=')
}

/// A value's beginning: one character for hot; as many as it takes to be selective, three at least, for typical; all of
/// it for rare.
pub(super) fn prefix(value: &str, rank: Rank, sample: &[&str]) -> String {
    let characters: Vec<char> = value.chars().take_while(|c| is_literal(*c)).collect();
    let of = |length: usize| characters.iter().take(length).collect::<String>();
    match rank {
        Rank::Hot => of(1),
        Rank::Rare | Rank::Absent => of(characters.len()),
        Rank::Typical => {
            let share = |text: &str| share_of(sample, |other| other.starts_with(text));
            (3..characters.len())
                .map(of)
                .find(|text| share(text) <= FOUND)
                .unwrap_or_else(|| of(characters.len()))
        }
    }
}

/// What stands before one of a value's marks: before the first one for hot, before the first that is selective for typical, before
/// the last one for rare. The whole value where nothing stands before any.
pub(super) fn before(value: &str, mark: char, rank: Rank, sample: &[&str]) -> String {
    let places = value.match_indices(mark).map(|(at, _)| at);
    let mut beginnings = places.filter(|at| *at > 0).map(|at| &value[..at]);
    let share = |text: &str| {
        share_of(sample, |other| {
            other
                .strip_prefix(text)
                .is_some_and(|rest| rest.starts_with(mark))
        })
    };
    let found = match rank {
        Rank::Hot => beginnings.next(),
        Rank::Typical => beginnings
            .clone()
            .find(|text| share(text) <= FOUND)
            .or_else(|| beginnings.next_back()),
        Rank::Rare | Rank::Absent => beginnings.next_back(),
    };
    found.unwrap_or(value).to_owned()
}

/// What stands behind a value's last mark; the whole value where there is none.
pub(super) fn after(value: &str, mark: char) -> String {
    let behind = value.rsplit_once(mark).map(|(_, behind)| behind);
    behind
        .filter(|text| !text.is_empty())
        .unwrap_or(value)
        .to_owned()
}

/// Some characters out of a value: two for hot, four that are selective for typical.
pub(super) fn fragment(value: &str, rank: Rank, sample: &[&str]) -> String {
    let length = if rank == Rank::Hot { 2 } else { 4 };
    let mut best: Option<(f64, String)> = None;
    for run in value.split(|c: char| !is_literal(c)) {
        let characters: Vec<char> = run.chars().collect();
        for window in characters.windows(length.min(characters.len()).max(1)) {
            let text: String = window.iter().collect();
            let share = share_of(sample, |other| other.contains(&text));
            if rank != Rank::Hot && share <= FOUND && window.len() == length {
                return text;
            }
            let better = |known: f64| {
                if rank == Rank::Hot {
                    share > known
                } else {
                    share < known
                }
            };
            if best.as_ref().is_none_or(|(known, _)| better(*known)) {
                best = Some((share, text));
            }
        }
    }
    best.map_or_else(|| value.to_owned(), |(_, text)| text)
}

fn share_of(sample: &[&str], test: impl Fn(&str) -> bool) -> f64 {
    let found = sample.iter().filter(|value| test(value)).count();
    found as f64 / sample.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_and_fragments() {
        let sample = ["Name a1", "Name a2", "Name b1", "Name c1"];
        assert_eq!(prefix("Name b1", Rank::Typical, &sample), "Name b1");
        assert_eq!(prefix("Name b1", Rank::Hot, &sample), "N");
        let many: Vec<String> = (0..100).map(|i| format!("Name {i:02}x")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(prefix("Name 42x", Rank::Typical, &many), "Name 42");
        assert_eq!(fragment("Name 42x", Rank::Typical, &many), "e 42");
        assert_eq!(prefix("/quay/7", Rank::Rare, &sample), "/quay/7");
    }

    #[test]
    fn a_fragment_stands_in_its_value() {
        let values = ["ab_cd_efgh", "xy_zw"];
        assert_eq!(fragment("ab_cd_efgh", Rank::Typical, &values[1..]), "efgh");
        assert_eq!(fragment("xy_zw", Rank::Typical, &values), "xy");
    }

    #[test]
    fn what_stands_beside_a_mark_is_never_nothing() {
        let berths: Vec<String> = (0..60)
            .map(|i| format!("/port/quay{}/{i}", i % 30))
            .collect();
        let berths: Vec<&str> = berths.iter().map(String::as_str).collect();
        let of = |value, rank| before(value, '/', rank, &berths);
        assert_eq!(of("/port/quay3/33", Rank::Hot), "/port");
        assert_eq!(of("/port/quay3/33", Rank::Typical), "/port/quay3");
        assert_eq!(of("/port/quay3/33", Rank::Rare), "/port/quay3");
        assert_eq!(of("/port", Rank::Typical), "/port");
        assert_eq!(of("mole", Rank::Typical), "mole");
        assert_eq!(after("pilot@harbour.example", '@'), "harbour.example");
        assert_eq!(after("/port/quay3", '/'), "quay3");
        assert_eq!(after("mole", '@'), "mole");
        assert_eq!(after("pilot@", '@'), "pilot@");
    }
}
