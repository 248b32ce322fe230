use super::*;

#[test]
fn indexes_with_and_without_concurrently() {
    let read = |sql: &str| match read(sql) {
        Ddl::CreateIndex {
            concurrently,
            after_index,
            ..
        }
        | Ddl::DropIndex {
            concurrently,
            after_index,
            ..
        } => (concurrently, sql[..after_index].to_owned()),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        read("create unique index i on t (a)"),
        (false, "create unique index".to_owned())
    );
    assert!(read("CREATE /* x */ INDEX CONCURRENTLY ON t (a)").0);
    assert_eq!(
        read("DROP INDEX IF EXISTS i"),
        (false, "DROP INDEX".to_owned())
    );
}

#[test]
fn actions_of_alter_table() {
    let Ddl::AlterTable {
        table,
        actions,
        plain: false,
        ..
    } = read(
        "ALTER TABLE IF EXISTS shop.\"Order\" ADD CONSTRAINT c CHECK (a > 0 AND b IN (1, 2)), ALTER a SET NOT NULL, \
             ALTER COLUMN b TYPE bigint, ADD COLUMN x text, ADD UNIQUE (a, b), ADD FOREIGN KEY (a) REFERENCES t NOT VALID",
    )
    else {
        panic!()
    };
    assert_eq!(table, "shop.\"Order\"");
    let kinds: Vec<String> = actions
        .iter()
        .map(|a| {
            format!("{a:?}")
                .split([' ', '{'])
                .next()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "AddConstraint",
            "SetNotNull",
            "ChangeType",
            "AddColumn",
            "AddKey",
            "AddConstraint"
        ]
    );
    assert!(matches!(
        &actions[5],
        Action::AddConstraint {
            not_valid: true,
            kind: ConstraintKind::ForeignKey,
            ..
        }
    ));
}

#[test]
fn types_are_found_as_they_are_written() {
    let action = |sql: &str| match read(sql) {
        Ddl::AlterTable { mut actions, .. } => actions.remove(0),
        other => panic!("{other:?}"),
    };
    let sql = "ALTER TABLE t ALTER COLUMN a SET DATA TYPE numeric(12, 2)";
    let Action::ChangeType {
        data_type,
        plain: true,
        ..
    } = action(sql)
    else {
        panic!()
    };
    assert_eq!(&sql[data_type], "numeric(12, 2)");
    let sql = "ALTER TABLE t ALTER a TYPE int USING a::int";
    assert!(matches!(
        action(sql),
        Action::ChangeType { plain: false, .. }
    ));
}

#[test]
fn deletes_and_rebuilds() {
    let sql = "DELETE FROM shop.events WHERE at < now() - interval '1 year'";
    let Ddl::Delete {
        table,
        condition: Some(condition),
    } = read(sql)
    else {
        panic!()
    };
    assert_eq!(
        (table.as_str(), &sql[condition]),
        ("shop.events", "at < now() - interval '1 year'")
    );
    assert_eq!(read("DELETE FROM a USING b WHERE a.id = b.id"), Ddl::Other);
    assert_eq!(
        read("vacuum (full, analyze) a"),
        Ddl::Compact(Compaction::VacuumFull)
    );
    assert_eq!(read("VACUUM (ANALYZE) a"), Ddl::Other);
    assert_eq!(
        read("REINDEX INDEX CONCURRENTLY i"),
        Ddl::CanBeConcurrent {
            concurrently: true,
            after: 13
        }
    );
    assert_eq!(
        read("REFRESH MATERIALIZED VIEW v"),
        Ddl::CanBeConcurrent {
            concurrently: false,
            after: 25
        }
    );
}

#[test]
fn updates_with_and_without_condition() {
    let sql = "UPDATE orders SET a = (SELECT 1 WHERE true), b = 2 WHERE a IS NULL";
    let Ddl::Update {
        table,
        set,
        condition,
    } = read(sql)
    else {
        panic!()
    };
    assert_eq!(
        (table.as_str(), &sql[set], &sql[condition.unwrap()]),
        ("orders", "a = (SELECT 1 WHERE true), b = 2", "a IS NULL")
    );
    assert_eq!(read("UPDATE a SET x = 1 FROM b"), Ddl::Other);
    let sql = "UPDATE t SET a = b WHERE a IS DISTINCT FROM b";
    let Ddl::Update {
        condition: Some(condition),
        ..
    } = read(sql)
    else {
        panic!()
    };
    assert_eq!(&sql[condition], "a IS DISTINCT FROM b");
}

#[test]
fn words_inside_expressions_and_names_say_nothing() {
    let action = |sql: &str| match read(sql) {
        Ddl::AlterTable { mut actions, .. } => actions.remove(0),
        other => panic!("{sql}: {other:?}"),
    };
    assert!(matches!(
        action("ALTER TABLE t ADD CONSTRAINT c CHECK (NOT valid)"),
        Action::AddConstraint {
            not_valid: false,
            ..
        }
    ));
    for sql in [
        "ALTER TABLE t ADD COLUMN identity text",
        "ALTER TABLE t ADD COLUMN a serial_number",
        "ALTER TABLE t ADD COLUMN a text DEFAULT 'identity'",
    ] {
        let Action::AddColumn { definition, .. } = action(sql) else {
            panic!("{sql}")
        };
        assert!(matches!(definition, NewColumn::Written(_)), "{sql}");
    }
}

#[test]
fn partitions_go_and_domains_are_checked() {
    let action = |sql: &str| match read(sql) {
        Ddl::AlterTable { mut actions, .. } => actions.remove(0),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        action("ALTER TABLE events DETACH PARTITION events_1"),
        Action::DetachPartition
    );
    assert_eq!(
        action("ALTER TABLE events DETACH PARTITION events_1 CONCURRENTLY"),
        Action::Other
    );
    let sql = "ALTER DOMAIN shop.price ADD CONSTRAINT sane CHECK (VALUE > 0)";
    let Ddl::DomainCheck {
        domain,
        name,
        text,
        not_valid: false,
    } = read(sql)
    else {
        panic!("{:?}", read(sql))
    };
    assert_eq!(
        (domain.as_str(), name.as_deref(), &sql[text]),
        ("shop.price", Some("sane"), "CHECK (VALUE > 0)")
    );
    assert!(matches!(
        read("ALTER DOMAIN price ADD CHECK (VALUE > 0) NOT VALID"),
        Ddl::DomainCheck {
            not_valid: true,
            ..
        }
    ));
    assert_eq!(read("ALTER DOMAIN price DROP NOT NULL"), Ddl::Other);
}

#[test]
fn broken_statements_are_other() {
    for sql in [
        "",
        "ALTER",
        "ALTER TABLE",
        "ALTER TABLE t ADD",
        "UPDATE t",
        "UPDATE t SET",
        "DROP INDEX",
        "CREATE INDEX",
        "ALTER TABLE t ADD CONSTRAINT",
    ] {
        assert_eq!(read(sql), Ddl::Other, "{sql}");
    }
}
