//! System, processor, memory and graphics cards.

use serde_json::json;

use super::Report;
use crate::kernels::cpu::Isa;
use crate::kernels::pool;
use crate::{monitor, units};

pub fn check(report: &mut Report) {
    let system = monitor::system();
    let kernel = system.kernel.as_ref().map_or(String::new(), |kernel| format!(", kernel {kernel}"));
    report.part("system", json!(system), [("system", format!("{}{kernel}", system.name))]);

    let cpu = monitor::cpu();
    let cores = cpu.physical_cores.map_or(String::new(), |n| format!(", {n} cores"));
    let (threads, kernels) = (pool::threads(), Isa::best().name());
    let name = cpu.name.as_deref().unwrap_or("unknown");
    let lines = [
        ("processor", format!("{name}{cores}, {} threads allowed, {threads} used", cpu.logical_cores)),
        ("instructions", cpu.features.join(" ")),
        ("kernels", kernels.to_owned()),
    ];
    let mut value = json!(cpu);
    value["threads"] = json!(threads);
    value["kernels"] = json!(kernels);
    report.part("processor", value, lines);

    let memory = monitor::memory();
    let limit = if memory.limited { " (the limit of this container)" } else { "" };
    let (total, free) = (units::bytes(memory.total_bytes), units::bytes(memory.available_bytes));
    report.part("memory", json!(memory), [("memory", format!("{total}{limit}, {free} free"))]);
    if memory.available_bytes < 500_000_000 {
        report.problem(format!("only {free} of memory are free: close other programs, or take a small model"));
    }

    let gpus = monitor::gpus();
    let mut lines: Vec<(&str, String)> = gpus
        .found
        .iter()
        .map(|gpu| {
            let driver = gpu.driver.as_ref().map_or(String::new(), |driver| format!(", driver {driver}"));
            let memory = match (gpu.memory_bytes, gpu.free_bytes) {
                (Some(total), Some(free)) => format!(", {}, {} free", units::bytes(total), units::bytes(free)),
                (Some(total), None) => format!(", {}", units::bytes(total)),
                _ if gpu.unified => ", shares the machine's memory".to_owned(),
                _ => String::new(),
            };
            ("graphics card", format!("{}{memory}{driver} (not used: oai computes on the processor)", gpu.name))
        })
        .collect();
    // Nothing is lost by it as long as oai computes on the processor.
    lines.extend(gpus.problem.as_ref().map(|problem| ("graphics card", problem.clone())));
    if lines.is_empty() {
        lines.push(("graphics card", "none found".to_owned()));
    }
    report.part("gpus", json!(gpus), lines);
}
