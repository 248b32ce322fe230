//! What only looks like a loop over rows, and must not be proven.

use pgproof::trace::value::Value;

use super::{AUTHOR, Case, Label, Script, case, rows, scattered};

/// What only looks like a loop over rows.
pub(super) fn look_alikes(cases: &mut Vec<Case>) {
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
    for (name, picks) in [
        ("people who each open a row of one list", 20),
        ("people who open every row of a list in the end", 200),
    ] {
        add(name, AUTHOR, &|script| {
            let ids = scattered(25);
            for connection in 0..8 {
                script.session = connection;
                script.list("author_id", &ids);
            }
            for n in 0..picks {
                script.session = n as u64 % 8;
                script.send(AUTHOR, vec![ids[(n * n * 3 + n / 5) % 25]], None);
            }
        });
    }
    add("pages in parallel", "SELECT title FROM pages", &|script| {
        let ids: Vec<Value> = (1..41).map(Value::Whole).collect();
        script.list("id", &ids);
        for (n, page) in ids.iter().enumerate() {
            script.session = n as u64 % 6;
            script.send("SELECT title FROM pages OFFSET $1", vec![*page], None);
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
