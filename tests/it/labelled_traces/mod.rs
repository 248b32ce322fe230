//! Loops and what only looks like one, each with its label: precision and recall of "proven", over every shape that is known.

mod look_alikes;
mod loops;

use std::sync::Arc;

use pgproof::trace::event::{Column, Executed, Rows, Values};
use pgproof::trace::flow::Grade;
use pgproof::trace::recording::Recording;
use pgproof::trace::value::{Value, ValueReader};

/// What a trace is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Label {
    /// A loop over rows: it has to be proven.
    Loop,
    /// No loop over rows: it must not be proven.
    LookAlike,
}

/// Statements one after the other, as a proxy sees them.
struct Script {
    reader: ValueReader,
    executed: Vec<Executed>,
    clock: u64,
    at: i64,
    took: u64,
    session: u64,
}

const LIST: &str = "SELECT id, author_id FROM posts ORDER BY title LIMIT $1";
const AUTHOR: &str = "SELECT name FROM authors WHERE id = $1";

impl Script {
    fn new() -> Self {
        Self {
            reader: ValueReader::new([7; 16]),
            executed: Vec::new(),
            clock: 0,
            at: 0,
            took: 400,
            session: 0,
        }
    }

    fn send(&mut self, text: &str, parameters: Vec<Value>, rows: Option<Rows>) -> &mut Self {
        self.clock += 2;
        let values = if text.contains('$') || parameters.is_empty() {
            Values::Bound
        } else {
            Values::InText
        };
        self.executed.push(Executed {
            parameters,
            done: self.clock,
            results: rows.into_iter().collect(),
            at: Some(self.at),
            took: Some(self.took),
            ..Executed::sent(self.session, text.into(), values, self.clock - 1)
        });
        self.at += i64::try_from(self.took).unwrap() + 300;
        self
    }

    fn pause(&mut self, millis: i64) -> &mut Self {
        self.at += millis * 1_000;
        self
    }

    /// A list of posts with these in a column.
    fn list(&mut self, column: &str, values: &[Value]) -> &mut Self {
        self.list_as(LIST, column, values)
    }

    fn list_as(&mut self, text: &str, column: &str, values: &[Value]) -> &mut Self {
        let ids: Vec<Value> = (0..values.len())
            .map(|n| Value::Whole(n as i64 + 1))
            .collect();
        let rows = rows(&[("n", &ids), (column, values)]);
        self.send(text, vec![Value::Whole(20)], Some(rows))
    }

    /// The statement once for each of them.
    fn each(&mut self, text: &str, values: &[Value]) -> &mut Self {
        for value in values {
            self.send(text, vec![*value], None);
        }
        self
    }

    /// Whether a loop of a statement that begins so is proven.
    fn proves(&self, child: &str) -> bool {
        let mut recording = Recording::new(self.reader);
        for executed in &self.executed {
            recording.take(executed);
        }
        recording.loops().iter().any(|found| {
            let beginning = child.split(" LIMIT").next().unwrap_or(child);
            found.grade == Grade::Proven && found.child.starts_with(beginning)
        })
    }
}

fn rows(columns: &[(&str, &[Value])]) -> Rows {
    let described: Arc<[Column]> = columns
        .iter()
        .map(|(name, _)| Column {
            name: (*name).to_owned(),
            origin: (0, 0),
            type_oid: 20,
            format: 0,
        })
        .collect();
    Rows {
        columns: described,
        values: columns.iter().map(|(_, values)| values.to_vec()).collect(),
        count: columns[0].1.len() as u64,
    }
}

/// Identities as production has them: far apart.
fn scattered(number: i64) -> Vec<Value> {
    (0..number)
        .map(|n| Value::Whole((n * 7_919 + 104_729) % 90_001))
        .collect()
}

struct Case {
    name: String,
    label: Label,
    /// How the statement of the loop begins.
    child: &'static str,
    script: Script,
}

fn case(cases: &mut Vec<Case>, label: Label, name: &str, child: &'static str, script: Script) {
    cases.push(Case {
        name: name.to_owned(),
        label,
        child,
        script,
    });
}

#[test]
fn proven_is_right_and_misses_little() {
    let mut cases = Vec::new();
    loops::loops(&mut cases);
    loops::disguises(&mut cases);
    look_alikes::look_alikes(&mut cases);
    assert!(cases.len() >= 80, "only {} traces", cases.len());
    let (mut found, mut missed, mut wrong) = (0, Vec::new(), Vec::new());
    for case in &cases {
        match (case.label, case.script.proves(case.child)) {
            (Label::Loop, true) => found += 1,
            (Label::Loop, false) => missed.push(case.name.as_str()),
            (Label::LookAlike, true) => wrong.push(case.name.as_str()),
            (Label::LookAlike, false) => {}
        }
    }
    let loops = found + missed.len();
    let recall =
        f64::from(u32::try_from(found).unwrap()) / f64::from(u32::try_from(loops).unwrap());
    eprintln!(
        "{} traces, {loops} loops: recall {recall:.3}, missed {missed:?}, wrong {wrong:?}",
        cases.len()
    );
    assert_eq!(wrong, [""; 0], "look-alikes that were proven");
    assert!(recall >= 0.95, "recall {recall:.3}: {missed:?}");
}
