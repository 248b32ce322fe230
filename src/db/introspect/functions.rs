//! Functions of the schema's own, put into the constraints that call them.

use tokio_postgres::Row;

use crate::schema::{Check, Table, TypeDefinition, UserType};
use crate::seed::check::inline::{Function, inlined};

/// Each CHECK that calls one of them has its body instead, where that is one expression.
pub(super) fn inline(rows: &[Row], tables: &mut [Table], types: &mut [UserType]) {
    let functions: Vec<Function> = rows.iter().map(function).collect();
    if functions.is_empty() {
        return;
    }
    let of_types = types
        .iter_mut()
        .filter_map(|found| match &mut found.definition {
            TypeDefinition::Domain { checks, .. } => Some(checks),
            _ => None,
        });
    let checks = tables
        .iter_mut()
        .map(|table| &mut table.checks)
        .chain(of_types)
        .flatten();
    for Check { expression, .. } in checks {
        if let Some(understood) = inlined(expression, &functions) {
            *expression = understood;
        }
    }
}

fn function(row: &Row) -> Function {
    let count: i32 = row.get("argument_count");
    let mut arguments: Vec<String> = row
        .get::<_, Option<Vec<String>>>("argument_names")
        .unwrap_or_default();
    arguments.resize(usize::try_from(count).unwrap_or_default(), String::new());
    let body = row.get::<_, Option<String>>("body").unwrap_or_default();
    Function {
        schema: row.get("schema"),
        name: row.get("name"),
        arguments,
        body,
    }
}
