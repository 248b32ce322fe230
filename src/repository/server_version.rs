//! The major version of PostgreSQL that a project's container files name: production's, or what people develop on.

use std::path::PathBuf;

use super::Listing;

/// A version and the file that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedVersion {
    /// 14 to 18.
    pub major: u32,
    /// The file.
    pub by: PathBuf,
}

/// Versions that pgproof runs.
const RUN: std::ops::RangeInclusive<u32> = 14..=18;

/// The first version that a compose file names, the shallowest file first.
#[must_use]
pub fn server_version(listing: &Listing) -> Option<NamedVersion> {
    listing
        .files()
        .filter(|file| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let is_yaml = name.ends_with(".yml") || name.ends_with(".yaml");
            is_yaml && (name.starts_with("docker-compose") || name.starts_with("compose"))
        })
        .find_map(|file| {
            let major = major_of(&listing.text(file)?)?;
            Some(NamedVersion {
                major,
                by: file.to_path_buf(),
            })
        })
}

/// `image: postgres:16.4-alpine`, and images that are built on it.
fn major_of(text: &str) -> Option<u32> {
    text.lines()
        .filter_map(|line| line.trim().strip_prefix("image:"))
        .filter_map(|image| image.trim().trim_matches(['"', '\'']).rsplit_once(':'))
        .filter(|(image, _)| {
            let name = image.rsplit('/').next().unwrap_or_default();
            name.starts_with("postg") || name.starts_with("pg") || name.starts_with("timescaledb")
        })
        .find_map(|(_, tag)| {
            // `latest-pg16` says it behind `pg`.
            let tag = tag.rsplit_once("pg").map_or(tag, |(_, rest)| rest);
            let digits: String = tag.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok().filter(|major| RUN.contains(major))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_postgres_name_its_major() {
        for (text, major) in [
            (
                "services:\n  db:\n    image: postgres:16.4-alpine\n",
                Some(16),
            ),
            ("image: \"postgis/postgis:15-3.4\"", Some(15)),
            ("image: pgvector/pgvector:pg17", Some(17)),
            ("image: timescale/timescaledb:latest-pg16", Some(16)),
            ("image: docker.io/library/postgres:14", Some(14)),
            ("image: postgres:9.6", None),
            ("image: postgres", None),
            ("image: redis:16", None),
            ("image: pgadmin4", None),
        ] {
            assert_eq!(major_of(text), major, "{text}");
        }
    }
}
