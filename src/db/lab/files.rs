//! The files of hollow relations: as long as the planner is to believe, and empty on disk. Touches no file but those it is
//! given, and never makes one shorter than what the server wrote into it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, chown};
use std::path::{Path, PathBuf};

use crate::lab::btree;
use crate::units::Pages;

/// A hollow file may take so much on disk beyond what the server wrote: blocks of the file system, and its own tables.
const OVERHEAD: u64 = 1 << 20;

/// A length that a relation's main fork is to have.
#[derive(Debug, Clone)]
pub(super) struct Stretch {
    /// Of the first segment.
    pub(super) path: PathBuf,
    pub(super) from: Pages,
    pub(super) to: Pages,
    /// What its root is to be before it is stretched: the height of an empty B-tree.
    pub(super) root: Option<u32>,
    /// The file that this one replaces, and how long it is: the server remembers pages of files by their names.
    pub(super) replaces: Option<(PathBuf, Pages)>,
}

/// Why a file cannot be made hollow.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file system writes the zeros.
    #[error("{path} would take {bytes} bytes on disk: its file system does not keep sparse files")]
    NotSparse {
        /// The file.
        path: String,
        /// What a part of it takes.
        bytes: u64,
    },
    /// Any other refusal.
    #[error("cannot make {path} as long as its table: {source}")]
    Refused {
        /// The file.
        path: String,
        /// The system's reason.
        source: io::Error,
    },
}

/// Gives the files their lengths. Files that are there are made longer, never shorter than `from` was at the beginning.
///
/// # Errors
/// [`FileError`]; the database is to be dropped then.
pub(super) fn stretch_all(stretches: &[Stretch], segment: u64) -> Result<(), FileError> {
    let mut checked = false;
    for stretch in stretches {
        let refused = |source| FileError::Refused {
            path: stretch.path.display().to_string(),
            source,
        };
        if let Some((old, pages)) = &stretch.replaces {
            replace(old, pages.bytes().0, &stretch.path, segment).map_err(refused)?;
        }
        if let Some(height) = stretch.root {
            set_root(&stretch.path, height).map_err(refused)?;
        }
        let to = stretch.to.bytes().0;
        if !checked && to > 16 * OVERHEAD {
            // One part of the first large file shows what the file system does, before all of them are made.
            resize(&stretch.path, 0, 16 * OVERHEAD, segment).map_err(refused)?;
            check_sparse(&stretch.path)?;
            checked = true;
        }
        resize(&stretch.path, stretch.from.bytes().0, to, segment).map_err(refused)?;
        check_sparse(&stretch.path)?;
    }
    Ok(())
}

/// Makes an index without entries or a root of one that has a root and no entries, and removes that.
fn replace(old: &Path, length: u64, new: &Path, segment: u64) -> io::Result<()> {
    let mut metapage = vec![0; Pages::SIZE as usize];
    File::open(old)?.read_exact(&mut metapage)?;
    btree::clear_root(&mut metapage);
    make(new, Pages::SIZE, &fs::metadata(old)?)?;
    OpenOptions::new()
        .write(true)
        .open(new)?
        .write_all(&metapage)?;
    for number in 1..length.div_ceil(segment).max(1) {
        fs::remove_file(segment_path(old, number))?;
    }
    fs::remove_file(old)
}

/// The pages that a relation's first segment has now.
pub(super) fn pages(path: &Path) -> io::Result<Pages> {
    Ok(Pages(fs::metadata(path)?.len() / Pages::SIZE))
}

/// Every full segment is exactly `segment` bytes long, the last one has the rest (`md.c`). Full segments after the first are one
/// file with many names: nobody writes into them, and an inode for each of a hundred thousand would take more than the tables.
fn resize(path: &Path, from: u64, to: u64, segment: u64) -> io::Result<()> {
    let first = fs::metadata(path)?;
    let count = |bytes: u64| bytes.div_ceil(segment).max(1);
    let is_full = |number: u64, bytes: u64| (number + 1) * segment <= bytes;
    OpenOptions::new()
        .write(true)
        .open(path)?
        .set_len(to.min(segment))?;
    for number in 1..count(to).max(count(from)) {
        if is_full(number, from) && is_full(number, to) {
            continue;
        }
        let own = segment_path(path, number);
        if number < count(from) {
            // Never shortened: it may have other names.
            fs::remove_file(&own)?;
        }
        if number >= count(to) {
            continue;
        }
        if number > 1 && is_full(number, to) && fs::hard_link(segment_path(path, 1), &own).is_ok() {
            continue;
        }
        let length = (to - number * segment).min(segment);
        make(&own, length, &first)?;
    }
    Ok(())
}

/// A sparse file as the server would have made it.
fn make(path: &Path, length: u64, like: &fs::Metadata) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let file = options
        .write(true)
        .create_new(true)
        .mode(like.mode() & 0o777)
        .open(path)?;
    file.set_len(length)?;
    give(&file, path, like)
}

/// The server's account owns its files, also where this process is another one's.
fn give(file: &File, path: &Path, first: &fs::Metadata) -> io::Result<()> {
    let made = file.metadata()?;
    if (made.uid(), made.gid()) == (first.uid(), first.gid()) {
        return Ok(());
    }
    chown(path, Some(first.uid()), Some(first.gid()))
}

fn segment_path(path: &Path, number: u64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

/// Writes the pages of an empty B-tree of a height. An index that holds entries stays as it is.
fn set_root(path: &Path, height: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut metapage = vec![0; Pages::SIZE as usize];
    file.read_exact(&mut metapage)?;
    if btree::set_root(&mut metapage, height) {
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&metapage)?;
        file.write_all(&btree::pages(height))?;
    }
    Ok(())
}

/// # Errors
/// [`FileError::NotSparse`].
fn check_sparse(path: &Path) -> Result<(), FileError> {
    let refused = |source| FileError::Refused {
        path: path.display().to_string(),
        source,
    };
    let found = fs::metadata(path).map_err(refused)?;
    let taken = found.blocks() * 512;
    // What the server wrote is a few pages; a file that takes half of its length is no hollow one.
    if taken > OVERHEAD && taken > found.len() / 2 {
        return Err(FileError::NotSparse {
            path: path.display().to_string(),
            bytes: taken,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_follow_a_length_up_and_down() {
        let directory = std::env::temp_dir().join(format!("hollow-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("16384");
        fs::write(&path, vec![7; 8192]).unwrap();
        let segment = 1 << 20;
        let lengths = || {
            let of = |number: u64| match number {
                0 => fs::metadata(&path).ok(),
                _ => fs::metadata(segment_path(&path, number)).ok(),
            };
            let found: Vec<u64> = (0..9).map_while(of).map(|file| file.len()).collect();
            found
        };
        let mut now = 8192;
        for (to, expected) in [
            (3 * segment + 8192, vec![segment, segment, segment, 8192]),
            (5 * segment, vec![segment; 5]),
            (2 * segment + 8192, vec![segment, segment, 8192]),
            (segment + 16384, vec![segment, 16384]),
            (3 * segment, vec![segment; 3]),
            (8192, vec![8192]),
        ] {
            resize(&path, now, to, segment).unwrap();
            assert_eq!(lengths(), expected);
            now = to;
        }
        assert_eq!(
            fs::read(&path).unwrap(),
            vec![7; 8192],
            "what was written stays"
        );
        fs::remove_dir_all(&directory).unwrap();
    }
}
