//! Loops over rows, which have to be proven.

use pgproof::trace::value::{Value, ValueReader};

use super::{AUTHOR, Case, Label, Script, case, rows, scattered};

/// Loops of every shape.
pub(super) fn loops(cases: &mut Vec<Case>) {
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
    for connections in [2, 4, 10] {
        add(
            &format!("a pool of {connections} connections"),
            AUTHOR,
            &|script| {
                let ids = scattered(40);
                script.list("author_id", &ids);
                for (n, id) in ids.iter().enumerate() {
                    script.session = n as u64 % connections;
                    script.send(AUTHOR, vec![*id], None);
                }
            },
        );
    }
    add("two requests over one pool", AUTHOR, &|script| {
        let (one, other) = (scattered(80)[..40].to_vec(), scattered(80)[40..].to_vec());
        script.list("author_id", &one);
        script.session = 5;
        script.list("author_id", &other);
        for (n, (one, other)) in one.iter().zip(&other).enumerate() {
            for (id, first) in [(one, 0), (other, 4)] {
                script.session = first + n as u64 % 4;
                script.send(AUTHOR, vec![*id], None);
            }
        }
    });
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
pub(super) fn disguises(cases: &mut Vec<Case>) {
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
