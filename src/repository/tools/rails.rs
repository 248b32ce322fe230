//! Rails: db/structure.sql holds the whole schema; db/schema.rb and db/migrate need Rails.

use crate::repository::listing::{folder, in_folder};
use crate::repository::{Found, Listing};

pub(in crate::repository) fn find(listing: &Listing) -> Vec<Found> {
    let mut all = Vec::new();
    for file in listing.named(&["structure.sql"]) {
        if folder(file).ends_with("db") {
            all.push(Found::files("Rails (db/structure.sql)", file, None));
        }
    }
    for file in listing.named(&["schema.rb"]) {
        let db = folder(file);
        if !db.ends_with("db") || listing.has(&db.join("structure.sql")) {
            continue;
        }
        let mut found = Found::program(
            "Rails (db/schema.rb)",
            file,
            file,
            in_folder(folder(db), "RAILS_ENV=test bin/rails db:schema:load"),
        );
        found.note = Some(
            "the gems have to be installed; `config.active_record.schema_format = :sql` makes a db/structure.sql, which needs no Rails"
                .to_owned(),
        );
        all.push(found);
    }
    all
}
