//! Graphics cards: NVIDIA's by the library that comes with its driver, others by what Linux says of them, Apple's by the
//! processor that it is part of.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gpu {
    pub name: String,
    /// `NVIDIA 570.86.15`, `amdgpu`, `Metal`.
    pub driver: Option<String>,
    /// Its own memory; of one that has none, `None`.
    pub memory_bytes: Option<u64>,
    pub free_bytes: Option<u64>,
    /// It shares the machine's memory.
    pub unified: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Gpus {
    pub found: Vec<Gpu>,
    /// Why a driver's library that is there cannot be asked.
    pub problem: Option<String>,
}

/// The graphics cards of this machine.
pub fn gpus() -> Gpus {
    let mut gpus = nvidia();
    gpus.found.extend(of_linux(Path::new("/sys/class/drm")));
    gpus.found.extend(apple());
    gpus
}

/// Loads the library while running; a machine without it has no such card.
#[cfg(any(target_os = "linux", windows))]
fn nvidia() -> Gpus {
    use nvml_wrapper::Nvml;
    use nvml_wrapper::error::NvmlError;

    let all = || -> Result<Vec<Gpu>, NvmlError> {
        let library = Nvml::init()?;
        let driver = library.sys_driver_version().ok().map(|version| format!("NVIDIA {version}"));
        let gpu = |index| {
            let device = library.device_by_index(index)?;
            // Cards that share the machine's memory have none to tell of.
            let memory = device.memory_info().ok();
            Ok(Gpu {
                name: device.name().unwrap_or_else(|_| "NVIDIA".to_owned()),
                driver: driver.clone(),
                memory_bytes: memory.as_ref().map(|memory| memory.total),
                free_bytes: memory.as_ref().map(|memory| memory.free),
                unified: memory.is_none(),
            })
        };
        (0..library.device_count()?).map(gpu).collect()
    };
    match all() {
        Ok(found) => Gpus { found, problem: None },
        Err(NvmlError::LibloadingError(_)) => Gpus::default(),
        Err(error) => Gpus { found: Vec::new(), problem: Some(format!("NVIDIA's library cannot be asked: {error}")) },
    }
}

#[cfg(not(any(target_os = "linux", windows)))]
fn nvidia() -> Gpus {
    Gpus::default()
}

#[cfg(all(target_os = "macos", target_arch = "aarch64"))]
fn apple() -> Option<Gpu> {
    Some(Gpu {
        name: super::cpu().name.unwrap_or_else(|| "Apple".to_owned()),
        driver: Some("Metal".to_owned()),
        memory_bytes: None,
        free_bytes: None,
        unified: true,
    })
}

#[cfg(not(all(target_os = "macos", target_arch = "aarch64")))]
fn apple() -> Option<Gpu> {
    None
}

/// The cards of AMD and Intel (<https://docs.kernel.org/gpu/amdgpu/driver-misc.html>).
fn of_linux(folder: &Path) -> Vec<Gpu> {
    cards(folder).into_iter().map(|(card, name)| of_card(&card.join("device"), name)).collect()
}

/// The cards of AMD and Intel below `folder`, with their names: `card0`, `card1`, ... without their connectors
/// (`card0-DP-1`). NVIDIA's own library knows more of its cards; other makers' drivers tell nothing.
pub(super) fn cards(folder: &Path) -> Vec<(PathBuf, String)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let is_card = |name: &str| name.strip_prefix("card").is_some_and(|n| n.parse::<u32>().is_ok());
    let mut cards: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    cards.retain(|path| path.file_name().is_some_and(|name| is_card(&name.to_string_lossy())));
    cards.sort();
    cards.into_iter().filter_map(|card| name(&card.join("device")).map(|name| (card, name))).collect()
}

fn name(device: &Path) -> Option<String> {
    let vendor = match text(device, "vendor")?.as_str() {
        "0x1002" => "AMD",
        "0x8086" => "Intel",
        _ => return None,
    };
    let unnamed = || format!("{vendor} {}", text(device, "device").unwrap_or_else(|| "GPU".to_owned()));
    Some(text(device, "product_name").filter(|name| !name.is_empty()).unwrap_or_else(unnamed))
}

fn text(device: &Path, file: &str) -> Option<String> {
    fs::read_to_string(device.join(file)).ok().map(|text| text.trim().to_owned())
}

fn of_card(device: &Path, name: String) -> Gpu {
    let number = |file: &str| text(device, file)?.parse::<u64>().ok();
    let uevent = text(device, "uevent");
    let memory_bytes = number("mem_info_vram_total");
    Gpu {
        name,
        driver: uevent.and_then(|t| t.lines().find_map(|l| l.strip_prefix("DRIVER=").map(str::to_owned))),
        memory_bytes,
        free_bytes: memory_bytes.zip(number("mem_info_vram_used")).map(|(total, used)| total.saturating_sub(used)),
        unified: memory_bytes.is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_are_read_as_linux_writes_them() {
        let folder = tempfile::tempdir().unwrap();
        let write = |card: &str, files: &[(&str, &str)]| {
            let device = folder.path().join(card).join("device");
            fs::create_dir_all(&device).unwrap();
            for (name, text) in files {
                fs::write(device.join(name), text).unwrap();
            }
        };
        let of_amd = [
            ("vendor", "0x1002\n"),
            ("device", "0x744c\n"),
            ("uevent", "DRIVER=amdgpu\nPCI_ID=1002:744C\n"),
            ("mem_info_vram_total", "25753026560\n"),
            ("mem_info_vram_used", "1073741824\n"),
        ];
        write("card1", &of_amd);
        write("card0", &[("vendor", "0x8086\n"), ("device", "0x46a6\n"), ("uevent", "DRIVER=i915\n")]);
        // A connector, another vendor's card, and a card that says nothing.
        write("card1-DP-1", &of_amd);
        write("card2", &[("vendor", "0x10de\n")]);
        write("card3", &[]);
        let found = of_linux(folder.path());
        let names: Vec<_> = found.iter().map(|gpu| (gpu.name.as_str(), gpu.driver.as_deref(), gpu.unified)).collect();
        assert_eq!(names, [("Intel 0x46a6", Some("i915"), true), ("AMD 0x744c", Some("amdgpu"), false)]);
        assert_eq!((found[1].memory_bytes, found[1].free_bytes), (Some(25_753_026_560), Some(24_679_284_736)));
        assert!(of_linux(&folder.path().join("nowhere")).is_empty());
    }

    #[test]
    fn a_machine_without_the_library_is_asked_in_peace() {
        // Whatever this machine has: an answer, and no panic.
        let gpus = gpus();
        assert!(gpus.found.iter().all(|gpu| gpu.free_bytes <= gpu.memory_bytes), "{gpus:?}");
    }
}
