//! Loops and what only looks like one, each with its label: precision and recall of "proven", over every shape that is known.

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

/// Loops of every shape.
fn loops(cases: &mut Vec<Case>) {
    let mut add = |name: &str, child, fill: &dyn Fn(&mut Script)| {
        let mut script = Script::new();
        fill(&mut script);
        case(cases, Label::Loop, name, child, script);
    };
    for number in [3, 5, 12, 47, 200, 1_000] {
        add(&format!("{number} rows"), AUTHOR, &|script| {
            let ids = scattered(number);
            script.list("author_id", &ids).each(AUTHOR, &ids);
        });
    }
    for (name, pause, took) in [
        ("pauses of 60 ms", 60, 400),
        ("pauses of a second", 1_000, 400),
        ("executions of 600 ms", 0, 600_000),
        ("executions of five seconds", 0, 5_000_000),
    ] {
        add(name, AUTHOR, &|script| {
            let ids = scattered(12);
            script.list("author_id", &ids);
            script.took = took;
            for id in &ids {
                script.pause(pause).send(AUTHOR, vec![*id], None);
            }
        });
    }
    for (name, other) in [
        ("a cache between", "SELECT value FROM cache WHERE key = 'k'"),
        ("a ping between", "SELECT 1"),
        ("a setting between", "SET search_path = app"),
        ("savepoints", "SAVEPOINT a"),
        ("commits", "COMMIT"),
        (
            "a count for each",
            "SELECT count(*) FROM likes WHERE author_id = $1",
        ),
    ] {
        add(name, AUTHOR, &|script| {
            let ids = scattered(15);
            script.list("author_id", &ids);
            for id in &ids {
                let values = if other.contains('$') {
                    vec![*id]
                } else {
                    Vec::new()
                };
                script
                    .send(other, values, None)
                    .send(AUTHOR, vec![*id], None);
            }
        });
    }
    add("nineteen others between", AUTHOR, &|script| {
        let ids = scattered(6);
        script.list("author_id", &ids);
        for id in &ids {
            script.send(AUTHOR, vec![*id], None);
            for n in 0..18 {
                script.send(&format!("SELECT a{n} FROM other"), Vec::new(), None);
            }
        }
    });
    add(
        "twenty other lists between the parent and the loop",
        AUTHOR,
        &|script| {
            let ids = scattered(10);
            script.list("author_id", &ids);
            for n in 0..20_i64 {
                let values: Vec<Value> = (0..8)
                    .map(|k| Value::Whole(500_000 + n * 100 + k))
                    .collect();
                script.list_as(&format!("SELECT c{n} FROM lists LIMIT $1"), "c", &values);
            }
            script.each(AUTHOR, &ids);
        },
    );
    add("rows that share their author", AUTHOR, &|script| {
        let few = scattered(7);
        let ids: Vec<Value> = (0..40).map(|n| few[(n * n) % 7]).collect();
        script.list("author_id", &ids).each(AUTHOR, &ids);
    });
    add(
        "each author once, in the order in which they came first",
        AUTHOR,
        &|script| {
            let few = scattered(9);
            let ids: Vec<Value> = (0..27).map(|n| few[n % 9]).collect();
            script.list("author_id", &ids).each(AUTHOR, &few);
        },
    );
    add("another order", AUTHOR, &|script| {
        let ids = scattered(20);
        let reversed: Vec<Value> = ids.iter().rev().copied().collect();
        script.list("author_id", &ids).each(AUTHOR, &reversed);
    });
    add("half of the rows", AUTHOR, &|script| {
        let ids = scattered(40);
        let half: Vec<Value> = ids.iter().step_by(2).copied().collect();
        script.list("author_id", &ids).each(AUTHOR, &half);
    });
    add("one value from elsewhere among forty", AUTHOR, &|script| {
        let ids = scattered(40);
        let mut sent = ids.clone();
        sent[17] = Value::Whole(999_999);
        script.list("author_id", &ids).each(AUTHOR, &sent);
    });
    add("rows without an author", AUTHOR, &|script| {
        let ids = scattered(12);
        let mut column = ids.clone();
        column.insert(4, Value::Null);
        script.list("author_id", &column).each(AUTHOR, &ids);
    });
    add("two pages of one list", AUTHOR, &|script| {
        let ids = scattered(30);
        for page in ids.chunks(15) {
            script.list("author_id", page).each(AUTHOR, page);
        }
    });
    add("a loop in a loop", "SELECT text FROM comments", &|script| {
        let blogs = scattered(5);
        script.list_as("SELECT id FROM blogs LIMIT $1", "id", &blogs);
        for (n, blog) in blogs.iter().enumerate() {
            let posts: Vec<Value> = (0..8)
                .map(|k| Value::Whole((n as i64 * 8 + k) * 6_007 + 500_009))
                .collect();
            let columns = rows(&[("id", &posts)]);
            script.send(
                "SELECT id FROM posts WHERE blog_id = $1",
                vec![*blog],
                Some(columns),
            );
            script.each("SELECT text FROM comments WHERE post_id = $1", &posts);
        }
    });
    add("two levels up", "SELECT name FROM tags", &|script| {
        let blogs = scattered(6);
        script.list_as("SELECT id FROM blogs LIMIT $1", "id", &blogs);
        let posts: Vec<Value> = (0..9).map(|k| Value::Whole(k * 6_007 + 500_009)).collect();
        script.list_as("SELECT id FROM posts LIMIT $1", "id", &posts);
        script.each("SELECT name FROM tags WHERE blog_id = $1", &blogs);
    });
    for (name, child) in [
        (
            "a batch of one",
            "SELECT name FROM authors WHERE id IN ($1)",
        ),
        (
            "a lazy count",
            "SELECT count(*) FROM posts WHERE author_id = $1",
        ),
        (
            "the newest of each",
            "SELECT id FROM posts WHERE author_id = $1 ORDER BY at DESC LIMIT 1",
        ),
        (
            "a lock for each",
            "SELECT id FROM accounts WHERE id = $1 FOR UPDATE",
        ),
        (
            "an UPDATE for each",
            "UPDATE posts SET seen = true WHERE id = $1",
        ),
        ("a DELETE for each", "DELETE FROM drafts WHERE post_id = $1"),
        (
            "an INSERT for each",
            "INSERT INTO seen (post_id) VALUES ($1)",
        ),
        (
            "an upsert for each",
            "INSERT INTO seen (post_id) VALUES ($1) ON CONFLICT DO NOTHING",
        ),
        (
            "a question whether it is there",
            "SELECT EXISTS (SELECT FROM seen WHERE post_id = $1)",
        ),
    ] {
        add(name, child, &|script| {
            let ids = scattered(12);
            script.list("author_id", &ids).each(child, &ids);
        });
    }
    add(
        "a tenant beside the key",
        "SELECT name FROM authors WHERE tenant",
        &|script| {
            let ids = scattered(14);
            script.list("author_id", &ids);
            for id in &ids {
                let values = vec![Value::Whole(42), *id];
                script.send(
                    "SELECT name FROM authors WHERE tenant = $1 AND id = $2",
                    values,
                    None,
                );
            }
        },
    );
    add(
        "values in the text",
        "SELECT name FROM authors WHERE id = $1",
        &|script| {
            let ids = scattered(12);
            script.list("author_id", &ids);
            for id in &ids {
                if let Value::Whole(id) = id {
                    script.send(
                        &format!("SELECT name FROM authors WHERE id = {id}"),
                        Vec::new(),
                        None,
                    );
                }
            }
        },
    );
    add(
        "a comment that changes with each statement",
        "SELECT name FROM authors WHERE id = $1",
        &|script| {
            let ids = scattered(12);
            script.list("author_id", &ids);
            for (n, id) in ids.iter().enumerate() {
                let text = format!(
                    "{AUTHOR} /*traceparent='00-0af7651916cd43dd8448eb211c80319c-{n:016x}-01'*/"
                );
                script.send(&text, vec![*id], None);
            }
        },
    );
    add("an empty list before it", AUTHOR, &|script| {
        let ids = scattered(12);
        script.list_as("SELECT id FROM drafts LIMIT $1", "id", &[]);
        script.list("author_id", &ids).each(AUTHOR, &ids);
    });
    add(
        "a loop after a loop over the same list",
        "SELECT count(*) FROM likes",
        &|script| {
            let ids = scattered(12);
            script.list("author_id", &ids).each(AUTHOR, &ids);
            script.each("SELECT count(*) FROM likes WHERE author_id = $1", &ids);
        },
    );
    add("a transaction for each", AUTHOR, &|script| {
        let ids = scattered(8);
        script.list("author_id", &ids);
        for id in &ids {
            script
                .send("BEGIN", Vec::new(), None)
                .send(AUTHOR, vec![*id], None)
                .send("COMMIT", Vec::new(), None);
        }
    });
    add("a refused execution in the middle", AUTHOR, &|script| {
        let ids = scattered(12);
        script
            .list("author_id", &ids)
            .each(AUTHOR, &ids[..6])
            .send(AUTHOR, vec![ids[6]], None);
        script.executed.last_mut().unwrap().failed = true;
        script.each(AUTHOR, &ids[6..]);
    });
    add("sessions beside it", AUTHOR, &|script| {
        let ids = scattered(12);
        script.list("author_id", &ids);
        for id in &ids {
            script.session = 1;
            script.send(
                "SELECT name FROM other WHERE id = $1",
                vec![Value::Whole(1)],
                None,
            );
            script.session = 0;
            script.send(AUTHOR, vec![*id], None);
        }
    });
}

/// Values that change their form on the way.
fn disguises(cases: &mut Vec<Case>) {
    let mut add = |name: &str,
                   given: &dyn Fn(&ValueReader, i64) -> Value,
                   sent: &dyn Fn(&ValueReader, i64) -> Value| {
        let mut script = Script::new();
        let number = |n: i64| (n * 7_919 + 104_729) % 90_001;
        let given: Vec<Value> = (0..12).map(|n| given(&script.reader, number(n))).collect();
        let sent: Vec<Value> = (0..12).map(|n| sent(&script.reader, number(n))).collect();
        script.list("key", &given).each(AUTHOR, &sent);
        case(cases, Label::Loop, name, AUTHOR, script);
    };
    const INT4: u32 = 23;
    const INT8: u32 = 20;
    const UUID: u32 = 2950;
    const TIMESTAMPTZ: u32 = 1184;
    let uuid = |n: i64| format!("0b5a1f52-7c1d-4b7e-9a53-{n:012x}");
    let plain = |n: i64| uuid(n).replace('-', "");
    let bytes = |n: i64| -> Vec<u8> {
        let text = plain(n);
        (0..16)
            .map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).unwrap())
            .collect()
    };
    let int8 = |reader: &ValueReader, n: i64| reader.wire(Some(&n.to_be_bytes()), 1, INT8);
    let int4 = |reader: &ValueReader, n: i64| {
        reader.wire(Some(&i32::try_from(n).unwrap().to_be_bytes()), 1, INT4)
    };
    let text = |reader: &ValueReader, n: i64| reader.text(&n.to_string());
    add("int8 in binary, text sent", &int8, &text);
    add("text, int4 in binary sent", &text, &int4);
    add("int4, int8 sent", &int4, &int8);
    add(
        "numeric with a scale, integer sent",
        &|reader, n| reader.text(&format!("{n}.00")),
        &int8,
    );
    add("quoted in the statement", &int8, &|reader, n| {
        reader.literal(&format!("'{n}'"))
    });
    add(
        "UUID with dashes, without sent",
        &|reader, n| reader.text(&uuid(n)),
        &|reader, n| reader.text(&plain(n)),
    );
    add(
        "UUID in binary, text sent",
        &|reader, n| reader.wire(Some(&bytes(n)), 1, UUID),
        &|reader, n| reader.text(&uuid(n)),
    );
    add(
        "UUID in capitals",
        &|reader, n| reader.text(&uuid(n)),
        &|reader, n| reader.text(&uuid(n).to_uppercase()),
    );
    add(
        "padded with blanks",
        &|reader, n| reader.text(&format!("customer {n:05}      ")),
        &|reader, n| reader.text(&format!("customer {n:05}")),
    );
    add(
        "citext in another case",
        &|reader, n| reader.text(&format!("Reader-{n}@Example.com")),
        &|reader, n| reader.text(&format!("reader-{n}@example.com")),
    );
    add(
        "a time in binary, text sent",
        &|reader, n| reader.wire(Some(&(n * 1_000_003).to_be_bytes()), 1, TIMESTAMPTZ),
        &|reader, n| {
            let micros = n * 1_000_003;
            let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
            let (days, rest) = (seconds / 86_400, seconds % 86_400);
            let clock = format!(
                "{:02}:{:02}:{:02}.{fraction:06}",
                rest / 3_600,
                rest / 60 % 60,
                rest % 60
            );
            reader.text(&format!("2000-01-{:02} {clock}+00", days + 1))
        },
    );
    add(
        "a time in another time zone",
        &|reader, n| {
            reader.text(&format!(
                "2026-03-01 12:{:02}:{:02}.{:03}+00",
                n / 60 % 60,
                n % 60,
                n % 1_000
            ))
        },
        &|reader, n| {
            reader.text(&format!(
                "2026-03-01 14:{:02}:{:02}.{:03}+02",
                n / 60 % 60,
                n % 60,
                n % 1_000
            ))
        },
    );
}

/// What only looks like a loop over rows.
fn look_alikes(cases: &mut Vec<Case>) {
    let mut add = |name: &str, child, fill: &dyn Fn(&mut Script)| {
        let mut script = Script::new();
        fill(&mut script);
        case(cases, Label::LookAlike, name, child, script);
    };
    add("six constants", AUTHOR, &|script| {
        script.list("author_id", &scattered(15));
        let constants: Vec<Value> = [900_001, 900_005, 900_013, 900_027, 900_044, 900_071]
            .map(Value::Whole)
            .to_vec();
        script.each(AUTHOR, &constants);
    });
    add("six statements of a page", "SELECT", &|script| {
        script.list("author_id", &scattered(15));
        for table in ["menu", "banners", "flags", "texts", "prices", "shops"] {
            script.send(
                &format!("SELECT a FROM {table} WHERE tenant = $1"),
                vec![Value::Whole(7)],
                None,
            );
        }
    });
    for (name, pause) in [
        ("polling every second", 1_000),
        ("polling as fast as it goes", 0),
    ] {
        add(name, "SELECT state FROM jobs", &|script| {
            script.list("author_id", &scattered(15));
            for _ in 0..30 {
                script.pause(pause).send(
                    "SELECT state FROM jobs WHERE id = $1",
                    vec![Value::Whole(104_729)],
                    None,
                );
            }
        });
    }
    add("page numbers", "SELECT title FROM pages", &|script| {
        let ids: Vec<Value> = (1..21).map(Value::Whole).collect();
        script
            .list("id", &ids)
            .each("SELECT title FROM pages OFFSET $1", &ids[..10]);
    });
    add("counting from one", "SELECT name FROM seats", &|script| {
        let ids: Vec<Value> = (1..101).map(Value::Whole).collect();
        script
            .list("id", &ids)
            .each("SELECT name FROM seats WHERE number = $1", &ids);
    });
    add("offsets of fifty", "SELECT title FROM pages", &|script| {
        let ids: Vec<Value> = (0..400).map(|n| Value::Whole(n * 2)).collect();
        let offsets: Vec<Value> = (0..8).map(|n| Value::Whole(n * 50)).collect();
        script.list("price", &ids);
        // Every second number is among the prices.
        for offset in &offsets {
            script.send(
                "SELECT title FROM pages LIMIT 50 OFFSET $1",
                vec![*offset],
                None,
            );
        }
    });
    add(
        "a tenant that is always the same",
        "SELECT name FROM settings",
        &|script| {
            let tenants = scattered(30);
            script.list("tenant_id", &tenants).each(
                "SELECT name FROM settings WHERE tenant_id = $1",
                &[tenants[4]; 20],
            );
        },
    );
    add("flags", "SELECT name FROM users", &|script| {
        let flags: Vec<Value> = (0..20).map(|n| Value::Other(n % 2)).collect();
        script
            .list("active", &flags)
            .each("SELECT name FROM users WHERE active = $1", &flags);
    });
    add("states", "SELECT count(*) FROM orders", &|script| {
        let words: Vec<Value> = ["new", "open", "paid", "sent", "done", "void"]
            .map(|word| script.reader.text(word))
            .to_vec();
        script
            .list("state", &words)
            .each("SELECT count(*) FROM orders WHERE state = $1", &words);
    });
    add(
        "days of the month",
        "SELECT sum(total) FROM orders",
        &|script| {
            let days: Vec<Value> = (1..31).map(Value::Whole).collect();
            script
                .list("day", &days)
                .each("SELECT sum(total) FROM orders WHERE day = $1", &days);
        },
    );
    add("years", "SELECT sum(total) FROM orders", &|script| {
        let years: Vec<Value> = (2015..2027).map(Value::Whole).collect();
        script
            .list("year", &years)
            .each("SELECT sum(total) FROM orders WHERE year = $1", &years);
    });
    add("an array", "SELECT name FROM authors", &|script| {
        script.list("author_id", &scattered(15));
        script.each(
            "SELECT name FROM authors WHERE id = ANY ($1)",
            &[Value::Many(15); 6],
        );
    });
    add(
        "lists of a hundred",
        "SELECT name FROM authors",
        &|script| {
            let ids = scattered(600);
            script.list("author_id", &ids);
            let places: Vec<String> = (1..101).map(|n| format!("${n}")).collect();
            let text = format!(
                "SELECT name FROM authors WHERE id IN ({})",
                places.join(", ")
            );
            for chunk in ids.chunks(100) {
                script.send(&text, chunk.to_vec(), None);
            }
        },
    );
    add("rows of VALUES", "INSERT INTO seen", &|script| {
        let ids = scattered(60);
        script.list("author_id", &ids);
        for pair in ids.chunks(2) {
            script.send(
                "INSERT INTO seen (id) VALUES ($1), ($2)",
                pair.to_vec(),
                None,
            );
        }
    });
    add("a queue", "SELECT id FROM jobs", &|script| {
        let ids = scattered(20);
        script.list("kind", &ids).each(
            "SELECT id FROM jobs WHERE kind = $1 LIMIT 1 FOR UPDATE SKIP LOCKED",
            &ids,
        );
    });
    add("a cursor", "FETCH", &|script| {
        script.list("author_id", &scattered(15));
        for _ in 0..20 {
            script.send(
                "FETCH 100 FROM c",
                Vec::new(),
                Some(rows(&[("id", &scattered(100))])),
            );
        }
    });
    add("retries after a conflict", "UPDATE accounts", &|script| {
        let ids = scattered(15);
        script.list("account_id", &ids);
        for id in &ids[..6] {
            script.send("UPDATE accounts SET a = 1 WHERE id = $1", vec![*id], None);
            script.executed.last_mut().unwrap().failed = true;
        }
    });
    add("fixtures between marks", "INSERT INTO posts", &|script| {
        let ids = scattered(15);
        script
            .list("author_id", &ids)
            .send("/* pgproof:off */ SELECT 1", Vec::new(), None);
        script.each("INSERT INTO posts (author_id) VALUES ($1)", &ids);
        script.send("/* pgproof:on */ SELECT 1", Vec::new(), None);
    });
    add("values before their rows", "INSERT INTO posts", &|script| {
        let ids = scattered(15);
        script
            .each("INSERT INTO posts (author_id) VALUES ($1)", &ids)
            .list("author_id", &ids);
    });
    add("values of another list", AUTHOR, &|script| {
        script.list("author_id", &scattered(30));
        let others: Vec<Value> = (0..30).map(|n| Value::Whole(n * 3_001 + 200_000)).collect();
        script.each(AUTHOR, &others);
    });
    add("half of the values from elsewhere", AUTHOR, &|script| {
        let ids = scattered(30);
        let mixed: Vec<Value> = ids
            .iter()
            .enumerate()
            .map(|(n, id)| {
                if n % 2 == 0 {
                    *id
                } else {
                    Value::Whole(200_000 + n as i64 * 977)
                }
            })
            .collect();
        script.list("author_id", &ids).each(AUTHOR, &mixed);
    });
    add(
        "identities that are near, of another table",
        "SELECT total FROM invoices",
        &|script| {
            let ids: Vec<Value> = (0..40).map(|n| Value::Whole(70_000 + n)).collect();
            let others: Vec<Value> = (5..17).map(|n| Value::Whole(70_000 + n)).collect();
            script
                .list("author_id", &ids)
                .each("SELECT total FROM invoices WHERE id = $1", &others);
        },
    );
    add("amounts", "SELECT rate FROM taxes", &|script| {
        let amounts = ["9.99", "19.99", "29.99", "49.99", "99.99", "5.49"]
            .map(|amount| script.reader.text(amount))
            .to_vec();
        script
            .list("price", &amounts)
            .each("SELECT rate FROM taxes WHERE price = $1", &amounts);
    });
    add("whole days", "SELECT sum(total) FROM orders", &|script| {
        let days: Vec<Value> = (1..15)
            .map(|day| script.reader.text(&format!("2026-03-{day:02}")))
            .collect();
        script
            .list("day", &days)
            .each("SELECT sum(total) FROM orders WHERE day = $1", &days);
    });
    add("two executions", AUTHOR, &|script| {
        let ids = scattered(2);
        script.list("author_id", &ids).each(AUTHOR, &ids);
    });
    add(
        "one request after the other, far apart",
        AUTHOR,
        &|script| {
            for n in 0..20_i64 {
                let id = Value::Whole(600_000 + n * 7_001);
                script.pause(400).send(
                    "SELECT id FROM sessions WHERE token = $1",
                    vec![Value::Whole(n)],
                    None,
                );
                script.send(AUTHOR, vec![id], None);
            }
        },
    );
    add(
        "the next page after the last row",
        "SELECT id FROM events",
        &|script| {
            let mut last = Value::Whole(0);
            for page in 0..8_i64 {
                let ids: Vec<Value> = (0..50)
                    .map(|n| Value::Whole(page * 90_000 + n * 1_777))
                    .collect();
                script.send(
                    "SELECT id FROM events WHERE id > $1 ORDER BY id LIMIT 50",
                    vec![last],
                    Some(rows(&[("id", &ids)])),
                );
                last = ids[49];
            }
        },
    );
    add(
        "short words of a search",
        "SELECT name FROM cities",
        &|script| {
            let words: Vec<Value> = ["ber", "berl", "berli", "berlin", "munich", "paris"]
                .map(|word| script.reader.text(word))
                .to_vec();
            script
                .list("word", &words)
                .each("SELECT name FROM cities WHERE name ^@ $1", &words);
        },
    );
    add(
        "drivers that ask for types",
        "SELECT typname FROM pg_type",
        &|script| {
            script.list("author_id", &scattered(12));
            let oids: Vec<Value> = (0..6).map(|n| Value::Whole(16_400 + n * 3)).collect();
            script.each("SELECT typname FROM pg_type WHERE oid = $1", &oids);
        },
    );
}

#[test]
fn proven_is_right_and_misses_little() {
    let mut cases = Vec::new();
    loops(&mut cases);
    disguises(&mut cases);
    look_alikes(&mut cases);
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
