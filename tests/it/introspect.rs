//! What introspection reads, on real servers of every supported version.

use pgproof::db::introspect;
use pgproof::schema::{
    DataType, Identity, KeyPart, PartitionStrategy, QualifiedName, Schema, Table, TableKind,
    TypeDefinition,
};

use crate::support::{self, TestDatabase};

const SCHEMA: &str = include_str!("introspect/schema.sql");

fn named<'s>(schema: &'s Schema, name: &str) -> &'s Table {
    schema
        .table(None, name)
        .unwrap_or_else(|| panic!("no table {name}"))
}

fn column(name: &str) -> KeyPart {
    KeyPart::Column(name.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_is_read_on_every_version() {
    for cluster in support::every_cluster() {
        let database = TestDatabase::copy_of(&cluster, "template1").await;
        database.execute(SCHEMA).await;
        let schema = introspect::schema(&database.session().await).await.unwrap();
        assert_eq!(schema.server.major(), cluster.version().major());
        check_tables(&schema);
        check_customers(&schema);
        check_orders(&schema);
        check_partitions(&schema);
        check_types(&schema);
        check_statistics(&schema);
    }
}

fn check_tables(schema: &Schema) {
    let names: Vec<String> = schema
        .tables
        .iter()
        .map(|table| table.name.to_string())
        .collect();
    let expected = [
        "base",
        "derived",
        "events",
        "events_1",
        "events_1_a",
        "events_x",
        "hashed",
        "notes",
        "orders",
        "shop.\"Customers\"",
    ];
    assert_eq!(names, expected);
    let (base, derived) = (named(schema, "base"), named(schema, "derived"));
    assert_eq!(derived.inherits, [base.oid]);
    assert_eq!(base.checks[0].expression, "(x > 0)");
    assert_eq!(derived.checks.len(), 1);
}

fn check_customers(schema: &Schema) {
    let table = named(schema, "Customers");
    assert!(table.row_security);
    // NOT NULL is no CHECK, though 18 keeps it as a constraint.
    let checks: Vec<&str> = table
        .checks
        .iter()
        .map(|check| check.expression.as_str())
        .collect();
    assert_eq!(checks, ["(email ~~ '%@%'::text)"]);
    let id = table.column("id").unwrap();
    assert_eq!((id.identity, id.not_null), (Some(Identity::Always), true));
    assert_eq!(
        id.sequence.as_ref().unwrap().name,
        QualifiedName::new("shop", "Customers_id_seq")
    );
    let tags = table.column("tags").unwrap();
    assert_eq!(tags.data_type.name, "character varying(20)[]");
    assert_eq!(tags.default.as_deref(), Some("'{}'::character varying[]"));
    let loud = table.column("loud").unwrap();
    assert_eq!(
        (
            loud.number,
            loud.generated.as_deref(),
            loud.default.as_deref()
        ),
        (6, Some("upper(email)"), None)
    );
    assert_eq!(table.primary_key(), ["id"]);
    let unique = table
        .indexes
        .iter()
        .find(|index| index.name == "customers_email_key")
        .unwrap();
    assert!(unique.deferrable && unique.unique && unique.constraint.is_some());
    let index = table
        .indexes
        .iter()
        .find(|index| index.name == "by_mail")
        .unwrap();
    assert_eq!(index.include, ["tags"]);
    assert_eq!(index.predicate.as_deref(), Some("(home IS NOT NULL)"));
    assert_eq!(
        index.keys[0].part,
        KeyPart::Expression("lower(email)".to_owned())
    );
    assert_eq!(
        index.keys[1].operator_class.as_deref(),
        Some("text_pattern_ops")
    );
    assert_eq!(index.keys[1].collation, None);
    assert_eq!(index.keys[2].collation.as_deref(), Some("POSIX"));
    assert_eq!(
        (index.keys[2].descending, index.keys[2].nulls_first),
        (true, false)
    );
    assert!(
        index.valid
            && !index.unique
            && index
                .definition
                .starts_with("CREATE INDEX by_mail ON shop.\"Customers\"")
    );
}

fn check_orders(schema: &Schema) {
    let table = named(schema, "orders");
    assert_eq!(table.primary_key(), ["b", "a"]);
    assert_eq!(
        table.column("a").unwrap().sequence.as_ref().unwrap().name,
        QualifiedName::new("public", "orders_a_seq")
    );
    assert_eq!(
        table.column("b").unwrap().sequence.as_ref().unwrap().name,
        QualifiedName::new("shop", "numbers")
    );
    assert!(table.column("price").unwrap().not_null, "by its domain");
    assert!(!table.column("status").unwrap().not_null);
    assert_eq!(table.insert_triggers, ["on_insert"]);
    assert_eq!(table.extended_statistics.len(), 1);
    let keys: Vec<_> = table
        .foreign_keys
        .iter()
        .map(|key| (key.name.as_str(), &*key.columns))
        .collect();
    assert_eq!(
        keys,
        [
            ("orders_customer_fkey", &["customer".to_owned()][..]),
            (
                "parent",
                &["parent_b".to_owned(), "parent_a".to_owned()][..]
            )
        ]
    );
    let (customer, parent) = (&table.foreign_keys[0], &table.foreign_keys[1]);
    assert!(customer.deferrable && customer.validated && !customer.match_full);
    assert_eq!(
        customer.referenced_table,
        QualifiedName::new("shop", "Customers")
    );
    assert!(!parent.deferrable && !parent.validated && parent.match_full);
    assert_eq!(
        (parent.references, &*parent.referenced_columns),
        (table.oid, &["b".to_owned(), "a".to_owned()][..])
    );
    let [busy] = table.exclusions.as_slice() else {
        panic!("{:?}", table.exclusions)
    };
    assert_eq!(
        busy.parts,
        [
            (column("rooms"), "=".to_owned()),
            (column("during"), "&&".to_owned())
        ]
    );
    assert_eq!(
        busy.predicate.as_deref(),
        Some("(status <> 'new'::shop.status)")
    );
}

fn check_partitions(schema: &Schema) {
    let (events, one, leaf) = (
        named(schema, "events"),
        named(schema, "events_1"),
        named(schema, "events_1_a"),
    );
    assert_eq!(
        (events.kind, one.kind, leaf.kind),
        (
            TableKind::Partitioned,
            TableKind::Partitioned,
            TableKind::Ordinary
        )
    );
    let key = events.partition_key.as_ref().unwrap();
    assert_eq!(
        (key.strategy, &*key.parts),
        (PartitionStrategy::Range, &[column("at")][..])
    );
    let of = leaf.partition_of.as_ref().unwrap();
    assert_eq!(
        (of.parent, of.root, of.bound.as_str()),
        (one.oid, events.oid, "FOR VALUES IN ('a', 'b')")
    );
    assert_eq!(
        named(schema, "events_x")
            .partition_of
            .as_ref()
            .unwrap()
            .bound,
        "DEFAULT"
    );
    assert_eq!(leaf.indexes[0].parent, Some(one.indexes[0].oid));
    let hashed = named(schema, "hashed").partition_key.as_ref().unwrap();
    assert_eq!(hashed.strategy, PartitionStrategy::Hash);
    assert_eq!(
        hashed.parts,
        [KeyPart::Expression("lower(y)".to_owned()), column("x")]
    );
    // One key, not one for each partition that it points to.
    let notes = &named(schema, "notes").foreign_keys;
    assert_eq!((notes.len(), notes[0].references), (1, events.oid));
}

fn check_types(schema: &Schema) {
    let of = |table: &str, name: &str| {
        let data_type = &named(schema, table).column(name).unwrap().data_type;
        &schema.user_type(data_type.oid).unwrap().definition
    };
    assert_eq!(
        *of("orders", "status"),
        TypeDefinition::Enum(vec!["new".into(), "paid".into(), "it's".into()])
    );
    let TypeDefinition::Domain {
        base,
        not_null: false,
        checks,
        default: Some(_),
    } = of("orders", "price")
    else {
        panic!()
    };
    assert!(checks.is_empty());
    let TypeDefinition::Domain {
        base,
        not_null: true,
        checks,
        default,
    } = &schema.user_type(base.oid).unwrap().definition
    else {
        panic!()
    };
    assert_eq!(
        (base.name.as_str(), default.as_deref()),
        ("bigint", Some("0"))
    );
    assert_eq!(
        (checks[0].name.as_str(), checks[0].expression.as_str()),
        ("cents_check", "(VALUE >= 0)")
    );
    assert_eq!((checks.len(), checks[1].name.as_str()), (2, "low"));
    let fields = vec![
        (
            "street".to_owned(),
            DataType {
                oid: 25,
                modifier: -1,
                name: "text".into(),
            },
        ),
        (
            "postcode".to_owned(),
            DataType {
                oid: 1043,
                modifier: 20,
                name: "character varying(16)".into(),
            },
        ),
    ];
    assert_eq!(*of("Customers", "home"), TypeDefinition::Composite(fields));
    let TypeDefinition::Array(element) = of("Customers", "tags") else {
        panic!()
    };
    assert_eq!(element.oid, 1043);
    let TypeDefinition::Range(subtype) = of("orders", "spans") else {
        panic!()
    };
    assert_eq!(subtype.name, "numeric");
    assert!(
        matches!(of("orders", "during"), TypeDefinition::Range(subtype) if subtype.oid == 1184)
    );
}

fn check_statistics(schema: &Schema) {
    let base = named(schema, "base");
    assert_eq!((base.stats.rows, base.stats.pages.0), (Some(101.0), 1));
    let stats = base.columns[0].stats.as_ref().unwrap();
    assert_eq!((stats.distinct, stats.average_width), (4.0, 4));
    assert!((stats.null_fraction - 1.0 / 101.0).abs() < 1e-6);
    let mut values: Vec<&str> = stats
        .most_common
        .iter()
        .map(|(value, _)| value.as_str())
        .collect();
    values.sort_unstable();
    assert_eq!(values, ["1", "2", "3", "4"]);
    let never = named(schema, "orders");
    assert_eq!(
        (never.stats.rows, never.columns[0].stats.is_none()),
        (None, true)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_tables_are_read() {
    let database = support::database().await;
    let make = "DO $$ BEGIN FOR n IN 1..1000 LOOP
        EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, a text CHECK (a <> ''''), b int REFERENCES t%s, c numeric(9,2), d timestamptz, e text[])',
            n, greatest(n - 1, 1));
        EXECUTE format('CREATE INDEX ON t%s (a, d)', n);
        IF n % 50 = 0 THEN COMMIT; END IF;
    END LOOP; END $$";
    database.execute(make).await;
    let session = database.session().await;
    let schema = introspect::schema(&session).await.unwrap();
    assert_eq!(schema.tables.len(), 1000);
    assert_eq!(
        schema
            .tables
            .iter()
            .map(|table| table.indexes.len())
            .sum::<usize>(),
        2000
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_without_rights_reads_the_keys() {
    let database = support::database().await;
    database.execute(SCHEMA).await;
    let session = database.session().await;
    session
        .client()
        .batch_execute("CREATE ROLE pgproof_test_reader")
        .await
        .ok();
    session
        .client()
        .batch_execute("SET ROLE pgproof_test_reader")
        .await
        .unwrap();
    let schema = introspect::schema(&session).await.unwrap();
    assert_eq!(named(&schema, "orders").foreign_keys.len(), 2);
    session
        .client()
        .batch_execute("RESET ROLE; DROP ROLE pgproof_test_reader")
        .await
        .unwrap();
}
