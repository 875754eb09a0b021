//! What the system says of this process. Elsewhere than on Linux it says nothing.

use std::fs;

/// The most memory that this process has had at once, without what the benchmark took for itself.
pub struct PeakMemory {
    /// Before the last reset.
    earlier: Option<u64>,
    /// Whether the system let the peak be reset; else `earlier` is all that is known.
    resets: bool,
}

impl PeakMemory {
    pub fn new() -> PeakMemory {
        PeakMemory { earlier: None, resets: true }
    }

    /// Bytes of RAM, of mapped files too.
    pub fn bytes(&self) -> Option<u64> {
        if self.resets { self.earlier.max(now()) } else { self.earlier }
    }

    /// Calls `task`, whose memory does not count.
    pub fn without<T>(&mut self, task: impl FnOnce() -> T) -> T {
        self.earlier = self.bytes();
        let out = task();
        // https://man7.org/linux/man-pages/man5/proc_pid_clear_refs.5.html
        self.resets &= fs::write("/proc/self/clear_refs", "5").is_ok();
        out
    }
}

/// The peak since the last reset (<https://man7.org/linux/man-pages/man5/proc_pid_status.5.html>).
fn now() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes: u64 = field(&text, "VmHWM")?.strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// The value of the first line `key : value`.
fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let of = |line: &'a str| line.split_once(':').filter(|(name, _)| name.trim() == key).map(|(_, value)| value.trim());
    text.lines().find_map(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_the_system_writes_them() {
        let text = "Name:\toai\nVmHWM:\t    1234 kB\nOther\t: A: B\n";
        assert_eq!(field(text, "VmHWM"), Some("1234 kB"));
        assert_eq!(field(text, "Other"), Some("A: B"));
        assert_eq!(field(text, "VmPeak"), None);
    }
}
