//! How busy the graphics cards are: NVIDIA's by the library that comes with its driver, AMD's and Intel's by the files
//! of Linux's sysfs. Of Apple's nothing is told here: what macOS says of them without root is behind a private interface.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;

use super::gpu;

/// One look at a graphics card; what its driver does not tell is `None`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GpuSample {
    pub name: String,
    /// The share of time in which it had something to do, 0 to 100.
    pub utilisation_percent: Option<f32>,
    pub memory_used_bytes: Option<u64>,
    pub memory_total_bytes: Option<u64>,
    pub temperature_c: Option<f32>,
    pub power_w: Option<f32>,
}

/// The cards that were there at the start, with what it takes to ask them.
pub struct GpuLoad {
    nvidia: Nvidia,
    cards: Vec<Card>,
}

impl GpuLoad {
    pub fn new() -> GpuLoad {
        GpuLoad { nvidia: Nvidia::open(), cards: cards(Path::new("/sys/class/drm")) }
    }

    pub fn sample(&mut self, now: Instant) -> Vec<GpuSample> {
        let mut all = self.nvidia.sample();
        all.extend(self.cards.iter_mut().map(|card| card.sample(now)));
        all
    }
}

/// The driver's library, loaded once; without it there is nothing to ask.
#[cfg(any(target_os = "linux", windows))]
struct Nvidia {
    library: Option<nvml_wrapper::Nvml>,
    names: Vec<String>,
}

#[cfg(any(target_os = "linux", windows))]
impl Nvidia {
    fn open() -> Nvidia {
        let library = nvml_wrapper::Nvml::init().ok();
        let count = library.as_ref().and_then(|library| library.device_count().ok()).unwrap_or(0);
        let name = |index| library.as_ref()?.device_by_index(index).ok()?.name().ok();
        let names = (0..count).map(|index| name(index).unwrap_or_else(|| "NVIDIA".to_owned())).collect();
        Nvidia { library, names }
    }

    /// <https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceQueries.html>: power is in milliwatts.
    fn sample(&self) -> Vec<GpuSample> {
        use nvml_wrapper::enum_wrappers::device::TemperatureSensor;

        let Some(library) = &self.library else { return Vec::new() };
        let sample = |(index, name): (usize, &String)| {
            let device = library.device_by_index(index as u32).ok();
            let device = device.as_ref();
            // Cards that share the machine's memory have none to tell of.
            let memory = device.and_then(|device| device.memory_info().ok());
            let degrees = device.and_then(|device| device.temperature(TemperatureSensor::Gpu).ok());
            GpuSample {
                name: name.clone(),
                utilisation_percent: device.and_then(|device| Some(device.utilization_rates().ok()?.gpu as f32)),
                memory_used_bytes: memory.as_ref().map(|memory| memory.used),
                memory_total_bytes: memory.as_ref().map(|memory| memory.total),
                temperature_c: degrees.map(|degrees| degrees as f32),
                power_w: device.and_then(|device| Some(device.power_usage().ok()? as f32 / 1e3)),
            }
        };
        self.names.iter().enumerate().map(sample).collect()
    }
}

#[cfg(not(any(target_os = "linux", windows)))]
struct Nvidia;

#[cfg(not(any(target_os = "linux", windows)))]
impl Nvidia {
    fn open() -> Nvidia {
        Nvidia
    }

    fn sample(&self) -> Vec<GpuSample> {
        Vec::new()
    }
}

/// A card of AMD or Intel.
struct Card {
    name: String,
    /// `/sys/class/drm/card0/device`.
    device: PathBuf,
    sensors: Option<PathBuf>,
    /// A file that counts the milliseconds in which it slept: Intel's drivers tell no load.
    idle_file: Option<PathBuf>,
    before: Option<Counters>,
}

/// Numbers that only grow.
#[derive(Clone, Copy)]
struct Counters {
    at: Instant,
    idle_ms: Option<u64>,
    energy_uj: Option<u64>,
}

/// Where a driver counts how long the part of the card that computes slept: `xe`
/// (<https://docs.kernel.org/gpu/xe/xe_gt_freq.html>, `gtidle`), then `i915`.
const IDLE_FILES: [&str; 2] = ["device/tile0/gt0/gtidle/idle_residency_ms", "gt/gt0/rc6_residency_ms"];

fn cards(folder: &Path) -> Vec<Card> {
    gpu::cards(folder).into_iter().map(|(path, name)| card(&path, name)).collect()
}

fn card(path: &Path, name: String) -> Card {
    let device = path.join("device");
    let sensors = fs::read_dir(device.join("hwmon")).ok();
    let sensors = sensors.and_then(|found| found.flatten().map(|entry| entry.path()).min());
    let idle_file = IDLE_FILES.iter().map(|file| path.join(file)).find(|file| file.exists());
    Card { name, device, sensors, idle_file, before: None }
}

impl Card {
    /// AMD: <https://docs.kernel.org/gpu/amdgpu/thermal.html>; sensors: <https://docs.kernel.org/hwmon/sysfs-interface.html>
    /// (temperatures in thousandths of a degree, power in microwatts, energy in microjoules).
    fn sample(&mut self, now: Instant) -> GpuSample {
        let mut sample = GpuSample {
            name: self.name.clone(),
            utilisation_percent: None,
            memory_used_bytes: None,
            memory_total_bytes: None,
            temperature_c: None,
            power_w: None,
        };
        // Asking a card that sleeps would wake it.
        let state = fs::read_to_string(self.device.join("power/runtime_status"));
        if state.is_ok_and(|state| state.trim() == "suspended") {
            self.before = None;
            return sample;
        }
        let of_device = |file: &str| number(&self.device.join(file));
        let sensor = |file: &str| number(&self.sensors.as_ref()?.join(file));
        let counters = Counters {
            at: now,
            idle_ms: self.idle_file.as_deref().and_then(number),
            energy_uj: sensor("energy1_input"),
        };
        let since = self.before.map(|before| (before, now.saturating_duration_since(before.at).as_secs_f64()));
        let since = since.filter(|(_, seconds)| *seconds > 0.0);
        let slept = since.and_then(|(before, seconds)| {
            let slept_ms = counters.idle_ms?.checked_sub(before.idle_ms?)?;
            Some(100.0 - (slept_ms as f64 / seconds / 10.0).clamp(0.0, 100.0) as f32)
        });
        let spent = since.and_then(|(before, seconds)| {
            let spent_uj = counters.energy_uj?.checked_sub(before.energy_uj?)?;
            Some((spent_uj as f64 / seconds / 1e6) as f32)
        });
        let busy = of_device("gpu_busy_percent").map(|percent| percent.min(100) as f32);
        sample.utilisation_percent = busy.or(slept);
        sample.memory_used_bytes = of_device("mem_info_vram_used");
        sample.memory_total_bytes = of_device("mem_info_vram_total");
        // Intel's `xe` calls the chip number two.
        let degrees = sensor("temp1_input").or_else(|| sensor("temp2_input"));
        sample.temperature_c = degrees.map(|thousandths| thousandths as f32 / 1e3);
        let power = sensor("power1_average").or_else(|| sensor("power1_input"));
        sample.power_w = power.map(|microwatts| microwatts as f32 / 1e6).or(spent);
        self.before = Some(counters);
        sample
    }
}

fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn write(root: &Path, files: &[(&str, &str)]) {
        for (name, text) in files {
            let file = root.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
    }

    #[test]
    fn amds_cards_tell_all() {
        let root = tempfile::tempdir().unwrap();
        let files = [
            ("card1/device/vendor", "0x1002\n"),
            ("card1/device/product_name", "Radeon RX 7900 XTX\n"),
            ("card1/device/gpu_busy_percent", "37\n"),
            ("card1/device/mem_info_vram_total", "25753026560\n"),
            ("card1/device/mem_info_vram_used", "1073741824\n"),
            ("card1/device/hwmon/hwmon3/temp1_input", "54500\n"),
            ("card1/device/hwmon/hwmon3/power1_average", "212500000\n"),
            ("card1/device/power/runtime_status", "active\n"),
        ];
        write(root.path(), &files);
        let mut found = cards(root.path());
        assert_eq!(found.len(), 1);
        let awake = GpuSample {
            name: "Radeon RX 7900 XTX".to_owned(),
            utilisation_percent: Some(37.0),
            memory_used_bytes: Some(1 << 30),
            memory_total_bytes: Some(25_753_026_560),
            temperature_c: Some(54.5),
            power_w: Some(212.5),
        };
        assert_eq!(found[0].sample(Instant::now()), awake);
        // One that sleeps is let sleep.
        write(root.path(), &[("card1/device/power/runtime_status", "suspended\n")]);
        let asleep = found[0].sample(Instant::now());
        assert_eq!((asleep.name, asleep.utilisation_percent, asleep.power_w), (awake.name, None, None));
        // Files that hold no numbers say nothing.
        write(
            root.path(),
            &[("card1/device/power/runtime_status", "active\n"), ("card1/device/gpu_busy_percent", "x")],
        );
        assert_eq!(found[0].sample(Instant::now()).utilisation_percent, None);
    }

    #[test]
    fn intels_cards_are_told_by_what_they_count() {
        let root = tempfile::tempdir().unwrap();
        let files = [
            ("card0/device/vendor", "0x8086\n"),
            ("card0/device/device", "0xe20b\n"),
            ("card0/device/tile0/gt0/gtidle/idle_residency_ms", "5000\n"),
            ("card0/device/hwmon/hwmon1/energy1_input", "1000000\n"),
            ("card0/device/hwmon/hwmon1/temp2_input", "41000\n"),
        ];
        write(root.path(), &files);
        let mut found = cards(root.path());
        let began = Instant::now();
        let first = found[0].sample(began);
        assert_eq!((first.name.as_str(), first.temperature_c), ("Intel 0xe20b", Some(41.0)));
        assert_eq!((first.utilisation_percent, first.power_w), (None, None), "nothing to compare with yet");
        let later = [
            ("card0/device/tile0/gt0/gtidle/idle_residency_ms", "6500\n"),
            ("card0/device/hwmon/hwmon1/energy1_input", "61000000\n"),
        ];
        write(root.path(), &later);
        let second = found[0].sample(began + Duration::from_secs(2));
        assert_eq!((second.utilisation_percent, second.power_w), (Some(25.0), Some(30.0)));
        // A driver that was loaded anew counts from nothing.
        write(root.path(), &[("card0/device/tile0/gt0/gtidle/idle_residency_ms", "10\n")]);
        assert_eq!(found[0].sample(began + Duration::from_secs(4)).utilisation_percent, None);
    }

    #[test]
    fn a_machine_without_cards_has_none() {
        assert!(cards(Path::new("/nowhere")).is_empty());
    }
}
