//! What measurements on a dataset depend on beside its rows: the server's build, its settings, and what its roles may do.

use super::{Dataset, DatasetError};
use crate::db::connect::Session;
use crate::db::server::Cluster;
use crate::interrupt::Interrupt;

/// The database's OID tells a dataset from one that was made again; a setting of a role or a database outlives both.
const QUERY: &str = "SELECT pg_catalog.concat_ws(' ', \
    pg_catalog.version(), \
    (SELECT system_identifier FROM pg_catalog.pg_control_system()), \
    (SELECT oid FROM pg_catalog.pg_database WHERE datname = $1), \
    (SELECT pg_catalog.md5(pg_catalog.string_agg(name || '=' || setting, ',' ORDER BY name)) \
     FROM pg_catalog.pg_settings \
     WHERE category LIKE ANY ('{Query Tuning%,Resource Usage%,Client Connection Defaults%,Preset%,Version and%,Customized%}')), \
    (SELECT pg_catalog.md5(pg_catalog.string_agg(s::text, ',' ORDER BY s::text)) FROM pg_catalog.pg_db_role_setting AS s \
     WHERE setdatabase = 0), \
    (SELECT pg_catalog.md5(pg_catalog.string_agg(pg_catalog.concat_ws(' ', oid, rolname, rolsuper, rolinherit, rolbypassrls), \
                           ',' ORDER BY oid)) FROM pg_catalog.pg_roles), \
    (SELECT pg_catalog.md5(pg_catalog.string_agg(pg_catalog.concat_ws(' ', roleid, member), ',' ORDER BY roleid, member)) \
     FROM pg_catalog.pg_auth_members))";

/// As a text that is equal only where measurements may be compared.
///
/// # Errors
/// [`DatasetError`].
pub async fn environment(
    cluster: &Cluster,
    dataset: &Dataset,
    interrupt: &Interrupt,
) -> Result<String, DatasetError> {
    let session = Session::open(&cluster.url("postgres"), interrupt).await?;
    let row = session
        .client()
        .query_one(QUERY, &[&dataset.database])
        .await
        .map_err(|error| DatasetError::refused("read the server's settings", &error))?;
    session.close().await;
    Ok(format!(
        "{} {}",
        dataset.fingerprint,
        row.get::<_, String>(0)
    ))
}
