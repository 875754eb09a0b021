//! The memory that this process may have.

use serde::Serialize;
use sysinfo::{MemoryRefreshKind, RefreshKind};

use super::cgroup;

/// Main memory, which on Apple's processors the graphics card shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// What the machine has, or the container where that allows less.
    pub total_bytes: u64,
    /// What new work can have without anything being swapped out: the cache of files counts as free.
    pub available_bytes: u64,
    /// Whether it is a container that limits `total_bytes`.
    pub limited: bool,
}

pub fn memory() -> Memory {
    let kind = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = sysinfo::System::new_with_specifics(kind);
    within(system.total_memory(), system.available_memory(), cgroup::limit())
}

fn within(total_bytes: u64, available_bytes: u64, limit: Option<cgroup::Limit>) -> Memory {
    match limit.filter(|limit| limit.max_bytes < total_bytes) {
        None => Memory { total_bytes, available_bytes, limited: false },
        Some(limit) => Memory {
            total_bytes: limit.max_bytes,
            available_bytes: available_bytes.min(limit.free_bytes),
            limited: true,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tighter_bound_counts() {
        let limit = |max_bytes, free_bytes| Some(cgroup::Limit { max_bytes, free_bytes });
        assert_eq!(within(100, 60, None), Memory { total_bytes: 100, available_bytes: 60, limited: false });
        assert_eq!(within(100, 60, limit(40, 30)), Memory { total_bytes: 40, available_bytes: 30, limited: true });
        // The machine has less left than the container would allow.
        assert_eq!(within(100, 20, limit(40, 30)).available_bytes, 20);
        assert!(!within(100, 60, limit(1 << 62, 1 << 62)).limited);
    }

    #[test]
    fn this_machine_has_memory() {
        let memory = memory();
        assert!(memory.total_bytes > 0 && memory.available_bytes <= memory.total_bytes, "{memory:?}");
    }
}
