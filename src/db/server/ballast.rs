//! A reserve on the disk: a server that filled it needs room for its log before it can start, drop what filled the disk,
//! and so free it. The file is given up then, and made again when there is room.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::configuration::free_bytes;
use super::place::Place;

/// Four segments of the log: a recovery and the statements that drop a database fit.
const SIZE: u64 = 64 << 20;
/// On a disk that is small, less has to do.
const LEAST: u64 = 16 << 20;

/// Makes the reserve where there is none and the disk has room for far more. A disk without one works as well, until it
/// is full: not worth a failure.
pub(super) fn keep(place: &Place) {
    let path = place.ballast();
    if path.exists() {
        return;
    }
    let Some(size) = free_bytes(&place.home).and_then(size) else {
        return;
    };
    if write(&path, size).is_err() {
        let _ = fs::remove_file(&path);
    }
}

/// Gives the reserve up; whether there was one.
pub(super) fn release(place: &Place) -> bool {
    fs::remove_file(place.ballast()).is_ok()
}

/// A sixteenth of what is free, between bounds.
fn size(free: u64) -> Option<u64> {
    Some((free / 16).min(SIZE)).filter(|size| *size >= LEAST)
}

/// Blocks that are the file's own: a hole would reserve nothing.
fn write(path: &Path, size: u64) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    if allocate(&file, size).is_ok() {
        return Ok(());
    }
    let block = vec![0x5a_u8; 1 << 20];
    for _ in 0..size >> 20 {
        file.write_all(&block)?;
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn allocate(file: &File, size: u64) -> std::io::Result<()> {
    Ok(rustix::fs::fallocate(
        file,
        rustix::fs::FallocateFlags::empty(),
        0,
        size,
    )?)
}

#[cfg(not(target_os = "linux"))]
fn allocate(_: &File, _: u64) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_disk_reserves_little_and_a_tiny_one_nothing() {
        assert_eq!(size(10 << 30), Some(SIZE));
        assert_eq!(size(600 << 20), Some((600 << 20) / 16));
        assert_eq!(size(100 << 20), None);
    }

    #[test]
    fn the_reserve_takes_blocks_of_its_own() {
        use std::os::unix::fs::MetadataExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ballast");
        write(&path, LEAST).unwrap();
        assert!(path.metadata().unwrap().blocks() * 512 >= LEAST);
        assert!(write(&path, LEAST).is_err(), "there is one");
    }
}
