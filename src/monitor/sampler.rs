//! How busy the machine is right now.

use std::time::{Duration, Instant};

use serde::Serialize;
use sysinfo::{CpuRefreshKind, Pid, ProcessRefreshKind, ProcessesToUpdate, System};

use super::gpu_load::{GpuLoad, GpuSample};
use super::{Memory, memory};

/// One look at the machine. Loads are means over the time since the look before.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sample {
    /// Of each logical core of the machine, 0 to 100; empty while there is nothing to tell it from, in the first 200 ms of
    /// a [`Sampler`].
    pub cpu_percent: Vec<f32>,
    pub memory: Memory,
    /// This program itself.
    pub process: ProcessSample,
    pub gpus: Vec<GpuSample>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct ProcessSample {
    /// 100 is one core: 16 busy threads are 1600.
    pub cpu_percent: f32,
    /// Main memory that it holds, mapped weights included as far as they are there.
    pub resident_bytes: u64,
}

/// Looks at the machine again and again; it keeps what a load is measured against.
pub struct Sampler {
    system: System,
    opened: Instant,
    process: ProcessTimes,
    gpus: GpuLoad,
}

impl Sampler {
    /// Opens what can be asked. A driver's library may take some tenths of a second for that.
    pub fn new() -> Sampler {
        let mut system = System::new();
        system.refresh_cpu_specifics(CpuRefreshKind::nothing().with_cpu_usage());
        let mut process = ProcessTimes::default();
        let pid = Pid::from_u32(std::process::id());
        process.refresh(&mut system, &[pid], Instant::now());
        let opened = Instant::now();
        Sampler { system, opened, process, gpus: GpuLoad::new() }
    }

    /// Takes less than a millisecond beside what the graphics cards' drivers take. Two looks within 200 ms have the same
    /// `cpu_percent`: the kernel counts in steps too coarse for less.
    pub fn sample(&mut self) -> Sample {
        self.system.refresh_cpu_specifics(CpuRefreshKind::nothing().with_cpu_usage());
        let pid = Pid::from_u32(std::process::id());
        let now = Instant::now();
        self.process.refresh(&mut self.system, &[pid], now);
        let cores = self.system.cpus().iter().filter(|_| now.saturating_duration_since(self.opened) >= SHORTEST);
        Sample {
            cpu_percent: cores.map(|cpu| cpu.cpu_usage().clamp(0.0, 100.0)).collect(),
            memory: memory(),
            process: self.process.of(&self.system, pid).unwrap_or_default(),
            gpus: self.gpus.sample(now),
        }
    }
}

impl Default for Sampler {
    fn default() -> Sampler {
        Sampler::new()
    }
}

/// The shortest time that a load is measured over: times are counted in steps of 10 ms.
const SHORTEST: Duration = Duration::from_millis(200);

/// How much processor time processes had, to tell how much they have now.
#[derive(Default)]
pub(super) struct ProcessTimes {
    /// Process, processor time in ms, when that was, load in percent of a core.
    seen: Vec<(Pid, u64, Instant, f32)>,
}

impl ProcessTimes {
    /// Looks at `pids`, and forgets all others.
    pub fn refresh(&mut self, system: &mut System, pids: &[Pid], now: Instant) {
        let kind = ProcessRefreshKind::nothing().with_cpu().with_memory();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(pids), true, kind);
        self.seen.retain(|(pid, ..)| pids.contains(pid));
        for &pid in pids {
            let Some(process) = system.process(pid) else { continue };
            let cpu_ms = process.accumulated_cpu_time();
            match self.seen.iter_mut().find(|(seen, ..)| *seen == pid) {
                None => self.seen.push((pid, cpu_ms, now, 0.0)),
                Some((_, before_ms, at, percent)) => {
                    let passed = now.saturating_duration_since(*at);
                    if passed >= SHORTEST {
                        let used_ms = cpu_ms.saturating_sub(*before_ms);
                        *percent = (used_ms as f64 / passed.as_secs_f64() / 10.0) as f32;
                        (*before_ms, *at) = (cpu_ms, now);
                    }
                }
            }
        }
    }

    /// `None` of a process that is gone.
    pub fn of(&self, system: &System, pid: Pid) -> Option<ProcessSample> {
        let cpu_percent = self.seen.iter().find(|(seen, ..)| *seen == pid).map_or(0.0, |&(.., percent)| percent);
        Some(ProcessSample { cpu_percent, resident_bytes: system.process(pid)?.memory() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_program_sees_itself() {
        let mut sampler = Sampler::new();
        assert!(sampler.sample().cpu_percent.is_empty(), "too soon to tell");
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(250) {
            std::hint::black_box(began.elapsed());
        }
        let sample = sampler.sample();
        assert!(!sample.cpu_percent.is_empty(), "{sample:?}");
        assert!(sample.cpu_percent.iter().all(|percent| (0.0..=100.0).contains(percent)), "{sample:?}");
        assert!(sample.process.cpu_percent > 5.0, "{sample:?}");
        assert!(sample.process.resident_bytes > 1 << 20, "{sample:?}");
        assert!(sample.memory.total_bytes > sample.process.resident_bytes, "{sample:?}");
        let again = sampler.sample();
        assert_eq!(again.process.cpu_percent, sample.process.cpu_percent, "too soon to tell anew");
    }

    #[test]
    #[ignore = "measures time: cargo test --release -- --ignored a_look"]
    fn a_look_costs_less_than_a_millisecond() {
        let mut sampler = Sampler::new();
        let mut times: Vec<Duration> = Vec::new();
        for _ in 0..20 {
            std::thread::sleep(Duration::from_millis(210));
            let began = Instant::now();
            std::hint::black_box(sampler.sample());
            times.push(began.elapsed());
        }
        times.sort();
        eprintln!("median {:?}, worst {:?}", times[10], times[19]);
        assert!(times[10] < Duration::from_millis(1), "{times:?}");
    }
}
