//! Statements that functions execute: which of them run again and again within one statement of the client's, in a loop of the
//! function or once for each row that the statement changes or returns. A client sees one call.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::sql::normal::normal;

/// Fewer executions within one statement are a function's few steps.
const FEWEST: u64 = 5;
/// So many that are the same each time are written out, or counted by a constant: they do not grow.
const CONSTANT: u64 = 20;
/// Places in functions that are kept apart.
const MOST: usize = 5_000;

/// What one place in a function executed within one statement of the client's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inside {
    /// Where it is.
    pub place: FunctionPlace,
    /// The statement, as the function has it.
    pub text: Arc<str>,
    /// How often.
    pub times: u64,
    /// How long all of them took, in microseconds.
    pub took: u64,
}

/// A place in a function.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionPlace {
    /// With the types of its arguments, as the server writes it.
    pub function: String,
    /// The line of its body; of a function in SQL the number of the statement.
    pub line: u32,
}

/// A statement that one call of the client's executed again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionLoop {
    /// Where it is.
    pub place: FunctionPlace,
    /// The statement's form.
    pub form: Arc<str>,
    /// The form of the client's statement that executed it most often; `None` where that is not known.
    pub caller: Option<Arc<str>>,
    /// The most executions within one statement of the client's.
    pub most: u64,
    /// The fewest.
    pub fewest: u64,
    /// How many statements of the client's executed it.
    pub calls: u64,
    /// How long the most took, in microseconds.
    pub took: u64,
}

/// All places so far.
#[derive(Debug, Default)]
pub struct Functions {
    places: BTreeMap<FunctionPlace, FunctionLoop>,
}

impl Functions {
    /// Takes what one statement of the client's executed inside of functions.
    pub fn take(&mut self, caller: Option<&str>, inside: &[Inside]) {
        let caller = caller.map(|caller| Arc::from(normal(caller).text(|_| false)));
        for one in inside {
            if self.places.len() >= MOST && !self.places.contains_key(&one.place) {
                continue;
            }
            let known = self
                .places
                .entry(one.place.clone())
                .or_insert_with(|| FunctionLoop {
                    place: one.place.clone(),
                    form: normal(&one.text).text(|_| false).into(),
                    caller: caller.clone(),
                    most: 0,
                    fewest: u64::MAX,
                    calls: 0,
                    took: 0,
                });
            known.calls += 1;
            known.fewest = known.fewest.min(one.times);
            if one.times > known.most {
                known.most = one.times;
                known.took = one.took;
                known.caller.clone_from(&caller);
            }
        }
    }

    /// Those that are loops, the longest first.
    #[must_use]
    pub fn loops(&self) -> Vec<FunctionLoop> {
        let is_constant =
            |one: &FunctionLoop| one.calls > 1 && one.fewest == one.most && one.most <= CONSTANT;
        let mut loops: Vec<FunctionLoop> = self
            .places
            .values()
            .filter(|one| one.most >= FEWEST && !is_constant(one))
            .cloned()
            .collect();
        loops.sort_by(|a, b| b.most.cmp(&a.most).then_with(|| a.place.cmp(&b.place)));
        loops
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside(line: u32, times: u64) -> Inside {
        Inside {
            place: FunctionPlace {
                function: "total(bigint)".to_owned(),
                line,
            },
            text: "SELECT a FROM b WHERE c = r.id".into(),
            times,
            took: times * 10,
        }
    }

    #[test]
    fn what_grows_with_its_rows_is_a_loop_and_a_few_steps_are_none() {
        let mut functions = Functions::default();
        functions.take(
            Some("SELECT total(7)"),
            &[inside(3, 40), inside(5, 6), inside(9, 4)],
        );
        functions.take(
            Some("SELECT total(8)"),
            &[inside(3, 12), inside(5, 6), inside(9, 3)],
        );
        let loops = functions.loops();
        assert_eq!(loops.len(), 1, "{loops:?}");
        let found = &loops[0];
        assert_eq!((found.place.line, found.most, found.fewest), (3, 40, 12));
        assert_eq!((found.calls, found.took), (2, 400));
        assert_eq!(found.caller.as_deref(), Some("SELECT total($1)"));
    }

    #[test]
    fn one_call_decides_by_its_number() {
        let mut functions = Functions::default();
        functions.take(None, &[inside(3, 6)]);
        assert_eq!(functions.loops().len(), 1);
    }
}
