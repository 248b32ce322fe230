//! How a project's own tests are run, by the files of its tools: what `pgproof record` is given.

use std::path::Path;

use super::{Listing, is_aside};

/// A file that shows a tool, and the command; the ones that say it most exactly come first.
const COMMANDS: [(&str, &str); 17] = [
    ("bin/rspec", "bin/rspec"),
    ("spec/rails_helper.rb", "bundle exec rspec"),
    ("bin/rails", "bin/rails test"),
    ("artisan", "php artisan test"),
    ("mix.exs", "mix test"),
    ("pytest.ini", "pytest"),
    ("conftest.py", "pytest"),
    ("manage.py", "python manage.py test"),
    ("go.mod", "go test ./..."),
    ("Cargo.toml", "cargo test"),
    ("mvnw", "./mvnw test"),
    ("pom.xml", "mvn test"),
    ("gradlew", "./gradlew test"),
    ("build.gradle", "gradle test"),
    ("Gemfile", "bundle exec rake test"),
    ("package.json", "npm test"),
    ("pyproject.toml", "pytest"),
];

/// The command of the shallowest file that shows one.
#[must_use]
pub fn test_command(listing: &Listing) -> &'static str {
    let mut found: Vec<(usize, usize)> = listing
        .files()
        .filter_map(|file| {
            let at = COMMANDS.iter().position(|(name, _)| file.ends_with(name))?;
            let in_home = Path::new(COMMANDS[at].0).components().count();
            let home = file.ancestors().nth(in_home)?;
            (!is_aside(home)).then(|| (home.components().count(), at))
        })
        .collect();
    found.sort_unstable();
    found
        .first()
        .map_or("npm test, pytest or what runs them", |(_, at)| {
            COMMANDS[*at].1
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_told_its_own_command() {
        for (files, expected) in [
            (&["go.mod", "web/package.json"][..], "go test ./..."),
            (&["package.json", "server/go.mod"], "npm test"),
            (
                &["manage.py", "package.json", "pyproject.toml"],
                "python manage.py test",
            ),
            (&["Gemfile", "bin/rails", "package.json"], "bin/rails test"),
            (
                &["Gemfile", "bin/rails", "spec/rails_helper.rb"],
                "bundle exec rspec",
            ),
            (&["backend/mix.exs"], "mix test"),
            (&["README.md"], "npm test, pytest or what runs them"),
        ] {
            let root = tempfile::tempdir().unwrap();
            for file in files {
                let path = root.path().join(file);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, "").unwrap();
            }
            assert_eq!(
                test_command(&Listing::of(root.path())),
                expected,
                "{files:?}"
            );
        }
    }
}
