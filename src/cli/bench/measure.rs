//! One test after the other, with those who look on told how far it is.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

use super::shown::{Measured, Results, Run};
use super::{Args, child_command};
use crate::bench::endpoint::{self, Endpoint, Load, PATIENCE, Target};
use crate::bench::{self, LARGEST_BATCH, Measurer, Plan, Row, Test, check};
use crate::cli::exit::Usage;
use crate::cli::{list, model, output};
use crate::config::Settings;
use crate::engine;
use crate::hub::LocalModel;
use crate::monitor::{Announcement, Status};
use crate::weights::Source;

/// How often a new process is started for its first token.
const COLD_STARTS: usize = 3;

/// Tests of a model, and what a server is asked for after them.
struct Step {
    tests: Vec<Test>,
    loads: Vec<Load>,
}

/// Those that look on.
struct Told {
    bar: ProgressBar,
    announcement: Announcement,
    status: Status,
}

impl Told {
    fn new(settings: &Settings) -> Result<Told> {
        let bar = if output::stderr_is_terminal() {
            let style = ProgressStyle::with_template("bench {msg} {wide_bar} {pos}/{len} runs {eta}")?;
            ProgressBar::new(0).with_style(style)
        } else {
            ProgressBar::hidden()
        };
        let announcement = Announcement::new(&settings.paths.runtime_dir, "bench");
        Ok(Told { bar, announcement, status: Status::default() })
    }

    /// Of a run that begins when `done` are done.
    fn run(&mut self, model: &str, what: &str, done: usize) {
        self.bar.set_position(done as u64);
        self.bar.set_message(output::neutralize(what));
        self.status.model = Some(model.to_owned());
        what.clone_into(&mut self.status.state);
        (self.status.done, self.status.total) = (Some(done as u64), self.bar.length());
        self.announcement.set(&self.status);
    }
}

/// All that `args` ask for. Where the process that measures failed, so does this one, with its words and its code.
pub fn all(args: &Args, plan: &Plan, settings: &Settings) -> Result<Results> {
    let mut told = Told::new(settings)?;
    let results = measure(args, plan, settings, &mut told);
    told.bar.finish_and_clear();
    drop(told);
    if let Some(bench::Error::Failed { code, said }) = results.as_ref().err().and_then(|e| e.downcast_ref()) {
        if !said.is_empty() {
            eprintln!("{said}");
        }
        std::process::exit((*code).into());
    }
    results
}

fn measure(args: &Args, plan: &Plan, settings: &Settings, told: &mut Told) -> Result<Results> {
    let sweep = args.settings(settings);
    if args.endpoint.is_some() && args.models.len() * sweep.len() > 1 {
        return Err(
            Usage("a server is measured with one model, on one number of threads and type of cache".into()).into()
        );
    }
    let steps = steps(args, plan)?;
    let tests: Vec<Test> = steps.iter().flat_map(|step| step.tests.clone()).collect();
    let models = args.models.iter().map(|name| model::find(name, settings)).collect::<Result<Vec<_>>>()?;
    for model in &models {
        check(&tests, &model.name, engine::inspect(&model.source)?.context_length)?;
    }
    let mut server = args.endpoint.as_ref().map(|url| connect(url, args, settings)).transpose()?;

    let cold_starts = plan.first_prompt().map_or(0, |_| plan.repetitions.min(COLD_STARTS));
    let of_setting = tests.len() * (plan.repetitions + 1) + cold_starts;
    let requests = |load: &Load| load.concurrency * load.requests + 1;
    let of_server: usize = steps.iter().flat_map(|step| &step.loads).map(requests).sum();
    told.bar.set_length((models.len() * sweep.len() * of_setting + of_server) as u64);
    let mut done = 0;
    let mut results = Results { runs: Vec::new(), rows: Vec::new() };
    if let (true, Some(server)) = (models.is_empty(), &mut server) {
        for load in steps.iter().flat_map(|step| &step.loads) {
            results.rows.push(ask(server, load, &mut done, told)?);
        }
    }
    for model in &models {
        for (threads, kv_type) in &sweep {
            told.run(&model.name, "loading", done);
            let mut command = child_command(&model.name, threads, kv_type)?;
            let mut measurer = Measurer::start(&mut command)?;
            let mut setting = measurer.setting()?;
            let mut rows: Vec<Row> = Vec::new();
            for step in &steps {
                for test in &step.tests {
                    let tell = |run| told.run(&model.name, &test.name(), done + run);
                    let row = measurer.test(test, plan.repetitions, tell)?;
                    done += plan.repetitions + 1;
                    results.rows.push(Measured::Local { run: results.runs.len(), row: row.clone() });
                    rows.push(row);
                }
                for load in &step.loads {
                    let Some(server) = &mut server else { break };
                    results.rows.push(ask(server, load, &mut done, told)?);
                }
            }
            if let Some(tokens) = plan.first_prompt() {
                setting.first_token_prompt = Some(tokens);
                setting.first_token_warm_ms = Some(match warm(&rows, tokens) {
                    Some(ms) => ms,
                    None => mean(cold_starts, |_| measurer.first_token(tokens))?,
                });
                // The file has just been read, so that what is cold is the process.
                drop(measurer);
                setting.first_token_cold_ms = Some(mean(cold_starts, |start| {
                    told.run(&model.name, "cold start", done + start);
                    Measurer::cold_first_token(&mut command, tokens)
                })?);
                done += cold_starts;
            }
            results.runs.push(Run { name: model.name.clone(), shown: shown(model), path: list::path(model), setting });
        }
        model::record_use(model, settings);
    }
    Ok(results)
}

/// Without a server all tests in one step; with one, a step for each prompt and answer that it is asked for, in which the
/// model decodes as deep as the server does.
fn steps(args: &Args, plan: &Plan) -> Result<Vec<Step>> {
    if args.endpoint.is_none() {
        return Ok(vec![Step { tests: plan.tests(), loads: Vec::new() }]);
    }
    let mut steps = Vec::new();
    for prompt in plan.prompts.iter().copied().filter(|n| *n > 0) {
        for generated in plan.generations.iter().copied().filter(|n| *n > 0) {
            let batch = LARGEST_BATCH;
            let load = |n: &u32| {
                let (concurrency, requests) = (*n as usize, plan.repetitions);
                Load { prompt_tokens: prompt, generated_tokens: generated, concurrency, requests }
            };
            steps.push(Step {
                tests: vec![
                    Test { depth: 0, prompt, generated: 0, batch },
                    Test { depth: prompt, prompt: 0, generated, batch },
                ],
                loads: args.concurrency.iter().map(load).collect(),
            });
        }
    }
    if steps.is_empty() {
        return Err(Usage("a server is asked to answer a prompt: give -p and -n tokens above 0".to_owned()).into());
    }
    Ok(steps)
}

fn connect(url: &str, args: &Args, settings: &Settings) -> Result<Endpoint> {
    let target = Target {
        url: url.to_owned(),
        model: args.endpoint_model.clone(),
        key: settings.surrounding(&["OPENAI_API_KEY"]).map(|(_, key)| key.to_owned()),
        seed: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64),
        patience: PATIENCE,
    };
    Ok(endpoint::connect(&target, &model::hub_settings(settings))?)
}

fn ask(server: &mut Endpoint, load: &Load, done: &mut usize, told: &mut Told) -> Result<Measured> {
    let (model, url) = (server.model().to_owned(), server.url().to_owned());
    let row = server.run(load, &mut |progress| told.run(&model, progress.test, *done + progress.done_runs))?;
    *done += load.concurrency * load.requests + 1;
    Ok(Measured::Server { model, url, row })
}

/// Milliseconds of the prefill of `tokens`, if that was a test.
fn warm(rows: &[Row], tokens: usize) -> Option<f64> {
    let same = |row: &&Row| (row.depth, row.n_prompt, row.n_gen, row.batch) == (0, tokens, 0, LARGEST_BATCH);
    let samples = &rows.iter().find(same)?.samples_tokens_per_s;
    Some(samples.iter().map(|sample| 1000.0 * tokens as f64 / sample).sum::<f64>() / samples.len() as f64)
}

fn mean(times: usize, mut measure: impl FnMut(usize) -> Result<f64, bench::Error>) -> Result<f64, bench::Error> {
    let mut sum = 0.0;
    for time in 0..times {
        sum += measure(time)?;
    }
    Ok(sum / times as f64)
}

/// Of a path its end is enough to know the file by.
fn shown(model: &LocalModel) -> String {
    let name = match &model.source {
        Source::Path(path) if list::path(model).as_deref() == Some(&model.name) => path.file_name(),
        _ => None,
    };
    name.map_or(model.name.clone(), |name| name.to_string_lossy().into_owned())
}
