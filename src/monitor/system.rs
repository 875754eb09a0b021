//! The operating system's own names.

use serde::Serialize;

/// An operating system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct System {
    /// `Linux (Debian GNU/Linux 13)`, `macOS 15.1 Sequoia`.
    pub name: String,
    pub kernel: Option<String>,
}

pub fn system() -> System {
    System {
        name: sysinfo::System::long_os_version().unwrap_or_else(|| std::env::consts::OS.to_owned()),
        kernel: sysinfo::System::kernel_version(),
    }
}
