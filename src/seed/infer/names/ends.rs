//! Names of two columns that belong together: the beginning and the end, the least and the most.

use super::{is_time_word, words};

/// What a name calls the beginning of: `valid_from` is that of `valid`, `started_at` that of nothing named.
#[must_use]
pub fn begin_of(name: &str) -> Option<String> {
    side_of(name, |word| {
        matches!(
            word,
            "from"
                | "since"
                | "start"
                | "starts"
                | "started"
                | "starting"
                | "begin"
                | "begins"
                | "began"
                | "effective"
        )
    })
}

/// What a name calls the end of: see [`begin_of`].
#[must_use]
pub fn end_of(name: &str) -> Option<String> {
    side_of(name, |word| {
        matches!(
            word,
            "to" | "until"
                | "till"
                | "through"
                | "thru"
                | "end"
                | "ends"
                | "ended"
                | "ending"
                | "finish"
                | "finished"
                | "stop"
                | "stopped"
                | "completed"
        )
    })
}

/// What a name calls the least of: `min_price`, of which `max_price` is the most.
#[must_use]
pub fn least_of(name: &str) -> Option<String> {
    side_of(name, |word| {
        matches!(
            word,
            "min" | "minimum" | "lowest" | "low" | "lower" | "floor"
        )
    })
}

/// What a name calls the most of: see [`least_of`].
#[must_use]
pub fn most_of(name: &str) -> Option<String> {
    side_of(name, |word| {
        matches!(
            word,
            "max" | "maximum" | "highest" | "high" | "upper" | "ceiling"
        )
    })
}

/// A name without the word that says which end it is, and without what says that it is a time.
fn side_of(name: &str, is_side: fn(&str) -> bool) -> Option<String> {
    let words = words(name);
    let side = words.iter().position(|word| is_side(word))?;
    let rest = words
        .iter()
        .enumerate()
        .filter(|(at, word)| *at != side && !is_time_word(word));
    Some(
        rest.map(|(_, word)| word.as_str())
            .collect::<Vec<_>>()
            .join(" "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_begins_and_ends() {
        for (begin, end) in [
            ("valid_from", "valid_to"),
            ("started_at", "finished_at"),
            ("startTime", "endTime"),
            ("starts_on", "ends_at"),
            ("start_date", "end_date"),
            ("booking_start", "booking_end"),
        ] {
            assert!(
                begin_of(begin).is_some() && begin_of(begin) == end_of(end),
                "{begin} {end}"
            );
        }
        assert_ne!(begin_of("trial_start"), end_of("period_end"));
        assert_eq!((begin_of("created_at"), end_of("created_at")), (None, None));
    }
}
