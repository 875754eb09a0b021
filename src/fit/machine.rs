//! The machine that models are to run on: this one, or one of so much memory.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::kernels::{ENOUGH_BYTES, bandwidth_of_buffer, pool};
use crate::monitor;

/// Where nothing can be measured: a laptop's two channels.
const USUAL_BANDWIDTH: f64 = 40e9;

/// What a model has to fit. oai computes on the processor, so a graphics card's memory does not count.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    pub memory_bytes: u64,
    pub bandwidth: Bandwidth,
    pub threads: usize,
}

/// How fast memory is read by all threads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bandwidth {
    pub bytes_per_s: f64,
    pub measured: Measured,
}

/// Longer than bench's, for it is done once: what disturbs it for a moment must not be what is kept.
const ROUNDS: usize = 4;

/// Where a bandwidth comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measured {
    Now,
    /// While other programs ran: it may be more, and is not kept.
    Disturbed,
    /// Seconds since 1970.
    Before(u64),
    /// The user says so.
    Given,
    /// There was no room to measure.
    Assumed,
}

/// A measurement, with what it is true for.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Record {
    cpu: Option<String>,
    threads: usize,
    memory_bytes: u64,
    bandwidth_bytes_per_s: f64,
    measured: u64,
}

impl Machine {
    /// A machine by its numbers.
    pub fn of(memory_bytes: u64, bytes_per_s: f64, threads: usize) -> Machine {
        Machine { memory_bytes, bandwidth: Bandwidth { bytes_per_s, measured: Measured::Given }, threads }
    }

    /// This machine, with a bandwidth that is only supposed.
    pub fn unmeasured() -> Machine {
        let bandwidth = Bandwidth { bytes_per_s: USUAL_BANDWIDTH, measured: Measured::Assumed };
        Machine { memory_bytes: monitor::memory().total_bytes, bandwidth, threads: pool::threads() }
    }

    /// This machine. Its bandwidth is measured once, which takes a second or two, and kept in `file`; or `anew`.
    pub fn this(file: &Path, anew: bool) -> Machine {
        let (cpu, memory_bytes) = (monitor::cpu().name, monitor::memory().total_bytes);
        let threads = pool::threads();
        let fits =
            |record: &Record| (&record.cpu, record.threads, record.memory_bytes) == (&cpu, threads, memory_bytes);
        let kept = if anew { None } else { read(file).filter(fits) };
        let bandwidth = kept.map_or_else(
            || measure(file, cpu.clone(), memory_bytes, threads),
            |record| Bandwidth {
                bytes_per_s: record.bandwidth_bytes_per_s,
                measured: Measured::Before(record.measured),
            },
        );
        Machine { memory_bytes, bandwidth, threads }
    }

    /// What models may take: all but a tenth and 1 GB, which the system and other programs need.
    pub fn for_models(&self) -> u64 {
        self.memory_bytes.saturating_sub(self.reserve())
    }

    /// What a model may take if nothing else runs.
    pub fn at_most(&self) -> u64 {
        self.memory_bytes.saturating_sub(self.reserve() / 2)
    }

    fn reserve(&self) -> u64 {
        1_000_000_000 + self.memory_bytes / 10
    }
}

fn read(file: &Path) -> Option<Record> {
    let record: Record = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
    let sound = record.bandwidth_bytes_per_s.is_finite() && record.bandwidth_bytes_per_s > 1e6;
    sound.then_some(record)
}

fn measure(file: &Path, cpu: Option<String>, memory_bytes: u64, threads: usize) -> Bandwidth {
    // What would have to be swapped out says nothing.
    let room = monitor::memory().available_bytes / 2;
    let bytes = ENOUGH_BYTES.min(room as usize);
    let rounds = (0..ROUNDS).map_while(|_| bandwidth_of_buffer(bytes)).filter(|speed| speed.is_finite());
    let bytes_per_s = rounds.fold(0.0, f64::max);
    if bytes_per_s < 1e6 {
        return Bandwidth { bytes_per_s: USUAL_BANDWIDTH, measured: Measured::Assumed };
    }
    if monitor::load() > threads as f64 {
        return Bandwidth { bytes_per_s, measured: Measured::Disturbed };
    }
    let measured = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let record = Record { cpu, threads, memory_bytes, bandwidth_bytes_per_s: bytes_per_s, measured };
    // Where it cannot be kept it is measured again; `oai doctor` says that the folder is not writable.
    let _ = write(file, &record);
    Bandwidth { bytes_per_s, measured: Measured::Now }
}

fn write(file: &Path, record: &Record) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    // Whole or not at all, whoever else writes it.
    let partial = file.with_extension(format!("{}.part", std::process::id()));
    fs::write(&partial, serde_json::to_vec(record)?)?;
    fs::rename(&partial, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_left_to_others() {
        let machine = Machine::of(8 << 30, 50e9, 4);
        assert_eq!(machine.for_models(), (8 << 30) - 1_000_000_000 - (8 << 30) / 10);
        assert!(machine.for_models() < machine.at_most() && machine.at_most() < machine.memory_bytes);
        assert_eq!(Machine::of(500, 1e9, 1).for_models(), 0);
    }

    #[test]
    fn a_measurement_is_kept_for_the_machine_that_it_was_made_on() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a/machine.json");
        let (cpu, memory_bytes, threads) = (monitor::cpu().name, monitor::memory().total_bytes, pool::threads());
        let record = Record { cpu, threads, memory_bytes, bandwidth_bytes_per_s: 12.5e9, measured: 1000 };
        write(&file, &record).unwrap();
        let machine = Machine::this(&file, false);
        assert_eq!(machine.bandwidth, Bandwidth { bytes_per_s: 12.5e9, measured: Measured::Before(1000) });
        for text in [
            "",
            "{}",
            "[]",
            "{\"cpu\":null,\"threads\":1,\"memory_bytes\":1,\"bandwidth_bytes_per_s\":-1,\"measured\":1}",
        ] {
            fs::write(&file, text).unwrap();
            assert_eq!(read(&file), None, "{text}");
        }
    }
}
