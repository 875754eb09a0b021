//! What else the machine does while something is measured, and what slows it down.

use std::fs;
use std::path::Path;

use crate::monitor;

/// Of the mean: a deviation above it is told.
const SCATTER: f64 = 0.05;
/// Of the machine's processor time: what others may take before it is told.
const OTHERS: f64 = 0.05;
/// Processor times are counted in steps of 10 ms: fewer of them tell nothing.
const STEPS: u64 = 50;
/// Threads of others that want to run, where the system tells no more.
const LOAD: f64 = 0.5;

/// Looked at from the start of something to its end.
pub struct Noise {
    times: Option<Times>,
    throttled: u64,
}

impl Noise {
    pub fn start() -> Noise {
        Noise { times: Times::now(), throttled: throttled(Path::new("/sys")) }
    }

    /// What was not as it should be since the start, a line each.
    pub fn warnings(&self) -> Vec<String> {
        let others = self.times.zip(Times::now()).and_then(|(before, after)| others(before, after));
        let hot = throttled(Path::new("/sys")) > self.throttled;
        let hot = hot.then(|| "the processor was too hot and slowed down".to_owned());
        others.into_iter().chain(hot).collect()
    }
}

/// Tells of samples that lie far from each other.
pub fn scatter(mean: f64, standard_deviation: f64) -> Option<String> {
    let share = standard_deviation / mean;
    (share > SCATTER).then(|| format!("repetitions differ by {:.0} % of their mean", 100.0 * share))
}

/// What makes all numbers of this machine doubtful, a line each.
pub fn of_machine() -> Vec<String> {
    let mut warnings = power_saving(Path::new("/sys"));
    if cfg!(debug_assertions) {
        warnings.insert(0, "this oai is a debug build: a release is faster".to_owned());
    }
    // Elsewhere than on Linux others are not told apart from this process, which does nothing yet.
    let load = monitor::load();
    if !cfg!(target_os = "linux") && load > LOAD {
        warnings.push(format!("{load:.1} threads of other programs wanted to run over the last minute"));
    }
    warnings
}

/// Steps of processor time since the system and the process began.
#[derive(Debug, Clone, Copy)]
struct Times {
    /// Of all cores, idle or not.
    all: u64,
    busy: u64,
    /// Of this process.
    own: u64,
}

impl Times {
    fn now() -> Option<Times> {
        Times::of(&fs::read_to_string("/proc/stat").ok()?, &fs::read_to_string("/proc/self/stat").ok()?)
    }

    /// Of what Linux says of the system and of a process (<https://man7.org/linux/man-pages/man5/proc_stat.5.html>,
    /// <https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>).
    fn of(system: &str, process: &str) -> Option<Times> {
        let mut fields = system.lines().next()?.strip_prefix("cpu ")?.split_ascii_whitespace();
        let mut next = || fields.next().map_or(Some(0), |field| field.parse::<u64>().ok());
        let (user, nice, kernel, idle, waiting) = (next()?, next()?, next()?, next()?, next()?);
        // What the host gave to other machines counts: this one was not let run.
        let (interrupts, soft_interrupts, stolen) = (next()?, next()?, next()?);
        let busy = user + nice + kernel + interrupts + soft_interrupts + stolen;
        // A program's name may hold anything, and ends at the last bracket; the state comes next, the third field.
        let mut own = process.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
        let (user, kernel): (u64, u64) = (own.next()?.parse().ok()?, own.next()?.parse().ok()?);
        Some(Times { all: busy + idle + waiting, busy, own: user + kernel })
    }
}

fn others(before: Times, after: Times) -> Option<String> {
    let all = after.all.saturating_sub(before.all);
    let busy = after.busy.saturating_sub(before.busy);
    let others = busy.saturating_sub(after.own.saturating_sub(before.own));
    let share = others as f64 / all as f64;
    (all >= STEPS && share > OTHERS)
        .then(|| format!("other programs took {:.0} % of the processor's time", 100.0 * share))
}

/// How often cores have slowed down because they were hot
/// (<https://docs.kernel.org/admin-guide/abi-testing.html#abi-sys-devices-system-cpu-cpux-thermal-throttle-core-throttle-count>).
fn throttled(sys: &Path) -> u64 {
    let cores = entries(&sys.join("devices/system/cpu"));
    let counts = cores.iter().flat_map(|core| {
        ["core_throttle_count", "package_throttle_count"].map(|file| core.join("thermal_throttle").join(file))
    });
    counts.filter_map(|file| text(&file)?.parse::<u64>().ok()).sum()
}

/// <https://docs.kernel.org/admin-guide/pm/cpufreq.html>, <https://docs.kernel.org/admin-guide/pm/intel_pstate.html>,
/// <https://docs.kernel.org/power/power_supply_class.html>
fn power_saving(sys: &Path) -> Vec<String> {
    let mut warnings = Vec::new();
    let frequency = sys.join("devices/system/cpu/cpu0/cpufreq");
    let preference = text(&frequency.join("energy_performance_preference"));
    match (text(&frequency.join("scaling_governor")).as_deref(), preference.as_deref()) {
        // The processor chooses its frequency itself, and this is what it heeds.
        (_, Some(preference @ ("power" | "balance_power"))) => {
            warnings.push(format!("the processor saves power (its preference is {preference}); set performance"));
        }
        (Some("powersave"), None) => {
            warnings.push("the processor saves power (its governor is powersave); set performance".to_owned());
        }
        _ => {}
    }
    let supplies = entries(&sys.join("class/power_supply"));
    let of_machine = |supply: &&std::path::PathBuf| text(&supply.join("scope")).as_deref() != Some("Device");
    let discharges = |supply: &std::path::PathBuf| text(&supply.join("status")).as_deref() == Some("Discharging");
    if supplies.iter().filter(of_machine).any(discharges) {
        warnings.push("the machine runs on its battery".to_owned());
    }
    warnings
}

fn entries(folder: &Path) -> Vec<std::path::PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn text(file: &Path) -> Option<String> {
    fs::read_to_string(file).ok().map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_what_was_busy_beside_this_process() {
        let times = |system: &str, own: [u64; 2]| {
            let [user, kernel] = own;
            let process = format!("42 (a) b (c)) R 1 2 3 0 -1 4194560 1 0 0 0 {user} {kernel} 0 0 20 0 7 0 4711\n");
            Times::of(system, &process).unwrap()
        };
        let before = times("cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 1 1 1\n", [10, 5]);
        assert_eq!((before.all, before.busy, before.own), (1000, 150, 15));
        // 100 steps more, of them 60 busy, and 52 of those this process's own.
        let after = times("cpu  140 5 55 830 60 3 3 4 0 0\n", [50, 17]);
        assert_eq!(others(before, after).unwrap(), "other programs took 8 % of the processor's time");
        assert_eq!(others(before, times("cpu  140 5 55 830 60 3 3 4 0 0\n", [53, 17])), None, "5 % is little");
        assert_eq!(others(before, times("cpu  109 0 50 840 50 0 0 0 0 0\n", [10, 5])), None, "too soon to tell");
        assert!(Times::of("cpu0 1", "").is_none() && Times::of("cpu  1 2 3 4 5", "1 (x) R").is_none());
        assert!(!cfg!(target_os = "linux") || Times::now().is_some_and(|now| now.all >= now.busy));
    }

    #[test]
    fn samples_that_scatter_are_told() {
        assert_eq!(scatter(100.0, 4.9), None);
        assert_eq!(scatter(100.0, 12.0).unwrap(), "repetitions differ by 12 % of their mean");
        assert_eq!(scatter(0.0, 0.0), None);
    }

    #[test]
    fn power_and_heat_are_read_as_linux_writes_them() {
        let sys = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = sys.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let found = || power_saving(sys.path());
        assert!(found().is_empty() && throttled(sys.path()) == 0);
        write("devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n");
        assert!(found()[0].contains("governor"), "{:?}", found());
        // Where the processor chooses, powersave is the usual governor.
        write("devices/system/cpu/cpu0/cpufreq/energy_performance_preference", "balance_performance\n");
        assert!(found().is_empty());
        write("devices/system/cpu/cpu0/cpufreq/energy_performance_preference", "power\n");
        assert!(found()[0].contains("preference is power"), "{:?}", found());
        // A mouse's battery is not the machine's.
        write("class/power_supply/hidpp_battery_0/scope", "Device\n");
        write("class/power_supply/hidpp_battery_0/status", "Discharging\n");
        assert_eq!(found().len(), 1);
        write("class/power_supply/BAT0/status", "Discharging\n");
        assert_eq!(found()[1], "the machine runs on its battery");
        write("devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "3\n");
        write("devices/system/cpu/cpu1/thermal_throttle/package_throttle_count", "4\n");
        assert_eq!(throttled(sys.path()), 7);
    }
}
