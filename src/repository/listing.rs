//! The files of a repository, without what was installed or built there.

use std::path::{Path, PathBuf};

/// How deep folders are looked into.
const MAX_DEPTH: usize = 12;
/// More files than any repository that people write by hand has.
const MAX_FILES: usize = 500_000;
/// A longer file is no configuration, and no migration that has to be read to be recognized.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// Folders that hold what was installed or built.
const LEFT_OUT: [&str; 14] = [
    "node_modules",
    "vendor",
    "target",
    "dist",
    "build",
    "venv",
    "env",
    "__pycache__",
    "site-packages",
    "deps",
    "_build",
    "bower_components",
    "out",
    "third_party",
];

/// Every file of a repository, by its path relative to the root; shallow ones first.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    root: PathBuf,
    files: Vec<PathBuf>,
}

impl Listing {
    /// Walks the folders below `root`. What cannot be read is left out: it shows nothing.
    #[must_use]
    pub fn of(root: &Path) -> Self {
        let visible = |entry: &walkdir::DirEntry| {
            let name = entry.file_name().to_string_lossy();
            entry.depth() == 0
                || name == ".sqlx"
                || is_drizzles(entry.path())
                || !(name.starts_with('.')
                    || (entry.file_type().is_dir() && LEFT_OUT.contains(&name.as_ref())))
        };
        let mut files: Vec<PathBuf> = walkdir::WalkDir::new(root)
            .max_depth(MAX_DEPTH)
            .sort_by_file_name()
            .into_iter()
            .filter_entry(visible)
            .filter_map(Result::ok)
            .filter(|entry| entry.file_type().is_file())
            .filter_map(|entry| Some(entry.path().strip_prefix(root).ok()?.to_path_buf()))
            .take(MAX_FILES)
            .collect();
        files.sort_by_key(|path| path.components().count());
        Self {
            root: root.to_path_buf(),
            files,
        }
    }

    /// Where it begins.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(PathBuf::as_path)
    }

    /// Files of one of these names, wherever they are.
    pub(super) fn named(&self, names: &[&str]) -> impl Iterator<Item = &Path> {
        self.files().filter(move |path| {
            path.file_name()
                .is_some_and(|name| names.iter().any(|wanted| name == *wanted))
        })
    }

    /// Whether there is this file.
    pub(super) fn has(&self, path: &Path) -> bool {
        self.files.iter().any(|file| file == path)
    }

    /// Whether any file is below this folder.
    pub(super) fn has_folder(&self, folder: &Path) -> bool {
        self.files.iter().any(|file| file.starts_with(folder))
    }

    /// A file's text, where it is one and not too long.
    pub fn text(&self, path: &Path) -> Option<String> {
        let path = self.root.join(path);
        let length = std::fs::metadata(&path).ok()?.len();
        (length <= MAX_BYTES)
            .then(|| std::fs::read(&path).ok())
            .flatten()
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// drizzle-kit's configuration calls the folder of migrations `out`, and some folders are.
fn is_drizzles(folder: &Path) -> bool {
    folder.ends_with("out") && folder.join("meta/_journal.json").is_file()
}

/// The folder of a file; empty for the root.
pub(super) fn folder(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new(""))
}

/// A command that runs in a folder.
pub(super) fn in_folder(folder: &Path, command: &str) -> String {
    if folder.as_os_str().is_empty() {
        command.to_owned()
    } else {
        format!("cd '{}' && {command}", folder.display())
    }
}

/// How a project's Python is run in a folder of it: its virtual environment, the tool that its lock file names where that is
/// installed, else `python`.
pub(super) fn python(listing: &Listing, home: &Path) -> String {
    for name in [".venv", "venv"] {
        for folder in [home, Path::new("")] {
            let binary = folder.join(name).join("bin/python");
            if listing.root().join(&binary).exists() {
                // The command runs in `home`.
                let up = home.components().map(|_| "../").collect::<String>();
                let from_home = if folder == home { "" } else { up.as_str() };
                return format!("{from_home}{name}/bin/python");
            }
        }
    }
    const TOOLS: [(&str, &str, &str); 4] = [
        ("uv.lock", "uv", "uv run python"),
        ("poetry.lock", "poetry", "poetry run python"),
        ("Pipfile", "pipenv", "pipenv run python"),
        ("pdm.lock", "pdm", "pdm run python"),
    ];
    TOOLS
        .iter()
        .find(|(file, tool, _)| {
            let locked = home.ancestors().any(|above| listing.has(&above.join(file)));
            locked && is_installed(tool)
        })
        .map_or_else(
            || "python".to_owned(),
            |(_, _, command)| (*command).to_owned(),
        )
}

/// Whether a program of that name is on the PATH.
fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
