//! Ecto: migrations in Elixir; a dump of the schema where there is one.

use crate::repository::listing::{folder, in_folder};
use crate::repository::{Found, Listing};

pub(in crate::repository) fn find(listing: &Listing) -> Vec<Found> {
    let mut all = Vec::new();
    for file in listing.named(&["mix.exs"]) {
        let at = folder(file);
        let migrations = at.join("priv/repo/migrations");
        let dump = at.join("priv/repo/structure.sql");
        if listing.has(&dump) {
            all.push(Found::files("Ecto (structure.sql)", dump, None));
        } else if listing.has_folder(&migrations) {
            all.push(Found::program(
                "Ecto",
                file,
                migrations,
                in_folder(at, "mix ecto.migrate"),
            ));
        }
    }
    all
}
