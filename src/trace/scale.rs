//! Loops at the scale of the dataset: a test looks over the few rows that it made itself, production over those that the
//! statement before the loop returns there.

use std::collections::HashMap;
use std::sync::Arc;

use super::flow::Loop;

/// Rows that one execution of a statement returns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowsReturned {
    /// With the values of an ordinary call.
    pub typical: f64,
    /// With those of all that were tried which return the most.
    pub most: f64,
}

/// How often a loop's statement is executed for one execution of the outermost statement around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calls {
    /// For an ordinary call.
    pub typical: f64,
    /// For the one that returns the most rows.
    pub most: f64,
}

/// The executions of `found` where its parents return `rows`, by their forms: N × M for a loop in a loop. `None` where it
/// follows no statement, or one whose rows are not known.
#[must_use]
pub fn calls(
    found: &Loop,
    loops: &[Loop],
    rows: &HashMap<Arc<str>, RowsReturned>,
) -> Option<Calls> {
    let mut calls = Calls {
        typical: 1.0,
        most: 1.0,
    };
    let mut seen = vec![&found.child];
    let mut child = found;
    loop {
        let parent = &child.source.as_ref()?.parent;
        let returned = rows.get(parent)?;
        calls.typical *= returned.typical;
        calls.most *= returned.most;
        seen.push(parent);
        // A circle ends where it began.
        let outer = loops
            .iter()
            .find(|outer| outer.child == *parent && outer.source.is_some());
        match outer.filter(|outer| !is_among(outer, &seen)) {
            Some(outer) => child = outer,
            None => return Some(calls),
        }
    }
}

fn is_among(outer: &Loop, seen: &[&Arc<str>]) -> bool {
    let parent = outer.source.as_ref().map(|source| &source.parent);
    parent.is_some_and(|parent| seen.contains(&parent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::flow::{Grade, Source};

    fn a_loop(child: &str, parent: &str) -> Loop {
        Loop {
            child: child.into(),
            executions: 5,
            connections: 1,
            grade: Grade::Proven,
            source: Some(Source::of_rows(parent.into(), 5)),
            took: None,
            unit: None,
            growth: None,
            has_unknown_values: false,
        }
    }

    fn returned(all: &[(&str, f64, f64)]) -> HashMap<Arc<str>, RowsReturned> {
        let rows = all.iter().map(|(form, typical, most)| {
            (
                (*form).into(),
                RowsReturned {
                    typical: *typical,
                    most: *most,
                },
            )
        });
        rows.collect()
    }

    #[test]
    fn a_loop_in_a_loop_multiplies() {
        let loops = [a_loop("items", "orders"), a_loop("orders", "customers")];
        let rows = returned(&[("customers", 20.0, 50.0), ("orders", 3.0, 40.0)]);
        let of =
            |at: usize| calls(&loops[at], &loops, &rows).map(|calls| (calls.typical, calls.most));
        assert_eq!(of(0), Some((60.0, 2_000.0)));
        assert_eq!(of(1), Some((20.0, 50.0)));
    }

    #[test]
    fn what_is_not_known_is_not_guessed() {
        let alone = Loop {
            source: None,
            ..a_loop("items", "")
        };
        assert_eq!(calls(&alone, &[], &HashMap::new()), None);
        let loops = [a_loop("items", "orders"), a_loop("orders", "customers")];
        assert_eq!(
            calls(&loops[0], &loops, &returned(&[("orders", 3.0, 4.0)])),
            None
        );
    }

    #[test]
    fn a_circle_ends_where_it_began() {
        let loops = [a_loop("a", "b"), a_loop("b", "a")];
        let rows = returned(&[("a", 2.0, 2.0), ("b", 3.0, 3.0)]);
        let found = calls(&loops[0], &loops, &rows);
        assert_eq!(found.map(|calls| calls.most), Some(3.0));
    }
}
