//! `oai fit`: what fits this machine.

mod model;
mod recommended;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use serde_json::{Value, json};

use super::compute::ComputeArgs;
use super::exit::Usage;
use super::output;
use crate::config::Settings;
use crate::fit::{Machine, Measured};
use crate::{monitor, units};

/// Show which models fit this machine, and how fast each would be
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Without a model: models worth having on this machine, by what they are good for, best first. With one: each of its forms, the memory that it needs with a full context, and the tokens a second to expect at the beginning and at the end of that context. What `oai pull` would take is marked.\n\nA model fits if its weights, its KV cache and about 130 MB of working memory leave a tenth of the memory and 1 GB to the system; it fits tightly if they leave half of that. Speed is reckoned from the memory bandwidth, which is measured once, takes a second or two and is kept. oai computes on the processor: a graphics card is shown, but does not count.\n\nSizes: 8G and 8GiB are powers of 1024, 8GB is of 1000.\n\nExamples:\n  oai fit\n  oai fit qwen3:8b\n  oai fit bartowski/Llama-3.2-3B-Instruct-GGUF --context 32768 --kv-type q8_0\n  oai fit ./model-Q4_K_M.gguf\n  oai fit --memory 8G --bandwidth 50\n  oai fit gemma3:12b --json | jq '.forms[] | select(.fits == \"fits\") | .tag'"
)]
pub struct Args {
    /// The model: an alias, org/repo[:TAG], a path, or guide
    model: Option<String>,
    /// Tokens of context to make room for [default: 8192, or the model's own if that is less]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    context: Option<u64>,
    /// The memory of another machine: 8G, 7.5GiB, 800M
    #[arg(long, visible_alias = "fit", value_name = "SIZE", value_parser = size)]
    memory: Option<u64>,
    /// The memory bandwidth of another machine
    #[arg(long, value_name = "GB/S", value_parser = bandwidth)]
    bandwidth: Option<f64>,
    /// Measure the memory bandwidth again
    #[arg(long, conflicts_with = "bandwidth")]
    measure: bool,
    /// List all models that have a short name, those that do not fit too
    #[arg(long, conflicts_with = "model")]
    all: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub compute: ComputeArgs,
}

/// A size of memory on the command line.
pub fn size(text: &str) -> Result<u64, String> {
    units::parse_bytes(text).ok_or_else(|| format!("{text:?} is not a size such as 8G, 7.5GiB or 800M"))
}

fn bandwidth(text: &str) -> Result<f64, String> {
    let value = text.parse::<f64>().ok().filter(|value| (0.1..1e5).contains(value));
    value.ok_or_else(|| format!("{text:?} is not a number of gigabytes a second from 0.1 to 100000"))
}

impl Args {
    fn context(&self, settings: &Settings) -> Option<u64> {
        self.context.or(settings.count("context"))
    }
}

pub fn run(args: &Args, settings: &Settings) -> Result<()> {
    let machine = machine(args, settings);
    match &args.model {
        Some(name) => model::run(name, args, &machine, settings),
        None => recommended::run(args, &machine, settings),
    }
}

fn machine(args: &Args, settings: &Settings) -> Machine {
    let mut machine = match args.bandwidth {
        Some(bandwidth) => Machine::of(monitor::memory().total_bytes, bandwidth * 1e9, crate::kernels::pool::threads()),
        None => Machine::this(&settings.paths.machine_file, args.measure),
    };
    if let Some(memory_bytes) = args.memory {
        machine.memory_bytes = memory_bytes;
    }
    machine
}

/// The lines that say what is reckoned with.
fn describe(machine: &Machine, args: &Args) -> Vec<Vec<String>> {
    let row = |key: &str, value: String| vec![key.to_owned(), output::neutralize(&value)];
    let cpu = monitor::cpu();
    let threads = machine.threads;
    let mut rows =
        vec![row("processor", format!("{}, {threads} threads", cpu.name.unwrap_or_else(|| "unknown".to_owned())))];
    let for_models = units::bytes(machine.for_models());
    rows.push(match args.memory {
        Some(bytes) => row("memory", format!("{} (given), {for_models} for models", units::bytes(bytes))),
        None => {
            let memory = monitor::memory();
            let of = if memory.limited { " (the limit of this container)" } else { "" };
            let free = units::bytes(memory.available_bytes);
            row("memory", format!("{}{of}, {for_models} for models; {free} free now", units::bytes(memory.total_bytes)))
        }
    });
    let speed = units::bytes(machine.bandwidth.bytes_per_s as u64);
    rows.push(row("bandwidth", format!("{speed}/s ({})", measured(machine.bandwidth.measured))));
    if args.memory.is_none() {
        for gpu in monitor::gpus().found {
            let memory = gpu.memory_bytes.map_or(String::new(), |bytes| format!(", {}", units::bytes(bytes)));
            let unused = "not used: oai computes on the processor";
            rows.push(row("graphics card", format!("{}{memory} ({unused})", gpu.name)));
        }
    }
    rows
}

fn measured(how: Measured) -> String {
    match how {
        Measured::Now => "measured now".to_owned(),
        Measured::Disturbed => "measured now, while other programs were busy: it may be more".to_owned(),
        Measured::Before(seconds) => {
            format!("measured {}", super::list::age(UNIX_EPOCH + Duration::from_secs(seconds.min(1 << 40))))
        }
        Measured::Given => "given".to_owned(),
        Measured::Assumed => "assumed: there is no room to measure it".to_owned(),
    }
}

fn json_of(machine: &Machine, args: &Args) -> Value {
    let memory = monitor::memory();
    let (from, time) = match machine.bandwidth.measured {
        Measured::Now | Measured::Disturbed => {
            ("measured", Some(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())))
        }
        Measured::Before(seconds) => ("cache", Some(seconds)),
        Measured::Given => ("given", None),
        Measured::Assumed => ("assumed", None),
    };
    json!({
        "cpu": monitor::cpu().name,
        "threads": machine.threads,
        "memory_bytes": machine.memory_bytes,
        "memory_from": if args.memory.is_some() { "given" } else if memory.limited { "container" } else { "system" },
        "available_bytes": args.memory.is_none().then_some(memory.available_bytes),
        "for_models_bytes": machine.for_models(),
        "bandwidth_bytes_per_s": machine.bandwidth.bytes_per_s,
        "bandwidth_from": from,
        "bandwidth_measured": time,
        "gpus": if args.memory.is_none() { monitor::gpus().found } else { Vec::new() },
        "computes_on": "cpu",
    })
}

/// `~5.2`
fn speed(tokens_per_s: Option<f64>) -> String {
    match tokens_per_s {
        None => "-".to_owned(),
        Some(speed) if speed < 10.0 => format!("~{speed:.1}"),
        Some(speed) => format!("~{speed:.0}"),
    }
}

/// Reckoning for more than the model can read would be of no use.
fn too_long(asked: u64, allowed: u64, model: &str) -> Usage {
    Usage(format!("--context {asked} is more than the {allowed} tokens that {model} was trained for"))
}
