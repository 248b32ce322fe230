//! Plans for tests that need no server: a schema made in code.

#![allow(clippy::unwrap_used, dead_code, unreachable_pub)] // shared by several test binaries

use std::collections::BTreeMap;

use pgproof::schema::{
    Check, Column, DataType, ForeignKey, Identity, Index, IndexKey, QualifiedName, Schema,
    ServerVersion, Table,
};
use pgproof::seed::{Options, SeedPlan, Spec, resolve};

/// Two tables with a realistic mix of columns.
pub fn realistic(rows: u64) -> SeedPlan {
    let options = Options {
        all_rows: Some(rows),
        ..Options::default()
    };
    resolve(&shop(), &Spec::default(), &options, &BTreeMap::new()).unwrap()
}

/// Customers and their orders.
pub fn shop() -> Schema {
    let customers = table(
        1,
        "customers",
        vec![
            identity("id"),
            column("email", 25, "text", -1),
            column("full_name", 25, "text", -1),
            column("phone", 1043, "character varying(32)", 36),
            column("city", 25, "text", -1),
            column("active", 16, "boolean", -1),
            column("balance", 1700, "numeric(12,2)", 4 + (12 << 16) + 2),
            column("external_id", 2950, "uuid", -1),
            column("last_ip", 869, "inet", -1),
            column("preferences", 3802, "jsonb", -1),
            column("notes", 25, "text", -1),
            column("created_at", 1184, "timestamp with time zone", -1),
            column("updated_at", 1184, "timestamp with time zone", -1),
        ],
    );
    let mut orders = table(
        2,
        "orders",
        vec![
            identity("id"),
            column("customer_id", 20, "bigint", -1),
            column("status", 25, "text", -1),
            column("order_number", 1043, "character varying(20)", 24),
            column("quantity", 23, "integer", -1),
            column("total", 1700, "numeric(10,2)", 4 + (10 << 16) + 2),
            column("score", 701, "double precision", -1),
            column("ordered_on", 1082, "date", -1),
            column("placed_at", 1184, "timestamp with time zone", -1),
        ],
    );
    orders.foreign_keys.push(ForeignKey {
        name: "orders_customer_id_fkey".into(),
        columns: vec!["customer_id".into()],
        references: 1,
        referenced_table: QualifiedName::new("public", "customers"),
        referenced_columns: vec!["id".into()],
        match_full: false,
        deferrable: false,
        validated: true,
        definition: String::new(),
    });
    orders
        .indexes
        .push(unique(22, "orders_number_key", "order_number"));
    orders.checks.push(Check {
        name: "orders_status_check".into(),
        expression: "(status = ANY (ARRAY['open'::text, 'paid'::text, 'shipped'::text]))".into(),
        validated: true,
    });
    let mut customers = customers;
    customers
        .indexes
        .push(unique(12, "customers_email_key", "email"));
    Schema {
        server: ServerVersion(150_000),
        tables: vec![customers, orders],
        materialized_views: Vec::new(),
        types: Vec::new(),
    }
}

/// One table `things` of an `id` and a column `v`, which may be unique and may have a CHECK.
pub fn things(
    column_type: (u32, &str, i32),
    not_null: bool,
    is_unique: bool,
    check: Option<&str>,
) -> Schema {
    let (oid, name, modifier) = column_type;
    let v = Column {
        not_null,
        ..column("v", oid, name, modifier)
    };
    let mut things = table(1, "things", vec![identity("id"), v]);
    if is_unique {
        things.indexes.push(unique(13, "things_v_key", "v"));
    }
    things.checks.extend(check.map(|expression| Check {
        name: "things_v_check".into(),
        expression: expression.to_owned(),
        validated: true,
    }));
    Schema {
        server: ServerVersion(150_000),
        tables: vec![things],
        materialized_views: Vec::new(),
        types: Vec::new(),
    }
}

fn table(oid: u32, name: &str, columns: Vec<Column>) -> Table {
    let columns = columns
        .into_iter()
        .enumerate()
        .map(|(at, column)| Column {
            number: at as i16 + 1,
            ..column
        })
        .collect();
    let mut table = Table {
        columns,
        ..Table::bare(oid, QualifiedName::new("public", name))
    };
    table.indexes.push(Index {
        primary: true,
        ..unique(oid * 10 + 1, &format!("{name}_pkey"), "id")
    });
    table
}

fn unique(oid: u32, name: &str, column: &str) -> Index {
    Index {
        unique: true,
        constraint: Some(name.to_owned()),
        ..Index::btree(oid, name, vec![IndexKey::column(column)])
    }
}

fn column(name: &str, oid: u32, type_name: &str, modifier: i32) -> Column {
    Column {
        name: name.to_owned(),
        number: 0,
        data_type: DataType {
            oid,
            modifier,
            name: type_name.to_owned(),
        },
        not_null: name != "notes" && name != "phone",
        default: None,
        identity: None,
        generated: None,
        sequence: None,
        stats: None,
    }
}

fn identity(name: &str) -> Column {
    Column {
        identity: Some(Identity::Always),
        ..column(name, 20, "bigint", -1)
    }
}
