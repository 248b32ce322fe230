//! Laravel: migrations in PHP; a dump of the schema where there is one.

use crate::repository::listing::{folder, in_folder};
use crate::repository::{Found, Listing};

pub(in crate::repository) fn find(listing: &Listing) -> Vec<Found> {
    let mut all = Vec::new();
    for file in listing.named(&["artisan"]) {
        let at = folder(file);
        let dump = [
            "database/schema/pgsql-schema.sql",
            "database/schema/pgsql-schema.dump",
        ]
        .iter()
        .map(|name| at.join(name))
        .find(|path| listing.has(path));
        let migrations = at.join("database/migrations");
        match dump {
            Some(dump) => {
                let mut found = Found::files("Laravel (schema dump)", dump, None);
                found.note = Some(
                    "migrations that are newer than the dump are not in it: php artisan schema:dump writes it anew"
                        .to_owned(),
                );
                all.push(found);
            }
            None if listing.has_folder(&migrations) => all.push(Found::program(
                "Laravel",
                file,
                migrations,
                in_folder(
                    at,
                    "DB_CONNECTION=pgsql DB_URL=\"$DATABASE_URL\" php artisan migrate --force",
                ),
            )),
            None => {}
        }
    }
    all
}
