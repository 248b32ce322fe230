//! Liquibase with changelogs in XML, YAML or JSON: only Liquibase can apply them. Its formatted SQL is read by `sql_migrations`.

use crate::repository::listing::folder;
use crate::repository::{Found, Listing};

pub(in crate::repository) fn find(listing: &Listing) -> Vec<Found> {
    listing
        .files()
        .filter(|file| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            name.contains("changelog")
                && [".xml", ".yaml", ".yml", ".json"]
                    .iter()
                    .any(|ending| name.ends_with(ending))
        })
        .filter(|file| {
            listing.text(file).is_some_and(|text| {
                text.contains("databaseChangeLog") && (text.contains("<include") || text.contains("include"))
            })
        })
        .take(1)
        .map(|file| {
            let mut found = Found::program(
                "Liquibase",
                file,
                folder(file),
                format!(
                    "liquibase --changelog-file='{}' --url=\"jdbc:postgresql://$PGHOST:$PGPORT/$PGDATABASE?user=$PGUSER\" update",
                    file.display()
                ),
            );
            found.note = Some("changelogs in XML, YAML or JSON need the liquibase program".to_owned());
            found
        })
        .collect()
}
