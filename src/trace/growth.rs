//! Proof by growth: one command run on two datasets, of which the second has more children for every parent. What is executed
//! once a row is executed as often as there are rows on both; what is executed a fixed number of times stays as it is. No value
//! is looked at, so that no disguise of one hides a loop, and a loop of one row is found, too.

use std::collections::HashMap;
use std::sync::Arc;

use super::flow::{Grade, Loop, Source};
use super::recording::Recorded;

/// How executions grew with the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Growth {
    /// Executions on the first dataset.
    pub before: u64,
    /// On the second.
    pub after: u64,
}

/// From this factor on executions grow with the data: rows of each parent are at least doubled.
const FACTOR: f64 = 1.5;
/// So many executions at least, where no statement is known whose rows they follow.
const FEWEST: u64 = 5;

/// What two runs of a command say of the loops that the second one had: those that grow as rows do are proven, those that stay
/// are no loops over rows.
#[must_use]
pub fn judged(mut loops: Vec<Loop>, before: &[Recorded], after: &[Recorded]) -> Vec<Loop> {
    let known: HashMap<&Arc<str>, &Recorded> =
        before.iter().map(|each| (&each.form, each)).collect();
    loops.retain_mut(|found| {
        let Some(now) = after.iter().find(|each| each.form == found.child) else {
            return true;
        };
        let earlier = known.get(&now.form).map_or(0, |each| each.executions);
        // Rows that were looped over by a LIMIT do not grow; their values prove the loop all the same.
        found.grade == Grade::Proven || found.grade == Grade::Repeated || now.executions != earlier
    });
    for now in after.iter().filter(|each| each.may_loop) {
        let Some(earlier) = known.get(&now.form) else {
            continue;
        };
        let growth = Growth {
            before: earlier.executions,
            after: now.executions,
        };
        if (growth.after as f64) < growth.before as f64 * FACTOR {
            continue;
        }
        let parent = followed(now, growth, &known, after);
        if parent.is_none() && growth.after < FEWEST {
            continue;
        }
        note(&mut loops, now, growth, parent);
    }
    loops.sort_by_key(|found| (found.grade, std::cmp::Reverse(found.executions)));
    loops
}

/// The statement that returned as many rows as the loop had executions, in both runs, and was executed less often.
fn followed<'a>(
    child: &Recorded,
    growth: Growth,
    before: &HashMap<&Arc<str>, &Recorded>,
    after: &'a [Recorded],
) -> Option<&'a Recorded> {
    let follows = |parent: &&Recorded| {
        parent.form != child.form
            && parent.executions < child.executions
            && before.get(&parent.form).is_some_and(|earlier| {
                let all = (earlier.rows, parent.rows) == (growth.before, growth.after);
                // A list that is asked for several times gives its rows each time.
                let times = earlier.executions == parent.executions;
                all || (times && gives(earlier, growth.before) && gives(parent, growth.after))
            })
    };
    after
        .iter()
        .filter(follows)
        .min_by_key(|parent| parent.executions)
}

/// Whether each execution of a statement returned so many rows.
fn gives(parent: &Recorded, rows: u64) -> bool {
    Some(parent.rows) == parent.executions.checked_mul(rows)
}

fn note(loops: &mut Vec<Loop>, child: &Recorded, growth: Growth, parent: Option<&Recorded>) {
    let grade = if parent.is_some() {
        Grade::Proven
    } else {
        Grade::Likely
    };
    let source = parent.map(|parent| Source::of_rows(Arc::clone(&parent.form), growth.after));
    if let Some(known) = loops.iter_mut().find(|known| known.child == child.form) {
        known.growth = Some(growth);
        known.executions = known.executions.max(growth.after);
        if grade < known.grade {
            known.grade = grade;
            known.source = source.or(known.source.take());
        }
        return;
    }
    loops.push(Loop {
        child: Arc::clone(&child.form),
        executions: growth.after,
        connections: 1,
        grade,
        source,
        took: child.took,
        unit: None,
        growth: Some(growth),
        has_unknown_values: false,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(form: &str, executions: u64, rows: u64) -> Recorded {
        Recorded {
            text: form.to_owned(),
            form: form.into(),
            executions,
            longest_loop: executions,
            took: None,
            longest: 0,
            writes: false,
            may_loop: true,
            rows,
            name: None,
            site: None,
            values: Vec::new(),
        }
    }

    fn graded(loops: Vec<Loop>, before: &[Recorded], after: &[Recorded]) -> Vec<(String, Grade)> {
        judged(loops, before, after)
            .into_iter()
            .map(|found| (found.child.to_string(), found.grade))
            .collect()
    }

    #[test]
    fn what_follows_rows_is_proven_and_what_stays_is_not() {
        let before = [
            statement("list", 1, 1),
            statement("author", 1, 1),
            statement("menu", 6, 6),
            statement("comments of post", 3, 9),
        ];
        let after = [
            statement("list", 1, 2),
            statement("author", 2, 2),
            statement("menu", 6, 6),
            statement("comments of post", 6, 36),
        ];
        let suspect = Loop {
            child: "menu".into(),
            executions: 6,
            connections: 1,
            grade: Grade::Suspect,
            source: None,
            took: None,
            unit: None,
            growth: None,
            has_unknown_values: false,
        };
        let found = graded(vec![suspect], &before, &after);
        let proven = |name: &str| (name.to_owned(), Grade::Proven);
        let likely = |name: &str| (name.to_owned(), Grade::Likely);
        assert_eq!(found, [proven("author"), likely("comments of post")]);
    }

    #[test]
    fn a_chain_multiplies_and_chunks_are_not_once_a_row() {
        let before = [
            statement("blogs", 1, 3),
            statement("posts of blog", 3, 12),
            statement("comments of post", 12, 40),
            statement("chunk", 4, 400),
            statement("count", 4, 4),
        ];
        let after = [
            statement("blogs", 1, 6),
            statement("posts of blog", 6, 48),
            statement("comments of post", 48, 300),
            statement("chunk", 8, 800),
            statement("count", 8, 8),
        ];
        let found = graded(Vec::new(), &before, &after);
        let graded = |name: &str, grade| (name.to_owned(), grade);
        assert_eq!(
            found,
            [
                graded("comments of post", Grade::Proven),
                graded("posts of blog", Grade::Proven),
                graded("chunk", Grade::Likely),
                graded("count", Grade::Likely),
            ]
        );
    }

    #[test]
    fn a_loop_grows_by_half_and_has_five_executions_or_a_parent() {
        let found = |before, after| {
            let (before, after) = (statement("q", before, 0), statement("q", after, 0));
            graded(Vec::new(), &[before], &[after]).len()
        };
        assert_eq!((found(4, 5), found(4, 6)), (0, 1));
        assert_eq!((found(2, 4), found(2, 5)), (0, 1));
        assert_eq!((found(100, 149), found(100, 150)), (0, 1));
    }
}
