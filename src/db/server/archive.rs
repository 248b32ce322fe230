//! Looks at an archive before it is unpacked: nothing in it may lie, or point, outside of the directory that it is
//! unpacked into.

use std::path::{Component, Path};

use flate2::read::GzDecoder;
use tar::{Archive, EntryType};

/// No release comes near it: what unpacks to more is made to fill the disk.
const MOST_BYTES: u64 = 4 << 30;

/// Whether every entry of a gzip-compressed tar archive stays inside.
///
/// # Errors
/// The entry that does not, or what is wrong with the archive.
pub(super) fn examine(bytes: &[u8]) -> Result<(), String> {
    let broken = |error: std::io::Error| format!("the archive does not unpack: {error}");
    let mut archive = Archive::new(GzDecoder::new(bytes));
    let mut size: u64 = 0;
    for entry in archive.entries().map_err(broken)? {
        let entry = entry.map_err(broken)?;
        let path = entry.path().map_err(broken)?;
        let refused = |why: &str| {
            format!(
                "the archive's entry {:?} {why}: it is not unpacked",
                path.display().to_string()
            )
        };
        if depth(&path).is_none() {
            return Err(refused("lies outside of the archive"));
        }
        size = size.saturating_add(entry.size());
        if size > MOST_BYTES {
            return Err(refused("makes it larger than 4 GB"));
        }
        let target = entry.link_name().map_err(broken)?;
        let inside = match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous | EntryType::Directory => true,
            EntryType::XGlobalHeader | EntryType::XHeader | EntryType::GNULongName => true,
            EntryType::GNULongLink | EntryType::GNUSparse => true,
            // From its own directory on.
            EntryType::Symlink => target.is_some_and(|target| {
                let own = path.parent().and_then(depth).unwrap_or(0);
                stays_inside(&target, own)
            }),
            // From the archive's root on.
            EntryType::Link => target.is_some_and(|target| stays_inside(&target, 0)),
            _ => return Err(refused("is neither a file nor a directory nor a link")),
        };
        if !inside {
            return Err(refused("points outside of the archive"));
        }
    }
    Ok(())
}

/// How many directories deep a path lies; `None` where it leaves the archive.
fn depth(path: &Path) -> Option<usize> {
    let mut depth = 0;
    for component in path.components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(depth)
}

/// Whether a link's target, seen from so many directories deep, stays below the archive's topmost directory, which is
/// taken away when it is unpacked.
fn stays_inside(target: &Path, mut depth: usize) -> bool {
    let mut left_at = None;
    for component in target.components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir => match depth.checked_sub(1) {
                Some(above) => {
                    depth = above;
                    left_at = left_at.or((depth == 0).then_some(()));
                }
                None => return false,
            },
            Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    left_at.is_none()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tar::Header;

    use super::*;

    /// An archive of one entry, its name and target written as they are.
    fn archive(name: &str, kind: EntryType, target: &str) -> Vec<u8> {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_mode(0o644);
        let fields = header.as_old_mut();
        fields.name[..name.len()].copy_from_slice(name.as_bytes());
        fields.linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_cksum();
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend([0; 1024]);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn what_stays_inside_is_unpacked() {
        for (name, kind, target) in [
            ("pg/bin/postgres", EntryType::Regular, ""),
            ("./pg/bin/", EntryType::Directory, ""),
            ("pg/lib/libpq.so", EntryType::Symlink, "libpq.so.5"),
            ("pg/bin/postmaster", EntryType::Symlink, "../bin/postgres"),
            ("pg/lib/a.so", EntryType::Link, "pg/lib/b.so"),
        ] {
            assert_eq!(examine(&archive(name, kind, target)), Ok(()), "{name}");
        }
    }

    #[test]
    fn what_leaves_is_refused() {
        for (name, kind, target) in [
            ("../evil", EntryType::Regular, ""),
            ("pg/../../evil", EntryType::Regular, ""),
            ("/etc/cron.d/evil", EntryType::Regular, ""),
            ("pg/lib/evil", EntryType::Symlink, "/etc/passwd"),
            ("pg/lib/evil", EntryType::Symlink, "../../../etc"),
            ("pg/lib/evil", EntryType::Symlink, "../../etc"),
            ("pg/lib/evil", EntryType::Link, "../etc/passwd"),
            ("pg/lib/evil", EntryType::Link, "/etc/passwd"),
            ("pg/lib/evil", EntryType::Fifo, ""),
            ("pg/lib/evil", EntryType::Char, ""),
        ] {
            let refused = examine(&archive(name, kind, target)).unwrap_err();
            assert!(refused.contains("evil"), "{name} -> {target}: {refused}");
        }
    }

    #[test]
    fn what_is_no_archive_is_said_to_be_none() {
        assert!(
            examine(b"<html>not found</html>")
                .unwrap_err()
                .contains("does not unpack")
        );
    }
}
