//! Types that are not plain built-in ones.

use tokio_postgres::Row;

use crate::schema::{Check, DataType, QualifiedName, TypeDefinition, UserType};

/// Ordered by OID.
pub(super) fn user_types(rows: &[Row]) -> Vec<UserType> {
    rows.iter()
        .map(|row| UserType {
            oid: row.get("oid"),
            name: QualifiedName::new(row.get::<_, &str>("schema"), row.get::<_, &str>("name")),
            definition: definition(row),
        })
        .collect()
}

fn definition(row: &Row) -> TypeDefinition {
    let inner = || inner_type(row);
    match row.get("kind") {
        "e" => TypeDefinition::Enum(row.get("labels")),
        "c" => TypeDefinition::Composite(fields(row)),
        "d" => inner().map_or(TypeDefinition::Base, |base| TypeDefinition::Domain {
            base,
            not_null: row.get("not_null"),
            checks: checks(row),
            default: row.get("default_value"),
        }),
        "a" => inner().map_or(TypeDefinition::Base, TypeDefinition::Array),
        "r" => inner().map_or(TypeDefinition::Base, TypeDefinition::Range),
        "m" => inner().map_or(TypeDefinition::Base, TypeDefinition::Multirange),
        _ => TypeDefinition::Base,
    }
}

/// An array's element, a domain's base, a range's subtype, a multirange's range.
fn inner_type(row: &Row) -> Option<DataType> {
    Some(DataType {
        oid: row.get::<_, Option<u32>>("inner_oid")?,
        modifier: row.get::<_, Option<i32>>("inner_modifier")?,
        name: row.get::<_, Option<String>>("inner_name")?,
    })
}

fn fields(row: &Row) -> Vec<(String, DataType)> {
    let names: Option<Vec<String>> = row.get("field_names");
    let oids: Option<Vec<u32>> = row.get("field_oids");
    let modifiers: Option<Vec<i32>> = row.get("field_modifiers");
    let types: Option<Vec<String>> = row.get("field_types");
    let data_types = oids
        .into_iter()
        .flatten()
        .zip(modifiers.into_iter().flatten())
        .zip(types.into_iter().flatten());
    names
        .into_iter()
        .flatten()
        .zip(data_types)
        .map(|(field, ((oid, modifier), name))| {
            (
                field,
                DataType {
                    oid,
                    modifier,
                    name,
                },
            )
        })
        .collect()
}

fn checks(row: &Row) -> Vec<Check> {
    let names: Option<Vec<String>> = row.get("check_names");
    let expressions: Option<Vec<String>> = row.get("check_expressions");
    let validated: Option<Vec<bool>> = row.get("check_validated");
    names
        .into_iter()
        .flatten()
        .zip(expressions.into_iter().flatten())
        .zip(validated.into_iter().flatten())
        .map(|((name, expression), validated)| Check {
            name,
            expression,
            validated,
        })
        .collect()
}
