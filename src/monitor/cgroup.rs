//! What Linux's control groups leave a process of the memory: containers are made of them.
//!
//! Version 2: <https://docs.kernel.org/admin-guide/cgroup-v2.html>; version 1:
//! <https://docs.kernel.org/admin-guide/cgroup-v1/memory.html>.

use std::fs;
use std::path::{Component, Path, PathBuf};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    pub max_bytes: u64,
    /// What is left below it, where files that are only cached count as left.
    pub free_bytes: u64,
}

/// The tightest limit on this process; `None` where there is none.
pub fn limit() -> Option<Limit> {
    limit_under(Path::new("/sys/fs/cgroup"), &fs::read_to_string("/proc/self/cgroup").ok()?)
}

/// The names that one version gives its files.
struct Files {
    max: &'static str,
    used: &'static str,
    /// In `memory.stat`: files that were not read lately, which make room at once.
    cached: &'static str,
}

const V1: Files = Files { max: "memory.limit_in_bytes", used: "memory.usage_in_bytes", cached: "total_inactive_file" };
const V2: Files = Files { max: "memory.max", used: "memory.current", cached: "inactive_file" };

/// `groups` are the lines `ID:CONTROLLERS:PATH` of a process; groups and those around them lie under `root`.
fn limit_under(root: &Path, groups: &str) -> Option<Limit> {
    let mut tightest: Option<Limit> = None;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (base, files) = match controllers {
            "" => (root.to_owned(), V2),
            names if names.split(',').any(|name| name == "memory") => (root.join("memory"), V1),
            _ => continue,
        };
        for folder in folders(&base, path) {
            let Some(limit) = limit_of(&folder, &files) else { continue };
            let so_far = tightest.unwrap_or(limit);
            tightest = Some(Limit {
                max_bytes: so_far.max_bytes.min(limit.max_bytes),
                free_bytes: so_far.free_bytes.min(limit.free_bytes),
            });
        }
    }
    tightest
}

/// The folder of a group and those around it. What a container sees of the path may be the host's: then only `base` is
/// there, and is its own.
fn folders(base: &Path, path: &str) -> Vec<PathBuf> {
    let mut folder = base.to_owned();
    let mut all = vec![folder.clone()];
    for part in Path::new(path).components() {
        match part {
            Component::Normal(name) => folder.push(name),
            Component::ParentDir => break,
            _ => continue,
        }
        all.push(folder.clone());
    }
    all
}

fn limit_of(folder: &Path, files: &Files) -> Option<Limit> {
    let number = |file: &str| fs::read_to_string(folder.join(file)).ok()?.trim().parse::<u64>().ok();
    // `max` is no number, and no limit.
    let max_bytes = number(files.max)?;
    let used = number(files.used).unwrap_or(0);
    let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let cached = stat.lines().find_map(|line| line.strip_prefix(files.cached)?.trim().parse().ok()).unwrap_or(0);
    Some(Limit { max_bytes, free_bytes: max_bytes.saturating_sub(used.saturating_sub(cached)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, folder: &str, files: &[(&str, &str)]) {
        fs::create_dir_all(root.join(folder)).unwrap();
        for (name, text) in files {
            fs::write(root.join(folder).join(name), text).unwrap();
        }
    }

    #[test]
    fn version_2_has_the_tightest_of_all_groups_around() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        write(root, "a", &[("memory.max", "1000\n"), ("memory.current", "700\n")]);
        let stat = "anon 5\ninactive_file 300\nactive_file 9\n";
        write(root, "a/b", &[("memory.max", "max\n"), ("memory.current", "600\n"), ("memory.stat", stat)]);
        assert_eq!(limit_under(root, "0::/a/b\n"), Some(Limit { max_bytes: 1000, free_bytes: 300 }));
        write(root, "a/b", &[("memory.max", "800\n")]);
        assert_eq!(limit_under(root, "0::/a/b\n"), Some(Limit { max_bytes: 800, free_bytes: 300 }));
        write(root, "a", &[("memory.stat", stat)]);
        assert_eq!(limit_under(root, "0::/a/b\n"), Some(Limit { max_bytes: 800, free_bytes: 500 }));
        assert_eq!(limit_under(root, "0::/\n"), None);
        assert_eq!(limit_under(root, "0::/../other\n"), None);
    }

    #[test]
    fn version_1_lies_beside_the_other_controllers() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let files = [
            ("memory.limit_in_bytes", "500"),
            ("memory.usage_in_bytes", "600"),
            ("memory.stat", "total_inactive_file 50"),
        ];
        // The container has a path of its own, and the line has the host's.
        write(root, "memory", &files);
        let groups = "4:memory:/docker/123\n3:cpuset:/\n0::/\n";
        assert_eq!(limit_under(root, groups), Some(Limit { max_bytes: 500, free_bytes: 0 }));
        assert_eq!(limit_under(root, "3:cpuset:/\nnonsense\n"), None);
    }
}
