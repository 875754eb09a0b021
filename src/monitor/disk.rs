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
    let stat = fs4::statvfs(there.canonicalize().ok()?).ok()?;
    Some(Disk { free_bytes: stat.available_space(), total_bytes: stat.total_space() })
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
