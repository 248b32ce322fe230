//! Alembic (and Flask-Migrate): migrations in Python. Its folder holds env.py and a template; alembic.ini, or pyproject.toml,
//! lies beside it or above.

use std::path::{Path, PathBuf};

use crate::repository::listing::{folder, in_folder, python};
use crate::repository::{Found, Listing};

pub(in crate::repository) fn find(listing: &Listing) -> Vec<Found> {
    let mut all: Vec<Found> = listing
        .named(&["alembic.ini"])
        .map(|file| of_configuration(listing, file))
        .collect();
    all.extend(without_configuration(listing));
    all
}

fn of_configuration(listing: &Listing, file: &Path) -> Found {
    let at = folder(file);
    // Flask-Migrate keeps alembic.ini beside the migrations, and applies them through the application.
    let flask = at.ends_with("migrations");
    let home = if flask { folder(at) } else { at };
    let module = if flask {
        "flask db upgrade"
    } else {
        "alembic upgrade head"
    };
    let tool = if flask { "Flask-Migrate" } else { "Alembic" };
    noted(Found::program(
        tool,
        file,
        reads(listing, file),
        in_folder(home, &format!("{} -m {module}", python(listing, home))),
    ))
}

/// A folder with env.py and script.py.mako that no alembic.ini names: pyproject.toml does, or the application itself.
fn without_configuration(listing: &Listing) -> Vec<Found> {
    listing
        .named(&["script.py.mako"])
        .map(folder)
        .filter(|at| listing.has(&at.join("env.py")))
        .filter(|at| {
            let mut above = at.ancestors();
            !above.any(|above| listing.has(&above.join("alembic.ini")))
        })
        .map(|at| {
            let home = at
                .ancestors()
                .skip(1)
                .find(|above| listing.has(&above.join("pyproject.toml")))
                .unwrap_or(Path::new(""));
            let command = format!("{} -m alembic upgrade head", python(listing, home));
            noted(Found::program("Alembic", at, at, in_folder(home, &command)))
        })
        .collect()
}

fn noted(mut found: Found) -> Found {
    found.note =
        Some("env.py has to take the database from DATABASE_URL, which pgproof sets".to_owned());
    found
}

/// `script_location`, relative to the file.
fn reads(listing: &Listing, file: &Path) -> PathBuf {
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
