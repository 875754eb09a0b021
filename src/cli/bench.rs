//! `oai bench`: how fast a model is.

mod against;
mod measure;
mod shown;

use std::io::{self, Write};
use std::process::Command;
use std::sync::mpsc::channel;

use anyhow::Result;

use super::exit::Usage;
use super::{interrupt, model, output};
use crate::bench::{self, LARGEST_BATCH, Plan, child, saved};
use crate::config::Settings;
use crate::kernels::pool;

/// Measure how fast a model is
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Each test runs once to warm up and then --repetitions times; what is shown is the mean of tokens a second and the standard deviation. pp512 is prefill: 512 tokens at once, of which the last one's logits are computed. tg128 is decode: 128 tokens one after the other. pp512+tg128 is both, timed as one. @ d2048 comes after 2048 others, which are not timed. The tokens are random and the same in every run. Numbers can be compared with llama-bench's.\n\nThe last column says how near a test came to what the machine allows, measured in the same process right before and after it: decode to memory's bandwidth (the bytes that a token reads, times tokens a second), prefill to what the processor multiplies and adds a second with operands at hand (bytes for quantized weights, f32 for others and for attention).\n\nThe first token is timed after -p's first prompt: warm, in the process that was measured, and cold, from the start of a new oai, which loads the model too, when its file has just been read and lies in the system's cache as far as that has room.\n\nEach model, number of threads and type of cache is measured in a process of its own. What makes numbers doubtful is told on standard error: repetitions that differ by more than 5 %, other programs that took more than 5 % of the processor's time, a processor that saves power or was too hot, a debug build.\n\nWith --endpoint a server that speaks OpenAI's protocol (llama-server, ollama, vLLM) is measured, from outside: prefill is the time to its first token, decode what comes after. A MODEL besides is measured in turn with it, test by test, with the same prompts' lengths, and both are in one table. The environment's OPENAI_API_KEY is sent as its key.\n\n--save keeps a run, and --against compares with one: a test is slower, and the exit code 1, if its mean is lower by more than --tolerance and chance does not explain it (95 % confidence, Welch's t).\n\nExamples:\n  oai bench qwen3:0.6b\n  oai bench qwen3:0.6b ./model-Q4_K_M.gguf -p 512 --pg 512,128\n  oai bench ./model-Q4_K_M.gguf -p 512,2048 -n 128 -d 0,2048,4096 --threads 2,4 --kv-type f16,q8_0\n  oai bench qwen3:0.6b --save before\n  oai bench qwen3:0.6b --against before --tolerance 3\n  oai bench qwen3:0.6b --endpoint http://localhost:8080\n  oai bench ./model-Q4_K_M.gguf -p 0 -n 64 -r 3 --json | jq '.[].tokens_per_s'"
)]
pub struct Args {
    /// The models: an alias, org/repo[:TAG], a path, or guide
    #[arg(value_name = "MODEL", required_unless_present = "endpoint")]
    models: Vec<String>,
    /// Tokens of a prefill test, or several numbers with commas; 0 is no such test
    #[arg(short = 'p', long, value_name = "N", value_delimiter = ',', default_value = "512", value_parser = tokens)]
    n_prompt: Vec<u32>,
    /// Tokens of a decode test, or several; 0 is no such test
    #[arg(short = 'n', long, value_name = "N", value_delimiter = ',', default_value = "128")]
    n_gen: Vec<u32>,
    /// A test that decodes TG tokens after a prompt of PP, both timed as one; may be given again
    #[arg(long, value_name = "PP,TG", value_parser = pair)]
    pg: Vec<(u32, u32)>,
    /// Tokens in the cache before a test, or several
    #[arg(short = 'd', long, value_name = "N", value_delimiter = ',', default_value = "0")]
    n_depth: Vec<u32>,
    /// Tokens that a pass of prefill takes at most, or several; 512 is what oai takes
    #[arg(short = 'b', long, value_name = "N", value_delimiter = ',', default_value = "512",
        value_parser = clap::value_parser!(u32).range(1..=LARGEST_BATCH as i64))]
    batch: Vec<u32>,
    /// How often each test is run
    #[arg(short, long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u32).range(1..))]
    repetitions: u32,
    #[command(flatten)]
    compute: Sweep,
    /// Print a JSON array, an object a test; with --against an object of rows and comparison
    #[arg(long, group = "form")]
    json: bool,
    /// Print CSV with a head, a line a test
    #[arg(long, group = "form")]
    csv: bool,
    /// Print a Markdown table
    #[arg(long, group = "form")]
    markdown: bool,
    /// Draw tokens a second over the depth, which a terminal shows anyway where there are several
    #[arg(long, conflicts_with = "form")]
    chart: bool,
    /// Keep the results under a name
    #[arg(long, value_name = "NAME")]
    save: Option<String>,
    /// Compare with the results that were kept under a name; exit with 1 if a test is slower
    #[arg(long, value_name = "NAME")]
    against: Option<String>,
    /// By how much a test may be slower than before
    #[arg(long, value_name = "PERCENT", default_value = "5", value_parser = percent, requires = "against")]
    tolerance: f64,
    /// Measure a server that speaks OpenAI's protocol, in turn with the model if one is named
    #[arg(long, value_name = "URL", conflicts_with_all = ["pg", "n_depth", "batch"])]
    endpoint: Option<String>,
    /// Which of the server's models, if it has several
    #[arg(long, value_name = "NAME", requires = "endpoint")]
    endpoint_model: Option<String>,
    /// Requests that the server gets at once, or several numbers
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1", requires = "endpoint",
        value_parser = clap::value_parser!(u32).range(1..=4096))]
    concurrency: Vec<u32>,
    /// Be the process that measures: requests come on standard input
    #[arg(long, hide = true)]
    child: bool,
}

/// What computes, and in what the KV cache is: each combination is measured.
#[derive(Debug, clap::Args)]
struct Sweep {
    /// Processor threads, or several numbers with commas [default: all that this process may use]
    #[arg(long, value_name = "N", value_delimiter = ',')]
    threads: Vec<String>,
    /// What the KV cache holds, or several: f32, f16 or, in half the memory of f16, q8_0 [default: f16]
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    kv_type: Vec<String>,
}

/// Tokens; `-pg`, which llama-bench has, is read as `-p g`.
fn tokens(text: &str) -> Result<u32, String> {
    match text {
        "g" => Err("the test of prompt and generation is --pg PP,TG".to_owned()),
        text => text.parse().map_err(|e: std::num::ParseIntError| e.to_string()),
    }
}

fn pair(text: &str) -> Result<(u32, u32), String> {
    let number = |text: &str| text.parse().ok().filter(|n: &u32| *n > 0);
    let both = text.split_once(',').and_then(|(prompt, generated)| number(prompt).zip(number(generated)));
    both.ok_or_else(|| "give two numbers above 0, such as 512,128".to_owned())
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|n: &f64| (0.0..=100.0).contains(n));
    number.ok_or_else(|| "give a number from 0 to 100".to_owned())
}

impl Args {
    /// Lays the flags over the settings. Of several values each must be one; the last stays.
    pub fn apply(&self, settings: &mut Settings) -> Result<(), Usage> {
        let Sweep { threads, kv_type } = &self.compute;
        for (name, flag, texts) in [("threads", "--threads", threads), ("kv_type", "--kv-type", kv_type)] {
            for text in texts {
                settings.lay(&[(name, flag, &Some(text.clone()))]).map_err(|e| Usage(e.to_string()))?;
            }
        }
        Ok(())
    }

    fn plan(&self) -> Result<Plan, Usage> {
        let counts = |list: &[u32]| list.iter().map(|n| *n as usize).collect::<Vec<_>>();
        let plan = Plan {
            prompts: counts(&self.n_prompt),
            generations: counts(&self.n_gen),
            mixed: self.pg.iter().map(|(prompt, generated)| (*prompt as usize, *generated as usize)).collect(),
            depths: counts(&self.n_depth),
            batches: counts(&self.batch),
            repetitions: self.repetitions as usize,
        };
        if plan.tests().is_empty() {
            return Err(Usage("nothing to measure: give -p or -n tokens".to_owned()));
        }
        Ok(plan)
    }

    /// The numbers of threads and the types of cache, as the process that measures takes them.
    fn settings(&self, settings: &Settings) -> Vec<(String, String)> {
        let or = |list: &[String], default: String| if list.is_empty() { vec![default] } else { list.to_vec() };
        let threads = or(&self.compute.threads, pool::threads().to_string());
        let kv_types = or(&self.compute.kv_type, model::kv_type(settings).name().to_owned());
        let with =
            |threads: &String| kv_types.iter().map(|kv_type| (threads.clone(), kv_type.clone())).collect::<Vec<_>>();
        threads.iter().flat_map(with).collect()
    }
}

/// This program as the process that measures `model`.
fn child_command(model: &str, threads: &str, kv_type: &str) -> Result<Command, bench::Error> {
    let mut command = Command::new(std::env::current_exe().map_err(|source| bench::Error::Start { source })?);
    command.args(["bench", "--child", "--threads", threads, "--kv-type", kv_type, "--", model]);
    Ok(command)
}

pub fn run(args: &Args, settings: &Settings) -> Result<()> {
    interrupt::install()?;
    if args.child {
        return serve(args, settings);
    }
    let plan = args.plan()?;
    let data_dir = &settings.paths.data_dir;
    if let Some(name) = &args.save {
        saved::path(data_dir, name)?;
    }
    let old = args.against.as_ref().map(|name| saved::load(data_dir, name)).transpose()?;
    let results = measure::all(args, &plan, settings)?;
    results.warnings().iter().for_each(|warning| output::note(&format!("oai: {warning}")));
    let rows = results.objects()?;
    if let Some(name) = &args.save {
        let kept = saved::save(data_dir, name, &rows)?;
        let what = if kept.replaced { "kept in place of the earlier" } else { "kept as" };
        output::note(&format!("{what} {name}; compare with it: oai bench ... --against {name}"));
    }
    let comparison = old.map(|old| saved::compare(&old.rows, &rows, args.tolerance / 100.0));
    if args.json {
        output::line(&match &comparison {
            None => output::json(&rows)?,
            Some(comparison) => output::json(&serde_json::json!({ "rows": rows, "comparison": comparison }))?,
        })?;
    } else if args.csv {
        output::line(shown::csv(&rows).trim_end())?;
    } else if args.markdown {
        output::line(shown::markdown(&results.cells(true)).trim_end())?;
    } else {
        output::line(results.text().trim_end())?;
        if args.chart || output::stdout_is_terminal() && plan.depths.len() > 1 {
            output::line(results.charts(settings).trim_end())?;
        }
    }
    match (comparison, &args.against) {
        (Some(comparison), Some(name)) => against::conclude(&comparison, name, args),
        _ => Ok(()),
    }
}

/// Answers requests until nobody is left who asks.
fn serve(args: &Args, settings: &Settings) -> Result<()> {
    let model = model::find(args.models.first().map_or("", String::as_str), settings)?;
    let (sender, requests) = channel();
    std::thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            let Ok(request) = serde_json::from_str(&line) else { break };
            if sender.send(request).is_err() {
                break;
            }
        }
        // Whoever asked is gone, be it in the middle of a test.
        std::process::exit(0);
    });
    let reply = |reply: &child::Reply| writeln!(io::stdout().lock(), "{}", serde_json::to_string(reply)?);
    Ok(child::serve(&model.source, model::kv_type(settings), requests.into_iter(), reply)?)
}
