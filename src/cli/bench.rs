//! `oai bench`: how fast a model is.

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

use super::compute::ComputeArgs;
use super::exit::Usage;
use super::{interrupt, list, model, output};
use crate::bench::{self, Plan, Row};
use crate::config::Settings;
use crate::engine::KvType;
use crate::weights::Source;

/// Measure how fast a model is
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Each test runs once to warm up and then --repetitions times; what is shown is the mean of tokens a second and the standard deviation. pp512 is prefill: 512 tokens at once, of which the last one's logits are computed. tg128 is decode: 128 tokens one after the other. @ d2048 comes after 2048 others, which are not timed. The tokens are random and the same in every run. Numbers can be compared with llama-bench's.\n\nThe last column says how near decoding came to what memory allows: the bytes that a token reads, times tokens a second, over what as many threads could read in the same run.\n\nExamples:\n  oai bench qwen3:0.6b\n  oai bench ./model-Q4_K_M.gguf -p 512,2048 -n 128 -d 0,2048 --threads 2\n  oai bench ./model-Q4_K_M.gguf -p 0 -n 64 -r 3 --json | jq '.[].tokens_per_s'"
)]
pub struct Args {
    /// The model: an alias, org/repo[:TAG], a path, or guide
    model: String,
    /// Tokens of a prefill test, or several numbers with commas; 0 is no such test
    #[arg(short = 'p', long, value_name = "N", value_delimiter = ',', default_value = "512")]
    n_prompt: Vec<u32>,
    /// Tokens of a decode test, or several; 0 is no such test
    #[arg(short = 'n', long, value_name = "N", value_delimiter = ',', default_value = "128")]
    n_gen: Vec<u32>,
    /// Tokens in the cache before a test, or several
    #[arg(short = 'd', long, value_name = "N", value_delimiter = ',', default_value = "0")]
    n_depth: Vec<u32>,
    /// How often each test is run
    #[arg(short, long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u32).range(1..))]
    repetitions: u32,
    /// Print a JSON array, an object a test
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub compute: ComputeArgs,
}

impl Args {
    fn plan(&self, kv_type: KvType) -> Result<Plan, Usage> {
        let counts = |list: &[u32]| list.iter().map(|n| *n as usize).collect::<Vec<_>>();
        let plan = Plan {
            prompts: counts(&self.n_prompt),
            generations: counts(&self.n_gen),
            depths: counts(&self.n_depth),
            repetitions: self.repetitions as usize,
            kv_type,
        };
        if plan.prompts.iter().chain(&plan.generations).all(|n| *n == 0) {
            return Err(Usage("nothing to measure: give -p or -n tokens".to_owned()));
        }
        Ok(plan)
    }
}

pub fn run(args: &Args, settings: &Settings) -> Result<()> {
    interrupt::install()?;
    let plan = args.plan(model::kv_type(settings))?;
    let model = model::find(&args.model, settings)?;
    let bar = if output::stderr_is_terminal() {
        let style = ProgressStyle::with_template("bench {msg} {wide_bar} {pos}/{len} runs {eta}")?;
        ProgressBar::new(0).with_style(style)
    } else {
        ProgressBar::hidden()
    };
    let measured = bench::run(&model.source, &plan, |progress| {
        bar.set_length(progress.total_runs as u64);
        bar.set_position(progress.done_runs as u64);
        bar.set_message(progress.test.to_owned());
    });
    bar.finish_and_clear();
    let (setting, rows) = measured?;
    model::record_use(&model, settings);
    if args.json {
        let path = list::path(&model);
        let objects = rows.iter().map(|row| {
            let mut object = serde_json::Map::new();
            object.insert("model".to_owned(), model.name.clone().into());
            object.insert("path".to_owned(), path.clone().into());
            for part in [serde_json::to_value(&setting)?, serde_json::to_value(row)?] {
                object.extend(part.as_object().cloned().unwrap_or_default());
            }
            Ok(serde_json::Value::Object(object))
        });
        return output::line(&output::json(&objects.collect::<Result<Vec<_>>>()?)?);
    }
    // Of a path its end is enough to know the file by.
    let name = match &model.source {
        Source::Path(path) if list::path(&model).as_deref() == Some(&model.name) => path.file_name(),
        _ => None,
    };
    let name = name.map_or(model.name.clone(), |name| name.to_string_lossy().into_owned());
    let heads = ["MODEL", "TYPE", "SIZE", "THREADS", "TEST", "TOKENS/S", "OF BANDWIDTH"];
    let mut table = vec![heads.map(str::to_owned).to_vec()];
    table.extend(rows.iter().map(|row| {
        vec![
            output::neutralize(&name),
            output::neutralize(&setting.quantization),
            output::bytes(setting.size_bytes),
            setting.threads.to_string(),
            row.test.clone(),
            format!("{:.2} ± {:.2}", row.tokens_per_s, row.stddev),
            bandwidth(row),
        ]
    }));
    output::line(output::table(&table).trim_end())
}

/// `72 % of 31.4 GB/s`, of a decode test.
fn bandwidth(row: &Row) -> String {
    match (row.bandwidth_share, row.bandwidth_bytes_per_s) {
        (Some(share), Some(bandwidth)) => format!("{:.0} % of {:.1} GB/s", 100.0 * share, bandwidth / 1e9),
        _ => String::new(),
    }
}
