//! Alembic (and Flask-Migrate): migrations in Python.

use crate::repository::listing::{folder, in_folder};
use crate::repository::{Found, Listing};

pub(in crate::repository) fn find(listing: &Listing) -> Vec<Found> {
    listing
        .named(&["alembic.ini"])
        .map(|file| {
            let at = folder(file);
            // Flask-Migrate keeps alembic.ini beside the migrations, and applies them through the application.
            let flask = at.ends_with("migrations");
            let home = if flask { folder(at) } else { at };
            let command = if flask {
                "flask db upgrade"
            } else {
                "alembic upgrade head"
            };
            let mut found = Found::program(
                if flask { "Flask-Migrate" } else { "Alembic" },
                file,
                reads(listing, file),
                in_folder(home, command),
            );
            found.note = Some(
                "env.py has to take the database from DATABASE_URL, which pgproof sets".to_owned(),
            );
            found
        })
        .collect()
}

/// `script_location`, relative to the file.
fn reads(listing: &Listing, file: &std::path::Path) -> std::path::PathBuf {
    let text = listing.text(file).unwrap_or_default();
    let location = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .find(|(key, _)| key.trim() == "script_location")
        .map(|(_, value)| value.trim().replace("%(here)s/", "").replace(':', "/"))
        .filter(|value| !value.is_empty() && value != ".");
    let at = folder(file);
    location
        .map(|location| at.join(location))
        .filter(|path| listing.has_folder(path))
        .unwrap_or_else(|| at.to_path_buf())
}
