//! The process that measures: it is asked on its standard input and answers on its standard output, a JSON object a line.

use std::io;

use serde::{Deserialize, Serialize};

use super::machine::PeakMemory;
use super::noise;
use super::plan::Test;
use super::results::{Row, Setting};
use super::run::run;
use crate::engine::{Error, KvType, Measurement};
use crate::kernels::cpu::Isa;
use crate::kernels::pool;
use crate::monitor;
use crate::weights::Source;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Answered by [`Reply::Setting`].
    Describe,
    /// The first token after a prompt of so many; answered by [`Reply::FirstToken`].
    FirstToken { tokens: usize },
    /// Answered by a [`Reply::Run`] as each run begins and then by [`Reply::Row`].
    Test { test: Test, repetitions: usize },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    Setting(Box<Setting>),
    FirstToken {
        /// Without loading.
        ms: f64,
    },
    /// Its number: 0 warms up.
    Run(usize),
    Row(Box<Row>),
}

/// Loads the model of `source` and answers `requests` until there are none left, or until `reply` fails: then nobody
/// listens any more.
pub fn serve(
    source: &Source,
    kv_type: KvType,
    requests: impl Iterator<Item = Request>,
    mut reply: impl FnMut(&Reply) -> io::Result<()>,
) -> Result<(), Error> {
    let mut model = Measurement::load(source, kv_type)?;
    let mut peak_memory = PeakMemory::new();
    for request in requests {
        let answer = match request {
            Request::Describe => Reply::Setting(Box::new(setting(&model, kv_type))),
            Request::FirstToken { tokens } => {
                Reply::FirstToken { ms: 1000.0 * model.first_token(tokens)?.as_secs_f64() }
            }
            Request::Test { test, repetitions } => {
                // Whoever does not hear of a run hears nothing of the row either.
                let tell = |number| drop(reply(&Reply::Run(number)));
                Reply::Row(Box::new(run(&mut model, &test, repetitions, &mut peak_memory, tell)?))
            }
        };
        if reply(&answer).is_err() {
            break;
        }
    }
    Ok(())
}

fn setting(model: &Measurement, kv_type: KvType) -> Setting {
    let (info, cpu) = (model.info(), monitor::cpu());
    Setting {
        architecture: info.architecture.clone(),
        quantization: info.quantization.clone(),
        parameters: info.parameters,
        size_bytes: info.size_bytes,
        model_fingerprint: model.fingerprint(),
        threads: pool::threads(),
        kv_type: kv_type.name().to_owned(),
        kernels: Isa::best().name().to_owned(),
        cpu: cpu.name,
        cores: cpu.physical_cores,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        build: if cfg!(debug_assertions) { "debug" } else { "release" }.to_owned(),
        load_ms: 1000.0 * model.load_time().as_secs_f64(),
        first_token_prompt: None,
        first_token_warm_ms: None,
        first_token_cold_ms: None,
        warnings: noise::of_machine(),
    }
}
