//! Room on the disk that a folder lies on.

use std::path::Path;

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Disk {
    /// What this user may still write.
    pub free_bytes: u64,
    pub total_bytes: u64,
}

/// The disk of `folder`, or where that is not there yet of the nearest folder above it that is; `None` where the system
/// does not say.
pub fn disk(folder: &Path) -> Option<Disk> {
    let folder = std::path::absolute(folder).ok()?;
    let there = folder.ancestors().find(|folder| folder.exists())?;
    of_existing(&there.canonicalize().ok()?)
}

#[cfg(unix)]
fn of_existing(folder: &Path) -> Option<Disk> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
    Some(Disk { free_bytes: bytes(stat.f_bavail), total_bytes: bytes(stat.f_blocks) })
}

#[cfg(not(unix))]
fn of_existing(folder: &Path) -> Option<Disk> {
    use sysinfo::{DiskRefreshKind, Disks};
    let disks = Disks::new_with_refreshed_list_specifics(DiskRefreshKind::nothing().with_storage());
    // Canonical paths begin with `\\?\`, mount points do not.
    let folder = folder.to_string_lossy();
    let folder = Path::new(folder.strip_prefix(r"\\?\").unwrap_or(&folder));
    let of_folder = disks.iter().filter(|disk| folder.starts_with(disk.mount_point()));
    let disk = of_folder.max_by_key(|disk| disk.mount_point().as_os_str().len())?;
    Some(Disk { free_bytes: disk.available_space(), total_bytes: disk.total_space() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_lies_where_the_one_above_does() {
        let folder = tempfile::tempdir().unwrap();
        let here = disk(folder.path()).unwrap();
        assert!(here.total_bytes > 0 && here.free_bytes <= here.total_bytes, "{here:?}");
        assert_eq!(disk(&folder.path().join("a/b")).unwrap().total_bytes, here.total_bytes);
    }
}
