//! Django: migrations in Python, applied by manage.py.

use crate::repository::listing::{folder, in_folder, python};
use crate::repository::{Found, Listing};

pub(in crate::repository) fn find(listing: &Listing) -> Vec<Found> {
    listing
        .named(&["manage.py"])
        .filter(|file| {
            listing
                .text(file)
                .is_some_and(|text| text.contains("django"))
        })
        .map(|file| {
            let mut found = Found::program(
                "Django",
                file,
                folder(file),
                in_folder(
                    folder(file),
                    &format!("{} manage.py migrate", python(listing, folder(file))),
                ),
            );
            found.note = Some(
                "settings have to take the database from DATABASE_URL (dj-database-url, environ) or the PG* variables, which pgproof sets"
                    .to_owned(),
            );
            found
        })
        .collect()
}
