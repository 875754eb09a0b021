//! The processor.

use serde::Serialize;
use sysinfo::{CpuRefreshKind, RefreshKind};

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cpu {
    /// `AMD EPYC 9B45`.
    pub name: Option<String>,
    pub physical_cores: Option<usize>,
    /// Threads that this process may run at once: less than the machine has, where its affinity or its container says so.
    pub logical_cores: usize,
    /// Of the instruction sets that matter to arithmetic, those that the processor and the system have.
    pub features: Vec<&'static str>,
}

pub fn cpu() -> Cpu {
    let system = sysinfo::System::new_with_specifics(RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing()));
    let name = system.cpus().first().map(|cpu| cpu.brand().trim().to_owned());
    Cpu {
        name: name.filter(|name| !name.is_empty()),
        physical_cores: sysinfo::System::physical_core_count(),
        logical_cores: std::thread::available_parallelism().map_or(1, |n| n.get()),
        features: features(),
    }
}

/// How many threads of all programs want to run, over the last minute; 0 where the system does not say.
pub fn load() -> f64 {
    sysinfo::System::load_average().one
}

/// The names of those that are there.
macro_rules! detected {
    ($detect:ident: $($feature:tt)*) => {
        [$(($feature, std::arch::$detect!($feature))),*].into_iter().filter(|(_, has)| *has).map(|(name, _)| name).collect()
    };
}

#[cfg(target_arch = "x86_64")]
fn features() -> Vec<&'static str> {
    detected!(is_x86_feature_detected: "sse4.2" "avx" "f16c" "fma" "avx2" "avxvnni" "avx512f" "avx512bw" "avx512dq"
        "avx512vl" "avx512vnni" "avx512bf16" "avx512fp16")
}

#[cfg(target_arch = "aarch64")]
fn features() -> Vec<&'static str> {
    detected!(is_aarch64_feature_detected: "neon" "fp16" "dotprod" "i8mm" "bf16" "sve" "sve2")
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn features() -> Vec<&'static str> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_processor() {
        let cpu = cpu();
        assert!(cpu.logical_cores > 0 && cpu.physical_cores != Some(0), "{cpu:?}");
        assert!(cpu.name.as_deref() != Some(""), "{cpu:?}");
        // What every processor of the architecture has, or nearly.
        #[cfg(target_arch = "aarch64")]
        assert!(cpu.features.contains(&"neon"), "{cpu:?}");
        #[cfg(target_arch = "x86_64")]
        assert_eq!(cpu.features.contains(&"avx2"), is_x86_feature_detected!("avx2"));
    }
}
