//! Files written whole: a reader never sees half of one, and a failure leaves what was there. What is no regular file (a
//! pipe, a device, `/dev/stdout`) is opened and written: replacing it would destroy it.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(1);

/// So many links may lead to a file.
const MOST_LINKS: usize = 40;

/// Writes a file whole. Links are followed; mode and owner of a file that is there stay. The number of bytes.
///
/// # Errors
/// What the system says; the old file is still there then, if it is a regular one.
pub fn whole(
    path: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
) -> io::Result<u64> {
    to_end(path, Reach::Disk, write)
}

/// [`whole`] for a large file that can be made again: it is not waited for until it is on the disk.
///
/// # Errors
/// As [`whole`].
pub fn whole_unsynced(
    path: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
) -> io::Result<u64> {
    to_end(path, Reach::System, write)
}

/// How far a file has to be when it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Safe from a loss of power.
    Disk,
    /// With the operating system.
    System,
}

fn to_end(
    path: &Path,
    reach: Reach,
    write: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
) -> io::Result<u64> {
    let there = match fs::metadata(path) {
        Ok(metadata) => Some(metadata),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    match there {
        Some(there) if there.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Some(there) if !there.is_file() || is_open_file(path) => into_what_is_there(path, write),
        // Another name of the same file must go on to name it.
        Some(there) if there.nlink() > 1 => in_place(path, write),
        there => {
            let target = target(path)?;
            match replaced(&target, there.as_ref(), reach, write) {
                Ok(bytes) => Ok(bytes),
                Err(Failed::Writing(error)) => Err(error),
                Err(Failed::Beside(error, write)) => match there {
                    // The folder cannot be written to, the file perhaps can.
                    Some(_) if error.kind() == io::ErrorKind::PermissionDenied => {
                        in_place(&target, write)
                    }
                    Some(_) | None => Err(error),
                },
            }
        }
    }
}

/// [`whole`] for a text.
///
/// # Errors
/// As [`whole`].
pub fn text(path: &Path, text: impl AsRef<[u8]>) -> io::Result<u64> {
    whole(path, |out| out.write_all(text.as_ref()))
}

/// Whether a path names standard output.
#[must_use]
pub fn is_standard_output(path: &Path) -> bool {
    ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"]
        .iter()
        .any(|name| path == Path::new(name))
}

/// `/dev/fd/3`, `/proc/self/fd/3`: a file that somebody has open. Replacing it would leave theirs without what is written.
fn is_open_file(path: &Path) -> bool {
    path.starts_with("/dev") || path.starts_with("/proc")
}

fn into_what_is_there(
    path: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
) -> io::Result<u64> {
    let file = OpenOptions::new().append(true).open(path);
    let file = match file {
        // Not everything that can be written to can be appended to.
        Err(_) => OpenOptions::new().write(true).open(path)?,
        Ok(file) => file,
    };
    written(file, write).map(|(_, bytes)| bytes)
}

fn in_place(
    path: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
) -> io::Result<u64> {
    // Whole in memory first: a writer that fails must not cost what is there.
    let mut bytes = Vec::new();
    write(&mut bytes)?;
    let file = OpenOptions::new().write(true).truncate(true).open(path)?;
    let (file, count) = written(file, |out| out.write_all(&bytes))?;
    file.sync_all()?;
    Ok(count)
}

/// How a replacement fails: before the writer was used, or after.
enum Failed<W> {
    Beside(io::Error, W),
    Writing(io::Error),
}

fn replaced<W: FnOnce(&mut (dyn Write + Send)) -> io::Result<()>>(
    target: &Path,
    there: Option<&Metadata>,
    reach: Reach,
    write: W,
) -> Result<u64, Failed<W>> {
    let beside = beside(target);
    let file = match OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&beside)
    {
        Ok(file) => file,
        Err(error) => return Err(Failed::Beside(error, write)),
    };
    let done = (|| {
        let (file, bytes) = written(file, write)?;
        if let Some(there) = there {
            like(&file, there)?;
        }
        match reach {
            Reach::Disk => file.sync_all()?,
            Reach::System => {}
        }
        fs::rename(&beside, target)?;
        Ok(bytes)
    })();
    if done.is_err() {
        // The first error is the one to report; what is left over is only a temporary file.
        let _ = fs::remove_file(&beside);
    }
    done.map_err(Failed::Writing)
}

/// Owner first: a change of owner may clear bits of the mode.
fn like(file: &File, there: &Metadata) -> io::Result<()> {
    let made = file.metadata()?;
    if (made.uid(), made.gid()) != (there.uid(), there.gid()) {
        // Only root may give files away; the group is kept where the user is in it.
        let _ = fchown(file, Some(there.uid()), Some(there.gid()))
            .or_else(|_| fchown(file, None, Some(there.gid())));
    }
    file.set_permissions(fs::Permissions::from_mode(there.mode() & 0o7777))
}

fn written(
    file: File,
    write: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
) -> io::Result<(File, u64)> {
    let mut out = Counted {
        out: BufWriter::with_capacity(1 << 18, file),
        bytes: 0,
    };
    write(&mut out)?;
    let file = out
        .out
        .into_inner()
        .map_err(io::IntoInnerError::into_error)?;
    Ok((file, out.bytes))
}

struct Counted {
    out: BufWriter<File>,
    bytes: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The file at the end of all links, also where it is not there yet.
fn target(path: &Path) -> io::Result<PathBuf> {
    let mut target = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&target) {
            Ok(link) => {
                let folder = target.parent().unwrap_or(Path::new("/")).to_path_buf();
                target = folder.join(link);
            }
            Err(_) => return Ok(target),
        }
    }
    Err(io::Error::other("too many links lead to it"))
}

/// A name of our own in the same folder.
fn beside(target: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(target.file_name().unwrap_or_default());
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    name.push(format!(".{}-{number}.tmp", std::process::id()));
    target.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn a_file_is_replaced_through_its_links_and_keeps_its_mode() {
        let folder = folder();
        let (file, link) = (
            folder.path().join("report.json"),
            folder.path().join("link"),
        );
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        symlink("report.json", &link).unwrap();
        assert_eq!(text(&link, "new").unwrap(), 3);
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o640);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_link_to_nothing_makes_the_file_that_it_names() {
        let folder = folder();
        let link = folder.path().join("link");
        symlink("there", &link).unwrap();
        text(&link, "new").unwrap();
        assert_eq!(
            fs::read_to_string(folder.path().join("there")).unwrap(),
            "new"
        );
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn another_name_of_the_file_stays_one() {
        let folder = folder();
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        fs::write(&one, "old and long").unwrap();
        fs::hard_link(&one, &other).unwrap();
        text(&one, "new").unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "new");
    }

    #[test]
    fn a_pipe_is_written_to() {
        let folder = folder();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::read_to_string(pipe).unwrap()
        });
        text(&pipe, "through it").unwrap();
        assert_eq!(reader.join().unwrap(), "through it");
        assert!(!fs::metadata(&pipe).unwrap().is_file());
    }

    #[test]
    fn a_device_stays_a_device() {
        text(Path::new("/dev/null"), "gone").unwrap();
        let null = fs::symlink_metadata("/dev/null").unwrap();
        assert!(!null.is_file() && !null.is_symlink());
    }

    #[test]
    fn a_writer_that_fails_leaves_what_was_there() {
        let folder = folder();
        let file = folder.path().join("report.json");
        fs::write(&file, "old").unwrap();
        let fails = whole(&file, |out| {
            out.write_all(b"half")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(fails.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read_to_string(&file).unwrap(), "old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
