//! Liquibase with changelogs in XML, YAML or JSON: only Liquibase can apply them. Its formatted SQL is read by `sql_migrations`.

use std::path::Path;

use crate::repository::listing::folder;
use crate::repository::{Found, Listing};

const ENDINGS: [&str; 4] = ["xml", "yaml", "yml", "json"];

pub(in crate::repository) fn find(listing: &Listing) -> Vec<Found> {
    let changelogs = listing.files().filter(|file| is_called_so(file));
    let changelogs = changelogs.filter_map(|file| Some((file, listing.text(file)?)));
    let changelogs = changelogs.filter(|(_, text)| text.contains("databaseChangeLog"));
    // One that includes others is the whole; of those that do not, the longest.
    let whole = changelogs.max_by_key(|(_, text)| (text.contains("include"), text.len()));
    whole.map(|(file, _)| program(file)).into_iter().collect()
}

/// Whether a file or a folder that it is in says so.
fn is_called_so(file: &Path) -> bool {
    let is_of_kind = file
        .extension()
        .is_some_and(|found| ENDINGS.iter().any(|ending| found == *ending));
    is_of_kind
        && file
            .to_string_lossy()
            .to_ascii_lowercase()
            .contains("changelog")
}

fn program(file: &Path) -> Found {
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
}
