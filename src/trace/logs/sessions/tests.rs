//! Messages brought to executions, and what makes a log doubtful.

use super::*;

fn read(entries: &[Entry<'_>]) -> (Vec<Executed>, Vec<String>) {
    let mut sessions = Sessions::default();
    let mut executed = Vec::new();
    let mut out = |seen: Seen<'_>| {
        if let Seen::Executed(one) = seen {
            executed.push(one);
        }
    };
    for entry in entries {
        sessions.take(entry, &mut out);
    }
    sessions.end(&mut out);
    (executed, sessions.opaque_checks().in_words())
}

fn entry<'a>(message: &'a str, detail: &'a str) -> Entry<'a> {
    Entry {
        at: Some(10_000),
        session: Some(7),
        message,
        detail,
        ..Entry::default()
    }
}

#[test]
fn parameters_and_times() {
    let (executed, opaque_checks) = read(&[
        entry("duration: 0.1 ms  parse s: SELECT $1, $2, $3", ""),
        entry(
            "duration: 2.5 ms  execute s: SELECT $1, $2, $3",
            "parameters: $1 = '12', $2 = NULL, $3 = 'a'', $9 = ''b'",
        ),
        entry(
            "duration: 1 ms  statement: EXECUTE p(7, 'x')",
            "prepare: PREPARE p AS SELECT a FROM b WHERE c = $1 AND d = $2;",
        ),
    ]);
    let reader = ValueReader::default();
    assert_eq!(
        executed[0].parameters,
        [Value::Whole(12), Value::Null, reader.text("a', $9 = 'b")]
    );
    assert_eq!(
        (executed[0].at, executed[0].took),
        (Some(7_500), Some(2_500))
    );
    assert_eq!(
        &*executed[1].text,
        "SELECT a FROM b WHERE c = $1 AND d = $2;"
    );
    assert_eq!(executed[1].parameters, [Value::Whole(7), reader.text("x")]);
    assert_eq!(opaque_checks, [""; 0]);
}

#[test]
fn a_statement_that_is_logged_before_it_runs_gets_its_time_or_its_failure() {
    let error = Entry {
        is_error: true,
        ..entry("division by zero", "")
    };
    let (executed, opaque_checks) = read(&[
        entry("statement: SELECT 1", ""),
        entry("duration: 4 ms", ""),
        entry("statement: SELECT 1/0", ""),
        error,
        entry("statement: SELECT 3", ""),
    ]);
    let shown: Vec<(&str, Option<u64>, bool)> = executed
        .iter()
        .map(|each| (&*each.text, each.took, each.failed))
        .collect();
    assert_eq!(
        shown,
        [
            ("SELECT 1", Some(4_000), false),
            ("SELECT 1/0", None, true),
            ("SELECT 3", None, false)
        ]
    );
    assert_eq!(opaque_checks, [""; 0]);
}

#[test]
fn what_is_left_out_is_doubted() {
    let mut entries = vec![
        entry(
            "parameter \"log_statement_sample_rate\" changed to \"0.1\"",
            "",
        ),
        entry(
            "duration: 1 ms  statement: SET log_min_duration_statement = 100",
            "",
        ),
        entry("duration: 3 ms  execute a: SELECT $1", ""),
        entry(
            "duration: 3 ms  execute a: SELECT $1",
            "parameters: $1 = 'abc...'",
        ),
        entry("duration: 3 ms", ""),
        entry("trvání: 3 ms  příkaz: SELECT 1", ""),
    ];
    entries.push(Entry {
        session: None,
        ..entry("duration: 3 ms  statement: SELECT 1", "")
    });
    for line in [3, 5] {
        entries.push(Entry {
            line: Some((line, line)),
            ..entry("checkpoint complete", "")
        });
    }
    let (_, opaque_checks) = read(&entries);
    assert_eq!(opaque_checks.len(), 8, "{opaque_checks:#?}");
    assert!(opaque_checks[0].starts_with("log_statement_sample_rate is 0.1"));
}

#[test]
fn logs_of_slow_statements_alone_are_doubted() {
    let entries: Vec<Entry<'_>> = (0..60)
        .map(|_| entry("duration: 120.5 ms  statement: SELECT 1", ""))
        .collect();
    let (_, opaque_checks) = read(&entries);
    assert_eq!(
        opaque_checks,
        ["no duration below 120.5 ms was logged: log_min_duration_statement seems to be above 0"]
    );
}

#[test]
fn rows_of_a_plan_are_its_statements() {
    let plan = "duration: 0.076 ms  plan:\nQuery Text: SELECT a FROM b;\nSeq Scan on b  (cost=0.00..6.75 rows=300 width=0) (actual time=0.007..0.053 rows=300 loops=1)";
    let (executed, _) = read(&[
        entry(plan, ""),
        entry("duration: 0.1 ms  statement: SELECT a FROM b;", ""),
    ]);
    assert_eq!(executed[0].rows().unwrap().count, 300);
}
