//! Loops that are there, and those that only look like one.

use super::*;
use crate::trace::event::Column;
use crate::trace::value::ValueReader;

fn rows(columns: &[(&str, Vec<Value>)]) -> Rows {
    let described = columns.iter().map(|(name, _)| Column {
        name: (*name).to_owned(),
        origin: (0, 0),
        type_oid: 20,
        format: 0,
    });
    Rows {
        columns: described.collect(),
        values: columns.iter().map(|(_, values)| values.clone()).collect(),
        count: columns[0].1.len() as u64,
    }
}

fn whole(numbers: impl IntoIterator<Item = i64>) -> Vec<Value> {
    numbers.into_iter().map(Value::Whole).collect()
}

/// Statements one after the other.
#[derive(Default)]
struct Play {
    flows: Flows,
    /// Each by its number.
    forms: Vec<String>,
    clock: u64,
}

impl Play {
    fn step(&mut self, session: u64, text: &str, values: &[Value], rows: Option<&Rows>) {
        let known = self.forms.iter().position(|form| form == text);
        let number = known.unwrap_or_else(|| {
            self.forms.push(text.to_owned());
            self.forms.len() - 1
        });
        let form = FormKey::new(number, text.into());
        self.clock += 2;
        let may_loop = !values.iter().any(|value| matches!(value, Value::Many(_)));
        self.flows.take(
            session,
            &Step {
                form: &form,
                may_loop,
                values: values.to_vec(),
                sent: self.clock - 1,
                done: self.clock,
                rows,
            },
        );
    }

    fn found(&self) -> Vec<(Grade, u64, String)> {
        let loops = self.flows.loops().into_iter();
        loops
            .map(|found| (found.grade, found.executions, found.child.to_string()))
            .collect()
    }
}

/// Identities as production has them: far apart.
fn scattered(number: i64) -> Vec<Value> {
    whole((0..number).map(|n| (n * 7_919 + 104_729) % 90_001))
}

#[test]
fn values_that_came_from_rows_are_proven() {
    let mut play = Play::default();
    let authors = scattered(47);
    let posts = rows(&[("id", whole(1..48)), ("author_id", authors.clone())]);
    play.step(0, "posts", &[], Some(&posts));
    for author in &authors {
        play.step(0, "author", &[*author], None);
    }
    let loops = play.flows.loops();
    assert_eq!(loops.len(), 1);
    assert_eq!((loops[0].grade, loops[0].executions), (Grade::Proven, 47));
    let source = loops[0].source.as_ref().unwrap();
    assert_eq!((&*source.parent, &*source.column), ("posts", "author_id"));
    assert_eq!((source.matched, source.of, source.in_order), (47, 47, true));
}

#[test]
fn rows_that_share_a_value_give_it_each_time() {
    let mut play = Play::default();
    let few = scattered(6);
    let authors: Vec<Value> = (0..40).map(|n| few[(n * n) % 6]).collect();
    let posts = rows(&[("id", whole(1..41)), ("author_id", authors.clone())]);
    play.step(0, "posts", &[], Some(&posts));
    for author in &authors {
        play.step(0, "author", &[*author], None);
    }
    assert_eq!(play.found(), [(Grade::Proven, 40, "author".to_owned())]);
}

#[test]
fn another_statement_in_the_loop_hides_nothing() {
    let mut play = Play::default();
    let ids = scattered(12);
    play.step(0, "list", &[], Some(&rows(&[("id", ids.clone())])));
    for id in &ids {
        play.step(0, "count", &[*id], None);
        play.step(0, "latest", &[Value::Whole(1), *id], None);
    }
    let found = play.found();
    assert_eq!(found.len(), 2);
    assert!(
        found
            .iter()
            .all(|(grade, executions, _)| (*grade, *executions) == (Grade::Proven, 12))
    );
    let latest = play
        .flows
        .loops()
        .into_iter()
        .find(|found| &*found.child == "latest");
    assert_eq!(latest.unwrap().source.unwrap().parameter, 2);
}

#[test]
fn the_column_that_a_parameter_is_compared_with() {
    for (statement, expected) in [
        ("SELECT a FROM b WHERE c = $1", Some("c")),
        ("SELECT a FROM b WHERE x.\"C\" = $1 AND d = $2", Some("C")),
        ("SELECT a FROM b WHERE $1 = b.c AND d > 2", Some("c")),
        ("SELECT a FROM b WHERE c > $1", None),
    ] {
        assert_eq!(
            compared_with(statement, 1).as_deref(),
            expected,
            "{statement}"
        );
    }
}

#[test]
fn page_numbers_and_other_counting_prove_nothing() {
    let mut play = Play::default();
    play.step(0, "list", &[], Some(&rows(&[("id", whole(1..21))])));
    for page in whole(1..11) {
        play.step(0, "page", &[page], None);
    }
    assert_eq!(play.found(), [(Grade::Likely, 10, "page".to_owned())]);
}

#[test]
fn a_tenant_that_is_always_the_same_is_no_loop_over_rows() {
    let mut play = Play::default();
    let tenants = rows(&[("id", scattered(30))]);
    play.step(0, "tenants", &[], Some(&tenants));
    let tenant = tenants.values[0][4];
    for _ in 0..20 {
        play.step(0, "settings", &[tenant], None);
    }
    assert_eq!(play.found(), []);
}

#[test]
fn values_from_elsewhere_are_no_loop() {
    let mut play = Play::default();
    play.step(0, "list", &[], Some(&rows(&[("id", scattered(30))])));
    for value in whole((0..30).map(|n| n * 3_001 + 200_000)) {
        play.step(0, "other", &[value], None);
    }
    assert_eq!(play.found(), []);
}

#[test]
fn what_came_back_after_the_loop_began_explains_nothing() {
    let mut play = Play::default();
    let ids = scattered(10);
    for id in &ids {
        play.step(0, "insert", &[*id], None);
    }
    play.step(0, "list", &[], Some(&rows(&[("id", ids.clone())])));
    play.step(0, "insert", &[ids[0]], None);
    assert_eq!(play.found(), []);
}

#[test]
fn an_array_is_a_batch() {
    let mut play = Play::default();
    let ids = scattered(10);
    play.step(0, "list", &[], Some(&rows(&[("id", ids)])));
    for _ in 0..10 {
        play.step(0, "batch", &[Value::Many(10)], None);
    }
    assert_eq!(play.found(), []);
}

#[test]
fn long_texts_are_proven_and_words_are_not() {
    let reader = ValueReader::default();
    let mails: Vec<Value> = (0..6)
        .map(|n| reader.text(&format!("reader-{n}@example.com")))
        .collect();
    let words: Vec<Value> = ["new", "open", "paid", "sent", "done", "void"]
        .map(|word| reader.text(word))
        .to_vec();
    let mut play = Play::default();
    play.step(
        0,
        "list",
        &[],
        Some(&rows(&[("mail", mails.clone()), ("state", words.clone())])),
    );
    for (mail, word) in mails.iter().zip(&words) {
        play.step(0, "by mail", &[*mail], None);
        play.step(0, "by state", &[*word], None);
    }
    assert_eq!(
        play.found(),
        [
            (Grade::Proven, 6, "by mail".to_owned()),
            (Grade::Likely, 6, "by state".to_owned())
        ]
    );
}

#[test]
fn a_loop_of_a_loop_finds_its_own_parent() {
    let mut play = Play::default();
    let blogs = scattered(5);
    play.step(0, "blogs", &[], Some(&rows(&[("id", blogs.clone())])));
    for (n, blog) in blogs.iter().enumerate() {
        let posts: Vec<Value> = whole((0..8).map(|k| (n as i64 * 8 + k) * 6_007 + 500_009));
        play.step(
            0,
            "posts of blog",
            &[*blog],
            Some(&rows(&[("id", posts.clone())])),
        );
        for post in posts {
            play.step(0, "comments of post", &[post], None);
        }
    }
    let loops = play.flows.loops();
    let parent = |child: &str| {
        let found = loops.iter().find(|found| &*found.child == child).unwrap();
        (
            found.grade,
            found.source.as_ref().unwrap().parent.to_string(),
        )
    };
    assert_eq!(parent("posts of blog"), (Grade::Proven, "blogs".to_owned()));
    assert_eq!(parent("comments of post").1, "posts of blog");
}

/// A list of so many rows, and a look-up of each after so many other statements.
fn of_rows(number: i64, others: u64) -> usize {
    let mut play = Play::default();
    let ids = scattered(number);
    play.step(0, "list", &[], Some(&rows(&[("id", ids.clone())])));
    for id in &ids {
        play.clock += others;
        play.step(0, "look-up", &[*id], None);
    }
    play.found().len()
}

#[test]
fn three_look_ups_are_a_loop_and_two_are_none() {
    assert_eq!((of_rows(2, 0), of_rows(3, 0)), (0, 1));
}

/// How a loop over a list is graded of whose look-ups so many are of rows that it did not give.
fn with_strangers(strangers: usize) -> Vec<(Grade, u64, String)> {
    let mut play = Play::default();
    let ids = scattered(60);
    play.step(0, "list", &[], Some(&rows(&[("id", ids[..40].to_vec())])));
    let asked = ids[..40 - strangers].iter().chain(&ids[40..40 + strangers]);
    for id in asked {
        play.step(0, "look-up", &[*id], None);
    }
    play.found()
}

#[test]
fn one_value_of_twenty_may_come_from_elsewhere() {
    assert_eq!(with_strangers(2).len(), 1);
    assert_eq!(with_strangers(3), []);
}
